//! `txn([[r x nil] [w y 2] …]) -> the same with what was read`: registers that transactions read and write.

use std::collections::BTreeMap;

use super::transactions::{self, State};
use crate::{
    model::{Effect, Model},
    operation::Operation,
    value::Value,
};

/// Registers that one `txn` reads and writes together; `nil` at first. Linearizable with respect to this is strict
/// serializable, decided by search; the checkers of isolation levels are faster and know the weaker levels.
#[derive(Clone, Copy, Debug)]
pub struct RwRegister;

impl Model for RwRegister {
    type State = State;
    type Successors = Option<State>;

    fn name(&self) -> &'static str {
        "rw-register"
    }

    fn initial(&self) -> State {
        BTreeMap::new()
    }

    fn step(&self, state: &State, operation: &Operation, reply: Option<&Value>) -> Option<State> {
        transactions::step(state, operation, reply)
    }

    fn admits(&self, operation: &Operation, reply: Option<&Value>) -> Result<(), String> {
        transactions::admits("rw-register", "w", operation, reply)
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
