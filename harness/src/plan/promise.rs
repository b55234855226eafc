//! What a system promises its clients: a consistency model under a fault model.

use std::collections::BTreeSet;

use squall_checkers::operation::{Interface, Name};

use super::{
    SECOND,
    fault::{Fault, FaultClass, FaultKind},
};

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

    /// The same, serving these interfaces too.
    #[must_use]
    pub fn serving(mut self, interfaces: &[Interface]) -> Self {
        let more = interfaces.iter().filter(|i| !self.interfaces.contains(i)).cloned().collect::<Vec<_>>();
        self.interfaces.extend(more);
        self
    }

    /// The same, tolerating these faults.
    #[must_use]
    pub fn tolerating(mut self, tolerates: Tolerates) -> Self {
        self.tolerates = tolerates;
        self
    }

    /// The same, with members that an admin can change while clients are served:
    /// [`System::reconfigure`](crate::environment::System::reconfigure), or its like, does so.
    #[must_use]
    pub fn changing_members(mut self) -> Self {
        self.tolerates.classes.insert(FaultClass::Membership);
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
    /// Whether only a minority may be down, paused, without its disk or no member at one time. When false, any number may.
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

    /// Every class that befalls a system but these, in any number of nodes. Changes of members, which a system offers, are not
    /// among them: see [`Promise::changing_members`].
    pub fn all_but(classes: &[FaultClass]) -> Self {
        let left_out = |c: &FaultClass| *c == FaultClass::Membership || classes.contains(c);
        Tolerates { classes: FaultClass::ALL.into_iter().filter(|c| !left_out(c)).collect(), minority_only: false }
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

    /// Whether this fault can be done to the system at all: a change of members only to one that offers it.
    pub fn offers(&self, kind: &FaultKind) -> bool {
        self.class(FaultClass::Membership) || !kind.classes().contains(&FaultClass::Membership)
    }

    /// Whether this fault lies inside the promise.
    pub fn fault(&self, kind: &FaultKind) -> bool {
        kind.classes().iter().all(|c| self.class(*c))
    }

    /// The ids of those faults that lie outside the promise: of a class that is not tolerated or, where only a minority may be
    /// struck, striking one node too many while earlier ones are struck. Targets are not resolved yet, so two faults of one
    /// role count as two nodes. Faults are looked at in the order of their beginnings.
    pub fn outside(&self, faults: &[Fault], nodes: u32) -> BTreeSet<u32> {
        let minority = nodes.saturating_sub(1) / 2;
        let mut in_order: Vec<&Fault> = faults.iter().collect();
        in_order.sort_by_key(|f| (f.begins_ns, f.id));
        let mut outside = BTreeSet::new();
        let mut struck: Vec<(u64, u32)> = Vec::new();
        for fault in in_order {
            if !self.fault(&fault.kind) {
                outside.insert(fault.id);
                continue;
            }
            let Some(until) = struck_until(fault) else { continue };
            if !self.minority_only {
                continue;
            }
            struck.retain(|(until, _)| *until > fault.begins_ns);
            let count = fault.target.most(nodes);
            if struck.iter().map(|(_, n)| n).sum::<u32>() + count > minority {
                outside.insert(fault.id);
            } else {
                struck.push((until, count));
            }
        }
        outside
    }

    /// The classes tolerated, in order.
    pub fn classes(&self) -> impl Iterator<Item = FaultClass> + '_ {
        self.classes.iter().copied()
    }
}

/// A node that was down, stood still or was no member counts as struck for this much longer, in nanoseconds: it is no full member before it
/// has caught up.
const RECOVERY_NS: u64 = 2 * SECOND;

/// Until when the nodes a fault strikes are down, paused, without their disks or no members; `None` when they are all of it. A
/// removal makes the quorum smaller, and with it the number of others that may be missing.
fn struck_until(fault: &Fault) -> Option<u64> {
    match fault.kind {
        // A node whose sync failed or whose disk is full may end its process.
        FaultKind::Crash { .. }
        | FaultKind::Pause
        | FaultKind::SyncError { .. }
        | FaultKind::DiskFull
        | FaultKind::Removal => Some(fault.ends_ns().saturating_add(RECOVERY_NS)),
        // When lost data is whole again nobody outside can tell.
        FaultKind::Wipe | FaultKind::BitRot { .. } => Some(u64::MAX),
        _ => None,
    }
}
