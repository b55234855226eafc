//! The text form of dbcop: `[x:=1 y==2]` is a transaction, a line of `-` stands between processes.
//!
//! ```text
//! // process 0 writes x, and then sees y as it was at first
//! [x:=1] [y==?]
//! ---
//! [x==1 y:=2]
//! [y:=3]!
//! ```
//!
//! `!` after a transaction says that it was not committed. Names begin with a letter or `_`, values are integers from 0 on.

use super::{
    ParseError,
    cursor::Cursor,
    sessions::{self, Micro, Sessions},
};
use crate::{history::History, value::Value};

/// Reads the format.
pub(super) fn read(text: &str) -> Result<History, ParseError> {
    let mut cursor = Cursor::new(text);
    let mut sessions = Sessions::new();
    let mut process = 0;
    loop {
        cursor.take_while(char::is_whitespace);
        if cursor.peek().is_none() {
            return Ok(sessions.finish());
        } else if cursor.starts_with("//") {
            cursor.take_while(|c| c != '\n');
        } else if cursor.eat("-") {
            cursor.take_while(|c| c == '-');
            process += 1;
        } else {
            let micros = txn(&mut cursor)?;
            let committed = !cursor.eat("!");
            sessions.add(process, &micros, committed);
        }
    }
}

fn txn(cursor: &mut Cursor<'_>) -> Result<Vec<Micro>, ParseError> {
    if !cursor.eat("[") {
        return Err(cursor.expected("a transaction such as `[x:=1 y==2]`, a line of `-` or a comment `//`"));
    }
    let mut micros = Vec::new();
    loop {
        cursor.take_while(|c| c.is_whitespace() && c != '\n');
        if cursor.eat("]") {
            return Ok(micros);
        }
        let before = cursor.clone();
        let key = cursor.take_while(is_name);
        if key.is_empty() || key.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(before.expected("`x:=1`, `x==1`, `x==?` or `]`"));
        }
        let writes = cursor.eat(":=");
        if !writes && !cursor.eat("==") {
            return Err(cursor.expected("`:=` or `==`"));
        }
        let before = cursor.clone();
        let value = if !writes && cursor.eat("?") {
            Value::Nil
        } else {
            let digits = cursor.take_while(|c| c.is_ascii_digit());
            Value::Int(digits.parse().map_err(|_| before.expected("an integer from 0 to 2^63 - 1"))?)
        };
        micros.push(Micro { writes, key: Value::from(key), value });
    }
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Writes the format; `None` for what it cannot say.
pub(super) fn write(history: &History) -> Option<String> {
    let mut out = String::new();
    for (i, session) in sessions::transactions(history)?.iter().enumerate() {
        if i > 0 {
            out.push_str("---\n");
        }
        for txn in session {
            let mut events = Vec::new();
            for (writes, key, value) in &txn.micros {
                let name = match key {
                    Value::Text(name) if name.chars().all(is_name) && !name.is_empty() => name.to_string(),
                    // Names are no numbers there.
                    key => format!("k{}", sessions::unsigned(key)?),
                };
                (!name.starts_with(|c: char| c.is_ascii_digit())).then_some(())?;
                events.push(match (writes, value) {
                    (true, value) => format!("{name}:={}", sessions::unsigned(value)?),
                    (false, Value::Nil) => format!("{name}==?"),
                    (false, value) => format!("{name}=={}", sessions::unsigned(value)?),
                });
            }
            let committed = if txn.committed { "" } else { "!" };
            sessions::line(&mut out, format_args!("[{}]{committed}", events.join(" ")));
        }
    }
    Some(out)
}
