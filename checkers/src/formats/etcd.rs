//! Log lines of Jepsen's early etcd test, as in porcupine's test data: `INFO  jepsen.util - 0 :invoke :cas [1 2]`.
//!
//! `:fail :cas` says that the comparison failed, which is a reply; another `:fail` did not happen; `:info … :timed-out` is
//! unknown. What `:nemesis` does, lines of other loggers or levels, and their stack traces are passed over.

use super::{
    ParseError,
    cursor::{Cursor, DEPTH_MAX},
    edn::{self, Edn, Form},
    jepsen, known_name,
};
use crate::{
    history::{History, Order, Outcome},
    operation::Operation,
    recorder::HistoryBuilder,
    value::Value,
};

/// Reads the format.
pub(super) fn read(text: &str) -> Result<History, ParseError> {
    let mut cursor = Cursor::new(text);
    let mut builder = HistoryBuilder::new();
    cursor.take_while(char::is_whitespace);
    // An empty file says that nothing happened; one of other lines only is no such log.
    let mut is_one = cursor.peek().is_none();
    while cursor.peek().is_some() {
        let before = cursor.clone();
        let level = cursor.take_while(|c| !c.is_whitespace());
        spaces(&mut cursor);
        if level == "INFO" && cursor.eat("jepsen.util - ") {
            is_one = true;
            event(&mut cursor, &mut builder)?;
        } else {
            let said = cursor.take_while(|c| c != '\n');
            let logs = LEVELS.contains(&level) && said.contains(" - ");
            if !logs && !traces(level, said) {
                return Err(before.expected("a line such as `INFO  jepsen.util - 0 :invoke :read nil`"));
            }
        }
        cursor.take_while(char::is_whitespace);
    }
    if is_one { Ok(builder.finish()) } else { Err(cursor.expected("a line of `INFO  jepsen.util`")) }
}

/// How a line of a logger begins.
const LEVELS: [&str; 6] = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];

/// Whether a line, of which this is the first word and the rest, belongs to a stack trace.
fn traces(word: &str, rest: &str) -> bool {
    let class = word.strip_suffix(':').unwrap_or(word);
    let throws = class.contains('.') && (class.ends_with("Exception") || class.ends_with("Error"));
    let says_more = word == "..." && rest.trim_end().ends_with(" more");
    throws || says_more || word == "at" || (word == "Caused" && rest.starts_with("by: "))
}

fn event(cursor: &mut Cursor<'_>, builder: &mut HistoryBuilder) -> Result<(), ParseError> {
    let at = cursor.place();
    let Some(process) = jepsen::process(&form(cursor, jepsen::PROCESS)?)? else {
        cursor.take_while(|c| c != '\n');
        return Ok(());
    };
    let kind = form(cursor, "`:invoke`, `:ok`, `:fail` or `:info`")?;
    let f = form(cursor, "the operation")?;
    let value = form(cursor, "the value")?;
    let Edn::Keyword(f) = &f.edn else {
        return Err(ParseError::new(f.at, "the operation, such as `:read`", "another form"));
    };
    spaces(cursor);
    // What went wrong may follow, in any words.
    if matches!(&kind.edn, Edn::Keyword(k) if k == "fail" || k == "info") {
        cursor.take_while(|c| c != '\n');
    } else if !matches!(cursor.peek(), None | Some('\n')) {
        return Err(cursor.expected("the end of the line"));
    }
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
        Edn::Keyword(k) if k == "fail" => Outcome::Failed("timed-out".into()),
        Edn::Keyword(k) if k == "info" => Outcome::Unknown("timed-out".into()),
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
