//! `add(n) -> nil`, `read() -> n`: a counter, 0 at first.

use crate::{
    model::{Effect, Model},
    operation::Operation,
    value::Value,
};

/// A counter of 64 bits, which wraps around. What is added may be negative.
#[derive(Clone, Copy, Debug)]
pub struct Counter;

impl Model for Counter {
    type State = i64;
    type Successors = Option<i64>;

    fn name(&self) -> &'static str {
        "counter"
    }

    fn initial(&self) -> i64 {
        0
    }

    fn step(&self, count: &i64, operation: &Operation, reply: Option<&Value>) -> Option<i64> {
        match (operation.f.as_str(), operation.args.as_int()) {
            ("add", Some(n)) => Some(count.wrapping_add(n)),
            _ => reply.is_none_or(|reply| *reply == Value::Int(*count)).then_some(*count),
        }
    }

    fn admits(&self, operation: &Operation, reply: Option<&Value>) -> Result<(), String> {
        match (operation.f.as_str(), &operation.args, reply) {
            ("add", Value::Int(_), _) | ("read", _, None | Some(Value::Int(_))) => Ok(()),
            ("add", ..) => Err(format!("`{operation}` takes an integer")),
            ("read", _, Some(reply)) => Err(format!("`{operation}` replied {reply}, which is no integer")),
            _ => super::unknown_operation("counter", operation, "add and read"),
        }
    }

    fn effect<'a>(&'a self, operation: &'a Operation, reply: Option<&'a Value>) -> Effect<'a> {
        match (operation.f.as_str(), reply) {
            ("read", Some(count)) => Effect::Counts(count),
            ("read", None) => Effect::Observes,
            _ => Effect::Increments(&operation.args),
        }
    }
}
