//! Serializability and snapshot isolation where the order of some writes is open.
//!
//! Writers of a key that follow each other immediately make a chain. Of two chains of a key one comes first, and whoever read
//! the end of the first comes before the second as well (Cobra, Tan et al. 2020; `PolySI`, Huang et al. 2023). An order of all
//! vertices in which no chains are torn apart is the answer. The order of invocations often is one, as far as what is certain
//! allows it; or one is found soon that keeps the order of each session, though nobody asked for that. Else what is certain is
//! driven on until all chains have an order ([`forced`](super::forced)); where there are too many vertices for that, torn chains
//! are mended one after the other ([`search`](super::search)).
//!
//! A history is serializable iff there are choices that leave no cycle. For snapshot isolation only cycles without two
//! neighbouring `rw` count (Cerone & Gotsman 2018): each transaction is two vertices, its begin and its commit, and `rw` leads
//! from begin to commit, all else from commit to begin. Again there must be no cycle.

use std::{borrow::Cow, ops::Range};

use super::{
    forced,
    graph::{Beside, Builder, Edge, Graph, Kind, Readers},
    inference::{Inference, KeyOrder},
    line::Line,
    reach::Reach,
    search,
};
use crate::{budget::Meter, verdict::Reason};

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Isolation {
    Serializable,
    Snapshot,
}

/// Whether there is an arrangement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Arranged {
    /// There is one: this order of all vertices, for snapshot isolation of their begins and commits.
    Possible(Vec<u32>),
    /// There is none, not even of these vertices alone, because of this key.
    Impossible { core: Vec<u32>, key: Option<u32> },
    /// The budget is spent.
    Spent { reason: Reason, placed: usize, of: usize },
}

/// Looks for an arrangement. `graph` is what is certain: the data and the order that `beside` asks for.
pub(crate) fn arrange(
    known: &Inference<'_, '_>,
    graph: &Graph,
    beside: Beside,
    isolation: Isolation,
    meter: &mut Meter,
) -> Arranged {
    let split = match isolation {
        Isolation::Serializable => Cow::Borrowed(graph),
        Isolation::Snapshot => Cow::Owned(split(graph)),
    };
    let Some(sorted) = split.sorted() else {
        return Arranged::Impossible { core: Vec::new(), key: None };
    };
    let arrangement = Arrangement::new(known, isolation);
    let possible = |sorted: &[u32]| Arranged::Possible(of_txns(known, isolation, sorted));
    if arrangement.all_torn(&sorted).is_empty() {
        return possible(&sorted);
    }
    if beside == Beside::Nothing
        && let Some(order) = with_sessions(known, isolation, meter)
    {
        return Arranged::Possible(order);
    }
    let spent = |reason, placed| Arranged::Spent { reason, placed, of: arrangement.pairs() };
    if Reach::needs(split.vertices) <= meter.budget().bytes {
        return match forced::order(&arrangement, &split, sorted, meter) {
            Ok(Ok(sorted)) => possible(&sorted),
            Ok(Err(impossible)) => arrangement.refused(impossible),
            Err((reason, placed)) => spent(reason, placed),
        };
    }
    let mut line = Line::new(&split, &sorted);
    match search::search(&arrangement, arrangement.all_torn(&sorted), &mut line, meter) {
        Ok(None) => possible(line.sorted()),
        Ok(Some(impossible)) => arrangement.refused(impossible),
        Err((reason, placed)) => spent(reason, placed),
    }
}

/// An arrangement that has those first that were invoked last, as far as what is certain allows, if that is one.
pub(crate) fn backward(known: &Inference<'_, '_>, graph: &Graph, isolation: Isolation) -> Option<Vec<u32>> {
    let split = match isolation {
        Isolation::Serializable => Cow::Borrowed(graph),
        Isolation::Snapshot => Cow::Owned(split(graph)),
    };
    let sorted = split.sorted_backward()?;
    let is_torn = !Arrangement::new(known, isolation).all_torn(&sorted).is_empty();
    (!is_torn).then(|| of_txns(known, isolation, &sorted))
}

/// Without the vertices that only join edges.
fn of_txns(known: &Inference<'_, '_>, isolation: Isolation, sorted: &[u32]) -> Vec<u32> {
    sorted.iter().copied().filter(|vertex| (isolation.txn(*vertex) as usize) < known.len()).collect()
}

/// A search for more than was asked for takes at most one in so many steps.
const WITH_SESSIONS: u64 = 4;

/// An arrangement that keeps the order of each session too. Most databases do, and much less is open then.
fn with_sessions(known: &Inference<'_, '_>, isolation: Isolation, meter: &mut Meter) -> Option<Vec<u32>> {
    let mut part = meter.share(meter.budget().steps / WITH_SESSIONS);
    let graph = certain(known, Beside::Sessions);
    let arranged = arrange(known, &graph, Beside::Sessions, isolation, &mut part);
    meter.absorb(&part);
    if let Arranged::Possible(order) = arranged { Some(order) } else { None }
}

/// What is certain, for any isolation: the data, and the order beside it.
pub(crate) fn certain(known: &Inference<'_, '_>, beside: Beside) -> Graph {
    let mut builder = Builder::new(known.len());
    builder.data(known);
    builder.beside(known, beside);
    builder.build()
}

impl Isolation {
    /// The transaction that a vertex of the split graph is of.
    pub(super) fn txn(self, vertex: u32) -> u32 {
        match self {
            Isolation::Serializable => vertex,
            Isolation::Snapshot => vertex / 2,
        }
    }

    /// The transactions as they commit, of an order of begins and commits.
    pub(crate) fn commits(self, order: &[u32]) -> Vec<u32> {
        let commits = order.iter().map(|vertex| (self.txn(*vertex), *vertex));
        commits.filter(|(txn, vertex)| self.commit(*txn) == *vertex).map(|(txn, _)| txn).collect()
    }

    /// The vertex where a transaction commits.
    pub(super) fn commit(self, txn: u32) -> u32 {
        match self {
            Isolation::Serializable => txn,
            Isolation::Snapshot => 2 * txn + 1,
        }
    }

    /// The vertex where a transaction begins.
    pub(super) fn begin(self, txn: u32) -> u32 {
        match self {
            Isolation::Serializable => txn,
            Isolation::Snapshot => 2 * txn,
        }
    }

    /// The edges that stand for a dependency.
    fn edges(self, from: u32, to: u32, kind: Kind) -> impl Iterator<Item = (u32, u32)> {
        let [first, second] = match (self, kind) {
            (Isolation::Serializable, _) => [Some((from, to)), None],
            (Isolation::Snapshot, Kind::RW) => [Some((2 * from, 2 * to + 1)), None],
            (Isolation::Snapshot, Kind::JOIN) => [Some((2 * from + 1, 2 * to + 1)), None],
            (Isolation::Snapshot, _) => [Some((2 * from, 2 * to)), Some((2 * from + 1, 2 * to))],
        };
        first.into_iter().chain(second)
    }
}

/// The graph whose cycles count for snapshot isolation.
fn split(graph: &Graph) -> Graph {
    let mut builder = Builder::split(2 * graph.vertices, 2 * graph.txns);
    for &Edge { from, to, kind, key } in graph.edges() {
        Isolation::Snapshot.edges(from, to, kind).for_each(|(from, to)| builder.add(from, to, kind, key));
    }
    // What comes after a commit comes after the begin as well, so these close no circle.
    (0..graph.vertices as u32).for_each(|v| builder.add(2 * v, 2 * v + 1, Kind::SESSION, 0));
    builder.build()
}

/// Of two chains of a key, one comes first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Choice {
    pub(super) key: u32,
    pub(super) chains: [u32; 2],
}

impl Choice {
    /// The other one comes first.
    pub(super) fn turned(self) -> Choice {
        let Choice { key, chains: [one, other] } = self;
        Choice { key, chains: [other, one] }
    }
}

/// Vertices that have no order by themselves, because of the chains of this key.
pub(super) struct Impossible {
    pub(super) core: Vec<u32>,
    pub(super) key: u32,
}

/// A chain whose place is open.
struct Chain {
    head: u32,
    tail: u32,
    /// Who read what the tail wrote, in [`Arrangement::readers`].
    readers: Range<usize>,
    /// Whether for one order of everything it does not matter where it comes: one write that nobody read.
    idle: bool,
}

pub(super) struct Arrangement<'a, 'h> {
    pub(super) known: &'a Inference<'a, 'h>,
    pub(super) readers: Readers,
    pub(super) isolation: Isolation,
    /// By key: the chains whose place is open. What a list was seen to hold comes before what was not seen.
    chains: Vec<Vec<Chain>>,
}

impl<'a, 'h> Arrangement<'a, 'h> {
    fn new(known: &'a Inference<'a, 'h>, isolation: Isolation) -> Self {
        let readers = Readers::new(known);
        let open = |(key, order): (u32, &KeyOrder)| {
            let open = if order.is_list { order.chains.get(1..).unwrap_or_default() } else { &order.chains };
            let chain = |chain: &Vec<u32>| {
                let (head, tail) = (chain[0], chain[chain.len() - 1]);
                let readers = readers.range(key, tail);
                let idle = isolation == Isolation::Serializable && chain.len() == 1 && readers.is_empty();
                Chain { head, tail, readers, idle }
            };
            open.iter().map(chain).collect()
        };
        let chains = (0..).zip(&known.keys).map(open).collect();
        Arrangement { known, readers, isolation, chains }
    }

    /// All pairs of chains whose order matters.
    pub(super) fn choices(&self) -> impl Iterator<Item = Choice> {
        (0..).zip(&self.chains).flat_map(|(key, chains)| {
            let pairs = (0..chains.len()).flat_map(|one| (one + 1..chains.len()).map(move |other| (one, other)));
            let matters = pairs.filter(|(one, other)| !(chains[*one].idle && chains[*other].idle));
            matters.map(move |(one, other)| Choice { key, chains: [one as u32, other as u32] })
        })
    }

    /// The first transactions of two chains.
    pub(super) fn heads(&self, choice: Choice) -> [u32; 2] {
        choice.chains.map(|chain| self.chains[choice.key as usize][chain as usize].head)
    }

    /// How many pairs of chains there are.
    fn pairs(&self) -> usize {
        self.chains.iter().map(|chains| chains.len() * chains.len().saturating_sub(1) / 2).sum()
    }

    /// What it means that the first of two chains comes before the second.
    pub(super) fn before(&self, choice: Choice) -> impl Iterator<Item = (u32, u32)> {
        let [first, second] = choice.chains.map(|chain| &self.chains[choice.key as usize][chain as usize]);
        let head = second.head;
        let readers = self.readers.all(first.readers.clone()).iter().filter(move |r| **r != head);
        let anti = readers.flat_map(move |reader| self.isolation.edges(*reader, head, Kind::RW));
        self.isolation.edges(first.tail, head, Kind::WW).chain(anti)
    }

    /// The first two chains of a key that stand side by side, but not one before the other.
    pub(super) fn torn(&self, key: u32, places: &[u32]) -> Option<Choice> {
        let open = &self.chains[key as usize];
        if open.len() < 2 {
            return None;
        }
        let place = |chain: u32| places[self.isolation.begin(open[chain as usize].head) as usize];
        let mut chains: Vec<u32> = (0..open.len() as u32).collect();
        chains.sort_by_key(|chain| place(*chain));
        // Where each comes before the next, it does so before all.
        let pairs = chains.windows(2).map(|pair| Choice { key, chains: [pair[0], pair[1]] });
        let is_torn = |(from, to): (u32, u32)| places[from as usize] > places[to as usize];
        pairs.into_iter().find(|pair| self.before(*pair).any(is_torn))
    }

    /// The keys that have torn chains in this order, the last first.
    fn all_torn(&self, sorted: &[u32]) -> Vec<u32> {
        let places = forced::places(sorted);
        (0..self.chains.len() as u32).rev().filter(|key| self.torn(*key, &places).is_some()).collect()
    }

    fn refused(&self, impossible: Impossible) -> Arranged {
        let Impossible { core, key } = impossible;
        let mut core: Vec<u32> = core.into_iter().map(|vertex| self.isolation.txn(vertex)).collect();
        core.retain(|vertex| (*vertex as usize) < self.known.len());
        tidy(&mut core);
        Arranged::Impossible { core, key: Some(key) }
    }
}

pub(super) fn tidy(items: &mut Vec<u32>) {
    items.sort_unstable();
    items.dedup();
}
