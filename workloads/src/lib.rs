//! Workloads: what clients do to a store under test, and which checkers judge what comes of it.

pub mod random;
pub mod workload;
