//! Dependencies between transactions as a graph: what kind of dependency, over which key, and strongly connected parts.

use std::{cmp::Reverse, collections::BinaryHeap, ops::Range};

use super::inference::{INITIAL, Inference};

/// Why one transaction comes before another. Each kind is one bit, so that kinds can be chosen together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Kind(u8);

impl Kind {
    /// The second overwrote the first.
    pub(crate) const WW: Kind = Kind(1);
    /// The second read what the first wrote.
    pub(crate) const WR: Kind = Kind(2);
    /// The first read what the second overwrote.
    pub(crate) const RW: Kind = Kind(4);
    /// Both are of one process.
    pub(crate) const SESSION: Kind = Kind(8);
    /// The first had completed when the second was invoked.
    pub(crate) const TIME: Kind = Kind(16);
    /// Leads on from a vertex that stands for many `RW`.
    pub(crate) const JOIN: Kind = Kind(32);
    /// Any other order would close a circle; the key is no key, but which conclusion it is.
    pub(crate) const FORCED: Kind = Kind(64);

    /// These kinds and those.
    pub(crate) const fn and(self, other: Kind) -> Kind {
        Kind(self.0 | other.0)
    }

    /// Whether these kinds include this one.
    pub(crate) fn has(self, kind: Kind) -> bool {
        self.0 & kind.0 != 0
    }
}

/// A dependency, as its source keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Edge {
    pub(crate) from: u32,
    pub(crate) to: u32,
    pub(crate) kind: Kind,
    /// The key that it is about; meaningless for [`Kind::SESSION`] and [`Kind::TIME`].
    pub(crate) key: u32,
}

/// Dependencies. The first `txns` vertices are transactions; others only join edges, so that the graph stays linear in the
/// history.
#[derive(Clone, Debug)]
pub(crate) struct Graph {
    pub(crate) txns: usize,
    pub(crate) vertices: usize,
    edges: Vec<Edge>,
    starts: Vec<u32>,
}

/// Which orders beside the data itself count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Beside {
    Nothing,
    Sessions,
    /// Real time, which includes sessions.
    Time,
}

/// How many edges a transaction keeps that replaces what it read, where many do.
const FEW: usize = 64;

/// Edges being gathered.
pub(crate) struct Builder {
    txns: usize,
    vertices: usize,
    edges: Vec<Edge>,
}

impl Builder {
    pub(crate) fn new(txns: usize) -> Self {
        Builder { txns, vertices: txns, edges: Vec::new() }
    }

    /// Of which only the first `txns` vertices stand for transactions.
    pub(crate) fn split(vertices: usize, txns: usize) -> Self {
        Builder { txns, vertices, edges: Vec::new() }
    }

    pub(crate) fn add(&mut self, from: u32, to: u32, kind: Kind, key: u32) {
        if from != to {
            self.edges.push(Edge { from, to, kind, key });
        }
    }

    fn vertex(&mut self) -> u32 {
        self.vertices += 1;
        self.vertices as u32 - 1
    }

    /// `RW` from each reader to each writer, by way of a vertex of their own where that is shorter.
    fn anti(&mut self, readers: &[u32], writers: &[u32], key: u32) {
        if readers.len() * writers.len() <= 2 * (readers.len() + writers.len()) {
            for &reader in readers {
                for &writer in writers {
                    self.add(reader, writer, Kind::RW, key);
                }
            }
            return;
        }
        // Nobody may reach itself by way of the join, so who both reads and writes has edges of its own. Two such lose an
        // update, so a few edges are enough.
        let mut both: Vec<u32> = writers.iter().copied().filter(|w| readers.binary_search(w).is_ok()).collect();
        both.sort_unstable();
        let join = self.vertex();
        for &reader in readers.iter().filter(|r| both.binary_search(r).is_err()) {
            self.edges.push(Edge { from: reader, to: join, kind: Kind::RW, key });
        }
        for &writer in writers {
            self.edges.push(Edge { from: join, to: writer, kind: Kind::JOIN, key });
        }
        for &reader in &both {
            writers.iter().take(FEW).for_each(|&writer| self.add(reader, writer, Kind::RW, key));
        }
    }

    /// What the data shows for certain.
    pub(crate) fn data(&mut self, known: &Inference<'_, '_>) {
        let readers = Readers::new(known);
        for vertex in 0..known.len() as u32 {
            for read in known.reads(vertex).iter().filter(|read| read.source != INITIAL) {
                self.add(read.source, vertex, Kind::WR, read.key);
                if !known.keys[read.key as usize].is_list && known.wrote(vertex, read.key) {
                    self.add(read.source, vertex, Kind::WW, read.key);
                }
            }
        }
        for (key, order) in (0..).zip(&known.keys) {
            for chain in &order.chains {
                for pair in chain.windows(2) {
                    self.add(pair[0], pair[1], Kind::WW, key);
                    for &reader in readers.of(key, pair[0]) {
                        self.add(reader, pair[1], Kind::RW, key);
                    }
                }
            }
            // What was there at first was overwritten by all, and so was all that a list was seen to hold by what was not seen.
            let mut heads: Vec<u32> = order.chains.iter().filter_map(|chain| chain.first().copied()).collect();
            let seen = order.chains.first().filter(|_| order.is_list).and_then(|chain| chain.last().copied());
            match seen {
                None => self.anti(readers.of(key, INITIAL), &heads, key),
                Some(tail) => {
                    let first = heads.remove(0);
                    readers.of(key, INITIAL).iter().for_each(|&reader| self.add(reader, first, Kind::RW, key));
                    for &head in &heads {
                        self.add(tail, head, Kind::WW, key);
                    }
                    self.anti(readers.of(key, tail), &heads, key);
                }
            }
        }
    }

    /// The order of each process, or of real time. O(n log n).
    pub(crate) fn beside(&mut self, known: &Inference<'_, '_>, beside: Beside) {
        match beside {
            Beside::Nothing => {}
            Beside::Sessions => {
                for session in &known.sessions {
                    session.windows(2).for_each(|pair| self.add(pair[0], pair[1], Kind::SESSION, 0));
                }
            }
            Beside::Time => self.time(known),
        }
    }

    /// Completions are a line of vertices; a transaction leads to its own and follows the last before its invocation.
    fn time(&mut self, known: &Inference<'_, '_>) {
        let entry = |vertex: u32| known.all.entry(known.txns[vertex as usize] as usize);
        let mut completions: Vec<(u32, u32)> =
            (0..known.len() as u32).map(|v| (entry(v).returned(), v)).filter(|(at, _)| *at != u32::MAX).collect();
        completions.sort_unstable();
        let first = self.vertices as u32;
        self.vertices += completions.len();
        for (i, &(_, vertex)) in completions.iter().enumerate() {
            let here = first + i as u32;
            self.add(vertex, here, Kind::TIME, 0);
            if i > 0 {
                self.add(here - 1, here, Kind::TIME, 0);
            }
        }
        for vertex in 0..known.len() as u32 {
            let before = completions.partition_point(|(at, _)| *at < entry(vertex).invoked.position);
            if before > 0 {
                self.add(first + before as u32 - 1, vertex, Kind::TIME, 0);
            }
        }
    }

    pub(crate) fn build(self) -> Graph {
        let Builder { txns, vertices, mut edges } = self;
        edges.sort_unstable_by_key(|e| (e.from, e.to, e.kind, e.key));
        edges.dedup();
        let mut starts = vec![0; vertices + 1];
        for edge in &edges {
            starts[edge.from as usize + 1] += 1;
        }
        for v in 0..vertices {
            starts[v + 1] += starts[v];
        }
        Graph { txns, vertices, edges, starts }
    }
}

/// Who read each version of each key, in the order of vertices.
pub(crate) struct Readers {
    /// (key, source, reader), sorted.
    versions: Vec<(u32, u32, u32)>,
    readers: Vec<u32>,
}

impl Readers {
    pub(crate) fn new(known: &Inference<'_, '_>) -> Self {
        let mut versions: Vec<(u32, u32, u32)> = Vec::new();
        for vertex in 0..known.len() as u32 {
            versions.extend(known.reads(vertex).iter().map(|read| (read.key, read.source, vertex)));
        }
        versions.sort_unstable();
        versions.dedup();
        let readers = versions.iter().map(|(_, _, reader)| *reader).collect();
        Readers { versions, readers }
    }

    pub(crate) fn of(&self, key: u32, source: u32) -> &[u32] {
        self.all(self.range(key, source))
    }

    /// Where the readers of a version are.
    pub(crate) fn range(&self, key: u32, source: u32) -> Range<usize> {
        let start = self.versions.partition_point(|(k, s, _)| (*k, *s) < (key, source));
        let end = start + self.versions[start..].partition_point(|(k, s, _)| (*k, *s) == (key, source));
        start..end
    }

    /// The readers that are there.
    pub(crate) fn all(&self, range: Range<usize>) -> &[u32] {
        &self.readers[range]
    }
}

impl Graph {
    pub(crate) fn edges(&self) -> &[Edge] {
        &self.edges
    }

    /// The edges that leave a vertex.
    pub(crate) fn leaving(&self, vertex: u32) -> &[Edge] {
        &self.edges[self.starts[vertex as usize] as usize..self.starts[vertex as usize + 1] as usize]
    }

    /// The same vertices with edges of these kinds only.
    pub(crate) fn only(&self, kinds: Kind) -> Graph {
        let mut builder = Builder { txns: self.txns, vertices: self.vertices, edges: self.edges.clone() };
        builder.edges.retain(|edge| kinds.has(edge.kind));
        builder.build()
    }

    /// The strongly connected part that each vertex belongs to, by edges of these kinds (Tarjan 1972).
    /// O(vertices + edges).
    pub(crate) fn parts(&self, kinds: Kind) -> Parts {
        const NEW: u32 = u32::MAX;
        let mut parts = Parts { of: vec![NEW; self.vertices] };
        let mut count = 0;
        let mut number = vec![NEW; self.vertices];
        let mut low = vec![NEW; self.vertices];
        let mut open = Vec::new();
        // The vertices on the way, each with the next of its edges to look at.
        let mut path: Vec<(u32, u32)> = Vec::new();
        let mut next = 0;
        for root in 0..self.vertices as u32 {
            if number[root as usize] == NEW {
                path.push((root, 0));
            }
            while let Some(&mut (vertex, ref mut at)) = path.last_mut() {
                let v = vertex as usize;
                if number[v] == NEW {
                    number[v] = next;
                    low[v] = next;
                    next += 1;
                    open.push(vertex);
                }
                if let Some(edge) = self.leaving(vertex).get(*at as usize) {
                    *at += 1;
                    let to = edge.to as usize;
                    if !kinds.has(edge.kind) {
                    } else if number[to] == NEW {
                        path.push((edge.to, 0));
                    } else if parts.of[to] == NEW {
                        low[v] = low[v].min(number[to]);
                    }
                    continue;
                }
                path.pop();
                if let Some(&(parent, _)) = path.last() {
                    low[parent as usize] = low[parent as usize].min(low[v]);
                }
                if low[v] == number[v] {
                    let start = open.iter().rposition(|&o| o == vertex).expect("a vertex on the way is open");
                    for member in open.drain(start..) {
                        parts.of[member as usize] = count;
                    }
                    count += 1;
                }
            }
        }
        parts
    }

    /// The vertices in an order that all edges follow; `None` if there is a cycle. Among those that may come next one that only
    /// joins edges does, lest it keep others waiting, else the one with the smallest number. O((vertices + edges) log vertices).
    pub(crate) fn sorted(&self) -> Option<Vec<u32>> {
        sorted(
            self.vertices,
            |vertex| (vertex as usize) < self.txns,
            |vertex| self.leaving(vertex).iter().map(|edge| edge.to),
        )
    }

    /// The same, but the one with the greatest number first.
    pub(crate) fn sorted_backward(&self) -> Option<Vec<u32>> {
        sorted(
            self.vertices,
            |vertex| ((vertex as usize) < self.txns, Reverse(vertex)),
            |vertex| self.leaving(vertex).iter().map(|edge| edge.to),
        )
    }
}

/// All vertices in an order in which each comes before those `after` it; `None` if there is none. Among those that may come next
/// the one with the smallest `turn` does, then the one with the smallest number.
pub(super) fn sorted<T: Ord, A: Iterator<Item = u32>>(
    vertices: usize,
    turn: impl Fn(u32) -> T,
    after: impl Fn(u32) -> A,
) -> Option<Vec<u32>> {
    let mut degree = vec![0_u32; vertices];
    for vertex in 0..vertices as u32 {
        after(vertex).for_each(|to| degree[to as usize] += 1);
    }
    let turn = |vertex: u32| Reverse((turn(vertex), vertex));
    let ready = (0..vertices as u32).filter(|&v| degree[v as usize] == 0).map(turn);
    let mut ready: BinaryHeap<Reverse<(T, u32)>> = ready.collect();
    let mut sorted = Vec::with_capacity(vertices);
    while let Some(Reverse((_, vertex))) = ready.pop() {
        sorted.push(vertex);
        for to in after(vertex) {
            degree[to as usize] -= 1;
            if degree[to as usize] == 0 {
                ready.push(turn(to));
            }
        }
    }
    (sorted.len() == vertices).then_some(sorted)
}

/// Strongly connected parts.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    of: Vec<u32>,
}

impl Parts {
    /// All vertices in one part, whether or not they are connected.
    pub(crate) fn one(vertices: usize) -> Self {
        Parts { of: vec![0; vertices] }
    }

    /// Whether both ends of the edge are in one part, so that the edge lies on a cycle.
    pub(crate) fn holds(&self, edge: &Edge) -> bool {
        self.of[edge.from as usize] == self.of[edge.to as usize]
    }

    /// The part that a vertex belongs to.
    pub(crate) fn of(&self, vertex: u32) -> u32 {
        self.of[vertex as usize]
    }
}
