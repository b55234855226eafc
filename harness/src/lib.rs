//! Squall: deterministic chaos and correctness testing for replicated stores.

pub mod catalogue;
#[cfg(feature = "cli")]
pub mod cli;
pub mod engine;
pub mod environment;
pub mod exit;
pub mod nemesis;
pub mod plan;
pub mod simulators;

/// Histories, models, operations and values.
pub use squall_checkers as checkers;
/// What a store says through it, `squall replay CASE --log` shows with virtual time and machine.
pub use tracing;

/// What clients do, and who judges it.
pub use squall_workloads as workloads;

pub use crate::{
    engine::in_test::{campaign, replay},
    environment::{Env, Failed, Node, Reply, Result, System, collections},
    plan::{Plan, Promise},
};
