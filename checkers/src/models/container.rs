//! What queues, stacks and priority queues have in common: elements are put in and taken out.

use crate::{model::Effect, operation::Operation, value::Value};

/// Whether a removal that found `found` may have replied `reply`.
pub(super) fn took(found: Option<&Value>, reply: Option<&Value>) -> bool {
    reply.is_none_or(|reply| found.unwrap_or(&Value::Nil) == reply)
}

/// Whether `operation` is one of the two that `model` knows.
pub(super) fn admits(model: &str, operation: &Operation, put: &str, take: &str) -> Result<(), String> {
    match (operation.f.as_str(), &operation.args) {
        (f, Value::Nil) if f == put => Err(format!("`{operation}` needs an element; nil is none")),
        (f, _) if f == put || f == take => Ok(()),
        _ => super::unknown_operation(model, operation, &format!("{put} and {take}")),
    }
}

/// What an operation does that `admits` admits.
pub(super) fn effect<'a>(operation: &'a Operation, reply: Option<&'a Value>, put: &str) -> Effect<'a> {
    match reply {
        _ if operation.f == *put => Effect::Puts(&operation.args),
        None => Effect::TakesAny,
        Some(Value::Nil) => Effect::FindsEmpty,
        Some(element) => Effect::Takes(element),
    }
}
