//! What code under test says through `tracing` during a run, with the virtual time and the machine at which it was said.
//!
//! Every simulator runs a machine's code on the run's own thread, a piece at a time, and says which machine's it is just before.
//! So an event belongs to the machine whose code runs, at the time at which that piece began. Where nobody said so, as for guests,
//! whose library runs their tasks itself, the library's own span around them names the machine.

use std::{
    cell::{Cell, RefCell},
    fmt::{self, Write as _},
    str::FromStr,
};

use serde::{Deserialize, Serialize};
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

use crate::environment::guest::Machine;

/// Libraries whose own events say nothing about the code under test.
const NOT_OURS: [&str; 4] = ["turmoil", "madsim", "tokio", "mio"];

/// How loud an event is; each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Errors.
    Error,
    /// Warnings.
    Warn,
    /// What people like to know.
    Info,
    /// What the authors like to know.
    Debug,
    /// Everything.
    Trace,
}

/// A text that is no level.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no level; expected one of: error, warn, info, debug, trace")]
pub struct LevelError(String);

/// An event of the code under test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// Virtual time, in nanoseconds.
    pub time_ns: u64,
    /// The machine: replicas first, clients after them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<u32>,
    /// How loud it is.
    pub level: Level,
    /// Where it comes from: the path of the module, unless the event says otherwise.
    pub target: String,
    /// The spans it lies in, the outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spans: Vec<String>,
    /// The message, and after it the fields.
    pub text: String,
}

thread_local! {
    /// Whether the run on this thread is listened to.
    static LISTENING: Cell<bool> = const { Cell::new(false) };
    /// The time and the machine whose code runs.
    static HERE: Cell<(u64, Option<u32>)> = const { Cell::new((0, None)) };
    static HEARD: RefCell<Heard> = RefCell::default();
}

#[derive(Default)]
struct Heard {
    lines: Vec<LogLine>,
    /// All spans there were; the id is the place, from 1.
    spans: Vec<Span>,
    /// The spans that this thread is in.
    inside: Vec<u64>,
}

struct Span {
    text: String,
    /// The machine that a library says its tasks are of.
    machine: Option<u32>,
}

/// Runs `f`, and listens to what is said on this thread meanwhile, up to this level.
pub fn listen<T>(level: Level, f: impl FnOnce() -> T) -> (T, Vec<LogLine>) {
    HERE.set((0, None));
    LISTENING.set(true);
    let value = tracing::subscriber::with_default(Listener(level), f);
    LISTENING.set(false);
    let heard = HEARD.take();
    (value, heard.lines)
}

/// Whether the run on this thread is listened to. It is for all of a run, or for none of it.
pub(super) fn listening() -> bool {
    LISTENING.get()
}

/// From here on the code of this machine runs, at this time.
pub(super) fn runs(time_ns: u64, machine: Option<u32>) {
    HERE.set((time_ns, machine));
}

struct Listener(Level);

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // A library's spans are listened to: they may name a machine.
        metadata.is_span() || (level(*metadata.level()) <= self.0 && !is_library(metadata.target()))
    }

    fn new_span(&self, attributes: &span::Attributes<'_>) -> span::Id {
        let metadata = attributes.metadata();
        let mut words = Words::default();
        attributes.record(&mut words);
        let machine = is_library(metadata.target()).then(|| machine_of(words.name.as_deref()?)).flatten();
        let text = if is_library(metadata.target()) { String::new() } else { words.after(metadata.name()) };
        HEARD.with_borrow_mut(|heard| {
            heard.spans.push(Span { text, machine });
            span::Id::from_u64(heard.spans.len() as u64)
        })
    }

    fn record(&self, id: &span::Id, values: &span::Record<'_>) {
        let mut words = Words::default();
        values.record(&mut words);
        HEARD.with_borrow_mut(|heard| {
            if let Some(span) = heard.spans.get_mut(id.into_u64() as usize - 1) {
                span.text.push_str(&words.fields);
            }
        });
    }

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        let mut words = Words::default();
        event.record(&mut words);
        let (time_ns, here) = HERE.get();
        HEARD.with_borrow_mut(|heard| {
            let inside = || heard.inside.iter().filter_map(|id| heard.spans.get(*id as usize - 1));
            let machine = here.or_else(|| inside().filter_map(|span| span.machine).next_back());
            let spans = inside().map(|span| span.text.clone()).filter(|text| !text.is_empty()).collect();
            let text = words.after("");
            let (level, target) = (level(*metadata.level()), metadata.target().to_owned());
            heard.lines.push(LogLine { time_ns, machine, level, target, spans, text });
        });
    }

    fn enter(&self, id: &span::Id) {
        HEARD.with_borrow_mut(|heard| heard.inside.push(id.into_u64()));
    }

    fn exit(&self, id: &span::Id) {
        HEARD.with_borrow_mut(|heard| {
            if let Some(at) = heard.inside.iter().rposition(|inside| *inside == id.into_u64()) {
                heard.inside.remove(at);
            }
        });
    }
}

/// The text of an event or a span.
#[derive(Default)]
struct Words {
    message: String,
    fields: String,
    /// The field `name`, by which libraries call their machines.
    name: Option<String>,
}

impl Words {
    /// The message after this word, and the fields after that.
    fn after(&self, first: &str) -> String {
        format!("{first}{}{}", self.message, self.fields).trim_start().to_owned()
    }
}

impl Visit for Words {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.message.push_str(value),
            "name" => {
                self.name = Some(value.to_owned());
                let _ = write!(self.fields, " name={value}");
            }
            key => drop(write!(self.fields, " {key}={value}")),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            let _ = write!(self.message, "{value:?}");
        } else {
            let _ = write!(self.fields, " {}={value:?}", field.name());
        }
    }
}

fn is_library(target: &str) -> bool {
    let first = target.split("::").next().unwrap_or_default();
    NOT_OURS.contains(&first)
}

/// The machine of a host's name, which is its address.
fn machine_of(name: &str) -> Option<u32> {
    name.parse().ok().and_then(Machine::at).map(|machine| machine.0)
}

fn level(level: tracing::Level) -> Level {
    match level {
        tracing::Level::ERROR => Level::Error,
        tracing::Level::WARN => Level::Warn,
        tracing::Level::INFO => Level::Info,
        tracing::Level::DEBUG => Level::Debug,
        tracing::Level::TRACE => Level::Trace,
    }
}

impl FromStr for Level {
    type Err = LevelError;

    fn from_str(text: &str) -> Result<Self, LevelError> {
        [Level::Error, Level::Warn, Level::Info, Level::Debug, Level::Trace]
            .into_iter()
            .find(|level| level.name().eq_ignore_ascii_case(text))
            .ok_or_else(|| LevelError(text.to_owned()))
    }
}

impl Level {
    /// Its name in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Level::Error => "error",
            Level::Warn => "warn",
            Level::Info => "info",
            Level::Debug => "debug",
            Level::Trace => "trace",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_heard_with_time_machine_spans_and_fields() {
        let ((), lines) = listen(Level::Info, || {
            runs(7, Some(2));
            tracing::info_span!("vote", term = 3).in_scope(|| tracing::warn!(from = "n1", "late by {} ms", 5));
            runs(9, None);
            tracing::debug!("not this one");
            tracing::info!(target: "turmoil::net", "nor this");
            tracing::info!(count = 1_u64);
        });
        let show = |l: &LogLine| format!("{} {:?} {} {:?} {}", l.time_ns, l.machine, l.level.name(), l.spans, l.text);
        let shown: Vec<String> = lines.iter().map(show).collect();
        assert_eq!(shown, [r#"7 Some(2) warn ["vote term=3"] late by 5 ms from=n1"#, "9 None info [] count=1"]);
        assert!(lines.iter().all(|l| l.target.ends_with("log::tests")));
        // It is over.
        tracing::info!("to nobody");
        assert!(listen(Level::Trace, || ()).1.is_empty() && !listening());
    }

    #[test]
    fn levels_are_read_by_name() {
        assert_eq!("WARN".parse(), Ok(Level::Warn));
        let error = "loud".parse::<Level>().unwrap_err().to_string();
        assert_eq!(error, "`loud` is no level; expected one of: error, warn, info, debug, trace");
    }
}
