//! Cycles of dependencies, each class with a shortest one found: Adya's phenomena (1999), told apart as Elle does.
//!
//! | class | the cycle has |
//! | --- | --- |
//! | `g0` | `ww` only |
//! | `g1c` | `ww` and `wr` |
//! | `g-single` | exactly one `rw` |
//! | `g-nonadjacent` | several `rw`, no two next to each other |
//! | `g2-item` | several `rw`, some next to each other |
//!
//! `-process` and `-realtime` say that the cycle needs the order of a process, or real time, too. Some shapes have names of
//! their own: fractured read, lost update, write skew, long fork.

use std::collections::VecDeque;

use super::{
    graph::{Beside, Edge, Graph, Kind, Parts},
    inference::Inference,
    words,
};
use crate::{anomaly, operation::Name, verdict::Anomaly};

/// Edges looked at for one class before the shortest cycle so far is taken.
const SEARCH_STEPS: usize = 4_000_000;

/// What the data shows.
const DATA: Kind = Kind::WW.and(Kind::WR).and(Kind::RW);

/// What orders beside the data do. Each is transitive, so that any number of steps in a row are one.
const ORDER: Kind = Kind::SESSION.and(Kind::TIME);

const EVERY_KIND: Kind = DATA.and(Kind::JOIN).and(ORDER);

/// What sets classes of cycles apart, from the worst on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    G0,
    G1c,
    Single,
    Nonadjacent,
    Item,
}

const CLASSES: [Class; 5] = [Class::G0, Class::G1c, Class::Single, Class::Nonadjacent, Class::Item];

/// Reports a shortest cycle of each class that there is, also those that need sessions or real time as far as `beside` goes.
pub(crate) fn find(known: &Inference<'_, '_>, graphs: &[(Beside, &Graph)]) -> Vec<Anomaly> {
    let mut found: Vec<Class> = Vec::new();
    let mut anomalies = Vec::new();
    for &(beside, graph) in graphs {
        let parts = graph.parts(EVERY_KIND);
        let mut search = Search::new(graph, &parts);
        for class in CLASSES {
            if found.contains(&class) {
                continue;
            }
            if let Some(cycle) = search.shortest(class) {
                found.push(class);
                let (kind, shape) = name(class, beside, &cycle);
                anomalies.push(words::cycle(known, kind, shape, &cycle));
            }
        }
    }
    anomalies
}

/// A cycle, a shortest one of the worst class that there is as far as the search for it goes; `None` if there is no cycle.
pub(crate) fn worst(graph: &Graph) -> Option<Vec<Edge>> {
    let parts = graph.parts(EVERY_KIND);
    let mut search = Search::new(graph, &parts);
    let any = |search: &mut Search<'_>| {
        let edge = graph.edges().iter().find(|e| DATA.has(e.kind) && parts.holds(e))?;
        search.back(edge, EVERY_KIND, false)
    };
    CLASSES.into_iter().find_map(|class| search.shortest(class)).or_else(|| any(&mut search))
}

/// A shortest way from one transaction to another, with both ends.
pub(crate) fn way(graph: &Graph, from: u32, to: u32) -> Vec<u32> {
    let parts = Parts::one(graph.vertices);
    let back = Edge { from: to, to: from, kind: Kind::RW, key: 0 };
    let circle = Search::new(graph, &parts).back(&back, EVERY_KIND, false);
    circle.map_or_else(|| vec![to, from], |circle| circle.iter().map(|edge| edge.from).collect())
}

/// The name of a cycle, and what it is called in words.
fn name(class: Class, beside: Beside, cycle: &[Edge]) -> (Name, &'static str) {
    let kinds: Vec<Kind> = cycle.iter().map(|e| e.kind).collect();
    let rotated = |shape: &[Kind]| {
        kinds.len() == shape.len() && (0..kinds.len()).any(|i| [&kinds[i..], &kinds[..i]].concat() == shape)
    };
    let same_key = cycle.iter().all(|e| e.key == cycle[0].key);
    let (ww, wr, rw) = (Kind::WW, Kind::WR, Kind::RW);
    if rotated(&[wr, rw]) && same_key {
        return (anomaly::NON_REPEATABLE_READ, "a read that is not repeatable (G-single)");
    }
    if rotated(&[wr, rw]) {
        return (anomaly::FRACTURED_READ, "a fractured read (G-single)");
    }
    if rotated(&[ww, rw]) && same_key {
        return (anomaly::LOST_UPDATE, "a lost update (G-single)");
    }
    if rotated(&[rw, rw]) && !same_key {
        return (anomaly::WRITE_SKEW, "write skew (G2-item)");
    }
    if rotated(&[wr, rw, wr, rw]) && !same_key {
        return (anomaly::LONG_FORK, "a long fork (G-nonadjacent)");
    }
    let names = match class {
        Class::G0 => [
            (anomaly::G0, "a dirty write (G0)"),
            (anomaly::G0_PROCESS, "G0 with the order of a process"),
            (anomaly::G0_REALTIME, "G0 with real time"),
        ],
        Class::G1c => [
            (anomaly::G1C, "circular information flow (G1c)"),
            (anomaly::G1C_PROCESS, "G1c with the order of a process"),
            (anomaly::G1C_REALTIME, "G1c with real time"),
        ],
        Class::Single => [
            (anomaly::G_SINGLE, "read skew (G-single)"),
            (anomaly::G_SINGLE_PROCESS, "G-single with the order of a process"),
            (anomaly::G_SINGLE_REALTIME, "G-single with real time"),
        ],
        Class::Nonadjacent => [
            (anomaly::G_NONADJACENT, "G-nonadjacent"),
            (anomaly::G_NONADJACENT_PROCESS, "G-nonadjacent with the order of a process"),
            (anomaly::G_NONADJACENT_REALTIME, "G-nonadjacent with real time"),
        ],
        Class::Item => [
            (anomaly::G2_ITEM, "an anti-dependency cycle (G2-item)"),
            (anomaly::G2_ITEM_PROCESS, "G2-item with the order of a process"),
            (anomaly::G2_ITEM_REALTIME, "G2-item with real time"),
        ],
    };
    let [plain, process, time] = names;
    match beside {
        Beside::Nothing => plain,
        Beside::Sessions => process,
        Beside::Time => time,
    }
}

/// Where a search is, and what it must know of how it came there.
#[derive(Clone, Copy)]
struct State {
    vertex: u32,
    after_rw: bool,
    in_session: bool,
}

impl State {
    /// How many there are of each vertex.
    const EACH: usize = 4;

    fn slot(self) -> usize {
        State::EACH * self.vertex as usize + 2 * usize::from(self.after_rw) + usize::from(self.in_session)
    }
}

/// Breadth-first searches that share their memory.
struct Search<'g> {
    graph: &'g Graph,
    /// By edges of all kinds: no cycle leaves its part.
    parts: &'g Parts,
    /// By state: the search it was last reached in, and how.
    reached: Vec<(u32, u32)>,
    /// Edges taken, each with the state that it leaves.
    edges: Vec<(Edge, State)>,
    epoch: u32,
    steps: usize,
}

impl<'g> Search<'g> {
    fn new(graph: &'g Graph, parts: &'g Parts) -> Self {
        let reached = vec![(0, 0); State::EACH * graph.vertices];
        Search { graph, parts, reached, edges: Vec::new(), epoch: 0, steps: 0 }
    }

    /// A shortest cycle of the class, as dependencies between transactions.
    fn shortest(&mut self, class: Class) -> Option<Vec<Edge>> {
        let dependency = ORDER.and(Kind::WW).and(Kind::WR);
        let (begins, kinds) = match class {
            Class::G0 => (Kind::WW, ORDER.and(Kind::WW)),
            Class::G1c => (Kind::WR, dependency),
            Class::Single => (Kind::RW, dependency.and(Kind::JOIN)),
            Class::Nonadjacent | Class::Item => (Kind::RW, EVERY_KIND),
        };
        // Of these two classes every edge in a part of its own is on a cycle, so that none is missed.
        let own = matches!(class, Class::G0 | Class::G1c).then(|| self.graph.parts(kinds));
        let parts = own.as_ref().unwrap_or(self.parts);
        self.steps = 0;
        let mut best: Option<Vec<Edge>> = None;
        let graph = self.graph;
        let candidates = graph.edges().iter().filter(|e| begins.has(e.kind));
        for edge in candidates.filter(|e| parts.holds(e)) {
            if self.steps >= SEARCH_STEPS {
                break;
            }
            let at_most = best.as_ref().map_or(usize::MAX, Vec::len);
            if let Some(cycle) = self.back(edge, kinds, class == Class::Nonadjacent)
                && cycle.len() < at_most
                && fits(class, &cycle)
            {
                let is_shortest = cycle.len() == 2;
                best = Some(cycle);
                if is_shortest {
                    break;
                }
            }
        }
        best
    }

    /// A shortest way from the end of the edge back to its beginning, with the edge itself first.
    fn back(&mut self, first: &Edge, kinds: Kind, nonadjacent: bool) -> Option<Vec<Edge>> {
        self.epoch += 1;
        self.edges.clear();
        let part = self.parts.of(first.from);
        let after_rw = nonadjacent && first.kind == Kind::RW;
        let start = State { vertex: first.to, after_rw, in_session: first.kind == Kind::SESSION };
        let mut queue = VecDeque::from([(start, u32::MAX)]);
        while let Some((state, came)) = queue.pop_front() {
            let State { vertex, after_rw, in_session } = state;
            if self.reached[state.slot()].0 == self.epoch {
                continue;
            }
            self.reached[state.slot()] = (self.epoch, came);
            if vertex == first.from && !after_rw {
                return Some(self.unwind(first, state));
            }
            let joins = vertex as usize >= self.graph.txns;
            for edge in self.graph.leaving(vertex) {
                self.steps += 1;
                let adjacent = after_rw && edge.kind == Kind::RW;
                if !kinds.has(edge.kind) || adjacent || self.parts.of(edge.to) != part {
                    continue;
                }
                let anti = edge.kind == Kind::RW || (edge.kind == Kind::JOIN && joins);
                let next =
                    State { vertex: edge.to, after_rw: nonadjacent && anti, in_session: edge.kind == Kind::SESSION };
                let index = self.edges.len() as u32;
                self.edges.push((*edge, state));
                // Only steps to a transaction count, and of those along a session the first.
                if (edge.to as usize) < self.graph.txns && !(in_session && next.in_session) {
                    queue.push_back((next, index));
                } else {
                    queue.push_front((next, index));
                }
            }
        }
        None
    }

    fn unwind(&self, first: &Edge, end: State) -> Vec<Edge> {
        let mut raw = Vec::new();
        let mut state = end;
        loop {
            let (_, came) = self.reached[state.slot()];
            let Some(&(edge, before)) = self.edges.get(came as usize) else { break };
            raw.push(edge);
            state = before;
        }
        raw.push(*first);
        raw.reverse();
        contract(raw, self.graph.txns)
    }
}

/// One edge for each way through vertices that are no transactions, and for each along a session or along real time.
fn contract(raw: Vec<Edge>, txns: usize) -> Vec<Edge> {
    let mut cycle: Vec<Edge> = Vec::new();
    for edge in raw {
        match cycle.last_mut() {
            Some(last) if last.to as usize >= txns || (last.kind == edge.kind && ORDER.has(edge.kind)) => {
                last.to = edge.to;
            }
            _ => cycle.push(edge),
        }
    }
    cycle
}

/// Whether the cycle is one of its class, not of a worse one.
fn fits(class: Class, cycle: &[Edge]) -> bool {
    let rw = |e: &Edge| e.kind == Kind::RW;
    let count = cycle.iter().filter(|e| rw(e)).count();
    let adjacent = (0..cycle.len()).any(|i| rw(&cycle[i]) && rw(&cycle[(i + 1) % cycle.len()]));
    match class {
        Class::G0 | Class::G1c => count == 0,
        Class::Single => count == 1,
        Class::Nonadjacent => count > 1 && !adjacent,
        Class::Item => count > 1 && adjacent,
    }
}
