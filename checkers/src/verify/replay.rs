//! The models once more, as plainly as can be: one map of keys and what one operation does to it.
//!
//! A register of `multi-register` holds nil or 0 before it is written, and always the same. As which it began is put down when
//! it is first seen.

use std::collections::{BTreeMap, BTreeSet};

use super::{Verification, elements::puts_in};
use crate::{operation::Operation, value::Value};

/// What is kept under each key that was changed.
pub(super) type State = BTreeMap<Value, Value>;

/// The operations of a model, by name; none of one that is not known here.
fn operations(model: &str) -> &'static [&'static str] {
    match model {
        "register" => &["read", "write"],
        "cas-register" => &["read", "write", "cas"],
        "multi-register" => &["read", "write", "cas", "txn"],
        "rw-register" | "list-append" => &["txn"],
        "kv" => &["get", "put", "append"],
        "mutex" => &["acquire", "release"],
        "set" => &["add", "remove", "contains", "read"],
        "counter" => &["add", "read"],
        "log" => &["append", "read"],
        "queue" => &["enqueue", "dequeue"],
        "stack" => &["push", "pop"],
        "priority-queue" => &["insert", "extract-min"],
        _ => &[],
    }
}

pub(super) fn is_known(model: &str) -> bool {
    !operations(model).is_empty()
}

/// Whether the model has operations of this name.
pub(super) fn knows(model: &str, operation: &Operation) -> bool {
    operations(model).contains(&operation.f.as_str())
}

/// What is to be said of a claim by a model that does not know this operation.
pub(super) fn unknown(model: &str, operation: &Operation) -> Verification {
    Verification::Unverified(format!("`{operation}` is no operation of a model `{model}` that is known here"))
}

/// Changes the state; `None` if the reply is impossible in it, or the operation is none of the model.
pub(super) fn apply(model: &str, state: &mut State, operation: &Operation, reply: Option<&Value>) -> Option<()> {
    let Operation { f, key, args } = operation;
    match (model, f.as_str()) {
        ("multi-register" | "rw-register" | "list-append", "txn") => {
            let replied = reply.and_then(Value::as_list);
            for (i, asked) in args.as_list()?.iter().enumerate() {
                let [Value::Text(f), key, argument] = asked.as_list()? else { return None };
                let seen = match replied {
                    Some(replied) => Some(replied.get(i)?.as_list()?.get(2)?),
                    None => None,
                };
                micro(model, state, f, key, argument, seen)?;
            }
            Some(())
        }
        ("register" | "cas-register" | "multi-register", "read" | "write") => {
            micro(model, state, f.as_str(), key, args, reply)
        }
        ("cas-register" | "multi-register", "cas") => {
            let [expected, new] = args.as_list()? else { return None };
            if model == "multi-register" && reply == Some(&Value::Bool(false)) {
                begin_without(state, key, expected);
            } else if model == "multi-register" {
                begin_with(state, key, expected);
            }
            let matches = state.get(key).unwrap_or(&Value::Nil) == expected;
            if reply.is_some_and(|reply| *reply != Value::Bool(matches)) {
                return None;
            }
            if matches {
                state.insert(key.clone(), new.clone());
            }
            Some(())
        }
        ("kv", "get") => {
            let held = state.get(key).and_then(Value::as_text).unwrap_or_default();
            reply.is_none_or(|reply| reply.as_text() == Some(held)).then_some(())
        }
        ("kv", "put") => {
            state.insert(key.clone(), args.clone());
            Some(())
        }
        ("kv", "append") => {
            let held = state.entry(key.clone()).or_insert_with(|| Value::from(""));
            let Value::Text(held) = held else { return None };
            held.push_str(args.as_text()?);
            Some(())
        }
        ("mutex", "acquire" | "release") => {
            let held = state.insert(key.clone(), Value::Bool(f == "acquire")) == Some(Value::Bool(true));
            (held == (f == "release")).then_some(())
        }
        ("set", "add" | "remove" | "contains") => {
            let held = state.entry(key.clone()).or_insert_with(|| Value::from(BTreeMap::new()));
            let Value::Map(elements) = held else { return None };
            let was_in = match f.as_str() {
                "add" => elements.insert(args.clone(), Value::Nil).is_some(),
                "remove" => elements.remove(args).is_some(),
                _ => elements.contains_key(args),
            };
            match reply {
                Some(Value::Bool(said)) => (*said == (was_in != (f == "add"))).then_some(()),
                _ => Some(()),
            }
        }
        ("set", "read") => {
            let Some(reply) = reply else { return Some(()) };
            let shown: BTreeSet<&Value> = reply.as_list()?.iter().collect();
            let same = match state.get(key) {
                Some(Value::Map(held)) => held.keys().eq(shown),
                _ => shown.is_empty(),
            };
            same.then_some(())
        }
        ("counter", "add") => {
            let count = state.get(key).and_then(Value::as_int).unwrap_or_default();
            state.insert(key.clone(), Value::Int(count.wrapping_add(args.as_int()?)));
            Some(())
        }
        ("counter", "read") => {
            let count = state.get(key).cloned().unwrap_or(Value::Int(0));
            reply.is_none_or(|reply| *reply == count).then_some(())
        }
        ("log", "append") => {
            let Value::List(log) = state.entry(key.clone()).or_insert_with(|| Value::List(Vec::new())) else {
                return None;
            };
            log.push(args.clone());
            Some(())
        }
        ("log", "read") => {
            let log = state.get(key).and_then(Value::as_list).unwrap_or_default();
            reply.is_none_or(|reply| reply.as_list() == Some(log)).then_some(())
        }
        ("queue" | "stack" | "priority-queue", _) => {
            let Value::Map(held) = state.entry(key.clone()).or_insert_with(|| Value::from(BTreeMap::new())) else {
                return None;
            };
            if puts_in(f) {
                put(model, held, args);
                return Some(());
            }
            let found = take(model, held);
            reply.is_none_or(|reply| *reply == found).then_some(())
        }
        _ => None,
    }
}

/// Puts an element into a container. A queue and a stack keep each under the number of its insertion, a priority queue how often
/// it is there under the element itself.
fn put(model: &str, held: &mut BTreeMap<Value, Value>, element: &Value) {
    if model == "priority-queue" {
        let often = held.get(element).and_then(Value::as_int).unwrap_or_default();
        held.insert(element.clone(), Value::Int(often + 1));
    } else {
        let last = held.last_key_value().and_then(|(number, _)| number.as_int()).unwrap_or_default();
        held.insert(Value::Int(last + 1), element.clone());
    }
}

/// Takes the next element out of a container; nil when it is empty.
fn take(model: &str, held: &mut BTreeMap<Value, Value>) -> Value {
    let next = if model == "stack" { held.pop_last() } else { held.pop_first() };
    match next {
        None => Value::Nil,
        Some((element, Value::Int(often))) if model == "priority-queue" => {
            if often > 1 {
                held.insert(element.clone(), Value::Int(often - 1));
            }
            element
        }
        Some((_, element)) => element,
    }
}

/// A register of which nothing is known yet began as nil or as 0: as this, if it is one of them, since that was seen.
fn begin_with(state: &mut State, key: &Value, seen: &Value) {
    if matches!(seen, Value::Nil | Value::Int(0)) && !state.contains_key(key) {
        state.insert(key.clone(), seen.clone());
    }
}

/// The same where it did not hold this.
fn begin_without(state: &mut State, key: &Value, absent: &Value) {
    let other = match absent {
        Value::Nil => Value::Int(0),
        Value::Int(0) => Value::Nil,
        _ => return,
    };
    begin_with(state, key, &other);
}

/// One read, write or append.
fn micro(model: &str, state: &mut State, f: &str, key: &Value, argument: &Value, seen: Option<&Value>) -> Option<()> {
    match f {
        "w" | "write" => _ = state.insert(key.clone(), argument.clone()),
        "append" => match state.entry(key.clone()).or_insert_with(|| Value::List(Vec::new())) {
            Value::List(list) => list.push(argument.clone()),
            _ => return None,
        },
        "r" | "read" => {
            let Some(seen) = seen else { return Some(()) };
            if model == "multi-register" {
                begin_with(state, key, seen);
            }
            let fits = match (state.get(key), seen) {
                (Some(held), seen) => held == seen,
                (None, Value::Nil) => true,
                (None, Value::List(list)) => model == "list-append" && list.is_empty(),
                (None, _) => false,
            };
            return fits.then_some(());
        }
        _ => return None,
    }
    Some(())
}
