//! What a system promises its clients: a consistency model under a fault model.

use std::collections::BTreeSet;

use squall_checkers::operation::{Interface, Name};

use super::fault::{FaultClass, FaultKind};

/// A consistency model under a fault model. A campaign draws every fault inside the promise and no other, unless asked for
/// `beyond`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promise {
    /// The interfaces served, the main one first.
    pub interfaces: Vec<Interface>,
    /// The consistency model, by its name among the checkers: `linearizable`, `causal`, …
    pub model: Name,
    /// Whether an acknowledged write is never lost.
    pub durable: bool,
    /// Whether operations succeed again once all faults have ended.
    pub live: bool,
    /// Whether replicas agree once all faults have ended.
    pub convergent: bool,
    /// The faults under which all this holds.
    pub tolerates: Tolerates,
    /// The number of replicas a campaign uses when not told otherwise.
    pub nodes: u32,
}

impl Promise {
    /// A durable, live and convergent store of three replicas that keeps `model` under every fault but bit rot and wiped disks.
    pub fn new(interface: Interface, model: impl Into<Name>) -> Self {
        Promise {
            interfaces: vec![interface],
            model: model.into(),
            durable: true,
            live: true,
            convergent: true,
            tolerates: Tolerates::all_but(&[FaultClass::BitRot, FaultClass::Wipe]),
            nodes: 3,
        }
    }

    /// The same, tolerating these faults.
    #[must_use]
    pub fn tolerating(mut self, tolerates: Tolerates) -> Self {
        self.tolerates = tolerates;
        self
    }

    /// The same on another default number of replicas.
    #[must_use]
    pub fn on(mut self, nodes: u32) -> Self {
        self.nodes = nodes;
        self
    }
}

/// The faults a promise survives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tolerates {
    classes: BTreeSet<FaultClass>,
    /// Whether only a minority may be down, paused or without its disk at one time. When false, any number may.
    pub minority_only: bool,
}

impl Tolerates {
    /// No fault at all.
    pub fn none() -> Self {
        Tolerates::default()
    }

    /// These classes, in any number of nodes.
    pub fn these(classes: &[FaultClass]) -> Self {
        Tolerates { classes: classes.iter().copied().collect(), minority_only: false }
    }

    /// Every class but these, in any number of nodes.
    pub fn all_but(classes: &[FaultClass]) -> Self {
        Tolerates {
            classes: FaultClass::ALL.into_iter().filter(|c| !classes.contains(c)).collect(),
            minority_only: false,
        }
    }

    /// The same, but only while less than half of the replicas are struck at one time.
    #[must_use]
    pub fn in_a_minority(mut self) -> Self {
        self.minority_only = true;
        self
    }

    /// Whether faults of this class lie inside the promise.
    pub fn class(&self, class: FaultClass) -> bool {
        self.classes.contains(&class)
    }

    /// Whether this fault lies inside the promise.
    pub fn fault(&self, kind: &FaultKind) -> bool {
        kind.classes().iter().all(|c| self.class(*c))
    }

    /// The classes tolerated, in order.
    pub fn classes(&self) -> impl Iterator<Item = FaultClass> + '_ {
        self.classes.iter().copied()
    }
}
