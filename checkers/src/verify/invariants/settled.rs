//! What is left when all has settled: acknowledged writes, one state at all replicas, progress.

use std::collections::{BTreeMap, BTreeSet};

use super::{Broken, Object};
use crate::{
    history::{Entry, EntryId, History, MarkKind, Phase},
    value::Value,
};

fn reads(entry: &Entry) -> bool {
    matches!(entry.operation.f.as_str(), "read" | "get")
}

/// The value that an operation on a register writes; `None` within if none, and without if it is none of a register.
#[expect(clippy::option_option, reason = "it may be none of a register, or write nothing")]
fn written(entry: &Entry) -> Option<Option<&Value>> {
    match (entry.operation.f.as_str(), &entry.operation.args, entry.reply()) {
        ("read" | "get", ..) | ("cas", _, Some(Value::Bool(false))) => Some(None),
        ("write" | "put", value, _) => Some(Some(value)),
        ("cas", Value::List(args), None | Some(Value::Bool(true))) if args.len() == 2 => Some(args.last()),
        _ => None,
    }
}

fn is_initial(value: &Value) -> bool {
    value.is_nil() || value.as_text() == Some("")
}

/// No acknowledged write is older than what every final read shows, and no acknowledged element missing from all.
pub(super) fn durable(object: &Object<'_>, broken: &mut Broken) {
    let Some(phase) = object.history.phase(Phase::FinalReads) else { return };
    let finals: Vec<(&Entry, &Value)> = object
        .alive()
        .filter(|(_, e)| reads(e) && phase.contains(&e.invoked.position))
        .filter_map(|(_, e)| Some((e, e.reply()?)))
        .collect();
    // To a set or to a log.
    let adds = |e: &Entry| matches!(e.operation.f.as_str(), "add" | "append");
    let grows = object.ids.iter().any(|&id| adds(&object.history.entries[id]));
    let changes = |e: &Entry| {
        if grows { adds(e) } else { e.operation.f != "remove" && written(e) != Some(None) }
    };
    if finals.is_empty() || !object.alive().any(|(_, e)| e.is_ok() && changes(e)) {
        return;
    }
    broken.judged += 1;
    if grows {
        if object.alive().any(|(_, e)| !adds(e) && !matches!(e.operation.f.as_str(), "read" | "remove")) {
            broken.open = Some("an operation is none of add, append, remove and read");
        }
        let shown: Vec<(u32, BTreeSet<&Value>)> = finals
            .iter()
            .filter_map(|(e, reply)| Some((e.invoked.position, reply.as_list()?.iter().collect())))
            .collect();
        let removed = removed(object);
        for (id, add) in object.alive().filter(|(_, e)| adds(e) && e.is_ok()) {
            let missed = |(call, shown): &(u32, BTreeSet<&Value>)| {
                add.returned() < *call && !shown.contains(&add.operation.args)
            };
            if shown.len() == finals.len() && is_kept(&removed, add) && shown.iter().all(missed) {
                broken.add("lost-acknowledged-write", id);
            }
        }
        return;
    }
    // Before which moment all that was shown in the end had certainly been written; the initial value always was, and what
    // nobody wrote is of no moment.
    let mut latest: i64 = -1;
    let mut tells_nothing = false;
    for (_, shown) in &finals {
        let writes = object.alive().filter(|(_, e)| written(e) == Some(Some(*shown)));
        match writes.map(|(_, e)| i64::from(e.returned())).max() {
            Some(when) => latest = latest.max(when),
            None => tells_nothing |= !is_initial(shown),
        }
    }
    for (id, entry) in object.alive() {
        match written(entry) {
            None => broken.open = Some("an operation is none of read, write, cas, get, put and add"),
            Some(Some(value)) if entry.is_ok() => {
                let is_older = latest < i64::from(entry.invoked.position);
                if is_older && finals.iter().all(|(_, shown)| *shown != value) {
                    if tells_nothing {
                        broken.open = Some("a final read shows what nobody wrote");
                    } else {
                        broken.add("lost-acknowledged-write", id);
                    }
                }
            }
            Some(_) => {}
        }
    }
}

/// What is asked for of replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Asks {
    Agreement,
    Explanation,
    Stability,
}

/// All replicas show the same in the end, and what the updates leave.
pub(super) fn converged(object: &Object<'_>, broken: &mut Broken, asks: Asks) {
    let mut replica_of: BTreeMap<u32, Vec<(u32, u32)>> = BTreeMap::new();
    for mark in &object.history.marks {
        if let MarkKind::FinalReads(process, replica) = mark.kind {
            replica_of.entry(process.0).or_default().push((mark.at.position, replica));
        }
    }
    let adds = object.ids.iter().any(|&id| object.history.entries[id].operation.f == "add");
    let mut at: BTreeMap<u32, Vec<(EntryId, Value)>> = BTreeMap::new();
    for (id, entry) in object.alive().filter(|(_, e)| reads(e)) {
        let marks = replica_of.get(&entry.process.0).map_or(&[][..], Vec::as_slice);
        let Some((_, replica)) = marks.iter().rev().find(|(mark, _)| *mark < entry.invoked.position) else { continue };
        let Some(mut shown) = entry.reply().cloned() else { continue };
        if let Value::List(elements) = &mut shown
            && adds
        {
            elements.sort();
        }
        at.entry(*replica).or_default().push((id, shown));
    }
    if at.len() < 2 {
        return;
    }
    broken.judged += 1;
    let last: Vec<&(EntryId, Value)> = at.values().filter_map(|reads| reads.last()).collect();
    if last.iter().any(|(_, shown)| *shown != last[0].1) {
        for (id, _) in &last {
            broken.add("divergence", *id);
        }
    }
    if asks >= Asks::Explanation {
        let begun = at.values().flatten().map(|(id, _)| object.history.entries[*id].invoked.position).min();
        if object.alive().any(|(_, e)| !reads(e) && Some(e.invoked.position) > begun) {
            broken.open = Some("there is no silence");
        }
        let counts = adds && at.values().flatten().any(|(_, shown)| matches!(shown, Value::Int(_)));
        if adds
            && last.iter().any(|(_, shown)| if counts { shown.as_int().is_none() } else { shown.as_list().is_none() })
        {
            broken.open = Some("a read shows neither elements nor a count");
        }
        for (id, shown) in last {
            let wrong = match (adds, counts) {
                (_, true) => wrong_count(object, shown),
                (true, _) => wrong_set(object, shown),
                _ => wrong_value(object, shown),
            };
            if wrong {
                broken.add("unexplained-state", *id);
            }
            if adds && !counts && is_resurrected(object, shown) {
                broken.add("resurrected-element", *id);
            }
        }
    }
    if asks >= Asks::Stability {
        for reads in at.values() {
            for pair in reads.windows(2).filter(|pair| pair[0].1 != pair[1].1) {
                broken.add("unsettled", pair[1].0);
            }
        }
    }
}

/// Whether an acknowledged element is missing, or one is there that nobody added.
fn wrong_set(object: &Object<'_>, shown: &Value) -> bool {
    let Some(shown) = shown.as_list() else { return false };
    let shown: BTreeSet<&Value> = shown.iter().collect();
    let adds = || object.alive().filter(|(_, e)| e.operation.f == "add");
    let may: BTreeSet<&Value> = adds().map(|(_, e)| &e.operation.args).collect();
    let removed = removed(object);
    let missing = |e: &Entry| e.is_ok() && !shown.contains(&e.operation.args) && is_kept(&removed, e);
    adds().any(|(_, e)| missing(e)) || shown.iter().any(|e| !may.contains(e))
}

/// By element, when the last removal that may have found it had certainly taken effect.
fn removed<'h>(object: &Object<'h>) -> BTreeMap<&'h Value, u32> {
    let mut removed = BTreeMap::new();
    for (_, entry) in object.alive().filter(|(_, e)| e.operation.f == "remove") {
        if entry.reply() != Some(&Value::Bool(false)) {
            let until = removed.entry(&entry.operation.args).or_default();
            *until = entry.returned().max(*until);
        }
    }
    removed
}

/// Whether what was added must be there for ever: no removal of it came after, or may still come.
fn is_kept(removed: &BTreeMap<&Value, u32>, add: &Entry) -> bool {
    removed.get(&add.operation.args).is_none_or(|until| *until < add.invoked.position)
}

/// Whether an element is there that was added once and that a removal found.
fn is_resurrected(object: &Object<'_>, shown: &Value) -> bool {
    let times = |element: &Value| {
        object.alive().filter(|(_, e)| e.operation.f == "add" && e.operation.args == *element).count()
    };
    object.alive().any(|(_, e)| {
        let element = &e.operation.args;
        e.operation.f == "remove"
            && e.reply() == Some(&Value::Bool(true))
            && times(element) == 1
            && shown.as_list().is_some_and(|list| list.contains(element))
    })
}

/// Whether a counter shows less or more than can have been added.
fn wrong_count(object: &Object<'_>, shown: &Value) -> bool {
    let sum = |pick: fn(bool, i64) -> i64| -> i128 {
        let adds = object.alive().filter(|(_, e)| e.operation.f == "add");
        adds.map(|(_, e)| i128::from(pick(e.is_ok(), e.operation.args.as_int().unwrap_or_default()))).sum()
    };
    let least = sum(|is_sure, n| if is_sure { n } else { n.min(0) });
    let most = sum(|is_sure, n| if is_sure { n } else { n.max(0) });
    shown.as_int().is_some_and(|shown| i128::from(shown) < least || i128::from(shown) > most)
}

/// Whether nobody wrote this, and it is not the initial value of what nobody wrote for certain.
fn wrong_value(object: &Object<'_>, shown: &Value) -> bool {
    let writes = || object.alive().filter_map(|(_, e)| Some((e, written(e)??)));
    let is_written = writes().any(|(_, value)| value == shown);
    let may_be_initial = is_initial(shown) && writes().all(|(e, _)| !e.is_ok());
    !is_written && !may_be_initial
}

/// No member is held dead in the end.
pub(super) fn accurate(object: &Object<'_>, broken: &mut Broken) {
    let Some(phase) = object.history.phase(Phase::FinalReads) else { return };
    for (id, _, reply) in object.ok("read").filter(|(_, e, _)| phase.contains(&e.invoked.position)) {
        broken.judged += 1;
        match reply {
            Value::Bool(true) => {}
            Value::Bool(false) => broken.add("live-member-held-dead", id),
            _ => broken.open = Some("a read replied neither true nor false"),
        }
    }
}

/// After all faults some operation succeeds.
pub(super) fn live(history: &History, broken: &mut Broken) {
    let Some(phase) = history.phase(Phase::Settle) else { return };
    let inside = |position: u32| phase.contains(&position);
    if history.entries.iter().any(|e| e.is_ok() && inside(e.invoked.position) && inside(e.returned())) {
        broken.judged = 1;
        return;
    }
    for (id, entry) in history.entries.iter().enumerate() {
        let waited_until = entry.completed.map_or(u32::MAX, |moment| moment.position);
        if entry.invoked.position < phase.end && waited_until >= phase.start {
            broken.add("no-progress", id);
        }
    }
}
