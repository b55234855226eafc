//! One order for all objects, from an order for each.

use crate::history::EntryId;

/// The operations of all objects, each object's together and in its order.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    /// By their entries, of which those that were called earlier come first.
    pub(super) operations: Vec<u32>,
    /// Where each object begins.
    pub(super) starts: Vec<usize>,
}

impl Timeline {
    /// Each operation happens at the earliest instant that its object's order allows, which is never after its return: when it
    /// was called, or one that comes before it in that order and was called later. O(n).
    ///
    /// Operations of one object at one instant keep their order; two objects never share an instant.
    pub(super) fn merged(mut self) -> Vec<EntryId> {
        if self.starts.len() < 2 {
            return self.operations.into_iter().map(|entry| entry as EntryId).collect();
        }
        self.starts.push(self.operations.len());
        let Some(&last) = self.operations.iter().max() else { return Vec::new() };
        if last as usize > 8 * self.operations.len() {
            // A few operations of a long history.
            let mut sorted = Vec::with_capacity(self.operations.len());
            self.instants().for_each(|instant| sorted.push(instant));
            sorted.sort_by_key(|(at, _)| *at);
            return sorted.into_iter().map(|(_, entry)| entry as EntryId).collect();
        }
        let mut places = vec![0_u32; last as usize + 2];
        self.instants().for_each(|(at, _)| places[at as usize + 1] += 1);
        for at in 0..=last as usize {
            places[at + 1] += places[at];
        }
        let mut order = vec![0; self.operations.len()];
        self.instants().for_each(|(at, entry)| {
            let place = &mut places[at as usize];
            order[*place as usize] = entry as EntryId;
            *place += 1;
        });
        order
    }

    /// When each operation happens, as the call of which entry, and its own entry.
    fn instants(&self) -> impl Iterator<Item = (u32, u32)> {
        self.starts.windows(2).flat_map(|ends| {
            self.operations[ends[0]..ends[1]].iter().scan(0, |now, &entry| {
                *now = entry.max(*now);
                Some((*now, entry))
            })
        })
    }
}
