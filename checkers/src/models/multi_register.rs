//! `txn([[read x nil] [write y 2] …]) -> the same with what was read`, and single reads, writes and cas on keys.

use std::collections::BTreeMap;

use crate::{model::Effect, model::Model, operation::Operation, value::Value};

/// Registers that one `txn` reads and writes together.
///
/// A register that nobody wrote reads as `nil` or as 0: Jepsen's histories of this kind start their registers at 0 and
/// do not say so.
#[derive(Clone, Copy, Debug)]
pub struct MultiRegister;

impl Model for MultiRegister {
    type State = BTreeMap<Value, Value>;
    type Successors = Option<BTreeMap<Value, Value>>;

    fn name(&self) -> &'static str {
        "multi-register"
    }

    fn initial(&self) -> Self::State {
        BTreeMap::new()
    }

    fn step(&self, state: &Self::State, operation: &Operation, reply: Option<&Value>) -> Self::Successors {
        let mut state = state.clone();
        if operation.f != "txn" {
            apply(&mut state, operation.f.as_str(), &operation.key, &operation.args, reply).then_some(())?;
            return Some(state);
        }
        let asked = operation.args.as_list()?;
        let replied = reply.and_then(Value::as_list);
        for (i, micro) in asked.iter().enumerate() {
            let (f, key, argument) = micro_operation(micro)?;
            let seen = match replied {
                Some(replies) => Some(micro_operation(replies.get(i)?)?.2),
                None => None,
            };
            apply(&mut state, f, key, argument, seen).then_some(())?;
        }
        Some(state)
    }

    fn admits(&self, operation: &Operation, reply: Option<&Value>) -> Result<(), String> {
        if operation.f != "txn" {
            return super::register::admits_register("multi-register", operation, reply);
        }
        let shape = |v: &Value| -> Option<Vec<(String, Value)>> {
            v.as_list()?
                .iter()
                .map(|micro| {
                    let (f, key, _) = micro_operation(micro)?;
                    Some((f.to_owned(), key.clone()))
                })
                .collect()
        };
        let asked = shape(&operation.args).ok_or_else(|| {
            format!("`{operation}` is no txn: it takes a list of [read key nil] and [write key value]")
        })?;
        match reply {
            Some(reply) if shape(reply).as_ref() != Some(&asked) => {
                Err(format!("`{operation}` replied {reply}, which is not the same list with what was read"))
            }
            _ => Ok(()),
        }
    }

    fn is_keyed(&self, operation: &Operation) -> bool {
        operation.f != "txn"
    }

    fn effect<'a>(&'a self, operation: &'a Operation, _: Option<&'a Value>) -> Effect<'a> {
        let only_reads = match &operation.args {
            Value::List(micros) if operation.f == "txn" => {
                micros.iter().all(|m| micro_operation(m).is_some_and(|(f, _, _)| f == "read"))
            }
            _ => operation.f == "read",
        };
        if only_reads { Effect::Observes } else { Effect::Opaque }
    }

    fn heap_bytes(&self, state: &Self::State) -> usize {
        state.len() * 2 * size_of::<Value>()
    }
}

/// One operation on one register; false when the reply is impossible.
fn apply(state: &mut BTreeMap<Value, Value>, f: &str, key: &Value, argument: &Value, reply: Option<&Value>) -> bool {
    let holds = |value: &Value| match state.get(key) {
        Some(held) => held == value,
        None => matches!(value, Value::Nil | Value::Int(0)),
    };
    let written = match (f, argument, reply) {
        ("read", _, None) => return true,
        ("read", _, Some(value)) => return holds(value),
        ("cas", Value::List(args), Some(Value::Bool(false))) => return state.get(key).is_none_or(|v| *v != args[0]),
        ("cas", Value::List(args), _) if !holds(&args[0]) => return reply.is_none(),
        ("cas", Value::List(args), _) => &args[1],
        _ => argument,
    };
    state.insert(key.clone(), written.clone());
    true
}

/// The parts of `[f key value]`.
fn micro_operation(micro: &Value) -> Option<(&str, &Value, &Value)> {
    match micro.as_list()? {
        [Value::Text(f), key, value] if f == "read" || f == "write" => Some((f, key, value)),
        _ => None,
    }
}
