//! Balances, counters, ids and locks.

use std::collections::BTreeMap;

use super::{Broken, Object};
use crate::{history::EntryId, value::Value};

/// The sum of all balances is the same in every read: the one that most reads show, the earlier one of two.
pub(super) fn bank(object: &Object<'_>, broken: &mut Broken, overdraft: bool) {
    let mut totals: BTreeMap<i128, Vec<EntryId>> = BTreeMap::new();
    for (id, _, reply) in object.ok("read") {
        let Value::Map(accounts) = reply else {
            broken.open = Some("a read replied no map of balances");
            continue;
        };
        broken.judged += 1;
        let balances: Vec<Option<i64>> = accounts.values().map(Value::as_int).collect();
        if balances.contains(&None) {
            broken.add("wrong-total", id);
        } else {
            totals.entry(balances.iter().flatten().map(|n| i128::from(*n)).sum()).or_default().push(id);
        }
        if !overdraft && balances.iter().flatten().any(|n| *n < 0) {
            broken.add("negative-balance", id);
        }
    }
    let most = totals.values().map(Vec::len).max().unwrap_or_default();
    let expected = totals.values().filter(|ids| ids.len() == most).map(|ids| ids[0]).min();
    for id in totals.values().filter(|ids| Some(ids[0]) != expected).flatten() {
        broken.add("wrong-total", *id);
    }
}

/// A read shows what had certainly been added, and at most what may have been.
pub(super) fn counter(object: &Object<'_>, broken: &mut Broken) {
    // (moment, change of the least, change of the most), as seen by a read that is called then, or returns then.
    let mut at_call: Vec<(u32, i128)> = Vec::new();
    let mut at_return: Vec<(u32, i128)> = Vec::new();
    let mut least_at_return: Vec<(u32, i128)> = Vec::new();
    let mut most_at_call: Vec<(u32, i128)> = Vec::new();
    for (_, entry) in object.alive().filter(|(_, e)| e.operation.f == "add") {
        let Some(n) = entry.operation.args.as_int().map(i128::from) else {
            broken.open = Some("an addition adds no integer");
            continue;
        };
        let (begun, done) = (entry.invoked.position, entry.returned());
        if n > 0 {
            at_call.push((done, n));
            at_return.push((begun, n));
        } else {
            least_at_return.push((begun, n));
            most_at_call.push((done, n));
        }
    }
    let sums = [at_call, at_return, least_at_return, most_at_call].map(|mut changes| {
        changes.sort_unstable();
        let mut sum = 0;
        changes
            .into_iter()
            .map(move |(at, n)| {
                sum += n;
                (at, sum)
            })
            .collect::<Vec<_>>()
    });
    let by = |which: usize, moment: u32| {
        let before = sums[which].partition_point(|(at, _)| *at < moment);
        if before == 0 { 0 } else { sums[which][before - 1].1 }
    };
    for (id, entry, reply) in object.ok("read") {
        let Some(seen) = reply.as_int().map(i128::from) else {
            broken.open = Some("a read replied no integer");
            continue;
        };
        broken.judged += 1;
        let (call, ret) = (entry.invoked.position, entry.returned());
        if seen < by(0, call) + by(2, ret) || seen > by(1, ret) + by(3, call) {
            broken.add("counter-out-of-bounds", id);
        }
    }
}

/// No id is there twice.
pub(super) fn ids(object: &Object<'_>, broken: &mut Broken) {
    let mut generated: BTreeMap<&Value, Vec<EntryId>> = BTreeMap::new();
    for (id, _, reply) in object.ok("generate") {
        broken.judged += 1;
        if reply.is_nil() {
            broken.open = Some("a generate replied no id");
            continue;
        }
        generated.entry(reply).or_default().push(id);
    }
    for id in generated.values().filter(|ids| ids.len() > 1).flatten() {
        broken.add("duplicated-id", *id);
    }
}

/// One holder at a time, if that is asked for, and tokens that grow.
pub(super) fn lock(object: &Object<'_>, broken: &mut Broken, one_holder: bool) {
    if one_holder {
        // Between the return of an acquire and the call of the next release of its process; all moments differ.
        let mut holds: Vec<(u32, u32, EntryId)> = Vec::new();
        let mut held: BTreeMap<u32, usize> = BTreeMap::new();
        for &id in &object.ids {
            let entry = &object.history.entries[id];
            if entry.operation.f == "release" {
                if let Some(hold) = held.remove(&entry.process.0) {
                    holds[hold].1 = entry.invoked.position;
                }
            } else if entry.operation.f == "acquire" && entry.is_ok() {
                broken.judged += 1;
                held.entry(entry.process.0).or_insert_with(|| {
                    holds.push((entry.returned(), u32::MAX, id));
                    holds.len() - 1
                });
            }
        }
        holds.sort_unstable();
        let mut until = 0;
        for (since, end, id) in holds {
            if since < until {
                broken.add("double-acquire", id);
            }
            until = until.max(end);
        }
    }
    let mut tokens: Vec<(i64, u32, u32, EntryId)> = Vec::new();
    for (id, entry, reply) in object.ok("acquire") {
        match reply {
            Value::Int(token) => {
                broken.judged += usize::from(!one_holder);
                tokens.push((*token, entry.invoked.position, entry.returned(), id));
            }
            Value::Nil | Value::Bool(true) => {}
            _ => broken.open = Some("an acquire replied no token"),
        }
    }
    // With the greatest tokens first: one that was asked for after another with no smaller token had returned.
    tokens.sort_unstable_by_key(|(token, call, ..)| (std::cmp::Reverse(*token), *call));
    let mut first_return = u32::MAX;
    let mut i = 0;
    while i < tokens.len() {
        let same = tokens[i..].iter().take_while(|t| t.0 == tokens[i].0).count();
        for &(_, _, ret, id) in &tokens[i..i + same] {
            first_return = first_return.min(ret);
            if same > 1 {
                broken.add("stale-token", id);
            }
        }
        for &(_, call, _, id) in &tokens[i..i + same] {
            if first_return < call {
                broken.add("stale-token", id);
            }
        }
        i += same;
    }
}
