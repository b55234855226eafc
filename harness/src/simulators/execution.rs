//! One run of a plan: what the clients saw, a digest over every event, and what the faults did.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use squall_checkers::{history::History, operation::Name, value::Value};

use crate::plan::NodeId;

/// One run of a plan on a simulator.
#[derive(Clone, Debug)]
pub struct Execution {
    /// What the clients saw.
    pub history: History,
    /// A hash over every event of the run: its time, kind, place and content. Equal runs have equal digests.
    pub digest: u64,
    /// Figures.
    pub statistics: Statistics,
    /// What each fault of the plan did, in the plan's order.
    pub faults: Vec<FaultEffect>,
    /// Where each process lived, by its id.
    pub processes: Vec<ProcessInfo>,
    /// How the run ended.
    pub end: End,
    /// Every event, when asked for.
    pub trace: Option<Trace>,
}

/// Where a process lived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessInfo {
    /// Its machine, as an index among the clients.
    pub client: u32,
    /// The replica it preferred.
    pub home: NodeId,
}

/// Figures of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statistics {
    /// Events handled.
    pub events: u64,
    /// Messages, datagrams and stream segments delivered, between replicas and with clients.
    pub messages: u64,
    /// Virtual time at the end, in nanoseconds.
    pub simulated_ns: u64,
    /// Times a replica's process ended by itself and was started again.
    pub halts: u64,
    /// Wakes from foreign threads; ignored, and a sign of nondeterminism.
    pub foreign_wakes: u64,
    /// The longest that something was done after it was due, in nanoseconds: in real time only, where the machine had other things to
    /// do.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub late_ns: u64,
    /// What the system says of itself, for people: counts of observed facts.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub notes: BTreeMap<String, u64>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over so")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// What one fault did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultEffect {
    /// The fault's id in the plan.
    pub id: u32,
    /// Whom its target turned out to be. Empty when it resolved to nobody, or never began.
    pub nodes: Vec<NodeId>,
    /// Whether it began and found nobody to strike.
    pub unresolved: bool,
    /// Things touched: messages, processes stopped, syncs failed, writes lost, clock readings.
    pub effects: u64,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// It ran to the end of its phases.
    Completed,
    /// The system panicked.
    Panicked {
        /// The machine whose code panicked, if known.
        node: Option<NodeId>,
        /// The panic's message.
        message: String,
        /// When, in nanoseconds.
        at_ns: u64,
    },
    /// The system span at one instant of virtual time.
    Spun {
        /// The machine that spun.
        node: Option<NodeId>,
        /// When, in nanoseconds.
        at_ns: u64,
        /// Events at that instant.
        events: u64,
    },
}

/// Every event of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// The events, in order.
    pub events: Vec<TraceEvent>,
}

/// One event of a trace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceEvent {
    /// When, in nanoseconds.
    pub time_ns: u64,
    /// The run's digest after it: the first difference between two runs is where they part.
    pub digest: u64,
    /// The machine it happened on, if any.
    pub node: Option<NodeId>,
    /// What happened.
    pub what: TraceKind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TraceKind {
    /// A message set out; `arrives_ns` is `None` when it was lost, `fault` the fault that touched it.
    Sent {
        /** Receiver. */
        to: NodeId,
        /** Content. */
        text: String,
        /** When, in ns. */
        arrives_ns: Option<u64>,
        /** Its id. */
        fault: Option<u32>,
    },
    /// A message arrived.
    Delivered {
        /** Sender. */
        from: NodeId,
        /** Content. */
        text: String,
    },
    /// A timer went off.
    Timer {
        /** Content. */
        text: String,
    },
    /// A disk request ended.
    Disk {
        /** Which, and how. */
        text: String,
    },
    /// A task ran.
    Poll {
        /** The task. */
        task: u32,
    },
    /// A client asked, or learned of an outcome.
    Client {
        /** What. */
        text: String,
    },
    /// A fault began or ended.
    Fault {
        /** Its id. */
        id: u32,
        /** What. */
        text: String,
    },
    /// A machine started, stopped, or ended by itself.
    Process {
        /** What. */
        text: String,
    },
    /// A node showed something of its state.
    Observed {
        /** What. */
        key: Name,
        /** Its new value. */
        value: Value,
    },
}
