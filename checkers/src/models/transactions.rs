//! What the models of transactions are but for their names: a `txn` runs its actions one after the other on a map of keys.

use std::collections::BTreeMap;

use crate::{
    model::Effect,
    operation::Operation,
    transactions::ingest::{Micro, micro_operation},
    value::Value,
};

/// What is kept under each key that was written.
pub(super) type State = BTreeMap<Value, Value>;

/// The items of a model whose transactions read and `write`.
macro_rules! model {
    ($name:literal, $write:literal) => {
        type State = $crate::models::transactions::State;
        type Successors = Option<Self::State>;

        fn name(&self) -> &'static str {
            $name
        }

        fn initial(&self) -> Self::State {
            Self::State::new()
        }

        fn step(
            &self,
            state: &Self::State,
            operation: &$crate::operation::Operation,
            reply: Option<&$crate::value::Value>,
        ) -> Option<Self::State> {
            $crate::models::transactions::step($write, state, operation, reply)
        }

        fn admits(
            &self,
            operation: &$crate::operation::Operation,
            reply: Option<&$crate::value::Value>,
        ) -> Result<(), String> {
            $crate::models::transactions::admits($name, $write, operation, reply)
        }

        fn is_keyed(&self, _: &$crate::operation::Operation) -> bool {
            false
        }

        fn effect<'a>(
            &'a self,
            operation: &'a $crate::operation::Operation,
            _: Option<&'a $crate::value::Value>,
        ) -> $crate::model::Effect<'a> {
            $crate::models::transactions::effect(operation)
        }

        fn heap_bytes(&self, state: &Self::State) -> usize {
            $crate::models::transactions::heap_bytes(state)
        }
    };
}
pub(super) use model;

/// The state after the transaction, if what it read is there.
pub(super) fn step(write: &str, state: &State, operation: &Operation, reply: Option<&Value>) -> Option<State> {
    let mut state = state.clone();
    let replied = reply.and_then(Value::as_list);
    let is_empty = |value: &Value| write == "append" && value.as_list().is_some_and(<[Value]>::is_empty);
    for (i, asked) in operation.args.as_list()?.iter().enumerate() {
        let (f, key, argument) = micro_operation(asked)?;
        match f {
            Micro::Write => _ = state.insert(key.clone(), argument.clone()),
            Micro::Append => match state.entry(key.clone()).or_insert_with(|| Value::List(Vec::new())) {
                Value::List(list) => list.push(argument.clone()),
                _ => return None,
            },
            Micro::Read => {
                let Some(replied) = replied else { continue };
                let seen = micro_operation(replied.get(i)?)?.2;
                if state.get(key).map_or(!seen.is_nil() && !is_empty(seen), |held| held != seen) {
                    return None;
                }
            }
        }
    }
    Some(state)
}

/// Whether this is a `txn` of reads and `write`, with a reply that fits.
pub(super) fn admits(model: &str, write: &str, operation: &Operation, reply: Option<&Value>) -> Result<(), String> {
    if operation.f != "txn" {
        return super::unknown_operation(model, operation, "txn");
    }
    let shape = |value: &Value| -> Option<Vec<(bool, Value)>> {
        let micro = |micro| {
            let (f, key, _) = micro_operation(micro)?;
            let writes = f != Micro::Read;
            (!writes || (f == Micro::Append) == (write == "append")).then(|| (writes, key.clone()))
        };
        value.as_list()?.iter().map(micro).collect()
    };
    let asked = shape(&operation.args)
        .ok_or_else(|| format!("`{operation}` is no txn: it takes a list of [r key nil] and [{write} key value]"))?;
    match reply {
        Some(reply) if shape(reply).as_ref() != Some(&asked) => {
            Err(format!("`{operation}` replied {reply}, which is not the same list with what was read"))
        }
        _ => Ok(()),
    }
}

/// A transaction that only reads changes nothing.
pub(super) fn effect(operation: &Operation) -> Effect<'_> {
    let reads = |micro: &Value| micro_operation(micro).is_some_and(|(f, _, _)| f == Micro::Read);
    let only_reads = operation.args.as_list().is_some_and(|micros| micros.iter().all(reads));
    if only_reads { Effect::Observes } else { Effect::Opaque }
}

pub(super) fn heap_bytes(state: &State) -> usize {
    let of = |value: &Value| value.as_list().map_or(0, size_of_val);
    state.values().map(|value| 2 * size_of::<Value>() + of(value)).sum()
}
