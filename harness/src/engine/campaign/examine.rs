//! Examining a system's determinism with worker processes: each seed runs in two threads of one process, and in another
//! process.

use std::{sync::mpsc, thread, time::Duration};

use squall_reports::records::Failure;

use super::{
    keeper::{Keeper, KeeperError, Launch, Limits, Reply},
    protocol::{Answer, Request},
};
use crate::engine::{
    determinism::{Between, Divergence, Fingerprint, first_difference},
    seeds::Seeds,
    spec::Spec,
    stopwatch::Stopwatch,
};

/// Runs that agree before that is no longer taken for chance.
const AGAIN_MAX: u32 = 10;
/// Times a pair of runs is traced again when the traces happen to agree.
const TRACED_MAX: usize = 8;

/// What an examination came to.
#[derive(Debug)]
pub struct Examination {
    /// Seeds whose runs all agreed.
    pub agreed: u64,
    /// The first seed whose runs did not.
    pub disagreement: Option<Disagreement>,
    /// A seed that took its process with it, so that nothing can be compared.
    pub failed: Option<(u64, Failure)>,
}

/// A seed whose runs differ.
#[derive(Debug)]
pub struct Disagreement {
    /// The seed.
    pub seed: u64,
    /// Between which runs.
    pub between: Between,
    /// Where two of them part; `None` when traced runs happened to agree.
    pub divergence: Option<Divergence>,
    /// Wakes from foreign threads in these runs.
    pub foreign_wakes: u64,
}

/// Runs each seed three times, until two runs disagree or the budget is spent.
///
/// # Errors
/// When no worker can be used.
pub fn examine(
    spec: &Spec,
    seeds: Seeds,
    budget: Duration,
    limits: Limits,
    launch: &Launch,
) -> Result<Examination, KeeperError> {
    let watch = Stopwatch::start();
    let mut desk = Desk {
        one: Keeper::new(launch.clone(), spec.clone(), limits),
        other: Keeper::new(launch.clone(), spec.clone(), limits),
        watch,
        budget,
        limits,
    };
    let mut examination = Examination { agreed: 0, disagreement: None, failed: None };
    for seed in seeds.start..seeds.end {
        match desk.compare(seed)? {
            Compared::Agreed => examination.agreed += 1,
            Compared::OutOfTime => break,
            Compared::Failed(failure) => {
                examination.failed = Some((seed, failure));
                break;
            }
            Compared::Differed { between, foreign_wakes } => {
                let fresh = || Keeper::new(launch.clone(), spec.clone(), limits);
                let between = desk.ask_again(seed, between, &fresh)?;
                let divergence = desk.locate(seed, between, &fresh)?;
                examination.disagreement = Some(Disagreement { seed, between, divergence, foreign_wakes });
                break;
            }
        }
    }
    Ok(examination)
}

enum Compared {
    Agreed,
    Differed { between: Between, foreign_wakes: u64 },
    Failed(Failure),
    OutOfTime,
}

enum Asked {
    Ran(Fingerprint),
    Failed(Failure),
    OutOfTime,
}

struct Desk {
    one: Keeper,
    other: Keeper,
    watch: Stopwatch,
    budget: Duration,
    limits: Limits,
}

impl Desk {
    /// One process runs the seed twice, on two threads one after the other; another runs it once, at the same time.
    fn compare(&mut self, seed: u64) -> Result<Compared, KeeperError> {
        let (watch, budget, limits) = (self.watch, self.budget, self.limits);
        let (sender, receiver) = mpsc::channel();
        let (first, second) = thread::scope(|scope| {
            let other = &mut self.other;
            scope.spawn(move || sender.send(ask(other, seed, false, watch, budget, limits)));
            let first = ask(&mut self.one, seed, false, watch, budget, limits);
            let second = match &first {
                Ok(Asked::Ran(_)) => Some(ask(&mut self.one, seed, false, watch, budget, limits)),
                _ => None,
            };
            (first, second)
        });
        let third = receiver.recv().expect("the scope has waited for it");
        let mut ran = Vec::new();
        for asked in [Some(first), second, Some(third)].into_iter().flatten() {
            match asked? {
                Asked::Ran(fingerprint) => ran.push(fingerprint),
                Asked::Failed(failure) => return Ok(Compared::Failed(failure)),
                Asked::OutOfTime => return Ok(Compared::OutOfTime),
            }
        }
        let [first, second, third] = ran.as_slice() else { return Ok(Compared::OutOfTime) };
        let foreign_wakes = ran.iter().map(|f| f.foreign_wakes).sum();
        let between = match (first.agrees(second), first.agrees(third)) {
            (true, true) => return Ok(Compared::Agreed),
            (true, false) => Between::ProcessesOnly,
            // Only what outlives a run differs between the second and a first run, but not between first ones.
            (false, true) => Between::ThreadsOnly,
            (false, false) => Between::Both,
        };
        Ok(Compared::Differed { between, foreign_wakes })
    }

    /// Runs that agreed may have agreed by chance: of two orders of a few elements every second one is the same. So both
    /// threads and processes are tried some more before either is ruled out.
    fn ask_again(&self, seed: u64, between: Between, fresh: &dyn Fn() -> Keeper) -> Result<Between, KeeperError> {
        let mut one = fresh();
        let mut known: Option<Fingerprint> = None;
        for _ in 0..AGAIN_MAX {
            let asked = match between {
                Between::Both => return Ok(Between::Both),
                Between::ProcessesOnly => self.fingerprint(&mut one, seed)?,
                Between::ThreadsOnly => self.fingerprint(&mut fresh(), seed)?,
            };
            let Some(fingerprint) = asked else { break };
            if known.as_ref().is_some_and(|known| !known.agrees(&fingerprint)) {
                return Ok(Between::Both);
            }
            known = Some(fingerprint);
        }
        Ok(between)
    }

    fn fingerprint(&self, keeper: &mut Keeper, seed: u64) -> Result<Option<Fingerprint>, KeeperError> {
        Ok(match ask(keeper, seed, false, self.watch, self.budget, self.limits)? {
            Asked::Ran(fingerprint) => Some(fingerprint),
            Asked::Failed(_) | Asked::OutOfTime => None,
        })
    }

    /// Runs the seed with a trace where it differed before, until two traces differ.
    fn locate(
        &mut self,
        seed: u64,
        between: Between,
        fresh: &dyn Fn() -> Keeper,
    ) -> Result<Option<Divergence>, KeeperError> {
        let mut one = fresh();
        for _ in 0..TRACED_MAX {
            let first = self.trace(&mut one, seed)?;
            let second = match between {
                Between::ProcessesOnly => self.trace(&mut fresh(), seed)?,
                Between::ThreadsOnly | Between::Both => self.trace(&mut one, seed)?,
            };
            let (Some(first), Some(second)) = (first, second) else { return Ok(None) };
            if let Some(divergence) = first_difference(&first, &second) {
                return Ok(Some(divergence));
            }
        }
        Ok(None)
    }

    fn trace(&self, keeper: &mut Keeper, seed: u64) -> Result<Option<Vec<crate::simulators::TraceEvent>>, KeeperError> {
        Ok(match ask(keeper, seed, true, self.watch, self.budget, self.limits)? {
            Asked::Ran(fingerprint) => fingerprint.events,
            Asked::Failed(_) | Asked::OutOfTime => None,
        })
    }
}

fn ask(
    keeper: &mut Keeper,
    seed: u64,
    trace: bool,
    watch: Stopwatch,
    budget: Duration,
    limits: Limits,
) -> Result<Asked, KeeperError> {
    let in_time = || watch.elapsed() < budget;
    if !in_time() {
        return Ok(Asked::OutOfTime);
    }
    match keeper.ask(&Request::Fingerprint { seed, trace }, limits.hang_after, &in_time)? {
        Reply::Abandoned => Ok(Asked::OutOfTime),
        Reply::Failed(failure) => Ok(Asked::Failed(failure)),
        Reply::Answer(answer) => match *answer {
            Answer::Fingerprint(fingerprint) => Ok(Asked::Ran(*fingerprint)),
            other => Err(KeeperError::out_of_turn(&other)),
        },
    }
}
