//! Where an operation leads from a state: by arithmetic for registers, by asking the model once per state and class otherwise.

use std::rc::Rc;

use super::problem::{Class, Kind, Problem};
use crate::{model::Model, partition::FixedMap};

/// States as numbers, and the steps between them.
pub(crate) trait Automaton {
    /// The state before anything happened.
    fn initial(&self) -> u32;
    /// Appends to `successors` the states that an operation of this class may lead to.
    fn step(&mut self, state: u32, class: u32, successors: &mut Vec<u32>);
    /// Whether an operation of this class may happen in the state. `scratch` is overwritten.
    fn allows(&mut self, state: u32, class: u32, scratch: &mut Vec<u32>) -> bool {
        scratch.clear();
        self.step(state, class, scratch);
        !scratch.is_empty()
    }
    /// Whether no operation leads on from the state to one in which an operation of this class may happen, but for those that
    /// [lead back](Self::leads_back). False is always right.
    fn is_cut_off(&self, state: u32, class: u32) -> bool {
        let _ = (state, class);
        false
    }
    /// Whether operations of one class lead, from wherever, to where one of the other class may happen later.
    fn leads_back(&self, by: u32, class: u32) -> bool {
        let _ = (by, class);
        true
    }
    /// Memory held, in bytes.
    fn bytes(&self) -> usize;
}

/// A register: its state is the number of the value it holds.
pub(crate) struct RegisterAutomaton {
    kinds: Vec<Kind>,
}

impl RegisterAutomaton {
    pub(crate) fn new(problem: &Problem<'_>) -> Self {
        RegisterAutomaton { kinds: problem.classes.iter().map(|c| c.kind).collect() }
    }
}

impl Automaton for RegisterAutomaton {
    fn initial(&self) -> u32 {
        Problem::INITIAL
    }

    fn step(&mut self, state: u32, class: u32, successors: &mut Vec<u32>) {
        successors.extend(match self.kinds[class as usize] {
            Kind::Reads(v) => (state == v).then_some(state),
            Kind::Differs(v) => (state != v).then_some(state),
            Kind::Writes(v) => Some(v),
            Kind::Swaps(u, v) => (state == u).then_some(v),
            Kind::Opaque | Kind::Observes => unreachable!("not an operation of a register"),
        });
    }

    fn bytes(&self) -> usize {
        0
    }
}

/// Any model: each state is kept once, each step is asked for once.
pub(crate) struct ModelAutomaton<'p, M: Model> {
    model: &'p M,
    classes: &'p [Class<'p>],
    ids: FixedMap<Rc<M::State>, u32>,
    states: Vec<Rc<M::State>>,
    /// Ranges of `successors`, by state and class.
    steps: FixedMap<(u32, u32), (u32, u32)>,
    successors: Vec<u32>,
    bytes: usize,
}

impl<'p, M: Model> ModelAutomaton<'p, M> {
    /// The model from this state on.
    pub(crate) fn new(model: &'p M, problem: &'p Problem<'p>, initial: M::State) -> Self {
        let mut automaton = ModelAutomaton {
            model,
            classes: &problem.classes,
            ids: FixedMap::default(),
            states: Vec::new(),
            steps: FixedMap::default(),
            successors: Vec::new(),
            bytes: 0,
        };
        automaton.number(initial);
        automaton
    }

    /// Asks the model for a step; answers its range of `successors`.
    fn ask(&mut self, state: u32, class: u32) -> (u32, u32) {
        let Class { operation, reply, .. } = self.classes[class as usize];
        let from = Rc::clone(&self.states[state as usize]);
        let start = self.successors.len() as u32;
        for next in self.model.step(&from, operation, reply) {
            let next = self.number(next);
            self.successors.push(next);
        }
        let range = (start, self.successors.len() as u32);
        self.bytes += 32;
        self.steps.insert((state, class), range);
        range
    }

    fn number(&mut self, state: M::State) -> u32 {
        if let Some(&id) = self.ids.get(&state) {
            return id;
        }
        self.bytes += size_of::<M::State>() + 48 + self.model.heap_bytes(&state);
        let id = self.states.len() as u32;
        let state = Rc::new(state);
        self.states.push(Rc::clone(&state));
        self.ids.insert(state, id);
        id
    }
}

impl<M: Model> Automaton for ModelAutomaton<'_, M> {
    fn initial(&self) -> u32 {
        0
    }

    fn step(&mut self, state: u32, class: u32, successors: &mut Vec<u32>) {
        let known = self.steps.get(&(state, class)).copied();
        let (start, end) = known.unwrap_or_else(|| self.ask(state, class));
        successors.extend_from_slice(&self.successors[start as usize..end as usize]);
    }

    fn bytes(&self) -> usize {
        self.bytes
    }
}
