//! The engine: one run and its judgement, campaigns of many, the check of determinism, the search for the smallest failure.

pub mod judge;
pub mod panics;
pub mod run;

pub use self::run::{Outcome, Subject, run_plan};
