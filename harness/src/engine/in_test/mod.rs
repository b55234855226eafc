//! Campaigns in a `#[test]`: many seeds on the threads of the test's own process, and a panic that shows the shrunk failure.
//!
//! ```no_run
//! # use squall::{Env, Promise, Reply, Result, System, checkers::operation::{Interface, Operation}};
//! # struct MyStore;
//! # impl System for MyStore {
//! #     type Client = ();
//! #     fn promise(&self) -> Promise { Promise::new(Interface::REGISTER, "linearizable") }
//! #     async fn serve(&self, _: Env) -> Result<()> { Ok(()) }
//! #     async fn connect(&self, _: &Env) -> Result<()> { Ok(()) }
//! #     async fn invoke(&self, _: &mut (), _: &Env, _: &Operation) -> Result<Reply> { Ok(Reply::Nil) }
//! # }
//! // In a test:
//! squall::campaign(MyStore).seeds(0..200).nemeses(["crash", "partition"]).assert_valid();
//! ```

mod again;
mod patience;
mod seeds;
mod words;

use std::{fs, path::PathBuf, sync::Arc, thread, time::Duration};

use squall_reports::records::Finding;
use squall_workloads::{WORKLOADS, workload::WorkloadEntry};

pub use self::again::{Replay, ReplayError, replay};
use self::patience::within;
use super::{
    explain,
    minimise::{self, Effort},
    seeds::Seeds,
    source::{Source, Store},
    spec::{Job, Spec, SpecError},
};

/// Seeds of a campaign that is not told how many: a few seconds for most stores.
const SEEDS: u64 = 100;

/// The variable that puts other seeds in the place of those of every campaign in a test: `SQUALL_SEEDS=7..8 cargo test my_test`.
pub const SEEDS_VARIABLE: &str = "SQUALL_SEEDS";

/// The folder for cases, below the folder that tests run in.
const OUT: &str = "squall-out";

/// Real time without any seed coming to its end after which those that run hang.
const HANG_AFTER: Duration = Duration::from_secs(60);

/// A campaign against this store, to be run in a test: every fault inside its promise, the first workload that fits, 100 seeds, as
/// many threads as there are cores, all of which can be told otherwise.
pub fn campaign(store: impl Store) -> Campaign {
    let source = store.source();
    Campaign {
        spec: Spec::of(source.name()),
        source,
        workloads: WORKLOADS,
        seeds: Seeds::from(SEEDS),
        jobs: None,
        shrink: minimise::DEFAULT_RUNS,
        hang_after: HANG_AFTER,
        out: PathBuf::from(OUT),
    }
}

/// A campaign that is being put together. [`Campaign::assert_valid`] runs it.
#[must_use = "a campaign runs when it is told to: `.assert_valid()` or `.run()`"]
pub struct Campaign {
    source: Source,
    spec: Spec,
    workloads: &'static [WorkloadEntry],
    seeds: Seeds,
    jobs: Option<usize>,
    shrink: u64,
    hang_after: Duration,
    out: PathBuf,
}

/// What a campaign in a test came to.
#[derive(Clone, Debug)]
pub struct Report {
    /// The system, perhaps with its bug.
    pub system: String,
    /// The seeds it was to run.
    pub seeds: Seeds,
    /// Seeds on which all judges are content. A campaign ends with its first failing seed.
    pub valid: u64,
    /// The first seed of which nothing can be said, and why: a checker gave up, or no operation succeeded.
    pub inconclusive: Option<(u64, String)>,
    /// The first failing seed, shrunk.
    pub failure: Option<Found>,
    /// The first seed that failed under faults outside of the promise, which `beyond` draws; it breaks nothing.
    pub outside: Option<u64>,
}

/// A failure that a campaign in a test found.
#[derive(Clone, Debug)]
pub struct Found {
    /// The seed that failed.
    pub seed: u64,
    /// All that is known of it; of the small run, where it was shrunk.
    pub finding: Box<Finding>,
    /// The file with the case that replays it, where it was shrunk.
    pub case: Option<PathBuf>,
    /// What went wrong with looking closer at it, for people.
    pub trouble: Option<String>,
}

impl Campaign {
    /// The seeds: a count from 0 on, or a half-open range. Panics when there are none. The variable [`SEEDS_VARIABLE`] of the
    /// environment puts others in their place.
    pub fn seeds(mut self, seeds: impl Into<Seeds>) -> Self {
        self.seeds = seeds.into();
        self
    }

    /// The nemeses, by their names in the catalogue; `beyond` draws outside of the promise too, and `none` draws nothing.
    pub fn nemeses<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Self {
        self.spec.nemeses = names.into_iter().map(str::to_owned).collect();
        self
    }

    /// The workload, by its name in the catalogue.
    pub fn workload(mut self, name: impl Into<String>) -> Self {
        self.spec.workload = Some(name.into());
        self
    }

    /// The workloads that there are, in place of those that come with squall: for workloads of the caller's own.
    pub fn workloads(mut self, workloads: &'static [WorkloadEntry]) -> Self {
        self.workloads = workloads;
        self
    }

    /// The simulator, by its name in the catalogue.
    pub fn simulator(mut self, name: impl Into<String>) -> Self {
        self.spec.simulator = Some(name.into());
        self
    }

    /// A setting of the system or of the workload.
    pub fn set(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.spec.settings.insert(key.into(), value.into());
        self
    }

    /// Switches on a bug of a [`SystemEntry`](crate::catalogue::SystemEntry).
    pub fn bug(mut self, name: &str) -> Self {
        self.spec.system = format!("{}:{name}", self.source.name());
        self
    }

    /// Number of replicas.
    pub fn nodes(mut self, nodes: u32) -> Self {
        self.spec.nodes = Some(nodes);
        self
    }

    /// Number of clients.
    pub fn clients(mut self, clients: u32) -> Self {
        self.spec.clients = Some(clients);
        self
    }

    /// Operations per second of virtual time, of all clients together.
    pub fn rate(mut self, per_second: u32) -> Self {
        self.spec.rate = Some(per_second);
        self
    }

    /// How long faults strike, in virtual time.
    pub fn duration(mut self, span: Duration) -> Self {
        self.spec.duration_ns = Some(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX));
        self
    }

    /// Threads; as many as there are cores when not told. What is found does not depend on it.
    pub fn jobs(mut self, jobs: usize) -> Self {
        self.jobs = Some(jobs.max(1));
        self
    }

    /// Runs that shrinking the first failure may take; 0 leaves it as it is. After a minute and a half of real time it goes on
    /// with what it has.
    pub fn shrink(mut self, runs: u64) -> Self {
        self.shrink = runs;
        self
    }

    /// Real time without any seed coming to its end after which those that run hang.
    pub fn hang_after(mut self, span: Duration) -> Self {
        self.hang_after = span;
        self
    }

    /// The folder for cases, in place of `squall-out` below the folder that tests run in, which is that of their crate.
    pub fn out(mut self, folder: impl Into<PathBuf>) -> Self {
        self.out = folder.into();
        self
    }

    /// Runs it, and panics when a seed breaks the promise, with the shrunk failure, its seed and how to run it again; and when
    /// nothing can be said of a seed.
    ///
    /// A run that hangs fails the test, but its thread can only be left behind, until the process of the tests ends; a store that
    /// aborts takes that process with it. `squall campaign` survives both.
    #[track_caller]
    pub fn assert_valid(self) {
        match self.run() {
            Err(e) => panic!("the campaign cannot be run: {e}"),
            Ok(report) => {
                if let Some(broken) = words::broken(&report) {
                    panic!("{broken}");
                }
            }
        }
    }

    /// Runs it up to the first seed that breaks the promise, in the order of seeds, and shrinks that.
    ///
    /// # Errors
    /// When a name is unknown or a setting is of no use, or [`SEEDS_VARIABLE`] names no seeds. Whatever the store does is in the
    /// report.
    pub fn run(mut self) -> Result<Report, SpecError> {
        if let Some(text) = std::env::var(SEEDS_VARIABLE).ok().filter(|text| !text.is_empty()) {
            self.seeds = text.parse().map_err(|e| SpecError::Variable { name: SEEDS_VARIABLE, problem: e })?;
        }
        let job = Arc::new(self.spec.resolve_from(&self.source, self.workloads)?);
        let jobs = self.jobs.or_else(|| thread::available_parallelism().ok().map(usize::from)).unwrap_or(1);
        let hang_after = self.hang_after + job.arena.simulator.takes(&job.plan(self.seeds.start));
        let sum = seeds::run(&job, self.seeds, jobs, hang_after)?;
        Ok(Report {
            system: self.spec.system.clone(),
            seeds: self.seeds,
            valid: sum.valid,
            inconclusive: sum.inconclusive,
            outside: sum.outside,
            failure: sum.failure.map(|(seed, finding)| self.look_closer(&job, seed, finding)),
        })
    }

    /// Shrinks a failure and writes its case down, as far as that can be done.
    fn look_closer(&self, job: &Arc<Job>, seed: u64, finding: Finding) -> Found {
        let can_be_run =
            finding.failure.as_ref().is_none_or(|f| f.at_ns.is_some()) && job.arena.simulator.deterministic;
        let signature = finding.signature.clone();
        let mut found = Found { seed, finding: Box::new(finding), case: None, trouble: None };
        if can_be_run {
            let effort = (self.shrink > 0).then_some(Effort { runs: self.shrink, span: Some(minimise::SPAN) });
            let (job, again) = (Arc::clone(job), found.finding.replay.clone());
            let look = move || explain::explain(&job.arena, &job.plan(seed), &signature, effort, again);
            // The first run, the one under way when the time is up, and the one with a trace.
            match within(minimise::SPAN + 3 * self.hang_after, look) {
                None => found.trouble = Some("a run while it was shrunk came to no end".to_owned()),
                Some(Err(e)) => found.trouble = Some(format!("it could not be run again: {e}")),
                Some(Ok(None)) => found.trouble = Some(NOT_AGAIN.to_owned()),
                Some(Ok(Some(explained))) => *found.finding = explained.finding,
            }
        }
        if let Some(text) = &found.finding.case {
            let path = self.out.join(words::folder(&self.spec.system)).join(explain::case_file(&found.finding));
            match path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&path, text)) {
                Ok(()) => found.case = Some(path),
                Err(e) => found.trouble = Some(format!("its case cannot be written to {}: {e}", path.display())),
            }
        }
        found
    }
}

/// What is said of a failure that does not come again.
const NOT_AGAIN: &str = "the same seed did not fail in the same way again: the store is not deterministic";
