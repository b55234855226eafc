//! What `list-append` and `rw-register` have in common, and what any workload of transactions is made of.

use std::collections::BTreeSet;

use squall_checkers::{
    lattice,
    operation::{Interface, Operation},
    value::Value,
};

use crate::{
    parts::{AskingFor, DISTRIBUTION, Fresh, Keys, Weights, keys_setting, per_key_setting},
    random::Stream,
    settings::SettingsReader,
    workload::{Client, Judge, Setting, SettingError, Settings, Workload},
};

/// The settings of both.
const SETTINGS: &[Setting] = &[
    keys_setting("5"),
    DISTRIBUTION,
    per_key_setting("20", "writes after which a key is replaced by a fresh one; 0: never"),
    Setting { key: "actions", default: "4", summary: "a transaction has 1 to this many actions" },
    Setting { key: "writes", default: "1", summary: "weight of writes among the actions" },
    Setting { key: "reads", default: "1", summary: "weight of reads among the actions" },
];

/// More actions are not in one transaction.
const ACTIONS_MAX: u64 = 1_000;

/// Transactions of reads and writes of a few keys.
#[derive(Clone, Debug)]
pub struct TransactionWorkload {
    /// Its name.
    pub(crate) name: &'static str,
    pub(crate) interface: Interface,
    /// What its changes are called.
    pub(crate) write: &'static str,
}

impl Workload for TransactionWorkload {
    fn interface(&self) -> Interface {
        self.interface.clone()
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
        let reader = SettingsReader::new(self.name, settings, SETTINGS)?;
        let weights = Weights::read(reader, &["writes", "reads"])?;
        let actions_max = reader.number("actions", 1..=ACTIONS_MAX)?;
        let keys = Keys::read(reader, client, clients)?;
        let mut fresh = Fresh::new(client, clients);
        let write = self.write;
        Ok(Box::new(AskingFor(keys, move |keys: &mut Keys| {
            let actions = (0..stream.between(1, actions_max)).map(|_| {
                let slot = keys.draw(&mut stream);
                if weights.draw(&mut stream) == 1 {
                    return action("r", keys.key(slot), Value::Nil);
                }
                keys.spend(slot);
                action(write, keys.key(slot), fresh.next().into())
            });
            txn(actions.collect())
        })))
    }

    fn final_reads(&self, settings: &Settings, asked: &[Operation]) -> Result<Vec<Operation>, SettingError> {
        SettingsReader::new(self.name, settings, SETTINGS)?;
        Ok(final_reads(asked))
    }

    fn judges(&self, model: &str) -> Vec<Judge> {
        judges(model)
    }

    fn shows_writes(&self) -> bool {
        false
    }
}

/// `[f key argument]`.
pub(crate) fn action(f: &str, key: Value, argument: Value) -> Value {
    Value::List(vec![f.into(), key, argument])
}

/// A transaction of these actions.
pub(crate) fn txn(actions: Vec<Value>) -> Operation {
    Operation::new("txn", Value::Nil, actions)
}

/// A single read of each key that transactions touched.
pub(crate) fn final_reads(asked: &[Operation]) -> Vec<Operation> {
    let actions = asked.iter().filter_map(|operation| operation.args.as_list()).flatten();
    let keys = actions.filter_map(|action| action.as_list()?.get(1));
    let keys: BTreeSet<&Value> = keys.collect();
    keys.into_iter().map(|key| Operation::read(key.clone())).collect()
}

/// The checker of the promised level of isolation. A linearizable store of transactions is a strictly serializable one.
pub(crate) fn judges(promised: &str) -> Vec<Judge> {
    let level = if promised == "linearizable" { "strict-serializable" } else { promised };
    let known = lattice::MODELS.iter().find(|m| m.name == level && m.about.contains(&lattice::About::Transactions));
    known.map(|model| Judge::new(model.name)).into_iter().collect()
}

/// What tests of workloads of transactions share.
#[cfg(test)]
pub(crate) mod testing {
    use std::collections::BTreeMap;

    use squall_checkers::{operation::Operation, value::Value};

    /// A store of one copy that, from this many transactions on, shows keys from before the last change of any.
    pub(crate) fn store(
        stale_from: usize,
        shows_old: impl Fn(&Value) -> bool,
    ) -> impl FnMut(&Operation) -> Option<Value> {
        let mut now: BTreeMap<Value, Value> = BTreeMap::new();
        let mut before = now.clone();
        let mut done = 0;
        move |operation| {
            let Value::List(actions) = &operation.args else {
                return Some(now.get(&operation.key).cloned().unwrap_or_default());
            };
            done += 1;
            let only_reads = actions.iter().all(|action| action.as_list().unwrap()[0] == "r".into());
            if !only_reads {
                before.clone_from(&now);
            }
            let reply = actions.iter().map(|action| {
                let [f, key, argument] = action.as_list()? else { return None };
                let old = only_reads && done >= stale_from && shows_old(key);
                let seen = if old { &before } else { &now }.get(key).cloned().unwrap_or_default();
                match f.as_text()? {
                    "r" => return Some(super::action("r", key.clone(), seen)),
                    "append" => {
                        let list = seen.as_list().unwrap_or_default();
                        now.insert(key.clone(), [list, std::slice::from_ref(argument)].concat().into());
                    }
                    _ => _ = now.insert(key.clone(), argument.clone()),
                }
                Some(action.clone())
            });
            reply.collect::<Option<Vec<_>>>().map(Value::List)
        }
    }
}
