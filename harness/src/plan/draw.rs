//! Drawing a plan from a seed.

use squall_workloads::workload::Settings;

use super::{
    Cluster, Latencies, Latency, Load, MILLISECOND, Operations, Phases, Plan, Promise, Reach, Reaches, SECOND,
    WorkloadPlan,
};
use crate::nemesis::{NemesisSelection, Scene, schedule};

/// Clients of a run.
pub const DEFAULT_CLIENTS: u32 = 5;
/// Mean time between the invocations of one client, in nanoseconds.
pub const DEFAULT_INTERVAL_NS: u64 = 125 * MILLISECOND;
/// One-way latency of messages.
pub const DEFAULT_LATENCY: Latency = Latency { min_ns: MILLISECOND, max_ns: 10 * MILLISECOND };
/// Length of the chaos phase, in nanoseconds.
pub const DEFAULT_DURATION_NS: u64 = 15 * SECOND;
/// Length of the settle phase, in nanoseconds.
pub const DEFAULT_SETTLE_NS: u64 = 5 * SECOND;
/// After this long a client gives an operation up, in nanoseconds.
pub const DEFAULT_TIMEOUT_NS: u64 = SECOND;
/// Operations of a run, final reads not counted.
pub const DEFAULT_LIMIT: u32 = 900;

/// What a campaign asks of every plan it draws; the seed decides the rest.
#[derive(Clone, Debug)]
pub struct PlanRequest {
    /// The system, as the command line names it.
    pub system: String,
    /// Its settings.
    pub settings: Settings,
    /// What it promises; every fault is drawn inside it.
    pub promise: Promise,
    /// Whom faults can strike where the plans will run; no other is drawn.
    pub reaches: Reaches,
    /// Number of replicas; the promise's own number when `None`.
    pub nodes: Option<u32>,
    /// Number of clients.
    pub clients: u32,
    /// One-way latency of messages.
    pub latency: Latencies,
    /// Length of the chaos phase, in nanoseconds.
    pub duration_ns: u64,
    /// Length of the settle phase, in nanoseconds.
    pub settle_ns: u64,
    /// Whether every replica is read at the end.
    pub final_reads: bool,
    /// Where faults come from.
    pub nemeses: NemesisSelection,
    /// Name of the workload.
    pub workload: String,
    /// Its settings.
    pub workload_settings: Settings,
    /// Mean time between the invocations of one client, in nanoseconds.
    pub interval_ns: u64,
    /// Whether a slow reply holds back the client's next operation.
    pub load: Load,
    /// At most this many operations, final reads not counted.
    pub limit: u32,
    /// After this long a client gives an operation up, in nanoseconds.
    pub timeout_ns: u64,
}

impl PlanRequest {
    /// The default plans of a system: all nemeses within its promise, and the same clients for every system.
    pub fn new(system: impl Into<String>, promise: Promise, workload: impl Into<String>) -> Self {
        PlanRequest {
            system: system.into(),
            settings: Settings::new(),
            promise,
            reaches: Reach::everywhere,
            nodes: None,
            clients: DEFAULT_CLIENTS,
            latency: DEFAULT_LATENCY.into(),
            duration_ns: DEFAULT_DURATION_NS,
            settle_ns: DEFAULT_SETTLE_NS,
            final_reads: true,
            nemeses: NemesisSelection::all(),
            workload: workload.into(),
            workload_settings: Settings::new(),
            interval_ns: DEFAULT_INTERVAL_NS,
            load: Load::Closed,
            limit: DEFAULT_LIMIT,
            timeout_ns: DEFAULT_TIMEOUT_NS,
        }
    }

    /// The plan of a seed. Everything drawn comes from a named stream of it.
    pub fn draw(&self, seed: u64) -> Plan {
        let nodes = self.nodes.unwrap_or(self.promise.nodes);
        let scene = Scene {
            nodes,
            chaos_ns: self.duration_ns,
            tolerates: &self.promise.tolerates,
            reaches: self.reaches,
            beyond: self.nemeses.beyond,
        };
        Plan {
            seed,
            system: self.system.clone(),
            settings: self.settings.clone(),
            cluster: Cluster { nodes, clients: self.clients, latency: self.latency.clone() },
            workload: WorkloadPlan {
                name: self.workload.clone(),
                settings: self.workload_settings.clone(),
                timeout_ns: self.timeout_ns,
                operations: Operations::Generated { interval_ns: self.interval_ns, load: self.load, limit: self.limit },
            },
            phases: Phases { chaos_ns: self.duration_ns, settle_ns: self.settle_ns, final_reads: self.final_reads },
            faults: schedule(seed, &scene, &self.nemeses),
        }
    }
}
