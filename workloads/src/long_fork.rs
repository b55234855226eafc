//! `long-fork`: single keys are written once, and groups of them are read together.
//!
//! ```text
//! txn([["w" 4 1]]) -> the same      txn([["r" 4 nil] ["r" 3 nil]]) -> [["r" 4 1] ["r" 3 nil]]
//! ```
//!
//! Two reads of a group that show two of its writes in opposite orders are a long fork (Sovran et al., "Transactional storage
//! for geo-replicated systems", SOSP 2011). A group has `group` keys in a row, each written once, by one client; readers turn
//! to the groups that are being written.

use squall_checkers::{
    operation::{Interface, Operation},
    value::Value,
};

use crate::{
    parts::{Asking, Weights},
    random::Stream,
    settings::SettingsReader,
    transactions::{self, action, txn},
    workload::{Client, Judge, Setting, SettingError, Settings, Workload},
};

/// Writes of single keys, and reads of groups.
#[derive(Clone, Copy, Debug)]
pub struct LongForkWorkload;

const SETTINGS: &[Setting] = &[
    Setting { key: "group", default: "3", summary: "keys of a group" },
    Setting { key: "writes", default: "1", summary: "weight of writes in the mix" },
    Setting { key: "reads", default: "2", summary: "weight of reads in the mix" },
];

/// More keys are not in a group.
const GROUP_MAX: u64 = 1_000;

impl Workload for LongForkWorkload {
    fn interface(&self) -> Interface {
        Interface::RW_REGISTER
    }

    fn settings(&self) -> &'static [Setting] {
        SETTINGS
    }

    fn client(
        &self,
        settings: &Settings,
        client: u32,
        clients: u32,
        mut stream: Stream,
    ) -> Result<Box<dyn Client>, SettingError> {
        let reader = SettingsReader::new("long-fork", settings, SETTINGS)?;
        let group = reader.number("group", 2..=GROUP_MAX)?;
        let weights = Weights::read(reader, &["writes", "reads"])?;
        let (client, clients) = (u64::from(client), u64::from(clients.max(client + 1)));
        let mut written = 0;
        Ok(Box::new(Asking(move || {
            // Clients write one key in turn each, so all are at about the same group.
            let next = client + written * clients;
            if weights.draw(&mut stream) == 0 {
                written += 1;
                return txn(vec![action("w", Value::Int(next as i64), Value::Int(1))]);
            }
            let first = next / group * group;
            let mut keys: Vec<u64> = (first..first + group).collect();
            stream.shuffle(&mut keys);
            txn(keys.into_iter().map(|key| action("r", Value::Int(key as i64), Value::Nil)).collect())
        })))
    }

    fn final_reads(&self, settings: &Settings, asked: &[Operation]) -> Result<Vec<Operation>, SettingError> {
        SettingsReader::new("long-fork", settings, SETTINGS)?;
        Ok(transactions::final_reads(asked))
    }

    fn judges(&self, model: &str) -> Vec<Judge> {
        transactions::judges(model)
    }

    fn shows_writes(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{parts::testing, transactions::testing::store};

    #[test]
    fn a_fork_is_found() {
        let good = testing::run(&LongForkWorkload, &[], 200, store(usize::MAX, |_| true));
        let golden =
            r#"txn([["r" 1 nil] ["r" 2 nil] ["r" 0 nil]]) txn([["w" 1 1]]) txn([["r" 1 nil] ["r" 2 nil] ["r" 0 nil]])"#;
        assert_eq!(testing::first(&good, 3), golden, "changing the draws breaks every stored plan");
        assert!(testing::complaints(&LongForkWorkload, "linearizable", &good).is_empty());
        assert!(testing::complaints(&LongForkWorkload, "snapshot-isolation", &good).is_empty());
        // Old values of even keys next to new ones of odd keys, and then the other way round, are a fork.
        let bad = testing::run(&LongForkWorkload, &[], 200, store(50, |key| key.as_int().is_some_and(|k| k % 2 == 0)));
        assert_eq!(testing::complaints(&LongForkWorkload, "linearizable", &bad), ["strict-serializable"]);
    }

    #[test]
    fn each_key_is_written_once() {
        let history = testing::run(&LongForkWorkload, &[], 100, store(usize::MAX, |_| true));
        let mut written: Vec<String> =
            history.entries.iter().map(|e| e.operation.to_string()).filter(|o| o.contains("\"w\"")).collect();
        let all = written.len();
        written.sort();
        written.dedup();
        assert!(all > 50 && written.len() == all);
    }
}
