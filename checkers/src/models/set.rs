//! `add(element) -> nil`, `read() -> [elements]`: a set, empty at first.

use std::collections::BTreeSet;

use crate::{
    model::{Effect, Model},
    operation::Operation,
    value::Value,
};

/// A set that grows. A read replies all elements, in any order.
#[derive(Clone, Copy, Debug)]
pub struct Set;

impl Model for Set {
    type State = BTreeSet<Value>;
    type Successors = Option<BTreeSet<Value>>;

    fn name(&self) -> &'static str {
        "set"
    }

    fn initial(&self) -> Self::State {
        BTreeSet::new()
    }

    fn step(&self, state: &Self::State, operation: &Operation, reply: Option<&Value>) -> Self::Successors {
        let mut state = state.clone();
        if operation.f == "add" {
            state.insert(operation.args.clone());
            return Some(state);
        }
        let matches = match reply.map(Value::as_list) {
            None => true,
            Some(elements) => elements.is_some_and(|list| list.iter().collect::<BTreeSet<_>>().into_iter().eq(&state)),
        };
        matches.then_some(state)
    }

    fn admits(&self, operation: &Operation, reply: Option<&Value>) -> Result<(), String> {
        match (operation.f.as_str(), reply) {
            ("add", _) | ("read", None | Some(Value::List(_))) => Ok(()),
            ("read", Some(reply)) => Err(format!("`{operation}` replied {reply}, which is no list of elements")),
            _ => super::unknown_operation("set", operation, "add and read"),
        }
    }

    fn effect<'a>(&'a self, operation: &'a Operation, reply: Option<&'a Value>) -> Effect<'a> {
        match (operation.f.as_str(), reply) {
            ("add", _) => Effect::Adds(&operation.args),
            (_, Some(elements)) => Effect::ReadsAll(elements),
            _ => Effect::Observes,
        }
    }

    fn heap_bytes(&self, state: &Self::State) -> usize {
        state.len() * 2 * size_of::<Value>()
    }
}
