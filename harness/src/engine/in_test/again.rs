//! A case in a `#[test]`: a failure that was found once does not come back.

use std::time::Duration;

use squall_reports::records::Finding;
use squall_workloads::{WORKLOADS, workload::WorkloadEntry};

use super::{HANG_AFTER, patience::within, words};
use crate::{
    engine::{
        record,
        run::{self, Outcome},
        source::{Source, Store},
        spec::{Arena, SpecError},
    },
    plan::{case::Case, file::FileError},
    simulators::Options,
};

/// A case to be run again against this store. `case` is the text of a case file, as campaigns and `squall minimize` write it:
/// `include_str!("case.json")`.
pub fn replay(store: impl Store, case: &str) -> Replay {
    Replay {
        source: store.source(),
        case: Case::from_text(case),
        workloads: WORKLOADS,
        simulator: None,
        hang_after: HANG_AFTER,
    }
}

/// A case that is to be run again. [`Replay::assert_valid`] runs it.
#[must_use = "a case is run when it is told to: `.assert_valid()` or `.run()`"]
pub struct Replay {
    source: Source,
    case: Result<Case, FileError>,
    workloads: &'static [WorkloadEntry],
    simulator: Option<String>,
    hang_after: Duration,
}

/// A case that cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// Its text is none of a case.
    #[error("the case cannot be read: {0}")]
    Case(#[from] FileError),
    /// It does not fit the store.
    #[error("the case cannot be run: {0}")]
    Spec(#[from] SpecError),
}

impl Replay {
    /// The workloads that there are, in place of those that come with squall: for workloads of the caller's own.
    pub fn workloads(mut self, workloads: &'static [WorkloadEntry]) -> Self {
        self.workloads = workloads;
        self
    }

    /// Another simulator than the one the case was found on.
    pub fn simulator(mut self, name: impl Into<String>) -> Self {
        self.simulator = Some(name.into());
        self
    }

    /// Real time after which the run hangs.
    pub fn hang_after(mut self, span: Duration) -> Self {
        self.hang_after = span;
        self
    }

    /// Runs it, and panics with the failure when it still fails, in this way or in another. A run that fails no more passes, also
    /// when it is so small that it proves little.
    #[track_caller]
    pub fn assert_valid(self) {
        match self.run() {
            Err(e) => panic!("{e}"),
            Ok(Some(finding)) => panic!("{}", words::still_fails(&finding)),
            Ok(None) => {}
        }
    }

    /// Runs it. The failure that the case is about, or else the first one there is; `None` when it no longer fails.
    ///
    /// # Errors
    /// When the case cannot be read, or does not fit the store.
    pub fn run(self) -> Result<Option<Finding>, ReplayError> {
        let case = self.case?;
        let Case { plan, signature, .. } = &case;
        let simulator = self.simulator.as_ref().unwrap_or(&case.simulator);
        let arena = Arena::of_source(&self.source, self.workloads, plan, Some(simulator))?;
        let hang_after = self.hang_after + arena.simulator.takes(plan);
        let again = words::test_again();
        let run = {
            let (system, simulator, workload) =
                (arena.system.clone(), arena.simulator.simulator, arena.workload.workload);
            let plan = plan.clone();
            move || {
                run::run_plan(&run::Subject { system: &system, simulator, workload }, &plan, Options { trace: true })
            }
        };
        let outcome = match within(hang_after, run) {
            Some(outcome) => outcome.map_err(SpecError::from)?,
            None => Outcome::of_failure(&plan.system, words::hang(hang_after)),
        };
        let shown = if outcome.shows(signature) { Some(signature) } else { outcome.signatures.first() };
        Ok(shown.map(|signature| record::of_case(&case, record::finding(&arena, plan, &outcome, signature, again))))
    }
}
