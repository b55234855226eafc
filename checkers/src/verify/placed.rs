//! The operations of an order: each that certainly happened is there once, and none that did not.

use super::Verification;
use crate::history::{Entry, EntryId, History};

/// Which operations had their place so far, a bit for each.
pub(super) struct Placed<'h> {
    entries: &'h [Entry],
    taken: Vec<u64>,
    /// How many of them certainly happened.
    taken_certain: usize,
    /// So many entries were looked at in the order in which they lie, of which so many certainly happened.
    reached: usize,
    reached_certain: usize,
}

/// Why an operation cannot be where it is.
pub(super) fn refuted(id: EntryId, why: &str) -> Verification {
    Verification::Refuted(format!("operation {id} {why}"))
}

impl<'h> Placed<'h> {
    pub(super) fn new(history: &'h History) -> Self {
        let taken = vec![0; history.entries.len().div_ceil(64)];
        Placed { entries: &history.entries, taken, taken_certain: 0, reached: 0, reached_certain: 0 }
    }

    /// Counts the entries up to the last of these. Memory is waited for less where it is looked at in the order in which it lies:
    /// one that jumps to and fro by fifty operations is replayed in three quarters of the time afterwards.
    pub(super) fn reach(&mut self, block: &[EntryId]) {
        let is_there = |id: &EntryId| *id < self.entries.len();
        let end = block.iter().copied().filter(is_there).max().map_or(0, |last| last + 1);
        if let Some(new) = self.entries.get(self.reached..end) {
            self.reached_certain += new
                .iter()
                .map(|entry| usize::from(entry.returned() > entry.invoked.position && entry.is_ok()))
                .sum::<usize>();
            self.reached = end;
        }
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
        self.taken_certain += usize::from(entry.is_ok());
        if !entry.is_ok() && !entry.is_unknown() {
            return Err(refuted(id, "did not happen"));
        }
        Ok(entry)
    }

    /// Whether nothing is left out that certainly happened.
    pub(super) fn all(&self) -> Result<(), Verification> {
        if self.reached == self.entries.len() && self.reached_certain == self.taken_certain {
            return Ok(());
        }
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
