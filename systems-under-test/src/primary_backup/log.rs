//! The log of one replica, and the objects that its committed part makes.

use serde::{Deserialize, Serialize};
use squall::{Failed, Reply, environment::RequestId};
use squall_checkers::operation::Operation;

use super::message::{Entry, Position};
use crate::{
    objects::Objects,
    sessions::{Known, Sessions},
};

/// What a replica writes to its disk: all that changed since the last record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Saved {
    /// The oldest epoch that may still be followed.
    pub(super) promised: u64,
    /// Entries from this index on replace what was there.
    pub(super) from: u64,
    pub(super) entries: Vec<Entry>,
}

pub(super) struct Log {
    /// The entry of index `i` is at `i - 1`.
    entries: Vec<Entry>,
    /// Entries from this index on are not on disk as they are here.
    unsaved_from: u64,
    objects: Objects,
    store: Sessions,
    /// How many entries `store` has done.
    applied: u64,
}

impl Log {
    /// An empty log of these objects.
    pub(super) fn new(objects: Objects) -> Self {
        let store = Sessions::of(objects.clone());
        Log { entries: Vec::new(), unsaved_from: 1, objects, store, applied: 0 }
    }

    /// Takes over a record that was read from disk.
    pub(super) fn restore(&mut self, saved: Saved) {
        self.entries.truncate(saved.from.saturating_sub(1) as usize);
        self.entries.extend(saved.entries);
        self.unsaved_from = self.length() + 1;
    }

    pub(super) fn length(&self) -> u64 {
        self.entries.len() as u64
    }

    /// The position of the last entry.
    pub(super) fn last(&self) -> Position {
        self.at(self.length()).expect("it is in the log")
    }

    /// The position of the last entry that was applied.
    pub(super) fn applied(&self) -> Position {
        self.at(self.applied).expect("it is in the log")
    }

    /// The position of the entry of this index, or of nothing at 0.
    pub(super) fn at(&self, index: u64) -> Option<Position> {
        let Some(before) = index.checked_sub(1) else { return Some(Position::default()) };
        self.entries.get(before as usize).map(|entry| Position { epoch: entry.epoch, index })
    }

    /// Adds an entry and returns its index.
    pub(super) fn push(&mut self, epoch: u64, request: Option<(RequestId, Operation)>) -> u64 {
        self.entries.push(Entry { epoch, request });
        self.length()
    }

    /// At most `count` entries after this index.
    pub(super) fn after(&self, index: u64, count: usize) -> &[Entry] {
        let from = (index as usize).min(self.entries.len());
        &self.entries[from..self.entries.len().min(from + count)]
    }

    /// Puts a primary's entries after `prev`, in the place of others; false when `prev` is not here.
    pub(super) fn accept(&mut self, prev: Position, entries: Vec<Entry>) -> bool {
        if self.at(prev.index) != Some(prev) {
            return false;
        }
        for (index, entry) in (prev.index..).zip(entries) {
            match self.entries.get(index as usize) {
                Some(held) if held.epoch == entry.epoch => continue,
                Some(_) => self.truncate(index),
                None => {}
            }
            self.unsaved_from = self.unsaved_from.min(index + 1);
            self.entries.push(entry);
        }
        true
    }

    /// What is to be written to disk.
    pub(super) fn unsaved(&mut self, promised: u64) -> Saved {
        let from = self.unsaved_from.min(self.length() + 1);
        self.unsaved_from = self.length() + 1;
        Saved { promised, from, entries: self.entries[from as usize - 1..].to_vec() }
    }

    /// Whether there is something to be written to disk.
    pub(super) fn is_dirty(&self) -> bool {
        self.unsaved_from <= self.length()
    }

    /// Does everything up to this index; yields the reply of each request, and where it stands.
    pub(super) fn apply(
        &mut self,
        upto: u64,
        mut done: impl FnMut(RequestId, Option<Result<Reply, Failed>>, Position),
    ) {
        while self.applied < upto.min(self.length()) {
            let Entry { epoch, request } = &self.entries[self.applied as usize];
            self.applied += 1;
            if let Some((id, operation)) = request {
                let reply = self.store.apply(*id, operation);
                done(*id, reply, Position { epoch: *epoch, index: self.applied });
            }
        }
    }

    /// The reply of an operation that changes nothing, from what is applied; `None` for every other.
    pub(super) fn look(&self, operation: &Operation) -> Option<Reply> {
        self.store.look(operation)
    }

    /// What is known of a request from what is applied.
    pub(super) fn known(&self, id: RequestId) -> Known {
        self.store.known(id)
    }

    /// Forgets the entries after this index, and all that came of them.
    fn truncate(&mut self, length: u64) {
        self.entries.truncate(length as usize);
        if self.applied > length {
            self.store = Sessions::of(self.objects.clone());
            self.applied = 0;
            self.apply(length, |_, _, _| {});
        }
    }
}

#[cfg(test)]
mod tests {
    use squall_checkers::{history::ProcessId, value::Value};

    use super::*;

    fn write(epoch: u64, serial: u32, value: i64) -> Entry {
        let id = RequestId { process: ProcessId(1), serial };
        Entry { epoch, request: Some((id, Operation::write(1, value))) }
    }

    fn value(log: &Log) -> Value {
        log.look(&Operation::read(1)).expect("a read")
    }

    #[test]
    fn a_new_primary_takes_back_what_an_old_one_had_applied() {
        let mut log = Log::new(Objects::default());
        assert!(log.accept(Position::default(), vec![write(1, 1, 10), write(1, 2, 20), write(1, 3, 30)]));
        log.apply(3, |_, _, _| {});
        assert_eq!(value(&log), Value::Int(30));
        let first = Position { epoch: 1, index: 1 };
        assert!(log.accept(first, vec![write(1, 2, 20)]), "what is there already changes nothing");
        assert_eq!(log.length(), 3);
        assert!(log.accept(first, vec![write(2, 2, 25)]));
        assert_eq!((log.length(), value(&log)), (2, Value::Int(10)), "what was applied is taken back");
        log.apply(9, |_, _, _| {});
        assert_eq!(value(&log), Value::Int(25));
        assert!(!log.accept(Position { epoch: 1, index: 2 }, Vec::new()), "that entry is gone");
    }

    #[test]
    fn the_disk_says_what_the_log_says() {
        let mut log = Log::new(Objects::default());
        let mut disk = vec![log.unsaved(0)];
        for step in [
            (Position::default(), vec![write(1, 1, 10), write(1, 2, 20)]),
            (Position { epoch: 1, index: 2 }, vec![write(1, 3, 30)]),
            (Position { epoch: 1, index: 1 }, vec![write(2, 2, 25)]),
        ] {
            assert!(log.accept(step.0, step.1));
            assert!(log.is_dirty());
            disk.push(log.unsaved(1));
            let mut restored = Log::new(Objects::default());
            for saved in &disk {
                restored.restore(saved.clone());
            }
            assert_eq!(restored.entries, log.entries);
        }
    }
}
