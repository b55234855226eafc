//! Keyed logs that are appended to and read whole.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use squall_checkers::{operation::Operation, value::Value};

use super::{Object, unknown};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Logs(BTreeMap<Value, Vec<Value>>);

impl Object for Logs {
    fn look(&self, operation: &Operation) -> Option<Value> {
        (operation.f == "read").then(|| Value::List(self.0.get(&operation.key).cloned().unwrap_or_default()))
    }

    fn update(&mut self, operation: &Operation) -> Result<Value, String> {
        if operation.f != "append" {
            return Err(unknown("logs", "append and read", operation));
        }
        self.0.entry(operation.key.clone()).or_default().push(operation.args.clone());
        Ok(Value::Nil)
    }
}

#[cfg(test)]
mod tests {
    use squall_checkers::operation::Interface;

    use super::*;
    use crate::objects::tests::check;

    #[test]
    fn a_log_keeps_the_order() {
        check(
            &Interface::LOG,
            &[
                (Operation::read(1), "[]"),
                (Operation::new("append", 1, 7), "nil"),
                (Operation::new("append", 1, 3), "nil"),
                (Operation::new("append", 1, 7), "nil"),
                (Operation::read(1), "[7 3 7]"),
                (Operation::read(2), "[]"),
            ],
        );
    }
}
