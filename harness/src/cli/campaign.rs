//! `squall campaign SYSTEM`: many seeds, and what fails among them.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicBool},
    thread,
    time::Duration,
};

use super::{
    Context, Result, by_hand,
    ci::{self, CiArgs},
    outcome,
    progress::Bar,
    regressions::{self, Regressions},
    spec_args, wrong,
};
use crate::{
    engine::{
        campaign::{
            self, Conduct,
            folder::{CAMPAIGN_FILE, Charter, Folder, FolderError},
            keeper::{Launch, Limits},
            ledger::Stop,
            protocol::SeedReport,
            shard::Shard,
        },
        confidence::{self, Chance},
        minimise, program,
        seeds::Seeds,
        span::Span,
        spec::Spec,
    },
    exit::Exit,
};
use signal_hook::consts::{SIGINT, SIGTERM};
use squall_reports::records::{SeedCounts, Totals};

/// Seeds of a campaign that is not told how many.
const SEEDS: Seeds = Seeds { start: 0, end: 400 };

/// The folder above all campaigns' folders.
const OUT: &str = "squall-out";

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The system, perhaps with a bug: `raft-rs-kv`, `raft-rs-kv:ack-before-fsync`
    #[arg(required_unless_present_any = ["plan", "resume"], conflicts_with_all = ["plan", "resume"])]
    system: Option<String>,
    /// Run every seed with the faults of this plan by hand, in TOML, instead of drawn ones (see docs/formats.md)
    #[arg(long, value_name = "FILE.toml", conflicts_with = "resume")]
    plan: Option<PathBuf>,
    #[command(flatten)]
    spec: spec_args::SpecArgs,
    /// The seeds: `N` for 0..N, or a half-open range `A..B` [default: 400]
    #[arg(long, value_name = "N|A..B", conflicts_with = "resume")]
    seeds: Option<Seeds>,
    /// Start at a random seed, which is printed, and run as many as `--seeds` says
    #[arg(long, conflicts_with = "resume")]
    fresh: bool,
    /// Worker processes; as many as there are cores when not given
    #[arg(long, value_name = "J", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    /// End after so much real time: `30s`, `10m`
    #[arg(long, value_name = "WALL")]
    budget: Option<Span>,
    /// End with the N-th seed that fails, in the order of seeds
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), conflicts_with = "resume")]
    stop_after: Option<u64>,
    /// Anomalies that count for `--stop-after`, with commas; all when not given
    #[arg(long, value_name = "A,B", value_delimiter = ',', requires = "stop_after")]
    stop_on: Vec<String>,
    /// The folder for what is found; a new one in `squall-out` when not given
    #[arg(long, value_name = "DIR", conflicts_with = "resume")]
    out: Option<PathBuf>,
    /// Go on with the campaign in this folder
    #[arg(long, value_name = "DIR")]
    resume: Option<PathBuf>,
    /// Real time after which a seed hangs
    #[arg(long, value_name = "WALL", default_value = "30s")]
    hang_after: Span,
    /// Memory one seed may take, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 2048, value_parser = clap::value_parser!(u64).range(16..=1 << 20))]
    memory: u64,
    /// Do not shrink the first failure of each kind at the end
    #[arg(long)]
    no_minimize: bool,
    /// Run so many seeds that, should all be clean, a bug that shows in `--bug-rate` of them would have shown so surely: `99%`
    #[arg(long, value_name = "P", requires = "bug_rate", conflicts_with_all = ["seeds", "resume"])]
    until_confidence: Option<Chance>,
    /// The share of seeds in which a bug shows that is to be ruled out: `1/1000`
    #[arg(long, value_name = "P", requires = "until_confidence")]
    bug_rate: Option<Chance>,
    /// Run one machine's part of the seeds, the I-th of N; `squall report DIR… --out DIR` combines the folders
    #[arg(long, value_name = "I/N", conflicts_with_all = ["resume", "fresh"])]
    shard: Option<Shard>,
    /// A folder of cases that failed before: they run first, and the cases of new failures are added
    #[arg(long, value_name = "DIR")]
    regressions: Option<PathBuf>,
    #[command(flatten)]
    ci: CiArgs,
    /// The totals on stdout, for machines
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args, context: &mut Context) -> Result {
    args.ci.check()?;
    // Cases that cannot be read are told before any folder is made.
    let known = args.regressions.as_deref().map(Regressions::read).transpose()?;
    let (folder, charter, done) = match &args.resume {
        Some(path) => Folder::resume(path).map_err(|e| folder_error(&e))?,
        None => begin(args, context)?,
    };
    let job = spec_args::resolve(&charter.spec, context)?;
    // In real time a seed takes as long as its plan, and does not fail again when asked to.
    let takes = job.arena.simulator.takes(&job.plan(charter.seeds.start));
    let minimise = !args.no_minimize && job.arena.simulator.deterministic;
    let conduct = Conduct {
        jobs: jobs(args.jobs),
        budget: args.budget.map(|b| Duration::from_nanos(b.0)),
        limits: Limits {
            hang_after: Duration::from_nanos(args.hang_after.0.max(1)) + takes,
            memory_bytes: args.memory << 20,
        },
        minimise: minimise.then_some(minimise::DEFAULT_RUNS),
        launch: launch()?,
    };
    let path = folder.path().to_owned();
    let system = &charter.spec.system;
    let place = path.display();
    match done.len() {
        0 => eprintln!("campaign against {system}, seeds {}, into {place}", charter.seeds),
        n => eprintln!("campaign against {system}, seeds {}, goes on in {place} after {n} seeds", charter.seeds),
    }
    if let Some(part) = charter.shard {
        eprintln!("this is shard {} of the seeds {}", part.shard, part.whole);
    }
    let reruns = match &known {
        Some(known) => regressions::rerun(known, system, context, args.json)?,
        None => Vec::new(),
    };
    let stop = stop_on_signals()?;
    let mut bar = Bar::new();
    let result = campaign::run(&context.registry, &charter, folder, done, &conduct, &stop, &mut bar);
    drop(bar);
    let report = result.map_err(|e| wrong(&e, "Nothing was run."))?;
    outcome::show(context, &report, &charter, &path, args.json)?;
    if let Some((confidence, rate)) = args.until_confidence.zip(args.bug_rate)
        && !args.json
    {
        context.output.line(sure(&report.totals, confidence, rate))?;
    }
    if let Some(known) = &known {
        known.add(&report.findings, &reruns)?;
    }
    args.ci.tell(&report, &reruns)?;
    Ok(ci::exit(&args.ci, &report, &reruns))
}

/// What the seeds say about bugs of this rate.
fn sure(totals: &Totals, confidence: Chance, rate: Chance) -> String {
    let SeedCounts { run, valid, .. } = totals.seeds;
    if valid < run {
        return format!("{} of {run} seeds are not clean: nothing is ruled out.", run - valid);
    }
    match confidence::reached(valid, rate) {
        Some(reached) if valid >= confidence::seeds_needed(confidence, rate) => format!(
            "{valid} clean seeds: a bug that shows in {rate} of the seeds or more would have shown with {reached} certainty."
        ),
        Some(reached) => format!("{valid} clean seeds make it {reached} certain, and {confidence} was asked for."),
        None => "no seed ran: nothing is ruled out.".to_owned(),
    }
}

fn begin(args: &Args, context: &Context) -> Result<(Folder, Charter, Vec<SeedReport>)> {
    let spec = spec(args, context)?;
    let needed = args.until_confidence.zip(args.bug_rate).map(|(c, p)| confidence::seeds_needed(c, p));
    let mut seeds = needed.map(|n| Seeds::starting_at(0, n)).or(args.seeds).unwrap_or(SEEDS);
    if let Some((n, (confidence, rate))) = needed.zip(args.until_confidence.zip(args.bug_rate)) {
        eprintln!("{n} clean seeds make it {confidence} certain that fewer than {rate} of the seeds fail");
    }
    if args.fresh {
        seeds = Seeds::starting_at(random_start(), seeds.count());
        eprintln!("starting at the random seed {} (--seeds {seeds} runs the same again)", seeds.start);
    }
    let charter = Charter::new(spec, seeds, Stop { after: args.stop_after, on: args.stop_on.clone() });
    let charter = match args.shard {
        None => charter,
        Some(shard) => charter.part(shard).ok_or_else(|| {
            wrong(
                format!("no seed of {seeds} is left for shard {shard}"),
                "Use as many shards as there are seeds, or fewer.",
            )
        })?,
    };
    let folder = match &args.out {
        Some(path) => Folder::create(path, &charter),
        None => fresh_folder(&charter),
    };
    folder.map(|folder| (folder, charter, Vec::new())).map_err(|e| folder_error(&e))
}

/// What seeds are run against: options and their defaults, or a plan by hand.
fn spec(args: &Args, context: &Context) -> Result<Spec> {
    let Some(path) = &args.plan else {
        let spec = args.spec.spec(args.system.as_deref().unwrap_or_default());
        return Ok(spec_args::resolve(&spec, context)?.spec);
    };
    args.spec.beside_a_plan()?;
    if !by_hand::is_one(path) {
        let help = "A plan by hand is a file in TOML, `FILE.toml`. `squall run --plan` runs a drawn one.";
        return Err(wrong(format!("{} is no plan by hand, and a drawn plan has one seed", path.display()), help));
    }
    Ok(by_hand::read(path, args.spec.simulator(), context)?.0.spec)
}

/// The first folder below [`OUT`] that no campaign has taken.
fn fresh_folder(charter: &Charter) -> std::result::Result<Folder, FolderError> {
    let name = charter.spec.system.replace(':', "-");
    let mut number = 1;
    loop {
        let path = Path::new(OUT).join(format!("{name}-{number}"));
        if path.join(CAMPAIGN_FILE).exists() {
            number += 1;
            continue;
        }
        match Folder::create(&path, charter) {
            Err(FolderError::Taken(_)) => number += 1,
            folder => return folder,
        }
    }
}

/// A folder that cannot be used, with what to do about it.
pub(super) fn folder_error(error: &FolderError) -> miette::Report {
    let next = match error {
        FolderError::Taken(path) => &*format!("`{}` goes on with it.", program::about("campaign --resume", path)),
        FolderError::None(_) => "A campaign's folder is what `--out` named, or one in `squall-out`.",
        FolderError::Io { .. } | FolderError::Record(_) => "Name a folder that can be written by `--out DIR`.",
        FolderError::Busy(_) => "Wait for it to end, or stop it first.",
        FolderError::Malformed { .. } => "The file was changed by hand, or by another version.",
    };
    wrong(error, next)
}

/// A start that nobody chose: the one place where the command line takes randomness from outside.
pub(super) fn random_start() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    #[expect(
        clippy::disallowed_types,
        reason = "a random start is the point; it is printed, and decides all that follows"
    )]
    let state = std::hash::RandomState::new();
    // Short enough to read aloud, long enough not to meet again.
    state.build_hasher().finish() % 1_000_000_000
}

/// How to start a worker: this program again.
pub(super) fn launch() -> Result<Launch> {
    let program = std::env::current_exe().map_err(|e| wrong(format!("cannot find this program: {e}"), ""))?;
    Ok(Launch { program, args: vec![OsString::from("worker")] })
}

/// Worker processes: as asked, or as many as there are cores.
pub(super) fn jobs(asked: Option<u16>) -> usize {
    asked.map(usize::from).or_else(|| thread::available_parallelism().ok().map(usize::from)).unwrap_or(1)
}

/// A flag that Ctrl-C and SIGTERM raise. The second Ctrl-C ends the process at once.
fn stop_on_signals() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        let again = i32::from(Exit::Inconclusive.code());
        signal_hook::flag::register_conditional_shutdown(signal, again, Arc::clone(&stop))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&stop)))
            .map_err(|e| wrong(format!("cannot listen for signals: {e}"), ""))?;
    }
    Ok(stop)
}
