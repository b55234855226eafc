//! Jepsen's histories in EDN: one vector or list of operation maps, or one map after the other (as porcupine's kv files).
//!
//! `:ok` took effect, `:fail` certainly did not, `:info` is unknown. A read's reply is the `:value` of its completion, a
//! `txn` replies its own list with what was read, a `cas` that is `:ok` replied true, all else nil. The key is `:key`, or nil. Maps whose
//! `:process` is no number (the nemesis) are passed over.

use super::{
    ParseError,
    cursor::Cursor,
    edn::{self, Edn, Form},
};
use crate::{
    history::{History, Outcome, ProcessId},
    operation::{Name, Operation},
    recorder::HistoryBuilder,
    value::Value,
};

/// Reads the format.
pub(super) fn read(text: &str) -> Result<History, ParseError> {
    let mut cursor = Cursor::new(text);
    let mut builder = HistoryBuilder::new();
    while let Some(form) = edn::next(&mut cursor)? {
        match form.edn {
            Edn::Sequence(events) => events.iter().try_for_each(|event| record(&mut builder, event))?,
            _ => record(&mut builder, &form)?,
        }
    }
    if cursor.peek().is_some() {
        return Err(cursor.expected("an operation map or the end"));
    }
    Ok(builder.finish())
}

fn record(builder: &mut HistoryBuilder, event: &Form) -> Result<(), ParseError> {
    let wrong = |form: &Form, expected: &str, found: &str| Err(ParseError::new(form.at, expected, found));
    if !matches!(event.edn, Edn::Map(_)) {
        return wrong(event, "an operation map such as {:type :invoke, :f :read, :process 0}", "another form");
    }
    let process = match event.get("process") {
        None => return wrong(event, "`:process`", "a map without it"),
        Some(Form { edn: Edn::Int(p), .. }) if u32::try_from(*p).is_ok() => ProcessId(*p as u32),
        Some(form @ Form { edn: Edn::Int(_), .. }) => {
            return wrong(form, "a process from 0 to 2^32 - 1", "another number");
        }
        Some(_) => return Ok(()),
    };
    let Some(Form { edn: Edn::Keyword(f) | Edn::Text(f), .. }) = event.get("f") else {
        return wrong(event, "`:f` with the name of an operation", "a map without it");
    };
    let Some(kind) = event.get("type") else { return wrong(event, "`:type`", "a map without it") };
    let value = event.get("value").map_or(Value::Nil, Form::value);
    let time = match event.get("time") {
        Some(Form { edn: Edn::Int(t), .. }) => u64::try_from(*t).unwrap_or(0),
        _ => 0,
    };
    let protocol = |error| ParseError::protocol(event.at, &error);
    let outcome = match &kind.edn {
        Edn::Keyword(k) if k == "invoke" => {
            let key = event.get("key").map_or(Value::Nil, Form::value);
            let args = if reads(f) { Value::Nil } else { value };
            let operation = Operation { f: Name::from(f.clone()), key, args };
            return builder.try_invoke(process, operation, time).map(|_| ()).map_err(protocol);
        }
        Edn::Keyword(k) if k == "ok" => Outcome::Ok(reply(f, value)),
        Edn::Keyword(k) if k == "fail" => Outcome::Failed(reason(event)),
        Edn::Keyword(k) if k == "info" => Outcome::Unknown(reason(event)),
        _ => return wrong(kind, "`:invoke`, `:ok`, `:fail` or `:info`", "another type"),
    };
    let entry = builder.open_entry(process).map_err(protocol)?;
    if let Some(invoked) = builder.entry_mut(entry).filter(|e| e.operation.f != f.as_str()) {
        let expected = format!("the completion of `{}`, which the process has open", invoked.operation.f);
        return Err(ParseError::new(event.at, expected, format!("one of `{f}`")));
    }
    builder.try_complete(entry, outcome, time).map_err(protocol)
}

fn reads(f: &str) -> bool {
    matches!(f, "read" | "get")
}

/// What an operation that took effect replied, when its completion carries `value`.
pub(super) fn reply(f: &str, value: Value) -> Value {
    match f {
        "cas" => Value::Bool(true),
        "write" | "put" | "append" | "add" | "acquire" | "release" => Value::Nil,
        _ => value,
    }
}

fn reason(event: &Form) -> String {
    match event.get("error").map(Form::value) {
        None | Some(Value::Nil) => String::new(),
        Some(Value::Text(why)) => why,
        Some(other) => other.to_string(),
    }
}
