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
pub(super) fn search(problem: &Problem<'_>, automaton: &mut dyn Automaton, meter: &mut Meter) -> Found {
    let (slots, width) = assign_slots(&problem.ops);
    match width {
        0..=64 => Search::<u64>::new(problem, slots, width, automaton, meter).run(),
        65..=128 => Search::<u128>::new(problem, slots, width, automaton, meter).run(),
        _ => Search::<Box<[u64]>>::new(problem, slots, width, automaton, meter).run(),
    }
}

/// Gives each operation a slot that no other one pending at the same time has; says how many are needed.
fn assign_slots(ops: &[Op]) -> (Vec<u32>, usize) {
    let mut returns: Vec<(u32, usize)> =
        ops.iter().enumerate().filter(|(_, op)| op.certain()).map(|(i, op)| (op.ret, i)).collect();
    returns.sort_unstable();
    let mut returned = returns.into_iter().peekable();
    let mut slots = vec![0; ops.len()];
    let mut free = Vec::new();
    let mut width = 0;
    for (i, op) in ops.iter().enumerate() {
        while let Some((_, gone)) = returned.next_if(|(ret, _)| *ret < op.call) {
            free.push(slots[gone]);
        }
        slots[i] = free.pop().unwrap_or_else(|| {
            width += 1;
            width - 1
        });
    }
    (slots, width as usize)
}

struct Search<'p, K> {
    problem: &'p Problem<'p>,
    automaton: &'p mut dyn Automaton,
    meter: &'p mut Meter,
    slots: Vec<u32>,
    /// Operations by return, the unknown ones left out.
    returns: Vec<usize>,
    /// Operations not linearized on the current path, by call: a linked list with the sentinel `ops.len()`.
    next: Vec<usize>,
    previous: Vec<usize>,
    path: Vec<usize>,
    /// Operations that write blindly; and by operation, whether it is on the path.
    writes: Vec<usize>,
    placed: Vec<bool>,
    /// For a register, by value: operations not on the path that certainly need it, and that can establish it.
    needs: Vec<u32>,
    makes: Vec<u32>,
    frames: Vec<Frame<K>>,
    candidates: Vec<Candidate>,
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
    r: usize,
    linearized: K,
    path_length: usize,
    candidates_start: usize,
}

impl<'p, K: Mask> Search<'p, K> {
    fn new(
        problem: &'p Problem<'p>,
        slots: Vec<u32>,
        width: usize,
        automaton: &'p mut dyn Automaton,
        meter: &'p mut Meter,
    ) -> Self {
        let n = problem.ops.len();
        let mut returns: Vec<usize> = (0..n).filter(|&i| problem.ops[i].certain()).collect();
        returns.sort_unstable_by_key(|&i| problem.ops[i].ret);
        let mut search = Search {
            problem,
            meter,
            slots,
            returns,
            next: (1..=n).chain([0]).collect(),
            previous: [n].into_iter().chain(0..n).collect(),
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
            let (r, path_length) = (frame.r, frame.path_length);
            if self.candidates.len() == frame.candidates_start {
                self.frames.pop();
                continue;
            }
            let linearized = frame.linearized.clone();
            let Candidate { op, state, .. } = self.candidates.pop().expect("longer than `candidates_start`");
            self.rewind(path_length);
            let linearized = self.linearize(op, linearized);
            match self.enter(r, linearized, state) {
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
                if !linearized.has(self.slots[op]) {
                    break;
                }
                linearized.remove(self.slots[op]);
                r += 1;
            }
            let Some(&returning) = self.returns.get(r) else { return Ok(true) };
            let deadline = self.problem.ops[returning].ret;
            let mut op = self.first();
            while op < self.problem.ops.len() && self.problem.ops[op].call < deadline {
                let class = self.problem.ops[op].class;
                let after = self.next[op];
                if self.problem.classes[class as usize].kind.pure() && self.allows(state, class) {
                    linearized = self.linearize(op, linearized);
                }
                op = after;
            }
            if !linearized.has(self.slots[returning]) {
                break;
            }
        }
        self.furthest = self.furthest.max(r);
        let entry = size_of::<(u32, u32, K)>() + 2 + linearized.heap_bytes();
        let bytes = self.refuted.len() * entry * 3 / 2 + self.automaton.bytes();
        self.meter.step(bytes as u64)?;
        if !self.problem.register && self.is_cut_off(r, state) {
            return Ok(false);
        }
        if self.refuted.insert((r as u32, state, linearized.clone())) {
            let candidates_start = self.candidates.len();
            self.collect(r, state);
            let path_length = self.path.len();
            self.frames.push(Frame { r, linearized, path_length, candidates_start });
        }
        Ok(false)
    }

    /// Whether a pending read cannot be reached before it returns.
    fn is_cut_off(&self, r: usize, state: u32) -> bool {
        let deadline = self.problem.ops[self.returns[r]].ret;
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
            op = self.next[op];
        }
        false
    }

    /// Pushes the operations that may come next, the most promising last.
    fn collect(&mut self, r: usize, state: u32) {
        let start = self.candidates.len();
        let returning = self.returns[r];
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
            op = self.next[op];
        }
        let hopeless = self.problem.register && wanted.is_some() && !wanted_is_pending;
        for group in std::mem::take(&mut self.groups) {
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

    fn allows(&mut self, state: u32, class: u32) -> bool {
        self.successors.clear();
        self.automaton.step(state, class, &mut self.successors);
        !self.successors.is_empty()
    }

    fn first(&self) -> usize {
        self.next[self.problem.ops.len()]
    }

    fn linearize(&mut self, op: usize, mut linearized: K) -> K {
        let (before, after) = (self.previous[op], self.next[op]);
        self.next[before] = after;
        self.previous[after] = before;
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
            self.next[before] = op;
            self.previous[after] = op;
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
