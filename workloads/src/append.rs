//! `append`: elements are appended to a few logs, which are read whole.
//!
//! ```text
//! append(2, 17) -> nil      read(2) -> [3 17 8]
//! ```

use squall_checkers::operation::{Interface, Operation};

use crate::{
    parts::{Asking, Fresh, Keys, Weights, judges, keys_setting, on_each_key, per_key_setting},
    random::Stream,
    settings::SettingsReader,
    workload::{Client, Judge, Setting, SettingError, Settings, Workload},
};

/// Unique elements appended to logs, and reads of whole logs.
#[derive(Clone, Copy, Debug)]
pub struct AppendWorkload;

const SETTINGS: &[Setting] = &[
    keys_setting("3"),
    per_key_setting("60", "elements after which a log is replaced by a fresh one; 0: never"),
    Setting { key: "appends", default: "3", summary: "weight of appends in the mix" },
    Setting { key: "reads", default: "2", summary: "weight of reads in the mix" },
];

impl Workload for AppendWorkload {
    fn interface(&self) -> Interface {
        Interface::LOG
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
        let reader = SettingsReader::new("append", settings, SETTINGS)?;
        let weights = Weights::read(reader, &["appends", "reads"])?;
        let mut keys = Keys::read(reader, client, clients)?;
        let mut fresh = Fresh::new(client, clients);
        Ok(Box::new(Asking(move || {
            let slot = keys.draw(&mut stream);
            if weights.draw(&mut stream) == 1 {
                return Operation::read(keys.key(slot));
            }
            keys.spend(slot);
            Operation::new("append", keys.key(slot), fresh.next())
        })))
    }

    fn final_reads(&self, settings: &Settings, asked: &[Operation]) -> Result<Vec<Operation>, SettingError> {
        SettingsReader::new("append", settings, SETTINGS)?;
        Ok(on_each_key("read", asked))
    }

    fn judges(&self, model: &str) -> Vec<Judge> {
        judges(model, "log", &[])
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use squall_checkers::value::Value;

    use super::*;
    use crate::parts::testing;

    /// A store that puts this element before the one that was there.
    fn store(overtakes: i64) -> impl FnMut(&Operation) -> Option<Value> {
        let mut logs: BTreeMap<Value, Vec<Value>> = BTreeMap::new();
        move |operation| {
            let log = logs.entry(operation.key.clone()).or_default();
            match operation.args.as_int() {
                None => return Some(log.clone().into()),
                Some(element) if element == overtakes => log.insert(log.len() - 1, operation.args.clone()),
                Some(_) => log.push(operation.args.clone()),
            }
            Some(Value::Nil)
        }
    }

    #[test]
    fn a_log_is_judged() {
        let good = testing::run(&AppendWorkload, &[], 200, store(0));
        let golden = "append(2, 1) read(0) append(2, 3) read(1) read(2) read(0) append(1, 4) append(2, 2)";
        assert_eq!(testing::first(&good, 8), golden, "changing the draws breaks every stored plan");
        assert!(testing::complaints(&AppendWorkload, "linearizable", &good).is_empty());
        let bad = testing::run(&AppendWorkload, &[], 200, store(100));
        assert_eq!(testing::complaints(&AppendWorkload, "linearizable", &bad), ["linearizable"]);
    }
}
