//! The minimiser: from a failing run to the smallest plan that still fails in the same way.
//!
//! First the run is frozen: roles become the nodes they turned out to be, generated operations the script of what was asked.
//! Then parts are taken away while the same anomaly is still seen, large pieces before small ones (after Zeller and Hildebrandt,
//! "Simplifying and Isolating Failure-Inducing Input", 2002), what remains is made shorter and simpler, and all of this is
//! repeated until no single fault, operation, client or node can be taken away within the [`Rules`]: the plan is then 1-minimal.
//!
//! What happens around the anomaly may hang on chance: who is elected, which message overtakes which. Where the plan will not
//! shrink, the same cuts are tried under a few other seeds.
//!
//! A smaller plan never leaves the promise when the plan it comes from did not: fewer nodes or shorter gaps must not turn a
//! found bug into a fault that nobody promised to survive.

mod freeze;
mod parts;
mod rules;
mod search;
mod seen;
mod simplify;

#[cfg(test)]
mod tests;

use std::time::Duration;

use squall_reports::records::{Counts, Signature};

use self::search::Search;
pub use self::{rules::Rules, seen::Seen};
use super::run::{Subject, run_plan};
use crate::{
    plan::{Operations, Plan},
    simulators::{Options, PlanError},
};

/// Runs a minimisation may take when not told otherwise.
pub const DEFAULT_RUNS: u64 = 6_000;

/// Real time that shrinking takes where somebody waits for more than that.
pub const SPAN: Duration = Duration::from_secs(90);

/// Passes over all that can be made smaller; far more than are needed, for the last one of a search that ends changes nothing.
const PASSES_MAX: u32 = 50;

/// What a minimisation may cost. What was found by then is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    /// Runs.
    pub runs: u64,
    /// Real time after which no other run begins; as long as it takes when `None`. Where it decides, another machine may come to
    /// another plan.
    pub span: Option<Duration>,
}

/// So many runs, as long as they take.
impl From<u64> for Effort {
    fn from(runs: u64) -> Self {
        Effort { runs, span: None }
    }
}

/// The smallest plan found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Minimised {
    /// The plan. It fails in the same way.
    pub plan: Plan,
    /// How many runs it took.
    pub runs: u64,
    /// Whether its operations are a script. When false, no script failed in the same way, and clients still ask the workload.
    pub frozen: bool,
    /// Whether it is 1-minimal; when false, the effort was spent before that was certain.
    pub minimal: bool,
    /// The size of the run that failed first: final reads count as operations.
    pub before: Counts,
    /// The size of the plan.
    pub after: Counts,
}

/// How far a minimisation has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Runs so far.
    pub runs: u64,
    /// The size of the smallest plan so far.
    pub size: Counts,
}

/// Makes a failing plan small by running it against `subject`. `None` when it does not fail in this way.
///
/// # Errors
/// When the plan cannot be run.
pub fn minimise_on(
    subject: &Subject<'_>,
    plan: &Plan,
    signature: &Signature,
    effort: impl Into<Effort>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Option<Minimised>, PlanError> {
    let first = run_plan(subject, plan, Options::default())?;
    let Some(seen) = Seen::of(plan, &first, signature) else { return Ok(None) };
    let promise = subject.system.promise();
    let rules = Rules::new(plan, signature, &promise.tolerates);
    let mut trial = |candidate: &Plan| {
        let outcome = run_plan(subject, candidate, Options::default()).ok()?;
        Seen::of(candidate, &outcome, signature)
    };
    Ok(Some(minimise(plan, seen, rules, &mut trial, effort.into(), progress)))
}

/// Makes a failing plan small. `seen` is what its run showed; `trial` runs a plan and says what it showed, or `None` when it does
/// not fail in the same way.
pub fn minimise(
    plan: &Plan,
    seen: Seen,
    rules: Rules,
    trial: &mut dyn FnMut(&Plan) -> Option<Seen>,
    effort: Effort,
    progress: &mut dyn FnMut(Progress),
) -> Minimised {
    let before = Counts { operations: (seen.operations.len() + seen.final_reads.len()) as u64, ..size(plan) };
    let mut search = Search::new(plan.clone(), seen, rules, trial, effort, progress);
    freeze::freeze(&mut search);
    freeze::keep_what_matters(&mut search, freeze::GUESS_SEEDS);
    let mut minimal = false;
    for _ in 0..PASSES_MAX {
        let at_first = search.plan().clone();
        freeze::name_targets(&mut search);
        freeze::record_again(&mut search);
        parts::take_away(&mut search);
        simplify::simplify(&mut search);
        if *search.plan() == at_first {
            // What was tried on the way need not have been tried on this very plan: a pass may undo at its end what it did first. Where
            // it did nothing, all of this is known and costs no run.
            parts::take_away(&mut search);
        }
        minimal = *search.plan() == at_first && !search.spent();
        if search.spent() || (minimal && !parts::escape(&mut search)) {
            break;
        }
        minimal = false;
    }
    let (plan, runs) = search.finish();
    let frozen = matches!(plan.workload.operations, Operations::Script(_));
    Minimised { after: size(&plan), plan, runs, frozen, minimal, before }
}

/// The size of a plan; generated operations count at their limit.
pub fn size(plan: &Plan) -> Counts {
    let operations = match &plan.workload.operations {
        Operations::Generated { limit, .. } => u64::from(*limit),
        Operations::Script(script) => script.len() as u64,
    };
    Counts {
        faults: plan.faults.len() as u64,
        operations,
        clients: u64::from(plan.cluster.clients),
        nodes: u64::from(plan.cluster.nodes),
    }
}
