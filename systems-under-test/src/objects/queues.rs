//! Keyed queues, first in, first out; a dequeue of an empty one replies `nil`.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};
use squall_checkers::{operation::Operation, value::Value};

use super::{Object, unknown};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Queues(BTreeMap<Value, VecDeque<Value>>);

impl Object for Queues {
    fn look(&self, _: &Operation) -> Option<Value> {
        None
    }

    fn update(&mut self, operation: &Operation) -> Result<Value, String> {
        match (operation.f.as_str(), &operation.args) {
            ("enqueue", element) if !element.is_nil() => {
                self.0.entry(operation.key.clone()).or_default().push_back(element.clone());
                Ok(Value::Nil)
            }
            ("dequeue", _) => Ok(self.0.get_mut(&operation.key).and_then(VecDeque::pop_front).unwrap_or_default()),
            _ => Err(unknown("queues", "enqueue of an element and dequeue", operation)),
        }
    }
}

#[cfg(test)]
mod tests {
    use squall_checkers::operation::Interface;

    use super::*;
    use crate::objects::tests::check;

    #[test]
    fn what_came_first_goes_first() {
        let dequeue = |key: i64| Operation::new("dequeue", key, Value::Nil);
        check(
            &Interface::QUEUE,
            &[
                (dequeue(1), "nil"),
                (Operation::new("enqueue", 1, 7), "nil"),
                (Operation::new("enqueue", 1, 3), "nil"),
                (Operation::new("enqueue", 1, Value::Nil), "!"),
                (dequeue(2), "nil"),
                (dequeue(1), "7"),
                (dequeue(1), "3"),
                (dequeue(1), "nil"),
            ],
        );
    }
}
