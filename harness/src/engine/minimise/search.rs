//! The search for a smaller plan: the smallest so far, and what is known not to fail.

use std::collections::{BTreeMap, BTreeSet};

use super::{Effort, Progress, Rules, Seen, size};
use crate::{
    engine::stopwatch::Stopwatch,
    plan::{Plan, Target, mix},
};

/// The state of a minimisation.
pub(super) struct Search<'a> {
    plan: Plan,
    seen: Seen,
    rules: Rules,
    /// The first plan's targets by fault: roles, where what is left names nodes.
    roles: BTreeMap<u32, Target>,
    trial: &'a mut dyn FnMut(&Plan) -> Option<Seen>,
    /// Fingerprints of the plans that do not fail.
    passing: BTreeSet<u64>,
    runs: u64,
    effort: Effort,
    watch: Stopwatch,
    progress: &'a mut dyn FnMut(Progress),
}

impl<'a> Search<'a> {
    pub(super) fn new(
        plan: Plan,
        seen: Seen,
        rules: Rules,
        trial: &'a mut dyn FnMut(&Plan) -> Option<Seen>,
        effort: Effort,
        progress: &'a mut dyn FnMut(Progress),
    ) -> Self {
        let roles = plan.faults.iter().map(|f| (f.id, f.target.clone())).collect();
        let watch = Stopwatch::start();
        Search { plan, seen, rules, roles, trial, passing: BTreeSet::new(), runs: 0, effort, watch, progress }
    }

    /// The smallest plan so far.
    pub(super) fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What its run showed.
    pub(super) fn seen(&self) -> &Seen {
        &self.seen
    }

    pub(super) fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Whether no more runs may be made.
    pub(super) fn spent(&self) -> bool {
        self.runs >= self.effort.runs || self.effort.span.is_some_and(|span| self.watch.elapsed() >= span)
    }

    /// Goes on from this plan if it fails in the same way. False too when it is no other plan, breaks a rule, or the effort is
    /// spent.
    pub(super) fn take(&mut self, candidate: Plan) -> bool {
        if candidate == self.plan || self.spent() || !self.rules.allow(&candidate) {
            return false;
        }
        let fingerprint = fingerprint(&candidate);
        if self.passing.contains(&fingerprint) {
            return false;
        }
        self.runs += 1;
        let seen = (self.trial)(&candidate);
        let taken = seen.is_some();
        if let Some(seen) = seen {
            self.plan = candidate;
            self.seen = seen;
        } else {
            self.passing.insert(fingerprint);
        }
        (self.progress)(Progress { runs: self.runs, size: size(&self.plan) });
        taken
    }

    /// Goes on from a changed copy of the plan if it fails in the same way.
    pub(super) fn try_with(&mut self, change: impl FnOnce(&mut Plan)) -> bool {
        let mut candidate = self.plan.clone();
        change(&mut candidate);
        self.take(candidate)
    }

    /// Like [`Search::try_with`], then under so many other seeds: a cut may cost the luck of the draw (who is elected, what
    /// overtakes what) and nothing that matters. Under every second of them faults strike roles again, for another node may
    /// have the role there.
    pub(super) fn try_with_luck(&mut self, seeds: u64, change: impl Fn(&mut Plan)) -> bool {
        let (seed, roles) = (self.plan.seed, self.roles.clone());
        (0..=seeds).any(|i| {
            self.try_with(|plan| {
                change(plan);
                plan.seed = if i == 0 { seed } else { mix(seed, i) };
                if i % 2 == 1 {
                    for fault in &mut plan.faults {
                        fault.target = roles.get(&fault.id).unwrap_or(&fault.target).clone();
                    }
                }
            })
        })
    }

    /// The smallest plan, and the runs it took.
    pub(super) fn finish(self) -> (Plan, u64) {
        (self.plan, self.runs)
    }
}

/// 64 bits that tell plans apart.
fn fingerprint(plan: &Plan) -> u64 {
    let text = serde_json::to_vec(plan).expect("plans have text keys and no failing parts");
    text.chunks(8).fold(text.len() as u64, |hash, chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        mix(hash, u64::from_le_bytes(word))
    })
}
