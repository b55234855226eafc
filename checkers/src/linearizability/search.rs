//! Just-in-time linearization (Lowe 2017) over a window: the general path, exponential in the worst case.
//!
//! A configuration is (next return `r`, which pending operations are linearized, state). Everything that returned before `r` is
//! linearized, so the memo of configurations already refuted needs no more than that. At each configuration:
//!
//! * Pending operations that change nothing and fit the state go in at once: nothing is gained by waiting.
//! * If the operation that returns at `r` is in, go on to the next return. Otherwise branch over the pending ones.
//! * Among pending operations that do the same only the one that returns first is tried: any linearization in which another
//!   goes first stays one when the two are exchanged.
//! * A register does not leave a value that operations still need and that nothing can establish again.
//! * A configuration is given up from which some pending read cannot be reached any more ([`Automaton::is_cut_off`]).

use std::collections::HashSet;

use foldhash::fast::FixedState;

use super::{
    automaton::Automaton,
    mask::Mask,
    problem::{Class, Kind, NEVER, Op, Problem},
};
use crate::{budget::Meter, verdict::Reason};

/// What a search found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Indices of `Problem::ops` in an order that explains the history.
    Legal(Vec<usize>),
    /// No order does.
    Illegal,
    /// The budget was spent after this many of the completed operations.
    Spent { reason: Reason, placed: usize, of: usize },
}

/// Searches for an order of the operations that `automaton` allows.
pub(super) fn search<A: Automaton + ?Sized>(problem: &Problem<'_>, automaton: &mut A, meter: &mut Meter) -> Found {
    let returns = by_return(&problem.ops);
    let (slots, width) = assign_slots(&problem.ops, &returns);
    match width {
        0..=64 => Search::<A, u64>::new(problem, returns, slots, width, automaton, meter).run(),
        65..=128 => Search::<A, u128>::new(problem, returns, slots, width, automaton, meter).run(),
        _ => Search::<A, Box<[u64]>>::new(problem, returns, slots, width, automaton, meter).run(),
    }
}

/// The operations that returned, by return. O(n) where few events between them are of others.
fn by_return(ops: &[Op]) -> Vec<u32> {
    let certain = || (0..).zip(ops).filter(|(_, op)| op.certain());
    let first = ops.first().map_or(0, |op| op.call);
    let span = certain().map(|(_, op)| (op.ret - first) as usize + 1).max().unwrap_or_default();
    if span > SPARSE * ops.len() {
        let mut returns: Vec<(u32, u32)> = certain().map(|(i, op)| (op.ret, i)).collect();
        returns.sort_unstable();
        return returns.into_iter().map(|(_, i)| i).collect();
    }
    // No two events are at one place.
    let mut at = vec![NEVER; span];
    certain().for_each(|(i, op)| at[(op.ret - first) as usize] = i);
    at.retain(|i| *i != NEVER);
    at
}

/// So many times as many events as operations are not worth looking at.
const SPARSE: usize = 8;

/// Gives each operation a slot that no other one pending at the same time has; says how many are needed.
fn assign_slots(ops: &[Op], returns: &[u32]) -> (Vec<u32>, usize) {
    let mut returned = returns.iter().map(|&i| i as usize).peekable();
    let mut slots = vec![0; ops.len()];
    let mut free = Vec::new();
    let mut width = 0;
    for (i, op) in ops.iter().enumerate() {
        while let Some(gone) = returned.next_if(|&gone| ops[gone].ret < op.call) {
            free.push(slots[gone]);
        }
        slots[i] = free.pop().unwrap_or_else(|| {
            width += 1;
            width - 1
        });
    }
    (slots, width as usize)
}

struct Search<'p, A: ?Sized, K> {
    problem: &'p Problem<'p>,
    automaton: &'p mut A,
    meter: &'p mut Meter,
    slots: Vec<u32>,
    /// Operations by return, the unknown ones left out.
    returns: Vec<u32>,
    /// Operations not linearized on the current path, by call: a linked list with the sentinel `ops.len()`.
    next: Vec<u32>,
    previous: Vec<u32>,
    path: Vec<usize>,
    /// Operations that write blindly; and by operation, whether it is on the path.
    writes: Vec<usize>,
    placed: Vec<bool>,
    /// For a register, by value: operations not on the path that certainly need it, and that can establish it.
    needs: Vec<u32>,
    makes: Vec<u32>,
    frames: Vec<Frame<K>>,
    candidates: Vec<Candidate>,
    /// Configurations whose candidates were all tried. One whose frame is open is not met again: each step places an operation.
    refuted: HashSet<(u32, u32, K), FixedState>,
    /// While candidates are collected, by group: the one that returns first; and the groups met.
    best: Vec<Option<usize>>,
    groups: Vec<u32>,
    successors: Vec<u32>,
    furthest: usize,
    width: usize,
}

#[derive(Clone, Copy)]
struct Candidate {
    op: usize,
    state: u32,
    /// Smaller is tried earlier.
    priority: (u32, u32),
}

struct Frame<K> {
    r: u32,
    state: u32,
    linearized: K,
    path_length: u32,
    candidates_start: usize,
}

impl<'p, A: Automaton + ?Sized, K: Mask> Search<'p, A, K> {
    fn new(
        problem: &'p Problem<'p>,
        returns: Vec<u32>,
        slots: Vec<u32>,
        width: usize,
        automaton: &'p mut A,
        meter: &'p mut Meter,
    ) -> Self {
        let n = problem.ops.len();
        let mut search = Search {
            problem,
            meter,
            slots,
            returns,
            next: (1..=n as u32).chain([0]).collect(),
            previous: [n as u32].into_iter().chain(0..n as u32).collect(),
            path: Vec::with_capacity(n),
            writes: (0..n).filter(|&i| matches!(problem.kind(&problem.ops[i]), Kind::Writes(_))).collect(),
            placed: vec![false; n],
            needs: vec![0; problem.values],
            makes: vec![0; problem.values],
            frames: Vec::new(),
            candidates: Vec::new(),
            refuted: HashSet::default(),
            best: vec![None; problem.classes.len()],
            groups: Vec::new(),
            successors: Vec::new(),
            furthest: 0,
            automaton,
            width,
        };
        for op in &problem.ops {
            search.count(problem.kind(op), op.certain(), true);
        }
        search
    }

    fn run(mut self) -> Found {
        if self.needs_the_impossible() {
            return Found::Illegal;
        }
        match self.enter(0, K::empty(self.width), self.automaton.initial()) {
            Ok(true) => return Found::Legal(self.path),
            Ok(false) => {}
            Err(reason) => return self.spent(reason),
        }
        loop {
            let Some(frame) = self.frames.last() else { return Found::Illegal };
            if self.candidates.len() == frame.candidates_start {
                if let Some(Frame { r, state, linearized, .. }) = self.frames.pop() {
                    self.refuted.insert((r, state, linearized));
                }
                continue;
            }
            let (r, path_length, linearized) = (frame.r, frame.path_length, frame.linearized.clone());
            let Candidate { op, state, .. } = self.candidates.pop().expect("longer than `candidates_start`");
            self.rewind(path_length as usize);
            let linearized = self.linearize(op, linearized);
            match self.enter(r as usize, linearized, state) {
                Ok(true) => return Found::Legal(self.path),
                Ok(false) => {}
                Err(reason) => return self.spent(reason),
            }
        }
    }

    /// Opens a frame for the configuration, unless it is refuted already. True when nothing is left to do.
    fn enter(&mut self, mut r: usize, mut linearized: K, state: u32) -> Result<bool, Reason> {
        loop {
            while let Some(&op) = self.returns.get(r) {
                let slot = self.slots[op as usize];
                if !linearized.has(slot) {
                    break;
                }
                linearized.remove(slot);
                r += 1;
            }
            let Some(&returning) = self.returns.get(r) else { return Ok(true) };
            let returning = returning as usize;
            let deadline = self.problem.ops[returning].ret;
            let mut op = self.first();
            while op < self.problem.ops.len() && self.problem.ops[op].call < deadline {
                let class = self.problem.ops[op].class;
                let after = self.next[op] as usize;
                if self.problem.classes[class as usize].kind.pure()
                    && self.automaton.allows(state, class, &mut self.successors)
                {
                    linearized = self.linearize(op, linearized);
                }
                op = after;
            }
            if !linearized.has(self.slots[returning]) {
                break;
            }
        }
        self.furthest = self.furthest.max(r);
        let heap = linearized.heap_bytes();
        let refuted = self.refuted.len() * (size_of::<(u32, u32, K)>() + 2 + heap) * 3 / 2;
        let frames = self.frames.len() * (size_of::<Frame<K>>() + heap);
        self.meter.step((refuted + frames + self.automaton.bytes()) as u64)?;
        if !self.problem.register && self.is_cut_off(r, state) {
            return Ok(false);
        }
        let configuration = (r as u32, state, linearized);
        if !self.refuted.contains(&configuration) {
            let (r, _, linearized) = configuration;
            let (path_length, candidates_start) = (self.path.len() as u32, self.candidates.len());
            self.collect(r as usize, state);
            self.frames.push(Frame { r, state, linearized, path_length, candidates_start });
        }
        Ok(false)
    }

    /// Whether a pending read cannot be reached before it returns.
    fn is_cut_off(&self, r: usize, state: u32) -> bool {
        let deadline = self.problem.ops[self.returns[r] as usize].ret;
        let mut op = self.first();
        while op < self.problem.ops.len() && self.problem.ops[op].call < deadline {
            let Op { class, ret, .. } = self.problem.ops[op];
            let in_time = |&write: &usize| {
                let Op { call, class: by, .. } = self.problem.ops[write];
                !self.placed[write] && call < ret && self.automaton.leads_back(by, class)
            };
            if ret != NEVER && self.automaton.is_cut_off(state, class) && !self.writes.iter().any(in_time) {
                return true;
            }
            op = self.next[op] as usize;
        }
        false
    }

    /// Pushes the operations that may come next, the most promising last.
    fn collect(&mut self, r: usize, state: u32) {
        let start = self.candidates.len();
        let returning = self.returns[r] as usize;
        let deadline = self.problem.ops[returning].ret;
        let wanted = self.problem.kind(&self.problem.ops[returning]).requires().filter(|v| *v != state);
        let mut wanted_is_pending = false;
        let mut op = self.first();
        while op < self.problem.ops.len() && self.problem.ops[op].call < deadline {
            let Op { class, ret, .. } = self.problem.ops[op];
            let Class { kind, group, .. } = self.problem.classes[class as usize];
            wanted_is_pending |= kind.establishes().is_some() && kind.establishes() == wanted;
            if !kind.pure() {
                let best = &mut self.best[group as usize];
                match best {
                    Some(other) if self.problem.ops[*other].ret <= ret => {}
                    Some(other) => *other = op,
                    None => {
                        *best = Some(op);
                        self.groups.push(group);
                    }
                }
            }
            op = self.next[op] as usize;
        }
        let hopeless = self.problem.register && wanted.is_some() && !wanted_is_pending;
        while let Some(group) = self.groups.pop() {
            let op = self.best[group as usize].take().expect("set when the group was pushed");
            if !hopeless {
                self.propose(op, state, wanted);
            }
        }
        self.candidates[start..].sort_by_key(|c| std::cmp::Reverse(c.priority));
    }

    fn propose(&mut self, op: usize, state: u32, wanted: Option<u32>) {
        let Op { class, ret, .. } = self.problem.ops[op];
        let kind = self.problem.classes[class as usize].kind;
        self.successors.clear();
        self.automaton.step(state, class, &mut self.successors);
        for i in 0..self.successors.len() {
            let next = self.successors[i];
            if self.problem.register && next != state {
                let own = u32::from(ret != NEVER && kind.requires() == Some(state));
                if self.needs[state as usize] > own && self.makes[state as usize] == 0 {
                    continue;
                }
            }
            let serves = wanted.is_some() && kind.establishes() == wanted;
            self.candidates.push(Candidate { op, state: next, priority: (u32::from(!serves), ret) });
        }
    }

    fn first(&self) -> usize {
        self.next[self.problem.ops.len()] as usize
    }

    fn linearize(&mut self, op: usize, mut linearized: K) -> K {
        let (before, after) = (self.previous[op], self.next[op]);
        self.next[before as usize] = after;
        self.previous[after as usize] = before;
        self.path.push(op);
        self.placed[op] = true;
        let o = &self.problem.ops[op];
        self.count(self.problem.kind(o), o.certain(), false);
        linearized.insert(self.slots[op]);
        linearized
    }

    fn rewind(&mut self, path_length: usize) {
        while self.path.len() > path_length {
            let op = self.path.pop().expect("longer than `path_length`");
            self.placed[op] = false;
            let (before, after) = (self.previous[op], self.next[op]);
            self.next[before as usize] = op as u32;
            self.previous[after as usize] = op as u32;
            let o = &self.problem.ops[op];
            self.count(self.problem.kind(o), o.certain(), true);
        }
    }

    fn count(&mut self, kind: Kind, certain: bool, back: bool) {
        let change = |n: &mut u32| if back { *n += 1 } else { *n -= 1 };
        if let Some(v) = kind.requires().filter(|_| certain) {
            change(&mut self.needs[v as usize]);
        }
        if let Some(v) = kind.establishes() {
            change(&mut self.makes[v as usize]);
        }
    }

    /// Whether an operation on a register needs a value that nothing establishes.
    fn needs_the_impossible(&self) -> bool {
        let impossible = |v: usize| self.needs[v] > 0 && self.makes[v] == 0 && v != Problem::INITIAL as usize;
        self.problem.register && (0..self.problem.values).any(impossible)
    }

    fn spent(self, reason: Reason) -> Found {
        Found::Spent { reason, placed: self.furthest, of: self.returns.len() }
    }
}
