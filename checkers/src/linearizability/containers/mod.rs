//! Queues, stacks and priority queues into which every element is put once: decided in O(n log n).
//!
//! Who put in what came out is then known, and an element is two spans of time: in the first it is put in, in the second it
//! is taken out, or never. What such an element does is found out here; what several do to each other is said by the
//! discipline ([`queue`], [`stack`], [`priority`]).
//!
//! A removal of unknown outcome may have taken any element. While there is one, what was never taken proves nothing: the
//! history is legal if it is legal without that removal, illegal if it is so even without what was never taken (a legal
//! history minus an element, with all that was done to it, is legal), and otherwise undecided.
//!
//! On unambiguous histories: Henzinger, Sezgin & Vafeiadis 2013 (queues), Lee & Mathur 2024 (all three), Abdulla et al. 2025
//! (stacks, and errors in earlier proofs).

mod cover;
mod evidence;
mod priority;
mod queue;
mod shrink;
mod stack;
mod timeline;
mod tree;

use self::{evidence::Witness, timeline::Timeline};
use super::{
    Shortcut,
    problem::{Problem, ValueId},
};
use crate::{
    history::History,
    model::{Discipline, Effect, Model},
    value::Value,
};

/// An operation on the [`Timeline`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) op: usize,
    pub(super) call: u32,
    /// [`Timeline::end`] when it never returned.
    pub(super) ret: u32,
}

/// What was done to one element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) put: Span,
    pub(super) take: Option<Span>,
    /// Its place among all elements by size, where the discipline asks for it.
    pub(super) rank: u32,
}

/// Elements, and removals that found nothing.
#[derive(Clone, Debug, Default)]
pub(super) struct Contents {
    pub(super) elements: Vec<Element>,
    pub(super) empties: Vec<Span>,
}

/// Some elements (by index), and perhaps a removal that found nothing, that already have no order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Conflict {
    pub(super) elements: Vec<usize>,
    pub(super) empty: Option<usize>,
}

/// Why what was done to one element cannot be. Operations are indices of `Problem::ops`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Impossible {
    Unexpected { take: usize },
    Twice { put: usize, first: usize, second: usize },
    Early { put: usize, take: usize },
}

/// Decides a container if every element is put in once.
pub(super) fn check<M: Model>(
    model: &M,
    discipline: Discipline,
    history: &History,
    key: &Value,
    problem: &Problem<'_>,
) -> Shortcut {
    let Some(uses) = Uses::new(model, problem, discipline) else { return Shortcut::Undecided };
    let witness = Witness { history, problem, key, discipline };
    let taken = match uses.who_takes(problem) {
        Ok(taken) => taken,
        Err(impossible) => return Shortcut::Illegal(witness.impossible(impossible)),
    };
    let timeline = Timeline::new(&problem.ops);
    let contents = |untaken: bool| timeline.contents(problem, &uses, &taken, untaken);
    if uses.removals_unknown {
        let came_out = contents(false);
        if let Err(conflict) = order(discipline, &came_out, timeline.end()) {
            return Shortcut::Illegal(witness.conflict(&came_out, conflict, timeline.end()));
        }
    }
    let all = contents(true);
    match order(discipline, &all, timeline.end()) {
        Ok(order) => Shortcut::Legal(order),
        Err(_) if uses.removals_unknown => Shortcut::Undecided,
        Err(conflict) => Shortcut::Illegal(witness.conflict(&all, conflict, timeline.end())),
    }
}

/// An order of the operations, or elements that have none. Times are at most `end`.
fn order(discipline: Discipline, contents: &Contents, end: u32) -> Result<Vec<usize>, Conflict> {
    match discipline {
        Discipline::FirstIn => queue::order(contents, end),
        Discipline::LastIn => stack::order(contents, end),
        Discipline::Smallest => priority::order(contents, end),
    }
}

/// Nobody did that to the element.
const NOBODY: u32 = u32::MAX;

/// Who does what: indices of `Problem::ops`.
struct Uses {
    /// By value: the one operation that puts it in.
    puts: Vec<u32>,
    /// By value: its place among all by size; empty where the discipline does not ask for it.
    ranks: Vec<u32>,
    takes: Vec<(ValueId, usize)>,
    empties: Vec<usize>,
    /// Whether there are removals of unknown outcome.
    removals_unknown: bool,
}

impl Uses {
    /// `None` if an element is put in twice, or something else is done.
    fn new<M: Model>(model: &M, problem: &Problem<'_>, discipline: Discipline) -> Option<Self> {
        let mut sizes: Vec<(&Value, ValueId)> = Vec::new();
        let mut uses = Uses {
            puts: vec![NOBODY; problem.values],
            ranks: Vec::new(),
            takes: Vec::new(),
            empties: Vec::new(),
            removals_unknown: false,
        };
        for (i, op) in problem.ops.iter().enumerate() {
            let class = problem.classes[op.class as usize];
            match (model.effect(class.operation, class.reply), class.element) {
                (Effect::Puts(size), Some(value)) => {
                    sizes.push((size, value));
                    let put = &mut uses.puts[value as usize];
                    if *put != NOBODY {
                        return None;
                    }
                    *put = i as u32;
                }
                (Effect::Takes(_), Some(value)) => uses.takes.push((value, i)),
                (Effect::FindsEmpty, _) => uses.empties.push(i),
                (Effect::TakesAny, _) => uses.removals_unknown = true,
                _ => return None,
            }
        }
        if discipline == Discipline::Smallest {
            sizes.sort_unstable();
            uses.ranks = vec![0; problem.values];
            for (rank, (_, value)) in sizes.into_iter().enumerate() {
                uses.ranks[value as usize] = rank as u32;
            }
        }
        Some(uses)
    }

    /// By value: the one operation that takes it out.
    fn who_takes(&self, problem: &Problem<'_>) -> Result<Vec<u32>, Impossible> {
        let mut taken = vec![NOBODY; problem.values];
        for &(value, take) in &self.takes {
            let put = self.puts[value as usize];
            if put == NOBODY {
                return Err(Impossible::Unexpected { take });
            }
            let put = put as usize;
            match std::mem::replace(&mut taken[value as usize], take as u32) {
                NOBODY => {}
                first => return Err(Impossible::Twice { put, first: first as usize, second: take }),
            }
            if problem.ops[take].ret < problem.ops[put].call {
                return Err(Impossible::Early { put, take });
            }
        }
        Ok(taken)
    }
}
