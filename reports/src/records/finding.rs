//! A finding: one seed that broke a promise, with all that a report needs to explain it.

use std::fmt;

use serde::{Deserialize, Serialize};
use squall_checkers::{
    history::{Entry, Moment, Outcome, Phase, ProcessId, SimTime},
    operation::Operation,
    value::Value,
    verdict::Verdict,
};

use super::Version;

/// One seed that failed. Where it was minimised, faults, operations, nodes and clients are those of the minimised run.
///
/// Build it with `..Finding::default()`. Nodes are numbered from 0, times are nanoseconds since the start of the run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The version of this record.
    pub version: Version,
    /// The system, as the command line names it (`raft-rs-kv:ack-before-fsync`).
    pub system: String,
    /// The workload.
    pub workload: String,
    /// The seed of the run that failed first.
    pub seed: u64,
    /// The simulator it ran on.
    pub simulator: String,
    /// Whether the same seed may run differently there another time: it went in real time.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub nondeterministic: bool,
    /// Number of nodes.
    pub nodes: u32,
    /// Number of clients.
    pub clients: u32,
    /// What the system promises and under which faults, in words.
    pub promise: String,
    /// Whether all faults were ones under which the promise holds. Outside of it a failure is interesting, but no bug.
    pub inside_promise: bool,
    /// What groups it with other findings.
    pub signature: Signature,
    /// The failure, where it is not an anomaly of the history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// The answers of all checkers; their entry ids are indices of `operations`.
    #[serde(default)]
    pub verdicts: Vec<CheckerVerdict>,
    /// The faults of the schedule.
    #[serde(default)]
    pub faults: Vec<FaultRecord>,
    /// Where the phases of the run begin.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub phases: Vec<PhaseRecord>,
    /// When the run ended.
    pub ended_ns: SimTime,
    /// The history that was judged, in the order of invocations: the index is the entry id of the verdicts.
    #[serde(default)]
    pub operations: Vec<OperationRecord>,
    /// What nodes said of themselves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub observations: Vec<Observation>,
    /// What happened inside, where a trace was asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trace: Vec<TraceEvent>,
    /// The command that runs it again.
    pub replay: String,
    /// What the minimiser did; `None` when it did not run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimised: Option<Minimised>,
    /// The case file, as it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case: Option<String>,
}

/// What makes two findings the same kind of failure.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Signature {
    /// The system, as the command line names it.
    pub system: String,
    /// The checker that said invalid; [`Signature::EXECUTION`] when the run itself failed.
    pub checker: String,
    /// The kind of the anomaly, or of the failure (`panic`, `hang`, …).
    pub anomaly: String,
}

impl Signature {
    /// The `checker` of failures that no checker saw.
    pub const EXECUTION: &str = "execution";

    /// The signature of a run of `system` that itself failed.
    pub fn of_failure(system: impl Into<String>, kind: FailureKind) -> Self {
        Signature { system: system.into(), checker: Self::EXECUTION.to_owned(), anomaly: kind.to_string() }
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} / {} / {}", self.system, self.checker, self.anomaly)
    }
}

/// A case of an earlier failure that was run again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rerun {
    /// The name of its file.
    pub case: String,
    /// How it still fails; `None` when it does no longer.
    pub finding: Option<Finding>,
}

/// How a run failed that did not get as far as a verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The class.
    pub kind: FailureKind,
    /// The node at fault, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<u32>,
    /// When, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_ns: Option<SimTime>,
    /// What the system said: the panic's message and place, the signal, the limit that was passed. May have many lines.
    pub message: String,
}

/// The classes of failures that are not in the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// The system's code panicked.
    Panic,
    /// The process died: abort, signal, stack overflow.
    Abort,
    /// The run did not end within the watchdog's real time.
    Hang,
    /// The system passed the limit of steps without letting simulated time go on.
    StepLimit,
    /// The run passed its limit of memory.
    Memory,
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FailureKind::Panic => "panic",
            FailureKind::Abort => "abort",
            FailureKind::Hang => "hang",
            FailureKind::StepLimit => "step-limit",
            FailureKind::Memory => "memory",
        })
    }
}

/// The answer of one checker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckerVerdict {
    /// The checker.
    pub checker: String,
    /// The model it checked against; empty when it has none (convergence, durability).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub model: String,
    /// What it said.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// A fault of the schedule, and what became of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultRecord {
    /// Its number in the schedule.
    pub id: u32,
    /// What it does: `partition`, `crash`, …
    pub kind: String,
    /// Whom it was aimed at, as the schedule says it (`leader`, `minority`, `n2`).
    #[serde(default)]
    pub target: String,
    /// The whole fault in words, where target and nodes do not say all (`{n0} | {n1 n2}, one way`).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Whom it hit.
    #[serde(default)]
    pub nodes: Vec<u32>,
    /// When it begins.
    pub begins_ns: SimTime,
    /// When it ends; `None` when it lasts to the end of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_ns: Option<SimTime>,
    /// How many things it touched: messages, processes stopped, disk operations.
    #[serde(default)]
    pub effects: u64,
    /// Its target named nobody when it began.
    #[serde(default, skip_serializing_if = "is_false")]
    pub unresolved: bool,
    /// It changed nothing.
    #[serde(default, skip_serializing_if = "is_false")]
    pub inert: bool,
    /// Without it the failure does not happen, as the minimiser found.
    #[serde(default, skip_serializing_if = "is_false")]
    pub made_possible: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_false(b: &bool) -> bool {
    !*b
}

/// Where a phase begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseRecord {
    /// The phase.
    pub phase: Phase,
    /// When.
    pub begins_ns: SimTime,
}

/// One operation of the history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationRecord {
    /// The session that asked.
    pub process: ProcessId,
    /// The client whose session it was, where known. A client goes on under a new process after an unknown outcome.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<u32>,
    /// The node that was asked, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<u32>,
    /// What was asked: `f`, `key` and `args`.
    #[serde(flatten)]
    pub operation: Operation,
    /// When it was asked.
    pub invoked: Moment,
    /// When the client learned of the outcome; `None` when it was open at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed: Option<Moment>,
    /// What the client learned.
    pub outcome: Outcome,
}

impl From<&Entry> for OperationRecord {
    /// Takes over an entry of a history; client and node stay unknown.
    fn from(entry: &Entry) -> Self {
        OperationRecord {
            process: entry.process,
            client: None,
            node: None,
            operation: entry.operation.clone(),
            invoked: entry.invoked,
            completed: entry.completed,
            outcome: entry.outcome.clone(),
        }
    }
}

/// Something that a node said of itself: role, term, commit index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    /// When.
    pub at_ns: SimTime,
    /// Who.
    pub node: u32,
    /// What about.
    pub key: String,
    /// What.
    pub value: Value,
}

/// Something that happened inside the simulated world.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceEvent {
    /// When.
    pub at_ns: SimTime,
    /// `send`, `deliver`, `drop`, `timer`, `fsync`, `crash`, …
    pub kind: String,
    /// The node it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<u32>,
    /// The node it went to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<u32>,
    /// The same for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// The fault that decided it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<u32>,
}

/// What the minimiser did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Minimised {
    /// The size of the run that failed first.
    pub before: Counts,
    /// The size of what is left.
    pub after: Counts,
    /// How many runs it took.
    pub runs: u64,
    /// Whether it stopped before it was certain that nothing else can be taken away.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unfinished: bool,
    /// The name of the case file in the campaign's folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case_file: Option<String>,
}

/// The size of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Faults of the schedule.
    pub faults: u64,
    /// Operations invoked.
    pub operations: u64,
    /// Clients.
    pub clients: u64,
    /// Nodes.
    pub nodes: u64,
}
