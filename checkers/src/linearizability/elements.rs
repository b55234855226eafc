//! A set through one of its elements: a register that holds whether the element is there.
//!
//! All operations of a legal history are legal for each element by itself, where a read of all shows only whether it was there. So
//! one element for which there is no order is a proof, and a small one. A set that is read as a whole is else one object, whose
//! search may give up, and whose core keeps each addition that some read shows.

use std::collections::BTreeMap;

use super::{
    Decision, decide_register,
    problem::{Kind, Problem, ValueId},
};
use crate::{
    budget::Meter,
    history::History,
    model::{Effect, Model},
    operation::Operation,
    value::Value,
    verdict::Anomaly,
};

/// What one operation has to do with elements.
enum Concerns<'h> {
    /// It adds, removes or looks for this one.
    One(&'h Value),
    /// It shows these, and so that no other one is there.
    All(&'h [Value]),
}

/// Why the history is illegal for some element by itself; `None` where it is not, where the object is no set that is read as a
/// whole, and where `meter` gives out. O(elements × reads) and a search for each.
pub(super) fn refute<M: Model>(
    model: &M,
    history: &History,
    key: &Value,
    whole: &Problem<'_>,
    meter: &mut Meter,
) -> Option<Anomaly> {
    let concern = |op: usize| {
        let class = &whole.classes[whole.ops[op].class as usize];
        match (model.part(class.operation), model.effect(class.operation, class.reply)) {
            (Some(element), _) => Some(Concerns::One(element)),
            (None, Effect::ReadsAll(shown)) => Some(Concerns::All(shown.as_list()?)),
            _ => None,
        }
    };
    let concerns: Vec<Concerns<'_>> = (0..whole.ops.len()).map(concern).collect::<Option<_>>()?;
    let mut reads = Vec::new();
    // By element: what is about it alone, and the reads that show it.
    let mut elements: BTreeMap<&Value, [Vec<usize>; 2]> = BTreeMap::new();
    for (op, concern) in concerns.iter().enumerate() {
        match concern {
            Concerns::One(element) => elements.entry(element).or_default()[0].push(op),
            Concerns::All(shown) => {
                reads.push(op);
                for element in *shown {
                    elements.entry(element).or_default()[1].push(op);
                }
            }
        }
    }
    let &read = reads.first()?;
    let read = whole.classes[whole.ops[read].class as usize].operation;
    for (element, [own, shown_by]) in elements {
        let mut ops: Vec<usize> = own.iter().chain(&reads).copied().collect();
        ops.sort_unstable();
        meter.steps(ops.len() as u64).ok()?;
        let class = |op: usize| &whole.classes[whole.ops[op].class as usize];
        let operations: Vec<_> = own.iter().map(|&op| (class(op).operation, class(op).reply)).collect();
        let Some(states) = States::new(model, &operations) else { continue };
        let [is_shown, is_hidden] = [vec![element.clone()], Vec::new()].map(|shown| {
            let reply = Value::List(shown);
            states.kind(model, read, Some(&reply))
        });
        let kind = |op: usize| match concerns[op] {
            Concerns::One(_) => states.kind(model, class(op).operation, class(op).reply),
            Concerns::All(_) if shown_by.binary_search(&op).is_ok() => is_shown,
            Concerns::All(_) => is_hidden,
        };
        let alone = whole.seen_as(ops.into_iter(), kind, VALUES);
        if let Decision::Illegal(mut anomaly) = decide_register(history, key, &alone, meter) {
            anomaly.sentence = format!("Of the element {element} alone: {}", anomaly.sentence);
            return Some(anomaly);
        }
    }
    None
}

/// The state at first, the other one, and one that never is.
const VALUES: usize = 3;
const OTHER: ValueId = 1;
const NEVER: ValueId = 2;

/// What operations on one element alone lead to: the state at first, and one other at most.
struct States<S> {
    first: S,
    other: Option<S>,
}

impl<S: PartialEq> States<S> {
    /// `None` where there are more, or an operation exchanges the two.
    fn new<M: Model<State = S>>(model: &M, operations: &[(&Operation, Option<&Value>)]) -> Option<Self> {
        let mut states = States { first: model.initial(), other: None };
        for _ in 0..2 {
            for &(operation, reply) in operations {
                let from_other = states.other.as_ref().map(|other| model.step(other, operation, reply));
                for next in
                    model.step(&states.first, operation, reply).into_iter().chain(from_other.into_iter().flatten())
                {
                    if next != states.first && states.other.as_ref().is_none_or(|other| *other != next) {
                        if states.other.is_some() {
                            return None;
                        }
                        states.other = Some(next);
                    }
                }
            }
        }
        let exchanges = |&(operation, reply): &(&Operation, Option<&Value>)| {
            let [first, other] = states.leads(model, operation, reply);
            let exchanged = first.as_slice() == [OTHER] && other.as_slice() == [Problem::INITIAL];
            exchanged || first.len().max(other.len()) > 1
        };
        (!operations.iter().any(exchanges)).then_some(states)
    }

    /// From either state, where the operation leads.
    fn leads<M: Model<State = S>>(&self, model: &M, operation: &Operation, reply: Option<&Value>) -> [Vec<ValueId>; 2] {
        [Some(&self.first), self.other.as_ref()].map(|from| {
            let next = from.map(|from| model.step(from, operation, reply));
            let number = |state| if state == self.first { Problem::INITIAL } else { OTHER };
            next.into_iter().flatten().map(number).collect()
        })
    }

    /// What the operation does, if that says anything.
    fn kind<M: Model<State = S>>(&self, model: &M, operation: &Operation, reply: Option<&Value>) -> Option<Kind> {
        let [first, other] = self.leads(model, operation, reply).map(|next| next.first().copied());
        match (first, other) {
            (Some(Problem::INITIAL), Some(OTHER)) => None,
            (Some(Problem::INITIAL), None) if self.other.is_none() => None,
            (Some(to), Some(_)) => Some(Kind::Writes(to)),
            (Some(Problem::INITIAL), None) => Some(Kind::Reads(Problem::INITIAL)),
            (Some(to), None) => Some(Kind::Swaps(Problem::INITIAL, to)),
            (None, Some(OTHER)) => Some(Kind::Reads(OTHER)),
            (None, Some(to)) => Some(Kind::Swaps(OTHER, to)),
            (None, None) => Some(Kind::Reads(NEVER)),
        }
    }
}
