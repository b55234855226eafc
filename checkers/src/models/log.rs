//! `append(element) -> nil`, `read() -> [elements]`: an append-only log, empty at first.

use crate::{
    model::{Effect, Model},
    operation::Operation,
    value::Value,
};

/// A log that grows at its end. A read replies all of it, in order.
#[derive(Clone, Copy, Debug)]
pub struct Log;

impl Model for Log {
    type State = Vec<Value>;
    type Successors = Option<Vec<Value>>;

    fn name(&self) -> &'static str {
        "log"
    }

    fn initial(&self) -> Self::State {
        Vec::new()
    }

    fn step(&self, state: &Self::State, operation: &Operation, reply: Option<&Value>) -> Self::Successors {
        if operation.f == "append" {
            let mut state = state.clone();
            state.push(operation.args.clone());
            return Some(state);
        }
        reply.is_none_or(|reply| reply.as_list() == Some(state)).then(|| state.clone())
    }

    fn admits(&self, operation: &Operation, reply: Option<&Value>) -> Result<(), String> {
        match (operation.f.as_str(), reply) {
            ("append", _) | ("read", None | Some(Value::List(_))) => Ok(()),
            ("read", Some(reply)) => Err(format!("`{operation}` replied {reply}, which is no list of elements")),
            _ => super::unknown_operation("log", operation, "append and read"),
        }
    }

    fn effect<'a>(&'a self, operation: &'a Operation, reply: Option<&'a Value>) -> Effect<'a> {
        match (operation.f.as_str(), reply) {
            ("append", _) => Effect::Extends(&operation.args),
            (_, Some(elements)) => Effect::ReadsInOrder(elements),
            _ => Effect::Observes,
        }
    }

    fn heap_bytes(&self, state: &Self::State) -> usize {
        state.capacity() * size_of::<Value>()
    }
}
