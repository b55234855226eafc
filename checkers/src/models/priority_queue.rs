//! `insert(element) -> nil`, `extract-min() -> element | nil`: a priority queue, empty at first.

use std::collections::BTreeMap;

use super::container;
use crate::{
    model::{Discipline, Effect, Model},
    operation::Operation,
    value::Value,
};

/// The smallest element comes out first; `[priority element]` is a list, so its priority counts first. An extract-min that
/// replies nil found it empty; nil is no element.
#[derive(Clone, Copy, Debug)]
pub struct PriorityQueue;

impl Model for PriorityQueue {
    /// How often each element is in it.
    type State = BTreeMap<Value, u32>;
    type Successors = Option<BTreeMap<Value, u32>>;

    fn name(&self) -> &'static str {
        "priority-queue"
    }

    fn initial(&self) -> Self::State {
        BTreeMap::new()
    }

    fn step(&self, state: &Self::State, operation: &Operation, reply: Option<&Value>) -> Self::Successors {
        let mut state = state.clone();
        if operation.f == "insert" {
            *state.entry(operation.args.clone()).or_insert(0) += 1;
            return Some(state);
        }
        let smallest = state.first_entry().map(|mut first| {
            *first.get_mut() -= 1;
            if *first.get() == 0 { first.remove_entry().0 } else { first.key().clone() }
        });
        container::took(smallest.as_ref(), reply).then_some(state)
    }

    fn admits(&self, operation: &Operation, _: Option<&Value>) -> Result<(), String> {
        container::admits("priority-queue", operation, "insert", "extract-min")
    }

    fn effect<'a>(&'a self, operation: &'a Operation, reply: Option<&'a Value>) -> Effect<'a> {
        container::effect(operation, reply, "insert")
    }

    fn discipline(&self) -> Option<Discipline> {
        Some(Discipline::Smallest)
    }

    fn heap_bytes(&self, state: &Self::State) -> usize {
        state.len() * 2 * size_of::<Value>()
    }
}
