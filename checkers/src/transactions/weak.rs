//! Read committed, read atomic and causal consistency (Biswas & Enea 2019) by saturation, after AWDIT (Møldrup &
//! Pavlogiannis 2025).
//!
//! All three ask for one order of the transactions that extends the order of each process and who read from whom. Where a
//! transaction read a key from `t1`, although it could also see a write of `t2` to that key, `t2` must come before `t1`. They
//! differ in what it could see:
//!
//! * read committed: what it had read from before, in its own order;
//! * read atomic: what it read from at all, and what its process did before;
//! * causal: all that happened before it.
//!
//! The order exists iff these demands and the given order make no circle. With n operations and k processes this takes
//! O(n √n) for the first two and O(n k) for causal consistency.

use super::{
    causal, cycles,
    graph::{Builder, Edge, Graph, Kind},
    inference::{INITIAL, Inference, Read},
    successors::Successors,
    words,
};
use crate::{
    anomaly,
    budget::Budget,
    operation::Name,
    verdict::{Anomaly, Verdict},
};

/// What a transaction could see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    ReadCommitted,
    ReadAtomic,
    Causal,
}

/// `reader` could see `first`, and read `key` from `second`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Demand {
    first: u32,
    second: u32,
    pub(super) reader: u32,
    key: u32,
}

/// What no order can satisfy, or else an order that satisfies all.
///
/// # Errors
/// A verdict when the budget of memory is too small.
pub(crate) fn check(
    known: &Inference<'_, '_>,
    level: Level,
    budget: &Budget,
) -> Result<Result<Vec<u32>, Anomaly>, Verdict> {
    let mut demands = Demands { known, all: Vec::new(), saw_nothing: None };
    match level {
        Level::ReadCommitted => demands.read_committed(),
        Level::ReadAtomic => demands.read_atomic(),
        Level::Causal => {
            let happened = Successors::new(known.len(), |edge| happened_before(known, |e| edge(e.from, e.to)));
            // Where the given order itself is circular, that is what is wrong.
            if let Some(sorted) = happened.sorted() {
                causal::demand(&mut demands, &happened.reversed(), &sorted, budget)?;
            }
        }
    }
    let Demands { all: demands, saw_nothing, .. } = demands;
    let whole = Successors::new(known.len(), |edge| all_edges(known, &demands, |e| edge(e.from, e.to)));
    match (whole.sorted(), saw_nothing) {
        (Some(order), None) => Ok(Ok(order)),
        (order, missed) => Ok(Err(wrong(known, &demands, order.is_none(), missed))),
    }
}

/// What is wrong where the demands or the given order are circular, or somebody missed what came before all else.
fn wrong(known: &Inference<'_, '_>, demands: &[Demand], is_circular: bool, missed: Option<Demand>) -> Anomaly {
    let mut happened = Builder::new(known.len());
    happened_before(known, |e| happened.add(e.from, e.to, e.kind, e.key));
    let judge = Judge { known, demands, happened: &happened.build() };
    let mut whole = Builder::new(known.len());
    all_edges(known, demands, |e| whole.add(e.from, e.to, e.kind, e.key));
    let cycle = if is_circular { cycles::worst(&whole.build()) } else { None };
    let demanded = |cycle: &[Edge]| cycle.iter().any(|e| e.kind == Kind::RW);
    match (cycle, missed) {
        (Some(cycle), None) => judge.circle(&cycle),
        (Some(cycle), Some(_)) if !demanded(&cycle) => judge.circle(&cycle),
        (_, Some(demand)) => judge.missed(&demand),
        (None, None) => unreachable!("what has no order has a circle"),
    }
}

/// The order of each process, and who saw whose writes.
fn happened_before(known: &Inference<'_, '_>, mut edge: impl FnMut(Edge)) {
    let mut edge = |from, to, kind, key| {
        if from != to {
            edge(Edge { from, to, kind, key });
        }
    };
    // By key: how many elements the session saw before.
    let mut seen = vec![(u32::MAX, 0); known.keys.len()];
    for (session, vertices) in (0..).zip(&known.sessions) {
        vertices.windows(2).for_each(|pair| edge(pair[0], pair[1], Kind::SESSION, 0));
        for &vertex in vertices {
            for read in known.reads(vertex) {
                if read.source != INITIAL {
                    edge(read.source, vertex, Kind::WR, read.key);
                }
                if read.elements == 0 {
                    continue;
                }
                let (by, before) = &mut seen[read.key as usize];
                if *by != session {
                    (*by, *before) = (session, 0);
                }
                let elements = &known.keys[read.key as usize].elements;
                let shown = elements.len().min(read.elements as usize);
                let new = (*before).min(shown)..shown;
                *before = (*before).max(shown);
                for &writer in elements[new].iter().filter(|w| **w != INITIAL) {
                    edge(writer, vertex, Kind::WR, read.key);
                }
            }
        }
    }
}

/// What happened before what, the order of the elements of lists, and what is demanded. An edge that is demanded has the place
/// of the demand for its key.
fn all_edges(known: &Inference<'_, '_>, demands: &[Demand], mut edge: impl FnMut(Edge)) {
    happened_before(known, &mut edge);
    let mut edge = |from, to, kind, key| {
        if from != to {
            edge(Edge { from, to, kind, key });
        }
    };
    for (key, order) in (0..).zip(&known.keys).filter(|(_, order)| order.is_list) {
        let Some((first, others)) = order.chains.split_first() else { continue };
        first.windows(2).for_each(|pair| edge(pair[0], pair[1], Kind::WW, key));
        if let Some(&tail) = first.last() {
            others.iter().flatten().for_each(|&unseen| edge(tail, unseen, Kind::WW, key));
        }
    }
    for (i, demand) in (0..).zip(demands) {
        edge(demand.first, demand.second, Kind::RW, i);
    }
}

/// Gathers demands.
pub(super) struct Demands<'a, 'h> {
    pub(super) known: &'a Inference<'a, 'h>,
    pub(super) all: Vec<Demand>,
    /// A demand that something comes before the initial state, of the first transaction that has one.
    saw_nothing: Option<Demand>,
}

impl Demands<'_, '_> {
    pub(super) fn add(&mut self, first: u32, second: u32, reader: u32, key: u32) {
        if first == second || first == reader || first == INITIAL {
            return;
        }
        let demand = Demand { first, second, reader, key };
        if second == INITIAL {
            if self.saw_nothing.is_none_or(|before| reader < before.reader) {
                self.saw_nothing = Some(demand);
            }
        } else if self.all.last() != Some(&demand) {
            self.all.push(demand);
        }
    }

    /// Backwards through each transaction, knowing for each key whose write the next read of it shows.
    fn read_committed(&mut self) {
        let known = self.known;
        let mut next = NextReads::new(known.keys.len());
        for reader in 0..known.len() as u32 {
            next.begin();
            for read in known.reads(reader).iter().rev() {
                for writer in known.seen(read).filter(|&w| w != reader) {
                    self.unseen(&next, writer, reader);
                }
                next.set(read);
            }
        }
    }

    fn read_atomic(&mut self) {
        let known = self.known;
        let mut next = NextReads::new(known.keys.len());
        let mut last_writer = vec![(u32::MAX, INITIAL); known.keys.len()];
        for (session, vertices) in (0..).zip(&known.sessions) {
            for &reader in vertices {
                next.begin();
                known.reads(reader).iter().rev().for_each(|read| next.set(read));
                for read in known.reads(reader) {
                    for writer in known.seen(read).filter(|&w| w != reader) {
                        self.unseen(&next, writer, reader);
                    }
                    let (by, writer) = last_writer[read.key as usize];
                    if by == session {
                        self.add(writer, read.source, reader, read.key);
                    }
                }
                for &key in known.writes(reader) {
                    last_writer[key as usize] = (session, reader);
                }
            }
        }
    }

    /// What `writer` wrote, and `reader` reads from somebody else. Goes through the smaller of both sets.
    fn unseen(&mut self, next: &NextReads, writer: u32, reader: u32) {
        let written = self.known.writes(writer);
        if written.len() <= next.keys.len() {
            for &key in written {
                if let Some(source) = next.source(key) {
                    self.add(writer, source, reader, key);
                }
            }
        } else {
            for &key in &next.keys {
                if let Some(source) = next.source(key).filter(|_| written.binary_search(&key).is_ok()) {
                    self.add(writer, source, reader, key);
                }
            }
        }
    }
}

/// By key: whose write a transaction reads next. Forgotten between transactions in O(1).
struct NextReads {
    epoch: u32,
    sources: Vec<(u32, u32)>,
    keys: Vec<u32>,
}

impl NextReads {
    fn new(keys: usize) -> Self {
        NextReads { epoch: 0, sources: vec![(0, INITIAL); keys], keys: Vec::new() }
    }

    fn begin(&mut self) {
        self.epoch += 1;
        self.keys.clear();
    }

    fn source(&self, key: u32) -> Option<u32> {
        let (epoch, source) = self.sources[key as usize];
        (epoch == self.epoch).then_some(source)
    }

    fn set(&mut self, read: &Read) {
        let (epoch, source) = &mut self.sources[read.key as usize];
        if *epoch != self.epoch {
            self.keys.push(read.key);
        }
        (*epoch, *source) = (self.epoch, read.source);
    }
}

/// Puts what was found into words.
struct Judge<'a, 'h> {
    known: &'a Inference<'a, 'h>,
    demands: &'a [Demand],
    happened: &'a Graph,
}

impl Judge<'_, '_> {
    /// A read that saw nothing of a key although it could see a write of it.
    fn missed(&self, demand: &Demand) -> Anomaly {
        let kind = self.torn(demand).unwrap_or(anomaly::READ_OF_INITIAL);
        let [reader, write] = [demand.reader, demand.first].map(|v| self.say(v));
        let key = self.known.all.keys[demand.key as usize];
        let sentence = format!("{reader} saw nothing of {key}, although {write} {}.", self.how(demand));
        self.report(kind, demand.key, self.way(demand), sentence)
    }

    fn circle(&self, cycle: &[Edge]) -> Anomaly {
        let demands: Vec<&Demand> =
            cycle.iter().filter(|e| e.kind == Kind::RW).map(|e| &self.demands[e.key as usize]).collect();
        let members = cycle.iter().map(|e| e.from).chain(words::witnesses(self.known, cycle));
        let members = members.chain(demands.iter().flat_map(|demand| self.way(demand)));
        match demands[..] {
            [] => words::cycle(self.known, anomaly::CYCLIC_CAUSALITY, "each depends on the next, in a circle", cycle),
            [demand] => {
                // With the help of a process it is no matter of two transactions alone.
                let alone = cycle.iter().all(|e| e.kind != Kind::SESSION);
                let kind = self.torn(demand).filter(|_| alone).unwrap_or(anomaly::CAUSALLY_STALE_READ);
                let [reader, first, second] = [demand.reader, demand.first, demand.second].map(|v| self.say(v));
                let sentence =
                    format!("{reader} saw {second}, although {first}, which came after that, {}.", self.how(demand));
                self.report(kind, demand.key, members, sentence)
            }
            [demand, ..] => {
                let said = self.say(demand.first);
                let sentence = format!("What was read puts {said} both before and after other writes of its key.");
                self.report(anomaly::CYCLIC_CONFLICT, demand.key, members, sentence)
            }
        }
    }

    /// How the reader could see what it missed: a shortest way from there, with both ends.
    fn way(&self, demand: &Demand) -> Vec<u32> {
        cycles::way(self.happened, demand.first, demand.reader)
    }

    /// Whether the reader read something of what it missed.
    fn read_from(&self, demand: &Demand) -> bool {
        self.known.reads(demand.reader).iter().any(|read| self.known.seen(read).any(|w| w == demand.first))
    }

    /// What it is that the reader saw one thing of another transaction and not the other, if it did.
    fn torn(&self, demand: &Demand) -> Option<Name> {
        let reads = self.known.reads(demand.reader).iter();
        let mut keys = reads.filter(|read| self.known.seen(read).any(|w| w == demand.first)).map(|read| read.key);
        let first = keys.next()?;
        let same = first == demand.key && keys.all(|key| key == first);
        Some(if same { anomaly::NON_REPEATABLE_READ } else { anomaly::FRACTURED_READ })
    }

    fn how(&self, demand: &Demand) -> &'static str {
        if self.read_from(demand) { "was read from too" } else { "happened before it" }
    }

    fn say(&self, vertex: u32) -> String {
        words::say(self.known.all, self.known.txns[vertex as usize] as usize)
    }

    fn report(&self, kind: Name, key: u32, vertices: impl IntoIterator<Item = u32>, sentence: String) -> Anomaly {
        let operations: Vec<usize> = vertices.into_iter().map(|v| self.known.txn(v).entry).collect();
        Anomaly::new(kind, self.known.all.keys[key as usize].clone(), operations, sentence)
    }
}
