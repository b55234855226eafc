//! `redb-store`: the embedded database of that name on the simulated disk, asked by clients over streams.
//!
//! Replica 0 keeps the database; there is no other. Each operation is one transaction of redb, and what it wrote is on the disk
//! before its client hears of it: so what redb says of committed transactions (durable and atomic, whenever the power goes) is
//! what the clients see.

mod backend;
mod effects;

use std::collections::BTreeMap;

use redb::{Database, Durability, ReadOnlyTable, ReadableDatabase, ReadableTable, TableDefinition, TableError};
use squall::{
    Env, Promise, Reply, Result, System,
    catalogue::{Bug, SystemEntry},
    environment::Stream,
    plan::NodeId,
};
use squall_checkers::{
    operation::{Interface, Operation},
    value::Value,
};
use squall_workloads::settings::SettingsReader;

use self::{
    backend::Backend,
    effects::{Cells, Speech, effects},
};
use crate::desk;

/// The entry in the catalogue.
pub(crate) const ENTRY: SystemEntry = SystemEntry {
    name: "redb-store",
    summary: "the embedded database redb on the simulated disk of one replica; each operation is one of its transactions",
    workload: "rw-register",
    settings: &[],
    // A page that few commits write keeps for long what happened to it.
    defaults: &[("keys", "20")],
    bugs: &[
        Bug {
            name: "no-durability",
            summary: "transactions are committed without durability, and acknowledged",
            trigger: "a crash",
            workload: Some("register"),
            nemesis: None,
            anomalies: &["lost-acknowledged-write", "lost-write", "stale-read", "new-old-inversion"],
        },
        Bug {
            name: "commit-per-write",
            summary: "each write of a transaction is committed by itself",
            trigger: "a crash between two of them",
            workload: Some("bank"),
            nemesis: None,
            anomalies: &["wrong-total"],
        },
        Bug {
            name: "failed-sync-trusted",
            summary: "after a sync that failed the database is opened again as the file reads",
            trigger: "a failed sync, then a power loss",
            workload: Some("register"),
            nemesis: None,
            // What the failed sync did not save is gone although the next transactions were built upon it.
            anomalies: &["lost-acknowledged-write", "lost-write", "stale-read", "new-old-inversion", "no-progress"],
        },
    ],
    build: |bug, settings| {
        SettingsReader::new("redb-store", settings, &[])?;
        let mistake = bug.map(|bug| match bug {
            "no-durability" => Mistake::NoDurability,
            "commit-per-write" => Mistake::CommitPerWrite,
            "failed-sync-trusted" => Mistake::FailedSyncTrusted,
            _ => unreachable!("`{bug}` is not in the entry"),
        });
        Ok(Box::new(Redb { speech: Speech::Registers, mistake }))
    },
};

/// What can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mistake {
    NoDurability,
    CommitPerWrite,
    FailedSyncTrusted,
}

/// The store: settings only.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Redb {
    speech: Speech,
    mistake: Option<Mistake>,
}

/// Who keeps the database.
const KEEPER: NodeId = NodeId(0);
const PORT: u16 = 1;
/// Keys and values as postcard writes them.
const TABLE: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("cells");
/// Bytes of each value, most of them zeros: about one row to a page of redb's. So a commit leaves most pages as they are, and what
/// happened to them earlier shows.
const ROW_BYTES: usize = 2_500;
/// Bytes that redb may keep of its file: the image is in memory anyway.
const CACHE_BYTES: usize = 1 << 20;

impl System for Redb {
    type Client = Option<Stream>;

    /// There are no other replicas to agree with.
    fn promise(&self) -> Promise {
        let promise = Promise { convergent: false, ..Promise::new(Interface::RW_REGISTER, "linearizable") };
        promise.serving(&Speech::INTERFACES).on(1)
    }

    fn speaking(&self, interface: &Interface) -> Option<Self> {
        Some(Redb { speech: Speech::of(interface), ..*self })
    }

    async fn serve(&self, env: Env) -> Result<()> {
        if env.me() != KEEPER {
            return std::future::pending().await;
        }
        let backend = Backend::open(&env, !self.is(Mistake::FailedSyncTrusted)).await?;
        let database = Database::builder().set_cache_size(CACHE_BYTES).create_with_backend(backend.clone())?;
        backend.carry_out().await?;
        let mut asked = desk::open(&env, PORT)?;
        while let Some((operation, answer)) = asked.recv().await {
            let reply = match effects(self.speech, &operation, &Committed(&database))? {
                Ok(effects) => {
                    self.commit(&database, &backend, &effects.writes).await?;
                    Ok(effects.reply)
                }
                Err(why) => Err(why),
            };
            drop(answer.send(reply));
        }
        Ok(())
    }

    async fn connect(&self, _: &Env) -> Result<Option<Stream>> {
        Ok(None)
    }

    async fn invoke(&self, session: &mut Option<Stream>, env: &Env, operation: &Operation) -> Result<Reply> {
        desk::ask(session, env, KEEPER, PORT, operation).await
    }
}

impl Redb {
    fn is(self, mistake: Mistake) -> bool {
        self.mistake == Some(mistake)
    }

    /// Commits the writes together. They are on the disk when this returns.
    async fn commit(self, database: &Database, backend: &Backend, writes: &[(Value, Value)]) -> Result<()> {
        let together = if self.is(Mistake::CommitPerWrite) { 1 } else { writes.len().max(1) };
        for writes in writes.chunks(together) {
            let mut transaction = database.begin_write()?;
            if self.is(Mistake::NoDurability) {
                transaction.set_durability(Durability::None)?;
            }
            {
                let mut table = transaction.open_table(TABLE)?;
                for (key, value) in writes {
                    let mut row = postcard::to_stdvec(value)?;
                    row.resize(row.len().max(ROW_BYTES), 0);
                    table.insert(&*postcard::to_stdvec(key)?, &*row)?;
                }
            }
            transaction.commit()?;
            backend.carry_out().await?;
        }
        Ok(())
    }
}

/// The table as it was committed.
type CommittedTable = ReadOnlyTable<&'static [u8], &'static [u8]>;

/// What is committed.
struct Committed<'d>(&'d Database);

impl Committed<'_> {
    /// What `read` yields of the table; `T`'s default while there is none.
    fn read<T: Default>(&self, read: impl FnOnce(CommittedTable) -> Result<T>) -> Result<T> {
        match self.0.begin_read()?.open_table(TABLE) {
            Err(TableError::TableDoesNotExist(_)) => Ok(T::default()),
            table => read(table?),
        }
    }
}

impl Cells for Committed<'_> {
    fn get(&self, key: &Value) -> Result<Value> {
        self.read(|table| {
            let value = table.get(&*postcard::to_stdvec(key)?)?;
            value.map_or(Ok(Value::Nil), |value| Ok(postcard::from_bytes(value.value())?))
        })
    }

    fn all(&self) -> Result<BTreeMap<Value, Value>> {
        self.read(|table| {
            let decoded = table.iter()?.map(|entry| {
                let (key, value) = entry?;
                Ok((postcard::from_bytes(key.value())?, postcard::from_bytes(value.value())?))
            });
            decoded.collect()
        })
    }
}
