//! A graph without cycles that is kept sorted as edges come and go (Pearce & Kelly 2007).

use super::graph::Graph;
use crate::{budget::Meter, verdict::Reason};

/// What an edge would close.
pub(super) struct Circle {
    pub(super) vertices: Vec<u32>,
    /// The numbers of the choices whose edges it has; 0 for what is certain.
    pub(super) levels: Vec<u32>,
}

/// A graph without cycles whose vertices stand in a line that all edges follow.
pub(super) struct Line {
    leaving: Vec<Vec<(u32, u32)>>,
    entering: Vec<Vec<u32>>,
    place: Vec<u32>,
    at: Vec<u32>,
    /// The edges added, by choice.
    added: Vec<(u32, u32, u32)>,
    /// By vertex: the search it was last reached in, and from where by an edge of which choice.
    reached: Vec<(u32, u32, u32)>,
    epoch: u32,
    moved: Vec<u32>,
}

impl Line {
    /// `sorted` are the vertices in an order that all edges follow.
    pub(super) fn new(graph: &Graph, sorted: &[u32]) -> Self {
        let n = sorted.len();
        let mut line = Line {
            leaving: vec![Vec::new(); n],
            entering: vec![Vec::new(); n],
            place: vec![0; n],
            at: sorted.to_vec(),
            added: Vec::new(),
            reached: vec![(0, 0, 0); n],
            epoch: 0,
            moved: Vec::new(),
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

    /// The vertices as they stand.
    pub(super) fn sorted(&self) -> &[u32] {
        &self.at
    }

    /// By vertex, where in the line it stands.
    pub(super) fn places(&self) -> &[u32] {
        &self.place
    }

    /// The vertices that stand elsewhere than when this was last asked for; some may be there twice.
    pub(super) fn moved(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.moved)
    }

    /// Adds an edge for a choice, or answers the circle that it would close.
    pub(super) fn add(&mut self, from: u32, to: u32, level: u32, meter: &mut Meter) -> Result<Option<Circle>, Reason> {
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
    pub(super) fn take_back(&mut self, level: u32) {
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
            self.moved.push(vertex);
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
