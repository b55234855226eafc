//! Which plans make sense: what a plan's numbers must satisfy before it is run.

use std::collections::{BTreeMap, BTreeSet};

use super::{Bursts, Cluster, Fault, FaultKind, Latencies, Latency, Load, Operations, Plan, Scripted, Target};

/// A plan that cannot be run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct InvalidPlan {
    /// The place in the plan: `faults[2] (id 5)`, `cluster.latency`.
    pub place: String,
    /// What is wrong there, and what is allowed.
    pub problem: String,
}

type Checked = Result<(), InvalidPlan>;

fn check(holds: bool, place: &str, problem: impl FnOnce() -> String) -> Checked {
    if holds { Ok(()) } else { Err(InvalidPlan { place: place.to_owned(), problem: problem() }) }
}

impl Plan {
    /// Whether the plan makes sense.
    ///
    /// # Errors
    /// The first thing that does not: its place, and what is allowed there.
    pub fn validate(&self) -> Checked {
        check_cluster(&self.cluster)?;
        check(self.workload.timeout_ns > 0, "workload.timeout_ns", || {
            "is 0: no operation could succeed; at least 1 is needed".to_owned()
        })?;
        let end = self.phases.chaos_ns.checked_add(self.phases.settle_ns);
        check(end.is_some(), "phases", || "chaos_ns and settle_ns together exceed 64 bits".to_owned())?;
        match &self.workload.operations {
            Operations::Generated { interval_ns, load, .. } => {
                check(*interval_ns > 0, "workload.operations.generated.interval_ns", || {
                    "is 0: time would stand still; at least 1 is needed".to_owned()
                })?;
                if let Load::Bursts(bursts) = load {
                    check_bursts(*bursts)?;
                }
            }
            Operations::Script(script) => check_script(script, &self.cluster)?,
        }
        let mut ids = BTreeSet::new();
        for (i, fault) in self.faults.iter().enumerate() {
            let place = format!("faults[{i}] (id {})", fault.id);
            check(ids.insert(fault.id), &place, || "another fault has the same id; ids are unique".to_owned())?;
            check_fault(fault, &self.cluster, self.phases.chaos_ns, &place)?;
        }
        Ok(())
    }
}

fn check_cluster(cluster: &Cluster) -> Checked {
    check(cluster.nodes > 0, "cluster.nodes", || "is 0; at least 1 is needed".to_owned())?;
    check(cluster.clients > 0, "cluster.clients", || "is 0; at least 1 is needed".to_owned())?;
    let machines = cluster.nodes.checked_add(cluster.clients);
    check(machines.is_some(), "cluster", || "nodes and clients together exceed 32 bits".to_owned())?;
    check_latencies(&cluster.latency)
}

fn check_latencies(latencies: &Latencies) -> Checked {
    let ordered = |latency: &Latency, place: &str| {
        check(latency.min_ns <= latency.max_ns, place, || {
            format!("min_ns is {}, more than max_ns, {}", latency.min_ns, latency.max_ns)
        })
    };
    let rows = match latencies {
        Latencies::Alike(latency) => return ordered(latency, "cluster.latency"),
        Latencies::Zones(rows) => rows,
    };
    check(!rows.is_empty(), "cluster.latency", || "has no rows; at least one zone is needed".to_owned())?;
    for (from, row) in rows.iter().enumerate() {
        check(row.len() == rows.len(), &format!("cluster.latency[{from}]"), || {
            format!("{} entries in one of {} rows; a row has one for each zone", row.len(), rows.len())
        })?;
        for (to, latency) in row.iter().enumerate() {
            ordered(latency, &format!("cluster.latency[{from}][{to}]"))?;
        }
    }
    Ok(())
}

fn check_bursts(bursts: Bursts) -> Checked {
    let Bursts { every_ns, lasts_ns, factor } = bursts;
    let place = "workload.operations.generated.load.bursts";
    check(factor > 0, place, || "factor is 0; at least 1 is needed".to_owned())?;
    check((1..=every_ns).contains(&lasts_ns), place, || {
        format!("lasts_ns is {lasts_ns}, which must be at least 1 and at most every_ns, {every_ns}")
    })
}

fn check_script(script: &[Scripted], cluster: &Cluster) -> Checked {
    let mut last: BTreeMap<u32, (usize, &Scripted)> = BTreeMap::new();
    for (i, entry) in script.iter().enumerate() {
        let place = &format!("workload.operations.script[{i}]");
        check(entry.client < cluster.clients, place, || {
            format!("client {} of {}, which count from 0", entry.client, cluster.clients)
        })?;
        check(entry.home.is_none_or(|h| h < cluster.nodes), place, || {
            format!("home {} of {} nodes, which count from 0", entry.home.unwrap_or(0), cluster.nodes)
        })?;
        check(entry.replied_ns.is_none_or(|r| r >= entry.invoked_ns), place, || {
            "replied_ns is before invoked_ns".to_owned()
        })?;
        let in_order = i == 0 || script[i - 1].invoked_ns <= entry.invoked_ns;
        check(in_order, place, || "invoked_ns is before that of the entry above; entries are in order".to_owned())?;
        if let Some((before, earlier)) = last.insert(entry.process, (i, entry)) {
            let process = entry.process;
            check(earlier.client == entry.client, place, || {
                format!("process {process} is of client {} here and of {} at [{before}]", entry.client, earlier.client)
            })?;
            check(earlier.replied_ns.is_some_and(|r| r <= entry.invoked_ns), place, || {
                format!("process {process} asks while its operation at [{before}] is open")
            })?;
        }
    }
    Ok(())
}

fn check_fault(fault: &Fault, cluster: &Cluster, chaos_ns: u64, place: &str) -> Checked {
    check(fault.lasts_ns > 0, place, || "lasts_ns is 0; at least 1 is needed".to_owned())?;
    let ends = fault.begins_ns.checked_add(fault.lasts_ns);
    check(ends.is_some_and(|e| e <= chaos_ns), place, || {
        format!(
            "begins_ns {} and lasts_ns {} go beyond the chaos phase, {chaos_ns} ns",
            fault.begins_ns, fault.lasts_ns
        )
    })?;
    match &fault.target {
        Target::Nodes(nodes) => {
            check(!nodes.is_empty(), place, || "target names no node".to_owned())?;
            for (i, node) in nodes.iter().enumerate() {
                check(node.0 < cluster.nodes, place, || {
                    format!("target {node}, but there are {} nodes, n0 to n{}", cluster.nodes, cluster.nodes - 1)
                })?;
                check(!nodes[..i].contains(node), place, || format!("target names {node} twice"))?;
            }
        }
        Target::Random(n) => check(*n > 0, place, || "target is 0 random nodes; at least 1 is needed".to_owned())?,
        Target::Zone { zone, of } => check(zone < of && *zone < cluster.nodes, place, || {
            format!("target is zone {zone} of {of} in a cluster of {} nodes: nobody is there", cluster.nodes)
        })?,
        Target::All | Target::Leader | Target::Minority | Target::Majority => {}
    }
    check_kind(&fault.kind, place)
}

fn check_kind(kind: &FaultKind, place: &str) -> Checked {
    let positive = |what: &str, n: u64| check(n > 0, place, || format!("{what} is 0; at least 1 is needed"));
    let share = |n: u32| check(n <= 1000, place, || format!("permille is {n}; at most 1000 is possible"));
    match kind {
        FaultKind::Partition { flap_ns, .. } => flap_ns.map_or(Ok(()), |ns| positive("flap_ns", ns)),
        FaultKind::Drop { permille }
        | FaultKind::Duplicate { permille }
        | FaultKind::Corrupt { permille }
        | FaultKind::Reorder { permille, .. }
        | FaultKind::SyncError { permille } => share(*permille),
        FaultKind::Degrade { permille, factor } => share(*permille).and(positive("factor", u64::from(*factor))),
        FaultKind::Bandwidth { per_second, .. } => positive("per_second", u64::from(*per_second)),
        FaultKind::Burst { factor, hot_permille } => {
            positive("factor", u64::from(*factor))?;
            share(*hot_permille)
        }
        FaultKind::Inbox { service_ns, .. } => positive("service_ns", *service_ns),
        FaultKind::ClockDrift { ppb } => check(*ppb > -1_000_000_000, place, || {
            format!("ppb is {ppb}: the clock would stand still or go back; more than -1000000000 is needed")
        }),
        FaultKind::ClockJumps { period_ns, .. } | FaultKind::ClockStrobe { period_ns, .. } => {
            positive("period_ns", *period_ns)
        }
        FaultKind::Delay { .. }
        | FaultKind::Crash { .. }
        | FaultKind::Pause
        | FaultKind::Slow { .. }
        | FaultKind::Connections { .. }
        | FaultKind::ClockOffset { .. }
        | FaultKind::DiskFull
        | FaultKind::DiskSlow { .. }
        | FaultKind::BitRot { .. }
        | FaultKind::Wipe
        | FaultKind::Removal => Ok(()),
    }
}
