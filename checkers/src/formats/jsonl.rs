//! Versioned JSON lines: a header, then one event per line in the order in which they happened.
//!
//! ```text
//! {"squall-history":1,"system":"raft","seed":7}
//! {"type":"mark","kind":{"phase":"chaos"},"position":0,"time":0}
//! {"type":"invoke","process":0,"f":"write","key":"x","args":1,"position":1,"time":1500}
//! {"type":"ok","process":0,"position":2,"time":2300}
//! {"type":"failed","process":1,"reason":"full","position":4,"time":2500}
//! {"type":"unknown","process":2,"reason":"timeout","position":5,"time":9000}
//! {"type":"open","process":3,"reason":"still open at the end"}
//! ```
//!
//! A completion belongs to the open operation of its process. `ok` has a `reply` unless that is null. `position` may be left out
//! and is then the next one; `time` in nanoseconds is then the position.

use std::{collections::BTreeMap, fmt::Write};

use serde::{Deserialize, Serialize};
use serde_json::error::Category;

use super::{Lines, ParseError, Place, cursor::Cursor, known_name};
use crate::{
    document,
    history::{Entry, History, Mark, MarkKind, Moment, Order, Outcome, ProcessId, Provenance},
    operation::Operation,
    recorder::{self, HistoryError},
    value::Value,
};

/// The version that is written. All versions up to this are read.
pub const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Header {
    #[serde(rename = "squall-history")]
    version: u32,
    #[serde(default, skip_serializing_if = "is_default")]
    order: Order,
    #[serde(flatten)]
    provenance: Provenance,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[derive(Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Line {
    #[serde(rename = "type")]
    kind_of_event: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    process: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    f: Option<String>,
    #[serde(default, skip_serializing_if = "Value::is_nil")]
    key: Value,
    #[serde(default, skip_serializing_if = "Value::is_nil")]
    args: Value,
    #[serde(default, skip_serializing_if = "Value::is_nil")]
    reply: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<MarkKind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<u64>,
}

/// Reads events line by line; nothing is kept of a line but what the history needs.
#[derive(Default)]
pub(super) struct Events {
    reader: Option<Reader>,
}

const EVENT: &str =
    "Each line after the header is an event, such as {\"type\":\"invoke\",\"process\":0,\"f\":\"read\"}.";

const OF_HEADER: &str = "The version is a number from 1 on, and all else in the header may be left out.";

const HEADER: &str = "the header {\"squall-history\":1}";

impl Lines for Events {
    fn line(&mut self, number: usize, line: &str) -> Result<(), ParseError> {
        let at = Place { line: number, column: 1 };
        if line.trim().is_empty() {
            return Ok(());
        }
        if let Some(reader) = &mut self.reader {
            let event =
                serde_json::from_str(line).map_err(|error| not_json(at, line, "an event", &error).instead(EVENT))?;
            return reader.event(at, event);
        }
        // A header of another version may have any shape.
        if let Some(found) = document::version(line, document::HISTORY).filter(|v| *v == 0 || *v > u64::from(VERSION)) {
            let expected = format!("version {VERSION} of the format");
            let instead = if found > u64::from(VERSION) { document::OTHER_SQUALL } else { OF_HEADER };
            let found = format!("version {found}{}", document::newer(found, VERSION));
            return Err(ParseError::new(at, expected, found).instead(instead));
        }
        let header: Header = serde_json::from_str(line).map_err(|error| {
            let error = not_json(at, line, HEADER, &error);
            // It is of this format, whatever is wrong with it.
            if line.contains(document::HISTORY) { error.instead(OF_HEADER) } else { error }
        })?;
        self.reader = Some(Reader {
            history: History { provenance: header.provenance, order: header.order, ..History::default() },
            lines: Vec::new(),
            lines_of_marks: Vec::new(),
            last: BTreeMap::new(),
            next_position: 0,
            is_sorted: true,
        });
        Ok(())
    }

    fn finish(self) -> Result<History, ParseError> {
        let Some(mut reader) = self.reader else {
            return Err(ParseError::new(Place { line: 1, column: 1 }, HEADER, "the end"));
        };
        reader.history.entries.shrink_to_fit();
        let History { entries, .. } = &reader.history;
        let valid = if reader.is_sorted { recorder::one_at_a_time(entries) } else { reader.history.validate() };
        valid.map_err(|error| {
            let index = match error {
                HistoryError::Order { index, .. }
                | HistoryError::AlreadyOpen { open: index, .. }
                | HistoryError::Ended { unknown: index, .. } => index,
                _ => 0,
            };
            let line = reader.lines.get(index).map_or(1, |line| *line as usize);
            ParseError::protocol(Place { line, column: 1 }, &error)
        })?;
        if let Some((mark, fault)) = super::ends_nothing(&reader.history.marks) {
            let line = reader.lines_of_marks[mark] as usize;
            return Err(ParseError::ends_nothing(Place { line, column: 1 }, fault));
        }
        Ok(reader.history)
    }
}

fn not_json(at: Place, line: &str, expected: &str, error: &serde_json::Error) -> ParseError {
    let what = document::problem(error);
    // It counts bytes, and the last one that it took.
    let taken = (0..error.column().clamp(1, line.len().max(1))).rev().find(|i| line.is_char_boundary(*i)).unwrap_or(0);
    let (before, rest) = line.split_at(taken);
    let column = before.chars().count() + 1;
    let place = Place { line: at.line, column };
    match error.classify() {
        Category::Eof => {
            ParseError::new(Place { line: at.line, column: line.chars().count() + 1 }, expected, "half of one")
        }
        Category::Syntax if what == "expected a JSON value" => {
            let inside = if before.trim().is_empty() { expected } else { "a value of JSON" };
            Cursor::at(rest, place).expected(inside)
        }
        Category::Syntax => match what.strip_prefix("expected ") {
            Some(other) => Cursor::at(rest, place).expected(other),
            None => ParseError::new(place, expected, format!("broken JSON: {what}")),
        },
        Category::Data | Category::Io => ParseError::new(place, expected, format!("other JSON: {what}")),
    }
}

struct Reader {
    history: History,
    /// The lines of the invocations.
    lines: Vec<u32>,
    lines_of_marks: Vec<u32>,
    /// The last operation of each process.
    last: BTreeMap<ProcessId, usize>,
    next_position: u32,
    /// Whether each event has a greater position than those before.
    is_sorted: bool,
}

impl Reader {
    fn event(&mut self, at: Place, line: Line) -> Result<(), ParseError> {
        let kind = line.kind_of_event.as_str();
        let number = u32::try_from(at.line).unwrap_or(u32::MAX);
        let missing =
            |what: &str| ParseError::new(at, format!("`{what}` in an event of type `{kind}`"), "none").instead(EVENT);
        if kind == "mark" {
            let mark = line.kind.clone().ok_or_else(|| missing("kind"))?;
            let at = self.moment(&line);
            self.lines_of_marks.push(number);
            self.history.marks.push(Mark { at, kind: mark });
            return Ok(());
        }
        if !matches!(kind, "invoke" | "ok" | "failed" | "unknown" | "open") {
            let expected = "the type `invoke`, `ok`, `failed`, `unknown`, `open` or `mark`";
            return Err(ParseError::new(at, expected, format!("`{kind}`")).instead(EVENT));
        }
        let process = ProcessId(line.process.ok_or_else(|| missing("process"))?);
        let open = self.last.get(&process).copied().filter(|&i| self.history.entries[i].completed.is_none());
        if kind == "invoke" {
            if let Some(open) = open {
                return Err(ParseError::protocol(at, &HistoryError::AlreadyOpen { process, open }));
            }
            let invoked = self.moment(&line);
            let f = line.f.ok_or_else(|| missing("f"))?;
            let operation = Operation { f: known_name(f), key: line.key, args: line.args };
            self.last.insert(process, self.history.entries.len());
            self.lines.push(number);
            let outcome = Outcome::Unknown("still open at the end".into());
            self.history.entries.push(Entry { process, operation, invoked, completed: None, outcome });
            return Ok(());
        }
        let open = open.ok_or_else(|| ParseError::protocol(at, &HistoryError::NothingOpen { process }))?;
        let completed = if kind == "open" { None } else { Some(self.moment(&line)) };
        let entry = &mut self.history.entries[open];
        let invoked = entry.invoked;
        if let Some(completed) = completed.filter(|m| m.position > invoked.position && m.time() < invoked.time()) {
            return Err(ParseError::too_early(at, invoked, completed));
        }
        let reason = line.reason.unwrap_or_default();
        entry.completed = completed;
        entry.outcome = match kind {
            "ok" => Outcome::Ok(line.reply),
            "failed" => Outcome::Failed(reason.into()),
            _ => Outcome::Unknown(reason.into()),
        };
        Ok(())
    }

    fn moment(&mut self, line: &Line) -> Moment {
        let position = line.position.unwrap_or(self.next_position);
        // `u32::MAX` stands for "never".
        self.is_sorted &= position >= self.next_position && position < u32::MAX;
        self.next_position = self.next_position.max(position.saturating_add(1));
        Moment::new(position, line.time.unwrap_or(u64::from(position)))
    }
}

/// Writes the format.
pub(super) fn write(history: &History) -> String {
    let mut out = String::new();
    line(&mut out, &Header { version: VERSION, order: history.order, provenance: history.provenance.clone() });
    let mut events: Vec<Line> = Vec::with_capacity(2 * history.entries.len() + history.marks.len());
    let mut open = Vec::new();
    for entry in &history.entries {
        let process = Some(entry.process.0);
        let Operation { f, key, args } = entry.operation.clone();
        let invoke =
            Line { process, f: Some(f.as_str().to_owned()), key, args, ..event("invoke", Some(entry.invoked)) };
        events.push(invoke);
        let (kind, reply, reason) = match &entry.outcome {
            Outcome::Ok(reply) => ("ok", reply.clone(), None),
            Outcome::Failed(why) => ("failed", Value::Nil, Some(why.to_string())),
            Outcome::Unknown(why) => ("unknown", Value::Nil, Some(why.to_string())),
        };
        match entry.completed {
            Some(_) => events.push(Line { process, reply, reason, ..event(kind, entry.completed) }),
            None => open.push(Line { process, reason, ..event("open", None) }),
        }
    }
    let marks = history.marks.iter().map(|mark| Line { kind: Some(mark.kind.clone()), ..event("mark", Some(mark.at)) });
    events.extend(marks);
    events.sort_by_key(|e| e.position);
    events.iter().chain(&open).for_each(|event| line(&mut out, event));
    out
}

fn event(kind: &str, at: Option<Moment>) -> Line {
    Line {
        kind_of_event: kind.to_owned(),
        position: at.map(|m| m.position),
        time: at.map(Moment::time),
        ..Line::default()
    }
}

fn line(out: &mut String, value: &impl Serialize) {
    let json = serde_json::to_string(value).expect("these types are plain data with string keys");
    writeln!(out, "{json}").expect("writing to a string does not fail");
}
