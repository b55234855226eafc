//! Sequential consistency: an order is replayed, or operations are searched for an order that keeps that of each process.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Verification,
    beginnings::Beginnings,
    held::{Held, Kind},
    placed::{Placed, refuted},
    replay::{self, State},
};
use crate::{
    budget::Budget,
    history::{Entry, EntryId, History},
    value::Value,
};

/// Whether the order holds all that certainly happened, keeps the order of each process, and replies as the history says.
pub(super) fn replays(history: &History, model: &str, order: &[EntryId]) -> Result<(), Verification> {
    let mut placed = Placed::new(history);
    let kind = Kind::named(model);
    let mut held = Held::new(history);
    let mut state = State::new();
    let mut last: BTreeMap<u32, EntryId> = BTreeMap::new();
    for &id in order {
        let entry = placed.take(id)?;
        if last.insert(entry.process.0, id).is_some_and(|before| before > id) {
            return Err(refuted(id, "comes after a later operation of its process"));
        }
        let applied = match kind {
            Some(kind) => held.apply(kind, entry),
            None => replay::apply(model, &mut state, &entry.operation, entry.reply()),
        };
        applied.ok_or_else(|| refuted(id, "cannot reply so where it stands"))?;
    }
    placed.all()
}

/// More operations than this are not searched.
const KEPT_MAX: usize = 256;

/// Whether these operations, and those that may not be deleted, have no order.
pub(super) fn impossible(history: &History, model: &str, named: &[EntryId], budget: &Budget) -> Verification {
    if let Some(id) = named.iter().find(|id| **id >= history.entries.len()) {
        return Verification::Refuted(format!("operation {id} is not there"));
    }
    if model == "multi-register" && Beginnings::NilOrZero.contradict(history, false, named) {
        return Verification::Verified;
    }
    let kept = keep(history, model, named);
    if kept.len() > KEPT_MAX {
        return Verification::Unverified(format!("{} operations are too many to try all orders", kept.len()));
    }
    let operations = || kept.iter().map(|id| &history.entries[*id].operation);
    if let Some(stranger) = operations().find(|operation| !replay::knows(model, operation)) {
        return replay::unknown(model, stranger);
    }
    let mut lines: BTreeMap<u32, Vec<&Entry>> = BTreeMap::new();
    for &id in &kept {
        lines.entry(history.entries[id].process.0).or_default().push(&history.entries[id]);
    }
    let lines: Vec<Vec<&Entry>> = lines.into_values().collect();
    let mut search = Search { model, lines: &lines, seen: BTreeSet::new(), steps: budget.steps, bytes: budget.bytes };
    match search.order_exists(&mut vec![0; lines.len()], &State::new()) {
        Some(false) => Verification::Verified,
        Some(true) => Verification::Refuted("the operations it names have an order".to_owned()),
        None => Verification::Unverified(format!("the budget is spent on an order of {} operations", kept.len())),
    }
}

/// What is left when all is deleted that no possible history minds: keys of which nothing is named, what only reads, and
/// writes to registers whose value nothing needs that is left.
fn keep(history: &History, model: &str, named: &[EntryId]) -> Vec<EntryId> {
    let named: BTreeSet<EntryId> = named.iter().copied().collect();
    let one_object = history.entries.iter().any(|e| e.operation.f == "txn");
    let keys: BTreeSet<&Value> = named.iter().map(|&id| &history.entries[id].operation.key).collect();
    let refuses = |e: &Entry| e.operation.f == "cas" && e.reply() == Some(&Value::Bool(false));
    let only_reads = |e: &Entry| {
        matches!(e.operation.f.as_str(), "read" | "get" | "contains")
            || refuses(e)
            || (matches!(model, "queue" | "stack" | "priority-queue")
                && e.reply().is_some_and(Value::is_nil)
                && e.operation.args.is_nil())
    };
    let mut kept: Vec<EntryId> = (0..history.entries.len())
        .filter(|id| {
            let e = &history.entries[*id];
            let of_key = one_object || keys.contains(&e.operation.key);
            (e.is_ok() || e.is_unknown()) && of_key && (named.contains(id) || !only_reads(e))
        })
        .collect();
    let registers = matches!(model, "register" | "cas-register" | "kv")
        && kept.iter().all(|&id| !refuses(&history.entries[id]) && history.entries[id].operation.f != "append");
    if !registers {
        return kept;
    }
    loop {
        // A cas that goes takes the need for what it read along.
        let needed: BTreeSet<(&Value, &Value)> = kept.iter().filter_map(|&id| needs(&history.entries[id])).collect();
        let before = kept.len();
        kept.retain(|id| {
            let e = &history.entries[*id];
            named.contains(id) || written(e).is_none_or(|value| needed.contains(&(&e.operation.key, value)))
        });
        if kept.len() == before {
            return kept;
        }
    }
}

/// The key and the value that an operation on a register needs to find.
fn needs(entry: &Entry) -> Option<(&Value, &Value)> {
    let key = &entry.operation.key;
    match (entry.operation.f.as_str(), &entry.operation.args) {
        ("read" | "get", _) => Some((key, entry.reply()?)),
        ("cas", Value::List(args)) => Some((key, args.first()?)),
        _ => None,
    }
}

/// The value that an operation leaves in a register.
fn written(entry: &Entry) -> Option<&Value> {
    match (entry.operation.f.as_str(), &entry.operation.args) {
        ("write" | "put", value) => Some(value),
        ("cas", Value::List(args)) => args.get(1),
        _ => None,
    }
}

/// Tries every order. How far each process has come and the state are remembered.
struct Search<'k, 'h> {
    model: &'k str,
    lines: &'k [Vec<&'h Entry>],
    seen: BTreeSet<(Vec<usize>, State)>,
    steps: u64,
    bytes: u64,
}

impl Search<'_, '_> {
    /// Whether what is left has an order from this state; `None` when the budget is spent.
    fn order_exists(&mut self, places: &mut Vec<usize>, state: &State) -> Option<bool> {
        let lines = self.lines;
        if lines.iter().zip(&*places).all(|(line, &place)| line[place..].iter().all(|e| !e.is_ok())) {
            return Some(true);
        }
        if !self.seen.insert((places.clone(), state.clone())) {
            return Some(false);
        }
        self.steps = self.steps.checked_sub(1)?;
        self.bytes = self.bytes.checked_sub(64 + 8 * places.len() as u64 + 96 * state.len() as u64)?;
        for (i, line) in lines.iter().enumerate() {
            let Some(entry) = line.get(places[i]) else { continue };
            let mut after = state.clone();
            let mut tries = Vec::new();
            if replay::apply(self.model, &mut after, &entry.operation, entry.reply()).is_some() {
                tries.push(after);
            }
            if !entry.is_ok() {
                // It may never have happened.
                tries.push(state.clone());
            }
            for after in tries {
                places[i] += 1;
                if self.order_exists(places, &after)? {
                    return Some(true);
                }
                places[i] -= 1;
            }
        }
        Some(false)
    }
}
