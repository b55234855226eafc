//! `txn([[r x nil] [append y 2] …]) -> the same with what was read`: lists that transactions read and append to.

use std::collections::BTreeMap;

use super::transactions::{self, State};
use crate::{
    model::{Effect, Model},
    operation::Operation,
    value::Value,
};

/// Lists that one `txn` reads and appends to together; empty at first. Linearizable with respect to this is strict
/// serializable, decided by search; the checkers of isolation levels are faster and know the weaker levels.
#[derive(Clone, Copy, Debug)]
pub struct ListAppend;

impl Model for ListAppend {
    type State = State;
    type Successors = Option<State>;

    fn name(&self) -> &'static str {
        "list-append"
    }

    fn initial(&self) -> State {
        BTreeMap::new()
    }

    fn step(&self, state: &State, operation: &Operation, reply: Option<&Value>) -> Option<State> {
        transactions::step(state, operation, reply)
    }

    fn admits(&self, operation: &Operation, reply: Option<&Value>) -> Result<(), String> {
        transactions::admits("list-append", "append", operation, reply)
    }

    fn is_keyed(&self, _: &Operation) -> bool {
        false
    }

    fn effect<'a>(&'a self, operation: &'a Operation, _: Option<&'a Value>) -> Effect<'a> {
        transactions::effect(operation)
    }

    fn heap_bytes(&self, state: &State) -> usize {
        transactions::heap_bytes(state)
    }
}
