//! The registers as openraft's state machine, in memory: a restarted replica has its last snapshot and applies the log again.

use std::{
    io::Cursor,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use openraft::{
    EmptyNode, Entry, EntryPayload, LogId, OptionalSend, RaftSnapshotBuilder, SnapshotMeta, StorageError,
    StorageIOError, StoredMembership, storage::RaftStateMachine,
};
use serde::{Deserialize, Serialize};
use squall_checkers::{operation::Operation, value::Value};

use super::{disk::Disk, runtime::Tokio};
use crate::objects::Objects;

openraft::declare_raft_types!(
    /// What openraft is told of the store.
    pub(super) Types:
        D = Operation,
        R = Value,
        NodeId = u32,
        Node = EmptyNode,
        AsyncRuntime = Tokio,
);

/// What has been applied so far. Not in JSON: the keys of its maps are strings, and registers have keys of every kind.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct State {
    applied: Option<LogId<u32>>,
    membership: StoredMembership<u32, EmptyNode>,
    registers: Objects,
}

/// A snapshot on disk.
#[derive(Clone, Debug)]
pub(super) struct Snapshot {
    meta: SnapshotMeta<u32, EmptyNode>,
    bytes: Vec<u8>,
}

impl Snapshot {
    fn opened(&self) -> openraft::Snapshot<Types> {
        openraft::Snapshot { meta: self.meta.clone(), snapshot: Box::new(Cursor::new(self.bytes.clone())) }
    }
}

/// The state machine. Clones are of one.
#[derive(Clone)]
pub(super) struct Applied {
    state: Arc<Mutex<State>>,
    disk: Arc<Disk>,
}

impl Applied {
    /// The state of the last snapshot on disk.
    pub(super) fn open(disk: Arc<Disk>) -> Result<Self, postcard::Error> {
        let snapshot = disk.files().snapshot.clone();
        let state = snapshot.map_or_else(|| Ok(State::default()), |snapshot| postcard::from_bytes(&snapshot.bytes))?;
        Ok(Applied { state: Arc::new(Mutex::new(state)), disk })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The value of a register.
    pub(super) fn read(&self, key: &Value) -> Value {
        self.state().registers.look(&Operation::read(key.clone())).unwrap_or_default()
    }
}

impl RaftSnapshotBuilder<Types> for Applied {
    async fn build_snapshot(&mut self) -> Result<openraft::Snapshot<Types>, StorageError<u32>> {
        let state = self.state().clone();
        let bytes = postcard::to_stdvec(&state).map_err(|error| StorageIOError::read_state_machine(&error))?;
        let meta = SnapshotMeta {
            last_log_id: state.applied,
            last_membership: state.membership,
            snapshot_id: state.applied.map_or_else(String::new, |id| format!("{id}")),
        };
        let snapshot = Snapshot { meta, bytes };
        let opened = snapshot.opened();
        self.disk.files().snapshot = Some(snapshot);
        Ok(opened)
    }
}

impl RaftStateMachine<Types> for Applied {
    type SnapshotBuilder = Applied;

    async fn applied_state(
        &mut self,
    ) -> Result<(Option<LogId<u32>>, StoredMembership<u32, EmptyNode>), StorageError<u32>> {
        let state = self.state();
        Ok((state.applied, state.membership.clone()))
    }

    async fn apply<I>(&mut self, entries: I) -> Result<Vec<Value>, StorageError<u32>>
    where
        I: IntoIterator<Item = Entry<Types>> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let mut state = self.state();
        let apply = |entry: Entry<Types>| {
            state.applied = Some(entry.log_id);
            match entry.payload {
                EntryPayload::Blank => Value::Nil,
                // What is no operation of registers does nothing everywhere.
                EntryPayload::Normal(operation) => state.registers.apply(&operation).unwrap_or_default(),
                EntryPayload::Membership(membership) => {
                    state.membership = StoredMembership::new(Some(entry.log_id), membership);
                    Value::Nil
                }
            }
        };
        Ok(entries.into_iter().map(apply).collect())
    }

    async fn get_snapshot_builder(&mut self) -> Applied {
        self.clone()
    }

    async fn begin_receiving_snapshot(&mut self) -> Result<Box<Cursor<Vec<u8>>>, StorageError<u32>> {
        Ok(Box::default())
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta<u32, EmptyNode>,
        snapshot: Box<Cursor<Vec<u8>>>,
    ) -> Result<(), StorageError<u32>> {
        let bytes = snapshot.into_inner();
        let state = postcard::from_bytes(&bytes)
            .map_err(|error| StorageIOError::read_snapshot(Some(meta.signature()), &error))?;
        self.disk.files().snapshot = Some(Snapshot { meta: meta.clone(), bytes });
        *self.state() = state;
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<openraft::Snapshot<Types>>, StorageError<u32>> {
        Ok(self.disk.files().snapshot.as_ref().map(Snapshot::opened))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_what_was_applied() {
        let mut state = State::default();
        state.registers.apply(&Operation::write(1, 2)).unwrap();
        state.registers.apply(&Operation::write("1", Value::Nil)).unwrap();
        let disk = Arc::new(Disk::default());
        let bytes = postcard::to_stdvec(&state).expect("all of it can be written");
        let meta = SnapshotMeta {
            last_log_id: None,
            last_membership: StoredMembership::default(),
            snapshot_id: String::new(),
        };
        disk.files().snapshot = Some(Snapshot { meta, bytes });
        let opened = Applied::open(disk).expect("it can be read again");
        assert_eq!(opened.state().registers, state.registers);
        assert_eq!(opened.read(&Value::Int(1)), Value::Int(2));
    }
}
