//! The text form of AWDIT's tests: `r key value` and `w key value`, `-----` between transactions, `=====` between processes.
//!
//! ```text
//! w 0 1
//! -----
//! r 0 1
//! w 1 2
//! =====
//! r 1 2
//! ```
//!
//! Numbers are integers of 64 bits. All transactions are committed. What nobody wrote cannot be written down.

use super::{
    ParseError, Place,
    sessions::{self, Micro, Sessions},
};
use crate::{history::History, value::Value};

/// Reads the format.
pub(super) fn read(text: &str) -> Result<History, ParseError> {
    let mut sessions = Sessions::new();
    let mut process = 0;
    let mut micros = Vec::new();
    for (i, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let at = Place { line: i + 1, column: 1 + line.chars().take_while(|c| c.is_whitespace()).count() };
        let line = line.trim();
        let is_all = |c: char| line.len() > 2 && line.chars().all(|x| x == c);
        if line.is_empty() {
            continue;
        }
        if is_all('-') || is_all('=') {
            sessions.add(process, &std::mem::take(&mut micros), true);
            process += u32::from(is_all('='));
            continue;
        }
        let mut words = line.split_whitespace();
        let micro = (|| {
            let writes = match words.next()? {
                "r" => false,
                "w" => true,
                _ => return None,
            };
            let mut number = || Some(Value::Int(words.next()?.parse().ok()?));
            Some(Micro { writes, key: number()?, value: number()? })
        })();
        match micro.filter(|_| words.next().is_none()) {
            Some(micro) => micros.push(micro),
            None => {
                let expected = "`r key value` or `w key value` with integers, a line of `-` or one of `=`";
                return Err(ParseError::new(at, expected, format!("`{}`", line.chars().take(40).collect::<String>())));
            }
        }
    }
    sessions.add(process, &micros, true);
    Ok(sessions.finish())
}

/// Writes the format; `None` for what it cannot say.
pub(super) fn write(history: &History) -> Option<String> {
    let mut out = String::new();
    for (i, session) in sessions::transactions(history)?.iter().enumerate() {
        if i > 0 {
            out.push_str("=====\n");
        }
        for (j, txn) in session.iter().enumerate() {
            if j > 0 {
                out.push_str("-----\n");
            }
            for (writes, key, value) in txn.micros.iter().filter(|_| txn.committed) {
                let f = if *writes { "w" } else { "r" };
                sessions::line(&mut out, format_args!("{f} {} {}", key.as_int()?, value.as_int()?));
            }
            txn.committed.then_some(())?;
        }
    }
    Some(out)
}
