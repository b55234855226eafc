//! Records from runs: what a report needs to know of a failure, in the words of `reports`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use squall_checkers::history::{History, MarkKind};
use squall_reports::records::{
    FaultCount, FaultRecord, Finding, Observation, OperationCounts, OperationRecord, PhaseRecord, Signature, TraceEvent,
};

use super::{run::Outcome, spec::Arena};
use crate::{
    plan::{Fault, Plan, Promise, case::Case},
    simulators::{self, Execution, FaultEffect, TraceKind},
};

/// Most events of a trace that a record keeps. A shrunk run has fewer.
const TRACE_EVENTS_MAX: usize = 20_000;

/// The finding that a run of `plan` failed with `signature`. `replay` is the command that runs it again.
pub fn finding(arena: &Arena, plan: &Plan, outcome: &Outcome, signature: &Signature, replay: String) -> Finding {
    let mut finding = Finding {
        system: plan.system.clone(),
        workload: plan.workload.name.clone(),
        seed: plan.seed,
        simulator: arena.simulator.name.to_owned(),
        nondeterministic: !arena.simulator.deterministic,
        nodes: plan.cluster.nodes,
        clients: plan.cluster.clients,
        promise: promise(&arena.promise),
        inside_promise: is_inside(&arena.promise, plan),
        signature: signature.clone(),
        failure: outcome.failure.clone(),
        verdicts: outcome.verdicts.clone(),
        replay,
        ..Finding::default()
    };
    match &outcome.execution {
        Some(execution) => add_execution(&mut finding, plan, execution),
        None => finding.faults = plan.faults.iter().map(fault_record).collect(),
    }
    finding
}

/// The finding of a run of a case: it names the seed that was found. The small plan may run under another one, which says nothing
/// to people.
pub fn of_case(case: &Case, finding: Finding) -> Finding {
    Finding { seed: case.found.seed, ..finding }
}

fn add_execution(finding: &mut Finding, plan: &Plan, execution: &Execution) {
    finding.ended_ns = execution.statistics.simulated_ns;
    finding.faults = plan.faults.iter().map(fault_record).collect();
    for effect in &execution.faults {
        if let Some(record) = finding.faults.iter_mut().find(|f| f.id == effect.id) {
            record.nodes = effect.nodes.iter().map(|n| n.0).collect();
            record.effects = effect.effects;
            record.unresolved = effect.unresolved;
            record.inert = is_inert(effect);
            add_nodes(&mut record.description, &record.target, &record.nodes);
        }
    }
    finding.phases = phases(&execution.history);
    finding.operations = operations(execution);
    if let Some(trace) = &execution.trace {
        finding.observations = trace.events.iter().filter_map(observation).collect();
        finding.trace = trace.events.iter().take(TRACE_EVENTS_MAX).map(trace_event).collect();
    }
}

/// Whether every fault of the plan is one under which the promise holds.
pub fn is_inside(promise: &Promise, plan: &Plan) -> bool {
    promise.tolerates.outside(&plan.faults, plan.cluster.nodes).is_empty()
}

/// What a system promises and under which faults, in words.
pub fn promise(promise: &Promise) -> String {
    let mut text = promise.model.to_string();
    for (kept, word) in [(promise.durable, "durable"), (promise.live, "live"), (promise.convergent, "convergent")] {
        if kept {
            text.push_str(", ");
            text.push_str(word);
        }
    }
    let classes: Vec<_> = promise.tolerates.classes().map(class_name).collect();
    if classes.is_empty() {
        text.push_str(", without faults");
    } else {
        let _ = write!(text, ", under {}", classes.join(", "));
    }
    if promise.tolerates.minority_only {
        text.push_str(" of a minority at one time");
    }
    text
}

/// What became of a run's faults, by kind.
pub fn fault_counts(plan: &Plan, execution: Option<&Execution>) -> Vec<FaultCount> {
    let mut counts: BTreeMap<&str, FaultCount> = BTreeMap::new();
    for fault in &plan.faults {
        let kind = fault.kind.name();
        let count = counts.entry(kind).or_insert_with(|| FaultCount { kind: kind.to_owned(), ..FaultCount::default() });
        count.scheduled += 1;
        if let Some(effect) = execution.and_then(|e| e.faults.iter().find(|f| f.id == fault.id)) {
            count.unresolved += u64::from(effect.unresolved);
            count.inert += u64::from(is_inert(effect));
        }
    }
    counts.into_values().collect()
}

/// A run's operations by outcome, final reads among them.
pub fn operation_counts(history: &History) -> OperationCounts {
    let mut counts = OperationCounts::default();
    for entry in &history.entries {
        let count = match entry {
            e if e.is_ok() => &mut counts.ok,
            e if e.is_unknown() => &mut counts.unknown,
            _ => &mut counts.failed,
        };
        *count += 1;
    }
    counts
}

/// It struck somebody and nothing came of it. One that found nobody is unresolved instead.
fn is_inert(effect: &FaultEffect) -> bool {
    effect.effects == 0 && !effect.unresolved
}

fn class_name(class: crate::plan::FaultClass) -> String {
    let name = serde_json::to_value(class).ok();
    name.and_then(|v| v.as_str().map(|s| s.replace('-', " "))).unwrap_or_else(|| format!("{class:?}"))
}

/// What a fault does beyond its kind's name, and to whom: `(loss of 10% of messages) of the leader`. Empty when kind and target
/// say it all.
fn description(fault: &Fault) -> String {
    let (kind, text) = (fault.kind.name(), fault.kind.to_string());
    if text == kind {
        return String::new();
    }
    let text = text.strip_prefix(kind).map_or(&*text, |rest| rest.trim_start_matches([',', ' ']));
    format!("({}) of {}", text.replace(" (", ", ").replace(['(', ')'], ""), fault.target)
}

/// Names the nodes that a role turned out to be.
fn add_nodes(description: &mut String, target: &str, nodes: &[u32]) {
    let names: Vec<_> = nodes.iter().map(|n| format!("n{n}")).collect();
    if !description.is_empty() && !names.is_empty() && names.join("+") != target {
        let _ = write!(description, " ({})", names.join(" "));
    }
}

fn fault_record(fault: &Fault) -> FaultRecord {
    FaultRecord {
        id: fault.id,
        kind: fault.kind.name().to_owned(),
        target: fault.target.to_string(),
        description: description(fault),
        begins_ns: fault.begins_ns,
        ends_ns: Some(fault.ends_ns()),
        ..FaultRecord::default()
    }
}

fn phases(history: &History) -> Vec<PhaseRecord> {
    let phase = |mark: &squall_checkers::history::Mark| match mark.kind {
        MarkKind::Phase(phase) => Some(PhaseRecord { phase, begins_ns: mark.at.time() }),
        _ => None,
    };
    history.marks.iter().filter_map(phase).collect()
}

fn operations(execution: &Execution) -> Vec<OperationRecord> {
    let record = |entry| {
        let mut record = OperationRecord::from(entry);
        if let Some(process) = execution.processes.get(record.process.0 as usize) {
            record.client = Some(process.client);
            record.node = Some(process.home.0);
        }
        record
    };
    execution.history.entries.iter().map(record).collect()
}

fn observation(event: &simulators::TraceEvent) -> Option<Observation> {
    match &event.what {
        TraceKind::Observed { key, value } => {
            Some(Observation { at_ns: event.time_ns, node: event.node?.0, key: key.to_string(), value: value.clone() })
        }
        _ => None,
    }
}

/// An event in the words of a record.
pub fn trace_event(event: &simulators::TraceEvent) -> TraceEvent {
    let here = event.node.map(|n| n.0);
    let at = |kind: &str, text: &str| TraceEvent {
        at_ns: event.time_ns,
        kind: kind.to_owned(),
        from: here,
        text: text.to_owned(),
        ..TraceEvent::default()
    };
    match &event.what {
        TraceKind::Sent { to, text, arrives_ns, fault } => {
            let kind = if arrives_ns.is_some() { "send" } else { "drop" };
            TraceEvent { to: Some(to.0), fault: *fault, ..at(kind, text) }
        }
        TraceKind::Delivered { from, text } => TraceEvent { from: Some(from.0), to: here, ..at("deliver", text) },
        TraceKind::Timer { text } => at("timer", text),
        TraceKind::Disk { text } => at("disk", text),
        TraceKind::Poll { task } => at("poll", &format!("task {task}")),
        TraceKind::Client { text } => at("client", text),
        TraceKind::Fault { id, text } => TraceEvent { fault: Some(*id), ..at("fault", text) },
        TraceKind::Process { text } => at("process", text),
        TraceKind::Observed { key, value } => at("observe", &format!("{key} = {value}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{FaultKind, Loss, NodeId, Target};

    fn check(kind: FaultKind, target: Target, nodes: &[u32], expected: &str) {
        let mut record = fault_record(&Fault { id: 1, begins_ns: 0, lasts_ns: 1, target, kind });
        record.nodes = nodes.to_vec();
        add_nodes(&mut record.description, &record.target, &record.nodes);
        assert_eq!(squall_reports::story::fault_name(&record), expected);
    }

    #[test]
    fn faults_are_called_by_kind_detail_and_victims() {
        check(FaultKind::Pause, Target::Leader, &[2], "pause of the leader (n2)");
        check(FaultKind::Pause, Target::Nodes(vec![NodeId(1)]), &[1], "pause of n1");
        check(
            FaultKind::Crash { loss: Loss::Lost },
            Target::Leader,
            &[0],
            "crash (power loss, unsynced writes lost) of the leader (n0)",
        );
        check(FaultKind::Drop { permille: 100 }, Target::All, &[], "drop (loss of 10% of messages) of all nodes");
        let one_way = FaultKind::Partition { shape: crate::plan::Shape::Inbound, flap_ns: None, clients: true };
        let expected = "partition (one-way partition, hears nobody, clients cut too) of n0";
        check(one_way, Target::Nodes(vec![NodeId(0)]), &[0], expected);
    }
}
