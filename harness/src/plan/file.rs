//! Plans as files: versioned JSON, and errors that say where the text is wrong and what was expected.
//!
//! The first member names the format and its version: `{"squall-plan": 1, "seed": 7, …}`. Numbers of nanoseconds end in `_ns`.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{Cluster, Fault, Phases, Plan, Settings, WorkloadPlan, valid::InvalidPlan};

/// The version of plan files that this build writes.
pub const PLAN_VERSION: u32 = 1;
/// The versions of plan files that this build reads.
pub const PLAN_VERSIONS: &[u32] = &[PLAN_VERSION];

/// Why a text is no plan, or no case. Lines and columns count from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// The text is no JSON, or not of this shape.
    #[error("line {line}, column {column}: {}{problem}", at(path))]
    Malformed {
        /** The line. */
        line: usize,
        /** The column; 0 at the start of a line. */
        column: usize,
        /** The place in the document (`faults[2].target`); empty where the text is no JSON. */
        path: String,
        /** What is there and what was expected. */
        problem: String,
    },
    /// The text ends too early.
    #[error("line {line}, column {column}: the text ends in the middle ({problem}); is the file cut off?")]
    Truncated {
        /** The line. */
        line: usize,
        /** The column; 0 at the start of a line. */
        column: usize,
        /** What was still open. */
        problem: String,
    },
    /// JSON, but of another kind.
    #[error("this is no {expected} file: the member `\"{expected}\": {newest}` is missing{hint}")]
    Other {
        /** The member that was expected. */
        expected: &'static str,
        /** The newest version of it. */
        newest: u32,
        /** What it seems to be. */
        hint: String,
    },
    /// A version that this build does not read.
    #[error("this {format} file has version {found}; this build reads {}", list(understood))]
    Version {
        /** The format. */
        format: &'static str,
        /** The file's version. */
        found: u64,
        /** The versions that can be read. */
        understood: &'static [u32],
    },
    /// A plan that cannot be run.
    #[error(transparent)]
    Invalid(#[from] InvalidPlan),
}

fn at(path: &str) -> String {
    if path.is_empty() || path == "." { String::new() } else { format!("{path}: ") }
}

fn list(versions: &[u32]) -> String {
    let words: Vec<String> = versions.iter().map(|v| format!("version {v}")).collect();
    words.join(", ")
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
        parse(text, "squall-plan", PLAN_VERSIONS)?;
    let plan = Plan { seed, system, settings, cluster, workload, phases, faults };
    plan.validate()?;
    Ok(plan)
}

pub(super) fn pretty(file: &impl Serialize) -> String {
    let mut text = serde_json::to_string_pretty(file).expect("plans have text keys and no failing parts");
    text.push('\n');
    text
}

/// Reads a document whose member `format` is one of `versions`. The version is looked at first and alone, for nothing else can
/// be expected of a document of another version.
pub(super) fn parse<T: DeserializeOwned>(
    text: &str,
    format: &'static str,
    versions: &'static [u32],
) -> Result<T, FileError> {
    let document: serde_json::Value = serde_json::from_str(text).map_err(|e| malformed(&e, String::new()))?;
    match document.get(format) {
        None => {
            let formats = ["squall-plan", "squall-case"];
            let hint = formats.into_iter().find(|f| document.get(f).is_some());
            let hint = hint.map(|f| format!("; it seems to be a {f} file")).unwrap_or_default();
            return Err(FileError::Other { expected: format, newest: versions.last().copied().unwrap_or(0), hint });
        }
        Some(found) => {
            let found = found.as_u64().unwrap_or(0);
            if versions.iter().all(|v| u64::from(*v) != found) {
                return Err(FileError::Version { format, found, understood: versions });
            }
        }
    }
    let mut reader = serde_json::Deserializer::from_str(text);
    serde_path_to_error::deserialize(&mut reader).map_err(|e| {
        let path = e.path().to_string();
        malformed(e.inner(), path)
    })
}

fn malformed(error: &serde_json::Error, path: String) -> FileError {
    let (line, column) = (error.line(), error.column());
    let text = error.to_string();
    let problem = text.strip_suffix(&format!(" at line {line} column {column}")).unwrap_or(&text);
    let problem = problem.replace("expected ident", "expected a JSON value");
    if error.is_eof() {
        FileError::Truncated { line, column, problem }
    } else {
        FileError::Malformed { line, column, path, problem }
    }
}

#[cfg(test)]
mod tests;
