//! `madsim-etcd`: the etcd that madsim simulates (crate `madsim-etcd-client`), under clients who use it as a store of registers and
//! as a lock. Nobody here wrote either side of its wire.
//!
//! It is one server, and all in memory: a crash takes everything, which it does not promise to survive. A lock is an election on a
//! lease, as etcd's own recipe has it; a holder is safe as long as its lease outlives every partition.

#[cfg(all(feature = "etcd", madsim))]
mod store;

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
    summary: "madsim's simulated etcd as it is: registers, and a lock by election on a lease; one server, in memory",
    workload: "register",
    settings: &[],
    defaults: &[],
    bugs: &[
        Bug {
            name: "cas-by-hand",
            summary: "a cas reads, compares and puts, instead of asking for a transaction",
            trigger: "two clients that compare at once; no fault is needed",
            workload: None,
            nemesis: None,
            anomalies: &["lost-update", "lost-write", "stale-read", "new-old-inversion", "non-linearizable"],
        },
        Bug {
            name: "short-lease",
            summary: "the lease of a lock is a second, which its holder may need longer; shows in the workload `lock`",
            trigger: "a partition between a holder and the server that is longer than that",
            workload: None,
            nemesis: None,
            anomalies: &["double-acquire", "non-linearizable"],
        },
    ],
    build: |bug, settings| {
        SettingsReader::new(NAME, settings, &[])?;
        Ok(build(bug.map(|bug| match bug {
            "cas-by-hand" => Mistake::CasByHand,
            "short-lease" => Mistake::ShortLease,
            _ => unreachable!("`{bug}` is not in the entry"),
        })))
    },
};

const NAME: &str = "madsim-etcd";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mistake {
    CasByHand,
    ShortLease,
}

/// Linearizable whatever happens to network and clocks, as long as the one server lives. Not live: a lock whose holder went away
/// stays locked until its lease ends.
fn promise() -> Promise {
    let survives = [FaultClass::Partition, FaultClass::Drop, FaultClass::Delay, FaultClass::Pause];
    let mut promise = Promise::new(Interface::REGISTER, "linearizable").tolerating(Tolerates::these(&survives)).on(1);
    promise.interfaces.push(Interface::MUTEX);
    // There is one replica.
    promise.convergent = false;
    promise.live = false;
    promise
}

#[cfg(all(feature = "etcd", madsim))]
fn build(mistake: Option<Mistake>) -> Box<dyn AnySystem> {
    Box::new(squall::simulators::InMadsim::new(store::Etcd { mistake }))
}

#[cfg(not(all(feature = "etcd", madsim)))]
fn build(_: Option<Mistake>) -> Box<dyn AnySystem> {
    Box::new(squall::simulators::Absent {
        system: NAME,
        promise: promise(),
        home: squall::simulators::Simulator::Madsim,
        needs: "the feature `etcd` of the crate `squall-systems`, and `--cfg madsim` in the `rustflags` of `.cargo/config.toml`",
    })
}
