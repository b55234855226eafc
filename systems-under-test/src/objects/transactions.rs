//! Keys that transactions read, write and append to: `txn([[r x nil] [w y 2] [append z 3]]) -> the same with what was read`.
//!
//! A single `read` of a key is a transaction too. A key that nobody wrote reads as `nil`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use squall_checkers::{operation::Operation, value::Value};

use super::{Object, unknown};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Transactions(BTreeMap<Value, Value>);

/// One action of a transaction.
#[derive(Clone, Copy)]
enum Action<'o> {
    Read(&'o Value),
    Write(&'o Value, &'o Value),
    Append(&'o Value, &'o Value),
}

impl Object for Transactions {
    fn look(&self, operation: &Operation) -> Option<Value> {
        if operation.f == "read" {
            return Some(self.read(&operation.key));
        }
        let reads = actions(operation)?.into_iter().map(|action| match action {
            Action::Read(key) => Some(read(key, self.read(key))),
            Action::Write(..) | Action::Append(..) => None,
        });
        reads.collect::<Option<Vec<_>>>().map(Value::List)
    }

    fn update(&mut self, operation: &Operation) -> Result<Value, String> {
        let actions = actions(operation).filter(|actions| self.appends_fit(actions)).ok_or_else(|| {
            unknown("keys", "read, and txn of [r key nil], [w key value] and [append key element]", operation)
        })?;
        let mut replied = Vec::new();
        for (action, asked) in actions.into_iter().zip(operation.args.as_list().unwrap_or_default()) {
            match action {
                Action::Read(key) => {
                    replied.push(read(key, self.read(key)));
                    continue;
                }
                Action::Write(key, value) => _ = self.0.insert(key.clone(), value.clone()),
                Action::Append(key, element) => {
                    let list = self.0.entry(key.clone()).or_insert_with(|| Value::List(Vec::new()));
                    if let Value::List(list) = list {
                        list.push(element.clone());
                    }
                }
            }
            replied.push(asked.clone());
        }
        Ok(Value::List(replied))
    }
}

impl Transactions {
    fn read(&self, key: &Value) -> Value {
        self.0.get(key).cloned().unwrap_or_default()
    }

    /// Whether what is appended to is a list each time, or nothing yet.
    fn appends_fit(&self, actions: &[Action<'_>]) -> bool {
        actions.iter().enumerate().all(|(i, action)| {
            let Action::Append(key, _) = action else { return true };
            let written = |earlier: &Action<'_>| matches!(earlier, Action::Write(other, _) if other == key);
            !actions[..i].iter().any(written) && self.0.get(*key).is_none_or(|held| held.as_list().is_some())
        })
    }
}

/// `[r key value]`.
fn read(key: &Value, value: Value) -> Value {
    Value::List(vec!["r".into(), key.clone(), value])
}

/// The actions of a `txn`; `None` when it is none.
fn actions(operation: &Operation) -> Option<Vec<Action<'_>>> {
    operation.f.eq("txn").then_some(&operation.args)?.as_list()?.iter().map(action).collect()
}

/// What is meant by `[f key argument]`.
fn action(asked: &Value) -> Option<Action<'_>> {
    let [Value::Text(f), key, argument] = asked.as_list()? else { return None };
    match f.as_str() {
        "r" => Some(Action::Read(key)),
        "w" => Some(Action::Write(key, argument)),
        "append" => Some(Action::Append(key, argument)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use squall_checkers::operation::Interface;

    use super::*;
    use crate::objects::tests::check;

    fn txn(actions: &[(&str, i64, i64)]) -> Operation {
        let action = |&(f, key, value): &(&str, i64, i64)| {
            Value::List(vec![f.into(), key.into(), if f == "r" { Value::Nil } else { value.into() }])
        };
        Operation::new("txn", Value::Nil, actions.iter().map(action).collect::<Vec<_>>())
    }

    #[test]
    fn a_transaction_sees_what_it_wrote() {
        check(
            &Interface::RW_REGISTER,
            &[
                (txn(&[("r", 1, 0), ("w", 1, 5), ("r", 1, 0)]), r#"[["r" 1 nil] ["w" 1 5] ["r" 1 5]]"#),
                (txn(&[("r", 1, 0), ("r", 2, 0)]), r#"[["r" 1 5] ["r" 2 nil]]"#),
                (Operation::read(1), "5"),
            ],
        );
    }

    #[test]
    fn lists_are_appended_to() {
        check(
            &Interface::LIST_APPEND,
            &[
                (txn(&[("append", 1, 5), ("append", 1, 6)]), r#"[["append" 1 5] ["append" 1 6]]"#),
                (txn(&[("append", 2, 7), ("r", 1, 0)]), r#"[["append" 2 7] ["r" 1 [5 6]]]"#),
                (txn(&[("w", 3, 1)]), r#"[["w" 3 1]]"#),
                (txn(&[("append", 2, 9), ("append", 3, 1)]), "!"),
                (txn(&[("r", 2, 0)]), r#"[["r" 2 [7]]]"#),
            ],
        );
    }
}
