//! Real time, for watchdogs, budgets and progress. Nothing that a seed decides looks here.

#![expect(clippy::disallowed_types, reason = "watchdogs, budgets and progress are about real time")]

use std::time::{Duration, Instant};

/// Real time since it was started.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts one.
    pub fn start() -> Self {
        Stopwatch(Instant::now())
    }

    /// How long ago it was started.
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}
