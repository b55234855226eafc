//! Ids, handed out one after the other.

use serde::{Deserialize, Serialize};
use squall_checkers::{operation::Operation, value::Value};

use super::{Object, unknown};

/// The last id.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ids(i64);

impl Object for Ids {
    fn look(&self, _: &Operation) -> Option<Value> {
        None
    }

    fn update(&mut self, operation: &Operation) -> Result<Value, String> {
        if operation.f != "generate" {
            return Err(unknown("ids", "generate", operation));
        }
        self.0 += 1;
        Ok(Value::Int(self.0))
    }
}

#[cfg(test)]
mod tests {
    use squall_checkers::operation::Interface;

    use super::*;
    use crate::objects::tests::check;

    #[test]
    fn no_id_comes_twice() {
        let generate = || Operation::new("generate", Value::Nil, Value::Nil);
        check(&Interface::IDS, &[(generate(), "1"), (generate(), "2"), (generate(), "3")]);
    }
}
