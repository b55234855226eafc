//! The text form of Plume and `PolySI`: `r(key,value,process,txn)` and `w(key,value,process,txn)`, one per line.
//!
//! ```text
//! w(1,10,0,0)
//! r(1,10,1,1)
//! ```
//!
//! Lines of one transaction follow each other within their process. A value of 0 that nobody wrote is what was there at first.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    ParseError, Place,
    cursor::Cursor,
    sessions::{self, Micro, Sessions},
};
use crate::{history::History, value::Value};

/// A line, and where it begins.
#[derive(Clone, Copy)]
struct Line {
    offset: usize,
    writes: bool,
    process: u32,
    key: i64,
    value: i64,
    txn: i64,
}

/// Reads the format.
pub(super) fn read(text: &str) -> Result<History, ParseError> {
    let text = text.trim_start_matches('\u{feff}');
    let mut lines = Vec::new();
    let mut reader = Reader { text, offset: 0 };
    while reader.skip(char::is_whitespace).is_some() {
        lines.push(reader.line()?);
    }
    let zeros: BTreeSet<i64> = lines.iter().filter(|l| l.writes && l.value == 0).map(|l| l.key).collect();
    let places = places(&lines).map_err(|line| {
        let expected = "the lines of a transaction next to each other in their process";
        let error = ParseError::new(place(text, line.offset), expected, format!("transaction {} again", line.txn));
        error.instead("A process runs one transaction at a time: none goes on after another began.")
    })?;
    let mut order: Vec<u32> = (0..lines.len() as u32).collect();
    order.sort_by_key(|line| places[*line as usize]);
    let mut sessions = Sessions::new();
    let mut micros = Vec::new();
    for txn in order.chunk_by(|a, b| places[*a as usize] == places[*b as usize]) {
        micros.clear();
        micros.extend(txn.iter().map(|line| {
            let Line { writes, key, value, .. } = lines[*line as usize];
            let initial = value == 0 && !writes && !zeros.contains(&key);
            Micro { writes, key: Value::Int(key), value: if initial { Value::Nil } else { Value::Int(value) } }
        }));
        sessions.add(lines[txn[0] as usize].process, &micros, true);
    }
    Ok(sessions.finish())
}

/// The transaction of each line, counted from 0; or the first line of one that had ended.
fn places(lines: &[Line]) -> Result<Vec<u32>, &Line> {
    // By process: its last transaction, and which one that is.
    let mut open: BTreeMap<u32, (i64, u32)> = BTreeMap::new();
    let mut ended: BTreeSet<(u32, i64)> = BTreeSet::new();
    let mut places = Vec::with_capacity(lines.len());
    let mut count = 0;
    let mut last: Option<&Line> = None;
    for line in lines {
        let is_same = last.replace(line).is_some_and(|last| (last.process, last.txn) == (line.process, line.txn));
        if is_same {
            places.push(places[places.len() - 1]);
            continue;
        }
        match open.get(&line.process) {
            Some((txn, place)) if *txn == line.txn => places.push(*place),
            _ if !ended.insert((line.process, line.txn)) => return Err(line),
            _ => {
                open.insert(line.process, (line.txn, count));
                places.push(count);
                count += 1;
            }
        }
    }
    Ok(places)
}

/// Walks over the bytes of a text; where it stands is found out when somebody asks.
struct Reader<'t> {
    text: &'t str,
    offset: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.offset).copied()
    }

    /// Takes all characters that fit; answers the byte behind them.
    fn skip(&mut self, fits: impl Fn(char) -> bool) -> Option<u8> {
        loop {
            let byte = self.peek()?;
            let c = if byte.is_ascii() { char::from(byte) } else { self.text[self.offset..].chars().next()? };
            if !fits(c) {
                return Some(byte);
            }
            self.offset += c.len_utf8();
        }
    }

    fn eat(&mut self, byte: u8) -> bool {
        let comes = self.peek() == Some(byte);
        self.offset += usize::from(comes);
        comes
    }

    /// The error that something else should be at a place.
    fn expected(&self, offset: usize, expected: &str) -> ParseError {
        Cursor::at(&self.text[offset..], place(self.text, offset)).expected(expected)
    }

    fn line(&mut self) -> Result<Line, ParseError> {
        let offset = self.offset;
        let writes = self.peek() == Some(b'w');
        if !((self.eat(b'w') || self.eat(b'r')) && self.eat(b'(')) {
            return Err(self.expected(offset, "`r(key,value,process,txn)` or `w(…)`"));
        }
        let mut numbers = [0_i64; 4];
        for (i, number) in numbers.iter_mut().enumerate() {
            if i > 0 && !self.eat(b',') {
                return Err(self.expected(self.offset, "`,` and four integers"));
            }
            *number = self.number()?;
        }
        if !self.eat(b')') {
            return Err(self.expected(self.offset, "`)` after four integers"));
        }
        let [key, value, process, txn] = numbers;
        let process = u32::try_from(process).map_err(|_| {
            ParseError::new(place(self.text, offset), "a process from 0 to 2^32 - 1", format!("{process}"))
        })?;
        Ok(Line { offset, writes, process, key, value, txn })
    }

    fn number(&mut self) -> Result<i64, ParseError> {
        self.skip(|c| c == ' ');
        let start = self.offset;
        self.skip(|c| c.is_ascii_digit() || c == '-');
        let digits = &self.text[start..self.offset];
        digits.parse().map_err(|_| self.expected(start, "an integer of 64 bits"))
    }
}

/// Line and column of a place in the text.
fn place(text: &str, offset: usize) -> Place {
    let before = &text[..offset];
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    Place { line: before.matches('\n').count() + 1, column }
}

/// Writes the format; `None` for what it cannot say.
pub(super) fn write(history: &History) -> Option<String> {
    let mut out = String::new();
    for (number, txn) in sessions::transactions(history)?.iter().flatten().enumerate() {
        txn.committed.then_some(())?;
        for (writes, key, value) in &txn.micros {
            let f = if *writes { "w" } else { "r" };
            let value = if value.is_nil() && !writes { 0 } else { value.as_int().filter(|v| *v != 0)? };
            sessions::line(&mut out, format_args!("{f}({},{value},{},{number})", key.as_int()?, txn.process));
        }
    }
    Some(out)
}
