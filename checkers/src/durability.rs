//! The checker `durability`: when all has settled, no acknowledged write has vanished.
//!
//! Judged by the reads of the phase of final reads, key by key. A write is lost if it was acknowledged and every final read of
//! its key shows a state that is certainly older: for a register a value each of whose writes had returned before the lost
//! write was invoked (or nothing at all), for a set or a log the elements without the one that was added, unless somebody may have
//! removed it: with a removal that did not reply false, and that had not returned before the addition was invoked. What was
//! concurrent may rightly have overwritten it and proves nothing. Nor does a read of a value that nobody wrote: where the other
//! reads of its key are all older, nobody can say whether the write is lost. Linear in the history.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    anomaly::{self, describe},
    budget::Budget,
    checker::{Checker, CheckerEntry},
    history::{Entry, EntryId, History, Order, Phase},
    observations::{effect, is_initial},
    value::Value,
    verdict::{Anomaly, Verdict},
};

pub(crate) const ENTRY: CheckerEntry = CheckerEntry {
    name: "durability",
    summary: "When all has settled, no acknowledged write has vanished.",
    needs_model: false,
    build: |_| Some(Box::new(Durability)),
};

struct Durability;

impl Checker for Durability {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn check(&self, history: &History, _: &Budget) -> Verdict {
        if history.order == Order::Processes {
            return Verdict::precondition(Order::NO_REAL_TIME);
        }
        let Some(phase) = history.phase(Phase::FinalReads) else {
            return Verdict::precondition("the history has no phase of final reads");
        };
        let mut judged = 0;
        let mut unclear = Verdict::VALID;
        let mut anomalies = Vec::new();
        for (key, ids) in history.partition().iter() {
            let is_final = |id: &&EntryId| {
                let e = &history.entries[**id];
                e.is_ok() && matches!(e.operation.f.as_str(), "read" | "get") && phase.contains(&e.invoked.position)
            };
            let finals: Vec<EntryId> = ids.iter().filter(is_final).copied().collect();
            let writes = ids.iter().any(|&id| history.entries[id].is_ok() && changes(&history.entries[id]));
            if finals.is_empty() || !writes {
                continue;
            }
            judged += 1;
            let grows = ids.iter().any(|&id| adds(&history.entries[id]));
            let lost = if grows { lost_element(history, ids, &finals) } else { lost_value(history, ids, &finals) };
            match lost {
                Ok(None) => {}
                Ok(Some(id)) => anomalies.push(report(history, key, id, &finals)),
                Err(detail) => unclear = unclear.worst(Verdict::precondition(detail)),
            }
        }
        if judged == 0 {
            return Verdict::vacuous("no key has both an acknowledged write and a final read");
        }
        Verdict::of(anomalies).worst(unclear)
    }
}

/// Why an operation that it does not know cannot be judged.
fn stranger(history: &History, id: EntryId) -> String {
    let operation = &history.entries[id].operation;
    format!(
        "operation {id}, `{operation}`, is none of read, write, cas, get, put, add, remove and append, or no read of a set or a log shows it"
    )
}

/// Whether it adds an element to a set or a log.
fn adds(entry: &Entry) -> bool {
    matches!(entry.operation.f.as_str(), "add" | "append")
}

fn changes(entry: &Entry) -> bool {
    adds(entry) || (entry.operation.f != "remove" && !matches!(effect(entry), Some((_, None))))
}

/// The last acknowledged write of a register that every final read misses.
///
/// # Errors
/// An operation that it does not know, or a read that shows what nobody wrote and would have to say whether a write is lost.
fn lost_value(history: &History, ids: &[EntryId], finals: &[EntryId]) -> Result<Option<EntryId>, String> {
    let alive = |id: &&EntryId| history.entries[**id].is_ok() || history.entries[**id].is_unknown();
    // When the last write of each value had certainly taken effect.
    let mut established: BTreeMap<&Value, u32> = BTreeMap::new();
    let mut acknowledged: Vec<(EntryId, &Value)> = Vec::new();
    for &id in ids.iter().filter(alive) {
        let entry = &history.entries[id];
        let (_, written) = effect(entry).ok_or_else(|| stranger(history, id))?;
        let Some(value) = written else { continue };
        let when = established.entry(value).or_insert(0);
        *when = (*when).max(entry.returned());
        if entry.is_ok() {
            acknowledged.push((id, value));
        }
    }
    let mut unwritten: Option<EntryId> = None;
    let mut shown: Vec<&Value> = Vec::new();
    for (id, value) in finals.iter().filter_map(|&id| Some((id, history.entries[id].reply()?))) {
        if established.contains_key(value) || is_initial(value) {
            shown.push(value);
        } else {
            unwritten.get_or_insert(id);
        }
    }
    let lost = acknowledged.iter().rev().find(|(id, value)| {
        let invoked = history.entries[*id].invoked.position;
        shown.iter().all(|seen| *seen != *value && established.get(*seen).is_none_or(|when| *when < invoked))
    });
    match (lost, unwritten) {
        (Some((lost, _)), Some(read)) => {
            let [lost_said, read_said] = [*lost, read].map(|id| &history.entries[id].operation);
            Err(format!(
                "operation {read}, `{read_said}`, shows a value that nobody wrote, so nobody can say whether operation {lost}, `{lost_said}`, is lost"
            ))
        }
        (lost, _) => Ok(lost.map(|(id, _)| *id)),
    }
}

/// The last acknowledged addition to a set or a log that every final read misses.
///
/// # Errors
/// An operation that it does not know, or a read that shows no elements.
fn lost_element(history: &History, ids: &[EntryId], finals: &[EntryId]) -> Result<Option<EntryId>, String> {
    let known = |id: &&EntryId| {
        let entry = &history.entries[**id];
        let removes = entry.operation.f == "remove";
        let shows_all = entry.reply().is_none_or(|reply| reply.as_list().is_some());
        adds(entry) || removes || (entry.operation.f == "read" && shows_all)
    };
    if let Some(&id) = ids.iter().find(|id| !known(id)) {
        return Err(stranger(history, id));
    }
    let acknowledged = |id: &&EntryId| history.entries[**id].is_ok() && adds(&history.entries[**id]);
    let shown: Option<Vec<(&Entry, BTreeSet<&Value>)>> = finals
        .iter()
        .map(|&read| {
            let read = &history.entries[read];
            Some((read, read.reply()?.as_list()?.iter().collect()))
        })
        .collect();
    let Some(shown) = shown else { return Ok(None) };
    let removed = Removals::new(ids.iter().map(|&id| &history.entries[id]));
    let missed = |id: &EntryId| {
        let added = &history.entries[*id];
        !removed.excuse(added)
            && shown.iter().all(|(read, shown)| added.precedes(read) && !shown.contains(&added.operation.args))
    };
    Ok(ids.iter().rev().filter(acknowledged).copied().find(missed))
}

/// What may have been removed from a set.
pub(crate) struct Removals<'h>(BTreeMap<&'h Value, u32>);

impl<'h> Removals<'h> {
    /// By element, when the last removal of it that may have found it had certainly taken effect.
    pub(crate) fn new(entries: impl Iterator<Item = &'h Entry>) -> Self {
        let mut removed = BTreeMap::new();
        let found = |e: &&Entry| match e.reply() {
            Some(reply) => *reply != Value::Bool(false),
            None => e.is_unknown(),
        };
        for entry in entries.filter(|e| e.operation.f == "remove").filter(found) {
            let when = removed.entry(&entry.operation.args).or_insert(0);
            *when = entry.returned().max(*when);
        }
        Removals(removed)
    }

    /// Whether what was added here may have been removed: not if all removals were over by then.
    pub(crate) fn excuse(&self, added: &Entry) -> bool {
        self.0.get(&added.operation.args).is_some_and(|when| *when > added.invoked.position)
    }
}

fn report(history: &History, key: &Value, lost: EntryId, finals: &[EntryId]) -> Anomaly {
    let last = finals[finals.len() - 1];
    let [lost_said, last_said] = [lost, last].map(|id| describe(&history.entries[id]));
    let sentence = format!(
        "{lost_said} was acknowledged, yet when all had settled {last_said} and every other final read showed an older state."
    );
    let seen = history.entries[last].reply();
    let source = history
        .entries
        .iter()
        .position(|e| e.operation.key == *key && seen.is_some() && effect(e).and_then(|(_, written)| written) == seen);
    let operations = [lost, last].into_iter().chain(source).collect();
    Anomaly::new(anomaly::LOST_ACKNOWLEDGED_WRITE, key.clone(), operations, sentence)
}
