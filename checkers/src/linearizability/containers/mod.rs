//! Queues, stacks and priority queues into which every element is put once: decided in O(n log n).
//!
//! Who put in what came out is then known, and an element is two spans of time: in the first it is put in, in the second it
//! is taken out, or never. What such an element does is found out here; what several do to each other is said by the
//! discipline ([`queue`], [`stack`], [`priority`]).
//!
//! A removal of unknown outcome may have taken any element. While there is one, what was never taken proves nothing: the
//! history is legal if it is legal without that removal, illegal if it is so even without what was never taken (a legal
//! history minus an element, with all that was done to it, is legal). Otherwise it is legal if it is so when such removals, by
//! their calls, took what was never taken, in the order in which it was put in: of a queue's removals that took `a` before `b`
//! the one that was called first may as well have taken `a`. If not, it is undecided, for puts at one time have no known order.
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
use super::{Shortcut, problem::ValueId};
use crate::{
    history::{EntryId, History},
    model::{Discipline, Effect, Model},
    numbered::Keys,
    value::Value,
};

/// An operation that took effect or may have.
#[derive(Clone, Copy, Debug)]
struct Op {
    entry: EntryId,
    call: u32,
    /// `None` when the outcome is unknown.
    ret: Option<u32>,
}

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

/// Why what was done to one element cannot be. Operations are indices of `Uses::ops`.
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
    entries: &[EntryId],
) -> Shortcut {
    let Some(uses) = Uses::new(model, discipline, history, entries) else { return Shortcut::Undecided };
    let witness = Witness { history, ops: &uses.ops, key, discipline };
    let taken = match uses.who_takes() {
        Ok(taken) => taken,
        Err(impossible) => return Shortcut::Illegal(witness.impossible(impossible)),
    };
    let timeline = Timeline::new(&uses.ops);
    if !uses.takes_any.is_empty() {
        let came_out = timeline.contents(&uses, &taken, false);
        if let Err(conflict) = order(discipline, &came_out, timeline.end()) {
            return Shortcut::Illegal(witness.conflict(&came_out, conflict, timeline.end()));
        }
    }
    let all = timeline.contents(&uses, &taken, true);
    match order(discipline, &all, timeline.end()) {
        Ok(order) => Shortcut::Legal(order.into_iter().map(|op| uses.ops[op].entry).collect()),
        Err(_) if !uses.takes_any.is_empty() => {
            let guesses = [|put: &Op| put.call, |put: &Op| put.ret.unwrap_or(NOBODY)];
            let orders = guesses.into_iter().map(|by| {
                let guessed = timeline.contents(&uses, &uses.guess_takes(taken.clone(), by), true);
                order(discipline, &guessed, timeline.end())
            });
            match orders.into_iter().find_map(Result::ok) {
                Some(order) => Shortcut::Legal(order.into_iter().map(|op| uses.ops[op].entry).collect()),
                None => Shortcut::Undecided,
            }
        }
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

/// Integers up to so many times the number of operations are not hashed.
const SMALL_EACH: usize = 4;

/// Nobody did that to the element.
const NOBODY: u32 = u32::MAX;

/// Who does what: indices of `ops`.
struct Uses {
    /// By call.
    ops: Vec<Op>,
    /// By value: the one operation that puts it in.
    puts: Vec<u32>,
    /// By value: its place among all by size; empty where the discipline does not ask for it.
    ranks: Vec<u32>,
    takes: Vec<(ValueId, usize)>,
    empties: Vec<usize>,
    /// Removals of unknown outcome.
    takes_any: Vec<usize>,
}

impl Uses {
    /// `None` if an element is put in twice, or something else is done. Each value is looked up once: in long histories that
    /// is what takes the time.
    fn new<M: Model>(model: &M, discipline: Discipline, history: &History, entries: &[EntryId]) -> Option<Self> {
        let mut values = Keys::new(SMALL_EACH * entries.len());
        let mut uses = Uses {
            ops: Vec::with_capacity(entries.len()),
            puts: Vec::new(),
            ranks: Vec::new(),
            takes: Vec::new(),
            empties: Vec::new(),
            takes_any: Vec::new(),
        };
        let mut sizes: Vec<(&Value, ValueId)> = Vec::new();
        for &id in entries {
            let entry = &history.entries[id];
            if !entry.is_ok() && !entry.is_unknown() {
                continue;
            }
            let op = uses.ops.len();
            let ret = entry.is_ok().then(|| entry.returned());
            uses.ops.push(Op { entry: id, call: entry.invoked.position, ret });
            let mut number = |value| {
                let id = values.of(value);
                if id as usize == uses.puts.len() {
                    uses.puts.push(NOBODY);
                }
                id
            };
            match model.effect(&entry.operation, entry.reply()) {
                Effect::Puts(value) => {
                    let id = number(value);
                    let put = &mut uses.puts[id as usize];
                    if *put != NOBODY {
                        return None;
                    }
                    *put = op as u32;
                    if discipline == Discipline::Smallest {
                        sizes.push((value, id));
                    }
                }
                Effect::Takes(value) => uses.takes.push((number(value), op)),
                Effect::FindsEmpty => uses.empties.push(op),
                Effect::TakesAny => uses.takes_any.push(op),
                _ => return None,
            }
        }
        if discipline == Discipline::Smallest {
            sizes.sort_unstable();
            uses.ranks = vec![0; values.all.len()];
            for (rank, (_, value)) in sizes.into_iter().enumerate() {
                uses.ranks[value as usize] = rank as u32;
            }
        }
        Some(uses)
    }

    /// By value: the one operation that takes it out.
    fn who_takes(&self) -> Result<Vec<u32>, Impossible> {
        let mut taken = vec![NOBODY; self.puts.len()];
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
            if self.ops[take].ret.is_some_and(|ret| ret < self.ops[put].call) {
                return Err(Impossible::Early { put, take });
            }
        }
        Ok(taken)
    }

    /// The same, and removals of unknown outcome, by their calls, take what was certainly put in and never taken, in this order.
    fn guess_takes(&self, mut taken: Vec<u32>, by: impl Fn(&Op) -> u32) -> Vec<u32> {
        let certain = |value: &usize| {
            let put = self.puts[*value];
            put != NOBODY && taken[*value] == NOBODY && self.ops[put as usize].ret.is_some()
        };
        let mut left: Vec<usize> = (0..self.puts.len()).filter(certain).collect();
        left.sort_by_key(|value| by(&self.ops[self.puts[*value] as usize]));
        for (value, take) in left.into_iter().zip(&self.takes_any) {
            taken[value] = *take as u32;
        }
        taken
    }
}
