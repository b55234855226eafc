//! `raft-rs-kv`: objects of any kind replicated by tikv's `raft` crate, which nobody here wrote.
//!
//! Raft is due to Ongaro & Ousterhout, "In Search of an Understandable Consensus Algorithm" (ATC 2014); reads by read index,
//! sessions and pre-vote are from Ongaro's thesis (2014), 6.3, 6.4 and 9.6. The crate is the algorithm alone; what stands here
//! is what a host must add: the log on disk, recovery, the wire, the state machine, sessions and snapshots.

mod replica;
mod saved;
mod storage;
mod torn;
mod wire;

use std::{io, time::Duration};

use squall::{
    catalogue::{Bug, SystemEntry},
    environment::{Change, Checked, Context, Node, RequestId},
    plan::{NodeId, Promise},
};
use squall_checkers::operation::{Interface, Operation};
use squall_workloads::settings::SettingsReader;

use self::{replica::Replica, wire::Wire};
use crate::objects::Objects;

/// The entry in the catalogue.
pub(crate) const ENTRY: SystemEntry = SystemEntry {
    name: "raft-rs-kv",
    summary: "objects of any kind replicated by tikv's raft crate: read index, sessions, snapshots, a journal on disk",
    workload: "register",
    settings: &[],
    defaults: &[],
    bugs: &[
        Bug {
            name: "leader-local-read",
            summary: "a leader answers reads from its own state, and neither read index nor check-quorum asks whether it leads",
            trigger: "a leader cut off from the others while clients still reach it",
            workload: None,
            nemesis: None,
            // It reads what the others have overwritten; the overwrite was acknowledged, or seen by a read at the new leader. No
            // write is lost.
            anomalies: &[
                "stale-read",
                "new-old-inversion",
                "counter-out-of-bounds",
                "non-linearizable",
                "g-single-realtime",
                "g-nonadjacent-realtime",
            ],
        },
        Bug {
            name: "ack-before-fsync",
            summary: "replicas acknowledge what they have written and sync it later, up to a second",
            trigger: "power loss at a majority within that second",
            workload: None,
            nemesis: None,
            // A majority goes back to the state before an acknowledged write.
            anomalies: ANOMALIES_OF_LOSS,
        },
        Bug {
            name: "hard-state-not-persisted",
            summary: "term and vote are not written to disk: a restarted replica starts again in term 0 and votes again",
            trigger: "restarts of a majority, which then elects a leader in a term that was used before",
            workload: None,
            nemesis: None,
            // Entries of the first leader of the term pass for the second one's own: they are kept where others were
            // committed, and after a restart its commit index, which is that of a snapshot, passes for confirmed: old values are
            // read.
            anomalies: ANOMALIES_OF_LOSS,
        },
        Bug {
            name: "members-at-once",
            summary: "a leader that is asked to change the members goes by the new ones at once, before a majority knows of them",
            trigger: "a leader cut off from the others and asked to remove them",
            workload: None,
            nemesis: Some("membership"),
            anomalies: ANOMALIES_OF_SPLIT,
        },
        Bug {
            name: "torn-reads",
            summary: "a read of several keys takes one half of them at once, and the other half a tick later",
            trigger: "none but an update of both halves in between",
            workload: Some("bank"),
            nemesis: None,
            // Half of an update is seen, and the sum is wrong; two halves see two updates in opposite orders; what was complete
            // before the late half was taken is missing in the early one.
            anomalies: &[
                "wrong-total",
                "non-repeatable-read",
                "phantom",
                "fractured-read",
                "g-single",
                "g-single-process",
                "g-single-realtime",
                "g-nonadjacent",
                "long-fork",
                "g2-item",
                "write-skew",
                "non-serializable",
            ],
        },
    ],
    build: |bug, settings| {
        SettingsReader::new("raft-rs-kv", settings, &[])?;
        let mistake = bug.map(|bug| match bug {
            "leader-local-read" => Mistake::LeaderLocalRead,
            "ack-before-fsync" => Mistake::AckBeforeFsync,
            "hard-state-not-persisted" => Mistake::HardStateNotPersisted,
            "members-at-once" => Mistake::MembersAtOnce,
            "torn-reads" => Mistake::TornReads,
            _ => unreachable!("`{bug}` is not in the entry"),
        });
        Ok(Box::new(RaftRsKv { mistake, objects: Objects::default(), replica: None }))
    },
};

/// How a committed write that is gone can show: no final read knows of it, or no read at all; a cas succeeds on the value that it
/// had replaced; a read returns that value, after the write was acknowledged or after it was seen. Checkers cannot tell a state
/// that went back from one that lags behind, so the loss is a stale read where the write had been seen, or another one followed.
const ANOMALIES_OF_LOSS: &[&str] = &[
    "lost-acknowledged-write",
    "lost-write",
    "lost-update",
    "stale-read",
    "new-old-inversion",
    // The same of a lock, of ids, and of a queue: what was handed out or taken is there again, what was put in is gone.
    "stale-token",
    "double-acquire",
    "duplicated-id",
    "duplicated-element",
    "lost-element",
    "reordered-elements",
    "false-empty",
];

/// How two leaders of two halves show, of which each commits for itself: values of one half are read after those of the other, and
/// what one half acknowledged is lost. Where logs contradict each other in what was committed, replicas stop, and nobody goes on.
const ANOMALIES_OF_SPLIT: &[&str] = &[
    "stale-read",
    "new-old-inversion",
    "lost-acknowledged-write",
    "lost-write",
    "lost-update",
    "non-linearizable",
    "no-progress",
];

/// The unit of raft's timeouts: elections after 10 to 19 ticks without a leader, a heartbeat every 2.
const TICK: Duration = Duration::from_millis(50);

/// Linearizable and durable under every fault but bit rot (a replica stops when its journal is corrupt) and wiped disks, from
/// which raft cannot recover without a change of members. Members can be changed. No clock decides anything but when to hold an
/// election.
pub(crate) struct RaftRsKv {
    mistake: Option<Mistake>,
    /// What it keeps, as it is at first.
    objects: Objects,
    /// `None` until it starts.
    replica: Option<Replica>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mistake {
    LeaderLocalRead,
    AckBeforeFsync,
    HardStateNotPersisted,
    MembersAtOnce,
    TornReads,
}

/// A clone has the same settings and has not started.
impl Clone for RaftRsKv {
    fn clone(&self) -> Self {
        RaftRsKv { mistake: self.mistake, objects: self.objects.clone(), replica: None }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Tick;

impl Node for RaftRsKv {
    type Message = Checked<Wire>;
    type Timer = Tick;

    fn promise(&self) -> Promise {
        Promise::new(Interface::REGISTER, "linearizable").serving(&Objects::INTERFACES).changing_members()
    }

    fn speaking(&self, interface: &Interface) -> Option<Self> {
        Some(RaftRsKv { mistake: self.mistake, objects: Objects::of(interface), replica: None })
    }

    fn on_start(&mut self, cx: &mut Context<'_, Self>) {
        match Replica::start(self.mistake, &self.objects, cx) {
            Ok(replica) => {
                self.replica = Some(replica);
                cx.set_timer(TICK, Tick);
            }
            Err(why) => cx.halt(why),
        }
    }

    fn on_message(&mut self, from: NodeId, Checked(wire): Checked<Wire>, cx: &mut Context<'_, Self>) {
        self.with(cx, |replica, cx| replica.on_message(from, &wire, cx));
    }

    fn on_timer(&mut self, Tick: Tick, cx: &mut Context<'_, Self>) {
        cx.set_timer(TICK, Tick);
        self.with(cx, Replica::on_tick);
    }

    fn on_request(&mut self, request: RequestId, operation: Operation, cx: &mut Context<'_, Self>) {
        self.with(cx, |replica, cx| replica.on_request(request, operation, cx));
    }

    fn on_reconfigure(&mut self, request: RequestId, change: Change, cx: &mut Context<'_, Self>) {
        self.with(cx, |replica, cx| replica.on_reconfigure(request, change, cx));
    }

    fn on_synced(&mut self, token: u64, result: io::Result<()>, cx: &mut Context<'_, Self>) {
        self.with(cx, |replica, cx| replica.on_synced(token, result, cx));
    }

    fn retry_after(&self) -> Option<Duration> {
        Some(Duration::from_millis(300))
    }
}

impl RaftRsKv {
    /// Lets the replica, if it runs, handle an input. What it cannot survive ends the process.
    fn with(
        &mut self,
        cx: &mut Context<'_, Self>,
        handler: impl FnOnce(&mut Replica, &mut Context<'_, Self>) -> Result<(), String>,
    ) {
        if let Some(replica) = &mut self.replica
            && let Err(why) = handler(replica, cx)
        {
            self.replica = None;
            cx.halt(why);
        }
    }
}
