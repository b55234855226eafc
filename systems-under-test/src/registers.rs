//! Keyed registers and what read, write and cas do to them: the sequential object that every register store keeps copies of.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use squall_checkers::{operation::Operation, value::Value};

/// Keyed registers; `nil` until written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Registers(BTreeMap<Value, Value>);

impl Registers {
    /// The value of a register.
    pub(crate) fn read(&self, key: &Value) -> Value {
        self.0.get(key).cloned().unwrap_or_default()
    }

    /// Sets a register.
    pub(crate) fn write(&mut self, key: Value, value: Value) {
        self.0.insert(key, value);
    }

    /// Does one operation and returns its reply, or why there is no such operation.
    pub(crate) fn apply(&mut self, operation: &Operation) -> Result<Value, String> {
        match (operation.f.as_str(), &operation.args) {
            ("read", _) => Ok(self.read(&operation.key)),
            ("write", value) => {
                self.write(operation.key.clone(), value.clone());
                Ok(Value::Nil)
            }
            ("cas", Value::List(args)) if let [expected, new] = &args[..] => {
                let holds = self.read(&operation.key) == *expected;
                if holds {
                    self.write(operation.key.clone(), new.clone());
                }
                Ok(Value::Bool(holds))
            }
            _ => Err(format!("registers know read, write and cas, not `{operation}`")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cas_replaces_what_it_expects_and_nothing_else() {
        let mut registers = Registers::default();
        assert_eq!(registers.apply(&Operation::read(1)), Ok(Value::Nil));
        assert_eq!(registers.apply(&Operation::cas(1, 5, 6)), Ok(Value::Bool(false)));
        assert_eq!(registers.apply(&Operation::write(1, 5)), Ok(Value::Nil));
        assert_eq!(registers.apply(&Operation::cas(1, 5, 6)), Ok(Value::Bool(true)));
        assert_eq!(registers.apply(&Operation::read(1)), Ok(Value::Int(6)));
        assert_eq!(registers.apply(&Operation::read(2)), Ok(Value::Nil), "another key");
    }

    #[test]
    fn what_is_no_register_operation_is_refused() {
        let mut registers = Registers::default();
        assert!(registers.apply(&Operation::new("append", 1, 2)).is_err());
        assert!(registers.apply(&Operation::new("cas", 1, 2)).is_err());
        assert_eq!(registers, Registers::default());
    }
}
