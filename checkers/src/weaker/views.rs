//! Bad patterns of causal consistency (Bouajjani et al. 2017) and of PRAM (Wei et al. 2016), by saturation.
//!
//! What happened before what is the order of each process together with who read from whom. A read may not see the initial
//! value of a key when a write of it came before, nor a value when an overwrite of that value came before. For CC "before" is
//! just that, and clocks decide it in O(n k) for n operations of k processes.
//!
//! For CM and PRAM the view of one process knows more: where it read a value, every other write of the key that came before the
//! read also came before the write of that value. These demands put writes in order, which may make new demands; they are
//! added until no more follow. The view exists iff that makes no circle, and no read of an initial value has a write before
//! it: then before each read, in the order of the process, go all operations that come before it. O(n^2 k) at worst for each
//! process, and near O(n k) where writes are seen in the order in which they happened.

use std::collections::VecDeque;

use super::path::{Step, Steps, Why};
use crate::{
    budget::{Budget, Meter},
    clocks::Clocks,
    observations::{Observations, Source},
    verdict::Verdict,
};

/// Which model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    /// CC: each read alone.
    Weak,
    /// CM: all reads of a process together.
    Memory,
    /// The same, where reads of other processes say nothing.
    Pram,
}

/// What cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// Nobody wrote what this read saw.
    ThinAir(u32),
    /// This operation comes before itself.
    Circle(u32),
    /// The read saw nothing although the write happened before it.
    Missed { reader: u32, write: u32 },
    /// The read saw `source` although `newer` came after that and before the read.
    Stale { reader: u32, source: u32, newer: u32 },
    /// The read saw nothing although the write comes before it by what its process saw.
    MissedInView { reader: u32, write: u32 },
    /// The read puts `write` before `source`, which comes before `write`.
    CircleInView { reader: u32, write: u32, source: u32 },
}

/// What cannot be, and the operations that show it, some perhaps twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) broken: Broken,
    pub(super) nodes: Vec<u32>,
}

/// What refutes the model; nothing if it holds.
///
/// # Errors
/// A verdict when the budget is spent.
pub(super) fn refute(seen: &Observations, level: Level, budget: &Budget) -> Result<Option<Found>, Verdict> {
    let thin_air = seen.nodes.iter().position(|node| node.reads == Some(Source::ThinAir));
    if let Some(reader) = thin_air {
        let reader = reader as u32;
        return Ok(Some(Found { broken: Broken::ThinAir(reader), nodes: vec![reader] }));
    }
    let mut views = Views::new(seen, level, budget);
    if level == Level::Pram {
        for session in 0..views.sessions.len() as u32 {
            match views.base(session)? {
                Err(found) => return Ok(Some(found)),
                Ok(clocks) => {
                    if let Some(found) = views.saturate(session, clocks)? {
                        return Ok(Some(found));
                    }
                }
            }
        }
        return Ok(None);
    }
    let clocks = match views.base(0)? {
        Err(found) => return Ok(Some(found)),
        Ok(clocks) => clocks,
    };
    if let Some(found) = views.each_read(&clocks) {
        return Ok(Some(found));
    }
    if level == Level::Memory {
        for session in 0..views.sessions.len() as u32 {
            views.spend(session, seen.nodes.len() / 8)?;
            if let Some(found) = views.saturate(session, clocks.clone())? {
                return Ok(Some(found));
            }
        }
    }
    Ok(None)
}

/// A session that writes a key, with the places and nodes of its writes.
type SessionWriters = (u32, Vec<(u32, u32)>);

/// A read puts a write before the one whose value it saw.
#[derive(Clone, Copy, Debug)]
struct Demand {
    first: u32,
    reader: u32,
}

struct Views<'o> {
    seen: &'o Observations,
    level: Level,
    budget: Budget,
    meter: Meter,
    sessions: Vec<Vec<u32>>,
    /// By key.
    writers: Vec<Vec<SessionWriters>>,
    steps: Steps,
    demands: Vec<Demand>,
}

impl<'o> Views<'o> {
    fn new(seen: &'o Observations, level: Level, budget: &Budget) -> Self {
        let sessions: Vec<Vec<u32>> =
            seen.sessions.iter().map(|session| session.iter().map(|&node| node as u32).collect()).collect();
        let mut steps = Steps::new(seen.nodes.len());
        let mut writers: Vec<Vec<SessionWriters>> = vec![Vec::new(); seen.keys.len()];
        for (session, nodes) in (0..).zip(&sessions) {
            nodes.windows(2).for_each(|pair| steps.add(pair[0], pair[1], Why::Session));
            for (place, &node) in (0..).zip(nodes) {
                let n = &seen.nodes[node as usize];
                if let Some(Source::Node(source)) = n.reads {
                    steps.add(source as u32, node, Why::Read);
                }
                if n.writes {
                    let of_key = &mut writers[n.key];
                    if of_key.last().is_none_or(|(s, _)| *s != session) {
                        of_key.push((session, Vec::new()));
                    }
                    of_key.last_mut().expect("one was pushed").1.push((place, node));
                }
            }
        }
        Views {
            seen,
            level,
            budget: *budget,
            meter: Meter::new(*budget),
            sessions,
            writers,
            steps,
            demands: Vec::new(),
        }
    }

    /// Whether the step counts in the view of this session.
    fn counts(&self, session: u32) -> impl Fn(&Step) -> bool {
        let others_read = self.level != Level::Pram;
        let nodes = &self.seen.nodes;
        move |step| step.why != Why::Read || others_read || nodes[step.to as usize].session == session as usize
    }

    /// What happened before what in the view of a session, before any demand; or the circle that it is.
    fn base(&mut self, session: u32) -> Result<Result<Clocks, Found>, Verdict> {
        let Some(sorted) = self.steps.sorted(self.counts(session)) else {
            return Ok(Err(self.circle(session)));
        };
        let mut clocks = Clocks::new(self.seen.nodes.len(), &self.sessions, &self.budget)?;
        self.spend(session, self.seen.nodes.len() * 2)?;
        let counts = self.counts(session);
        for &node in &sorted {
            for step in self.steps.leaving(node).iter().filter(|step| counts(step)) {
                clocks.join(node, step.to);
            }
        }
        Ok(Ok(clocks))
    }

    /// Takes the steps that so many joins of clocks are worth.
    fn spend(&mut self, session: u32, joins: usize) -> Result<(), Verdict> {
        let each = 1 + self.sessions.len() as u64 / 64;
        self.meter.steps(joins as u64 * each).map_err(|reason| {
            let progress = format!("at process {} of {}", session + 1, self.sessions.len());
            self.meter.spent(reason, &progress)
        })
    }

    /// A circle with few changes of processes.
    fn circle(&self, session: u32) -> Found {
        let sources = (0..self.seen.nodes.len() as u32)
            .filter(|&node| self.steps.leaving(node).iter().any(|step| step.why == Why::Read));
        let ways = sources.map(|node| self.steps.way(node, node, self.counts(session))).filter(|way| !way.is_empty());
        let way = ways.take(CIRCLES_MAX).min_by_key(|way| ends(way).len()).expect("what has no order has a circle");
        Found { broken: Broken::Circle(way[0].from), nodes: ends(&way) }
    }

    /// The last write of each session to the key of the read, among those that came before it.
    fn writes_before(&self, reader: u32, clocks: &Clocks) -> impl Iterator<Item = u32> {
        let here = clocks.of(reader);
        let own = clocks.session_of(reader);
        self.writers[self.seen.nodes[reader as usize].key].iter().filter_map(move |(session, writers)| {
            let before = here[*session as usize] - u32::from(*session == own);
            let visible = writers.partition_point(|(place, _)| *place < before);
            visible.checked_sub(1).map(|last| writers[last].1)
        })
    }

    /// CC: a read that misses what happened before it.
    fn each_read(&self, clocks: &Clocks) -> Option<Found> {
        for (reader, node) in (0..).zip(&self.seen.nodes) {
            let Some(source) = node.reads else { continue };
            for write in self.writes_before(reader, clocks) {
                let broken = match source {
                    Source::Initial => Broken::Missed { reader, write },
                    Source::Node(source) if source as u32 != write && clocks.precedes(source as u32, write) => {
                        Broken::Stale { reader, source: source as u32, newer: write }
                    }
                    _ => continue,
                };
                let mut ways = vec![(write, reader, 0)];
                if let Broken::Stale { source, newer, .. } = broken {
                    ways.push((source, newer, 0));
                }
                return Some(Found { broken, nodes: self.explain(0, ways) });
            }
        }
        None
    }

    /// Adds demands to the view of a session until no more follow, or one cannot be met.
    fn saturate(&mut self, session: u32, mut clocks: Clocks) -> Result<Option<Found>, Verdict> {
        let own = std::mem::take(&mut self.sessions[session as usize]);
        let found = self.saturated(session, &own, &mut clocks);
        self.sessions[session as usize] = own;
        for demand in self.demands.drain(..).rev() {
            self.steps.remove_latest(demand.first);
        }
        found
    }

    fn saturated(&mut self, session: u32, own: &[u32], clocks: &mut Clocks) -> Result<Option<Found>, Verdict> {
        let Some(&last) = own.last() else { return Ok(None) };
        let mut waiting = vec![false; self.seen.nodes.len()];
        let mut reads: VecDeque<u32> =
            own.iter().copied().filter(|&node| self.seen.nodes[node as usize].reads.is_some()).collect();
        for &read in &reads {
            waiting[read as usize] = true;
        }
        while let Some(reader) = reads.pop_front() {
            waiting[reader as usize] = false;
            let before: Vec<u32> = self.writes_before(reader, clocks).collect();
            for write in before {
                let source = match self.seen.nodes[reader as usize].reads {
                    Some(Source::Node(source)) => source as u32,
                    _ => {
                        let broken = Broken::MissedInView { reader, write };
                        let ways = vec![(write, reader, self.demands.len() as u32)];
                        return Ok(Some(Found { broken, nodes: self.explain(session, ways) }));
                    }
                };
                if clocks.precedes(write, source) {
                    continue;
                }
                let demand = self.demands.len() as u32;
                if clocks.precedes(source, write) {
                    let broken = Broken::CircleInView { reader, write, source };
                    let ways = vec![(write, reader, demand), (source, write, demand)];
                    return Ok(Some(Found { broken, nodes: self.explain(session, ways) }));
                }
                self.demands.push(Demand { first: write, reader });
                self.steps.add(write, source, Why::Demand(demand));
                // All that comes after the source learns what came before the write.
                let mut learning = vec![(write, source)];
                while let Some((teacher, pupil)) = learning.pop() {
                    self.spend(session, 1)?;
                    if !clocks.join(teacher, pupil) {
                        continue;
                    }
                    let node = &self.seen.nodes[pupil as usize];
                    if node.session == session as usize && node.reads.is_some() && !waiting[pupil as usize] {
                        waiting[pupil as usize] = true;
                        reads.push_back(pupil);
                    }
                    let counts = self.counts(session);
                    // What the process never sees needs no clock.
                    let steps = self.steps.leaving(pupil).iter().filter(|step| counts(step));
                    learning.extend(steps.map(|step| (pupil, step.to)).filter(|(_, to)| clocks.precedes(*to, last)));
                }
            }
        }
        Ok(None)
    }

    /// The operations that show that the first of each way comes before the second, by demands of smaller numbers than the
    /// third; and what those demands rest on.
    fn explain(&self, session: u32, mut ways: Vec<(u32, u32, u32)>) -> Vec<u32> {
        let mut nodes = Vec::new();
        let mut explained = vec![false; self.demands.len()];
        while let Some((from, to, limit)) = ways.pop() {
            nodes.extend([from, to]);
            let counts = self.counts(session);
            let way = self.steps.way(from, to, |step| {
                counts(step) && if let Why::Demand(number) = step.why { number < limit } else { true }
            });
            nodes.extend(ends(&way));
            for step in way {
                if let Why::Demand(number) = step.why
                    && !std::mem::replace(&mut explained[number as usize], true)
                {
                    let demand = self.demands[number as usize];
                    ways.push((demand.first, demand.reader, number));
                }
            }
        }
        nodes
    }
}

/// Circles looked at before the shortest so far is taken.
const CIRCLES_MAX: usize = 64;

/// The ends of the steps that are more than the order of a process.
fn ends(way: &[Step]) -> Vec<u32> {
    let mut ends: Vec<u32> =
        way.iter().filter(|step| step.why != Why::Session).flat_map(|step| [step.from, step.to]).collect();
    ends.sort_unstable();
    ends.dedup();
    ends
}
