//! Log lines of Jepsen's early etcd test, as in porcupine's test data: `INFO  jepsen.util - 0 :invoke :cas [1 2]`.
//!
//! `:fail :cas` says that the comparison failed, which is a reply; another `:fail` did not happen; `:info … :timed-out` is
//! unknown. Lines of other loggers, and of processes that are no number, are passed over.

use super::{
    ParseError,
    cursor::{Cursor, DEPTH_MAX},
    edn::{self, Edn, Form},
    jepsen, known_name,
};
use crate::{
    history::{History, Order, Outcome, ProcessId},
    operation::Operation,
    recorder::HistoryBuilder,
    value::Value,
};

/// Reads the format.
pub(super) fn read(text: &str) -> Result<History, ParseError> {
    let mut cursor = Cursor::new(text);
    let mut builder = HistoryBuilder::new();
    while cursor.peek().is_some() {
        let level = cursor.take_while(|c| !c.is_whitespace());
        spaces(&mut cursor);
        if level == "INFO" && cursor.eat("jepsen.util - ") {
            event(&mut cursor, &mut builder)?;
        } else {
            cursor.take_while(|c| c != '\n');
        }
        cursor.take_while(char::is_whitespace);
    }
    Ok(builder.finish())
}

fn event(cursor: &mut Cursor<'_>, builder: &mut HistoryBuilder) -> Result<(), ParseError> {
    let at = cursor.place();
    let Edn::Int(process) = form(cursor, "the number of a process")?.edn else {
        cursor.take_while(|c| c != '\n');
        return Ok(());
    };
    let Ok(process) = u32::try_from(process).map(ProcessId) else {
        return Err(ParseError::new(at, "a process from 0 to 2^32 - 1", "another number"));
    };
    let kind = form(cursor, "`:invoke`, `:ok`, `:fail` or `:info`")?;
    let f = form(cursor, "the operation")?;
    let value = form(cursor, "the value")?;
    let Edn::Keyword(f) = &f.edn else {
        return Err(ParseError::new(f.at, "the operation, such as `:read`", "another form"));
    };
    let timed_out = matches!(&value.edn, Edn::Keyword(word) if word == "timed-out");
    let protocol = |error| ParseError::protocol(at, &error);
    let outcome = match &kind.edn {
        Edn::Keyword(k) if k == "invoke" => {
            let args = if f == "read" { Value::Nil } else { value.value() };
            let operation = Operation { f: known_name(f.clone()), key: Value::Nil, args };
            return builder.try_invoke(process, operation, 0).map(|_| ()).map_err(protocol);
        }
        Edn::Keyword(k) if k == "ok" => Outcome::Ok(jepsen::reply(f, value.value())),
        Edn::Keyword(k) if k == "fail" && f == "cas" && !timed_out => Outcome::Ok(Value::Bool(false)),
        Edn::Keyword(k) if k == "fail" => Outcome::Failed("timed-out".to_owned()),
        Edn::Keyword(k) if k == "info" => Outcome::Unknown("timed-out".to_owned()),
        _ => return Err(ParseError::new(kind.at, "`:invoke`, `:ok`, `:fail` or `:info`", "another form")),
    };
    let entry = builder.open_entry(process).map_err(protocol)?;
    builder.try_complete(entry, outcome, 0).map_err(protocol)
}

/// Writes the format, which has no times: reads, writes and cas of a single register; `None` for all else.
pub(super) fn write(history: &History) -> Option<String> {
    let mut events: Vec<(u32, String)> = Vec::new();
    for entry in &history.entries {
        let (f, args) = (entry.operation.f.as_str(), &entry.operation.args);
        let known = matches!(f, "write" | "cas") || (f == "read" && args.is_nil());
        if !known || !entry.operation.key.is_nil() || history.order == Order::Processes {
            return None;
        }
        let line = |kind: &str, value: &Value| {
            if edn::depth(value) > DEPTH_MAX {
                return None;
            }
            let mut line = format!("INFO  jepsen.util - {}\t:{kind}\t:{f}\t", entry.process.0);
            edn::write(&mut line, value).map(|()| line)
        };
        events.push((entry.invoked.position, line("invoke", args)?));
        let Some(completed) = entry.completed else { continue };
        let timed_out = |kind: &str| format!("INFO  jepsen.util - {}\t:{kind}\t:{f}\t:timed-out", entry.process.0);
        let line = match (f, &entry.outcome) {
            ("cas", Outcome::Ok(Value::Bool(false))) => line("fail", args)?,
            ("read", Outcome::Ok(reply)) => line("ok", reply)?,
            ("write", Outcome::Ok(Value::Nil)) | ("cas", Outcome::Ok(Value::Bool(true))) => line("ok", args)?,
            (_, Outcome::Ok(_)) => return None,
            (_, Outcome::Failed(_)) => timed_out("fail"),
            (_, Outcome::Unknown(_)) => timed_out("info"),
        };
        events.push((completed.position, line));
    }
    events.sort_unstable();
    Some(events.into_iter().map(|(_, line)| line + "\n").collect())
}

/// The next form of this line.
fn form(cursor: &mut Cursor<'_>, expected: &str) -> Result<Form, ParseError> {
    spaces(cursor);
    if matches!(cursor.peek(), None | Some('\n')) {
        return Err(cursor.expected(expected));
    }
    edn::next(cursor, 0)?.ok_or_else(|| cursor.expected(expected))
}

fn spaces(cursor: &mut Cursor<'_>) {
    cursor.take_while(|c| c.is_whitespace() && c != '\n');
}
