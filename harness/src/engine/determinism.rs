//! The check of determinism: the same seed, run elsewhere, must do the same; where it does not, the first event that differs
//! tells why.

use serde::{Deserialize, Serialize};

use super::{run, spec::Job};
use crate::{
    environment::content,
    simulators::{Options, TraceEvent},
};

/// What one run of a seed did, for comparing it with another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// The digest over all events.
    pub digest: u64,
    /// A hash over the history.
    pub history: u64,
    /// How it ended, for people.
    pub end: String,
    /// Wakes that came from foreign threads: a system that has any uses threads of its own.
    pub foreign_wakes: u64,
    /// Every event, when asked for.
    pub events: Option<Vec<TraceEvent>>,
}

impl Fingerprint {
    /// Runs the seed on a fresh thread.
    ///
    /// # Errors
    /// When the run cannot begin, for people.
    pub fn of(job: &Job, seed: u64, trace: bool) -> Result<Self, String> {
        let plan = job.plan(seed);
        let ran = run::execute(&job.arena.subject(), &plan, Options { trace }).map_err(|e| e.to_string())?;
        Ok(match ran {
            Ok(execution) => Fingerprint {
                digest: execution.digest,
                history: content::hash(&(&execution.history.entries, &execution.history.marks)),
                end: format!("{:?}", execution.end),
                foreign_wakes: execution.statistics.foreign_wakes,
                events: execution.trace.map(|t| t.events),
            },
            Err(failure) => Fingerprint {
                digest: 0,
                history: 0,
                end: failure.message,
                foreign_wakes: 0,
                events: trace.then(Vec::new),
            },
        })
    }

    /// Whether both runs did the same.
    pub fn agrees(&self, other: &Fingerprint) -> bool {
        (self.digest, self.history, &self.end) == (other.digest, other.history, &other.end)
    }
}

/// Where two runs of a seed part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Divergence {
    /// How many events they have in common before that.
    pub common: usize,
    /// What comes next in the one run; `None` at its end.
    pub one: Option<TraceEvent>,
    /// What comes next in the other.
    pub other: Option<TraceEvent>,
    /// How they differ there.
    pub manner: Manner,
}

/// How two runs differ where they part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// The same event comes later in the other run: things happen in another order.
    Order,
    /// The same happens at the same place, at another time.
    Time,
    /// The same kind of event at the same place and time says something else.
    Content,
    /// Something else happens.
    Event,
}

/// Events looked through for one that merely comes later.
const LOOK_AHEAD: usize = 64;

/// Where two traces part; `None` when they are equal.
pub fn first_difference(one: &[TraceEvent], other: &[TraceEvent]) -> Option<Divergence> {
    let common = one.iter().zip(other).take_while(|(a, b)| a == b).count();
    let (first, second) = (one.get(common), other.get(common));
    if first.is_none() && second.is_none() {
        return None;
    }
    let manner = match (first, second) {
        (Some(a), Some(b)) => manner(a, b, &other[common..]),
        _ => Manner::Event,
    };
    Some(Divergence { common, one: first.cloned(), other: second.cloned(), manner })
}

fn manner(a: &TraceEvent, b: &TraceEvent, rest: &[TraceEvent]) -> Manner {
    // Digests differ from here on, so they say nothing about single events.
    let same = |x: &TraceEvent, y: &TraceEvent| x.node == y.node && x.what == y.what;
    if same(a, b) {
        return if a.time_ns == b.time_ns { Manner::Content } else { Manner::Time };
    }
    if rest.iter().skip(1).take(LOOK_AHEAD).any(|later| same(a, later) && later.time_ns == a.time_ns) {
        return Manner::Order;
    }
    let alike = std::mem::discriminant(&a.what) == std::mem::discriminant(&b.what) && a.node == b.node;
    if alike && a.time_ns == b.time_ns { Manner::Content } else { Manner::Event }
}

/// Between which runs of a seed a difference shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Between {
    /// Two threads of one process, but not two fresh processes.
    ThreadsOnly,
    /// Two fresh processes, but not two threads of one.
    ProcessesOnly,
    /// Both.
    Both,
}

/// The likely source of the difference, in one sentence, and what to do about it.
pub fn guess(between: Between, manner: Manner, foreign_wakes: u64) -> &'static str {
    if foreign_wakes > 0 {
        return "Likely source: threads of the system's own; tasks were woken from outside the simulator. Use `env.spawn`.";
    }
    match (between, manner) {
        (Between::ThreadsOnly, _) => {
            "Likely source: state that outlives a run: a `static`, a `thread_local!` or something behind an `Arc` in the \
             system. Keep state in the node, or in the locals of `serve`."
        }
        (Between::ProcessesOnly, _) => {
            "Likely source: something each process has of its own: addresses of memory, its id, its environment, the time it \
             started. Do not order or hash by pointers."
        }
        (Between::Both, Manner::Order) => {
            "Likely source: the order of a `HashMap` or `HashSet`, whose keys are random in every thread. Use a `BTreeMap`, or \
             name a fixed hasher."
        }
        (Between::Both, Manner::Time) => {
            "Likely source: a real clock or a random draw that decides how long something takes. Use the environment's clocks \
             and randomness."
        }
        (Between::Both, Manner::Content | Manner::Event) => {
            "Likely source: a real clock, randomness from outside the environment, or the order of a `HashMap`. Use what the \
             environment gives, and ordered maps."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{plan::NodeId, simulators::TraceKind};

    fn event(time_ns: u64, digest: u64, text: &str) -> TraceEvent {
        TraceEvent { time_ns, digest, node: Some(NodeId(1)), what: TraceKind::Timer { text: text.to_owned() } }
    }

    fn check(one: &[TraceEvent], other: &[TraceEvent], expected: Option<(usize, Manner)>) {
        assert_eq!(first_difference(one, other).map(|d| (d.common, d.manner)), expected);
    }

    #[test]
    fn equal_traces_have_no_difference() {
        check(&[], &[], None);
        check(&[event(1, 1, "a")], &[event(1, 1, "a")], None);
    }

    #[test]
    fn the_first_difference_and_its_manner_are_found() {
        let a = event(1, 1, "a");
        check(
            &[a.clone(), event(2, 2, "b"), event(2, 3, "c")],
            &[a.clone(), event(2, 9, "c"), event(2, 8, "b")],
            Some((1, Manner::Order)),
        );
        check(&[a.clone(), event(2, 2, "b")], &[a.clone(), event(3, 9, "b")], Some((1, Manner::Time)));
        check(&[a.clone(), event(2, 2, "b")], &[a.clone(), event(2, 9, "b")], Some((1, Manner::Content)));
        check(&[a.clone(), event(2, 2, "b")], &[a.clone(), event(2, 9, "x")], Some((1, Manner::Content)));
        check(&[a.clone(), event(2, 2, "b")], &[a.clone(), event(5, 9, "x")], Some((1, Manner::Event)));
        check(std::slice::from_ref(&a), &[a.clone(), event(5, 9, "x")], Some((1, Manner::Event)));
    }
}
