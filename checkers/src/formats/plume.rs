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

/// A line, and where it stands.
struct Line {
    at: Place,
    writes: bool,
    key: i64,
    value: i64,
    process: u32,
    txn: i64,
}

/// Reads the format.
pub(super) fn read(text: &str) -> Result<History, ParseError> {
    let mut cursor = Cursor::new(text);
    let mut lines = Vec::new();
    cursor.take_while(char::is_whitespace);
    while cursor.peek().is_some() {
        lines.push(line(&mut cursor)?);
        cursor.take_while(char::is_whitespace);
    }
    let written: BTreeSet<(i64, i64)> = lines.iter().filter(|l| l.writes).map(|l| (l.key, l.value)).collect();
    let mut txns: Vec<(u32, Vec<Micro>)> = Vec::new();
    // By process: its last transaction, and its place in `txns`.
    let mut open: BTreeMap<u32, (i64, usize)> = BTreeMap::new();
    let mut ended: BTreeSet<(u32, i64)> = BTreeSet::new();
    for line in lines {
        let initial = line.value == 0 && !line.writes && !written.contains(&(line.key, 0));
        let value = if initial { Value::Nil } else { Value::Int(line.value) };
        let micro = Micro { writes: line.writes, key: Value::Int(line.key), value };
        let (txn, place) = *open.entry(line.process).or_insert((line.txn, usize::MAX));
        if txn == line.txn && place != usize::MAX {
            txns[place].1.push(micro);
            continue;
        }
        if !ended.insert((line.process, line.txn)) {
            let expected = "the lines of a transaction next to each other in their process";
            return Err(ParseError::new(line.at, expected, format!("transaction {} again", line.txn)));
        }
        open.insert(line.process, (line.txn, txns.len()));
        txns.push((line.process, vec![micro]));
    }
    let mut sessions = Sessions::new();
    for (process, micros) in txns {
        sessions.add(process, &micros, true);
    }
    Ok(sessions.finish())
}

fn line(cursor: &mut Cursor<'_>) -> Result<Line, ParseError> {
    let at = cursor.place();
    let writes = cursor.starts_with("w");
    if !(cursor.eat("w(") || cursor.eat("r(")) {
        return Err(cursor.expected("`r(key,value,process,txn)` or `w(…)`"));
    }
    let mut numbers = [0_i64; 4];
    for (i, number) in numbers.iter_mut().enumerate() {
        if i > 0 && !cursor.eat(",") {
            return Err(cursor.expected("`,` and four integers"));
        }
        cursor.take_while(|c| c == ' ');
        let before = cursor.clone();
        let digits = cursor.take_while(|c| c.is_ascii_digit() || c == '-');
        *number = digits.parse().map_err(|_| before.expected("an integer of 64 bits"))?;
    }
    if !cursor.eat(")") {
        return Err(cursor.expected("`)` after four integers"));
    }
    let [key, value, process, txn] = numbers;
    let process = u32::try_from(process)
        .map_err(|_| ParseError::new(at, "a process from 0 to 2^32 - 1", format!("{process}")))?;
    Ok(Line { at, writes, key, value, process, txn })
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
