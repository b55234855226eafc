//! The same seeds on several simulators: which of them finds what, and how often.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use serde::Serialize;
use squall_reports::records::Signature;

use super::{
    keeper::{Keeper, KeeperError, Launch, Limits, Reply},
    protocol::{Answer, Request},
};
use crate::{
    engine::{
        run::{Class, Outcome},
        seeds::Seeds,
        spec::Spec,
    },
    simulators::SimulatorEntry,
};

/// What one simulator said of the seeds.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Side {
    /// Its name.
    pub simulator: String,
    /// Seeds on which all judges are content.
    pub valid: u64,
    /// Seeds on which nothing can be said.
    pub inconclusive: u64,
    /// Seeds that failed, in order.
    pub failed: Vec<u64>,
    /// The seeds that failed in each way, by anomaly.
    pub anomalies: BTreeMap<String, Vec<u64>>,
    /// Whether every failure was outside the promise.
    pub outside: bool,
}

/// Runs every seed on every simulator, each in a worker process. `told` learns of every seed that is done.
///
/// # Errors
/// When no worker can be used, or the plans cannot be run.
pub fn cross_check(
    spec: &Spec,
    simulators: &[&'static SimulatorEntry],
    seeds: Seeds,
    jobs: usize,
    limits: Limits,
    launch: &Launch,
    told: &(dyn Fn(u64) + Sync),
) -> Result<Vec<Side>, KeeperError> {
    let side = |s: &&SimulatorEntry| Side { simulator: s.name.to_owned(), outside: true, ..Side::default() };
    let sides = Mutex::new(simulators.iter().map(side).collect::<Vec<_>>());
    let next = AtomicU64::new(seeds.start);
    let job = || {
        let keeper = |s: &&SimulatorEntry| {
            let spec = Spec { simulator: Some(s.name.to_owned()), ..spec.clone() };
            Keeper::new(launch.clone(), spec, limits)
        };
        let mut keepers: Vec<Keeper> = simulators.iter().map(keeper).collect();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return Ok(());
            }
            for (index, keeper) in keepers.iter_mut().enumerate() {
                let (class, signatures, inside) = run(keeper, &spec.system, seed, limits)?;
                let mut sides = sides.lock().unwrap_or_else(PoisonError::into_inner);
                sides[index].note(seed, class, &signatures, inside);
            }
            told(seed);
        }
    };
    thread::scope(|scope| {
        let handles: Vec<_> = (0..jobs.max(1)).map(|_| scope.spawn(job)).collect();
        handles.into_iter().try_for_each(|handle| handle.join().expect("a job that panics is a bug of ours"))
    })?;
    let mut sides = sides.into_inner().unwrap_or_else(PoisonError::into_inner);
    for side in &mut sides {
        side.failed.sort_unstable();
        side.anomalies.values_mut().for_each(|seeds| seeds.sort_unstable());
    }
    Ok(sides)
}

fn run(
    keeper: &mut Keeper,
    system: &str,
    seed: u64,
    limits: Limits,
) -> Result<(Class, Vec<Signature>, bool), KeeperError> {
    match keeper.ask(&Request::Seed { seed, known: Vec::new() }, limits.hang_after, &|| true)? {
        Reply::Answer(answer) => match *answer {
            Answer::Done { report, .. } => Ok((report.class, report.signatures, report.inside_promise)),
            other => Err(KeeperError::out_of_turn(&other)),
        },
        Reply::Failed(failure) => {
            let outcome = Outcome::of_failure(system, failure);
            Ok((outcome.class(), outcome.signatures, true))
        }
        Reply::Abandoned => unreachable!("the answer is always wanted"),
    }
}

impl Side {
    fn note(&mut self, seed: u64, class: Class, signatures: &[Signature], inside: bool) {
        match class {
            Class::Valid => self.valid += 1,
            Class::Unknown | Class::Vacuous => self.inconclusive += 1,
            Class::Invalid | Class::Failed(_) => {
                self.failed.push(seed);
                self.outside &= !inside;
                for signature in signatures {
                    self.anomalies.entry(signature.anomaly.clone()).or_default().push(seed);
                }
            }
        }
    }
}
