//! What a workload is: operations for clients to do, and the checkers that judge what comes of it.

use std::collections::BTreeMap;

use squall_checkers::{
    history::{Outcome, ProcessId},
    operation::{Interface, Name, Operation},
};

use crate::random::Stream;

/// Settings of a workload or a system, as given by `--set KEY=VALUE`.
pub type Settings = BTreeMap<String, String>;

/// A setting that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("setting `{key}`: `{value}` is not {expected}")]
pub struct SettingError {
    /// The setting's name.
    pub key: String,
    /// What was given.
    pub value: String,
    /// What would have been accepted, for people.
    pub expected: String,
}

/// One setting a workload or a system understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its name.
    pub key: &'static str,
    /// The value used when none is given.
    pub default: &'static str,
    /// What it does, and in which unit.
    pub summary: &'static str,
}

/// A checker that judges a workload's histories, by name, with the model it needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judge {
    /// Name in `squall_checkers`' catalogue of checkers.
    pub checker: Name,
    /// Name in its catalogue of models, for checkers that need one.
    pub model: Option<Name>,
}

impl Judge {
    /// A judge without a model.
    pub fn new(checker: &'static str) -> Self {
        Judge { checker: Name::new(checker), model: None }
    }

    /// A judge with a model.
    pub fn with_model(checker: &'static str, model: &'static str) -> Self {
        Judge { checker: Name::new(checker), model: Some(Name::new(model)) }
    }
}

/// What clients do to a store, and who judges it. One value serves all runs.
pub trait Workload: Send + Sync + 'static {
    /// The interface its operations belong to.
    fn interface(&self) -> Interface;

    /// The settings it understands.
    fn settings(&self) -> &'static [Setting] {
        &[]
    }

    /// What one client does. Each client draws from its own stream, so that taking one client away leaves the others' draws
    /// as they were.
    fn client(
        &self,
        settings: &Settings,
        client: u32,
        clients: u32,
        stream: Stream,
    ) -> Result<Box<dyn Client>, SettingError>;

    /// The operations that read the final state of all that `asked`, the run's operations so far, touched. They are done once
    /// at every replica after the run has settled.
    fn final_reads(&self, settings: &Settings, asked: &[Operation]) -> Result<Vec<Operation>, SettingError>;

    /// The checkers that judge a history of this workload when `model` (`linearizable`, `causal`, …) was promised; none when
    /// nobody can judge that model on these operations. Durability, convergence and liveness are asked for by the promise, not
    /// here.
    fn judges(&self, model: &str) -> Vec<Judge>;

    /// Whether a final read shows of each write by itself whether it is lost, as a value or an element does: then the checker
    /// `durability` is asked where durability is promised. A sum does not, nor does a queue that is emptied: what is lost there
    /// is for the judges of the model to find.
    fn shows_writes(&self) -> bool {
        true
    }
}

/// One client of a workload: a sequence of operations, which may depend on the replies so far.
pub trait Client: Send {
    /// The next operation, or `None` when this client has nothing more to do.
    fn next(&mut self, process: ProcessId) -> Option<Operation>;

    /// Tells what came of an operation of this client.
    fn completed(&mut self, process: ProcessId, operation: &Operation, outcome: &Outcome) {
        let _ = (process, operation, outcome);
    }

    /// From now on so many of a thousand operations are for one key, and the rest as ever; none in particular when it is 0. Says
    /// whether this client's operations have keys to choose from.
    fn heat(&mut self, permille: u32) -> bool {
        let _ = permille;
        false
    }
}

/// A line of the catalogue.
pub struct WorkloadEntry {
    /// Kebab-case name, unique.
    pub name: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// The workload.
    pub workload: &'static dyn Workload,
}
