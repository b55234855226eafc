//! A closer look at a failure: run again with a trace.

use squall_reports::records::{Finding, Signature};

use super::{record, run, spec::Job};
use crate::simulators::Options;

/// Runs the seed again for the record of this failure; `None` when it does not fail in this way again.
///
/// # Errors
/// When the run cannot begin, for people.
pub fn explain(job: &Job, seed: u64, signature: &Signature, minimise: bool) -> Result<Option<Finding>, String> {
    let _ = minimise;
    let plan = job.plan(seed);
    let outcome = run::run_plan(&job.arena.subject(), &plan, Options { trace: true }).map_err(|e| e.to_string())?;
    let finding = || record::finding(&job.arena, &plan, &outcome, signature, job.spec.command(seed));
    Ok(outcome.shows(signature).then(finding))
}
