//! Freezing: roles become nodes, generated operations become a script, and what has nothing to do with the anomaly goes first.

use std::collections::BTreeSet;

use super::search::Search;
use crate::plan::{Operations, Plan, Scripted, Target};

/// Other seeds that a first guess is tried under.
pub(super) const GUESS_SEEDS: u64 = 12;

/// Puts what happened in place of what was left open, as far as the plan still fails then.
pub(super) fn freeze(search: &mut Search) {
    let generated = matches!(search.plan().workload.operations, Operations::Generated { .. });
    if generated && !search.seen().operations.is_empty() {
        let mut scripted = search.plan().clone();
        script_what_was_asked(search, &mut scripted);
        search.take(scripted);
    }
    name_targets(search);
}

fn script_what_was_asked(search: &Search, plan: &mut Plan) {
    let seen = search.seen();
    let script = if search.rules().may_end_early() {
        plan.phases.final_reads = false;
        seen.all_operations()
    } else {
        seen.operations.clone()
    };
    plan.workload.operations = Operations::Script(script);
}

/// Roles become the nodes they turned out to be. Faults that struck nobody go.
pub(super) fn name_targets(search: &mut Search) {
    let mut plan = search.plan().clone();
    let struck = &search.seen().struck;
    plan.faults.retain(|f| struck.contains_key(&f.id));
    for fault in &mut plan.faults {
        if !matches!(fault.target, Target::All | Target::Nodes(_)) {
            fault.target = Target::Nodes(struck[&fault.id].clone());
        }
    }
    search.take(plan);
}

/// Takes the times of the last run over into the script, so that it says what really happened.
pub(super) fn record_again(search: &mut Search) {
    let Operations::Script(script) = &search.plan().workload.operations else { return };
    let again = search.seen().operations.clone();
    if again.len() == script.len() {
        search.try_with(|plan| plan.workload.operations = Operations::Script(again));
    }
}

/// Leaps to small plans by guesses from the anomaly: its operations alone, its processes, its keys, all up to its end.
/// Each is tried under so many other seeds.
pub(super) fn keep_what_matters(search: &mut Search, seeds: u64) {
    let Operations::Script(script) = search.plan().workload.operations.clone() else { return };
    let culprits: Vec<&Scripted> = search.seen().culprits.iter().filter_map(|i| script.get(*i)).collect();
    if culprits.is_empty() {
        return;
    }
    let keys: BTreeSet<_> = culprits.iter().map(|o| o.operation.key.clone()).collect();
    let processes: BTreeSet<u32> = culprits.iter().map(|o| o.process).collect();
    let end = culprits.iter().map(|o| o.replied_ns.unwrap_or(o.invoked_ns)).max().unwrap_or(u64::MAX);
    let early = search.rules().may_end_early();
    let of_key = |o: &Scripted| keys.contains(&o.operation.key);
    let in_time = |o: &Scripted| !early || o.invoked_ns <= end;
    // The narrowest guess that still fails wins.
    let guesses: [&dyn Fn(&Scripted) -> bool; 4] = [
        &|o| culprits.contains(&o),
        &|o| processes.contains(&o.process) && of_key(o) && in_time(o),
        &|o| of_key(o) && in_time(o),
        &in_time,
    ];
    for guess in guesses {
        let kept: Vec<Scripted> = script.iter().filter(|o| guess(o)).cloned().collect();
        if kept.len() == script.len() {
            return;
        }
        if search.try_with_luck(seeds, |plan| plan.workload.operations = Operations::Script(kept.clone())) {
            return;
        }
    }
}
