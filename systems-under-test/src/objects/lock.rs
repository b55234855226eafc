//! A lock with fencing tokens.
//!
//! `acquire([owner n]) -> token`, `release([owner n]) -> nil`: an owner counts its attempts. One that does not know what became
//! of its last attempt makes another, and gets a new token if the lock is its own already. An attempt older than the owner's
//! last, which comes late, is refused: nobody would release what it takes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use squall_checkers::{operation::Operation, value::Value};

use super::{Object, unknown};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Lock {
    /// The owner that holds it.
    holder: Option<Value>,
    /// The last token handed out.
    token: i64,
    /// The last attempt of each owner.
    attempts: BTreeMap<Value, i64>,
}

impl Object for Lock {
    fn look(&self, _: &Operation) -> Option<Value> {
        None
    }

    fn update(&mut self, operation: &Operation) -> Result<Value, String> {
        let attempt = match (operation.f.as_str(), operation.args.as_list()) {
            ("acquire" | "release", Some([owner, Value::Int(n)])) => Some((owner, *n)),
            _ => None,
        };
        let (owner, n) =
            attempt.ok_or_else(|| unknown("locks", "acquire and release of [owner, attempt]", operation))?;
        let last = self.attempts.get(owner).copied();
        let holds = self.holder.as_ref() == Some(owner);
        if operation.f == "release" {
            if !holds || last != Some(n) {
                return Err(format!("attempt {n} of {owner} does not hold the lock"));
            }
            self.holder = None;
            return Ok(Value::Nil);
        }
        if last.is_some_and(|last| last >= n) {
            return Err(format!("{owner} has made another attempt since"));
        }
        self.attempts.insert(owner.clone(), n);
        match &self.holder {
            Some(holder) if !holds => Err(format!("held by {holder}")),
            _ => {
                self.holder = Some(owner.clone());
                self.token += 1;
                Ok(Value::Int(self.token))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use squall_checkers::operation::Interface;

    use super::*;
    use crate::objects::tests::check;

    #[test]
    fn one_owner_holds_it_at_a_time() {
        let ask = |f: &'static str, owner: i64, n: i64| Operation::new(f, Value::Nil, vec![owner.into(), n.into()]);
        let acquire = |owner, n| ask("acquire", owner, n);
        let release = |owner, n| ask("release", owner, n);
        check(
            &Interface::MUTEX,
            &[
                (release(1, 1), "!"),
                (acquire(1, 1), "1"),
                (acquire(2, 1), "!"),
                (release(2, 1), "!"),
                (acquire(1, 2), "2"),
                (release(1, 1), "!"), // late
                (acquire(2, 2), "!"),
                (release(1, 2), "nil"),
                (acquire(1, 2), "!"), // late
                (acquire(2, 3), "3"),
                (Operation::new("acquire", Value::Nil, Value::Nil), "!"),
            ],
        );
    }
}
