//! What `set` and `append` have in common: unique elements go into a few objects, which are read whole.

use std::collections::BTreeMap;

use squall_checkers::{
    history::{Outcome, ProcessId},
    operation::{Interface, Operation},
    value::Value,
};

use crate::{
    parts::{Fresh, Keys, Weights, judges, on_each_key},
    random::Stream,
    settings::SettingsReader,
    workload::{Client, Judge, Setting, SettingError, Settings, Workload},
};

/// Unique elements into objects of one kind, and reads of all elements.
#[derive(Clone, Debug)]
pub struct GrowingWorkload {
    /// Its name.
    pub(crate) name: &'static str,
    pub(crate) interface: Interface,
    /// The operation that puts an element in.
    pub(crate) grow: &'static str,
    /// Those of [`Keys`] and the weights, that of `grow` before that of reads.
    pub(crate) settings: &'static [Setting],
    /// The names of the weights: of `grow`, of reads and, where elements can be removed, of removals.
    pub(crate) weights: &'static [&'static str],
    pub(crate) model: &'static str,
    /// Checkers of what follows from the model.
    pub(crate) invariants: &'static [&'static str],
    /// Checkers of weaker models, asked where one of these is promised.
    pub(crate) weaker: &'static [&'static str],
}

impl Workload for GrowingWorkload {
    fn interface(&self) -> Interface {
        self.interface.clone()
    }

    fn settings(&self) -> &'static [Setting] {
        self.settings
    }

    fn client(
        &self,
        settings: &Settings,
        client: u32,
        clients: u32,
        stream: Stream,
    ) -> Result<Box<dyn Client>, SettingError> {
        let reader = SettingsReader::new(self.name, settings, self.settings)?;
        Ok(Box::new(GrowingClient {
            grow: self.grow,
            weights: Weights::read(reader, self.weights)?,
            keys: Keys::read(reader, client, clients)?,
            fresh: Fresh::new(client, clients),
            stream,
            seen: BTreeMap::new(),
        }))
    }

    fn final_reads(&self, settings: &Settings, asked: &[Operation]) -> Result<Vec<Operation>, SettingError> {
        SettingsReader::new(self.name, settings, self.settings)?;
        Ok(on_each_key("read", asked))
    }

    fn judges(&self, model: &str) -> Vec<Judge> {
        match model {
            "linearizable" => judges(model, self.model, self.invariants),
            _ => judges(model, self.model, &[self.invariants, self.weaker].concat()),
        }
    }
}

struct GrowingClient {
    grow: &'static str,
    weights: Weights,
    keys: Keys,
    fresh: Fresh,
    stream: Stream,
    /// By key, what its last read showed, without what this client has asked to remove since.
    seen: BTreeMap<Value, Vec<Value>>,
}

/// Which of the weights is that of reads, and of removals.
const READ: usize = 1;
const REMOVE: usize = 2;

impl Client for GrowingClient {
    fn next(&mut self, _: ProcessId) -> Option<Operation> {
        let slot = self.keys.draw(&mut self.stream);
        match self.weights.draw(&mut self.stream) {
            READ => return Some(Operation::read(self.keys.key(slot))),
            REMOVE => {
                let key = self.keys.key(slot);
                let seen = self.seen.entry(key.clone()).or_default();
                if seen.is_empty() {
                    return Some(Operation::read(key));
                }
                let element = seen.swap_remove(self.stream.below(seen.len() as u64) as usize);
                return Some(Operation::new("remove", key, element));
            }
            _ => {}
        }
        let key = self.keys.key(slot);
        if self.keys.spend(slot) {
            self.seen.remove(&key);
        }
        Some(Operation::new(self.grow, self.keys.key(slot), self.fresh.next()))
    }

    fn heat(&mut self, permille: u32) -> bool {
        self.keys.heat(permille)
    }

    fn completed(&mut self, _: ProcessId, operation: &Operation, outcome: &Outcome) {
        if let (Outcome::Ok(Value::List(elements)), "read") = (outcome, operation.f.as_str())
            && self.weights.may_draw(REMOVE)
        {
            self.seen.insert(operation.key.clone(), elements.clone());
        }
    }
}
