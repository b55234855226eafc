//! Keyed registers and what read, write and cas do to them; `nil` until written.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use squall_checkers::{operation::Operation, value::Value};

use super::{Object, unknown};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Registers(BTreeMap<Value, Value>);

impl Object for Registers {
    fn look(&self, operation: &Operation) -> Option<Value> {
        (operation.f == "read").then(|| self.read(&operation.key))
    }

    fn update(&mut self, operation: &Operation) -> Result<Value, String> {
        let Operation { f, key, args } = operation;
        match (f.as_str(), args) {
            ("write", value) => {
                self.0.insert(key.clone(), value.clone());
                Ok(Value::Nil)
            }
            ("cas", Value::List(args)) if let [expected, new] = &args[..] => {
                let holds = self.read(key) == *expected;
                if holds {
                    self.0.insert(key.clone(), new.clone());
                }
                Ok(Value::Bool(holds))
            }
            _ => Err(unknown("registers", "read, write and cas", operation)),
        }
    }
}

impl Registers {
    fn read(&self, key: &Value) -> Value {
        self.0.get(key).cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use squall_checkers::operation::Interface;

    use super::*;
    use crate::objects::tests::check;

    #[test]
    fn cas_replaces_what_it_expects_and_nothing_else() {
        check(
            &Interface::REGISTER,
            &[
                (Operation::read(1), "nil"),
                (Operation::cas(1, 5, 6), "false"),
                (Operation::write(1, 5), "nil"),
                (Operation::cas(1, 5, 6), "true"),
                (Operation::read(1), "6"),
                (Operation::read(2), "nil"),
                (Operation::new("cas", 1, 2), "!"),
            ],
        );
    }
}
