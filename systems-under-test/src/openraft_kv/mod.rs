//! `openraft-kv`: keyed registers replicated by the crate openraft, which nobody here wrote, as a program over tokio and
//! `turmoil::net` that knows nothing of squall's `Env`.
//!
//! Raft is due to Ongaro & Ousterhout, "In Search of an Understandable Consensus Algorithm" (ATC 2014). What stands here is what a
//! host must add: log and vote on a disk, snapshots, the wire, the state machine, and clients who go to the leader.

#[cfg(feature = "openraft")]
mod client;
#[cfg(feature = "openraft")]
mod disk;
#[cfg(feature = "openraft")]
mod machine;
#[cfg(feature = "openraft")]
mod replica;
#[cfg(feature = "openraft")]
mod runtime;
#[cfg(feature = "openraft")]
mod wire;

use squall::{
    catalogue::{Bug, SystemEntry},
    plan::{FaultClass, Promise, Tolerates},
    simulators::AnySystem,
};
use squall_checkers::operation::Interface;
use squall_workloads::settings::SettingsReader;

/// The entry in the catalogue.
pub(crate) const ENTRY: SystemEntry = SystemEntry {
    name: NAME,
    summary: "registers replicated by openraft, on tokio and turmoil's network as they are: leader reads, snapshots",
    workload: "register",
    settings: &[],
    defaults: &[],
    bugs: &[
        Bug {
            name: "leader-local-read",
            summary: "a leader answers reads from its own state, without asking whether it still leads",
            trigger: "a leader cut off from the others while clients still reach it",
            workload: None,
            anomalies: &["stale-read", "new-old-inversion"],
        },
        Bug {
            name: "ack-before-sync",
            summary: "a replica says that log entries are on its disk a quarter of a second before they are",
            trigger: "crashes of a majority within that time",
            workload: None,
            // A majority goes back to the state before an acknowledged write.
            anomalies: &["lost-acknowledged-write", "lost-write", "lost-update", "stale-read", "new-old-inversion"],
        },
        Bug {
            name: "commit-not-saved",
            summary: "how far the log was committed is not written to disk, which openraft's interface leaves open",
            trigger: "a leader that crashes and is back before another one is elected",
            workload: None,
            // It leads on at once, and reads are linearizable to it from its term's first entry on.
            anomalies: &["stale-read", "new-old-inversion"],
        },
    ],
    build: |bug, settings| {
        SettingsReader::new(NAME, settings, &[])?;
        Ok(build(bug.map(|bug| match bug {
            "leader-local-read" => Mistake::LeaderLocalRead,
            "ack-before-sync" => Mistake::AckBeforeSync,
            "commit-not-saved" => Mistake::CommitNotSaved,
            _ => unreachable!("`{bug}` is not in the entry"),
        })))
    },
};

const NAME: &str = "openraft-kv";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mistake {
    LeaderLocalRead,
    AckBeforeSync,
    CommitNotSaved,
}

/// Linearizable and durable whatever happens to network and machines, but for wiped and rotten disks. Its messages have no checksum
/// of their own, since streams do.
fn promise() -> Promise {
    let breaks = [FaultClass::BitRot, FaultClass::Wipe, FaultClass::Corrupt];
    Promise::new(Interface::REGISTER, "linearizable").tolerating(Tolerates::all_but(&breaks))
}

#[cfg(feature = "openraft")]
fn build(mistake: Option<Mistake>) -> Box<dyn AnySystem> {
    Box::new(squall::simulators::InTurmoil::new(client::OpenraftKv { mistake }))
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
