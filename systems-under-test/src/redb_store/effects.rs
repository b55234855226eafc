//! What an operation does to keyed values: its reply, and what it writes.

use std::collections::BTreeMap;

use squall::Result;
use squall_checkers::{
    operation::{Interface, Operation},
    value::Value,
};

/// Whose operations these are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speech {
    Registers,
    Bank,
    Transactions,
}

impl Speech {
    /// The interfaces that are spoken.
    pub(super) const INTERFACES: [Interface; 4] =
        [Interface::REGISTER, Interface::BANK, Interface::LIST_APPEND, Interface::RW_REGISTER];

    pub(super) fn of(interface: &Interface) -> Self {
        match interface.0.as_str() {
            "bank" => Speech::Bank,
            "list-append" | "rw-register" => Speech::Transactions,
            _ => Speech::Registers,
        }
    }
}

/// Values by key, to be read.
pub(super) trait Cells {
    fn get(&self, key: &Value) -> Result<Value>;
    fn all(&self) -> Result<BTreeMap<Value, Value>>;
}

/// What an operation comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Effects {
    pub(super) reply: Value,
    /// In order; of two of one key the later counts.
    pub(super) writes: Vec<(Value, Value)>,
}

/// What the operation comes to when the cells are as they are; within, why it is refused.
pub(super) fn effects(speech: Speech, operation: &Operation, cells: &impl Cells) -> Result<Result<Effects, String>> {
    let (key, args) = (&operation.key, &operation.args);
    let replies = |reply: Value, writes: Vec<(Value, Value)>| Ok(Ok(Effects { reply, writes }));
    match (speech, operation.f.as_str(), args) {
        (Speech::Bank, "read", _) => replies(cells.all()?.into(), Vec::new()),
        (_, "read", _) => replies(cells.get(key)?, Vec::new()),
        (Speech::Registers, "write", value) => replies(Value::Nil, vec![(key.clone(), value.clone())]),
        (Speech::Registers, "cas", Value::List(args)) if args.len() == 2 => {
            let fits = cells.get(key)? == args[0];
            replies(fits.into(), if fits { vec![(key.clone(), args[1].clone())] } else { Vec::new() })
        }
        (Speech::Bank, "transfer", Value::Map(args)) => {
            let of = |name: &str| args.get(&Value::from(name)).cloned().unwrap_or_default();
            let (from, to, amount) = (of("from"), of("to"), of("amount").as_int().unwrap_or_default());
            let balance = |account: &Value| Ok::<_, squall::Failed>(cells.get(account)?.as_int().unwrap_or_default());
            let writes = [(&from, -amount), (&to, amount)]
                .map(|(account, change)| Ok((account.clone(), Value::Int(balance(account)? + change))));
            replies(Value::Nil, writes.into_iter().collect::<Result<_>>()?)
        }
        (Speech::Transactions, "txn", Value::List(actions)) => transaction(actions, cells),
        _ => Ok(Err(format!("redb keeps registers, banks and transactions, and knows no `{operation}` there"))),
    }
}

fn transaction(actions: &[Value], cells: &impl Cells) -> Result<Result<Effects, String>> {
    let mut effects = Effects::default();
    let mut replied = Vec::new();
    for action in actions {
        let Some([Value::Text(f), key, argument]) = action.as_list() else {
            return Ok(Err(format!("{action} is none of [r key nil], [w key value] and [append key element]")));
        };
        let written = effects.writes.iter().rev().find(|(other, _)| other == key);
        let held = written.map_or_else(|| cells.get(key), |(_, value)| Ok(value.clone()))?;
        match f.as_str() {
            "r" => {
                replied.push(Value::List(vec!["r".into(), key.clone(), held]));
                continue;
            }
            "w" => effects.writes.push((key.clone(), argument.clone())),
            "append" => {
                let mut list = held.as_list().unwrap_or_default().to_vec();
                list.push(argument.clone());
                effects.writes.push((key.clone(), Value::List(list)));
            }
            _ => return Ok(Err(format!("{action} is none of r, w and append"))),
        }
        replied.push(action.clone());
    }
    effects.reply = Value::List(replied);
    Ok(Ok(effects))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::Objects;

    impl Cells for BTreeMap<Value, Value> {
        fn get(&self, key: &Value) -> Result<Value> {
            Ok(BTreeMap::get(self, key).cloned().unwrap_or_default())
        }

        fn all(&self) -> Result<BTreeMap<Value, Value>> {
            Ok(self.clone())
        }
    }

    /// The operations that a workload's clients ask for.
    fn asked(workload: &str) -> (Interface, Vec<Operation>) {
        let workload = squall_workloads::find(workload).expect("it is in the catalogue").workload;
        let stream = squall::plan::Stream::named(3, "client");
        let mut client = workload.client(&BTreeMap::default(), 0, 1, stream).expect("its defaults are of use");
        let process = squall_checkers::history::ProcessId(0);
        (workload.interface(), (0..300).filter_map(|_| client.next(process)).collect())
    }

    #[test]
    fn operations_mean_what_they_mean_to_the_other_stores() {
        for workload in ["register", "bank", "list-append", "rw-register", "long-fork"] {
            let (interface, operations) = asked(workload);
            let mut cells = BTreeMap::new();
            let mut objects = Objects::of(&interface);
            assert!(Speech::INTERFACES.contains(&interface), "{workload}");
            for operation in operations {
                let here = effects(Speech::of(&interface), &operation, &cells).expect("a map does not fail");
                let here = here.unwrap_or_else(|why| panic!("{operation}: {why}"));
                cells.extend(here.writes);
                assert_eq!(Ok(here.reply), objects.apply(&operation), "{workload}: {operation}");
            }
        }
    }

    #[test]
    fn what_is_no_operation_is_refused() {
        let refused =
            |speech, operation: &Operation| effects(speech, operation, &BTreeMap::new()).is_ok_and(|e| e.is_err());
        assert!(refused(Speech::Registers, &Operation::new("txn", 1, Value::Nil)));
        assert!(refused(Speech::Transactions, &Operation::write(1, 2)));
        assert!(refused(Speech::Transactions, &Operation::new("txn", 1, Value::List(vec![5.into()]))));
    }
}
