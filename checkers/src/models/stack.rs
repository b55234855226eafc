//! `push(element) -> nil`, `pop() -> element | nil`: a stack, empty at first.

use super::container;
use crate::{
    model::{Discipline, Effect, Model},
    operation::Operation,
    value::Value,
};

/// Last in, first out. A pop that replies nil found it empty; nil is no element.
#[derive(Clone, Copy, Debug)]
pub struct Stack;

impl Model for Stack {
    type State = Vec<Value>;
    type Successors = Option<Vec<Value>>;

    fn name(&self) -> &'static str {
        "stack"
    }

    fn initial(&self) -> Self::State {
        Vec::new()
    }

    fn step(&self, state: &Self::State, operation: &Operation, reply: Option<&Value>) -> Self::Successors {
        let mut state = state.clone();
        if operation.f == "push" {
            state.push(operation.args.clone());
            return Some(state);
        }
        container::took(state.pop().as_ref(), reply).then_some(state)
    }

    fn admits(&self, operation: &Operation, _: Option<&Value>) -> Result<(), String> {
        container::admits("stack", operation, "push", "pop")
    }

    fn effect<'a>(&'a self, operation: &'a Operation, reply: Option<&'a Value>) -> Effect<'a> {
        container::effect(operation, reply, "push")
    }

    fn discipline(&self) -> Option<Discipline> {
        Some(Discipline::LastIn)
    }

    fn heap_bytes(&self, state: &Self::State) -> usize {
        state.capacity() * size_of::<Value>()
    }
}
