//! A closer look at a failure: shrunk to what matters where asked for, and run again with a trace.

use squall_reports::{
    records::{Finding, Minimised, Signature},
    story,
};

use super::{
    minimise::{self, Effort},
    record, run,
    spec::Arena,
};
use crate::{
    plan::{
        Plan,
        case::{Case, Found},
    },
    simulators::{Options, PlanError},
};

/// A failure looked at closely.
#[derive(Clone, Debug)]
pub struct Explained {
    /// Its record; of the small run where it was shrunk.
    pub finding: Finding,
    /// The case that replays it; none when it was not shrunk.
    pub case: Option<Case>,
}

/// Runs the plan again for the record of this failure; `None` when it does not fail in this way again. With `minimise`, the
/// smallest plan that fails in the same way takes its place, found within this effort. `command` runs the plan as it is.
///
/// # Errors
/// When the run cannot begin.
pub fn explain(
    arena: &Arena,
    plan: &Plan,
    signature: &Signature,
    minimise: Option<Effort>,
    command: String,
) -> Result<Option<Explained>, PlanError> {
    let subject = arena.subject();
    let small = match minimise {
        Some(effort) => minimise::minimise_on(&subject, plan, signature, effort, &mut |_| {})?,
        None => None,
    };
    let shown = small.as_ref().map_or(plan, |small| &small.plan);
    let outcome = run::run_plan(&subject, shown, Options { trace: true })?;
    if !outcome.shows(signature) {
        return Ok(None);
    }
    let mut finding = record::finding(arena, shown, &outcome, signature, command);
    finding.seed = plan.seed;
    let case = small.as_ref().map(|small| {
        for fault in &mut finding.faults {
            // Nothing can be taken away any more: each fault that is left is needed.
            fault.made_possible = small.minimal;
        }
        Case {
            plan: small.plan.clone(),
            signature: signature.clone(),
            simulator: arena.simulator.name.to_owned(),
            found: Found::of(plan.seed, small.before),
            sentence: story::anomaly(&finding).map(|a| a.sentence.clone()).unwrap_or_default(),
        }
    });
    if let (Some(small), Some(case)) = (small, &case) {
        finding.case = Some(case.to_text());
        finding.minimised = Some(Minimised {
            before: small.before,
            after: small.after,
            runs: small.runs,
            unfinished: !small.minimal,
            case_file: Some(case_file(&finding)),
        });
    }
    Ok(Some(Explained { finding, case }))
}

/// The name of the case file of a finding, in the folder of its campaign.
pub fn case_file(finding: &Finding) -> String {
    let Signature { checker, anomaly, .. } = &finding.signature;
    let safe = |text: &str| text.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    format!("case-{}-{}-{}.json", safe(anomaly), safe(checker), finding.seed)
}
