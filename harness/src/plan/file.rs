//! Plans as files: versioned JSON, and errors that say where the text is wrong and what was expected.
//!
//! The first member names the format and its version: `{"squall-plan": 1, "seed": 7, …}`. Numbers of nanoseconds end in `_ns`.

use serde::{Deserialize, Serialize};
use squall_checkers::document::{self, DocumentError};

use super::{Cluster, Fault, Phases, Plan, Settings, WorkloadPlan, documents, valid::InvalidPlan};

/// The version of plan files that this build writes. All versions up to this are read.
pub const PLAN_VERSION: u32 = 1;

/// Why a text is no plan, or no case.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// The text is none.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// A plan that cannot be run.
    #[error(transparent)]
    Invalid(#[from] InvalidPlan),
}

impl FileError {
    /// What to do instead, in one sentence, where there is something.
    pub fn instead(&self) -> Option<&'static str> {
        match self {
            FileError::Document(error) => documents::instead(error),
            FileError::Invalid(_) => None,
        }
    }
}

/// A plan as it stands in a file of version 1.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlanFile {
    #[serde(rename = "squall-plan")]
    version: u32,
    seed: u64,
    system: String,
    #[serde(default, skip_serializing_if = "Settings::is_empty")]
    settings: Settings,
    cluster: Cluster,
    workload: WorkloadPlan,
    phases: Phases,
    faults: Vec<Fault>,
}

/// The text of a plan file.
pub fn to_text(plan: &Plan) -> String {
    let Plan { seed, system, settings, cluster, workload, phases, faults } = plan.clone();
    pretty(&PlanFile { version: PLAN_VERSION, seed, system, settings, cluster, workload, phases, faults })
}

/// Reads a plan file and checks that the plan can be run.
pub fn from_text(text: &str) -> Result<Plan, FileError> {
    let PlanFile { version: _, seed, system, settings, cluster, workload, phases, faults } =
        document::read(text, "squall-plan", PLAN_VERSION)?;
    let plan = Plan { seed, system, settings, cluster, workload, phases, faults };
    plan.validate()?;
    Ok(plan)
}

pub(super) fn pretty(file: &impl Serialize) -> String {
    let mut text = serde_json::to_string_pretty(file).expect("plans have text keys and no failing parts");
    text.push('\n');
    text
}

#[cfg(test)]
mod tests;
