//! Consistency of registers without real time: what each process, or all together, may have seen in which order.
//!
//! | checker | asks for |
//! | --- | --- |
//! | `causal-memory` | for each process one order of all that happened before, in which its own reads make sense |
//! | `causal-weak` | for each single read such an order |
//! | `sequential` | one order of all operations that keeps the order of each process |
//! | `pram` | as `causal-memory`, where only the order of each process counts and not who read from whom |
//!
//! `causal-memory` and `causal-weak` are CM and CC of Bouajjani et al. (2017), whose `CCv` is the checker `causal`. Neither
//! of CM and `CCv` implies the other; both imply CC. `pram` is Lipton & Sandberg's (1988), decided after Wei et
//! al. (2016). A cas reads and writes at once; to other processes it is a write. These need values that were read to be
//! written once; `sequential` (Lamport 1979) judges objects of any model. Real time is not looked at: a read may return
//! before the write that it shows. Of a cas that was refused only `sequential` takes notice.

mod core;
mod interleave;
mod path;
pub(crate) mod sequential;
mod views;
mod words;

use crate::{
    budget::Budget,
    checker::{Checker, CheckerEntry},
    first_values,
    history::{EntryId, History},
    observations::Observations,
    verdict::{Anomaly, Verdict},
};

pub(crate) const CAUSAL_MEMORY: CheckerEntry = CheckerEntry {
    name: "causal-memory",
    summary: "Each process sees all that happened before in one order, which may differ from that of others (CM).",
    needs_model: false,
    build: |model| Some(first_values::known(model, Views { name: CAUSAL_MEMORY.name, level: views::Level::Memory })),
};
pub(crate) const CAUSAL_WEAK: CheckerEntry = CheckerEntry {
    name: "causal-weak",
    summary: "No read misses what happened before it (CC).",
    needs_model: false,
    build: |model| Some(first_values::known(model, Views { name: CAUSAL_WEAK.name, level: views::Level::Weak })),
};
pub(crate) const PRAM: CheckerEntry = CheckerEntry {
    name: "pram",
    summary: "Each process sees the writes of each other process in the order they were issued.",
    needs_model: false,
    build: |model| Some(first_values::known(model, Views { name: PRAM.name, level: views::Level::Pram })),
};

struct Views {
    name: &'static str,
    level: views::Level,
}

impl Checker for Views {
    fn name(&self) -> &'static str {
        self.name
    }

    fn check(&self, history: &History, budget: &Budget) -> Verdict {
        match self.refute(history, budget) {
            Err(verdict) => verdict,
            Ok(None) => Verdict::VALID,
            Ok(Some(anomaly)) => Verdict::of(vec![self.shortest(history, budget, anomaly)]),
        }
    }
}

/// Evidence of more operations than this is left as it is.
const SHRUNK_MAX: usize = 256;

impl Views {
    /// The same with as few operations as deletions lead to.
    fn shortest(&self, history: &History, budget: &Budget, anomaly: Anomaly) -> Anomaly {
        let refute = |ids: &[EntryId]| self.refute(&core::part(history, ids), budget).ok().flatten();
        if anomaly.operations.len() > SHRUNK_MAX || refute(&anomaly.operations).is_none() {
            return anomaly;
        }
        let groups = |ids: &[EntryId]| core::with_readers(history, ids);
        let ids = core::shrink(anomaly.operations.clone(), groups, |ids| refute(ids).is_some());
        let Some(found) = refute(&ids) else { return anomaly };
        Anomaly { operations: found.operations.iter().map(|&id| ids[id]).collect(), ..found }
    }

    fn refute(&self, history: &History, budget: &Budget) -> Result<Option<Anomaly>, Verdict> {
        let seen = Observations::new(history)?;
        let found = views::refute(&seen, self.level, budget)?;
        Ok(found.map(|found| words::anomaly(history, &seen, &found)))
    }
}
