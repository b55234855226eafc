//! `acquire() -> nil`, `release() -> nil`: a lock, free at first.

use crate::{model::Model, operation::Operation, value::Value};

/// A lock. An acquire succeeds when it is free, a release when it is held; whose it is does not matter.
#[derive(Clone, Copy, Debug)]
pub struct Mutex;

impl Model for Mutex {
    /// Whether it is held.
    type State = bool;
    type Successors = Option<bool>;

    fn name(&self) -> &'static str {
        "mutex"
    }

    fn initial(&self) -> bool {
        false
    }

    fn step(&self, held: &bool, operation: &Operation, _: Option<&Value>) -> Option<bool> {
        let acquires = operation.f == "acquire";
        (*held != acquires).then_some(acquires)
    }

    fn admits(&self, operation: &Operation, _: Option<&Value>) -> Result<(), String> {
        match operation.f.as_str() {
            "acquire" | "release" => Ok(()),
            _ => super::unknown_operation("mutex", operation, "acquire and release"),
        }
    }
}
