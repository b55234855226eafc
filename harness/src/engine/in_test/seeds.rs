//! The seeds of a campaign in a test, on threads: which is the first to fail, in the order of seeds.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{RecvTimeoutError, Sender, channel},
    },
    thread,
    time::Duration,
};

use squall_reports::records::Finding;

use super::words;
use crate::{
    engine::{
        record,
        run::{self, Class, Outcome},
        seeds::Seeds,
        spec::Job,
    },
    simulators::{Options, PlanError},
};

/// What the seeds came to, up to the first that failed inside the promise.
#[derive(Debug, Default)]
pub(super) struct Sum {
    pub(super) valid: u64,
    pub(super) inconclusive: Option<(u64, String)>,
    pub(super) outside: Option<u64>,
    pub(super) failure: Option<(u64, Finding)>,
}

/// What came of one seed.
enum Ended {
    Valid,
    Inconclusive(String),
    Outside,
    Failed(Box<Finding>),
}

enum Told {
    Begins { worker: usize, seed: u64 },
    Ended { worker: usize, seed: u64, how: Result<Ended, PlanError> },
}

/// What the workers share.
struct Board {
    job: Arc<Job>,
    /// The next seed to give out.
    next: AtomicU64,
    /// Seeds from this one on are not wanted any more.
    end: AtomicU64,
}

/// Runs the seeds on so many threads. Seeds are given out in order, and those before a failing one are always run to their end, so
/// that the first failing seed is the same whatever the number of threads is.
///
/// # Errors
/// When a run cannot begin.
pub(super) fn run(job: &Arc<Job>, seeds: Seeds, jobs: usize, hang_after: Duration) -> Result<Sum, PlanError> {
    let board =
        Arc::new(Board { job: Arc::clone(job), next: AtomicU64::new(seeds.start), end: AtomicU64::new(seeds.end) });
    let (sender, told) = channel();
    let again = words::seed_again();
    for worker in 0..jobs {
        // Not scoped: a thread that hangs can only be left behind.
        let (board, sender, again) = (Arc::clone(&board), sender.clone(), again.clone());
        thread::spawn(move || work(worker, &board, &again, &sender));
    }
    drop(sender);
    let (mut running, mut ended) = (BTreeMap::new(), BTreeMap::new());
    let mut refused = None;
    loop {
        match told.recv_timeout(hang_after) {
            Ok(Told::Begins { worker, seed }) => drop(running.insert(worker, seed)),
            Ok(Told::Ended { worker, seed, how }) => {
                running.remove(&worker);
                match how {
                    Err(e) => {
                        board.end.store(0, Ordering::Relaxed);
                        refused.get_or_insert(e);
                    }
                    Ok(how) => {
                        if matches!(how, Ended::Failed(_)) {
                            board.end.fetch_min(seed, Ordering::Relaxed);
                        }
                        ended.insert(seed, how);
                    }
                }
            }
            Err(RecvTimeoutError::Timeout) => {
                // Seeds after one that failed already are of no interest.
                let end = board.end.swap(0, Ordering::Relaxed);
                let hanging = running.values().copied().filter(|seed| *seed < end);
                ended.extend(hanging.map(|seed| (seed, hangs(job, seed, hang_after, &again))));
                break;
            }
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    if let Some(e) = refused {
        return Err(e);
    }
    let mut sum = Sum::default();
    for (seed, how) in ended {
        match how {
            Ended::Valid => sum.valid += 1,
            Ended::Inconclusive(why) => drop(sum.inconclusive.get_or_insert((seed, why))),
            Ended::Outside => drop(sum.outside.get_or_insert(seed)),
            Ended::Failed(finding) => {
                sum.failure = Some((seed, *finding));
                break;
            }
        }
    }
    Ok(sum)
}

fn work(worker: usize, board: &Board, again: &dyn Fn(u64) -> String, told: &Sender<Told>) {
    loop {
        let seed = board.next.fetch_add(1, Ordering::Relaxed);
        if seed >= board.end.load(Ordering::Relaxed) || told.send(Told::Begins { worker, seed }).is_err() {
            return;
        }
        let how = run_seed(&board.job, seed, again);
        if told.send(Told::Ended { worker, seed, how }).is_err() {
            return;
        }
    }
}

fn run_seed(job: &Job, seed: u64, again: &dyn Fn(u64) -> String) -> Result<Ended, PlanError> {
    let plan = job.plan(seed);
    let outcome = run::run_plan(&job.arena.subject(), &plan, Options::default())?;
    Ok(match outcome.class() {
        Class::Valid => Ended::Valid,
        Class::Unknown | Class::Vacuous => Ended::Inconclusive(outcome.inconclusive().unwrap_or_default()),
        Class::Invalid | Class::Failed(_) if !record::is_inside(&job.arena.promise, &plan) => Ended::Outside,
        Class::Invalid | Class::Failed(_) => {
            let signature = outcome.signatures.first().expect("what failed did so in some way");
            Ended::Failed(Box::new(record::finding(&job.arena, &plan, &outcome, signature, again(seed))))
        }
    })
}

fn hangs(job: &Job, seed: u64, hang_after: Duration, again: &dyn Fn(u64) -> String) -> Ended {
    let plan = job.plan(seed);
    let outcome = Outcome::of_failure(&plan.system, words::hang(hang_after));
    let finding = record::finding(&job.arena, &plan, &outcome, &outcome.signatures[0], again(seed));
    if finding.inside_promise { Ended::Failed(Box::new(finding)) } else { Ended::Outside }
}
