//! Linearizability: an order is replayed, or operations of one key are searched for an order by trying all.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Verification,
    beginnings::Beginnings,
    counts,
    elements::Elements,
    held::{Held, Kind},
    placed::{Placed, refuted},
    replay::{self, State},
};
use crate::{
    budget::Budget,
    history::{Entry, EntryId, History, Order},
    operation::Operation,
    value::Value,
};

/// So many operations are looked at before they are replayed.
const BLOCK: usize = 32;

/// Whether the order holds all that certainly happened, keeps real time, and replies as the history says.
pub(super) fn replays(history: &History, model: &str, order: &[EntryId]) -> Result<(), Verification> {
    if history.order == Order::Processes {
        return Err(Verification::Refuted("the history does not know real time".to_owned()));
    }
    let mut placed = Placed::new(history);
    let kind = Kind::named(model);
    let mut held = Held::new(history);
    let mut state = State::new();
    let mut now = 0;
    for block in order.chunks(BLOCK) {
        placed.look_ahead(block);
        for &id in block {
            let entry = placed.take(id)?;
            now = now.max(entry.invoked.position);
            if entry.returned() < now {
                return Err(refuted(id, "comes after an operation that was invoked when it had returned"));
            }
            let applied = match kind {
                Some(kind) => held.apply(kind, entry),
                None => replay::apply(model, &mut state, &entry.operation, entry.reply()),
            };
            applied.ok_or_else(|| refuted(id, "cannot reply so where it stands"))?;
        }
    }
    placed.all()
}

/// More operations than this are not searched.
const KEPT_MAX: usize = 256;

/// An operation that is kept.
struct Kept<'h> {
    entry: &'h Entry,
    is_named: bool,
    /// Where it returned; `u32::MAX` when it may not have happened.
    returned: u32,
    /// If it may not have happened, it did so before anything that was called after this.
    by: u32,
}

/// Whether these operations, and those of their key that may not be deleted, have no order.
pub(super) fn impossible(
    history: &History,
    model: &str,
    key: &Value,
    operations: &[EntryId],
    budget: &Budget,
) -> Verification {
    if history.order == Order::Processes {
        return Verification::Refuted("the history does not know real time".to_owned());
    }
    if let Some(id) = operations.iter().find(|id| **id >= history.entries.len()) {
        return Verification::Refuted(format!("operation {id} is not there"));
    }
    if model == "counter" {
        let mut of_key = history.entries.iter().map(|e| &e.operation).filter(|o| o.key == *key);
        if let Some(stranger) = of_key.find(|operation| !replay::knows(model, operation)) {
            return replay::unknown(model, stranger);
        }
        if counts::contradict(history, key, operations) {
            return Verification::Verified;
        }
    }
    if model == "multi-register" && Beginnings::NilOrZero.contradict(history, false, operations) {
        return Verification::Verified;
    }
    if model == "set" {
        for element in told(history, key, operations) {
            if of_element(history, key, element, operations, budget) == Verification::Verified {
                return Verification::Verified;
            }
        }
    }
    let apply =
        |state: &mut State, operation: &Operation, reply: Option<&Value>| replay::apply(model, state, operation, reply);
    let kept = keep(history, model, key, operations);
    let held = |part: &[Kept<'_>]| match model {
        "register" | "cas-register" | "kv" => registers_held(key, part),
        _ => Vec::new(),
    };
    none_since(kept, held, model, budget, apply)
}

/// The elements of a set that named operations are about; where all of them are reads, those that they show and nobody added.
fn told<'h>(history: &'h History, key: &Value, named: &[EntryId]) -> BTreeSet<&'h Value> {
    let entries = || named.iter().map(|&id| &history.entries[id]);
    let own: BTreeSet<&Value> = entries().filter(|e| e.operation.f != "read").map(|e| &e.operation.args).collect();
    if !own.is_empty() {
        return own;
    }
    let mut shown: BTreeSet<&Value> = entries().filter_map(|e| e.reply()?.as_list()).flatten().collect();
    for add in history.entries.iter().filter(|e| e.operation.f == "add" && e.operation.key == *key) {
        shown.remove(&add.operation.args);
    }
    shown
}

/// Whether the named operations have no order as far as one element of a set is concerned: what others do to other elements
/// is deleted, and of a read it counts only whether it shows this one.
fn of_element(history: &History, key: &Value, element: &Value, named: &[EntryId], budget: &Budget) -> Verification {
    let about = |e: &Entry| e.operation.f == "read" || e.operation.args == *element;
    let named: Vec<EntryId> = named.iter().copied().filter(|&id| about(&history.entries[id])).collect();
    let apply = |state: &mut State, operation: &Operation, reply: Option<&Value>| {
        if operation.f != "read" {
            return replay::apply("set", state, operation, reply);
        }
        let Some(reply) = reply else { return Some(()) };
        let is_in = matches!(state.get(key), Some(Value::Map(held)) if held.contains_key(element));
        (reply.as_list()?.contains(element) == is_in).then_some(())
    };
    let mut kept = keep(history, "set", key, &named);
    kept.retain(|kept| about(kept.entry));
    let held = |_: &[Kept<'_>]| {
        let there = Value::from(BTreeMap::from([(element.clone(), Value::Nil)]));
        vec![State::new(), State::from([(key.clone(), there)])]
    };
    none_since(kept, held, "set", budget, apply)
}

/// The same where `apply` says what an operation does, and less is allowed where more is deleted that nothing needs.
pub(super) fn none_by(
    history: &History,
    model: &str,
    key: &Value,
    operations: &[EntryId],
    budget: &Budget,
    apply: impl Fn(&mut State, &Operation, Option<&Value>) -> Option<()>,
) -> Verification {
    none_of(&keep(history, model, key, operations), &State::new(), model, budget, apply)
}

/// Whether what is kept has no order, or has none from the call of the first named operation on, whatever the register held by
/// then: `held` are the states to try. What was open may have happened before.
fn none_since(
    kept: Vec<Kept<'_>>,
    held: impl FnOnce(&[Kept<'_>]) -> Vec<State>,
    model: &str,
    budget: &Budget,
    apply: impl Fn(&mut State, &Operation, Option<&Value>) -> Option<()>,
) -> Verification {
    if let Some(stranger) = kept.iter().find(|kept| !replay::knows(model, &kept.entry.operation)) {
        return replay::unknown(model, &stranger.entry.operation);
    }
    let Some(begin) = kept.iter().find(|kept| kept.is_named).map(|first| first.entry.invoked.position) else {
        return none_of(&kept, &State::new(), model, budget, apply);
    };
    let whole = none_of(&kept, &State::new(), model, budget, &apply);
    if whole == Verification::Verified {
        return whole;
    }
    let part: Vec<Kept<'_>> = kept
        .into_iter()
        .filter(|kept| kept.returned >= begin)
        .map(|kept| {
            if kept.entry.invoked.position < begin {
                Kept { returned: u32::MAX, by: kept.returned, ..kept }
            } else {
                kept
            }
        })
        .collect();
    let held = held(&part);
    if !held.is_empty() && held.iter().all(|held| none_of(&part, held, model, budget, &apply) == Verification::Verified)
    {
        return Verification::Verified;
    }
    whole
}

/// Every state of a register in which these operations can tell it from others. None where something is added to it.
fn registers_held(key: &Value, kept: &[Kept<'_>]) -> Vec<State> {
    if kept.iter().any(|kept| kept.entry.operation.f == "append") {
        return Vec::new();
    }
    let needed: BTreeSet<&Value> = kept.iter().filter_map(|kept| needs(kept.entry)).collect();
    // No value contains itself, so that this is none of them.
    let other = Value::List(needed.iter().map(|value| (*value).clone()).collect());
    let values = needed.into_iter().cloned().chain([other]);
    [State::new()].into_iter().chain(values.map(|value| State::from([(key.clone(), value)]))).collect()
}

/// Whether what is kept has no order from this state.
fn none_of(
    kept: &[Kept<'_>],
    held: &State,
    model: &str,
    budget: &Budget,
    apply: impl Fn(&mut State, &Operation, Option<&Value>) -> Option<()>,
) -> Verification {
    if kept.len() > KEPT_MAX {
        return Verification::Unverified(format!("{} operations are too many to try all orders", kept.len()));
    }
    let shown: Vec<&str> = kept.iter().filter_map(|kept| kept.entry.reply()?.as_text()).collect();
    let longest = shown.iter().map(|text| text.len()).max().unwrap_or_default();
    let texts = (model == "kv").then(|| Texts { shown, unseen: "-".repeat(longest + 1).into() });
    let seen = BTreeSet::new();
    let mut search = Search { apply, kept, texts, seen, steps: budget.steps, bytes: budget.bytes };
    match search.order_exists(&mut vec![false; kept.len()], held) {
        Some(false) => Verification::Verified,
        Some(true) => Verification::Refuted("the operations it names have an order".to_owned()),
        None => Verification::Unverified(format!("the budget is spent on an order of {} operations", kept.len())),
    }
}

fn keep<'h>(history: &'h History, model: &str, key: &Value, named: &[EntryId]) -> Vec<Kept<'h>> {
    let one_object = matches!(model, "rw-register" | "list-append")
        || (model == "multi-register" && history.entries.iter().any(|e| e.operation.f == "txn"));
    let is_named: BTreeSet<EntryId> = named.iter().copied().collect();
    // What comes after all that is named has returned is cut off.
    let last = named.iter().map(|&id| &history.entries[id]).filter(|e| e.is_ok()).map(Entry::returned).max();
    let last = last.unwrap_or(u32::MAX);
    let entries = &history.entries[..history.entries.partition_point(|e| e.invoked.position <= last)];
    let stays = |e: &Entry, is_named: bool| {
        (is_named || !only_reads(e)) && (e.is_ok() || e.is_unknown()) && (one_object || e.operation.key == *key)
    };
    // What leaves a value in a register that nothing needs is deleted, unless something needs a value not to be there.
    let registers = matches!(model, "register" | "cas-register" | "kv");
    let mut needed: BTreeSet<&Value> = named.iter().filter_map(|&id| needs(&history.entries[id])).collect();
    let mut deletes_writes = registers;
    let may_go = others_may_go(history, model, key, named);
    loop {
        let deleted =
            |e: &Entry| may_go(e) || (deletes_writes && written(e).is_some_and(|value| !needed.contains(value)));
        let mut kept = Vec::new();
        // What is needed besides what was known to be.
        let mut more: BTreeSet<&Value> = BTreeSet::new();
        let mut keeps_all = false;
        let mut next_named = is_named.iter().copied().peekable();
        for (id, entry) in entries.iter().enumerate() {
            let is_named = next_named.next_if_eq(&id).is_some();
            if !stays(entry, is_named) || (!is_named && deleted(entry)) {
                continue;
            }
            if registers {
                keeps_all |= differs(entry) || entry.operation.f == "append";
                more.extend(needs(entry).filter(|value| !needed.contains(value)));
            }
            let returned = if entry.returned() <= last { entry.returned() } else { u32::MAX };
            kept.push(Kept { entry, is_named, returned, by: u32::MAX });
        }
        if deletes_writes && (keeps_all || !more.is_empty()) {
            deletes_writes = !keeps_all;
            needed.extend(more);
            continue;
        }
        return kept;
    }
}

/// Which operations that nobody named may go from a set or a container.
fn others_may_go<'h>(
    history: &'h History,
    model: &str,
    key: &Value,
    named: &[EntryId],
) -> impl Fn(&Entry) -> bool + use<'h> {
    let elements = Elements::new(history, model, key, named);
    // Nothing that stays sees the other elements of a set.
    let of_set: Option<BTreeSet<&Value>> = (model == "set"
        && named.iter().all(|&id| history.entries[id].operation.f != "read"))
    .then(|| named.iter().map(|&id| &history.entries[id].operation.args).collect());
    move |entry| match (&of_set, &elements) {
        (Some(of_set), _) => !of_set.contains(&entry.operation.args),
        (None, Some(elements)) => elements.may_go(entry),
        (None, None) => false,
    }
}

/// Whether it changes nothing.
fn only_reads(e: &Entry) -> bool {
    matches!(e.operation.f.as_str(), "read" | "get" | "contains") || differs(e)
}

/// The value that it leaves in a register.
fn written(e: &Entry) -> Option<&Value> {
    match (e.operation.f.as_str(), &e.operation.args) {
        ("write" | "put", value) => Some(value),
        ("cas", Value::List(args)) => args.get(1),
        _ => None,
    }
}

/// Whether it needs a value not to be there.
fn differs(e: &Entry) -> bool {
    e.operation.f == "cas" && e.reply() == Some(&Value::Bool(false))
}

/// The value that a register must hold for it.
fn needs(e: &Entry) -> Option<&Value> {
    match (e.operation.f.as_str(), &e.operation.args) {
        ("read" | "get", _) => e.reply(),
        ("cas", Value::List(args)) => args.first(),
        _ => None,
    }
}

/// Texts that are read. One that none of them begins with can only be replaced, whatever it is.
struct Texts<'h> {
    shown: Vec<&'h str>,
    /// Stands for such a text; it is longer than what is read.
    unseen: Value,
}

impl Texts<'_> {
    fn forget_unseen(&self, state: &mut State) {
        let is_seen = |held: &Value| held.as_text().is_none_or(|held| self.shown.iter().any(|s| s.starts_with(held)));
        state.values_mut().filter(|held| !is_seen(held)).for_each(|held| self.unseen.clone_into(held));
    }
}

/// Tries every order. What is left and the state are remembered.
struct Search<'k, 'h, F> {
    /// What an operation does; `None` if its reply is impossible.
    apply: F,
    kept: &'k [Kept<'h>],
    texts: Option<Texts<'h>>,
    seen: BTreeSet<(Vec<bool>, State)>,
    steps: u64,
    bytes: u64,
}

impl<F: Fn(&mut State, &Operation, Option<&Value>) -> Option<()>> Search<'_, '_, F> {
    /// Whether what is not done has an order from this state; `None` when the budget is spent.
    fn order_exists(&mut self, done: &mut Vec<bool>, state: &State) -> Option<bool> {
        let open = |done: &[bool], i: usize| !done[i] && self.kept[i].returned != u32::MAX;
        let deadline = (0..done.len()).filter(|&i| open(done, i)).map(|i| self.kept[i].returned).min();
        let Some(deadline) = deadline else { return Some(true) };
        if !self.seen.insert((done.clone(), state.clone())) {
            return Some(false);
        }
        self.steps = self.steps.checked_sub(1)?;
        self.bytes = self.bytes.checked_sub(64 + done.len() as u64 + 96 * state.len() as u64)?;
        for i in 0..done.len() {
            let Kept { entry, returned, by, .. } = &self.kept[i];
            let too_late = || (0..done.len()).any(|j| done[j] && self.kept[j].entry.invoked.position > *by);
            if done[i] || entry.invoked.position > deadline || too_late() {
                continue;
            }
            // One that was cut off is known only to have been asked for.
            let reply = entry.reply().filter(|_| *returned != u32::MAX || *by != u32::MAX);
            let mut after = state.clone();
            if (self.apply)(&mut after, &entry.operation, reply).is_some() {
                if let Some(texts) = &self.texts {
                    texts.forget_unseen(&mut after);
                }
                done[i] = true;
                if self.order_exists(done, &after)? {
                    return Some(true);
                }
                done[i] = false;
            }
        }
        Some(false)
    }
}
