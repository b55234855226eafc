//! `read(k) -> v | nil`, `write(k, v) -> nil`, and with cas `cas(k, expected, new) -> bool`: one register per key.

use crate::{
    model::{Effect, Model},
    operation::Operation,
    value::Value,
};

/// A register that is read and written; `nil` at first.
#[derive(Clone, Copy, Debug)]
pub struct Register;

/// A [`Register`] with compare-and-set. A cas that replies `false` proves that the register held something else.
#[derive(Clone, Copy, Debug)]
pub struct CasRegister;

impl Model for Register {
    type State = Value;
    type Successors = Option<Value>;

    fn name(&self) -> &'static str {
        "register"
    }

    fn initial(&self) -> Value {
        Value::Nil
    }

    fn step(&self, state: &Value, operation: &Operation, reply: Option<&Value>) -> Option<Value> {
        step(state, operation, reply)
    }

    fn admits(&self, operation: &Operation, _: Option<&Value>) -> Result<(), String> {
        match operation.f.as_str() {
            "read" | "write" => Ok(()),
            _ => super::unknown_operation("register", operation, "read and write"),
        }
    }

    fn effect<'a>(&'a self, operation: &'a Operation, reply: Option<&'a Value>) -> Effect<'a> {
        effect(operation, reply)
    }
}

impl Model for CasRegister {
    type State = Value;
    type Successors = Option<Value>;

    fn name(&self) -> &'static str {
        "cas-register"
    }

    fn initial(&self) -> Value {
        Value::Nil
    }

    fn step(&self, state: &Value, operation: &Operation, reply: Option<&Value>) -> Option<Value> {
        step(state, operation, reply)
    }

    fn admits(&self, operation: &Operation, reply: Option<&Value>) -> Result<(), String> {
        admits_register("cas-register", operation, reply)
    }

    fn effect<'a>(&'a self, operation: &'a Operation, reply: Option<&'a Value>) -> Effect<'a> {
        effect(operation, reply)
    }
}

/// Whether `operation` is a well-formed read, write or cas.
pub(super) fn admits_register(model: &str, operation: &Operation, reply: Option<&Value>) -> Result<(), String> {
    match (operation.f.as_str(), &operation.args, reply) {
        ("read" | "write", _, _) => Ok(()),
        ("cas", Value::List(args), None | Some(Value::Bool(_))) if args.len() == 2 => Ok(()),
        ("cas", _, _) => Err(format!("`{operation}` is no cas: it takes [expected new] and replies true or false")),
        _ => super::unknown_operation(model, operation, "read, write and cas"),
    }
}

/// One step of a register; the operation is one that `admits_register` admits.
pub(super) fn step(state: &Value, operation: &Operation, reply: Option<&Value>) -> Option<Value> {
    match effect(operation, reply) {
        Effect::Reads(value) => (state == value).then(|| state.clone()),
        Effect::Differs(value) => (state != value).then(|| state.clone()),
        Effect::Writes(value) => Some(value.clone()),
        Effect::Swaps(from, to) => (state == from).then(|| to.clone()),
        _ => Some(state.clone()),
    }
}

fn effect<'a>(operation: &'a Operation, reply: Option<&'a Value>) -> Effect<'a> {
    match (operation.f.as_str(), &operation.args, reply) {
        ("read", _, Some(value)) => Effect::Reads(value),
        ("write", value, _) => Effect::Writes(value),
        ("cas", Value::List(args), Some(Value::Bool(false))) => Effect::Differs(&args[0]),
        // Of unknown outcome: where the comparison fails it does nothing, which is the same as leaving it out.
        ("cas", Value::List(args), _) => Effect::Swaps(&args[0], &args[1]),
        _ => Effect::Observes,
    }
}
