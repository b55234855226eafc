//! A closer look at the first failure of each kind, in a worker process: shrinking runs plans that may hang or die too.

use std::time::Duration;

use squall_reports::records::{Finding, Signature};

use super::{
    keeper::{Keeper, KeeperError, Launch, Limits, Reply},
    protocol::{Answer, Request},
};
use crate::engine::{minimise, spec::Spec};

/// Looks closer at failures.
pub struct Closer {
    keeper: Keeper,
    patience: Duration,
}

impl Closer {
    /// One for the failures of this spec.
    pub fn new(spec: &Spec, limits: Limits, launch: &Launch) -> Self {
        Closer {
            keeper: Keeper::new(launch.clone(), spec.clone(), limits),
            // The first run, the one under way when the time is up, and the one with a trace.
            patience: minimise::SPAN + 3 * limits.hang_after,
        }
    }

    /// Runs a seed again for the record of this failure, and shrinks it within `minimise` runs. `None` when it did not fail in
    /// this way again, took too long, or is no longer wanted.
    ///
    /// # Errors
    /// When no worker can be used.
    pub fn look(
        &mut self,
        seed: u64,
        signature: &Signature,
        minimise: Option<u64>,
        is_wanted: &dyn Fn() -> bool,
    ) -> Result<Option<Finding>, KeeperError> {
        let request = Request::Explain { seed, signature: signature.clone(), minimise };
        match self.keeper.ask(&request, self.patience, is_wanted)? {
            Reply::Failed(_) | Reply::Abandoned => Ok(None),
            Reply::Answer(answer) => match *answer {
                Answer::Explained(finding) => Ok(finding.map(|f| *f)),
                other => Err(KeeperError::out_of_turn(&other)),
            },
        }
    }
}

/// The first finding of each kind, in the order of seeds.
pub fn first_of_each(findings: &[Finding]) -> Vec<&Finding> {
    let mut first: Vec<&Finding> = Vec::new();
    for finding in findings {
        if first.iter().all(|f| f.signature != finding.signature) {
            first.push(finding);
        }
    }
    first
}

/// Seed and kind of the first failure of each kind that a closer look can tell more of: those that took their process with them
/// are left out, and those that were looked at before.
pub fn worth_a_look(findings: &[Finding]) -> Vec<(u64, Signature)> {
    let can_be_run = |f: &&Finding| f.failure.as_ref().is_none_or(|f| f.at_ns.is_some()) && f.minimised.is_none();
    first_of_each(findings).into_iter().filter(can_be_run).map(|f| (f.seed, f.signature.clone())).collect()
}
