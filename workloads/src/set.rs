//! `set`: elements are added to a few sets, which are read.
//!
//! ```text
//! add(2, 17) -> nil      read(2) -> [3 17 8]
//! ```

use squall_checkers::operation::{Interface, Operation};

use crate::{
    parts::{Asking, Fresh, Keys, Weights, judges, keys_setting, on_each_key, per_key_setting},
    random::Stream,
    settings::SettingsReader,
    workload::{Client, Judge, Setting, SettingError, Settings, Workload},
};

/// Additions of unique elements to sets, and reads of all elements.
#[derive(Clone, Copy, Debug)]
pub struct SetWorkload;

const SETTINGS: &[Setting] = &[
    keys_setting("3"),
    per_key_setting("60", "elements after which a set is replaced by a fresh one; 0: never"),
    Setting { key: "adds", default: "3", summary: "weight of additions in the mix" },
    Setting { key: "reads", default: "2", summary: "weight of reads in the mix" },
];

impl Workload for SetWorkload {
    fn interface(&self) -> Interface {
        Interface::SET
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
        let reader = SettingsReader::new("set", settings, SETTINGS)?;
        let weights = Weights::read(reader, &["adds", "reads"])?;
        let mut keys = Keys::read(reader, client, clients)?;
        let mut fresh = Fresh::new(client, clients);
        Ok(Box::new(Asking(move || {
            let slot = keys.draw(&mut stream);
            if weights.draw(&mut stream) == 1 {
                return Operation::read(keys.key(slot));
            }
            keys.spend(slot);
            Operation::new("add", keys.key(slot), fresh.next())
        })))
    }

    fn final_reads(&self, settings: &Settings, asked: &[Operation]) -> Result<Vec<Operation>, SettingError> {
        SettingsReader::new("set", settings, SETTINGS)?;
        Ok(on_each_key("read", asked))
    }

    fn judges(&self, model: &str) -> Vec<Judge> {
        judges(model, "set", &["set-full"])
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use squall_checkers::value::Value;

    use super::*;
    use crate::parts::testing;

    /// A store that forgets each element which `forgets` says it does.
    fn store(forgets: impl Fn(i64) -> bool) -> impl FnMut(&Operation) -> Option<Value> {
        let mut sets: BTreeMap<Value, Vec<Value>> = BTreeMap::new();
        move |operation| {
            let set = sets.entry(operation.key.clone()).or_default();
            match operation.args.as_int() {
                None => return Some(set.clone().into()),
                Some(element) if forgets(element) => {}
                Some(_) => set.push(operation.args.clone()),
            }
            Some(Value::Nil)
        }
    }

    #[test]
    fn a_set_is_judged() {
        let good = testing::run(&SetWorkload, &[], 200, store(|_| false));
        let golden = "add(2, 1) read(0) add(2, 3) read(1) read(2) read(0) add(1, 4) add(2, 2)";
        assert_eq!(testing::first(&good, 8), golden, "changing the draws breaks every stored plan");
        assert!(testing::complaints(&SetWorkload, "linearizable", &good).is_empty());
        let bad = testing::run(&SetWorkload, &[], 200, store(|element| element == 100));
        assert_eq!(testing::complaints(&SetWorkload, "linearizable", &bad), ["linearizable", "set-full"]);
    }
}
