//! What every output says in the same words: the headline, the sentence that says what cannot be, and what made it possible.

use std::fmt::Write as _;

use squall_checkers::{
    history::{Outcome, Phase},
    verdict::{Anomaly, Reason, Verdict},
};

use crate::{
    records::{CheckerVerdict, Failure, FailureKind, FaultRecord, Finding, Minimised, OperationRecord, SeedCounts},
    words::{clean, count, duration, time},
};

/// Most nodes of a fault that are listed by name.
const NODES_NAMED_MAX: usize = 8;

/// The anomaly that the finding's signature names; else the first that any checker found.
pub fn anomaly(finding: &Finding) -> Option<&Anomaly> {
    let signature = &finding.signature;
    let all = || {
        finding.verdicts.iter().filter_map(|v| match &v.verdict {
            Verdict::Invalid { anomalies } => Some((v, anomalies)),
            _ => None,
        })
    };
    all()
        .filter(|(v, _)| v.checker == signature.checker)
        .flat_map(|(_, anomalies)| anomalies)
        .find(|a| a.kind == signature.anomaly.as_str())
        .or_else(|| all().flat_map(|(_, anomalies)| anomalies).next())
}

/// The entry ids of the operations that together cannot be; those that the history does not have are left out.
pub fn accused(finding: &Finding) -> Vec<usize> {
    let known = |id: &usize| *id < finding.operations.len();
    anomaly(finding).map(|a| a.operations.iter().copied().filter(known).collect()).unwrap_or_default()
}

/// What was found and where: `stale-read in raft-rs-kv:leader-local-read`.
pub fn headline(finding: &Finding) -> String {
    clean(&format!("{} in {}", finding.signature.anomaly, finding.system))
}

/// The simulator, with a mark where the same seed may run differently another time: `real, nondeterministic`.
pub fn simulator(name: &str, nondeterministic: bool) -> String {
    format!("{name}{}", if nondeterministic { ", nondeterministic" } else { "" })
}

/// What a command is worth that runs a nondeterministic run again.
pub const ANOTHER_TIME: &str =
    "It ran in real time: another run of the same seed may go differently, and need not fail.";

/// Seeds by what came of them: `21 valid, 1 invalid`.
pub fn seeds(seeds: &SeedCounts) -> String {
    let all = [
        (seeds.valid, "valid"),
        (seeds.invalid, "invalid"),
        (seeds.unknown, "unknown"),
        (seeds.vacuous, "vacuous"),
        (seeds.panic, "panic"),
        (seeds.abort, "abort"),
        (seeds.hang, "hang"),
        (seeds.step_limit, "step limit"),
        (seeds.memory, "memory"),
    ];
    let some: Vec<_> = all.iter().filter(|(n, _)| *n > 0).map(|(n, name)| format!("{n} {name}")).collect();
    if some.is_empty() { "none".to_owned() } else { some.join(", ") }
}

/// The failure of a run itself in two words: `n2 panic`.
pub fn failure_name(failure: &Failure) -> String {
    failure.node.map_or_else(|| failure.kind.to_string(), |n| format!("n{n} {}", failure.kind))
}

/// The promise, and whether the failure breaks it.
pub fn promise(finding: &Finding) -> String {
    let side = if finding.inside_promise {
        "the failure is inside this promise"
    } else {
        "the faults go BEYOND this promise: no bug by itself"
    };
    if finding.promise.is_empty() { side.to_owned() } else { clean(&format!("{}; {side}", finding.promise)) }
}

/// One sentence that says what cannot be.
pub fn sentence(finding: &Finding) -> String {
    if let Some(failure) = &finding.failure {
        let mut text = failure.node.map_or("The system".to_owned(), |n| format!("Node n{n}"));
        text.push_str(match failure.kind {
            FailureKind::Panic => " panicked",
            FailureKind::Abort => " took its process down",
            FailureKind::Hang => " did not end within the watchdog's real time",
            FailureKind::StepLimit => " passed the limit of steps without letting simulated time go on",
            FailureKind::Memory => " passed its limit of memory",
        });
        if let Some(at) = failure.at_ns {
            let _ = write!(text, " at {}", time(at, 3));
        }
        if let Some(line) = failure.message.lines().find(|l| !l.trim().is_empty()) {
            let _ = write!(text, ": {}", clean(line.trim()));
        }
        return text;
    }
    anomaly(finding).map_or_else(
        || format!("The run failed with {}; the record names no anomaly.", clean(&finding.signature.anomaly)),
        |a| clean(&a.sentence),
    )
}

/// A fault as one calls it: `partition {n0} | {n1 n2}`, `crash of leader (n2)`.
pub fn fault_name(fault: &FaultRecord) -> String {
    let mut text = fault.kind.clone();
    let nodes = node_list(&fault.nodes);
    if !fault.description.is_empty() {
        let _ = write!(text, " {}", fault.description);
    } else if fault.target.is_empty() || fault.target == nodes {
        if !nodes.is_empty() {
            let _ = write!(text, " of {nodes}");
        }
    } else {
        let _ = write!(text, " of {}", fault.target);
        if !nodes.is_empty() {
            let _ = write!(text, " ({nodes})");
        }
    }
    clean(&text)
}

/// Nodes by name: `n0 n2`.
pub fn node_list(nodes: &[u32]) -> String {
    let mut names: Vec<_> = nodes.iter().take(NODES_NAMED_MAX).map(|n| format!("n{n}")).collect();
    if nodes.len() > NODES_NAMED_MAX {
        names.push(format!("and {} more", nodes.len() - NODES_NAMED_MAX));
    }
    names.join(" ")
}

/// What a fault did: `touched 214 things`, or why it did nothing.
pub fn fault_effect(fault: &FaultRecord) -> String {
    if fault.unresolved {
        "unresolved: its target named nobody".to_owned()
    } else if fault.inert {
        "inert: it changed nothing".to_owned()
    } else {
        count(fault.effects, "effect")
    }
}

/// The faults that made the failure possible, one sentence each; or a sentence that says why none is named.
pub fn causes(finding: &Finding) -> Vec<String> {
    let named: Vec<_> = finding.faults.iter().filter(|f| f.made_possible).map(fault_sentence).collect();
    if !named.is_empty() {
        return named;
    }
    let struck = finding.faults.iter().filter(|f| !f.inert && !f.unresolved).count() as u64;
    vec![match (struck, &finding.minimised) {
        (0, _) => "No fault struck: it fails without any.".to_owned(),
        (_, Some(_)) => format!("Of the {} that are left, none was shown to be needed.", count(struck, "fault")),
        (_, None) => format!("{} struck; this run alone does not tell which of them it takes.", count(struck, "fault")),
    }]
}

fn fault_sentence(fault: &FaultRecord) -> String {
    let begins = time(fault.begins_ns, 3);
    let when = match fault.ends_ns {
        Some(ends) => {
            format!("from {begins} to {} ({})", time(ends, 3), duration(ends.saturating_sub(fault.begins_ns)))
        }
        None => format!("from {begins} to the end of the run"),
    };
    format!("{}, {when}: {}.", fault_name(fault), fault_effect(fault))
}

/// What the minimiser took away: `11 to 1 faults, 412 to 3 operations, … in 231 runs`.
pub fn minimised(minimised: &Minimised) -> String {
    let Minimised { before, after, runs, unfinished, .. } = minimised;
    format!(
        "{} to {}, {} to {}, {} to {}, {} to {}, in {}{}",
        before.faults,
        count(after.faults, "fault"),
        before.operations,
        count(after.operations, "operation"),
        before.clients,
        count(after.clients, "client"),
        before.nodes,
        count(after.nodes, "node"),
        count(*runs, "run"),
        if *unfinished { ", and not to the end: `squall minimize` goes on from its case" } else { "" },
    )
}

/// The words of a verdict: `invalid`, and what there is to say about it.
pub fn verdict(verdict: &CheckerVerdict) -> (&'static str, String) {
    match &verdict.verdict {
        Verdict::Valid { linearization: Some(order) } => {
            ("valid", format!("explained by an order of {}", count(order.len() as u64, "operation")))
        }
        Verdict::Valid { linearization: None } => ("valid", String::new()),
        Verdict::Unknown { reason, detail } => {
            let reason = match reason {
                Reason::Steps => "the budget of steps was spent",
                Reason::Memory => "the budget of memory was spent",
                Reason::Vacuous => "the history proves nothing",
                Reason::Precondition => "a precondition of the checker is not met",
            };
            ("unknown", if detail.is_empty() { reason.to_owned() } else { format!("{reason}: {}", clean(detail)) })
        }
        Verdict::Invalid { anomalies } => {
            let told: Vec<_> = anomalies.iter().map(|a| clean(&format!("{}: {}", a.kind, a.sentence))).collect();
            ("invalid", told.join(" "))
        }
    }
}

/// What was asked: `write("k1", 2)`.
pub fn call(operation: &OperationRecord) -> String {
    clean(&operation.operation.to_string())
}

/// What came of it: `ok`, a value, `failed: …`, `unknown: …`.
pub fn outcome(operation: &OperationRecord) -> String {
    let with_reason =
        |word: &str, reason: &str| if reason.is_empty() { word.to_owned() } else { format!("{word}: {reason}") };
    clean(&match &operation.outcome {
        // What takes arguments and replies nothing was merely acknowledged; what takes none has read nothing.
        Outcome::Ok(value) if value.is_nil() && !operation.operation.args.is_nil() => "ok".to_owned(),
        Outcome::Ok(value) => value.to_string(),
        Outcome::Failed(reason) => with_reason("failed", reason),
        Outcome::Unknown(reason) => with_reason("unknown", reason),
    })
}

/// What begins with a phase.
pub fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Chaos => "faults may strike",
        Phase::Settle => "all faults have ended: the system must recover",
        Phase::FinalReads => "final reads at every replica",
    }
}
