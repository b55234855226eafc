//! Keyed counters, 0 at first.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use squall_checkers::{operation::Operation, value::Value};

use super::{Object, unknown};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counters(BTreeMap<Value, i64>);

impl Object for Counters {
    fn look(&self, operation: &Operation) -> Option<Value> {
        (operation.f == "read").then(|| Value::Int(self.0.get(&operation.key).copied().unwrap_or_default()))
    }

    fn update(&mut self, operation: &Operation) -> Result<Value, String> {
        let ("add", Some(n)) = (operation.f.as_str(), operation.args.as_int()) else {
            return Err(unknown("counters", "add of an integer and read", operation));
        };
        let count = self.0.entry(operation.key.clone()).or_default();
        *count = count.wrapping_add(n);
        Ok(Value::Nil)
    }
}

#[cfg(test)]
mod tests {
    use squall_checkers::operation::Interface;

    use super::*;
    use crate::objects::tests::check;

    #[test]
    fn a_counter_counts_up_and_down() {
        check(
            &Interface::COUNTER,
            &[
                (Operation::read(1), "0"),
                (Operation::new("add", 1, 7), "nil"),
                (Operation::new("add", 1, -9), "nil"),
                (Operation::new("add", 2, 1), "nil"),
                (Operation::new("add", 1, Value::Nil), "!"),
                (Operation::read(1), "-2"),
            ],
        );
    }
}
