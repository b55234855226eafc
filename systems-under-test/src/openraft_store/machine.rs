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
use tokio::sync::Notify;

use super::{
    host::{Host, Kind},
    storage::{Change, Snapshot, Storage},
};
use crate::objects::Objects;

/// What has been applied so far. Not in JSON: the keys of its maps are strings, and registers have keys of every kind.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct State {
    applied: Option<LogId<u32>>,
    membership: StoredMembership<u32, EmptyNode>,
    registers: Objects,
}

impl Snapshot {
    fn opened<C: Kind>(&self) -> openraft::Snapshot<C> {
        openraft::Snapshot { meta: self.meta.clone(), snapshot: Box::new(Cursor::new(self.bytes.clone())) }
    }
}

/// The state machine. Clones are of one.
pub(crate) struct Applied<H: Host> {
    state: Arc<Mutex<State>>,
    /// Told whenever the state is another.
    changed: Arc<Notify>,
    storage: Storage<H>,
}

impl<H: Host> Clone for Applied<H> {
    fn clone(&self) -> Self {
        Applied { state: self.state.clone(), changed: self.changed.clone(), storage: self.storage.clone() }
    }
}

impl<H: Host> Applied<H> {
    /// The state of the last snapshot that was saved.
    pub(super) fn open(storage: Storage<H>) -> Result<Self, postcard::Error> {
        let snapshot = storage.files().snapshot.clone();
        let state = snapshot.map_or_else(|| Ok(State::default()), |snapshot| postcard::from_bytes(&snapshot.bytes))?;
        Ok(Applied { state: Arc::new(Mutex::new(state)), changed: Arc::default(), storage })
    }

    /// Saves a snapshot.
    async fn save(&self, snapshot: Snapshot) -> Result<(), StorageError<u32>> {
        let signature = snapshot.meta.signature();
        let saved = self.storage.save(Change::Snapshot(snapshot)).await;
        Ok(saved.map_err(|error| StorageIOError::write_snapshot(Some(signature), &error))?)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the log is applied up to here.
    pub(super) async fn reaches(&self, upto: Option<LogId<u32>>) {
        loop {
            let changed = self.changed.notified();
            if self.state().applied >= upto {
                return;
            }
            changed.await;
        }
    }

    /// The value of a register.
    pub(super) fn read(&self, key: &Value) -> Value {
        self.state().registers.look(&Operation::read(key.clone())).unwrap_or_default()
    }
}

impl<H: Host> RaftSnapshotBuilder<H::Types> for Applied<H> {
    async fn build_snapshot(&mut self) -> Result<openraft::Snapshot<H::Types>, StorageError<u32>> {
        let state = self.state().clone();
        let bytes = postcard::to_stdvec(&state).map_err(|error| StorageIOError::read_state_machine(&error))?;
        let meta = SnapshotMeta {
            last_log_id: state.applied,
            last_membership: state.membership,
            snapshot_id: state.applied.map_or_else(String::new, |id| format!("{id}")),
        };
        let snapshot = Snapshot { meta, bytes };
        let opened = snapshot.opened();
        self.save(snapshot).await?;
        Ok(opened)
    }
}

impl<H: Host> RaftStateMachine<H::Types> for Applied<H> {
    type SnapshotBuilder = Self;

    async fn applied_state(
        &mut self,
    ) -> Result<(Option<LogId<u32>>, StoredMembership<u32, EmptyNode>), StorageError<u32>> {
        let state = self.state();
        Ok((state.applied, state.membership.clone()))
    }

    async fn apply<I>(&mut self, entries: I) -> Result<Vec<Value>, StorageError<u32>>
    where
        I: IntoIterator<Item = Entry<H::Types>> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let mut state = self.state();
        let apply = |entry: Entry<H::Types>| {
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
        let replies = entries.into_iter().map(apply).collect();
        self.changed.notify_waiters();
        Ok(replies)
    }

    async fn get_snapshot_builder(&mut self) -> Self {
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
        self.save(Snapshot { meta: meta.clone(), bytes }).await?;
        *self.state() = state;
        self.changed.notify_waiters();
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<openraft::Snapshot<H::Types>>, StorageError<u32>> {
        Ok(self.storage.files().snapshot.as_ref().map(Snapshot::opened))
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
        let bytes = postcard::to_stdvec(&state).expect("all of it can be written");
        let read: State = postcard::from_bytes(&bytes).expect("it can be read again");
        assert_eq!(read.registers, state.registers);
    }
}
