//! What a replica saves: its log and vote, and its last snapshot. In memory for reading, and by each change on the host's disk.

use std::{
    collections::BTreeMap,
    fmt::Debug,
    io,
    ops::RangeBounds,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use openraft::{
    EmptyNode, Entry, LogId, LogState, OptionalSend, RaftLogReader, SnapshotMeta, StorageError, StorageIOError, Vote,
    storage::{LogFlushed, RaftLogStorage},
};
use serde::{Deserialize, Serialize};

use super::{
    Mistake,
    host::{Disk, Host, Kind},
};

/// How long after it was promised a sync comes, where that is the mistake.
const LATE: Duration = Duration::from_millis(250);

/// All that is saved, as the changes so far have made it.
#[derive(Debug)]
pub(crate) struct Saved<C: Kind>(Mutex<Files<C>>);

/// The log, its vote, how far it was committed and what was purged of it; and the last snapshot.
#[derive(Clone, Debug)]
pub(crate) struct Files<C: Kind> {
    vote: Option<Vote<u32>>,
    committed: Option<LogId<u32>>,
    purged: Option<LogId<u32>>,
    entries: BTreeMap<u64, Entry<C>>,
    pub(super) snapshot: Option<Snapshot>,
}

/// A snapshot as it is saved.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Snapshot {
    pub(crate) meta: SnapshotMeta<u32, EmptyNode>,
    pub(crate) bytes: Vec<u8>,
}

/// One change of what is saved.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "")]
pub(crate) enum Change<C: Kind> {
    Vote(Vote<u32>),
    Committed(Option<LogId<u32>>),
    Append(Vec<Entry<C>>),
    /// Forgets the log from here on.
    Truncate(LogId<u32>),
    /// Forgets the log up to here.
    Purge(LogId<u32>),
    Snapshot(Snapshot),
}

impl<C: Kind> Default for Files<C> {
    fn default() -> Self {
        Files { vote: None, committed: None, purged: None, entries: BTreeMap::new(), snapshot: None }
    }
}

impl<C: Kind> From<Files<C>> for Saved<C> {
    fn from(files: Files<C>) -> Self {
        Saved(Mutex::new(files))
    }
}

impl<C: Kind> Saved<C> {
    pub(crate) fn files(&self) -> MutexGuard<'_, Files<C>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C: Kind> Files<C> {
    /// Changes it.
    pub(crate) fn change(&mut self, change: Change<C>) {
        match change {
            Change::Vote(vote) => self.vote = Some(vote),
            Change::Committed(committed) => self.committed = committed,
            Change::Append(entries) => {
                self.entries.extend(entries.into_iter().map(|entry| (entry.log_id.index, entry)));
            }
            Change::Truncate(from) => drop(self.entries.split_off(&from.index)),
            Change::Purge(upto) => {
                self.entries = self.entries.split_off(&(upto.index + 1));
                self.purged = Some(upto);
            }
            Change::Snapshot(snapshot) => {
                // One that was built while a later one was installed comes too late.
                let covers = |snapshot: &Snapshot| snapshot.meta.last_log_id;
                if self.snapshot.as_ref().is_none_or(|held| covers(held) <= covers(&snapshot)) {
                    self.snapshot = Some(snapshot);
                }
            }
        }
    }

    /// The fewest changes that make it from nothing.
    pub(crate) fn changes(&self) -> Vec<Change<C>> {
        let snapshot = self.snapshot.clone().map(Change::Snapshot);
        let vote = self.vote.map(Change::Vote);
        let purged = self.purged.map(Change::Purge);
        let committed = self.committed.map(|committed| Change::Committed(Some(committed)));
        let append = Change::Append(self.entries.values().cloned().collect());
        [snapshot, vote, purged, Some(append), committed].into_iter().flatten().collect()
    }
}

/// What is saved, and where. Clones are of one; openraft uses it as its log.
pub(crate) struct Storage<H: Host> {
    saved: Arc<Saved<H::Types>>,
    disk: H::Disk,
    mistake: Option<Mistake>,
}

impl<H: Host> Clone for Storage<H> {
    fn clone(&self) -> Self {
        Storage { saved: self.saved.clone(), disk: self.disk.clone(), mistake: self.mistake }
    }
}

impl<H: Host> Storage<H> {
    /// What the last life left on the disk.
    pub(crate) fn new(disk: H::Disk, saved: Saved<H::Types>, mistake: Option<Mistake>) -> Self {
        Storage { saved: Arc::new(saved), disk, mistake }
    }

    /// All that is saved.
    pub(super) fn files(&self) -> MutexGuard<'_, Files<H::Types>> {
        self.saved.files()
    }

    /// Makes a change, and waits until it is durable.
    pub(super) async fn save(&self, change: Change<H::Types>) -> io::Result<()> {
        self.save_within(change, None).await
    }

    async fn save_within(&self, change: Change<H::Types>, late: Option<Duration>) -> io::Result<()> {
        self.files().change(change.clone());
        self.disk.save(change, &self.saved, late).await
    }
}

impl<H: Host> RaftLogReader<H::Types> for Storage<H> {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Result<Vec<Entry<H::Types>>, StorageError<u32>> {
        Ok(self.files().entries.range(range).map(|(_, entry)| entry.clone()).collect())
    }
}

impl<H: Host> RaftLogStorage<H::Types> for Storage<H> {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<H::Types>, StorageError<u32>> {
        let files = self.files();
        let last = files.entries.last_key_value().map(|(_, entry)| entry.log_id);
        Ok(LogState { last_purged_log_id: files.purged, last_log_id: last.or(files.purged) })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote<u32>) -> Result<(), StorageError<u32>> {
        Ok(self.save(Change::Vote(*vote)).await.map_err(|error| StorageIOError::write_vote(&error))?)
    }

    async fn read_vote(&mut self) -> Result<Option<Vote<u32>>, StorageError<u32>> {
        Ok(self.files().vote)
    }

    // Optional by openraft's interface. But a leader that restarts within its term leads on at once, and takes for committed what it
    // finds here, or else no more than its term's first entry: its reads would be as old as that.
    async fn save_committed(&mut self, committed: Option<LogId<u32>>) -> Result<(), StorageError<u32>> {
        if self.mistake == Some(Mistake::CommitNotSaved) {
            return Ok(());
        }
        Ok(self.save(Change::Committed(committed)).await.map_err(|error| StorageIOError::write_logs(&error))?)
    }

    async fn read_committed(&mut self) -> Result<Option<LogId<u32>>, StorageError<u32>> {
        Ok(self.files().committed)
    }

    async fn append<I>(&mut self, entries: I, callback: LogFlushed<H::Types>) -> Result<(), StorageError<u32>>
    where
        I: IntoIterator<Item = Entry<H::Types>> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let late = (self.mistake == Some(Mistake::AckBeforeSync)).then_some(LATE);
        let append = Change::Append(entries.into_iter().collect());
        self.save_within(append, late).await.map_err(|error| StorageIOError::write_logs(&error))?;
        callback.log_io_completed(Ok(()));
        Ok(())
    }

    async fn truncate(&mut self, from: LogId<u32>) -> Result<(), StorageError<u32>> {
        Ok(self.save(Change::Truncate(from)).await.map_err(|error| StorageIOError::write_logs(&error))?)
    }

    async fn purge(&mut self, upto: LogId<u32>) -> Result<(), StorageError<u32>> {
        Ok(self.save(Change::Purge(upto)).await.map_err(|error| StorageIOError::write_logs(&error))?)
    }
}
