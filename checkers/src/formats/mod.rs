//! Reading and writing histories: a notation for people, versioned JSON lines, and the files of other tools.

use std::fmt;

use crate::{history::History, recorder::HistoryError};

mod cursor;
mod edn;
mod etcd;
mod jepsen;
mod jsonl;
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
}

impl Format {
    /// Every format.
    pub const ALL: [Format; 4] = [Format::Text, Format::Jsonl, Format::JepsenEdn, Format::EtcdLog];

    /// Its name, in kebab-case.
    pub fn name(self) -> &'static str {
        match self {
            Format::Text => "text",
            Format::Jsonl => "jsonl",
            Format::JepsenEdn => "jepsen-edn",
            Format::EtcdLog => "etcd-log",
        }
    }

    /// The format of this name.
    pub fn named(name: &str) -> Option<Format> {
        Format::ALL.into_iter().find(|f| f.name() == name)
    }

    /// The format that a file which begins like this is in. Text, if nothing speaks for another.
    pub fn detect(content: &str) -> Format {
        // The first line that is no comment, in any of the formats.
        let mut lines = content.trim_start_matches('\u{feff}').lines().map(str::trim_start);
        let line = lines.find(|line| !line.is_empty() && !line.starts_with([';', '#'])).unwrap_or_default();
        if line.starts_with("{\"") || line.starts_with("{ \"") {
            Format::Jsonl
        } else if line.starts_with(['(', '[', '{']) {
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
}

impl ParseError {
    fn new(at: Place, expected: impl Into<String>, found: impl Into<String>) -> Self {
        ParseError { line: at.line, column: at.column, expected: expected.into(), found: found.into() }
    }

    /// What a process did that it cannot do.
    fn protocol(at: Place, error: &HistoryError) -> Self {
        ParseError::new(at, "a history that clients can produce", error.to_string())
    }
}

/// A place in a file, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    line: usize,
    column: usize,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Reads a history, in the format that its beginning speaks for if none is given.
///
/// # Errors
/// Where the content is not in that format, or is nothing that clients can do.
pub fn read(content: &[u8], format: Option<Format>) -> Result<History, ParseError> {
    let text = std::str::from_utf8(content).map_err(|error| {
        let before = String::from_utf8_lossy(&content[..error.valid_up_to()]);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        ParseError::new(Place { line, column }, "text in UTF-8", "bytes that are none")
    })?;
    match format.unwrap_or_else(|| Format::detect(text)) {
        Format::Text => text::read(text),
        Format::Jsonl => jsonl::read(text),
        Format::JepsenEdn => jepsen::read(text),
        Format::EtcdLog => etcd::read(text),
    }
}

/// Writes a history as text or JSON lines; `None` for the formats of other tools, which are only read.
pub fn write(history: &History, format: Format) -> Option<String> {
    match format {
        Format::Text => Some(text::write(history)),
        Format::Jsonl => Some(jsonl::write(history)),
        Format::JepsenEdn | Format::EtcdLog => None,
    }
}
