//! A bank: accounts with 0 at first, which may be overdrawn.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use squall_checkers::{operation::Operation, value::Value};

use super::{Object, unknown};

/// The balances of the accounts that were touched.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Bank(BTreeMap<Value, i64>);

impl Object for Bank {
    fn look(&self, operation: &Operation) -> Option<Value> {
        let balances = self.0.iter().map(|(account, balance)| (account.clone(), Value::Int(*balance)));
        (operation.f == "read").then(|| balances.collect::<BTreeMap<_, _>>().into())
    }

    fn update(&mut self, operation: &Operation) -> Result<Value, String> {
        let (from, to, amount) = transfer(operation)
            .ok_or_else(|| unknown("banks", "read and transfer of {amount n, from account, to account}", operation))?;
        *self.0.entry(from.clone()).or_default() -= amount;
        *self.0.entry(to.clone()).or_default() += amount;
        Ok(Value::Nil)
    }
}

/// From where to where, and how much.
fn transfer(operation: &Operation) -> Option<(&Value, &Value, i64)> {
    let Value::Map(args) = operation.f.eq("transfer").then_some(&operation.args)? else { return None };
    let of = |name: &str| args.get(&Value::from(name));
    Some((of("from")?, of("to")?, of("amount")?.as_int()?))
}

#[cfg(test)]
mod tests {
    use squall_checkers::operation::Interface;

    use super::*;
    use crate::objects::tests::check;

    #[test]
    fn money_moves_and_its_sum_stays() {
        let transfer = |from: i64, to: i64, amount: i64| {
            let of = [("amount", amount), ("from", from), ("to", to)].map(|(k, v)| (Value::from(k), Value::Int(v)));
            Operation::new("transfer", Value::Nil, BTreeMap::from(of))
        };
        let read = || Operation::read(Value::Nil);
        check(
            &Interface::BANK,
            &[
                (read(), "{}"),
                (transfer(0, 4, 3), "nil"),
                (transfer(4, 1, 5), "nil"),
                (Operation::new("transfer", Value::Nil, 5), "!"),
                (read(), "{0 -3, 1 5, 4 -2}"),
            ],
        );
    }
}
