//! Workloads: what clients do to a store under test, and which checkers judge what comes of it.

pub mod random;
pub mod register;
pub mod settings;
pub mod workload;

use workload::WorkloadEntry;

/// Every workload.
pub const WORKLOADS: &[WorkloadEntry] = &[WorkloadEntry {
    name: "register",
    summary: "reads, writes and compare-and-sets of a few contended registers",
    workload: &register::RegisterWorkload,
}];

/// The workload of this name.
pub fn find(name: &str) -> Option<&'static WorkloadEntry> {
    WORKLOADS.iter().find(|w| w.name == name)
}
