//! A history: what the clients saw, in the true order in which they saw it.
//!
//! Each entry is one operation with the position of its invocation and of its completion in one global order of events. Node
//! clocks never order a history; the recorder's order does.

use serde::{Deserialize, Serialize};

use crate::{
    operation::{Name, Operation},
    text::Text,
    value::Value,
};

/// Virtual (or, for a real run, elapsed) time in nanoseconds since the start of the run.
pub type SimTime = u64;

/// A logical client: a session that has at most one operation open at a time. An operation of unknown outcome ends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProcessId(pub u32);

/// Index of an entry in [`History::entries`].
pub type EntryId = usize;

/// A point of the history: `position` orders, `time` only informs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Moment {
    /// Place in the total order of all events of the history; unique per event.
    pub position: u32,
    time: Nanoseconds,
}

/// A [`SimTime`] that may begin at any fourth byte: a history has two in each entry, and millions of entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "SimTime", into = "SimTime")]
#[repr(Rust, packed(4))]
struct Nanoseconds(SimTime);

impl From<SimTime> for Nanoseconds {
    fn from(time: SimTime) -> Self {
        Nanoseconds(time)
    }
}

impl From<Nanoseconds> for SimTime {
    fn from(time: Nanoseconds) -> Self {
        time.0
    }
}

impl Moment {
    /// The event at this place, at this time in nanoseconds.
    #[inline]
    pub const fn new(position: u32, time: SimTime) -> Self {
        Moment { position, time: Nanoseconds(time) }
    }

    /// When it happened, in nanoseconds.
    #[inline]
    pub const fn time(self) -> SimTime {
        self.time.0
    }
}

/// How an operation ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It took effect, and replied this.
    Ok(Value),
    /// It certainly did not take effect; the reason, for people.
    Failed(Text),
    /// It may take effect at any time after its invocation, or never; the reason, for people.
    Unknown(Text),
}

/// One operation of a history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Who asked.
    pub process: ProcessId,
    /// What was asked.
    pub operation: Operation,
    /// When it was asked.
    pub invoked: Moment,
    /// When the client learned of the outcome; `None` when it was still open at the end (its outcome is then `Unknown`).
    /// An `Unknown` outcome may carry a moment (the timeout): it closes nothing, the operation stays concurrent with all that
    /// follows.
    pub completed: Option<Moment>,
    /// What the client learned.
    pub outcome: Outcome,
}

impl Entry {
    /// The reply, if it took effect.
    pub fn reply(&self) -> Option<&Value> {
        if let Outcome::Ok(v) = &self.outcome { Some(v) } else { None }
    }

    /// Whether it certainly took effect.
    pub fn is_ok(&self) -> bool {
        matches!(self.outcome, Outcome::Ok(_))
    }

    /// Whether it may or may not have taken effect.
    pub fn is_unknown(&self) -> bool {
        matches!(self.outcome, Outcome::Unknown(_))
    }

    /// The position after which every other operation sees its effect: its completion when it is `Ok`, else `u32::MAX`.
    pub fn returned(&self) -> u32 {
        match (&self.outcome, self.completed) {
            (Outcome::Ok(_), Some(m)) => m.position,
            _ => u32::MAX,
        }
    }

    /// Whether this completed before `later` was invoked.
    pub fn precedes(&self, later: &Entry) -> bool {
        self.returned() < later.invoked.position
    }
}

/// Something that is no operation: where a phase or a fault begins or ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// When.
    pub at: Moment,
    /// What.
    pub kind: MarkKind,
}

/// What a mark marks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MarkKind {
    /// A phase begins.
    Phase(Phase),
    /// The fault with this id begins; its description, for people.
    FaultBegins(u32, String),
    /// The fault with this id ends.
    FaultEnds(u32),
    /// The process makes its final reads at this replica, for the convergence checker.
    FinalReads(ProcessId, u32),
}

/// The phases of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Faults strike.
    Chaos,
    /// All faults have ended; the system recovers. Operations go on and must make progress.
    Settle,
    /// Every key is read at every replica.
    FinalReads,
}

/// What clients were promised and where the history comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// The system that was run, as the command line names it (`raft-rs-kv:ack-before-fsync`); empty when unknown.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub system: String,
    /// The workload that was run; empty when unknown.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub workload: String,
    /// The seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// The consistency model promised, by its name (`linearizable`, `causal`, …).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promised: Option<Name>,
}

/// What the positions of a history say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// What happened before what, for all processes together.
    #[default]
    RealTime,
    /// Only in what order each process acted; nothing of how one process stands to another.
    Processes,
}

impl Order {
    /// Why a checker that needs real time cannot judge.
    pub(crate) const NO_REAL_TIME: &str =
        "the history does not say what happened when, only in what order each process acted";
}

/// What the clients saw. Entries are ordered by `invoked.position`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// Where it comes from.
    pub provenance: Provenance,
    /// What the positions say.
    pub order: Order,
    /// The operations, in the order of their invocations.
    pub entries: Vec<Entry>,
    /// Phases, faults and final reads, by position.
    pub marks: Vec<Mark>,
}

impl History {
    /// Where an event has an earlier time than one before it, in words. Positions order a history all the same, but how long
    /// something took or lasted such times do not say. O(n log n).
    pub(crate) fn runs_backwards(&self) -> Option<String> {
        let events = self.entries.iter().enumerate().flat_map(|(id, entry)| {
            let completed = entry.completed.map(|at| (at, id, "completed"));
            std::iter::once((entry.invoked, id, "invoked")).chain(completed)
        });
        let mut events: Vec<(Moment, EntryId, &str)> = events.collect();
        events.sort_unstable_by_key(|(at, ..)| at.position);
        let pair = events.windows(2).find(|pair| pair[1].0.time() < pair[0].0.time())?;
        let [(before, first, happened), (at, id, what)] = [pair[0], pair[1]];
        Some(format!(
            "times run backwards: operation {id} is {what} at {} ns, after operation {first} was {happened} at {} ns",
            at.time(),
            before.time()
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_fifteen_words() {
        assert_eq!((size_of::<Moment>(), size_of::<Outcome>(), size_of::<Entry>()), (12, 24, 120));
    }
}
