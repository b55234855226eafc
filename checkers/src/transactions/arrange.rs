//! Serializability and snapshot isolation where the order of some writes is open: each order is chosen, and taken back when it
//! closes a circle.
//!
//! Writers of a key that follow each other immediately make a chain. Of two chains of a key one comes first, and whoever read
//! the end of the first comes before the second as well (Cobra, Tan et al. 2020; `PolySI`, Huang et al. 2023). One guess, in the
//! order of invocations, is tried for all chains together. Where it fails the pairs are decided one after the other; what an
//! impossible choice rests on says how far to go back (conflict-directed backjumping, Prosser 1993). The graph is kept sorted
//! as edges come and go (Pearce & Kelly 2007).
//!
//! A history is serializable iff there are choices that leave no cycle. For snapshot isolation only cycles without two
//! neighbouring `rw` count (Cerone & Gotsman 2018): each transaction is two vertices, its begin and its commit, and `rw` leads
//! from begin to commit, all else from commit to begin. Again there must be no cycle.

use super::{
    graph::{Beside, Builder, Edge, Graph, Kind, Readers},
    inference::Inference,
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
    /// There is one: this order of all vertices, for snapshot isolation the one in which they commit.
    Possible(Vec<u32>),
    /// There is none, not even of these vertices alone, because of this key.
    Impossible { core: Vec<u32>, key: Option<u32> },
    /// The budget is spent.
    Spent { reason: Reason, placed: usize, of: usize },
}

/// Looks for an arrangement. `graph` is what is certain: the data and the order that `beside` asks for.
pub(crate) fn arrange(known: &Inference<'_, '_>, graph: &Graph, isolation: Isolation, meter: &mut Meter) -> Arranged {
    let split = split(graph, isolation);
    let Some(sorted) = split.sorted() else {
        return Arranged::Impossible { core: Vec::new(), key: None };
    };
    let readers = Readers::new(known);
    let arrangement = Arrangement { known, readers, isolation };
    let Ok(choices) = arrangement.choices(meter) else {
        return Arranged::Spent { reason: Reason::Steps, placed: 0, of: known.len() };
    };
    let order = |sorted: &[u32]| {
        let commits = sorted.iter().copied().filter(|v| isolation == Isolation::Serializable || v % 2 == 1);
        commits.map(|v| isolation.txn(v)).filter(|v| (*v as usize) < known.len()).collect()
    };
    if choices.is_empty() {
        return Arranged::Possible(order(&sorted));
    }
    let mut line = Line::new(&split, &sorted);
    let decided = match arrangement.guess(&mut line, meter) {
        Ok(true) => Ok(None),
        Ok(false) => arrangement.decide(&choices, &mut line, meter),
        Err(reason) => Err((reason, 0)),
    };
    match decided {
        Ok(None) => Arranged::Possible(order(&line.sorted())),
        Ok(Some((mut core, key))) => {
            for vertex in &mut core {
                *vertex = isolation.txn(*vertex);
            }
            core.retain(|vertex| (*vertex as usize) < known.len());
            core.sort_unstable();
            core.dedup();
            Arranged::Impossible { core, key: Some(key) }
        }
        Err((reason, placed)) => Arranged::Spent { reason, placed, of: choices.len() },
    }
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
    fn txn(self, vertex: u32) -> u32 {
        match self {
            Isolation::Serializable => vertex,
            Isolation::Snapshot => vertex / 2,
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

/// The graph whose cycles count.
fn split(graph: &Graph, isolation: Isolation) -> Graph {
    let vertices = match isolation {
        Isolation::Serializable => graph.vertices,
        Isolation::Snapshot => 2 * graph.vertices,
    };
    let mut builder = Builder::new(vertices);
    for &Edge { from, to, kind, key } in graph.edges() {
        isolation.edges(from, to, kind).for_each(|(from, to)| builder.add(from, to, kind, key));
    }
    if isolation == Isolation::Snapshot {
        // What comes after a commit comes after the begin as well, so these close no circle.
        (0..graph.vertices as u32).for_each(|v| builder.add(2 * v, 2 * v + 1, Kind::SESSION, 0));
    }
    builder.build()
}

/// Of two chains of a key, one comes first.
#[derive(Clone, Copy, Debug)]
struct Choice {
    key: u32,
    chains: [u32; 2],
}

/// What the search remembers of a choice that it made.
#[derive(Clone, Debug, Default)]
struct Made {
    /// Whether the second chain was put first.
    swapped: bool,
    tried: u8,
    /// The earlier choices, by their number from 1, that what failed so far rests on.
    because: Vec<u32>,
    /// The vertices of the circles that were closed.
    core: Vec<u32>,
}

struct Arrangement<'a, 'h> {
    known: &'a Inference<'a, 'h>,
    readers: Readers,
    isolation: Isolation,
}

impl Arrangement<'_, '_> {
    /// The chains of a key whose place is open. What a list was seen to hold comes before what was not seen.
    fn open(&self, key: u32) -> &[Vec<u32>] {
        let order = &self.known.keys[key as usize];
        if order.is_list { order.chains.get(1..).unwrap_or_default() } else { &order.chains }
    }

    fn choices(&self, meter: &mut Meter) -> Result<Vec<Choice>, Reason> {
        let mut choices = Vec::new();
        for key in 0..self.known.keys.len() as u32 {
            let open = self.open(key);
            // For one order of everything it does not matter where a write comes that nobody read.
            let idle = |chain: &Vec<u32>| {
                self.isolation == Isolation::Serializable
                    && chain.len() == 1
                    && self.readers.of(key, chain[0]).is_empty()
            };
            for (i, one) in open.iter().enumerate() {
                for (j, other) in open.iter().enumerate().skip(i + 1) {
                    meter.step(0)?;
                    if !(idle(one) && idle(other)) {
                        choices.push(Choice { key, chains: [i as u32, j as u32] });
                    }
                }
            }
        }
        Ok(choices)
    }

    /// What it means that one chain of a key comes before another.
    fn before(&self, key: u32, first: &[u32], second: &[u32]) -> Vec<(u32, u32)> {
        let (tail, head) = (first[first.len() - 1], second[0]);
        let mut edges: Vec<(u32, u32)> = self.isolation.edges(tail, head, Kind::WW).collect();
        for &reader in self.readers.of(key, tail).iter().filter(|r| **r != head) {
            edges.extend(self.isolation.edges(reader, head, Kind::RW));
        }
        edges
    }

    /// The vertex whose place says where a chain might come.
    fn place(&self, line: &Line, chain: &[u32]) -> u32 {
        let head = chain[0];
        line.place[match self.isolation {
            Isolation::Serializable => head as usize,
            Isolation::Snapshot => 2 * head as usize,
        }]
    }

    /// Tries the order in which the chains of each key stand now. Where each comes before the next, it does so before all.
    fn guess(&self, line: &mut Line, meter: &mut Meter) -> Result<bool, Reason> {
        for key in 0..self.known.keys.len() as u32 {
            let mut chains: Vec<&Vec<u32>> = self.open(key).iter().collect();
            chains.sort_by_key(|chain| self.place(line, chain));
            for pair in chains.windows(2) {
                for (from, to) in self.before(key, pair[0], pair[1]) {
                    if line.add(from, to, 1, meter)?.is_some() {
                        line.take_back(1);
                        return Ok(false);
                    }
                }
            }
        }
        Ok(true)
    }

    /// Makes all choices; answers the vertices and the key that show that it cannot be done.
    #[expect(clippy::type_complexity, reason = "read once, by the caller")]
    fn decide(
        &self,
        choices: &[Choice],
        line: &mut Line,
        meter: &mut Meter,
    ) -> Result<Option<(Vec<u32>, u32)>, (Reason, usize)> {
        let mut made: Vec<Made> = Vec::new();
        while made.len() <= choices.len() {
            let number = made.len();
            if number == choices.len() {
                return Ok(None);
            }
            let choice = choices[number];
            let [one, other] = choice.chains.map(|c| &self.open(choice.key)[c as usize]);
            let swapped = self.place(line, other) < self.place(line, one);
            made.push(Made { swapped, ..Made::default() });
            // Where the last choice cannot be made either way, go back to the last one that this rests on.
            loop {
                let number = made.len();
                let Some(this) = made.last_mut() else { unreachable!("going back ends at the first choice") };
                let choice = choices[number - 1];
                if this.tried == 2 {
                    let Some(&target) = this.because.iter().max() else {
                        return Ok(Some((std::mem::take(&mut this.core), choice.key)));
                    };
                    let Made { because, core, .. } = std::mem::take(this);
                    line.take_back(target);
                    made.truncate(target as usize);
                    let earlier = &mut made[target as usize - 1];
                    earlier.because.extend(because.into_iter().filter(|b| *b != target));
                    tidy(&mut earlier.because);
                    earlier.core.extend(core);
                    tidy(&mut earlier.core);
                    continue;
                }
                let swap = this.swapped != (this.tried == 1);
                this.tried += 1;
                let [one, other] = choice.chains.map(|c| &self.open(choice.key)[c as usize]);
                let (first, second) = if swap { (other, one) } else { (one, other) };
                let mut circle = None;
                for (from, to) in self.before(choice.key, first, second) {
                    circle = line.add(from, to, number as u32, meter).map_err(|reason| (reason, number))?;
                    if circle.is_some() {
                        break;
                    }
                }
                let Some(circle) = circle else { break };
                line.take_back(number as u32);
                this.because.extend(circle.levels.into_iter().filter(|l| *l != 0 && *l != number as u32));
                tidy(&mut this.because);
                this.core.extend(circle.vertices);
                tidy(&mut this.core);
            }
        }
        unreachable!("the loop returns when all choices are made")
    }
}

fn tidy(items: &mut Vec<u32>) {
    items.sort_unstable();
    items.dedup();
}

/// What an edge would close.
struct Circle {
    vertices: Vec<u32>,
    /// The numbers of the choices whose edges it has; 0 for what is certain.
    levels: Vec<u32>,
}

/// A graph without cycles whose vertices stand in a line that all edges follow.
struct Line {
    leaving: Vec<Vec<(u32, u32)>>,
    entering: Vec<Vec<u32>>,
    place: Vec<u32>,
    at: Vec<u32>,
    /// The edges added, by choice.
    added: Vec<(u32, u32, u32)>,
    /// By vertex: the search it was last reached in, and from where by an edge of which choice.
    reached: Vec<(u32, u32, u32)>,
    epoch: u32,
}

impl Line {
    fn new(graph: &Graph, sorted: &[u32]) -> Self {
        let n = sorted.len();
        let mut line = Line {
            leaving: vec![Vec::new(); n],
            entering: vec![Vec::new(); n],
            place: vec![0; n],
            at: sorted.to_vec(),
            added: Vec::new(),
            reached: vec![(0, 0, 0); n],
            epoch: 0,
        };
        for (place, &vertex) in (0..).zip(sorted) {
            line.place[vertex as usize] = place;
        }
        for edge in graph.edges() {
            line.leaving[edge.from as usize].push((edge.to, 0));
            line.entering[edge.to as usize].push(edge.from);
        }
        line
    }

    fn sorted(&self) -> Vec<u32> {
        self.at.clone()
    }

    /// Adds an edge for a choice, or answers the circle that it would close.
    fn add(&mut self, from: u32, to: u32, level: u32, meter: &mut Meter) -> Result<Option<Circle>, Reason> {
        if self.place[from as usize] > self.place[to as usize] {
            let Some(after) = self.forward(from, to, meter)? else { return Ok(Some(self.circle(from, to, level))) };
            let before = self.backward(from, to, meter)?;
            self.reorder(before, after);
        }
        self.leaving[from as usize].push((to, level));
        self.entering[to as usize].push(from);
        self.added.push((from, to, level));
        Ok(None)
    }

    /// Takes back the edges of this choice and of all later ones. The line stays right.
    fn take_back(&mut self, level: u32) {
        while let Some(&(from, to, of)) = self.added.last() {
            if of < level {
                break;
            }
            self.added.pop();
            self.leaving[from as usize].pop();
            self.entering[to as usize].pop();
        }
    }

    /// What `to` leads to, up to the place of `from`; `None` if that includes `from`.
    fn forward(&mut self, from: u32, to: u32, meter: &mut Meter) -> Result<Option<Vec<u32>>, Reason> {
        self.epoch += 1;
        let limit = self.place[from as usize];
        let mut found = vec![to];
        self.reached[to as usize] = (self.epoch, to, 0);
        let mut next = 0;
        while let Some(&vertex) = found.get(next) {
            next += 1;
            meter.step(0)?;
            for &(successor, level) in &self.leaving[vertex as usize] {
                let reached = &mut self.reached[successor as usize];
                if reached.0 != self.epoch && self.place[successor as usize] <= limit {
                    *reached = (self.epoch, vertex, level);
                    if successor == from {
                        return Ok(None);
                    }
                    found.push(successor);
                }
            }
        }
        Ok(Some(found))
    }

    /// What leads to `from`, down to the place of `to`.
    fn backward(&mut self, from: u32, to: u32, meter: &mut Meter) -> Result<Vec<u32>, Reason> {
        self.epoch += 1;
        let limit = self.place[to as usize];
        let mut found = vec![from];
        self.reached[from as usize] = (self.epoch, from, 0);
        let mut next = 0;
        while let Some(&vertex) = found.get(next) {
            next += 1;
            meter.step(0)?;
            for &before in &self.entering[vertex as usize] {
                let reached = &mut self.reached[before as usize];
                if reached.0 != self.epoch && self.place[before as usize] >= limit {
                    *reached = (self.epoch, vertex, 0);
                    found.push(before);
                }
            }
        }
        Ok(found)
    }

    /// Puts all of `before` before all of `after`, in the places that they have together.
    fn reorder(&mut self, mut before: Vec<u32>, mut after: Vec<u32>) {
        before.sort_unstable_by_key(|v| self.place[*v as usize]);
        after.sort_unstable_by_key(|v| self.place[*v as usize]);
        before.extend(after);
        let mut places: Vec<u32> = before.iter().map(|v| self.place[*v as usize]).collect();
        places.sort_unstable();
        for (vertex, place) in before.into_iter().zip(places) {
            self.place[vertex as usize] = place;
            self.at[place as usize] = vertex;
        }
    }

    /// The way that [`forward`](Self::forward) found from `to` to `from`.
    fn circle(&self, from: u32, to: u32, level: u32) -> Circle {
        let mut circle = Circle { vertices: vec![from], levels: vec![level] };
        let mut vertex = from;
        while vertex != to {
            let (_, before, level) = self.reached[vertex as usize];
            circle.vertices.push(before);
            circle.levels.push(level);
            vertex = before;
        }
        circle
    }
}
