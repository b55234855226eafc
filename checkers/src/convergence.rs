//! The checker `convergence`: after healing and silence all replicas show the same.
//!
//! A mark [`FinalReads`](crate::history::MarkKind::FinalReads) says which replica a process reads from then on. The last read of each key at each
//! replica counts. That the silence was long enough for what was under way to arrive is for the workload to see to.

use std::collections::BTreeMap;

use crate::{
    anomaly::{self, describe},
    budget::Budget,
    checker::{Checker, CheckerEntry},
    history::{EntryId, History, MarkKind, ProcessId},
    value::Value,
    verdict::{Anomaly, Verdict},
};

pub(crate) const ENTRY: CheckerEntry = CheckerEntry {
    name: "convergence",
    summary: "After healing and silence all replicas show the same.",
    needs_model: false,
    build: |_| Some(Box::new(Convergence)),
};

struct Convergence;

impl Checker for Convergence {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn check(&self, history: &History, _: &Budget) -> Verdict {
        // By process: from which position on it reads which replica.
        let mut readers: BTreeMap<ProcessId, Vec<(u32, u32)>> = BTreeMap::new();
        for mark in &history.marks {
            if let MarkKind::FinalReads(process, replica) = mark.kind {
                readers.entry(process).or_default().push((mark.at.position, replica));
            }
        }
        let mut replicas: Vec<u32> = readers.values().flatten().map(|(_, replica)| *replica).collect();
        replicas.sort_unstable();
        replicas.dedup();
        if replicas.len() < 2 {
            return Verdict::precondition(format!("final reads are marked at {} replicas, not two", replicas.len()));
        }
        let mut anomalies = Vec::new();
        let mut compared = 0;
        for (key, ids) in history.partition().iter() {
            let mut last: BTreeMap<u32, EntryId> = BTreeMap::new();
            for &id in ids {
                let entry = &history.entries[id];
                let reads = entry.is_ok() && matches!(entry.operation.f.as_str(), "read" | "get");
                let begun = readers.get(&entry.process).filter(|_| reads);
                let replica = begun.and_then(|marks| marks.iter().rfind(|(at, _)| *at < entry.invoked.position));
                if let Some(&(_, replica)) = replica {
                    last.insert(replica, id);
                }
            }
            compared += usize::from(last.len() > 1);
            anomalies.extend(diverged(history, key, &last));
        }
        if compared == 0 {
            return Verdict::vacuous("no key was read at two replicas");
        }
        Verdict::of(anomalies)
    }
}

fn diverged(history: &History, key: &Value, last: &BTreeMap<u32, EntryId>) -> Option<Anomaly> {
    let (first_replica, &first) = last.first_key_value()?;
    let shown = |id: EntryId| history.entries[id].reply();
    let (other_replica, &other) = last.iter().find(|(_, id)| shown(**id) != shown(first))?;
    let [first_said, other_said] = [first, other].map(|id| describe(&history.entries[id]));
    let sentence = format!(
        "After all had settled replica {first_replica} shows {first_said}, replica {other_replica} shows {other_said}."
    );
    Some(Anomaly::new(anomaly::DIVERGENCE, key.clone(), last.values().copied().collect(), sentence))
}
