//! `lock`: processes acquire a lock and release it again.
//!
//! ```text
//! acquire() -> 5 | nil      release() -> nil
//! ```
//!
//! A process that holds the lock releases it next; one that was refused asks again. A lock may reply fencing tokens.

use squall_checkers::{
    history::{Outcome, ProcessId},
    operation::{Interface, Operation},
    value::Value,
};

use crate::{
    parts::judges,
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

    fn client(&self, settings: &Settings, _: u32, _: u32, _: Stream) -> Result<Box<dyn Client>, SettingError> {
        SettingsReader::new("lock", settings, &[])?;
        Ok(Box::new(LockClient { holder: None }))
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
}

struct LockClient {
    /// The process that holds the lock.
    holder: Option<ProcessId>,
}

impl Client for LockClient {
    fn next(&mut self, process: ProcessId) -> Option<Operation> {
        let f = if self.holder == Some(process) { "release" } else { "acquire" };
        Some(Operation::new(f, Value::Nil, Value::Nil))
    }

    fn completed(&mut self, process: ProcessId, operation: &Operation, outcome: &Outcome) {
        match outcome {
            Outcome::Ok(_) => self.holder = Some(process).filter(|_| operation.f == "acquire"),
            // What was refused changes nothing, and after an unknown outcome another process goes on.
            Outcome::Failed(_) | Outcome::Unknown(_) => {}
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
        assert_eq!(testing::first(&good, 4), "acquire() acquire() acquire() release()");
        for promised in ["linearizable", "mutual-exclusion", "fencing-tokens"] {
            assert!(testing::complaints(&LockWorkload, promised, &good).is_empty());
        }
        let bad = testing::run(&LockWorkload, &[], 200, store(20));
        assert_eq!(testing::complaints(&LockWorkload, "linearizable", &bad), ["linearizable", "mutual-exclusion"]);
        assert!(testing::complaints(&LockWorkload, "fencing-tokens", &bad).is_empty());
    }
}
