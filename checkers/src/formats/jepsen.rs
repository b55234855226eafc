//! Jepsen's histories in EDN: one vector or list of operation maps, or one map after the other (as porcupine's kv files).
//!
//! `:ok` took effect, `:fail` certainly did not, `:info` is unknown. A read's reply is the `:value` of its completion, a
//! `txn` replies its own list with what was read, a `cas` that is `:ok` replied true, all else nil. The key is `:key`, or nil. What
//! `:nemesis` does is passed over; any other `:process` is a number. Where no map has a `:process` all are of one; Elle's
//! transactions need no `:f`.
//!
//! What asks for micro-operations, `[[:r x nil] [:w y 1]]`, is a transaction whatever its `:f` is called. Where all values are
//! `[key value]`, also those of reads that are asked for (`[key nil]`), they are tuples of `jepsen.independent`: each key is an
//! object of its own. Only such reads tell a tuple from a value that is a list, so without them lists stay lists.

mod write;

pub(super) use write::write;

use std::collections::BTreeMap;

use super::{
    Lines, ParseError, Place,
    cursor::Cursor,
    edn::{self, Edn, Form},
    json, known_name,
};
use crate::{
    history::{History, Outcome, ProcessId},
    operation::Operation,
    recorder::HistoryBuilder,
    text::Text,
    value::Value,
};

/// Which of both languages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    Edn,
    Json,
}

/// Reads operation maps line by line: between two lines nothing is kept but a map that has not ended yet.
pub(super) struct Forms {
    language: Language,
    reader: Reader,
    /// What was read and not understood yet, and where it begins.
    pending: String,
    at: Place,
    /// It is not looked at again before it is this long.
    again_at: usize,
    /// What closes the list that the maps stand in.
    closes: Option<char>,
    /// Whether a comma has to come before the next map.
    wants_comma: bool,
    /// Whether a map was understood and is wrong.
    is_refused: bool,
    /// Whether something was understood, once anything was said.
    understood: Option<bool>,
}

impl Forms {
    pub(super) fn new(language: Language) -> Self {
        Forms {
            language,
            reader: Reader::new(),
            pending: String::new(),
            at: Place { line: 1, column: 1 },
            again_at: 0,
            closes: None,
            wants_comma: false,
            is_refused: false,
            understood: None,
        }
    }

    /// Reads all maps that have ended.
    fn forms(&mut self) -> Result<(), ParseError> {
        let pending = std::mem::take(&mut self.pending);
        let mut cursor = Cursor::at(&pending, self.at);
        let read = loop {
            let before = cursor.clone();
            match self.form(&mut cursor) {
                Ok(true) => {}
                Ok(false) => break Ok(()),
                Err(error) => {
                    // What ends too early may go on in the next line.
                    let goes_on = cursor.peek().is_none() && !self.is_refused;
                    cursor = before;
                    break if goes_on { Err(error) } else { return Err(error) };
                }
            }
        };
        self.at = cursor.place();
        self.pending = cursor.rest().to_owned();
        self.again_at = 2 * self.pending.len();
        read
    }

    /// Reads one form. False at the end.
    fn form(&mut self, cursor: &mut Cursor<'_>) -> Result<bool, ParseError> {
        match self.language {
            Language::Edn => edn::skip(cursor)?,
            Language::Json => _ = cursor.take_while(char::is_whitespace),
        }
        match (self.closes, cursor.peek()) {
            (_, None) => return Ok(false),
            (None, Some(open @ ('[' | '('))) if open == '[' || self.language == Language::Edn => {
                cursor.next();
                self.understood = Some(true);
                self.closes = Some(if open == '[' { ']' } else { ')' });
                self.wants_comma = false;
                return Ok(true);
            }
            (Some(closes), Some(c)) if c == closes => {
                cursor.next();
                self.closes = None;
                return Ok(true);
            }
            (Some(_), Some(_)) if self.language == Language::Json && self.wants_comma && !cursor.eat(",") => {
                return Err(cursor.expected("`,` or `]`"));
            }
            _ => {}
        }
        let depth = usize::from(self.closes.is_some());
        let next = match self.language {
            Language::Edn => edn::next(cursor, depth)?,
            Language::Json => json::next(cursor, depth)?,
        };
        let Some(form) = next else { return Err(cursor.expected("an operation map or the end")) };
        self.wants_comma = true;
        self.understood = Some(true);
        let recorded = match &form.edn {
            // A list behind a tag.
            Edn::Sequence(events) if self.closes.is_none() => {
                events.iter().try_for_each(|event| self.reader.record(event))
            }
            _ => self.reader.record(&form),
        };
        self.is_refused = recorded.is_err();
        recorded.map(|()| true)
    }
}

impl Lines for Forms {
    fn line(&mut self, number: usize, line: &str) -> Result<(), ParseError> {
        if !line.trim().is_empty() {
            self.understood.get_or_insert(false);
        }
        if number > 1 {
            self.pending.push('\n');
        }
        self.pending.push_str(line);
        if self.pending.len() < self.again_at {
            return Ok(());
        }
        match self.forms() {
            // Perhaps the next line makes it whole.
            Err(_) if !self.pending.is_empty() => Ok(()),
            read => read,
        }
    }

    fn finish(mut self) -> Result<History, ParseError> {
        self.forms()?;
        if let Some(closes) = self.closes {
            return Err(Cursor::at("", self.at).expected(&format!("a form or `{closes}`")));
        }
        if self.understood == Some(false) {
            return Err(Cursor::at("", self.at).expected(EXAMPLE));
        }
        Ok(self.reader.finish())
    }
}

const EXAMPLE: &str = "an operation map such as {:type :invoke, :f :read, :process 0}";

struct Reader {
    builder: HistoryBuilder,
    /// Whether events name no process, so that all are of one; known from the first event on.
    one_process: Option<bool>,
    /// What the open transactions are called that are not called `txn`.
    called: BTreeMap<ProcessId, String>,
    tuples: Tuples,
}

/// Whether the values are tuples of `jepsen.independent`.
struct Tuples {
    /// All values so far may be ones.
    possible: bool,
    /// A read asked for one, which is nothing else.
    certain: bool,
}

impl Reader {
    fn new() -> Self {
        let tuples = Tuples { possible: true, certain: false };
        Reader { builder: HistoryBuilder::new(), one_process: None, called: BTreeMap::new(), tuples }
    }

    fn finish(self) -> History {
        let mut history = self.builder.finish();
        let are_tuples = self.tuples.possible && self.tuples.certain;
        for entry in &mut history.entries {
            let operation = &mut entry.operation;
            if are_tuples {
                let Some((key, value)) = tuple(&operation.args) else { continue };
                (operation.key, operation.args) = (key.clone(), value.clone());
                if let Outcome::Ok(reply) = &mut entry.outcome
                    && let Some((_, value)) = tuple(reply)
                {
                    *reply = value.clone();
                }
            } else if reads(operation.f.as_str()) {
                operation.args = Value::Nil;
            }
        }
        history
    }

    fn record(&mut self, event: &Form) -> Result<(), ParseError> {
        if !matches!(event.edn, Edn::Map(_)) {
            return Err(ParseError::new(event.at, EXAMPLE, "another form"));
        }
        let wrong = |form: &Form, expected: &str, found: &str| {
            let error = ParseError::new(form.at, expected, found);
            Err(error.instead("An operation is a map such as {:type :invoke, :f :read, :process 0, :value nil}."))
        };
        let process = event.get("process");
        let one_process = *self.one_process.get_or_insert(process.is_none());
        let process = match process {
            None if one_process => ProcessId(0),
            None => return wrong(event, "`:process`", "a map without it"),
            Some(_) if one_process => return wrong(event, "no `:process`, as in the first operation", "one"),
            Some(form) => match self::process(form)? {
                Some(process) => process,
                None => return Ok(()),
            },
        };
        let value = event.get("value");
        let f = match event.get("f") {
            Some(Form { edn: Edn::Keyword(f) | Edn::Text(f), .. }) => f.as_str(),
            // Elle's histories of transactions leave it out.
            None if value.is_some_and(is_txn) => "txn",
            _ => return wrong(event, "`:f` with the name of an operation", "a map without it"),
        };
        let Some(kind) = event.get("type") else { return wrong(event, "`:type`", "a map without it") };
        let asks_for_txn = value.is_some_and(has_micros);
        let value = value.map_or(Value::Nil, Form::value);
        let time = match event.get("time") {
            Some(Form { edn: Edn::Int(t), .. }) => u64::try_from(*t).unwrap_or(0),
            _ => 0,
        };
        let protocol = |error| ParseError::protocol(event.at, &error);
        let (Edn::Keyword(word) | Edn::Text(word)) = &kind.edn else {
            return wrong(kind, "`:invoke`, `:ok`, `:fail` or `:info`", "another form");
        };
        let outcome = match word.as_str() {
            "invoke" => {
                let key = event.get("key").map_or(Value::Nil, Form::value);
                let name = if asks_for_txn { "txn" } else { f };
                self.tuples.possible &= key.is_nil() && name != "txn" && tuple(&value).is_some();
                let args = if reads(name) {
                    let asked = tuple(&value).is_some_and(|(_, value)| value.is_nil());
                    self.tuples.possible &= asked;
                    self.tuples.certain |= asked;
                    if self.tuples.possible { value } else { Value::Nil }
                } else {
                    value
                };
                let operation = Operation { f: known_name(name.to_owned()), key, args };
                self.builder.try_invoke(process, operation, time).map_err(protocol)?;
                if name != f {
                    self.called.insert(process, f.to_owned());
                }
                return Ok(());
            }
            "ok" => Outcome::Ok(value),
            "fail" => Outcome::Failed(reason(event)),
            "info" => Outcome::Unknown(reason(event)),
            _ => return wrong(kind, "`:invoke`, `:ok`, `:fail` or `:info`", "another form"),
        };
        let entry = self.builder.open_entry(process).map_err(protocol)?;
        let called = self.called.remove(&process);
        let invoked = self.builder.entry(entry).map(|e| &e.operation);
        if let Some(invoked) = invoked.filter(|o| o.f != f && called.as_deref() != Some(f)) {
            let name = called.as_deref().unwrap_or(invoked.f.as_str());
            let expected = format!("the completion of `{name}`, which the process has open");
            let error = ParseError::new(event.at, expected, format!("one of `{f}`"));
            return Err(error.instead("A process completes what it invoked last, by the same `:f`."));
        }
        let f = if called.is_some() { "txn" } else { f };
        let outcome = match outcome {
            Outcome::Ok(value) => {
                let key = invoked.and_then(|o| tuple(&o.args)).map(|(key, _)| key);
                self.tuples.possible &= key == tuple(&value).map(|(key, _)| key);
                Outcome::Ok(reply(f, value))
            }
            outcome => outcome,
        };
        // A lock that has no fencing token to reply repeats what it was asked for.
        let repeats = f == "acquire" && invoked.is_some_and(|o| outcome == Outcome::Ok(o.args.clone()));
        let outcome = if repeats { Outcome::Ok(Value::Nil) } else { outcome };
        // A time that is not given, or goes back, says nothing.
        let time = self.builder.entry(entry).map_or(time, |e| e.invoked.time().max(time));
        self.builder.try_complete(entry, outcome, time).map_err(protocol)
    }
}

pub(super) const PROCESS: &str = "the number of a process, or `:nemesis`";

/// The process of this name; none of the nemesis, which does no operations.
pub(super) fn process(form: &Form) -> Result<Option<ProcessId>, ParseError> {
    let error = match &form.edn {
        Edn::Int(p) if u32::try_from(*p).is_ok() => return Ok(Some(ProcessId(*p as u32))),
        Edn::Keyword(name) | Edn::Text(name) if name == "nemesis" => return Ok(None),
        _ if form.is_number() => ParseError::new(form.at, "a process from 0 to 2^32 - 1", "another number"),
        _ => ParseError::new(form.at, PROCESS, form.shown()),
    };
    Err(error.instead("Give each client a number, and its operations to it; what `:nemesis` does is passed over."))
}

/// Whether the value is a list of `[f key value]`.
fn is_txn(value: &Form) -> bool {
    let Edn::Sequence(micros) = &value.edn else { return false };
    micros.iter().all(|micro| matches!(&micro.edn, Edn::Sequence(parts) if parts.len() == 3))
}

/// Whether the value is a list of micro-operations on registers or lists, and not an empty one.
fn has_micros(value: &Form) -> bool {
    let Edn::Sequence(micros) = &value.edn else { return false };
    let is_micro = |micro: &Form| match &micro.edn {
        Edn::Sequence(parts) => match &parts[..] {
            [Form { edn: Edn::Keyword(f) | Edn::Text(f), .. }, _, _] => MICROS.contains(&f.as_str()),
            _ => false,
        },
        _ => false,
    };
    !micros.is_empty() && micros.iter().all(is_micro)
}

/// What micro-operations are called.
const MICROS: [&str; 5] = ["r", "w", "append", "read", "write"];

/// The key and the value of a tuple.
fn tuple(value: &Value) -> Option<(&Value, &Value)> {
    if let Some([key, value]) = value.as_list() { Some((key, value)) } else { None }
}

fn reads(f: &str) -> bool {
    matches!(f, "read" | "get")
}

/// What an operation that took effect replied, when its completion carries `value`.
pub(super) fn reply(f: &str, value: Value) -> Value {
    match f {
        "cas" => Value::Bool(true),
        "write" | "put" | "append" | "add" | "release" | "enqueue" | "push" | "insert" | "transfer" => Value::Nil,
        _ => value,
    }
}

fn reason(event: &Form) -> Text {
    match event.get("error").map(Form::value) {
        None | Some(Value::Nil) => "".into(),
        Some(Value::Text(why)) => why,
        Some(other) => other.to_string().into(),
    }
}
