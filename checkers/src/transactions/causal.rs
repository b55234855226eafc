//! What causal consistency demands: of each process, the last write of a key that happened before a read of it comes before the
//! write that was read. What happened before is a vector clock, kept as long as somebody still learns from it.

use std::ops::Range;

use super::{
    inference::{INITIAL, Inference},
    successors::Successors,
    weak::Demands,
};
use crate::{
    budget::{Budget, Meter},
    verdict::{Reason, Verdict},
};

/// How far back in a transaction the same read is looked for; to judge one twice does no harm.
const SAME_MAX: usize = 16;

/// Gathers the demands. `before` says by transaction what happened right before it, and `sorted` keeps that order.
///
/// # Errors
/// A verdict when the budget of memory is too small.
pub(super) fn demand(
    demands: &mut Demands<'_, '_>,
    before: &Successors,
    sorted: &[u32],
    budget: &Budget,
) -> Result<(), Verdict> {
    let known = demands.known;
    let writers = Writers::new(known);
    let mut clocks = Clocks::new(known, before);
    for &reader in sorted {
        clocks.begin(reader, before.of(reader));
        if clocks.bytes() > budget.bytes {
            let progress = format!("{} operations of {} processes need more", known.len(), known.sessions.len());
            return Err(Meter::new(*budget).spent(Reason::Memory, &progress));
        }
        let reads = known.reads(reader);
        for (i, read) in reads.iter().enumerate() {
            // Most transactions are short.
            if reads[i.saturating_sub(SAME_MAX)..i].contains(read) {
                continue;
            }
            for writers in writers.of(read.key) {
                let Some(writer) = clocks.last_known(reader, writers) else { continue };
                // What happened before the source needs no demand.
                if read.source == INITIAL || !clocks.precedes(writer, read.source) {
                    demands.add(writer, read.source, reader, read.key);
                }
            }
        }
        clocks.end(reader, before.of(reader));
    }
    demands.all.sort_by_key(|demand| demand.reader);
    Ok(())
}

/// A transaction, by its place in its process.
#[derive(Clone, Copy)]
struct Placed {
    place: u32,
    vertex: u32,
}

/// The writers of each key, those of a process together and in its order.
struct Writers {
    /// By key, where its runs begin.
    keys: Vec<u32>,
    /// By run, where its writers begin.
    runs: Vec<u32>,
    all: Vec<Placed>,
}

impl Writers {
    fn new(known: &Inference<'_, '_>) -> Self {
        let mut starts = vec![0_u32; known.keys.len() + 1];
        let in_order = |with: &mut dyn FnMut(u32, u32, Placed)| {
            for (session, vertices) in (0..).zip(&known.sessions) {
                for (place, &vertex) in (0..).zip(vertices) {
                    known.writes(vertex).iter().for_each(|&key| with(key, session, Placed { place, vertex }));
                }
            }
        };
        in_order(&mut |key, _, _| starts[key as usize + 1] += 1);
        for key in 0..known.keys.len() {
            starts[key + 1] += starts[key];
        }
        let mut next = starts.clone();
        let mut all = vec![Placed { place: 0, vertex: 0 }; starts[known.keys.len()] as usize];
        let mut begins = vec![false; all.len()];
        let mut last_of = vec![u32::MAX; known.keys.len()];
        in_order(&mut |key, session, placed| {
            let at = &mut next[key as usize];
            all[*at as usize] = placed;
            begins[*at as usize] = std::mem::replace(&mut last_of[key as usize], session) != session;
            *at += 1;
        });
        let mut writers = Writers { keys: Vec::with_capacity(starts.len()), runs: Vec::new(), all };
        for key in starts.windows(2) {
            writers.keys.push(writers.runs.len() as u32);
            writers.runs.extend((key[0]..key[1]).filter(|at| begins[*at as usize]));
        }
        writers.keys.push(writers.runs.len() as u32);
        writers.runs.push(writers.all.len() as u32);
        writers
    }

    /// The writers of a key, by process.
    fn of(&self, key: u32) -> impl Iterator<Item = &[Placed]> {
        let [start, end] = [key, key + 1].map(|key| self.keys[key as usize] as usize);
        self.runs[start..=end].windows(2).map(|run| &self.all[run[0] as usize..run[1] as usize])
    }
}

/// By process, how many of its transactions happened before a transaction or are it; of those that somebody still learns from.
struct Clocks {
    sessions: usize,
    rows: Vec<u32>,
    /// Rows that nobody needs any more.
    free: Vec<u32>,
    /// By transaction: its row.
    row_of: Vec<u32>,
    /// By transaction: how often somebody has still to learn from it.
    needed: Vec<u32>,
    session_of: Vec<u32>,
    place_of: Vec<u32>,
}

impl Clocks {
    fn new(known: &Inference<'_, '_>, before: &Successors) -> Self {
        let vertices = known.len();
        let mut clocks = Clocks {
            sessions: known.sessions.len(),
            rows: Vec::new(),
            free: Vec::new(),
            row_of: vec![0; vertices],
            needed: vec![0; vertices],
            session_of: vec![0; vertices],
            place_of: vec![0; vertices],
        };
        for (session, members) in (0..).zip(&known.sessions) {
            for (place, &vertex) in (0..).zip(members) {
                (clocks.session_of[vertex as usize], clocks.place_of[vertex as usize]) = (session, place);
            }
        }
        for vertex in 0..vertices as u32 {
            before.of(vertex).iter().for_each(|&first| clocks.needed[first as usize] += 1);
        }
        clocks
    }

    /// This transaction learns all that these know, each of which has ended. O(sessions) for each that it had not heard of.
    fn begin(&mut self, vertex: u32, before: &[u32]) {
        let row = self.free.pop().unwrap_or_else(|| {
            self.rows.resize(self.rows.len() + self.sessions, 0);
            (self.rows.len() / self.sessions) as u32 - 1
        });
        self.row_of[vertex as usize] = row;
        let here = self.range(vertex);
        match before.split_first() {
            None => self.rows[here.clone()].fill(0),
            Some((&first, others)) => {
                let from = self.range(first);
                self.rows.copy_within(from, here.start);
                for &other in others {
                    if !self.precedes(other, vertex) {
                        self.learn(vertex, other);
                    }
                }
            }
        }
        self.rows[here.start + self.session_of[vertex as usize] as usize] = self.place_of[vertex as usize] + 1;
    }

    fn learn(&mut self, vertex: u32, other: u32) {
        let ranges = [vertex, other].map(|vertex| self.range(vertex));
        let [here, there] = self.rows.get_disjoint_mut(ranges).expect("two transactions have two rows");
        here.iter_mut().zip(there).for_each(|(here, there)| *here = (*here).max(*there));
    }

    /// The transaction has learnt from these. The rows of those are free from whom nobody learns any more.
    fn end(&mut self, vertex: u32, before: &[u32]) {
        for &first in before {
            self.needed[first as usize] -= 1;
            if self.needed[first as usize] == 0 {
                self.free.push(self.row_of[first as usize]);
            }
        }
        if self.needed[vertex as usize] == 0 {
            self.free.push(self.row_of[vertex as usize]);
        }
    }

    /// Whether the first, which may be gone, happened before the second or is it.
    fn precedes(&self, first: u32, second: u32) -> bool {
        self.row(second)[self.session_of[first as usize] as usize] > self.place_of[first as usize]
    }

    /// The last of these, all of one process, that happened before a transaction.
    fn last_known(&self, vertex: u32, writers: &[Placed]) -> Option<u32> {
        let session = self.session_of[writers[0].vertex as usize];
        let own = u32::from(session == self.session_of[vertex as usize]);
        let before = self.row(vertex)[session as usize] - own;
        let known = writers.partition_point(|writer| writer.place < before);
        known.checked_sub(1).map(|last| writers[last].vertex)
    }

    fn range(&self, vertex: u32) -> Range<usize> {
        let start = self.row_of[vertex as usize] as usize * self.sessions;
        start..start + self.sessions
    }

    fn row(&self, vertex: u32) -> &[u32] {
        &self.rows[self.range(vertex)]
    }

    fn bytes(&self) -> u64 {
        4 * self.rows.len() as u64
    }
}
