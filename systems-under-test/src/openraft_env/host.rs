//! Squall's `Env` as the store's host: its streams, its clocks, and a journal on its disk.

use std::{
    future::Future,
    io::{self, Cursor},
    sync::Arc,
    time::Duration,
};

use openraft::{AsyncRuntime, EmptyNode};
use squall::{Env, Result, environment::Stream, plan::NodeId};
use squall_checkers::{operation::Operation, value::Value};
use tokio::sync::Mutex;

use super::runtime::OverEnv;
use crate::{
    journal::JournalFile,
    openraft_store::{
        host::{Disk, Frames, Host},
        storage::{Change, Files, Saved},
    },
};

openraft::declare_raft_types!(
    /// What openraft is told of the store.
    pub(super) Types:
        D = Operation,
        R = Value,
        NodeId = u32,
        Node = EmptyNode,
        SnapshotData = Cursor<Vec<u8>>,
        AsyncRuntime = OverEnv,
);

/// A machine of any simulator, or a real one.
#[derive(Clone, Debug)]
pub(super) struct OnEnv(pub(super) Env);

impl Host for OnEnv {
    type Types = Types;
    type Stream = Stream;
    type Disk = OnDisk;

    fn me(&self) -> NodeId {
        self.0.me()
    }

    fn node_count(&self) -> u32 {
        self.0.node_count()
    }

    fn observe(&self, key: &'static str, value: Value) {
        self.0.observe(key, value);
    }

    async fn sleep(&self, span: Duration) {
        self.0.sleep(span).await;
    }

    async fn timeout<F: Future + Send>(&self, span: Duration, future: F) -> Option<F::Output> {
        self.0.timeout(span, future).await.ok()
    }

    async fn connect(&self, to: NodeId, port: u16) -> io::Result<Stream> {
        self.0.connect(to, port).await
    }

    async fn listen<F: Future<Output = io::Result<()>> + Send + 'static>(
        &self,
        port: u16,
        attend: impl Fn(Stream) -> F + Send + 'static,
    ) -> io::Result<()> {
        let listener = self.0.listen(port)?;
        OverEnv::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                OverEnv::spawn(attend(stream));
            }
        });
        Ok(())
    }

    /// Each record of the journal is a change, in JSON as on the wire.
    async fn disk(&self) -> Result<(OnDisk, Saved<Types>)> {
        let (journal, records) = JournalFile::open(&self.0).await?;
        let mut files = Files::default();
        for record in records {
            files.change(serde_json::from_slice(&record)?);
        }
        Ok((OnDisk(Arc::new(Mutex::new(journal))), files.into()))
    }
}

impl Frames for Stream {
    async fn write(&mut self, frame: &[u8]) -> io::Result<()> {
        self.write_frame(frame).await
    }

    async fn read(&mut self) -> io::Result<Vec<u8>> {
        self.read_frame().await?.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}

/// The journal of a replica.
#[derive(Clone, Debug)]
pub(super) struct OnDisk(Arc<Mutex<JournalFile>>);

impl Disk<Types> for OnDisk {
    async fn save(&self, change: Change<Types>, saved: &Arc<Saved<Types>>, late: Option<Duration>) -> io::Result<()> {
        let mut journal = self.0.lock().await;
        if matches!(change, Change::Purge(_)) {
            // What is no longer needed goes.
            let changes = saved.files().changes();
            let records: Result<Vec<_>, _> = changes.iter().map(serde_json::to_vec).collect();
            return journal.replace(&records?).await;
        }
        journal.write(&serde_json::to_vec(&change)?).await?;
        let Some(late) = late else { return journal.sync().await };
        let journal = self.0.clone();
        OverEnv::spawn(async move {
            OverEnv::sleep(late).await;
            journal.lock().await.sync().await
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use openraft::{CommittedLeaderId, Entry, EntryPayload, LogId, SnapshotMeta, StoredMembership, Vote};

    use super::*;
    use crate::openraft_store::storage::Snapshot;

    fn id(index: u64) -> LogId<u32> {
        LogId::new(CommittedLeaderId::new(index / 3, 1), index)
    }

    fn entries(from: u64, to: u64) -> Change<Types> {
        let entry = |index| Entry {
            log_id: id(index),
            payload: EntryPayload::Normal(Operation::write(index as i64, Value::Nil)),
        };
        Change::Append((from..to).map(entry).collect())
    }

    fn snapshot(upto: u64) -> Change<Types> {
        let meta = SnapshotMeta {
            last_log_id: Some(id(upto)),
            last_membership: StoredMembership::default(),
            snapshot_id: String::new(),
        };
        Change::Snapshot(Snapshot { meta, bytes: vec![upto as u8] })
    }

    fn of(changes: impl IntoIterator<Item = Change<Types>>) -> Files<Types> {
        let mut files = Files::default();
        for change in changes {
            files.change(change);
        }
        files
    }

    #[test]
    fn the_fewest_changes_make_the_same_as_all() {
        let all = [
            Change::Vote(Vote::new(2, 1)),
            entries(0, 9),
            Change::Truncate(id(7)),
            entries(7, 8),
            Change::Committed(Some(id(6))),
            snapshot(5),
            Change::Purge(id(3)),
            Change::Vote(Vote::new_committed(3, 2)),
            entries(8, 11),
        ];
        for length in 0..=all.len() {
            let files = of(all[..length].to_vec());
            let records = files.changes().into_iter().map(|change| serde_json::to_vec(&change).expect("JSON takes it"));
            let read = of(records.map(|record| serde_json::from_slice(&record).expect("JSON gives it back")));
            assert_eq!(format!("{files:?}"), format!("{read:?}"), "after {length} changes");
        }
    }

    #[test]
    fn a_snapshot_that_comes_too_late_is_forgotten() {
        let [late, in_order] = [[5, 9, 7], [5, 7, 9]].map(|upto| format!("{:?}", of(upto.map(snapshot))));
        assert_eq!(late, in_order);
    }
}
