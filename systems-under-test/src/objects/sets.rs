//! Keyed sets that grow.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use squall_checkers::{operation::Operation, value::Value};

use super::{Object, unknown};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sets(BTreeMap<Value, BTreeSet<Value>>);

impl Object for Sets {
    fn look(&self, operation: &Operation) -> Option<Value> {
        let elements = || self.0.get(&operation.key).into_iter().flatten().cloned().collect();
        (operation.f == "read").then(|| Value::List(elements()))
    }

    fn update(&mut self, operation: &Operation) -> Result<Value, String> {
        if operation.f != "add" {
            return Err(unknown("sets", "add and read", operation));
        }
        self.0.entry(operation.key.clone()).or_default().insert(operation.args.clone());
        Ok(Value::Nil)
    }
}

#[cfg(test)]
mod tests {
    use squall_checkers::operation::Interface;

    use super::*;
    use crate::objects::tests::check;

    #[test]
    fn an_element_is_in_a_set_once() {
        check(
            &Interface::SET,
            &[
                (Operation::read(1), "[]"),
                (Operation::new("add", 1, 7), "nil"),
                (Operation::new("add", 1, 3), "nil"),
                (Operation::new("add", 1, 7), "nil"),
                (Operation::read(1), "[3 7]"),
                (Operation::read(2), "[]"),
            ],
        );
    }
}
