//! Searching for one order of all operations that keeps the order of each process: the general path, exponential at worst.
//!
//! A configuration is how far each process has come, and the state of each object. Operations that change nothing and fit the
//! state go in at once. Otherwise the search branches over what each process does next, first what returned first, as
//! real orders are mostly near to real time. A register does not leave a value that operations still need and that nothing
//! can establish again. Configurations that were refuted are remembered.

use std::{collections::BTreeMap, collections::HashSet};

use foldhash::fast::FixedState;

use crate::{
    budget::Meter,
    history::{EntryId, History, ProcessId},
    linearizability::{
        automaton::{Automaton, ModelAutomaton, RegisterAutomaton},
        problem::{Kind, Op, Problem},
    },
    model::Model,
    verdict::Reason,
};

/// What a search found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// An order that explains the history.
    Legal(Vec<EntryId>),
    /// No order does.
    Illegal,
    /// The budget was spent after this many of the completed operations.
    Spent { reason: Reason, placed: usize, of: usize },
}

/// One object, and how it takes steps.
pub(super) struct Object<'p> {
    problem: &'p Problem<'p>,
    automaton: Box<dyn Automaton + 'p>,
    state: u32,
    /// For a register, by value: operations still to come that certainly need it, and that can establish it.
    needs: Vec<u32>,
    makes: Vec<u32>,
}

impl<'p> Object<'p> {
    /// One that begins in this state of the model.
    pub(super) fn new<M: Model>(model: &'p M, problem: &'p Problem<'p>, initial: M::State) -> Self {
        let automaton: Box<dyn Automaton> = if problem.register {
            Box::new(RegisterAutomaton::new(problem))
        } else {
            Box::new(ModelAutomaton::new(model, problem, initial))
        };
        let state = automaton.initial();
        let empty = vec![0; problem.values];
        let mut object = Object { problem, automaton, state, needs: empty.clone(), makes: empty };
        for op in &problem.ops {
            object.count(op, true);
        }
        object
    }

    /// Counts an operation as one still to come, or no longer.
    fn count(&mut self, op: &Op, to_come: bool) {
        let kind = self.problem.kind(op);
        let change = |n: &mut u32| if to_come { *n += 1 } else { *n -= 1 };
        if let Some(v) = kind.requires().filter(|_| op.certain()) {
            change(&mut self.needs[v as usize]);
        }
        if let Some(v) = kind.establishes() {
            change(&mut self.makes[v as usize]);
        }
    }

    /// Whether a register may go from its value to another by this operation.
    fn may_leave(&self, op: &Op, kind: Kind, next: u32) -> bool {
        let state = self.state as usize;
        if !self.problem.register || next == self.state {
            return true;
        }
        let own = u32::from(op.certain() && kind.requires() == Some(self.state));
        self.needs[state] <= own || self.makes[state] > 0
    }
}

/// Searches for an order of the operations of all objects.
pub(super) fn search(history: &History, objects: Vec<Object<'_>>, meter: &mut Meter) -> Found {
    let mut lines: Vec<(EntryId, Turn)> = Vec::new();
    for (object, o) in objects.iter().enumerate() {
        lines.extend(o.problem.ops.iter().enumerate().map(|(op, o)| (o.entry(), Turn { object, op })));
    }
    lines.sort_unstable_by_key(|(entry, _)| *entry);
    let mut sessions: BTreeMap<ProcessId, Vec<Turn>> = BTreeMap::new();
    for (entry, turn) in lines {
        sessions.entry(history.entries[entry].process).or_default().push(turn);
    }
    let certain = objects.iter().flat_map(|o| &o.problem.ops).filter(|op| op.certain()).count();
    let sessions: Vec<Vec<Turn>> = sessions.into_values().collect();
    let places = vec![0; sessions.len()];
    let search = Search {
        meter,
        objects,
        sessions,
        places,
        certain,
        left: certain,
        furthest: certain,
        path: Vec::new(),
        frames: Vec::new(),
        candidates: Vec::new(),
        refuted: HashSet::default(),
    };
    search.run()
}

/// An operation of an object.
#[derive(Clone, Copy, Debug)]
struct Turn {
    object: usize,
    op: usize,
}

/// What a process may do next, and the state that its object is in then.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    session: usize,
    state: u32,
    /// Smaller is tried earlier.
    ret: u32,
}

struct Frame {
    path_length: usize,
    candidates_start: usize,
}

struct Search<'p> {
    meter: &'p mut Meter,
    objects: Vec<Object<'p>>,
    /// What each process does, in its order.
    sessions: Vec<Vec<Turn>>,
    /// How far each has come.
    places: Vec<u32>,
    /// Completed operations: all, those left, and the fewest that were ever left.
    certain: usize,
    left: usize,
    furthest: usize,
    /// The sessions that moved, with the state of the object before.
    path: Vec<(usize, u32)>,
    frames: Vec<Frame>,
    candidates: Vec<Candidate>,
    refuted: HashSet<Box<[u32]>, FixedState>,
}

impl Search<'_> {
    fn run(mut self) -> Found {
        loop {
            match self.enter() {
                Ok(true) => return Found::Legal(self.order()),
                Ok(false) => {}
                Err(reason) => {
                    let placed = self.certain - self.furthest;
                    return Found::Spent { reason, placed, of: self.certain };
                }
            }
            let candidate = loop {
                let Some(frame) = self.frames.last() else { return Found::Illegal };
                let (path_length, start) = (frame.path_length, frame.candidates_start);
                self.rewind(path_length);
                if self.candidates.len() > start {
                    break self.candidates.pop().expect("longer than `start`");
                }
                self.frames.pop();
            };
            self.take(candidate.session, candidate.state);
        }
    }

    /// Opens a frame for the configuration, unless it is refuted already. True when nothing is left to do.
    fn enter(&mut self) -> Result<bool, Reason> {
        self.take_what_changes_nothing();
        self.furthest = self.furthest.min(self.left);
        if self.left == 0 {
            return Ok(true);
        }
        let states = self.objects.iter().map(|object| object.state);
        let configuration: Box<[u32]> = self.places.iter().copied().chain(states).collect();
        let automata: usize = self.objects.iter().map(|object| object.automaton.bytes()).sum();
        let entry = size_of_val(&*configuration) + size_of::<Box<[u32]>>();
        self.meter.step((self.refuted.len() * entry * 3 / 2 + automata) as u64)?;
        if self.refuted.insert(configuration) {
            let candidates_start = self.candidates.len();
            self.collect();
            self.frames.push(Frame { path_length: self.path.len(), candidates_start });
        }
        Ok(false)
    }

    fn turn(&self, session: usize) -> Option<Turn> {
        self.sessions[session].get(self.places[session] as usize).copied()
    }

    fn take_what_changes_nothing(&mut self) {
        let mut after = Vec::new();
        for session in 0..self.sessions.len() {
            while let Some(Turn { object, op }) = self.turn(session) {
                let o = &mut self.objects[object];
                let op = o.problem.ops[op];
                if !o.problem.kind(&op).pure() {
                    break;
                }
                after.clear();
                o.automaton.step(o.state, op.class, &mut after);
                let Some(&state) = after.first() else { break };
                self.take(session, state);
            }
        }
    }

    /// Pushes what may come next, the most promising last.
    fn collect(&mut self) {
        let start = self.candidates.len();
        let mut after = Vec::new();
        for session in 0..self.sessions.len() {
            let Some(Turn { object, op }) = self.turn(session) else { continue };
            let o = &mut self.objects[object];
            let op = o.problem.ops[op];
            let kind = o.problem.kind(&op);
            if kind.pure() {
                continue;
            }
            after.clear();
            o.automaton.step(o.state, op.class, &mut after);
            let next = after.iter().filter(|next| o.may_leave(&op, kind, **next));
            self.candidates.extend(next.map(|&state| Candidate { session, state, ret: op.ret }));
        }
        self.candidates[start..].sort_by_key(|candidate| std::cmp::Reverse(candidate.ret));
    }

    /// The next operation of the session happens, and its object is in this state then.
    fn take(&mut self, session: usize, state: u32) {
        let Turn { object, op } = self.turn(session).expect("a candidate has a turn");
        let o = &mut self.objects[object];
        let op = o.problem.ops[op];
        o.count(&op, false);
        self.path.push((session, std::mem::replace(&mut o.state, state)));
        self.places[session] += 1;
        self.left -= usize::from(op.certain());
    }

    fn rewind(&mut self, path_length: usize) {
        while self.path.len() > path_length {
            let (session, state) = self.path.pop().expect("longer than `path_length`");
            self.places[session] -= 1;
            let Turn { object, op } = self.turn(session).expect("it was taken");
            let o = &mut self.objects[object];
            let op = o.problem.ops[op];
            o.count(&op, true);
            o.state = state;
            self.left += usize::from(op.certain());
        }
    }

    /// The operations on the path.
    fn order(&self) -> Vec<EntryId> {
        let mut places = vec![0; self.sessions.len()];
        let entry = |&(session, _): &(usize, u32)| {
            let Turn { object, op } = self.sessions[session][places[session]];
            places[session] += 1;
            self.objects[object].problem.ops[op].entry()
        };
        self.path.iter().map(entry).collect()
    }
}
