//! `lock`: processes acquire a lock and release it again.
//!
//! ```text
//! acquire([7 2]) -> 5 | nil      release([7 2]) -> nil
//! ```
//!
//! Owner 7 makes its second attempt and holds the lock; it releases it next. An owner that was refused asks again. When a
//! process does not know what became of an operation, another one goes on as the same owner, so that no lock is held for
//! ever. A lock may reply fencing tokens.

use std::collections::BTreeMap;

use squall_checkers::{
    history::{Outcome, ProcessId},
    operation::{Interface, Operation},
    value::Value,
};

use crate::{
    parts::{Fresh, judges},
    random::Stream,
    settings::SettingsReader,
    workload::{Client, Judge, SettingError, Settings, Workload},
};

/// Acquires and releases of one lock.
#[derive(Clone, Copy, Debug)]
pub struct LockWorkload;

impl Workload for LockWorkload {
    fn interface(&self) -> Interface {
        Interface::MUTEX
    }

    fn client(
        &self,
        settings: &Settings,
        client: u32,
        clients: u32,
        _: Stream,
    ) -> Result<Box<dyn Client>, SettingError> {
        SettingsReader::new("lock", settings, &[])?;
        let names = Fresh::new(client, clients);
        Ok(Box::new(LockClient { names, owners: BTreeMap::new(), orphans: Vec::new() }))
    }

    fn final_reads(&self, settings: &Settings, _: &[Operation]) -> Result<Vec<Operation>, SettingError> {
        SettingsReader::new("lock", settings, &[])?;
        Ok(Vec::new())
    }

    fn judges(&self, model: &str) -> Vec<Judge> {
        match model {
            // A lock without tokens can be linearizable too, so nobody asks for them.
            "linearizable" => judges(model, "mutex", &["mutual-exclusion"]),
            _ => judges(model, "mutex", &["mutual-exclusion", "fencing-tokens"]),
        }
    }

    fn shows_writes(&self) -> bool {
        false
    }
}

struct LockClient {
    names: Fresh,
    /// Who each process is.
    owners: BTreeMap<ProcessId, Owner>,
    /// Owners whose process is gone: they may hold the lock.
    orphans: Vec<Owner>,
}

#[derive(Clone, Copy)]
struct Owner {
    name: i64,
    /// Attempts made so far.
    attempts: i64,
    holds: bool,
}

impl Client for LockClient {
    fn next(&mut self, process: ProcessId) -> Option<Operation> {
        let known = self.owners.get(&process).copied();
        let mut owner = match known {
            Some(owner) if owner.holds => owner,
            // One that holds nothing may be forgotten.
            _ => (self.orphans.pop().or(known)).unwrap_or_else(|| Owner {
                name: self.names.next(),
                attempts: 0,
                holds: false,
            }),
        };
        owner.attempts += i64::from(!owner.holds);
        self.owners.insert(process, owner);
        let f = if owner.holds { "release" } else { "acquire" };
        Some(Operation::new(f, Value::Nil, vec![owner.name.into(), owner.attempts.into()]))
    }

    fn completed(&mut self, process: ProcessId, operation: &Operation, outcome: &Outcome) {
        let Some(owner) = self.owners.get_mut(&process) else { return };
        match outcome {
            Outcome::Ok(_) => owner.holds = operation.f == "acquire",
            Outcome::Failed(_) => {} // what was refused changes nothing
            Outcome::Unknown(_) => {
                self.orphans.push(Owner { holds: false, ..*owner });
                self.owners.remove(&process);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parts::testing;

    /// A lock with tokens that forgets after this many of them that it is held.
    fn store(forgets_at: i64) -> impl FnMut(&Operation) -> Option<Value> {
        let (mut held, mut token) = (false, 0);
        move |operation| {
            if operation.f == "release" {
                held = false;
                return Some(Value::Nil);
            }
            if held && token != forgets_at {
                return None;
            }
            (held, token) = (true, token + 1);
            Some(Value::Int(token))
        }
    }

    #[test]
    fn a_lock_is_judged() {
        let good = testing::run(&LockWorkload, &[], 200, store(0));
        assert_eq!(testing::first(&good, 4), "acquire([1 1]) acquire([2 1]) acquire([3 1]) release([1 1])");
        for promised in ["linearizable", "mutual-exclusion", "fencing-tokens"] {
            assert!(testing::complaints(&LockWorkload, promised, &good).is_empty());
        }
        let bad = testing::run(&LockWorkload, &[], 200, store(20));
        assert_eq!(testing::complaints(&LockWorkload, "linearizable", &bad), ["linearizable", "mutual-exclusion"]);
        assert!(testing::complaints(&LockWorkload, "fencing-tokens", &bad).is_empty());
    }

    #[test]
    fn another_process_goes_on_as_the_same_owner() {
        let mut client = LockWorkload.client(&Settings::new(), 0, 1, Stream::named(7, "client/0")).unwrap();
        let mut ask = |process: u32, outcome: Outcome| {
            let operation = client.next(ProcessId(process)).expect("it never ends");
            client.completed(ProcessId(process), &operation, &outcome);
            operation.to_string()
        };
        let (ok, failed, unknown) =
            (|| Outcome::Ok(Value::Nil), Outcome::Failed("".into()), || Outcome::Unknown("".into()));
        assert_eq!(ask(0, unknown()), "acquire([1 1])");
        assert_eq!(ask(1, failed), "acquire([1 2])");
        assert_eq!(ask(1, ok()), "acquire([1 3])");
        assert_eq!(ask(2, ok()), "acquire([2 1])", "two at once are two owners");
        assert_eq!(ask(1, unknown()), "release([1 3])");
        assert_eq!(ask(2, ok()), "release([2 1])", "what is held is released first");
        assert_eq!(ask(2, ok()), "acquire([1 4])", "whoever is free goes on");
    }
}
