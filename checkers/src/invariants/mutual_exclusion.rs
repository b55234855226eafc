//! The checkers `mutual-exclusion` and `fencing-tokens`: a lock has one holder at a time, and each holder's token is greater.
//!
//! `acquire() -> token | nil`, `release()`. A process certainly holds the lock from the return of its acquire to the call of its
//! next release, for ever if there is none; two processes never do at once. A lock that expires (a lease) cannot promise that,
//! but it can hand out fencing tokens: integers, each greater than all those handed out before. These are judged wherever
//! there are some. A reply of true is a lock without a token; nothing else is understood, as an acquire that is refused fails.

use std::collections::BTreeMap;

use super::{Invariant, Scene, unintelligible};
use crate::{
    anomaly,
    checker::CheckerEntry,
    history::{EntryId, History, ProcessId},
    value::Value,
    verdict::{Anomaly, Verdict},
};

pub(crate) const ENTRY: CheckerEntry = CheckerEntry {
    name: "mutual-exclusion",
    summary: "A lock has one holder at a time, and each fencing token is greater than those before.",
    needs_model: false,
    build: |_| Some(Box::new(Invariant { name: ENTRY.name, real_time: true, judge: |h| judge(h, true) })),
};

pub(crate) const FENCING_TOKENS: CheckerEntry = CheckerEntry {
    name: "fencing-tokens",
    summary: "Each fencing token of a lock is greater than those before; locks may expire.",
    needs_model: false,
    build: |_| Some(Box::new(Invariant { name: FENCING_TOKENS.name, real_time: true, judge: |h| judge(h, false) })),
};

fn judge(history: &History, one_holder: bool) -> Verdict {
    let mut anomalies = Vec::new();
    let mut judged = 0;
    for (key, ids) in history.partition().iter() {
        let scene = Scene { history, key };
        let acquired: Vec<EntryId> = ids
            .iter()
            .copied()
            .filter(|&id| history.entries[id].is_ok() && history.entries[id].operation.f == "acquire")
            .collect();
        let is_known =
            |id: EntryId| matches!(history.entries[id].reply(), Some(Value::Int(_) | Value::Nil | Value::Bool(true)));
        if let Some(&id) = acquired.iter().find(|&&id| !is_known(id)) {
            return unintelligible(history, id, "no token");
        }
        let tokens: Vec<Grant> = acquired.iter().filter_map(|&id| Grant::of(history, id)).collect();
        judged += if one_holder { acquired.len() } else { tokens.len() };
        if one_holder {
            anomalies.extend(two_holders(scene, ids));
        }
        anomalies.extend(stale_token(scene, &tokens));
    }
    if judged == 0 {
        let what = if one_holder { "no lock was acquired" } else { "no acquire replied a token" };
        return Verdict::vacuous(what);
    }
    Verdict::of(anomalies)
}

/// The time in which a process certainly holds the lock.
#[derive(Clone, Copy)]
struct Hold {
    process: ProcessId,
    acquire: EntryId,
    since: u32,
    release: Option<EntryId>,
    until: u32,
}

/// The first two processes that hold the lock at once. O(n log n).
fn two_holders(scene: Scene<'_>, ids: &[EntryId]) -> Option<Anomaly> {
    let mut holds: Vec<Hold> = Vec::new();
    let mut held: BTreeMap<ProcessId, usize> = BTreeMap::new();
    for &id in ids {
        let entry = &scene.history.entries[id];
        match entry.operation.f.as_str() {
            "acquire" if entry.is_ok() && !held.contains_key(&entry.process) => {
                held.insert(entry.process, holds.len());
                let since = entry.returned();
                holds.push(Hold { process: entry.process, acquire: id, since, release: None, until: u32::MAX });
            }
            // Even one that failed or of unknown outcome: from then on nothing is certain.
            "release" => {
                if let Some(hold) = held.remove(&entry.process) {
                    holds[hold].release = Some(id);
                    holds[hold].until = entry.invoked.position;
                }
            }
            _ => {}
        }
    }
    holds.sort_unstable_by_key(|hold| hold.since);
    let mut longest: Option<Hold> = None;
    for hold in holds {
        if let Some(first) = longest.filter(|first| hold.since < first.until && hold.process != first.process) {
            let until = match first.release {
                Some(release) => format!("until {}", scene.say(release)),
                None => "to the end".to_owned(),
            };
            let sentence = format!(
                "{} succeeded, although process {} held the lock from {} {until}.",
                scene.say(hold.acquire),
                first.process.0,
                scene.say(first.acquire)
            );
            let operations = [Some(first.acquire), first.release, Some(hold.acquire)].into_iter().flatten();
            return Some(scene.anomaly(anomaly::DOUBLE_ACQUIRE, operations, sentence));
        }
        if longest.is_none_or(|first| first.until < hold.until) {
            longest = Some(hold);
        }
    }
    None
}

/// A token that was handed out.
#[derive(Clone, Copy)]
struct Grant {
    id: EntryId,
    token: i64,
    call: u32,
    ret: u32,
}

impl Grant {
    fn of(history: &History, id: EntryId) -> Option<Self> {
        let entry = &history.entries[id];
        let token = entry.reply()?.as_int()?;
        Some(Grant { id, token, call: entry.invoked.position, ret: entry.returned() })
    }
}

/// The first token that is not greater than one of an acquire that had returned before, or that is there twice. O(n log n).
fn stale_token(scene: Scene<'_>, grants: &[Grant]) -> Option<Anomaly> {
    let mut first: BTreeMap<i64, Grant> = BTreeMap::new();
    let mut returned: Vec<Grant> = grants.to_vec();
    returned.sort_unstable_by_key(|grant| grant.ret);
    let mut returned = returned.into_iter().peekable();
    let mut greatest: Option<Grant> = None;
    for &grant in grants {
        while let Some(earlier) = returned.next_if(|earlier| earlier.ret < grant.call) {
            if greatest.is_none_or(|g| g.token < earlier.token) {
                greatest = Some(earlier);
            }
        }
        let (other, why) = match (greatest.filter(|g| g.token >= grant.token), first.get(&grant.token)) {
            (Some(earlier), _) => (earlier, ", whose token is not smaller, had returned before it was invoked"),
            (None, Some(&twin)) => (twin, " has the same token"),
            (None, None) => {
                first.insert(grant.token, grant);
                continue;
            }
        };
        let [said, other_said] = [grant, other].map(|grant| scene.say(grant.id));
        let sentence = format!("{said} got a token that fences nothing off: {other_said}{why}.");
        return Some(scene.anomaly(anomaly::STALE_TOKEN, [other.id, grant.id], sentence));
    }
    None
}
