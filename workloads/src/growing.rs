//! What `set` and `append` have in common: unique elements go into a few objects, which are read whole.

use squall_checkers::operation::{Interface, Operation};

use crate::{
    parts::{Asking, Fresh, Keys, Weights, judges, on_each_key},
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
    /// The names of the two weights.
    pub(crate) weights: [&'static str; 2],
    pub(crate) model: &'static str,
    /// Checkers of what follows from the model.
    pub(crate) invariants: &'static [&'static str],
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
        mut stream: Stream,
    ) -> Result<Box<dyn Client>, SettingError> {
        let reader = SettingsReader::new(self.name, settings, self.settings)?;
        let weights = Weights::read(reader, &self.weights)?;
        let mut keys = Keys::read(reader, client, clients)?;
        let mut fresh = Fresh::new(client, clients);
        let grow = self.grow;
        Ok(Box::new(Asking(move || {
            let slot = keys.draw(&mut stream);
            if weights.draw(&mut stream) == 1 {
                return Operation::read(keys.key(slot));
            }
            keys.spend(slot);
            Operation::new(grow, keys.key(slot), fresh.next())
        })))
    }

    fn final_reads(&self, settings: &Settings, asked: &[Operation]) -> Result<Vec<Operation>, SettingError> {
        SettingsReader::new(self.name, settings, self.settings)?;
        Ok(on_each_key("read", asked))
    }

    fn judges(&self, model: &str) -> Vec<Judge> {
        judges(model, self.model, self.invariants)
    }
}
