//! A campaign: a supervisor with one worker process per job. Whatever a seed does to its worker, the campaign goes on, and what
//! was found is on file before the next seed starts.

pub mod closer;
pub mod combine;
pub mod cross_check;
pub mod examine;
pub mod folder;
pub mod keeper;
pub mod ledger;
pub mod protocol;
pub mod shard;
pub mod single;
pub mod watch;
pub mod worker;

use std::{
    collections::BTreeSet,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{RecvTimeoutError, Sender, channel},
    },
    thread,
    time::Duration,
};

use squall_reports::records::{Failure, Finding, OperationCounts, Signature, Totals};

use self::{
    closer::Closer,
    folder::{Charter, Folder, FolderError},
    keeper::{Keeper, KeeperError, Launch, Limits, Reply},
    ledger::Ledger,
    protocol::{Answer, Request, SeedReport},
};
use super::{
    record,
    run::{Class, Outcome},
    spec::{Job, Registry, SpecError},
    stopwatch::Stopwatch,
};

/// How often progress is told and the wish to stop is looked at.
const TICK: Duration = Duration::from_millis(100);

/// How a campaign is run. Nothing of it changes what is found, but for a budget that runs out.
#[derive(Clone, Debug)]
pub struct Conduct {
    /// Worker processes.
    pub jobs: usize,
    /// Real time after which it ends.
    pub budget: Option<Duration>,
    /// What one seed may take.
    pub limits: Limits,
    /// Runs that shrinking the first failure of each kind may take, at the end; `None` to leave them as they are.
    pub minimise: Option<u64>,
    /// How to start a worker.
    pub launch: Launch,
}

/// Why a campaign ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// All seeds ran.
    AllSeeds,
    /// As many seeds failed as were asked for.
    StopAfter,
    /// The budget of real time is spent.
    Budget,
    /// Somebody wished it to stop.
    Interrupted,
    /// It could not go on.
    Trouble,
    /// It was put together from the parts of many machines, and seeds are missing.
    Partial,
}

impl Ended {
    /// The same for people.
    pub fn text(self) -> &'static str {
        match self {
            Ended::AllSeeds => "all seeds ran",
            Ended::StopAfter => "as many seeds failed as were asked for",
            Ended::Budget => "the time budget is spent",
            Ended::Interrupted => "interrupted",
            Ended::Trouble => "it could not go on",
            Ended::Partial => "seeds are missing",
        }
    }
}

/// What a campaign came to.
#[derive(Debug)]
pub struct Report {
    /// Its figures.
    pub totals: Totals,
    /// The findings on record: by seed, then by signature.
    pub findings: Vec<Finding>,
    /// Seeds that failed inside the promise.
    pub failing_inside: u64,
    /// Seeds that failed under faults that the promise does not cover.
    pub failing_outside: u64,
    /// The first seed of which nothing can be said, and why.
    pub inconclusive: Option<(u64, String)>,
    /// Why it ended.
    pub ended: Ended,
    /// What kept it from going on, or from writing down all it found.
    pub trouble: Option<CampaignError>,
}

/// Why a campaign cannot go on. Whatever a system under test does is a verdict instead.
#[derive(Debug, thiserror::Error)]
pub enum CampaignError {
    /// The spec cannot be resolved.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// Its folder cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// No worker can be used.
    #[error(transparent)]
    Worker(#[from] KeeperError),
}

/// How far a campaign has come.
#[derive(Clone, Debug)]
pub struct Progress<'a> {
    /// What it is doing.
    pub stage: Stage<'a>,
    /// Seeds with a report.
    pub seeds: u64,
    /// Seeds of which a report was there when this process began.
    pub seeds_before: u64,
    /// Seeds in all, as far as is known.
    pub seeds_max: u64,
    /// Seeds that failed.
    pub failing: u64,
    /// Real time since this process began it.
    pub elapsed: Duration,
}

/// What a campaign is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage<'a> {
    /// It runs seeds.
    Seeds,
    /// It looks closer at the first failure of this kind.
    Explaining(&'a Signature),
}

/// Who follows a campaign while it runs.
pub trait Watcher {
    /// Called several times a second.
    fn progress(&mut self, progress: &Progress<'_>);

    /// Called when a seed failed in a way that no seed before had, in the order of arrival.
    fn found(&mut self, signature: &Signature, seed: u64);
}

/// Runs the seeds of the charter that have no report yet, and settles the folder.
///
/// The findings do not depend on the number of jobs: seeds are given out in order, reports are entered in the order of seeds, and
/// with a [`Stop`](ledger::Stop) the campaign ends with the so-manieth failing seed *in that order*; what later seeds showed in
/// the meantime is dropped. A budget or an interruption ends it wherever it is.
///
/// # Errors
/// When it cannot even begin. Later trouble ends it early and is told in the report, beside what was found.
pub fn run(
    registry: &Registry,
    charter: &Charter,
    folder: Folder,
    done: Vec<SeedReport>,
    conduct: &Conduct,
    stop: &AtomicBool,
    watcher: &mut dyn Watcher,
) -> Result<Report, CampaignError> {
    let job = charter.spec.resolve(registry)?;
    let mut ledger = Ledger::new(charter.seeds, charter.stop.clone());
    let (mut known, mut seen) = (BTreeSet::new(), BTreeSet::new());
    for report in done {
        known.insert(report.seed);
        seen.extend(report.signatures.iter().cloned());
        ledger.add(report);
    }
    let shared = Shared {
        next: Mutex::new(charter.seeds.start),
        known,
        last_seed: AtomicU64::new(ledger.last_seed()),
        stop,
        over: AtomicBool::new(false),
        folder: Mutex::new(folder),
    };
    let mut campaign = Campaign {
        job: &job,
        charter,
        conduct,
        seeds_before: ledger.known(),
        ledger,
        seen,
        watch: Stopwatch::start(),
        trouble: None,
        ended: None,
        shared: &shared,
    };
    campaign.run_seeds(watcher);
    Ok(campaign.finish(watcher))
}

/// What the keepers' threads share.
struct Shared<'a> {
    /// The next seed to give out.
    next: Mutex<u64>,
    /// Seeds that have a report from an earlier process.
    known: BTreeSet<u64>,
    /// Seeds after this one are not wanted.
    last_seed: AtomicU64,
    /// Somebody wishes the campaign to stop.
    stop: &'a AtomicBool,
    /// The campaign is over: budget or trouble.
    over: AtomicBool,
    /// Keepers write down what they found themselves, before they ask for the next seed.
    folder: Mutex<Folder>,
}

impl Shared<'_> {
    fn is_wanted(&self, seed: u64) -> bool {
        !self.is_stopped() && !self.over.load(Ordering::Relaxed) && seed <= self.last_seed.load(Ordering::Relaxed)
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn take_seed(&self) -> Option<u64> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        while self.known.contains(&next) {
            *next += 1;
        }
        let seed = *next;
        self.is_wanted(seed).then(|| {
            *next += 1;
            seed
        })
    }

    fn folder(&self) -> std::sync::MutexGuard<'_, Folder> {
        self.folder.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Campaign<'a> {
    job: &'a Job,
    charter: &'a Charter,
    conduct: &'a Conduct,
    ledger: Ledger,
    seeds_before: u64,
    /// Kinds of failures that were told to the watcher.
    seen: BTreeSet<Signature>,
    watch: Stopwatch,
    trouble: Option<CampaignError>,
    ended: Option<Ended>,
    shared: &'a Shared<'a>,
}

impl Campaign<'_> {
    fn run_seeds(&mut self, watcher: &mut dyn Watcher) {
        let (sender, reports) = channel();
        thread::scope(|scope| {
            for _ in 0..self.conduct.jobs.max(1) {
                let (sender, job, conduct, shared) = (sender.clone(), self.job, self.conduct, self.shared);
                scope.spawn(move || keep(job, conduct, shared, &sender));
            }
            drop(sender);
            loop {
                match reports.recv_timeout(TICK) {
                    Ok(Ok(report)) => self.take(report, watcher),
                    Ok(Err(trouble)) => {
                        self.shared.over.store(true, Ordering::Relaxed);
                        self.ended = Some(Ended::Trouble);
                        self.trouble.get_or_insert(trouble);
                    }
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => break,
                }
                if self.conduct.budget.is_some_and(|budget| self.watch.elapsed() >= budget) && self.ended.is_none() {
                    self.ended = Some(Ended::Budget);
                    self.shared.over.store(true, Ordering::Relaxed);
                }
                self.tell(Stage::Seeds, watcher);
            }
        });
    }

    fn take(&mut self, report: SeedReport, watcher: &mut dyn Watcher) {
        for signature in &report.signatures {
            if self.seen.insert(signature.clone()) {
                watcher.found(signature, report.seed);
            }
        }
        self.ledger.add(report);
        self.shared.last_seed.store(self.ledger.last_seed(), Ordering::Relaxed);
    }

    fn tell(&self, stage: Stage<'_>, watcher: &mut dyn Watcher) {
        watcher.progress(&Progress {
            stage,
            seeds: self.ledger.known(),
            seeds_before: self.seeds_before,
            seeds_max: self.ledger.last_seed().saturating_sub(self.charter.seeds.start) + 1,
            failing: self.ledger.failing(),
            elapsed: self.watch.elapsed(),
        });
    }

    fn finish(mut self, watcher: &mut dyn Watcher) -> Report {
        let ended = match self.ended {
            Some(Ended::Trouble) => Ended::Trouble,
            ended if !self.ledger.is_complete() => ended.unwrap_or(Ended::Interrupted),
            _ if self.ledger.last_seed() + 1 < self.charter.seeds.end => Ended::StopAfter,
            _ => Ended::AllSeeds,
        };
        self.ledger.close();
        let last = self.ledger.last_seed();
        if matches!(ended, Ended::AllSeeds | Ended::StopAfter | Ended::Budget) {
            self.explain(last, watcher);
        }
        let totals = self.totals(ended);
        let folder = self.shared.folder();
        if let Err(e) = folder.settle(last, &totals) {
            self.trouble.get_or_insert(e.into());
        }
        Report {
            findings: folder.findings(last),
            failing_inside: self.ledger.failing_inside(),
            failing_outside: self.ledger.failing_outside(),
            inconclusive: self.ledger.inconclusive().map(|(seed, why)| (seed, why.to_owned())),
            totals,
            ended,
            trouble: self.trouble,
        }
    }

    fn totals(&self, ended: Ended) -> Totals {
        let request = &self.job.request;
        let mut totals = self.ledger.totals();
        totals.system.clone_from(&request.system);
        totals.workload.clone_from(&request.workload);
        self.job.arena.simulator.name.clone_into(&mut totals.simulator);
        totals.nondeterministic = !self.job.arena.simulator.deterministic;
        totals.nemeses = request.nemeses.names().into_iter().map(str::to_owned).collect();
        ended.text().clone_into(&mut totals.ended);
        totals.wall_ms = self.watch.elapsed().as_millis() as u64;
        totals
    }

    /// Looks closer at the first failure of each kind that was looked for: shrinks it where asked for, and records its trace.
    fn explain(&mut self, last: u64, watcher: &mut dyn Watcher) {
        let first = closer::worth_a_look(&self.shared.folder().findings(last));
        let mut closer = Closer::new(&self.job.spec, self.conduct.limits, &self.conduct.launch);
        for (seed, signature) in first.into_iter().filter(|(_, signature)| self.charter.stop.counts(signature)) {
            self.tell(Stage::Explaining(&signature), watcher);
            let looked = closer.look(seed, &signature, self.conduct.minimise, &|| !self.shared.is_stopped());
            let told = looked.map_err(CampaignError::from).and_then(|finding| match finding {
                Some(finding) => Ok(self.shared.folder().explain(finding)?),
                // The record we have stays.
                None => Ok(()),
            });
            if let Err(e) = told {
                self.trouble.get_or_insert(e);
                return;
            }
        }
    }
}

/// One job: takes seed after seed, and writes down what came of each before it takes the next.
fn keep(job: &Job, conduct: &Conduct, shared: &Shared<'_>, reports: &Sender<Result<SeedReport, CampaignError>>) {
    let mut keeper = Keeper::new(conduct.launch.clone(), job.spec.clone(), conduct.limits);
    while let Some(seed) = shared.take_seed() {
        let known = shared.folder().known_before(seed);
        let request = Request::Seed { seed, known };
        let (report, findings) = match keeper.ask(&request, conduct.limits.hang_after, &|| shared.is_wanted(seed)) {
            Ok(Reply::Answer(answer)) => match *answer {
                Answer::Done { report, findings } => (*report, findings),
                other => {
                    let _ = reports.send(Err(KeeperError::out_of_turn(&other).into()));
                    return;
                }
            },
            Ok(Reply::Failed(failure)) => failed(job, seed, failure),
            Ok(Reply::Abandoned) => return,
            Err(e) => {
                let _ = reports.send(Err(e.into()));
                return;
            }
        };
        let written = shared.folder().append(&report, findings);
        if reports.send(Ok(report)).is_err() {
            return;
        }
        if let Err(e) = written {
            let _ = reports.send(Err(e.into()));
            return;
        }
    }
}

/// The report and finding of a seed that took its worker with it.
fn failed(job: &Job, seed: u64, failure: Failure) -> (SeedReport, Vec<Finding>) {
    let plan = job.plan(seed);
    let signature = Signature::of_failure(&plan.system, failure.kind);
    let report = SeedReport {
        seed,
        class: Class::Failed(failure.kind),
        signatures: vec![signature.clone()],
        inside_promise: record::is_inside(&job.arena.promise, &plan),
        inconclusive: None,
        operations: OperationCounts::default(),
        messages: 0,
        simulated_ns: 0,
        faults: record::fault_counts(&plan, None),
        cpu_us: 0,
        judging_us: 0,
    };
    let outcome = Outcome::of_failure(&plan.system, failure);
    let finding = record::finding(&job.arena, &plan, &outcome, &signature, job.spec.command(seed));
    (report, vec![finding])
}
