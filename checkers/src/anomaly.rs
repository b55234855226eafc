//! The names of what can be wrong with a history, each with one sentence: other code matches on these names.

use crate::{
    history::{Entry, History, Outcome},
    operation::Name,
    value::Value,
    verdict::Anomaly,
};

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
/// An element came out of a container that nobody put in.
pub const UNEXPECTED_ELEMENT: Name = Name::new("unexpected-element");
/// An element came out of a container more often than it was put in.
pub const DUPLICATED_ELEMENT: Name = Name::new("duplicated-element");
/// Elements came out of a container in an order that is not its own.
pub const REORDERED_ELEMENTS: Name = Name::new("reordered-elements");
/// A container was said to be empty while an element was certainly in it.
pub const FALSE_EMPTY: Name = Name::new("false-empty");
/// An acknowledged element is gone.
pub const LOST_ELEMENT: Name = Name::new("lost-element");
/// The balances of a bank do not add up.
pub const WRONG_TOTAL: Name = Name::new("wrong-total");
/// A balance is below zero.
pub const NEGATIVE_BALANCE: Name = Name::new("negative-balance");
/// A counter shows less than was certainly added, or more than may have been.
pub const COUNTER_OUT_OF_BOUNDS: Name = Name::new("counter-out-of-bounds");
/// An id was generated twice.
pub const DUPLICATED_ID: Name = Name::new("duplicated-id");
/// A fencing token is not greater than one that was handed out before.
pub const STALE_TOKEN: Name = Name::new("stale-token");
/// An offset of a log holds two elements.
pub const INCONSISTENT_OFFSET: Name = Name::new("inconsistent-offset");
/// A process polled a log backward.
pub const NON_MONOTONIC_POLL: Name = Name::new("non-monotonic-poll");
/// A process polled a log past an element and did not get it.
pub const SKIPPED_ELEMENT: Name = Name::new("skipped-element");
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
/// No order of the operations that keeps the order of each process explains what the clients saw.
pub const NON_SEQUENTIAL: Name = Name::new("non-sequential");
/// No order of the writes explains what one process read.
pub const CYCLIC_VIEW: Name = Name::new("cyclic-view");
/// A transaction does not see its own writes.
pub const INTERNAL: Name = Name::new("internal");
/// A transaction saw what an aborted one wrote: a dirty read.
pub const G1A: Name = Name::new("g1a");
/// A transaction saw what another wrote and replaced before it ended: an intermediate read.
pub const G1B: Name = Name::new("g1b");
/// A transaction that took effect built on what an aborted one wrote.
pub const DIRTY_UPDATE: Name = Name::new("dirty-update");
/// A list shows one element twice.
pub const DUPLICATE_ELEMENTS: Name = Name::new("duplicate-elements");
/// Two reads of one list exclude each other.
pub const INCOMPATIBLE_ORDER: Name = Name::new("incompatible-order");
/// A transaction read a key twice and saw two values.
pub const NON_REPEATABLE_READ: Name = Name::new("non-repeatable-read");
/// A transaction read twice, and what was not there at first was there then.
pub const PHANTOM: Name = Name::new("phantom");
/// A transaction saw one write of another and missed a second one.
pub const FRACTURED_READ: Name = Name::new("fractured-read");
/// Two transactions each overwrote what the other had read, on different keys.
pub const WRITE_SKEW: Name = Name::new("write-skew");
/// Two transactions saw two independent writes in opposite orders.
pub const LONG_FORK: Name = Name::new("long-fork");
/// A cycle of overwrites: dirty writes.
pub const G0: Name = Name::new("g0");
/// A cycle of overwrites and the order of a process.
pub const G0_PROCESS: Name = Name::new("g0-process");
/// A cycle of overwrites and real time.
pub const G0_REALTIME: Name = Name::new("g0-realtime");
/// A cycle of overwrites and reads from each other.
pub const G1C: Name = Name::new("g1c");
/// The same with the order of a process.
pub const G1C_PROCESS: Name = Name::new("g1c-process");
/// The same with real time.
pub const G1C_REALTIME: Name = Name::new("g1c-realtime");
/// A cycle with exactly one read of what was overwritten: read skew.
pub const G_SINGLE: Name = Name::new("g-single");
/// The same with the order of a process.
pub const G_SINGLE_PROCESS: Name = Name::new("g-single-process");
/// The same with real time.
pub const G_SINGLE_REALTIME: Name = Name::new("g-single-realtime");
/// A cycle with reads of what was overwritten, no two of them next to each other.
pub const G_NONADJACENT: Name = Name::new("g-nonadjacent");
/// The same with the order of a process.
pub const G_NONADJACENT_PROCESS: Name = Name::new("g-nonadjacent-process");
/// The same with real time.
pub const G_NONADJACENT_REALTIME: Name = Name::new("g-nonadjacent-realtime");
/// A cycle with several reads of what was overwritten.
pub const G2_ITEM: Name = Name::new("g2-item");
/// The same with the order of a process.
pub const G2_ITEM_PROCESS: Name = Name::new("g2-item-process");
/// The same with real time.
pub const G2_ITEM_REALTIME: Name = Name::new("g2-item-realtime");
/// No snapshots explain what the transactions saw.
pub const NON_SNAPSHOT: Name = Name::new("non-snapshot");
/// No order of the transactions explains what they saw.
pub const NON_SERIALIZABLE: Name = Name::new("non-serializable");
/// A write was acknowledged, and when all had settled its effect was gone.
pub const LOST_ACKNOWLEDGED_WRITE: Name = Name::new("lost-acknowledged-write");
/// After healing and silence two replicas hold different values.
pub const DIVERGENCE: Name = Name::new("divergence");
/// After healing and silence a replica shows what the updates cannot have left.
pub const UNEXPLAINED_STATE: Name = Name::new("unexplained-state");
/// An element that was removed is there again.
pub const RESURRECTED_ELEMENT: Name = Name::new("resurrected-element");
/// In silence a replica changed what it shows.
pub const UNSETTLED: Name = Name::new("unsettled");
/// When all had settled a live member was held dead.
pub const LIVE_MEMBER_HELD_DEAD: Name = Name::new("live-member-held-dead");
/// After all faults had ended no operation succeeded.
pub const NO_PROGRESS: Name = Name::new("no-progress");

/// Every kind with a sentence that explains it, the most telling first.
pub const KINDS: &[(Name, &str)] = &[
    (THIN_AIR_READ, "A read returned a value that nobody wrote."),
    (FUTURE_READ, "A read returned a value before the write of that value was invoked."),
    (DUPLICATE_ELEMENTS, "A list shows an element twice that was added once."),
    (INCOMPATIBLE_ORDER, "Two reads show the elements of a list in orders that exclude each other."),
    (G1A, "A dirty read (G1a): a transaction saw what an aborted one wrote."),
    (DIRTY_UPDATE, "A transaction that took effect built on what an aborted one wrote."),
    (G1B, "An intermediate read (G1b): a transaction saw what another wrote and replaced before it ended."),
    (INTERNAL, "A transaction does not see its own writes."),
    (G0, "A dirty write (G0): transactions overwrite each other in a circle."),
    (G1C, "Circular information flow (G1c): transactions overwrite or read from each other in a circle."),
    (NON_REPEATABLE_READ, "A transaction read a key twice and saw two values."),
    (PHANTOM, "A transaction read twice, and what was not there at first was there then."),
    (FRACTURED_READ, "A transaction saw one write of another and missed a second one."),
    (LOST_ACKNOWLEDGED_WRITE, "A write was acknowledged, and after everything had settled its effect was gone."),
    (LOST_WRITE, "A write was acknowledged, yet every later read saw older values and no read ever saw it."),
    (LOST_UPDATE, "Two updates started from the same value, or one from a value that had been replaced: one is lost."),
    (G_SINGLE, "Read skew (G-single): a circle of dependencies with exactly one read of what was overwritten."),
    (LONG_FORK, "Two transactions saw two independent writes in opposite orders (G-nonadjacent)."),
    (G_NONADJACENT, "A circle of dependencies with reads of what was overwritten, no two of them next to each other."),
    (WRITE_SKEW, "Two transactions each overwrote what the other had read, on different keys (G2-item)."),
    (G2_ITEM, "A circle of dependencies with several reads of what was overwritten (G2-item)."),
    (G0_PROCESS, "G0 with the order of a process: overwrites contradict it."),
    (G1C_PROCESS, "G1c with the order of a process: overwrites and reads contradict it."),
    (G_SINGLE_PROCESS, "G-single with the order of a process: it did not see what it had seen or done before."),
    (G_NONADJACENT_PROCESS, "G-nonadjacent with the order of a process."),
    (G2_ITEM_PROCESS, "G2-item with the order of a process."),
    (G0_REALTIME, "G0 with real time: a write that began later was overwritten by an earlier one."),
    (G1C_REALTIME, "G1c with real time: overwrites and reads contradict it."),
    (G_SINGLE_REALTIME, "G-single with real time: a transaction missed what was complete before it began."),
    (G_NONADJACENT_REALTIME, "G-nonadjacent with real time."),
    (G2_ITEM_REALTIME, "G2-item with real time."),
    (NON_SNAPSHOT, "No snapshots explain what the transactions saw."),
    (NON_SERIALIZABLE, "No order of the transactions explains what they saw."),
    (DOUBLE_ACQUIRE, "A lock was acquired while another process certainly held it."),
    (STALE_TOKEN, "A fencing token of a lock is not greater than one that was handed out before."),
    (WRONG_TOTAL, "Transfers changed the sum of all balances."),
    (NEGATIVE_BALANCE, "A balance is below zero."),
    (COUNTER_OUT_OF_BOUNDS, "A counter shows less than was certainly added, or more than may have been."),
    (DUPLICATED_ID, "An id was generated twice."),
    (LOST_ELEMENT, "An acknowledged element of a queue, a set or a log is gone."),
    (INCONSISTENT_OFFSET, "An offset of a log holds two elements."),
    (UNEXPECTED_ELEMENT, "An element came out of a queue (stack, priority queue) that nobody put in."),
    (DUPLICATED_ELEMENT, "An element came out of a queue (stack, priority queue) more often than it was put in."),
    (REORDERED_ELEMENTS, "Elements came out of a queue (stack, priority queue) in an order that is not its own."),
    (NON_MONOTONIC_POLL, "A process polled a log backward."),
    (SKIPPED_ELEMENT, "A process polled a log past an element and did not get it."),
    (FALSE_EMPTY, "A queue (stack, priority queue) was said to be empty while an element was certainly in it."),
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
    (NON_SEQUENTIAL, "No order of the operations that keeps the order of each process explains what the clients saw."),
    (CYCLIC_VIEW, "No order of the writes explains all that one process read."),
    (DIVERGENCE, "After healing and silence two replicas hold different values."),
    (LIVE_MEMBER_HELD_DEAD, "When all had settled a replica still held a live member dead."),
    (RESURRECTED_ELEMENT, "After healing and silence an element that was removed is there again."),
    (UNEXPLAINED_STATE, "After healing and silence a replica shows what the updates cannot have left."),
    (UNSETTLED, "In silence, with no update under way, a replica changed what it shows."),
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

/// Two operations, perhaps the same, saw different values under a key that nobody wrote.
pub(crate) fn two_beginnings(history: &History, key: &Value, operations: [usize; 2]) -> Anomaly {
    let [one, other] = operations.map(|id| describe(&history.entries[id]));
    let who = if operations[0] == operations[1] { one } else { format!("{one} and {other}") };
    let sentence = format!("{who} saw two values of one key that nobody wrote, and it began as one.");
    Anomaly::new(THIN_AIR_READ, key.clone(), operations.to_vec(), sentence)
}

/// An operation as a sentence names it: who, what, and what came of it.
pub fn describe(entry: &Entry) -> String {
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
