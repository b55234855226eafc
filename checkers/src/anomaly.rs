//! The names of what can be wrong with a history, each with one sentence: other code matches on these names.

use crate::{history::Entry, history::Outcome, operation::Name, value::Value, verdict::Anomaly};

/// A read (or cas) saw a value that nobody wrote.
pub const THIN_AIR_READ: Name = Name::new("thin-air-read");
/// A read (or cas) that saw a value returned before the write of it was invoked.
pub const FUTURE_READ: Name = Name::new("future-read");
/// A write was acknowledged, yet no read ever saw it: all that followed saw older values.
pub const LOST_WRITE: Name = Name::new("lost-write");
/// Two cas took the same value, or a cas took a value that had been replaced: the update in between is lost.
pub const LOST_UPDATE: Name = Name::new("lost-update");
/// One read saw the new value, a later one the old value again.
pub const NEW_OLD_INVERSION: Name = Name::new("new-old-inversion");
/// A read saw a value that had been overwritten before the read began.
pub const STALE_READ: Name = Name::new("stale-read");
/// Two holders had the same lock at the same time.
pub const DOUBLE_ACQUIRE: Name = Name::new("double-acquire");
/// No order of the operations explains what the clients saw.
pub const NON_LINEARIZABLE: Name = Name::new("non-linearizable");
/// A process read a version and later an older one.
pub const NON_MONOTONIC_READ: Name = Name::new("non-monotonic-read");
/// The writes of one process took effect in another order than it issued them.
pub const NON_MONOTONIC_WRITE: Name = Name::new("non-monotonic-write");
/// A process did not see its own write.
pub const UNREAD_OWN_WRITE: Name = Name::new("unread-own-write");
/// A write was ordered before a version that its process had read earlier.
pub const WRITE_BEFORE_READ: Name = Name::new("write-before-read");
/// Operations depend on each other in a circle.
pub const CYCLIC_CAUSALITY: Name = Name::new("cyclic-causality");
/// A read saw nothing, although a write of its key happened before it.
pub const READ_OF_INITIAL: Name = Name::new("read-of-initial");
/// A read saw a value although an overwrite of that value happened before the read.
pub const CAUSALLY_STALE_READ: Name = Name::new("causally-stale-read");
/// Reads arbitrate concurrent writes in contradicting orders.
pub const CYCLIC_CONFLICT: Name = Name::new("cyclic-conflict");
/// A write was acknowledged, and when all had settled its effect was gone.
pub const LOST_ACKNOWLEDGED_WRITE: Name = Name::new("lost-acknowledged-write");
/// After healing and silence two replicas hold different values.
pub const DIVERGENCE: Name = Name::new("divergence");
/// After all faults had ended no operation succeeded.
pub const NO_PROGRESS: Name = Name::new("no-progress");

/// Every kind with a sentence that explains it, the most telling first.
pub const KINDS: &[(Name, &str)] = &[
    (THIN_AIR_READ, "A read returned a value that nobody wrote."),
    (FUTURE_READ, "A read returned a value before the write of that value was invoked."),
    (LOST_ACKNOWLEDGED_WRITE, "A write was acknowledged, and after everything had settled its effect was gone."),
    (LOST_WRITE, "A write was acknowledged, yet every later read saw older values and no read ever saw it."),
    (LOST_UPDATE, "Two updates started from the same value, or one from a value that had been replaced: one is lost."),
    (DOUBLE_ACQUIRE, "A lock was acquired while another process certainly held it."),
    (NEW_OLD_INVERSION, "One read saw the new value, and a later read saw the old value again."),
    (STALE_READ, "A read returned a value that had been overwritten before the read began."),
    (NON_LINEARIZABLE, "No order of the operations that respects real time explains what the clients saw."),
    (NON_MONOTONIC_READ, "A process read a version and later an older one."),
    (NON_MONOTONIC_WRITE, "The writes of one process took effect in another order than it issued them."),
    (UNREAD_OWN_WRITE, "A process wrote and later read an older version."),
    (WRITE_BEFORE_READ, "A write was ordered before a version that its process had read earlier."),
    (CYCLIC_CAUSALITY, "Operations depend on each other in a circle."),
    (READ_OF_INITIAL, "A read saw nothing although a write of its key happened before it."),
    (CAUSALLY_STALE_READ, "A read saw a value although an overwrite of that value happened before the read."),
    (CYCLIC_CONFLICT, "Reads order concurrent writes in ways that contradict each other."),
    (DIVERGENCE, "After healing and silence two replicas hold different values."),
    (NO_PROGRESS, "After all faults had ended no operation succeeded."),
];

/// Place of `kind` among [`KINDS`]; smaller is more telling. Unknown kinds come last.
pub fn rank(kind: &Name) -> usize {
    KINDS.iter().position(|(name, _)| name == kind).unwrap_or(KINDS.len())
}

impl Anomaly {
    /// An anomaly about `key`. The operations are put in order and each named once.
    pub fn new(kind: Name, key: Value, mut operations: Vec<usize>, sentence: String) -> Self {
        operations.sort_unstable();
        operations.dedup();
        Anomaly { kind, key, operations, sentence }
    }
}

/// An operation as a sentence names it: who, what, and what came of it.
pub(crate) fn describe(entry: &Entry) -> String {
    let process = entry.process.0;
    match &entry.outcome {
        Outcome::Ok(Value::Nil) if !crate::models::reads(&entry.operation) => {
            format!("{} of process {process}", entry.operation)
        }
        Outcome::Ok(reply) => format!("{} -> {reply} of process {process}", entry.operation),
        Outcome::Unknown(_) => format!("{} of process {process} (outcome unknown)", entry.operation),
        Outcome::Failed(_) => format!("{} of process {process} (failed)", entry.operation),
    }
}
