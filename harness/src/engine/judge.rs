//! Who judges a run: the workload's checkers for the promised model, and those for what else was promised.

use squall_checkers::{
    budget::Budget,
    checker,
    history::History,
    models,
    verdict::{Reason, Verdict},
};
use squall_reports::records::CheckerVerdict;
use squall_workloads::workload::{Judge, Workload};

use super::panics;
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
pub fn judge(history: &History, judges: &[Judge], budget: &Budget) -> Vec<CheckerVerdict> {
    judges
        .iter()
        .map(|judge| CheckerVerdict {
            checker: judge.checker.to_string(),
            model: judge.model.as_ref().map(ToString::to_string).unwrap_or_default(),
            verdict: ask(history, judge, budget),
        })
        .collect()
}

/// A judge whom the catalogue does not have, or who panics, has said nothing.
fn ask(history: &History, judge: &Judge, budget: &Budget) -> Verdict {
    let name = judge.checker.as_str();
    let unable = |detail: String| Verdict::Unknown { reason: Reason::Precondition, detail };
    let Some(entry) = checker::checker(name) else { return unable(format!("there is no checker `{name}`")) };
    let model = match &judge.model {
        None => None,
        Some(model) => match models::model(model.as_str()) {
            None => return unable(format!("there is no model `{model}`")),
            found => found,
        },
    };
    let Some(checker) = (entry.build)(model) else { return unable(format!("the checker `{name}` needs a model")) };
    panics::catch(|| checker.check(history, budget))
        .unwrap_or_else(|message| unable(format!("the checker itself failed: {message}")))
}
