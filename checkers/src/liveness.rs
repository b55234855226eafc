//! The checker `liveness`: once all faults have ended, operations succeed again.

use crate::{
    anomaly,
    budget::Budget,
    checker::{Checker, CheckerEntry},
    history::{Entry, EntryId, History, Order, Phase},
    value::Value,
    verdict::{Anomaly, Verdict},
};

pub(crate) const ENTRY: CheckerEntry = CheckerEntry {
    name: "liveness",
    summary: "Once all faults have ended, operations succeed again.",
    needs_model: false,
    build: |_| Some(Box::new(Liveness)),
};

/// How many of the operations that got nowhere are shown.
const SHOWN_MAX: usize = 8;

struct Liveness;

impl Checker for Liveness {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn check(&self, history: &History, _: &Budget) -> Verdict {
        if history.order == Order::Processes {
            return Verdict::precondition(Order::NO_REAL_TIME);
        }
        let Some(phase) = history.phase(Phase::Settle) else {
            return Verdict::precondition("the history has no phase in which faults have ended and operations go on");
        };
        if history.entries.is_empty() {
            return Verdict::vacuous("the history has no operations");
        }
        let within = |e: &&Entry| phase.contains(&e.invoked.position);
        let succeeded = |e: &Entry| e.is_ok() && phase.contains(&e.returned());
        if history.entries.iter().filter(within).any(succeeded) {
            return Verdict::VALID;
        }
        // Those that waited in vain, most recent first.
        let waited = |e: &Entry| {
            let ended = e.completed.map_or(u32::MAX, |m| m.position);
            e.invoked.position < phase.end && ended >= phase.start
        };
        let stuck: Vec<EntryId> = (0..history.entries.len()).rev().filter(|&id| waited(&history.entries[id])).collect();
        if stuck.is_empty() {
            return Verdict::vacuous("no operation was asked for once all faults had ended");
        }
        let invoked = history.entries.iter().filter(within).count();
        let sentence = format!(
            "After all faults had ended, {invoked} operations were invoked and {} were waiting, but none that began then succeeded.",
            stuck.len() - invoked
        );
        let operations = stuck.into_iter().take(SHOWN_MAX).collect();
        Verdict::of(vec![Anomaly::new(anomaly::NO_PROGRESS, Value::Nil, operations, sentence)])
    }
}
