//! The checker `unique-ids`: `generate() -> id` never replies the same id twice.

use super::{Invariant, Scene};
use crate::{
    anomaly,
    checker::CheckerEntry,
    history::{EntryId, History},
    partition::FixedMap,
    value::Value,
    verdict::Verdict,
};

pub(crate) const ENTRY: CheckerEntry = CheckerEntry {
    name: "unique-ids",
    summary: "No id is generated twice.",
    needs_model: false,
    build: |_| Some(Box::new(Invariant { name: ENTRY.name, real_time: false, judge })),
};

fn judge(history: &History) -> Verdict {
    let mut anomalies = Vec::new();
    let mut judged = 0;
    for (key, ids) in history.partition().iter() {
        let scene = Scene { history, key };
        let mut generated: FixedMap<&Value, EntryId> = FixedMap::default();
        for &id in ids {
            let entry = &history.entries[id];
            let Some(new) = entry.reply().filter(|_| entry.operation.f == "generate") else { continue };
            if new.is_nil() {
                return Verdict::precondition(format!("operation {id}, a generate, replied no id"));
            }
            judged += 1;
            let first = *generated.entry(new).or_insert(id);
            if first != id {
                let sentence = format!("{} and {} got the same id.", scene.say(first), scene.say(id));
                anomalies.push(scene.anomaly(anomaly::DUPLICATED_ID, [first, id], sentence));
            }
        }
    }
    if judged == 0 {
        return Verdict::vacuous("no id was generated");
    }
    Verdict::of(anomalies)
}
