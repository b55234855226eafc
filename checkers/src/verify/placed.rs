//! The operations of an order: each that certainly happened is there once, and none that did not.

use super::Verification;
use crate::history::{Entry, EntryId, History};

/// Which operations had their place so far, a bit for each.
pub(super) struct Placed<'h> {
    entries: &'h [Entry],
    taken: Vec<u64>,
}

/// Why an operation cannot be where it is.
pub(super) fn refuted(id: EntryId, why: &str) -> Verification {
    Verification::Refuted(format!("operation {id} {why}"))
}

impl<'h> Placed<'h> {
    pub(super) fn new(history: &'h History) -> Self {
        Placed { entries: &history.entries, taken: vec![0; history.entries.len().div_ceil(64)] }
    }

    /// Gives an operation its place.
    #[inline]
    pub(super) fn take(&mut self, id: EntryId) -> Result<&'h Entry, Verification> {
        let Some(entry) = self.entries.get(id) else { return Err(refuted(id, "is not there")) };
        let (word, bit) = (&mut self.taken[id / 64], 1 << (id % 64));
        if *word & bit != 0 {
            return Err(refuted(id, "is there twice"));
        }
        *word |= bit;
        if !entry.is_ok() && !entry.is_unknown() {
            return Err(refuted(id, "did not happen"));
        }
        Ok(entry)
    }

    /// Whether nothing is left out that certainly happened.
    pub(super) fn all(&self) -> Result<(), Verification> {
        for (word, taken) in self.taken.iter().enumerate().filter(|(_, taken)| **taken != u64::MAX) {
            let ids = (64 * word..self.entries.len()).take(64);
            if let Some(id) = ids.into_iter().find(|id| taken >> (id % 64) & 1 == 0 && self.entries[*id].is_ok()) {
                return Err(refuted(id, "is left out"));
            }
        }
        Ok(())
    }
}
