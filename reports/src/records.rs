//! The files of a campaign's folder: one [`Finding`] per line of `findings.jsonl`, and the [`Totals`] in `totals.json`.
//!
//! They know no engine type: faults, systems and simulators are names and texts, so that a report can be drawn from a
//! folder alone by any later build. Each record carries its version; a version that this build does not understand is an
//! error that says which ones it does.

mod files;
mod finding;
mod totals;
mod version;

pub use files::{FINDINGS_FILE, RecordError, TOTALS_FILE, Truncated, append, read_all, read_totals, write_totals};
pub use finding::{
    CheckerVerdict, Counts, Failure, FailureKind, FaultRecord, Finding, Minimised, Observation, OperationRecord,
    PhaseRecord, Rerun, Signature, TraceEvent,
};
pub use totals::{FaultCount, OperationCounts, SeedCounts, SignatureCount, Totals};
pub use version::{UNDERSTOOD_VERSIONS, VERSION, Version};
