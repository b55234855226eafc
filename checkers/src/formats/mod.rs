//! Reading and writing histories: a notation for people, versioned JSON lines, and the files of other tools.

use std::{
    collections::BTreeMap,
    fmt,
    io::{self, BufRead},
};

use crate::{
    document,
    history::{History, Mark, MarkKind, Moment},
    operation::Name,
    recorder::HistoryError,
};

mod awdit;
mod cursor;
mod dbcop;
mod edn;
mod etcd;
mod jepsen;
mod json;
mod jsonl;
mod plume;
mod sessions;
pub mod text;

pub use jsonl::VERSION;

/// The formats that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The notation of [`text`].
    Text,
    /// One JSON event per line after the header `{"squall-history":1}`.
    Jsonl,
    /// Jepsen's EDN: a vector or list of operation maps, or one map per line (porcupine's kv files are of this kind).
    JepsenEdn,
    /// Log lines of Jepsen's etcd test, as in porcupine's test data.
    EtcdLog,
    /// Jepsen's histories as JSON: a list of operations, or one per line.
    JepsenJson,
    /// Transactions as in AWDIT's tests: `r key value` and `w key value` between lines of `-` and `=`.
    Awdit,
    /// Transactions as Plume and `PolySI` read them: `r(key,value,process,txn)`.
    Plume,
    /// Transactions in dbcop's notation: `[x:=1 y==2]`.
    Dbcop,
}

impl Format {
    /// Every format.
    pub const ALL: [Format; 8] = [
        Format::Text,
        Format::Jsonl,
        Format::JepsenEdn,
        Format::JepsenJson,
        Format::EtcdLog,
        Format::Awdit,
        Format::Plume,
        Format::Dbcop,
    ];

    /// Its name, in kebab-case.
    pub fn name(self) -> &'static str {
        match self {
            Format::Text => "text",
            Format::Jsonl => "jsonl",
            Format::JepsenEdn => "jepsen-edn",
            Format::EtcdLog => "etcd-log",
            Format::JepsenJson => "jepsen-json",
            Format::Awdit => "awdit",
            Format::Plume => "plume",
            Format::Dbcop => "dbcop",
        }
    }

    /// What it is, in a few words.
    pub fn summary(self) -> &'static str {
        match self {
            Format::Text => "our own notation for people",
            Format::Jsonl => "our own: one JSON event per line, with a version",
            Format::JepsenEdn => "Jepsen's histories; porcupine's kv files",
            Format::EtcdLog => "logs of Jepsen's etcd test, as in porcupine's test data",
            Format::JepsenJson => "Jepsen's histories as JSON, a list or one operation per line",
            Format::Awdit => "transactions as in AWDIT's tests",
            Format::Plume => "transactions as Plume and PolySI read them",
            Format::Dbcop => "transactions in dbcop's notation",
        }
    }

    /// The format of this name.
    pub fn named(name: &str) -> Option<Format> {
        Format::ALL.into_iter().find(|f| f.name() == name)
    }

    /// The format that a file which begins like this is in. Text, if nothing speaks for another.
    pub fn detect(content: &str) -> Format {
        let content = content.trim_start_matches('\u{feff}');
        let separates =
            |line: &str| line.len() > 2 && (line.trim_matches('=').is_empty() || line.trim_matches('-').is_empty());
        // A tag of EDN, such as `#jepsen.history.Op{`, is no comment.
        let is_tag = |line: &str| {
            let name = line[1..].split(['{', '[', '(']).next().unwrap_or_default().trim_end();
            name.len() + 1 < line.len() && name.contains(['.', '/']) && !name.contains(char::is_whitespace)
        };
        let comments =
            |line: &str| line.starts_with(';') || line.starts_with("//") || (line.starts_with('#') && !is_tag(line));
        let says = |line: &str| !line.is_empty() && !comments(line) && !separates(line);
        // From the first line that is no comment in any of the formats.
        let passed: usize = content.split_inclusive('\n').take_while(|line| !says(line.trim())).map(str::len).sum();
        let rest = content[passed..].trim_start();
        let line = rest.lines().next().unwrap_or_default();
        // A list and the first map in it may begin in lines of their own.
        let inside = rest.trim_start_matches('[').trim_start();
        if inside.strip_prefix('{').is_some_and(|map| map.trim_start().starts_with('"')) {
            let is_ours = line.contains("\"squall-history\"");
            let is_list = rest.starts_with('[') || rest.contains("\"type\"");
            if is_list && !is_ours { Format::JepsenJson } else { Format::Jsonl }
        } else if line.starts_with('[') && !inside.starts_with('{') && (line.contains(":=") || line.contains("==")) {
            Format::Dbcop
        } else if line.starts_with("r ") || line.starts_with("w ") {
            Format::Awdit
        } else if line.starts_with("r(") || line.starts_with("w(") {
            Format::Plume
        } else if line.starts_with(['(', '[', '{', '#']) {
            Format::JepsenEdn
        } else if line.starts_with("INFO") {
            Format::EtcdLog
        } else {
            Format::Text
        }
    }
}

/// Where and why a file is no history. Lines and columns (in characters) count from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: expected {expected}, found {found}")]
pub struct ParseError {
    /// Line of the place.
    pub line: usize,
    /// Column of the place.
    pub column: usize,
    /// What would have been right.
    pub expected: String,
    /// What is there.
    pub found: String,
    /// What to do instead, where the form is right and what it says is wrong. Where there is none it may be of another format.
    pub instead: Option<&'static str>,
    /// What names the kind of the file where it is another one of squall's: `squall-case`, `squall-plan`, …
    pub document: Option<String>,
}

impl ParseError {
    fn new(at: Place, expected: impl Into<String>, found: impl Into<String>) -> Self {
        let (expected, found) = (expected.into(), found.into());
        ParseError { line: at.line, column: at.column, expected, found, instead: None, document: None }
    }

    fn instead(self, instead: &'static str) -> Self {
        ParseError { instead: Some(instead), ..self }
    }

    /// What a process did that it cannot do.
    fn protocol(at: Place, error: &HistoryError) -> Self {
        let instead = match error {
            HistoryError::AlreadyOpen { .. } => {
                "A process has one operation open at a time: let others do what goes on meanwhile."
            }
            HistoryError::Ended { .. } => {
                "An operation of unknown outcome ends its process: what its client does next is another process's."
            }
            HistoryError::NothingOpen { .. }
            | HistoryError::CompletedTwice { .. }
            | HistoryError::NeverInvoked { .. } => {
                "A completion follows the invocation of its process, and is the only one."
            }
            HistoryError::Order { .. } => {
                "Each event has a position of its own, and an operation completes after its invocation."
            }
        };
        ParseError::new(at, "a history that clients can produce", error.to_string()).instead(instead)
    }

    /// Another file of ours that begins like this.
    fn other_file(beginning: &str) -> Option<Self> {
        let kind = document::other_than_history(beginning)?;
        let error = ParseError::new(Place { line: 1, column: 1 }, "a history", format!("a {kind} file"));
        Some(ParseError { document: Some(kind.to_owned()), ..error })
    }

    /// A mark ends a fault that had not begun.
    fn ends_nothing(at: Place, fault: u32) -> Self {
        let error = ParseError::new(at, "the end of a fault that has begun", format!("that of fault {fault}"));
        error.instead("Say where the fault begins, or leave out where it ends.")
    }

    /// An operation completes at an earlier time than it was invoked.
    fn too_early(at: Place, invoked: Moment, completed: Moment) -> Self {
        let expected = format!("a completion at {} ns or later, when it was invoked", invoked.time());
        let error = ParseError::new(at, expected, format!("one at {} ns", completed.time()));
        error.instead("Give both times or none: the time is the position where none is given.")
    }
}

/// A place in a file, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    line: usize,
    column: usize,
}

/// The first mark that ends a fault which is not under way, and the fault.
fn ends_nothing(marks: &[Mark]) -> Option<(usize, u32)> {
    let mut under_way: BTreeMap<u32, u32> = BTreeMap::new();
    for (index, mark) in marks.iter().enumerate() {
        match mark.kind {
            MarkKind::FaultBegins(id, _) => *under_way.entry(id).or_default() += 1,
            MarkKind::FaultEnds(id) => match under_way.get_mut(&id) {
                Some(count @ 1..) => *count -= 1,
                _ => return Some((index, id)),
            },
            _ => {}
        }
    }
    None
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A format in which a line, or a few of them, stands for itself, so that the file is never held as a whole.
trait Lines {
    /// The next line, without its end; its number counts from 1.
    fn line(&mut self, number: usize, line: &str) -> Result<(), ParseError>;
    /// The history, when there are no more lines.
    fn finish(self) -> Result<History, ParseError>;
}

fn lines(mut format: impl Lines, text: &str) -> Result<History, ParseError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    (1..).zip(text.lines()).try_for_each(|(number, line)| format.line(number, line))?;
    format.finish()
}

/// Why nothing could be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The bytes could not be had.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// They are no history.
    #[error(transparent)]
    Parse(#[from] ParseError),
}

/// Reads a history as it comes, in the format that its beginning speaks for if none is given.
///
/// Of JSON lines and Jepsen's EDN and JSON no more is held than the history and the line or map at hand. Other formats are held
/// as a whole.
///
/// # Errors
/// As [`read`], and where the input cannot be read.
pub fn read_from(mut input: impl BufRead, format: Option<Format>) -> Result<History, ReadError> {
    let format = match format {
        Some(format) => format,
        None => found_out(&String::from_utf8_lossy(input.fill_buf()?))?,
    };
    match format {
        Format::Jsonl => lines_from(jsonl::Events::default(), input),
        Format::JepsenEdn => lines_from(jepsen::Forms::new(jepsen::Language::Edn), input),
        Format::JepsenJson => lines_from(jepsen::Forms::new(jepsen::Language::Json), input),
        _ => {
            let mut content = Vec::new();
            input.read_to_end(&mut content)?;
            Ok(read(&content, Some(format))?)
        }
    }
}

/// The format that a file which begins like this is in.
fn found_out(beginning: &str) -> Result<Format, ParseError> {
    ParseError::other_file(beginning).map_or_else(|| Ok(Format::detect(beginning)), Err)
}

fn lines_from(mut format: impl Lines, mut input: impl BufRead) -> Result<History, ReadError> {
    let mut bytes = Vec::new();
    for number in 1.. {
        bytes.clear();
        if input.read_until(b'\n', &mut bytes)? == 0 {
            break;
        }
        let line = std::str::from_utf8(&bytes).map_err(|error| not_utf8(&bytes, error, number))?;
        let line = if number == 1 { line.strip_prefix('\u{feff}').unwrap_or(line) } else { line };
        let line = line.strip_suffix('\n').unwrap_or(line);
        format.line(number, line.strip_suffix('\r').unwrap_or(line))?;
    }
    Ok(format.finish()?)
}

/// Where bytes, the first of which are in this line, are no text.
fn not_utf8(bytes: &[u8], error: std::str::Utf8Error, line: usize) -> ParseError {
    let before = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
    let line = before.matches('\n').count() + line;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    ParseError::new(Place { line, column }, "text in UTF-8", "bytes that are none")
        .instead("A history is text: is this packed, or in another encoding?")
}

/// Names that are literals elsewhere cost no memory.
fn known_name(f: String) -> Name {
    const KNOWN: [&str; 22] = [
        "read",
        "write",
        "cas",
        "get",
        "put",
        "append",
        "add",
        "acquire",
        "release",
        "txn",
        "remove",
        "enqueue",
        "dequeue",
        "push",
        "pop",
        "insert",
        "extract-min",
        "transfer",
        "generate",
        "send",
        "poll",
        "drain",
    ];
    KNOWN.iter().find(|k| **k == f).map_or_else(|| Name::from(f), |k| Name::new(k))
}

/// Reads a history, in the format that its beginning speaks for if none is given.
///
/// # Errors
/// Where the content is not in that format, or is nothing that clients can do.
pub fn read(content: &[u8], format: Option<Format>) -> Result<History, ParseError> {
    let text = std::str::from_utf8(content).map_err(|error| not_utf8(content, error, 1))?;
    match format.map_or_else(|| found_out(text), Ok)? {
        Format::Text => text::read(text),
        Format::Jsonl => lines(jsonl::Events::default(), text),
        Format::JepsenEdn => lines(jepsen::Forms::new(jepsen::Language::Edn), text),
        Format::EtcdLog => etcd::read(text),
        Format::JepsenJson => lines(jepsen::Forms::new(jepsen::Language::Json), text),
        Format::Awdit => awdit::read(text),
        Format::Plume => plume::read(text),
        Format::Dbcop => dbcop::read(text),
    }
}

/// Writes a history; `None` for what the format cannot say.
pub fn write(history: &History, format: Format) -> Option<String> {
    match format {
        Format::Text => Some(text::write(history)),
        Format::Jsonl => Some(jsonl::write(history)),
        Format::Awdit => awdit::write(history),
        Format::Plume => plume::write(history),
        Format::Dbcop => dbcop::write(history),
        Format::JepsenEdn => jepsen::write(history, jepsen::Language::Edn),
        Format::JepsenJson => jepsen::write(history, jepsen::Language::Json),
        Format::EtcdLog => etcd::write(history),
    }
}
