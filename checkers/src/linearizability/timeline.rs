//! One order for all objects, from an order for each.

use crate::history::EntryId;

/// An operation that is to happen at an instant.
#[derive(Clone, Copy, Debug)]
pub(super) struct Happens {
    /// A position of the history, at first that of the call.
    pub(super) at: u32,
    pub(super) entry: u32,
}

/// The operations of all objects, each object's together and in its order.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    pub(super) operations: Vec<Happens>,
    /// Where each object begins.
    pub(super) starts: Vec<usize>,
}

impl Timeline {
    /// Each operation happens at the earliest instant that its object's order allows, which is never after its return. O(n).
    pub(super) fn merged(mut self) -> Vec<EntryId> {
        if self.starts.len() > 1 {
            self.starts.push(self.operations.len());
            for object in self.starts.windows(2) {
                let mut now = 0;
                for operation in &mut self.operations[object[0]..object[1]] {
                    now = now.max(operation.at);
                    operation.at = now;
                }
            }
            return self.by_instant();
        }
        self.operations.into_iter().map(|o| o.entry as EntryId).collect()
    }

    /// Stable, so that operations of one object at one instant keep their order; two objects never share an instant.
    fn by_instant(&self) -> Vec<EntryId> {
        let Some(last) = self.operations.iter().map(|o| o.at as usize).max() else { return Vec::new() };
        if last > 8 * self.operations.len() {
            // Positions are far apart, as those of a few operations of a long history are.
            let mut sorted: Vec<&Happens> = self.operations.iter().collect();
            sorted.sort_by_key(|o| o.at);
            return sorted.into_iter().map(|o| o.entry as EntryId).collect();
        }
        let mut places = vec![0_u32; last + 2];
        self.operations.iter().for_each(|o| places[o.at as usize + 1] += 1);
        for at in 0..=last {
            places[at + 1] += places[at];
        }
        let mut order = vec![0; self.operations.len()];
        for operation in &self.operations {
            let place = &mut places[operation.at as usize];
            order[*place as usize] = operation.entry as EntryId;
            *place += 1;
        }
        order
    }
}
