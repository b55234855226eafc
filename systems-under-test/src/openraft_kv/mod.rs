//! `openraft-kv`: keyed registers replicated by the crate openraft, as a program over tokio and `turmoil::net` that knows nothing of
//! squall's `Env`.
//!
//! The store itself is [`openraft_store`](crate::openraft_store); here is what carries it.

#[cfg(feature = "openraft")]
mod host;
#[cfg(feature = "openraft")]
mod runtime;

#[cfg(feature = "openraft")]
use squall::{
    Reply, Result,
    environment::{Change, Guest, Machine},
};
use squall::{
    catalogue::{Bug, SystemEntry},
    plan::{FaultClass, Promise, Tolerates},
    simulators::AnySystem,
};
use squall_checkers::operation::Interface;
#[cfg(feature = "openraft")]
use squall_checkers::operation::Operation;
use squall_workloads::settings::SettingsReader;

use crate::openraft_store::{COMMIT_NOT_SAVED, LEADER_LOCAL_READ, Mistake};
#[cfg(feature = "openraft")]
use crate::openraft_store::{client::Session, replica};

/// The entry in the catalogue.
pub(crate) const ENTRY: SystemEntry = SystemEntry {
    name: NAME,
    summary: "registers replicated by openraft, on tokio and turmoil's network as they are: leader reads, snapshots",
    workload: "register",
    settings: &[],
    defaults: &[],
    bugs: &[
        LEADER_LOCAL_READ,
        Bug {
            name: "ack-before-sync",
            summary: "a replica says that log entries are on its disk a quarter of a second before they are",
            trigger: "crashes of a majority within that time",
            workload: None,
            nemesis: None,
            // A majority goes back to the state before an acknowledged write.
            anomalies: &["lost-acknowledged-write", "lost-write", "lost-update", "stale-read", "new-old-inversion"],
        },
        COMMIT_NOT_SAVED,
    ],
    build: |bug, settings| {
        SettingsReader::new(NAME, settings, &[])?;
        Ok(build(bug.map(Mistake::of)))
    },
};

const NAME: &str = "openraft-kv";

/// Linearizable and durable whatever happens to network and machines, but for wiped and rotten disks. Its messages have no checksum
/// of their own, since streams do.
fn promise() -> Promise {
    let breaks = [FaultClass::BitRot, FaultClass::Wipe, FaultClass::Corrupt];
    Promise::new(Interface::REGISTER, "linearizable").tolerating(Tolerates::all_but(&breaks)).changing_members()
}

/// The store.
#[cfg(feature = "openraft")]
struct OpenraftKv {
    mistake: Option<Mistake>,
}

#[cfg(feature = "openraft")]
impl Guest for OpenraftKv {
    type Client = Session<host::OnTurmoil>;

    fn promise(&self) -> Promise {
        promise()
    }

    async fn serve(&self, machine: Machine) -> Result<()> {
        replica::run(host::OnTurmoil(machine), self.mistake).await
    }

    async fn connect(&self, machine: &Machine) -> Result<Self::Client> {
        Ok(Session::new(host::OnTurmoil(machine.clone()), machine.home()))
    }

    async fn invoke(&self, session: &mut Self::Client, _: &Machine, operation: &Operation) -> Result<Reply> {
        session.ask(operation).await
    }

    async fn reconfigure(&self, machine: &Machine, change: Change) -> Result<()> {
        Session::new(host::OnTurmoil(machine.clone()), machine.home()).ask(&change).await.map(|_| ())
    }
}

#[cfg(feature = "openraft")]
fn build(mistake: Option<Mistake>) -> Box<dyn AnySystem> {
    Box::new(squall::simulators::InTurmoil::new(OpenraftKv { mistake }))
}

#[cfg(not(feature = "openraft"))]
fn build(_: Option<Mistake>) -> Box<dyn AnySystem> {
    Box::new(squall::simulators::Absent {
        system: NAME,
        promise: promise(),
        home: squall::simulators::Simulator::Turmoil,
        needs: "the feature `openraft` of the crate `squall-systems`",
    })
}
