//! `enqueue(element) -> nil`, `dequeue() -> element | nil`: a queue, empty at first.

use std::collections::VecDeque;

use super::container;
use crate::{
    model::{Discipline, Effect, Model},
    operation::Operation,
    value::Value,
};

/// First in, first out. A dequeue that replies nil found it empty; nil is no element.
#[derive(Clone, Copy, Debug)]
pub struct Queue;

impl Model for Queue {
    type State = VecDeque<Value>;
    type Successors = Option<VecDeque<Value>>;

    fn name(&self) -> &'static str {
        "queue"
    }

    fn initial(&self) -> Self::State {
        VecDeque::new()
    }

    fn step(&self, state: &Self::State, operation: &Operation, reply: Option<&Value>) -> Self::Successors {
        let mut state = state.clone();
        if operation.f == "enqueue" {
            state.push_back(operation.args.clone());
            return Some(state);
        }
        container::took(state.pop_front().as_ref(), reply).then_some(state)
    }

    fn admits(&self, operation: &Operation, _: Option<&Value>) -> Result<(), String> {
        container::admits("queue", operation, "enqueue", "dequeue")
    }

    fn effect<'a>(&'a self, operation: &'a Operation, reply: Option<&'a Value>) -> Effect<'a> {
        container::effect(operation, reply, "enqueue")
    }

    fn discipline(&self) -> Option<Discipline> {
        Some(Discipline::FirstIn)
    }

    fn heap_bytes(&self, state: &Self::State) -> usize {
        state.capacity() * size_of::<Value>()
    }
}
