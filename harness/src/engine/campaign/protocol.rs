//! The lines that supervisor and worker exchange: one JSON value per line, one answer per request.

use serde::{Deserialize, Serialize};
use squall_reports::records::{FaultCount, Finding, OperationCounts, Signature};

use super::single::{Single, Wanted};
use crate::{
    engine::{run::Class, spec::Spec},
    plan::Plan,
};

/// What the supervisor asks.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Request {
    /// Before any seed: what the seeds are to be run against.
    Begin(Box<Spec>),
    /// Run this seed and judge it.
    Seed {
        /// The seed.
        seed: u64,
        /// Failures of which there are records enough: they are counted, and no finding is sent.
        known: Vec<Signature>,
    },
    /// Run this seed again for the record of this failure: shrunk if it can be, with a trace.
    Explain {
        /// The seed.
        seed: u64,
        /// The failure to explain.
        signature: Signature,
        /// Runs that shrinking it may take; `None` when it shall stay as it is.
        minimise: Option<u64>,
    },
    /// Run this plan, which says itself what it is run against.
    Run {
        /// The plan.
        plan: Box<Plan>,
        /// The simulator.
        simulator: String,
        /// How to run it again.
        command: String,
        /// What to send beside the verdict.
        wanted: Wanted,
    },
    /// Run this seed and tell digest and history, for the check of determinism.
    Fingerprint {
        /// The seed.
        seed: u64,
        /// Whether to send every event.
        trace: bool,
    },
}

/// What the worker answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// To `Begin`: seeds may come.
    Ready,
    /// To any request: it cannot be done, for a reason that is no verdict.
    Refused(String),
    /// To any request: the harness itself failed.
    OwnBug(String),
    /// To `Seed`.
    Done {
        /// What came of it, in short.
        report: Box<SeedReport>,
        /// One finding for each way in which it failed.
        findings: Vec<Finding>,
    },
    /// To `Explain`: the finding, more telling than before; `None` when the seed did not fail in that way again.
    Explained(Option<Box<Finding>>),
    /// To `Run`.
    Ran(Box<Single>),
    /// To `Fingerprint`.
    Fingerprint(Box<crate::engine::determinism::Fingerprint>),
}

/// What came of one seed, in short: what totals are made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeedReport {
    /// The seed.
    pub seed: u64,
    /// What came of it, in one word.
    pub class: Class,
    /// Each way in which it failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signatures: Vec<Signature>,
    /// Whether all its faults were ones under which the promise holds.
    pub inside_promise: bool,
    /// Why nothing can be said, where nothing can be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inconclusive: Option<String>,
    /// Operations by outcome.
    #[serde(default)]
    pub operations: OperationCounts,
    /// Messages delivered.
    #[serde(default)]
    pub messages: u64,
    /// Virtual time at the end of the run, in nanoseconds.
    #[serde(default)]
    pub simulated_ns: u64,
    /// What became of its faults, by kind.
    #[serde(default)]
    pub faults: Vec<FaultCount>,
    /// CPU time of running and judging, in microseconds.
    #[serde(default)]
    pub cpu_us: u64,
    /// The part of it that went into judging.
    #[serde(default)]
    pub judging_us: u64,
}
