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

pub use crate::{
    environment::{Env, Failed, Node, Reply, Result, System},
    plan::{Plan, Promise},
};
