//! Keyed registers replicated by the crate openraft, which nobody here wrote: all that a host must add to it, but for the host.
//!
//! Raft is due to Ongaro & Ousterhout, "In Search of an Understandable Consensus Algorithm" (ATC 2014). What stands here is the log
//! and its vote, snapshots, the state machine, what goes over the wire, and clients who go to the leader. Two hosts carry it:
//! `openraft-env` on squall's `Env`, and `openraft-kv` on tokio and `turmoil::net`.

#[cfg(feature = "openraft")]
pub(crate) mod client;
#[cfg(feature = "openraft")]
pub(crate) mod host;
#[cfg(feature = "openraft")]
pub(crate) mod machine;
#[cfg(feature = "openraft")]
pub(crate) mod replica;
#[cfg(feature = "openraft")]
pub(crate) mod storage;
#[cfg(feature = "openraft")]
mod wire;

use squall::catalogue::Bug;

/// What can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mistake {
    LeaderLocalRead,
    AckBeforeSync,
    CommitNotSaved,
}

impl Mistake {
    /// The mistake of this name.
    pub(crate) fn of(bug: &str) -> Self {
        match bug {
            "leader-local-read" => Mistake::LeaderLocalRead,
            "ack-before-sync" => Mistake::AckBeforeSync,
            "commit-not-saved" => Mistake::CommitNotSaved,
            _ => unreachable!("`{bug}` is not in the entry"),
        }
    }
}

/// For the catalogue; `ack-before-sync` shows on each host in its own way.
pub(crate) const LEADER_LOCAL_READ: Bug = Bug {
    name: "leader-local-read",
    summary: "a leader answers reads from its own state, without asking whether it still leads",
    trigger: "a leader cut off from the others while clients still reach it",
    workload: None,
    nemesis: None,
    anomalies: &["stale-read", "new-old-inversion"],
};

/// For the catalogue.
pub(crate) const COMMIT_NOT_SAVED: Bug = Bug {
    name: "commit-not-saved",
    summary: "how far the log was committed is not written to disk, which openraft's interface leaves open",
    trigger: "a leader that crashes and is back before another one is elected",
    workload: None,
    nemesis: None,
    // It leads on at once, and reads are linearizable to it from its term's first entry on.
    anomalies: &["stale-read", "new-old-inversion"],
};
