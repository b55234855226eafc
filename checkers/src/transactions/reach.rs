//! Which vertices of a graph lead to which, kept up to date as edges come and go.

use super::graph::Graph;

/// A square of bits.
pub(super) struct Reach {
    words: usize,
    bits: Vec<u64>,
    /// Since the first mark: which word was changed, and what it was.
    changes: Vec<(usize, u64)>,
    marks: Vec<usize>,
}

impl Reach {
    /// The memory that it takes for so many vertices, in bytes.
    pub(super) fn needs(vertices: usize) -> u64 {
        8 * vertices as u64 * vertices.div_ceil(64) as u64
    }

    /// Of a graph without circles. O(vertices · edges / 64).
    pub(super) fn new(graph: &Graph, sorted: &[u32]) -> Self {
        let (n, words) = (graph.vertices, graph.vertices.div_ceil(64));
        let mut reach = Reach { words, bits: vec![0; n * words], changes: Vec::new(), marks: Vec::new() };
        for &vertex in sorted.iter().rev() {
            reach.bits[vertex as usize * words + vertex as usize / 64] |= 1 << (vertex % 64);
            for edge in graph.leaving(vertex) {
                reach.join(vertex, edge.to);
            }
        }
        reach
    }

    /// The memory that it takes, in bytes.
    pub(super) fn bytes(&self) -> u64 {
        8 * self.bits.len() as u64 + 16 * self.changes.len() as u64
    }

    /// Whether there is a way; each leads to itself.
    pub(super) fn leads(&self, from: u32, to: u32) -> bool {
        self.bits[from as usize * self.words + to as usize / 64] >> (to % 64) & 1 == 1
    }

    /// `from` leads to all that `to` leads to; says whether it did not before.
    pub(super) fn join(&mut self, from: u32, to: u32) -> bool {
        if self.leads(from, to) {
            return false;
        }
        let (here, there) = (from as usize * self.words, to as usize * self.words);
        let is_marked = !self.marks.is_empty();
        for word in 0..self.words {
            let more = self.bits[there + word];
            let old = self.bits[here + word];
            if more & !old != 0 {
                if is_marked {
                    self.changes.push((here + word, old));
                }
                self.bits[here + word] = old | more;
            }
        }
        true
    }

    /// Remembers what is there.
    pub(super) fn mark(&mut self) {
        self.marks.push(self.changes.len());
    }

    /// Takes back what came since the last mark.
    pub(super) fn restore(&mut self) {
        let mark = self.marks.pop().unwrap_or_default();
        for (word, old) in self.changes.drain(mark..).rev() {
            self.bits[word] = old;
        }
    }
}
