//! Who judges a run: the workload's checkers for the promised model, and those for what else was promised.

use squall_checkers::{
    history::History,
    verdict::{Reason, Verdict},
};
use squall_reports::records::CheckerVerdict;
use squall_workloads::workload::{Judge, Workload};

use crate::plan::{Plan, Promise};

/// Everyone who has a say about a history: the promised model first, then durability, convergence and liveness as promised.
/// What a plan gives no chance to show is not asked for.
pub fn judges(promise: &Promise, workload: &dyn Workload, plan: &Plan) -> Vec<Judge> {
    let mut all = workload.judges(promise.model.as_str());
    if promise.durable && plan.phases.final_reads {
        all.push(Judge::new("durability"));
    }
    if promise.convergent && plan.phases.final_reads {
        all.push(Judge::new("convergence"));
    }
    if promise.live && plan.phases.settle_ns > 0 {
        all.push(Judge::new("liveness"));
    }
    all
}

/// Asks each judge.
pub fn judge(history: &History, judges: &[Judge]) -> Vec<CheckerVerdict> {
    judges
        .iter()
        .map(|judge| CheckerVerdict {
            checker: judge.checker.to_string(),
            model: judge.model.as_ref().map(ToString::to_string).unwrap_or_default(),
            verdict: ask(history, judge),
        })
        .collect()
}

/// A checker that the catalogue does not have says nothing.
fn ask(_history: &History, judge: &Judge) -> Verdict {
    Verdict::Unknown { reason: Reason::Precondition, detail: format!("there is no checker `{}`", judge.checker) }
}
