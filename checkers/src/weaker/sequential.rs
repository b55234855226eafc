//! The checker `sequential`: all operations seem to happen one after the other, those of a process in its order (Lamport 1979).
//!
//! Unlike linearizability this is no matter of single keys: all must fit into one order. Deciding it is NP-complete, even where
//! each value is written once (Gibbons & Korach 1997). A linearization is such an order, so that is tried first. Registers with
//! unique values are transactions of one operation each, in the order of their processes: saturation, and then a search for
//! the order of writes only. All else is searched, for any model.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    core,
    interleave::{self, Found, Object},
};
use crate::{
    anomaly::{self, describe},
    budget::{Budget, Meter},
    checker::{Checker, CheckerEntry},
    history::{Entry, EntryId, History, Order},
    isolation, linearizability,
    linearizability::problem::Problem,
    model::{Done, Effect, Model},
    models::AnyModel,
    observations::{Observations, is_initial},
    value::Value,
    verdict::{Anomaly, Verdict},
};

pub(crate) const ENTRY: CheckerEntry = CheckerEntry {
    name: "sequential",
    summary: "All operations seem to happen one after the other, those of each process in its order.",
    needs_model: true,
    build: |model| Some(Box::new(Sequential { model: (model?.build)() })),
};

struct Sequential {
    model: Arc<dyn AnyModel>,
}

impl Checker for Sequential {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn check(&self, history: &History, budget: &Budget) -> Verdict {
        self.model.sequential(history, budget)
    }
}

/// A linearization is looked for with this part of the budget.
const FIRST_LOOK: u64 = 100;

/// Steps that all searches together may take while evidence is made small; one may take a hundredth.
const CORE_STEPS: u64 = 1_000_000;

/// Most operations that a sentence names one by one.
const NAMED_MAX: usize = 6;

/// Whether `history` is sequentially consistent with respect to `model`. Valid comes with the order.
pub(crate) fn check<M: Model>(model: &M, history: &History, budget: &Budget) -> Verdict {
    if let Err(verdict) = linearizability::admissible(model, history) {
        return verdict;
    }
    if history.order == Order::RealTime {
        let first = Budget { steps: budget.steps / FIRST_LOOK, ..*budget };
        let verdict = linearizability::check(model, history, &first);
        if verdict.is_valid() {
            return verdict;
        }
    }
    let happened: Vec<EntryId> =
        (0..history.entries.len()).filter(|&id| Done::of(&history.entries[id]).is_some()).collect();
    let mut done = happened.iter().filter_map(|&id| Done::of(&history.entries[id]));
    if let Err(two) = model.beginnings(&mut done) {
        let two = two.map(|place| happened[place]);
        let keys = two.map(|id| &history.entries[id].operation.key);
        let key = if keys[0] == keys[1] { keys[0] } else { &Value::Nil };
        return Verdict::of(vec![anomaly::two_beginnings(history, key, two)]);
    }
    match Registers::new(model, history) {
        Some(Registers { thin_air: Some(reader), .. }) => {
            let entry = &history.entries[reader];
            let sentence = format!("{} saw a value that nobody wrote.", describe(entry));
            let key = entry.operation.key.clone();
            return Verdict::of(vec![Anomaly::new(anomaly::THIN_AIR_READ, key, vec![reader], sentence)]);
        }
        Some(Registers { differs, .. }) => match as_transactions(history, budget) {
            // Operations that only prove a difference were not looked at.
            Verdict::Valid { .. } if differs => {}
            Verdict::Unknown { .. } => {}
            valid @ Verdict::Valid { .. } => return valid,
            Verdict::Invalid { anomalies } => {
                let smallest = anomalies.iter().map(|a| &a.operations).min_by_key(|ids| ids.len());
                let ids = smallest.map(|ids| supported(history, ids)).unwrap_or_default();
                let all = (0..history.entries.len()).collect();
                let impossible = |ids: &[EntryId]| as_transactions(&core::part(history, ids), budget).is_invalid();
                let ids = if impossible(&ids) { ids } else { all };
                if ids.len() > super::SHRUNK_MAX {
                    return refused(history, ids);
                }
                return refused(history, core::shrink(ids, |ids| core::with_readers(history, ids), impossible));
            }
        },
        None => {}
    }
    let mut meter = Meter::new(*budget);
    match searched(model, history, &mut meter) {
        Found::Legal(order) => Verdict::Valid { linearization: Some(order) },
        Found::Spent { reason, placed, of } => {
            meter.spent(reason, &format!("{placed} of {of} completed operations placed"))
        }
        Found::Illegal => {
            let mut side = Meter::new(Budget { steps: CORE_STEPS.min(budget.steps), ..*budget });
            let impossible = |ids: &[EntryId]| {
                let mut each = side.share(CORE_STEPS / 100);
                let found = searched(model, &core::part(history, ids), &mut each);
                side.absorb(&each);
                matches!(found, Found::Illegal)
            };
            refused(history, core::shrink(happened, |ids| spare(model, history, ids), impossible))
        }
    }
}

/// Registers as transactions of one operation each.
fn as_transactions(history: &History, budget: &Budget) -> Verdict {
    (isolation::STRONG_SESSION_SERIALIZABLE.build)(None)
        .map_or_else(|| Verdict::precondition("it needs no model"), |checker| checker.check(history, budget))
}

/// The operations with what they rest on.
fn supported(history: &History, ids: &[EntryId]) -> Vec<EntryId> {
    let Ok(seen) = Observations::new(history) else { return ids.to_vec() };
    let nodes = (0..seen.nodes.len()).filter(|&node| ids.contains(&seen.nodes[node].entry)).collect();
    seen.supported(history, nodes).into_iter().map(|node| seen.nodes[node].entry).collect()
}

/// What is known where every operation is one of a register.
struct Registers {
    /// A read of a value that nobody wrote.
    thin_air: Option<EntryId>,
    /// Whether some operation only proves what a register did not hold.
    differs: bool,
}

impl Registers {
    /// `None` where an operation is of another kind, or does not mean what its name says.
    fn new<M: Model>(model: &M, history: &History) -> Option<Self> {
        let initial = model.initial_value();
        let mut written: BTreeSet<(&Value, &Value)> = BTreeSet::new();
        let mut read: Vec<(EntryId, &Value)> = Vec::new();
        let mut differs = false;
        for (id, entry) in history.entries.iter().enumerate().filter(|(_, e)| e.is_ok() || e.is_unknown()) {
            let Entry { operation, .. } = entry;
            let cas = |from: &Value, to: &Value| {
                operation.f == "cas"
                    && operation.args.as_list().is_some_and(|args| matches!(args, [a, b] if a == from && b == to))
            };
            let meant = model.is_keyed(operation)
                && match model.effect(operation, entry.reply()) {
                    Effect::Reads(v) => {
                        read.push((id, v));
                        matches!(operation.f.as_str(), "read" | "get") && entry.reply() == Some(v)
                    }
                    Effect::Writes(v) => {
                        written.insert((&operation.key, v));
                        matches!(operation.f.as_str(), "write" | "put") && operation.args == *v
                    }
                    Effect::Swaps(from, to) => {
                        if entry.is_ok() {
                            read.push((id, from));
                        }
                        written.insert((&operation.key, to));
                        cas(from, to)
                    }
                    Effect::Differs(_) => {
                        differs = true;
                        operation.f == "cas"
                    }
                    Effect::Observes => entry.is_unknown() && matches!(operation.f.as_str(), "read" | "get"),
                    _ => false,
                };
            // Transactions know two initial values.
            let is_other = |value: &Value| is_initial(value) && *value != initial;
            let touched = [&operation.args].into_iter().chain(operation.args.as_list().into_iter().flatten());
            if !meant || entry.reply().into_iter().chain(touched).any(|v| is_other(v) && !is_no_value(entry, v)) {
                return None;
            }
        }
        let came = |id: EntryId, v: &Value| *v == initial || written.contains(&(&history.entries[id].operation.key, v));
        let thin_air = read.into_iter().find(|&(id, v)| !came(id, v)).map(|(id, _)| id);
        Some(Registers { thin_air, differs })
    }
}

/// Whether a `Nil` is the missing argument of a read, or the empty reply of a write.
fn is_no_value(entry: &Entry, value: &Value) -> bool {
    match entry.operation.f.as_str() {
        "read" | "get" => std::ptr::eq(value, &raw const entry.operation.args),
        _ => entry.reply().is_some_and(|reply| std::ptr::eq(value, reply)),
    }
}

/// Searches for an order of all operations, from each state that the objects may have begun in.
fn searched<M: Model>(model: &M, history: &History, meter: &mut Meter) -> Found {
    let everything: Vec<EntryId> = (0..history.entries.len()).collect();
    let partition = history.partition();
    let problems: Vec<Problem<'_>> = if history.entries.iter().all(|e| model.is_keyed(&e.operation)) {
        partition.iter().map(|(_, ids)| Problem::new(model, history, ids)).collect()
    } else {
        vec![Problem::new(model, history, &everything)]
    };
    let Ok(mut beginnings) = model.beginnings(&mut problems.iter().flat_map(Problem::done)) else {
        return Found::Illegal;
    };
    let found = beginnings.find_map(|initial| {
        let objects = problems.iter().map(|problem| Object::new(model, problem, initial.clone())).collect();
        let found = interleave::search(history, objects, meter);
        (found != Found::Illegal).then_some(found)
    });
    found.unwrap_or(Found::Illegal)
}

/// What may be taken away: what only reads, whole keys, and what [`core::with_readers`] says of registers.
fn spare<M: Model>(model: &M, history: &History, ids: &[EntryId]) -> Vec<Vec<EntryId>> {
    let part = core::part(history, ids);
    let pure = |e: &Entry| {
        let effect = model.effect(&e.operation, e.reply());
        matches!(
            effect,
            Effect::Observes
                | Effect::Reads(_)
                | Effect::Differs(_)
                | Effect::ReadsAll(_)
                | Effect::ReadsInOrder(_)
                | Effect::Counts(_)
                | Effect::FindsEmpty
        )
    };
    let mut groups: Vec<Vec<EntryId>> = Vec::new();
    if part.entries.iter().all(|e| model.is_keyed(&e.operation)) {
        groups.extend(part.partition().iter().map(|(_, of_key)| of_key.iter().map(|&i| ids[i]).collect()));
    }
    groups.extend((0..ids.len()).filter(|&i| pure(&part.entries[i])).map(|i| vec![ids[i]]));
    if Registers::new(model, &part).is_some_and(|registers| !registers.differs) {
        groups.extend(core::with_readers(history, ids));
    }
    groups
}

/// No order explains these operations.
fn refused(history: &History, ids: Vec<EntryId>) -> Verdict {
    let key = &history.entries[ids[0]].operation.key;
    let same = ids.iter().all(|&id| history.entries[id].operation.key == *key);
    let n = ids.len();
    let named: Vec<String> = ids.iter().map(|&id| describe(&history.entries[id])).collect();
    let named = if n > NAMED_MAX { String::new() } else { format!(": {}", named.join(", ")) };
    let sentence = if n == 1 {
        format!("{} is impossible, whatever else happened.", describe(&history.entries[ids[0]]))
    } else {
        format!(
            "No order of these {n} operations that keeps the order of each process explains what the clients saw{named}."
        )
    };
    let key = if same { key.clone() } else { Value::Nil };
    Verdict::of(vec![Anomaly::new(anomaly::NON_SEQUENTIAL, key, ids, sentence)])
}
