//! `get(k) -> text`, `put(k, text)`, `append(k, text)`: one string per key, empty at first.

use crate::{
    model::{Effect, Model},
    operation::Operation,
    value::Value,
};

/// A string per key that is read, replaced and extended.
#[derive(Clone, Copy, Debug)]
pub struct Kv;

impl Model for Kv {
    type State = String;
    type Successors = Option<String>;

    fn name(&self) -> &'static str {
        "kv"
    }

    fn initial(&self) -> String {
        String::new()
    }

    fn step(&self, state: &String, operation: &Operation, reply: Option<&Value>) -> Option<String> {
        let text = operation.args.as_text().unwrap_or_default();
        match operation.f.as_str() {
            "put" => Some(text.to_owned()),
            "append" => Some(format!("{state}{text}")),
            _ => reply.is_none_or(|r| r.as_text() == Some(state)).then(|| state.clone()),
        }
    }

    fn admits(&self, operation: &Operation, reply: Option<&Value>) -> Result<(), String> {
        match (operation.f.as_str(), &operation.args, reply) {
            ("get", _, None | Some(Value::Text(_))) | ("put" | "append", Value::Text(_), _) => Ok(()),
            ("get", _, Some(reply)) => Err(format!("`{operation}` replied {reply}, which is no text")),
            ("put" | "append", ..) => Err(format!("`{operation}` takes a text")),
            _ => super::unknown_operation("kv", operation, "get, put and append"),
        }
    }

    fn effect<'a>(&'a self, operation: &'a Operation, reply: Option<&'a Value>) -> Effect<'a> {
        match (operation.f.as_str(), reply) {
            ("get", Some(value)) => Effect::Reads(value),
            ("get", None) => Effect::Observes,
            ("put", _) => Effect::Writes(&operation.args),
            _ => Effect::Appends(&operation.args),
        }
    }

    fn initial_value(&self) -> Value {
        Value::from("")
    }

    fn heap_bytes(&self, state: &String) -> usize {
        state.len()
    }
}
