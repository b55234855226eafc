//! Writing Jepsen's histories: one operation map per line, in the order of events.
//!
//! A `cas` whose comparison failed becomes a `:fail`, as in Jepsen's own tests; read again it is an operation that did not
//! happen, which proves less. Phases and faults are written as operations of the nemesis, which readers pass over. Positions
//! come back without gaps. Bytes, times beyond 2^63 ns, arguments of reads and replies that the format gives no place to cannot be
//! said.

use std::fmt::Write as _;

use super::{Language, MICROS, reads, reply};
use crate::{
    formats::{cursor::DEPTH_MAX, edn},
    history::{Entry, History, MarkKind, Moment, Order, Outcome, Phase},
    value::Value,
};

/// Writes the history; `None` where the format cannot say it.
pub(in crate::formats) fn write(history: &History, language: Language) -> Option<String> {
    if history.order == Order::Processes {
        return None;
    }
    let mut events: Vec<(Moment, Event<'_>)> = Vec::new();
    for entry in &history.entries {
        events.push((entry.invoked, Event::Invoked(entry)));
        events.extend(entry.completed.map(|at| (at, Event::Completed(entry))));
    }
    events.extend(history.marks.iter().map(|mark| (mark.at, Event::Marked(&mark.kind))));
    events.sort_by_key(|(at, _)| at.position);
    let mut out = String::new();
    for (at, event) in events {
        let mut map = match event {
            Event::Invoked(entry) => operation(entry, "invoke", entry.operation.args.clone(), "")?,
            Event::Completed(entry) => completion(entry)?,
            Event::Marked(kind) => nemesis(kind),
        };
        let time = i64::try_from(at.time()).ok()?;
        map.push(("time", Said::Value(Value::Int(time))));
        match language {
            Language::Edn => in_edn(&mut out, &map)?,
            Language::Json => in_json(&mut out, &map)?,
        }
        out.push('\n');
    }
    Some(out)
}

enum Event<'h> {
    Invoked(&'h Entry),
    Completed(&'h Entry),
    Marked(&'h MarkKind),
}

/// What a member of an operation map says.
enum Said {
    /// A name: a keyword where there are keywords.
    Word(String),
    Value(Value),
    /// Transactions: lists that begin with a name.
    Micros(Vec<Value>),
}

type Map = Vec<(&'static str, Said)>;

fn operation(entry: &Entry, kind: &str, value: Value, error: &str) -> Option<Map> {
    let f = entry.operation.f.as_str();
    let is_asked_for = reads(f) && !entry.operation.args.is_nil();
    // It would be read as a transaction.
    let is_taken = f != "txn" && has_micros(&entry.operation.args);
    // They are members of a map.
    let too_deep = [&entry.operation.key, &value].into_iter().any(|value| edn::depth(value) >= DEPTH_MAX);
    if is_asked_for || is_taken || too_deep {
        return None;
    }
    let value = match value {
        Value::List(micros) if f == "txn" => Said::Micros(micros),
        value => Said::Value(value),
    };
    let mut map = vec![
        ("process", Said::Value(Value::Int(i64::from(entry.process.0)))),
        ("type", Said::Word(kind.to_owned())),
        ("f", Said::Word(f.to_owned())),
    ];
    if !entry.operation.key.is_nil() {
        map.push(("key", Said::Value(entry.operation.key.clone())));
    }
    map.push(("value", value));
    if !error.is_empty() {
        map.push(("error", Said::Value(error.into())));
    }
    Some(map)
}

fn has_micros(value: &Value) -> bool {
    let is_micro = |micro: &Value| match micro.as_list() {
        Some([Value::Text(f), _, _]) => MICROS.contains(&f.as_str()),
        _ => false,
    };
    value.as_list().is_some_and(|micros| !micros.is_empty() && micros.iter().all(is_micro))
}

fn completion(entry: &Entry) -> Option<Map> {
    let args = &entry.operation.args;
    match &entry.outcome {
        Outcome::Failed(why) => operation(entry, "fail", args.clone(), why),
        Outcome::Unknown(why) => operation(entry, "info", args.clone(), why),
        Outcome::Ok(Value::Bool(false)) if entry.operation.f == "cas" => operation(entry, "fail", args.clone(), ""),
        Outcome::Ok(replied) => {
            let f = entry.operation.f.as_str();
            // What replies nothing of its own repeats what it was asked for.
            let repeats = |value: &Value| f == "acquire" && value == args;
            let no_reply = reply(f, Value::Int(0)) != Value::Int(0) || (f == "acquire" && replied.is_nil());
            let said = if no_reply { args } else { replied };
            let read = if repeats(said) { Value::Nil } else { reply(f, said.clone()) };
            if read == *replied { operation(entry, "ok", said.clone(), "") } else { None }
        }
    }
}

/// What happened to the system, as something that the nemesis did.
fn nemesis(kind: &MarkKind) -> Map {
    let (f, value) = match kind {
        MarkKind::Phase(phase) => {
            let name = match phase {
                Phase::Chaos => "chaos",
                Phase::Settle => "settle",
                Phase::FinalReads => "final-reads",
            };
            ("phase", Value::from(name))
        }
        MarkKind::FaultBegins(id, what) => {
            ("start", Value::List(vec![Value::Int(i64::from(*id)), what.as_str().into()]))
        }
        MarkKind::FaultEnds(id) => ("stop", Value::Int(i64::from(*id))),
        MarkKind::FinalReads(process, replica) => {
            ("final-reads", Value::List(vec![Value::Int(i64::from(process.0)), Value::Int(i64::from(*replica))]))
        }
    };
    vec![
        ("process", Said::Word("nemesis".to_owned())),
        ("type", Said::Word("info".to_owned())),
        ("f", Said::Word(f.to_owned())),
        ("value", Said::Value(value)),
    ]
}

fn in_edn(out: &mut String, map: &Map) -> Option<()> {
    let mut separator = "{";
    for (name, said) in map {
        let _ = write!(out, "{separator}:{name} ");
        separator = ", ";
        match said {
            Said::Word(word) => edn::write_word(out, word),
            Said::Value(value) => edn::write(out, value)?,
            Said::Micros(micros) => {
                let mut separator = '[';
                for micro in micros {
                    out.push(separator);
                    separator = ' ';
                    match micro.as_list() {
                        Some([Value::Text(f), rest @ ..]) => {
                            out.push('[');
                            edn::write_word(out, f);
                            for value in rest {
                                out.push(' ');
                                edn::write(out, value)?;
                            }
                            out.push(']');
                        }
                        _ => edn::write(out, micro)?,
                    }
                }
                out.push_str(if micros.is_empty() { "[]" } else { "]" });
            }
        }
    }
    out.push('}');
    Some(())
}

fn in_json(out: &mut String, map: &Map) -> Option<()> {
    let members = map.iter().map(|(name, said)| {
        let said = match said {
            Said::Word(word) => word.as_str().into(),
            Said::Value(value) => json(value)?,
            Said::Micros(micros) => serde_json::Value::Array(micros.iter().map(json).collect::<Option<_>>()?),
        };
        Some(((*name).to_owned(), said))
    });
    let map: serde_json::Map<String, serde_json::Value> = members.collect::<Option<_>>()?;
    out.push_str(&serde_json::Value::Object(map).to_string());
    Some(())
}

/// The value as JSON has it; nothing for bytes, and for maps whose keys are no texts.
fn json(value: &Value) -> Option<serde_json::Value> {
    Some(match value {
        Value::Nil => serde_json::Value::Null,
        Value::Bool(b) => (*b).into(),
        Value::Int(i) => (*i).into(),
        Value::Text(text) => text.as_str().into(),
        Value::Bytes(_) => return None,
        Value::List(values) => serde_json::Value::Array(values.iter().map(json).collect::<Option<_>>()?),
        Value::Map(pairs) => {
            let members = pairs.iter().map(|(key, value)| Some((key.as_text()?.to_owned(), json(value)?)));
            serde_json::Value::Object(members.collect::<Option<_>>()?)
        }
    })
}
