//! Playing a script of operations back: in the order of invocations, each after the replies that came before it.

use squall_checkers::history::{EntryId, ProcessId};

use crate::plan::Scripted;

/// A script under way.
pub(super) struct Script {
    /// In the order of invocations.
    operations: Vec<Scripted>,
    next: usize,
    /// Indices of the operations that replied, in the order of their replies.
    by_reply: Vec<usize>,
    /// How many replies, from the first on without a gap, have come in this run too.
    replied: usize,
    /// For each operation: how many replies it waits for.
    waits_for: Vec<usize>,
    /// For each operation: whether it is complete in this run.
    complete: Vec<bool>,
    /// Entry of each operation invoked so far.
    entries: Vec<EntryId>,
    /// The process of this run that plays a process of the script.
    cast: Vec<(u32, ProcessId)>,
}

impl Script {
    pub(super) fn new(operations: &[Scripted]) -> Self {
        let mut operations = operations.to_vec();
        operations.sort_by_key(|o| o.invoked_ns);
        let mut by_reply: Vec<usize> = (0..operations.len()).filter(|i| operations[*i].replied_ns.is_some()).collect();
        by_reply.sort_by_key(|i| operations[*i].replied_ns);
        let waits_for = operations
            .iter()
            .map(|o| by_reply.partition_point(|i| operations[*i].replied_ns.is_some_and(|at| at <= o.invoked_ns)))
            .collect();
        let complete = vec![false; operations.len()];
        Script { operations, next: 0, by_reply, replied: 0, waits_for, complete, entries: Vec::new(), cast: Vec::new() }
    }

    /// When the next operation is due, if it waits for no reply.
    pub(super) fn next_due(&self) -> Option<u64> {
        let next = self.operations.get(self.next)?;
        (self.waits_for[self.next] <= self.replied).then_some(next.invoked_ns)
    }

    /// The next operation, if it is due.
    pub(super) fn take_due(&mut self, now: u64) -> Option<(usize, Scripted)> {
        let index = self.next;
        self.next_due().filter(|at| *at <= now)?;
        self.next += 1;
        Some((index, self.operations[index].clone()))
    }

    /// The process that plays the process of operation `index`, unless it has retired.
    pub(super) fn process_of(&self, index: usize, retired: impl Fn(ProcessId) -> bool) -> Option<ProcessId> {
        let role = self.operations[index].process;
        self.cast.iter().find(|(r, _)| *r == role).map(|(_, p)| *p).filter(|p| !retired(*p))
    }

    /// From here on `process` plays the process of operation `index`.
    pub(super) fn bind(&mut self, index: usize, process: ProcessId) {
        let role = self.operations[index].process;
        self.cast.retain(|(r, _)| *r != role);
        self.cast.push((role, process));
    }

    /// Operation `index` was invoked as `entry`.
    pub(super) fn invoked(&mut self, index: usize, entry: EntryId) {
        debug_assert_eq!(index, self.entries.len());
        self.entries.push(entry);
    }

    /// An entry is complete. Whether the next operation may be due because of it.
    pub(super) fn completed(&mut self, entry: EntryId) -> bool {
        let Ok(index) = self.entries.binary_search(&entry) else { return false };
        self.complete[index] = true;
        let before = self.replied;
        while self.by_reply.get(self.replied).is_some_and(|i| self.complete[*i]) {
            self.replied += 1;
        }
        self.replied > before && self.next_due().is_some()
    }

    /// Whether every operation was invoked.
    pub(super) fn done(&self) -> bool {
        self.next == self.operations.len()
    }
}
