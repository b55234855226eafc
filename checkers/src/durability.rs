//! The checker `durability`: when all has settled, no acknowledged write has vanished.
//!
//! Judged by the reads of the phase of final reads, key by key. A write is lost if it was acknowledged and every final read of
//! its key shows a state that is certainly older: for a register a value each of whose writes had returned before the lost
//! write was invoked (or nothing at all), for a set or a log the elements without the one that was added, unless somebody may have
//! removed it. What was concurrent may rightly have overwritten it and proves nothing. Linear in the history.

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
                Err(id) => {
                    let operation = &history.entries[id].operation;
                    return Verdict::precondition(format!(
                        "operation {id}, `{operation}`, is none of read, write, cas, get, put, add, remove and append, or no read of a set or a log shows it"
                    ));
                }
            }
        }
        if judged == 0 {
            return Verdict::vacuous("no key has both an acknowledged write and a final read");
        }
        Verdict::of(anomalies)
    }
}

/// Whether it adds an element to a set or a log.
fn adds(entry: &Entry) -> bool {
    matches!(entry.operation.f.as_str(), "add" | "append")
}

fn changes(entry: &Entry) -> bool {
    adds(entry) || (entry.operation.f != "remove" && !matches!(effect(entry), Some((_, None))))
}

/// The last acknowledged write of a register that every final read misses. Fails with an operation that it does not know.
fn lost_value(history: &History, ids: &[EntryId], finals: &[EntryId]) -> Result<Option<EntryId>, EntryId> {
    let alive = |id: &&EntryId| history.entries[**id].is_ok() || history.entries[**id].is_unknown();
    // When the last write of each value had certainly taken effect.
    let mut established: BTreeMap<&Value, u32> = BTreeMap::new();
    let mut acknowledged: Vec<(EntryId, &Value)> = Vec::new();
    for &id in ids.iter().filter(alive) {
        let entry = &history.entries[id];
        let (_, written) = effect(entry).ok_or(id)?;
        let Some(value) = written else { continue };
        let when = established.entry(value).or_insert(0);
        *when = (*when).max(entry.returned());
        if entry.is_ok() {
            acknowledged.push((id, value));
        }
    }
    let shown: Vec<&Value> = finals.iter().filter_map(|&id| history.entries[id].reply()).collect();
    let lost = acknowledged.iter().rev().find(|(id, value)| {
        let invoked = history.entries[*id].invoked.position;
        shown.iter().all(|seen| {
            *seen != *value
                && match established.get(*seen) {
                    Some(&when) => when < invoked,
                    None => is_initial(seen),
                }
        })
    });
    Ok(lost.map(|(id, _)| *id))
}

/// The last acknowledged addition to a set or a log that every final read misses. Fails with an operation that it does not know,
/// or a read that shows no elements.
fn lost_element(history: &History, ids: &[EntryId], finals: &[EntryId]) -> Result<Option<EntryId>, EntryId> {
    let known = |id: &&EntryId| {
        let entry = &history.entries[**id];
        let removes = entry.operation.f == "remove";
        let shows_all = entry.reply().is_none_or(|reply| reply.as_list().is_some());
        adds(entry) || removes || (entry.operation.f == "read" && shows_all)
    };
    if let Some(&id) = ids.iter().find(|id| !known(id)) {
        return Err(id);
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
    let may_remove = |id: &&EntryId| {
        let entry = &history.entries[**id];
        entry.operation.f == "remove" && (entry.is_ok() || entry.is_unknown())
    };
    let removed: BTreeSet<&Value> =
        ids.iter().filter(may_remove).map(|&id| &history.entries[id].operation.args).collect();
    let missed = |id: &EntryId| {
        let added = &history.entries[*id];
        !removed.contains(&added.operation.args)
            && shown.iter().all(|(read, shown)| added.precedes(read) && !shown.contains(&added.operation.args))
    };
    Ok(ids.iter().rev().filter(acknowledged).copied().find(missed))
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
