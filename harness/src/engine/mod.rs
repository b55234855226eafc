//! The engine: one run and its judgement, campaigns of many, the check of determinism, the search for the smallest failure.

#[cfg(feature = "cli")]
pub mod campaign;
pub mod confidence;
pub mod determinism;
pub mod explain;
pub mod in_test;
pub mod judge;
pub mod minimise;
pub mod names;
pub mod panics;
pub mod program;
pub mod record;
pub mod run;
pub mod seeds;
pub mod source;
pub mod span;
pub mod spec;
pub mod stopwatch;

pub use self::run::{Outcome, Subject, run_plan};
