//! Keyed sets.

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
        let (f, element) = (operation.f.as_str(), &operation.args);
        if !matches!(f, "add" | "remove") {
            return Err(unknown("sets", "add, remove and read", operation));
        }
        let set = self.0.entry(operation.key.clone()).or_default();
        if f == "remove" {
            return Ok(set.remove(element).into());
        }
        set.insert(element.clone());
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
                (Operation::new("remove", 1, 7), "true"),
                (Operation::new("remove", 1, 7), "false"),
                (Operation::read(1), "[3]"),
                (Operation::read(2), "[]"),
            ],
        );
    }
}
