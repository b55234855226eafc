//! `openraft-env`: keyed registers replicated by the crate openraft, over squall's `Env`: on every simulator, with disks that tear and
//! clocks that drift.
//!
//! The store itself is [`openraft_store`](crate::openraft_store); here is what carries it. openraft asks for its runtime by a trait,
//! which `Env` can be put behind: so may any library that does.

#[cfg(feature = "openraft")]
mod host;
#[cfg(feature = "openraft")]
mod runtime;

#[cfg(feature = "openraft")]
use squall::{Env, Reply, Result, System, environment::Change};
use squall::{
    catalogue::{Bug, SystemEntry},
    plan::Promise,
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
    summary: "registers replicated by openraft, its runtime an `Env`: leader reads, snapshots, a journal on the disk",
    workload: "register",
    settings: &[],
    defaults: &[],
    bugs: &[
        LEADER_LOCAL_READ,
        Bug {
            name: "ack-before-sync",
            summary: "a replica says that log entries are on its disk a quarter of a second before they are",
            trigger: "a power loss within that time",
            workload: None,
            nemesis: None,
            // A leader that finds entries gone which a replica said it had panics, by openraft's design. Where it is a majority that
            // goes back to the state before an acknowledged write, no leader finds anything.
            anomalies: &[
                "panic",
                "lost-acknowledged-write",
                "lost-write",
                "lost-update",
                "stale-read",
                "new-old-inversion",
            ],
        },
        COMMIT_NOT_SAVED,
    ],
    build: |bug, settings| {
        SettingsReader::new(NAME, settings, &[])?;
        Ok(build(bug.map(Mistake::of)))
    },
};

const NAME: &str = "openraft-env";

/// Linearizable and durable, under every fault but bit rot and wiped disks: what goes over streams arrives as it was sent, and
/// records of the journal have checksums.
fn promise() -> Promise {
    Promise::new(Interface::REGISTER, "linearizable").changing_members()
}

/// The store.
#[cfg(feature = "openraft")]
struct OpenraftEnv {
    mistake: Option<Mistake>,
}

#[cfg(feature = "openraft")]
impl System for OpenraftEnv {
    type Client = Session<host::OnEnv>;

    fn promise(&self) -> Promise {
        promise()
    }

    async fn serve(&self, env: Env) -> Result<()> {
        runtime::on(env.clone(), replica::run(host::OnEnv(env), self.mistake)).await
    }

    async fn connect(&self, env: &Env) -> Result<Self::Client> {
        Ok(Session::new(host::OnEnv(env.clone()), env.home()))
    }

    async fn invoke(&self, session: &mut Self::Client, _: &Env, operation: &Operation) -> Result<Reply> {
        session.ask(operation).await
    }

    async fn reconfigure(&self, env: &Env, change: Change) -> Result<()> {
        Session::new(host::OnEnv(env.clone()), env.home()).ask(&change).await.map(|_| ())
    }
}

#[cfg(feature = "openraft")]
fn build(mistake: Option<Mistake>) -> Box<dyn AnySystem> {
    Box::new(OpenraftEnv { mistake })
}

#[cfg(not(feature = "openraft"))]
fn build(_: Option<Mistake>) -> Box<dyn AnySystem> {
    Box::new(squall::simulators::Absent {
        system: NAME,
        promise: promise(),
        home: squall::simulators::Simulator::Native,
        needs: "the feature `openraft` of the crate `squall-systems`",
    })
}
