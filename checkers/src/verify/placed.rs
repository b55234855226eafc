//! The operations of an order: each that certainly happened is there once, and none that did not.

use std::hint::black_box;

use super::Verification;
use crate::history::{Entry, EntryId, History};

/// Which operations had their place so far, a bit for each.
pub(super) struct Placed<'h> {
    entries: &'h [Entry],
    taken: Vec<u64>,
    /// None of the entries from here on was looked at ahead.
    reached: usize,
}

/// Who goes back by more entries than these jumps.
const FAR: usize = 16;

/// Why an operation cannot be where it is.
pub(super) fn refuted(id: EntryId, why: &str) -> Verification {
    Verification::Refuted(format!("operation {id} {why}"))
}

impl<'h> Placed<'h> {
    pub(super) fn new(history: &'h History) -> Self {
        let taken = vec![0; history.entries.len().div_ceil(64)];
        Placed { entries: &history.entries, taken, reached: 0 }
    }

    /// Looks at the entries up to the last of these, if the order jumps to and fro: memory is waited for less where it is looked at in
    /// the order in which it lies. Where half of the operations jump by fifty, they are replayed in three quarters of the time; where
    /// few do, this takes longer than it saves.
    pub(super) fn look_ahead(&mut self, block: &[EntryId]) {
        let jumps = |pair: &&[EntryId]| pair[1].saturating_add(FAR) < pair[0];
        if block.windows(2).step_by(2).filter(jumps).count() <= block.len() / 32 {
            return;
        }
        let there = || block.iter().copied().filter(|id| *id < self.entries.len());
        let (Some(first), Some(last)) = (there().min(), there().max()) else { return };
        let new = self.entries.get(self.reached.max(first)..=last).unwrap_or_default();
        let whole = |entry: &&Entry| entry.returned() > entry.invoked.position && entry.is_ok();
        black_box(new.iter().filter(whole).count());
        self.reached = self.reached.max(last + 1);
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
        match self.left().find(|id| self.entries[*id].is_ok()) {
            Some(id) => Err(refuted(id, "is left out")),
            None => Ok(()),
        }
    }

    /// What has no place, in the order of the history.
    pub(super) fn left(&self) -> impl Iterator<Item = EntryId> {
        let open = self.taken.iter().enumerate().filter(|(_, taken)| **taken != u64::MAX);
        let ids = open
            .flat_map(|(word, taken)| (0..64).filter(move |bit| taken >> bit & 1 == 0).map(move |bit| 64 * word + bit));
        ids.take_while(|id| *id < self.entries.len())
    }
}
