//! Taking parts away: faults, operations, clients and nodes, large pieces before small ones.

use super::{freeze, search::Search};
use crate::plan::{Operations, Plan, Scripted, Target};

/// The plan without a client and all that it asks; those after it move up.
pub(super) fn without_client(plan: &Plan, gone: u32) -> Plan {
    let mut plan = plan.clone();
    plan.cluster.clients -= 1;
    change_script(&mut plan, |script| {
        script.retain(|o| o.client != gone);
        for o in script {
            o.client -= u32::from(o.client > gone);
        }
    });
    plan
}

/// The plan without a replica; those after it move up. Who preferred it prefers another one; faults that struck nobody else go.
pub(super) fn without_node(plan: &Plan, gone: u32) -> Plan {
    let mut plan = plan.clone();
    plan.cluster.nodes -= 1;
    let left = plan.cluster.nodes;
    for fault in &mut plan.faults {
        if let Target::Nodes(nodes) = &mut fault.target {
            nodes.retain(|n| n.0 != gone);
            for node in nodes {
                node.0 -= u32::from(node.0 > gone);
            }
        }
    }
    plan.faults.retain(|f| f.target != Target::Nodes(Vec::new()));
    change_script(&mut plan, |script| {
        for home in script.iter_mut().filter_map(|o| o.home.as_mut()) {
            *home = if *home == gone { *home % left } else { *home - u32::from(*home > gone) };
        }
    });
    plan
}

fn script_length(plan: &Plan) -> usize {
    match &plan.workload.operations {
        Operations::Generated { .. } => 0,
        Operations::Script(script) => script.len(),
    }
}

fn change_script(plan: &mut Plan, change: impl FnOnce(&mut Vec<Scripted>)) {
    if let Operations::Script(script) = &mut plan.workload.operations {
        change(script);
    }
}

/// Takes away as many of a plan's items as it fails without: halves of the list, quarters and so on down to single ones, the
/// last ones first, for what comes late rarely matters.
fn shrink(search: &mut Search, count: impl Fn(&Plan) -> usize, remove: impl Fn(&mut Plan, std::ops::Range<usize>)) {
    let mut size = count(search.plan()).div_ceil(2);
    while size > 0 {
        let mut end = count(search.plan());
        while end > 0 {
            let begin = end.saturating_sub(size);
            search.try_with(|plan| remove(plan, begin..end));
            end = begin;
        }
        size = if size == 1 { 0 } else { size.div_ceil(2) };
    }
}

/// Takes away faults.
fn shrink_faults(search: &mut Search) {
    shrink(search, |p| p.faults.len(), |p, range| drop(p.faults.drain(range)));
}

/// Takes away operations: processes as a whole, then any. Without a script, the limit is lowered.
fn shrink_operations(search: &mut Search) {
    match search.plan().workload.operations.clone() {
        Operations::Generated { .. } => lower_limit(search),
        Operations::Script(script) => {
            let mut processes: Vec<u32> = script.iter().map(|o| o.process).collect();
            processes.sort_unstable();
            processes.dedup();
            for process in processes.into_iter().rev() {
                search.try_with(|plan| change_script(plan, |script| script.retain(|o| o.process != process)));
            }
            shrink(search, script_length, |plan, range| change_script(plan, |script| drop(script.drain(range))));
        }
    }
}

fn lower_limit(search: &mut Search) {
    let lowered = |plan: &mut Plan| {
        if let Operations::Generated { limit, .. } = &mut plan.workload.operations {
            *limit /= 2;
        }
    };
    while search.try_with(lowered) {}
}

/// Other seeds that a cut of a plan that will not shrink is tried under.
const ESCAPE_SEEDS: u64 = 5;
/// Other seeds that a guess is tried under then: with few faults left, runs differ less.
const ESCAPE_GUESS_SEEDS: u64 = 30;
/// Scripts of so many operations are small enough.
const SMALL: usize = 4;
/// Longer scripts than this are worth a guess again.
const LONG: usize = 8;

/// Makes a plan that is 1-minimal but large smaller, at the price of another seed. Whether anything was taken away.
pub(super) fn escape(search: &mut Search) -> bool {
    let first = search.plan().clone();
    if script_length(&first) > LONG {
        freeze::keep_what_matters(search, ESCAPE_GUESS_SEEDS);
        if *search.plan() != first {
            return true;
        }
    }
    let luckily = |search: &mut Search, plan: Plan| search.try_with_luck(ESCAPE_SEEDS, |p| p.clone_from(&plan));
    let mut index = first.faults.len();
    while index > 0 && search.plan().faults.len() > 1 {
        index -= 1;
        let mut fewer = search.plan().clone();
        fewer.faults.remove(index);
        luckily(search, fewer);
    }
    let mut size = script_length(&first).div_ceil(2);
    // Single operations of a long script are not worth a run each, and another one per seed.
    let least = (script_length(&first) / 8).max(1);
    while size >= least && script_length(search.plan()) > SMALL {
        let mut end = script_length(search.plan());
        while end > 0 {
            let begin = end.saturating_sub(size);
            let mut fewer = search.plan().clone();
            change_script(&mut fewer, |script| drop(script.drain(begin..end)));
            luckily(search, fewer);
            end = begin;
        }
        size /= 2;
    }
    *search.plan() != first
}

/// Takes away whatever part can go.
pub(super) fn take_away(search: &mut Search) {
    shrink_faults(search);
    shrink_operations(search);
    shrink_machines(search);
}

/// Takes away clients and nodes.
fn shrink_machines(search: &mut Search) {
    gather_clients(search);
    take_each(search, |plan| plan.cluster.clients, without_client);
    take_each(search, |plan| plan.cluster.nodes, without_node);
}

/// Takes away one after the other, the last ones first; one stays, for there is nothing to run without.
fn take_each(search: &mut Search, count: impl Fn(&Plan) -> u32, without: impl Fn(&Plan, u32) -> Plan) {
    let mut index = count(search.plan());
    while index > 0 {
        index -= 1;
        if count(search.plan()) > 1 {
            search.take(without(search.plan(), index));
        }
    }
}

/// Lets fewer machines do what was asked: unused ones go, then one does it all, or one takes over another's part.
fn gather_clients(search: &mut Search) {
    let Operations::Script(script) = &search.plan().workload.operations else { return };
    let mut used: Vec<u32> = script.iter().map(|o| o.client).collect();
    used.sort_unstable();
    used.dedup();
    // A machine that nobody comes after can go without a trace.
    let last = used.last().copied().unwrap_or(0);
    search.try_with(|plan| plan.cluster.clients = last + 1);
    let place = |client: u32| used.iter().position(|c| *c == client).map_or(0, |i| i as u32);
    search.try_with(|plan| {
        plan.cluster.clients = used.len().max(1) as u32;
        change_script(plan, |script| {
            for o in script {
                o.client = place(o.client);
            }
        });
    });
    search.try_with(|plan| {
        plan.cluster.clients = 1;
        change_script(plan, |script| {
            for o in script {
                o.client = 0;
            }
        });
    });
    let mut from = search.plan().cluster.clients;
    while from > 1 {
        from -= 1;
        for to in 0..from {
            let merged = search.try_with(|plan| {
                plan.cluster.clients -= 1;
                change_script(plan, |script| {
                    for o in script {
                        o.client = if o.client == from { to } else { o.client - u32::from(o.client > from) };
                    }
                });
            });
            if merged {
                break;
            }
        }
    }
}
