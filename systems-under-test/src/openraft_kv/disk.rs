//! A replica's log and vote: in memory, and on what the machine keeps through crashes once they are synced.

use std::{
    collections::BTreeMap,
    fmt::Debug,
    ops::RangeBounds,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use openraft::{
    Entry, LogId, LogState, OptionalSend, RaftLogReader, StorageError, Vote,
    storage::{LogFlushed, RaftLogStorage},
};
use tokio::time::sleep;

use super::{
    Mistake,
    machine::{Snapshot, Types},
};

/// How long a sync takes.
const SYNC: Duration = Duration::from_millis(1);
/// How long after it was promised a sync comes, where that is the mistake.
const LATE: Duration = Duration::from_millis(250);

/// What survives a crash.
#[derive(Default)]
pub(super) struct Disk(Mutex<Files>);

#[derive(Clone, Default)]
pub(super) struct Files {
    pub(super) log: Log,
    pub(super) snapshot: Option<Snapshot>,
}

/// The log, its vote, how far it was committed and what was purged of it.
#[derive(Clone, Default)]
pub(super) struct Log {
    vote: Option<Vote<u32>>,
    committed: Option<LogId<u32>>,
    purged: Option<LogId<u32>>,
    entries: BTreeMap<u64, Entry<Types>>,
}

impl Disk {
    pub(super) fn files(&self) -> MutexGuard<'_, Files> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The log as openraft uses it. Clones are of one log.
#[derive(Clone)]
pub(super) struct Journal {
    log: Arc<Mutex<Log>>,
    disk: Arc<Disk>,
    mistake: Option<Mistake>,
}

impl Journal {
    /// The log as the last life left it on the disk.
    pub(super) fn open(disk: Arc<Disk>, mistake: Option<Mistake>) -> Self {
        let log = disk.files().log.clone();
        Journal { log: Arc::new(Mutex::new(log)), disk, mistake }
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the log is on disk as it is.
    async fn sync(&self) {
        let log = self.log().clone();
        sleep(SYNC).await;
        self.disk.files().log = log;
    }
}

impl RaftLogReader<Types> for Journal {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Result<Vec<Entry<Types>>, StorageError<u32>> {
        Ok(self.log().entries.range(range).map(|(_, entry)| entry.clone()).collect())
    }
}

impl RaftLogStorage<Types> for Journal {
    type LogReader = Journal;

    async fn get_log_state(&mut self) -> Result<LogState<Types>, StorageError<u32>> {
        let log = self.log();
        let last = log.entries.last_key_value().map(|(_, entry)| entry.log_id);
        Ok(LogState { last_purged_log_id: log.purged, last_log_id: last.or(log.purged) })
    }

    async fn get_log_reader(&mut self) -> Journal {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote<u32>) -> Result<(), StorageError<u32>> {
        self.log().vote = Some(*vote);
        self.sync().await;
        Ok(())
    }

    async fn read_vote(&mut self) -> Result<Option<Vote<u32>>, StorageError<u32>> {
        Ok(self.log().vote)
    }

    // Optional by openraft's interface. But a leader that restarts within its term leads on at once, and takes for committed what it
    // finds here, or else no more than its term's first entry: its reads would be as old as that.
    async fn save_committed(&mut self, committed: Option<LogId<u32>>) -> Result<(), StorageError<u32>> {
        if self.mistake != Some(Mistake::CommitNotSaved) {
            self.log().committed = committed;
            self.sync().await;
        }
        Ok(())
    }

    async fn read_committed(&mut self) -> Result<Option<LogId<u32>>, StorageError<u32>> {
        Ok(self.log().committed)
    }

    async fn append<I>(&mut self, entries: I, callback: LogFlushed<Types>) -> Result<(), StorageError<u32>>
    where
        I: IntoIterator<Item = Entry<Types>> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        self.log().entries.extend(entries.into_iter().map(|entry| (entry.log_id.index, entry)));
        if self.mistake == Some(Mistake::AckBeforeSync) {
            let late = self.clone();
            tokio::spawn(async move {
                sleep(LATE).await;
                late.sync().await;
            });
        } else {
            self.sync().await;
        }
        callback.log_io_completed(Ok(()));
        Ok(())
    }

    async fn truncate(&mut self, from: LogId<u32>) -> Result<(), StorageError<u32>> {
        self.log().entries.split_off(&from.index);
        self.sync().await;
        Ok(())
    }

    async fn purge(&mut self, upto: LogId<u32>) -> Result<(), StorageError<u32>> {
        {
            let mut log = self.log();
            log.entries = log.entries.split_off(&(upto.index + 1));
            log.purged = Some(upto);
        }
        self.sync().await;
        Ok(())
    }
}
