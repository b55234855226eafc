//! A plan: all that shall happen in one run, as plain data that no simulator is known to.

pub mod case;
pub(crate) mod documents;
pub mod draw;
pub mod fault;
pub mod file;
pub mod latencies;
pub mod promise;
pub mod reach;
pub mod target;
pub mod valid;

use serde::{Deserialize, Serialize};
use squall_checkers::operation::Operation;
pub use squall_workloads::{random::Stream, workload::Settings};

pub use self::{
    fault::{Fault, FaultClass, FaultKind, Loss, Shape},
    latencies::{Latencies, Latency},
    promise::{Promise, Tolerates},
    reach::{Reach, Reaches},
    target::Target,
};

/// Nanoseconds in a microsecond.
pub const MICROSECOND: u64 = 1_000;
/// Nanoseconds in a millisecond.
pub const MILLISECOND: u64 = 1_000_000;
/// Nanoseconds in a second.
pub const SECOND: u64 = 1_000_000_000;

/// A replica of the system under test, counted from 0. Clients are numbered after the replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeId(pub u32);

impl std::fmt::Display for NodeId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "n{}", self.0)
    }
}

/// All that shall happen in one run. A plan and a binary decide every event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Decides what the plan leaves open: latencies, the fate of single messages, the nodes' own random draws.
    pub seed: u64,
    /// The system, as the command line names it: `raft-rs-kv` or `raft-rs-kv:ack-before-fsync`.
    pub system: String,
    /// Settings of the system.
    #[serde(default)]
    pub settings: Settings,
    /// The machines.
    pub cluster: Cluster,
    /// What the clients do.
    pub workload: WorkloadPlan,
    /// How long each phase lasts.
    pub phases: Phases,
    /// What goes wrong. Ids are unique; all end by the end of the chaos phase.
    pub faults: Vec<Fault>,
}

/// The machines and the network between them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    /// Number of replicas.
    pub nodes: u32,
    /// Number of clients; each is a machine of its own.
    pub clients: u32,
    /// One-way latency of a message, drawn uniformly.
    pub latency: Latencies,
}

/// What the clients do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkloadPlan {
    /// Name of the workload in the catalogue. It judges the history also when the operations are a script.
    pub name: String,
    /// Its settings.
    #[serde(default)]
    pub settings: Settings,
    /// After this long a client gives an operation up; its outcome is then unknown, and its process retires.
    pub timeout_ns: u64,
    /// Where the operations come from.
    pub operations: Operations,
}

/// Where the operations come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Operations {
    /// Each client asks the workload for its next operation.
    Generated {
        /// Mean time between the invocations of one client.
        interval_ns: u64,
        /// When a client's operation is still open at the next one's time: wait for it (closed), or open another process (open).
        load: Load,
        /// At most this many operations in all, final reads not counted.
        limit: u32,
    },
    /// Exactly these operations, in the order of `invoked_ns`.
    Script(Vec<Scripted>),
}

/// Whether a slow reply holds back the client's next operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Load {
    /// It does.
    Closed,
    /// It does not: the client uses as many processes as it has operations open.
    Open,
    /// Open, and at times the clients ask more often.
    Bursts(Bursts),
}

/// Times at which clients ask more often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bursts {
    /// From the beginning of one to that of the next. The first begins after one such time, but for its own length.
    pub every_ns: u64,
    /// How long each lasts.
    pub lasts_ns: u64,
    /// How many times as often clients ask meanwhile.
    pub factor: u32,
}

impl Load {
    /// The mean time between the invocations of one client at this time, when it is `interval_ns` in calm.
    #[inline]
    pub fn interval_ns(self, interval_ns: u64, now: u64) -> u64 {
        match self {
            Load::Bursts(Bursts { every_ns, lasts_ns, factor }) if now % every_ns + lasts_ns >= every_ns => {
                (interval_ns / u64::from(factor)).max(1)
            }
            _ => interval_ns,
        }
    }
}

/// One operation of a script, with the times it had in the run it was taken from.
///
/// It is invoked no earlier than `invoked_ns`, and not before every scripted operation that had replied by then
/// (`replied_ns <= invoked_ns`) is complete in this run too: the script keeps the order of replies, which is what an anomaly
/// is made of, when latencies shift. Deleting any entry leaves a well-formed script.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scripted {
    /// The client machine that asks.
    pub client: u32,
    /// The process; operations of one process are never concurrent.
    pub process: u32,
    /// The replica the process prefers; `client % nodes` when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub home: Option<u32>,
    /// When it was asked.
    pub invoked_ns: u64,
    /// When its reply came; `None` when none came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replied_ns: Option<u64>,
    /// What was asked.
    pub operation: Operation,
}

/// How long each phase lasts. The phases follow one another; then every replica is read, and the run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Phases {
    /// Faults strike.
    pub chaos_ns: u64,
    /// All faults have ended; the system recovers, the clients go on.
    pub settle_ns: u64,
    /// Whether every replica is read at the end.
    pub final_reads: bool,
}

/// The hash behind every decision of a run: a folded 64x64 to 128 bit multiplication, twice (the step of wyhash).
#[inline]
pub fn mix(a: u64, b: u64) -> u64 {
    fold(fold(a ^ 0xA076_1D64_78BD_642F, b ^ 0xE703_7ED1_A0B4_28DB), 0x8EBC_6AF0_9C88_C6E3)
}

/// One folded multiplication.
#[inline]
pub fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

/// The next 64 random bits of a generator whose state is one word.
#[inline]
pub fn next_random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    fold(*state, 0xE703_7ED1_A0B4_28DB ^ *state)
}

/// Scales 64 random bits to `0..span` without division; 0 when `span` is 0.
#[inline]
pub fn scale(bits: u64, span: u64) -> u64 {
    ((u128::from(bits) * u128::from(span)) >> 64) as u64
}
