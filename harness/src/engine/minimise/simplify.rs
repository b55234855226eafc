//! Making what remains simpler: shorter faults of plainer kinds on fewer nodes, and no idle time.

use super::search::Search;
use crate::plan::{FaultKind, Loss, MILLISECOND, NodeId, Operations, Plan, Shape, Target, target::zone_of};

/// Faults are not made shorter than this, in nanoseconds: nobody reads a difference below it.
const SHORT_NS: u64 = 20 * MILLISECOND;
/// Idle time below this is left alone, in nanoseconds.
const GAP_NS: u64 = 200 * MILLISECOND;
/// What is left of idle time, in nanoseconds: those who wait for nothing but the clock still do so.
const GAP_LEFT_NS: u64 = 50 * MILLISECOND;

/// Rounds of simplification: what one step makes possible another one takes, most often at once.
const ROUNDS_MAX: u32 = 8;

/// Simplifies all that can be simplified.
pub(super) fn simplify(search: &mut Search) {
    for _ in 0..ROUNDS_MAX {
        let at_first = search.plan().clone();
        simplify_once(search);
        if *search.plan() == at_first {
            return;
        }
    }
}

fn simplify_once(search: &mut Search) {
    for index in 0..search.plan().faults.len() {
        simplify_kind(search, index);
        narrow_target(search, index);
        shorten(search, index);
    }
    end_early(search);
    close_gaps(search);
}

fn simplify_kind(search: &mut Search, index: usize) {
    for simpler in simpler(&search.plan().faults[index].kind) {
        if search.try_with(|plan| plan.faults[index].kind = simpler.clone()) {
            return;
        }
    }
}

/// Plainer kinds that might do the same, the plainest first. Following them never comes back to where it began.
fn simpler(kind: &FaultKind) -> Vec<FaultKind> {
    let cut = |shape| FaultKind::Partition { shape, flap_ns: None, clients: false };
    match kind {
        FaultKind::Partition { shape, flap_ns, clients } => {
            let mut kinds = Vec::new();
            if *shape != Shape::Split {
                kinds.push(cut(Shape::Split));
            }
            if *clients {
                kinds.push(FaultKind::Partition { shape: *shape, flap_ns: *flap_ns, clients: false });
            }
            if flap_ns.is_some() {
                kinds.push(cut(*shape));
                kinds.push(FaultKind::Partition { shape: *shape, flap_ns: None, clients: *clients });
            }
            kinds
        }
        FaultKind::Drop { .. } | FaultKind::Bandwidth { .. } => vec![cut(Shape::Split)],
        FaultKind::Corrupt { permille } | FaultKind::Degrade { permille, .. } => {
            vec![cut(Shape::Split), FaultKind::Drop { permille: *permille }]
        }
        FaultKind::Reorder { max_ns, .. } => vec![FaultKind::Delay { max_ns: *max_ns }],
        FaultKind::Slow { .. } => vec![FaultKind::Pause],
        FaultKind::Inbox { service_ns, .. } => vec![FaultKind::Pause, FaultKind::Slow { service_ns: *service_ns }],
        FaultKind::Burst { factor, hot_permille: 1.. } => vec![FaultKind::Burst { factor: *factor, hot_permille: 0 }],
        FaultKind::Connections { limit } if *limit > 0 => vec![FaultKind::Connections { limit: 0 }],
        FaultKind::Crash { loss: Loss::Lost } => vec![FaultKind::Crash { loss: Loss::Kept }],
        FaultKind::Crash { loss: Loss::Torn | Loss::Reordered } | FaultKind::Wipe => {
            [Loss::Kept, Loss::Lost].map(|loss| FaultKind::Crash { loss }).into()
        }
        FaultKind::ClockJumps { ns, .. } => {
            vec![FaultKind::ClockOffset { ns: i64::try_from(*ns).unwrap_or(i64::MAX) }]
        }
        FaultKind::ClockStrobe { ns, .. } => vec![FaultKind::ClockOffset { ns: *ns }],
        FaultKind::Crash { loss: Loss::Kept }
        | FaultKind::Delay { .. }
        | FaultKind::Duplicate { .. }
        | FaultKind::Burst { .. }
        | FaultKind::Connections { .. }
        | FaultKind::Pause
        | FaultKind::ClockOffset { .. }
        | FaultKind::ClockDrift { .. }
        | FaultKind::SyncError { .. }
        | FaultKind::DiskFull
        | FaultKind::DiskSlow { .. }
        | FaultKind::BitRot { .. }
        | FaultKind::Removal => Vec::new(),
    }
}

fn narrow_target(search: &mut Search, index: usize) {
    let nodes = match &search.plan().faults[index].target {
        Target::All => (0..search.plan().cluster.nodes).map(NodeId).collect(),
        Target::Nodes(nodes) => nodes.clone(),
        Target::Zone { zone, of } => zone_of(*zone, *of, search.plan().cluster.nodes).collect(),
        Target::Leader | Target::Random(_) | Target::Minority | Target::Majority => return,
    };
    let mut kept = nodes.clone();
    for node in nodes {
        let fewer: Vec<NodeId> = kept.iter().copied().filter(|n| *n != node).collect();
        if !fewer.is_empty() && search.try_with(|plan| plan.faults[index].target = Target::Nodes(fewer.clone())) {
            kept = fewer;
        }
    }
}

fn shorten(search: &mut Search, index: usize) {
    for (numerator, denominator) in [(1, 8), (1, 2), (3, 4)] {
        let shorter = |plan: &mut Plan| {
            let lasts = &mut plan.faults[index].lasts_ns;
            *lasts = (*lasts / denominator * numerator).max(SHORT_NS).min(*lasts);
        };
        while search.plan().faults[index].lasts_ns > SHORT_NS && search.try_with(shorter) {}
    }
}

/// Ends the chaos with the last fault, and the run with it where nothing depends on what follows.
fn end_early(search: &mut Search) {
    let last = search.plan().faults.iter().map(crate::plan::Fault::ends_ns).max().unwrap_or(0);
    if search.rules().may_end_early() {
        search.try_with(|plan| {
            plan.phases.chaos_ns = last;
            plan.phases.settle_ns = 0;
            plan.phases.final_reads = false;
        });
    } else if !search.rules().needs_final_reads() {
        search.try_with(|plan| plan.phases.final_reads = false);
    }
}

/// Takes out the time in which nothing of the plan begins or ends, as far as the system needs none of it for itself.
fn close_gaps(search: &mut Search) {
    let mut index = 0;
    loop {
        let times = times(search.plan());
        let Some(pair) = times.get(index..index + 2) else { return };
        let (begins, ends) = (pair[0], pair[1]);
        index += 1;
        if ends - begins < GAP_NS {
            continue;
        }
        let most = ends - begins - GAP_LEFT_NS;
        for by in [most, most / 2, most / 4] {
            if search.try_with(|plan| advance(plan, ends, by)) {
                break;
            }
        }
    }
}

/// When something of the plan begins or ends, in order, from the beginning of the run.
fn times(plan: &Plan) -> Vec<u64> {
    let mut times = vec![0, plan.phases.chaos_ns];
    times.extend(plan.faults.iter().flat_map(|f| [f.begins_ns, f.ends_ns()]));
    if let Operations::Script(script) = &plan.workload.operations {
        times.extend(script.iter().flat_map(|o| [Some(o.invoked_ns), o.replied_ns]).flatten());
    }
    times.sort_unstable();
    times.dedup();
    times
}

/// Lets everything from `from` on happen so much earlier.
fn advance(plan: &mut Plan, from: u64, by: u64) {
    let earlier = |ns: u64| if ns >= from { ns - by } else { ns };
    for fault in &mut plan.faults {
        let ends = earlier(fault.ends_ns());
        fault.begins_ns = earlier(fault.begins_ns);
        fault.lasts_ns = ends - fault.begins_ns;
    }
    plan.phases.chaos_ns = earlier(plan.phases.chaos_ns);
    if let Operations::Script(script) = &mut plan.workload.operations {
        for operation in script {
            operation.invoked_ns = earlier(operation.invoked_ns);
            operation.replied_ns = operation.replied_ns.map(earlier);
        }
    }
}
