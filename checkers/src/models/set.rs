//! `add(element)`, `remove(element)`, `contains(element) -> bool`, `read() -> [elements]`: a set, empty at first.
//!
//! An addition or a removal replies nil, or whether it changed the set.

use std::collections::BTreeSet;

use crate::{
    model::{Effect, Model},
    operation::Operation,
    value::Value,
};

/// A set. A read replies all elements, in any order.
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
        let element = &operation.args;
        let is_in = || state.contains(element);
        let says = |what: bool| !matches!(reply, Some(Value::Bool(said)) if *said != what);
        let fits = match operation.f.as_str() {
            "add" => says(!is_in()),
            "remove" | "contains" => says(is_in()),
            _ => reply
                .and_then(Value::as_list)
                .is_none_or(|list| list.iter().collect::<BTreeSet<_>>().into_iter().eq(state)),
        };
        let mut next = fits.then(|| state.clone())?;
        match operation.f.as_str() {
            "add" => _ = next.insert(element.clone()),
            "remove" => _ = next.remove(element),
            _ => {}
        }
        Some(next)
    }

    fn admits(&self, operation: &Operation, reply: Option<&Value>) -> Result<(), String> {
        match (operation.f.as_str(), reply) {
            ("add" | "remove", None | Some(Value::Nil | Value::Bool(_)))
            | ("contains", None | Some(Value::Bool(_)))
            | ("read", None | Some(Value::List(_))) => Ok(()),
            ("read", Some(reply)) => Err(format!("`{operation}` replied {reply}, which is no list of elements")),
            ("add" | "remove" | "contains", Some(reply)) => {
                Err(format!("`{operation}` replied {reply}, which does not say yes or no"))
            }
            _ => super::unknown_operation("set", operation, "add, remove, contains and read"),
        }
    }

    fn effect<'a>(&'a self, operation: &'a Operation, reply: Option<&'a Value>) -> Effect<'a> {
        match (operation.f.as_str(), reply) {
            ("add", None | Some(Value::Nil)) => Effect::Adds(&operation.args),
            ("add" | "remove", _) => Effect::Opaque,
            ("read", Some(elements)) => Effect::ReadsAll(elements),
            _ => Effect::Observes,
        }
    }

    fn part<'a>(&self, operation: &'a Operation) -> Option<&'a Value> {
        (operation.f != "read").then_some(&operation.args)
    }

    fn heap_bytes(&self, state: &Self::State) -> usize {
        state.len() * 2 * size_of::<Value>()
    }
}
