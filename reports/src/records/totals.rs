//! The totals of a campaign.

use serde::{Deserialize, Serialize};

use super::{Signature, Version};

/// What a campaign did, in figures.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// The version of this record.
    pub version: Version,
    /// The system, as the command line names it.
    pub system: String,
    /// The workload.
    pub workload: String,
    /// The simulator.
    #[serde(default)]
    pub simulator: String,
    /// Whether the same seed may run differently there another time: it went in real time.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub nondeterministic: bool,
    /// The nemeses, as the command line names them.
    #[serde(default)]
    pub nemeses: Vec<String>,
    /// Why the campaign ended (`all seeds ran`, `interrupted`, `time budget spent`, …); empty while it runs.
    #[serde(default)]
    pub ended: String,
    /// Seeds by verdict.
    pub seeds: SeedCounts,
    /// Operations by outcome.
    pub operations: OperationCounts,
    /// Messages sent between nodes and clients.
    pub messages: u64,
    /// Simulated time of all runs, in nanoseconds.
    pub simulated_ns: u64,
    /// Real time, in milliseconds.
    pub wall_ms: u64,
    /// CPU time of running and checking, in milliseconds, of all workers.
    pub cpu_ms: u64,
    /// The part of `cpu_ms` that went into checking.
    pub checking_cpu_ms: u64,
    /// The kinds of failures found.
    pub signatures: Vec<SignatureCount>,
    /// The faults injected, by kind.
    pub faults: Vec<FaultCount>,
}

impl Totals {
    /// Seeds per second of real time; `None` before any time has passed.
    pub fn seeds_per_second(&self) -> Option<f64> {
        (self.wall_ms > 0).then(|| self.seeds.run as f64 * 1000.0 / self.wall_ms as f64)
    }

    /// The share of CPU time that went into checking, from 0 to 1; `None` before any was spent.
    pub fn checking_share(&self) -> Option<f64> {
        (self.cpu_ms > 0).then(|| self.checking_cpu_ms as f64 / self.cpu_ms as f64)
    }
}

/// Seeds by verdict. `run` is the sum of the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeedCounts {
    /// Seeds that ran.
    pub run: u64,
    /// The model allows the history.
    pub valid: u64,
    /// A checker found an anomaly.
    pub invalid: u64,
    /// A checker gave up.
    pub unknown: u64,
    /// No operation succeeded: it proves nothing.
    pub vacuous: u64,
    /// The system panicked.
    pub panic: u64,
    /// The process died.
    pub abort: u64,
    /// The watchdog ended it.
    pub hang: u64,
    /// The limit of steps at one instant was passed.
    pub step_limit: u64,
    /// The limit of memory was passed.
    pub memory: u64,
}

/// Operations by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationCounts {
    /// Took effect.
    pub ok: u64,
    /// Certainly did not.
    pub failed: u64,
    /// May have.
    pub unknown: u64,
}

/// How often a kind of failure was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignatureCount {
    /// The kind of failure.
    pub signature: Signature,
    /// How many seeds.
    pub count: u64,
    /// The first of them.
    pub first_seed: u64,
    /// Whether at least one of them is inside the promise.
    pub inside_promise: bool,
}

/// What became of the faults of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultCount {
    /// What it does: `partition`, `crash`, …
    pub kind: String,
    /// How many were scheduled.
    pub scheduled: u64,
    /// How many of them changed nothing.
    pub inert: u64,
    /// How many of them named nobody when they began.
    pub unresolved: u64,
}
