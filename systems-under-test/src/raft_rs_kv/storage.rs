//! The part of a replica's log that raft-rs reads: everything since the last snapshot, in memory. The journal is its disk.

use raft::{
    Error, GetEntriesContext, RaftState, StorageError,
    eraftpb::{ConfState, Entry, HardState, Snapshot},
    util::limit_size,
};

/// The last snapshot and the entries after it.
pub(super) struct Storage {
    /// Term, vote and commit index, as last saved.
    pub(super) hard_state: HardState,
    /// The members once all applied entries are, in order.
    voters: Vec<u64>,
    /// Those before all entries.
    founders: Vec<u64>,
    snapshot: Snapshot,
    entries: Vec<Entry>,
}

impl Storage {
    /// A fresh replica's.
    pub(super) fn new(founders: Vec<u64>) -> Self {
        Storage {
            hard_state: HardState::default(),
            voters: founders.clone(),
            founders,
            snapshot: Snapshot::default(),
            entries: Vec::new(),
        }
    }

    /// The members, in order.
    pub(super) fn voters(&self) -> &[u64] {
        &self.voters
    }

    /// An entry that changes the members was applied.
    pub(super) fn set_voters(&mut self, mut voters: Vec<u64>) {
        voters.sort_unstable();
        self.voters = voters;
    }

    /// Whether the members have changed since the last snapshot.
    pub(super) fn has_old_members(&self) -> bool {
        let metadata = self.snapshot.get_metadata();
        metadata.index > 0 && metadata.get_conf_state().voters != self.voters
    }

    /// The members as the last snapshot has them, where they are not the first ones.
    pub(super) fn changed_members(&self) -> Option<&[u64]> {
        let metadata = self.snapshot.get_metadata();
        let voters = &metadata.get_conf_state().voters;
        (metadata.index > 0 && *voters != self.founders).then_some(voters)
    }

    /// The last snapshot; its index is 0 when there was none.
    pub(super) fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// The entries after the last snapshot.
    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// A snapshot of a state machine that has applied all entries up to `index`.
    pub(super) fn snapshot_at(&self, index: u64, term: u64, data: Vec<u8>) -> Snapshot {
        let mut snapshot = Snapshot { data: data.into(), ..Snapshot::default() };
        let metadata = snapshot.mut_metadata();
        metadata.index = index;
        metadata.term = term;
        metadata.set_conf_state(self.conf_state());
        snapshot
    }

    /// Starts over from a snapshot that came from elsewhere.
    pub(super) fn install(&mut self, snapshot: Snapshot) {
        self.set_voters(snapshot.get_metadata().get_conf_state().voters.clone());
        self.snapshot = snapshot;
        self.entries.clear();
    }

    /// Replaces the entries that a snapshot of our own covers.
    pub(super) fn compact(&mut self, snapshot: Snapshot) {
        let covered = snapshot.get_metadata().index + 1 - self.first();
        self.entries.drain(..covered as usize);
        self.snapshot = snapshot;
    }

    /// Adds entries, replacing those from the first one's index on. An error when they leave a gap, or reach below the snapshot.
    pub(super) fn append(&mut self, entries: &[Entry]) -> Result<(), String> {
        let Some(index) = entries.first().map(|e| e.index) else { return Ok(()) };
        if index < self.first() || index > self.last() + 1 {
            return Err(format!("an entry of index {index} does not fit a log of {}..={}", self.first(), self.last()));
        }
        self.entries.truncate((index - self.first()) as usize);
        self.entries.extend_from_slice(entries);
        Ok(())
    }

    fn first(&self) -> u64 {
        self.snapshot.get_metadata().index + 1
    }

    fn last(&self) -> u64 {
        self.first() + self.entries.len() as u64 - 1
    }

    fn conf_state(&self) -> ConfState {
        ConfState { voters: self.voters.clone(), ..ConfState::default() }
    }
}

impl raft::Storage for Storage {
    fn initial_state(&self) -> raft::Result<RaftState> {
        Ok(RaftState::new(self.hard_state.clone(), self.conf_state()))
    }

    fn entries(
        &self,
        low: u64,
        high: u64,
        max_size: impl Into<Option<u64>>,
        _: GetEntriesContext,
    ) -> raft::Result<Vec<Entry>> {
        if low < self.first() {
            return Err(Error::Store(StorageError::Compacted));
        }
        let (from, to) = (low - self.first(), high - self.first());
        let mut entries = self.entries[from as usize..to as usize].to_vec();
        limit_size(&mut entries, max_size.into());
        Ok(entries)
    }

    fn term(&self, index: u64) -> raft::Result<u64> {
        let metadata = self.snapshot.get_metadata();
        if index == metadata.index {
            return Ok(metadata.term);
        }
        if index < metadata.index {
            return Err(Error::Store(StorageError::Compacted));
        }
        let entry = self.entries.get((index - self.first()) as usize);
        entry.map(|e| e.term).ok_or(Error::Store(StorageError::Unavailable))
    }

    fn first_index(&self) -> raft::Result<u64> {
        Ok(self.first())
    }

    fn last_index(&self) -> raft::Result<u64> {
        Ok(self.last())
    }

    fn snapshot(&self, request_index: u64, _to: u64) -> raft::Result<Snapshot> {
        if self.snapshot.get_metadata().index < request_index {
            return Err(Error::Store(StorageError::SnapshotTemporarilyUnavailable));
        }
        Ok(self.snapshot.clone())
    }
}
