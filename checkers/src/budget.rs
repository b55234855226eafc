//! How much a checker may spend: counted in steps and bytes, so that a verdict does not depend on the machine.

use crate::verdict::{Reason, Verdict};

/// What one call of a checker may spend. When it is spent the verdict is unknown, never a pass and never a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Configurations visited by a search; about ten million a second.
    pub steps: u64,
    /// Memory for what a search remembers, in bytes. The history itself is not counted.
    pub bytes: u64,
}

impl Default for Budget {
    /// Twenty million steps (a few seconds) and 512 MiB.
    fn default() -> Self {
        Budget { steps: 20_000_000, bytes: 512 << 20 }
    }
}

/// A budget being spent.
#[derive(Clone, Debug)]
pub(crate) struct Meter {
    budget: Budget,
    steps: u64,
}

impl Meter {
    pub(crate) fn new(budget: Budget) -> Self {
        Meter { budget, steps: 0 }
    }

    pub(crate) fn budget(&self) -> Budget {
        self.budget
    }

    /// How many steps were taken.
    pub(crate) fn taken(&self) -> u64 {
        self.steps
    }

    /// A meter for a side task that may take at most `steps` of what is left here.
    pub(crate) fn share(&self, steps: u64) -> Meter {
        Meter::new(Budget { steps: steps.min(self.budget.steps - self.steps), bytes: self.budget.bytes })
    }

    /// Takes over what a side task spent.
    pub(crate) fn absorb(&mut self, side: &Meter) {
        self.steps = (self.steps + side.steps).min(self.budget.steps);
    }

    /// Takes one step while holding `bytes` of memory; says what gave out.
    pub(crate) fn step(&mut self, bytes: u64) -> Result<(), Reason> {
        if self.steps >= self.budget.steps {
            return Err(Reason::Steps);
        }
        self.steps += 1;
        if bytes > self.budget.bytes { Err(Reason::Memory) } else { Ok(()) }
    }

    /// Takes many steps at once.
    pub(crate) fn steps(&mut self, steps: u64) -> Result<(), Reason> {
        self.steps = self.steps.saturating_add(steps);
        if self.steps > self.budget.steps {
            self.steps = self.budget.steps;
            return Err(Reason::Steps);
        }
        Ok(())
    }

    /// The verdict when `reason` gave out; `progress` says how far the checker came.
    pub(crate) fn spent(&self, reason: Reason, progress: &str) -> Verdict {
        let detail = match reason {
            Reason::Memory => format!("the budget of {} MiB of memory is spent: {progress}", self.budget.bytes >> 20),
            _ => format!("the budget of {} steps is spent: {progress}", self.budget.steps),
        };
        Verdict::Unknown { reason, detail }
    }
}
