//! The checker `eventual-accuracy`: when all has settled, no live member is held dead.
//!
//! `read(member) -> true | false`: whether the replica that is asked holds the member alive. Judged by the phase of final reads,
//! when all members are alive. That they were held dead before is no anomaly: a failure detector of an asynchronous system errs,
//! and is as good as one can ask for if it stops to (◇P: Chandra & Toueg, "Unreliable Failure Detectors for Reliable
//! Distributed Systems", JACM 1996).

use super::{Invariant, Scene, and_more};
use crate::{
    anomaly,
    checker::CheckerEntry,
    history::{EntryId, History, Phase},
    value::Value,
    verdict::Verdict,
};

pub(crate) const ENTRY: CheckerEntry = CheckerEntry {
    name: "eventual-accuracy",
    summary: "When all has settled, no live member is held dead.",
    needs_model: false,
    build: |_| Some(Box::new(Invariant { name: ENTRY.name, real_time: true, judge })),
};

fn judge(history: &History) -> Verdict {
    let Some(phase) = history.phase(Phase::FinalReads) else {
        return Verdict::precondition("the history has no phase of final reads");
    };
    let mut anomalies = Vec::new();
    let mut judged = 0;
    for (key, ids) in history.partition().iter() {
        let scene = Scene { history, key };
        let is_final = |id: &&EntryId| {
            let entry = &history.entries[**id];
            entry.operation.f == "read" && entry.is_ok() && phase.contains(&entry.invoked.position)
        };
        let finals: Vec<EntryId> = ids.iter().filter(is_final).copied().collect();
        judged += finals.len();
        let said = |id: EntryId| history.entries[id].reply();
        if let Some(&id) = finals.iter().find(|&&id| !matches!(said(id), Some(Value::Bool(_)))) {
            return Verdict::precondition(format!("operation {id}, a read, replied neither true nor false"));
        }
        let dead: Vec<EntryId> = finals.into_iter().filter(|&id| said(id) == Some(&Value::Bool(false))).collect();
        let Some(&first) = dead.first() else { continue };
        let sentence = format!(
            "All members are alive and have been for a while, yet {} holds member {key} dead.{}",
            scene.say(first),
            and_more(dead.len())
        );
        anomalies.push(scene.anomaly(anomaly::LIVE_MEMBER_HELD_DEAD, dead, sentence));
    }
    if judged == 0 {
        return Verdict::vacuous("no member was asked for in the end");
    }
    Verdict::of(anomalies)
}
