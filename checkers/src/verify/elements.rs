//! What may be deleted from the history of a queue, a stack or a priority queue.
//!
//! * A removal that found nothing: it changes nothing.
//! * An element together with all that puts it in or takes it out. A removal of unknown outcome that may have taken it need not
//!   have happened.
//! * Removals of unknown outcome, where each element that stays is put in just as often as it is known to be taken out: they
//!   took none of them.

use std::collections::BTreeSet;

use crate::{
    history::{Entry, EntryId, History},
    value::Value,
};

/// The elements that stay.
pub(super) struct Elements<'h> {
    stay: BTreeSet<&'h Value>,
    /// Whether each of them is known to be taken out.
    all_taken: bool,
}

impl<'h> Elements<'h> {
    /// The elements of the named operations; `None` if the model is no container.
    pub(super) fn new(history: &'h History, model: &str, key: &Value, named: &[EntryId]) -> Option<Self> {
        if !matches!(model, "queue" | "stack" | "priority-queue") {
            return None;
        }
        let stay: BTreeSet<&Value> = named.iter().filter_map(|&id| element(&history.entries[id])).collect();
        let (mut put, mut taken) = (Vec::new(), Vec::new());
        for entry in history.entries.iter().filter(|e| e.is_ok() || e.is_unknown()) {
            let Some(element) = element(entry).filter(|element| stay.contains(element)) else { continue };
            if entry.operation.key == *key {
                (if puts_in(&entry.operation.f) { &mut put } else { &mut taken }).push(element);
            }
        }
        put.sort_unstable();
        taken.sort_unstable();
        let all_taken = put == taken;
        Some(Elements { stay, all_taken })
    }

    /// Whether an operation that nobody named may be deleted.
    pub(super) fn may_go(&self, entry: &Entry) -> bool {
        match element(entry) {
            Some(element) => !self.stay.contains(element),
            None => !entry.is_unknown() || self.all_taken,
        }
    }
}

/// Whether the operation of this name puts an element into a container.
pub(super) fn puts_in(f: &impl PartialEq<str>) -> bool {
    ["enqueue", "push", "insert"].iter().any(|put| *f == **put)
}

/// What is put in or known to be taken out.
fn element(entry: &Entry) -> Option<&Value> {
    if puts_in(&entry.operation.f) {
        Some(&entry.operation.args)
    } else {
        entry.reply().filter(|reply| !reply.is_nil())
    }
}
