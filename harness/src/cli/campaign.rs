//! `squall campaign SYSTEM`: many seeds, and what fails among them.

use std::fmt::Write as _;
use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicBool},
    thread,
    time::Duration,
};

use signal_hook::consts::{SIGINT, SIGTERM};
use squall_reports::records::{FaultCount, SeedCounts, Totals};

use super::{Context, Result, findings, progress::Bar, spec_args, wrong};
use crate::{
    engine::{
        campaign::{
            self, CampaignError, Conduct, Ended, Report, closer,
            folder::{CAMPAIGN_FILE, Charter, Folder, FolderError},
            keeper::{KeeperError, Launch, Limits},
            ledger::Stop,
            protocol::SeedReport,
        },
        minimise,
        seeds::Seeds,
        span::Span,
    },
    exit::Exit,
};

/// Seeds of a campaign that is not told how many.
const SEEDS: Seeds = Seeds { start: 0, end: 400 };

/// The folder above all campaigns' folders.
const OUT: &str = "squall-out";

/// Failures shown in full on the terminal; all have their page.
const SHOWN_MAX: usize = 3;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The system, perhaps with a bug: `raft-rs-kv`, `raft-rs-kv:ack-before-fsync`
    #[arg(required_unless_present = "resume", conflicts_with = "resume")]
    system: Option<String>,
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
    /// The totals on stdout, for machines
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args, context: &mut Context) -> Result {
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
    let stop = stop_on_signals()?;
    let mut bar = Bar::new();
    let result = campaign::run(&context.registry, &charter, folder, done, &conduct, &stop, &mut bar);
    drop(bar);
    let report = result.map_err(|e| wrong(&e, "Nothing was run."))?;
    show(context, &report, &charter, &path, args.json)?;
    Ok(exit(&report))
}

fn begin(args: &Args, context: &Context) -> Result<(Folder, Charter, Vec<SeedReport>)> {
    let spec = args.spec.spec(args.system.as_deref().unwrap_or_default());
    spec_args::resolve(&spec, context)?;
    let mut seeds = args.seeds.unwrap_or(SEEDS);
    if args.fresh {
        seeds = Seeds::starting_at(random_start(), seeds.count());
        eprintln!("starting at the random seed {} (--seeds {seeds} runs the same again)", seeds.start);
    }
    let charter = Charter::new(spec, seeds, Stop { after: args.stop_after, on: args.stop_on.clone() });
    let folder = match &args.out {
        Some(path) => Folder::create(path, &charter),
        None => fresh_folder(&charter),
    };
    folder.map(|folder| (folder, charter, Vec::new())).map_err(|e| folder_error(&e))
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
        FolderError::Taken(path) => &*format!("`squall campaign --resume {}` goes on with it.", path.display()),
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

fn show(context: &mut Context, report: &Report, charter: &Charter, path: &Path, json: bool) -> Result<()> {
    // What was found is told first, whatever else goes wrong.
    if json {
        context.output.json(&report.totals)?;
    } else {
        for finding in closer::first_of_each(&report.findings).into_iter().take(SHOWN_MAX) {
            findings::show(context, finding)?;
        }
        context.output.text(&summary(report, charter))?;
        context.output.text(&findings::groups(&report.totals.signatures, &report.findings))?;
    }
    match findings::write_pages(path, &report.totals, &report.findings) {
        Ok(index) if !json => context.output.line(format!("report: {}", index.display()))?,
        Err(e) if report.trouble.is_none() => return Err(e),
        _ => {}
    }
    if let Some(trouble) = &report.trouble {
        let next = format!("`squall campaign --resume {}` goes on where it stopped.", path.display());
        eprintln!("{:?}", wrong(trouble, &next));
    } else if report.ended == Ended::Interrupted {
        eprintln!("interrupted; go on by: squall campaign --resume {}", path.display());
    }
    Ok(())
}

/// The campaign in a few lines.
fn summary(report: &Report, charter: &Charter) -> String {
    let totals = &report.totals;
    let mut out = format!(
        "{}: {} of {} seeds ran ({}), {:.1} s, {:.0} seeds/s, {}\n",
        totals.system,
        totals.seeds.run,
        charter.seeds.count(),
        charter.seeds,
        totals.wall_ms as f64 / 1000.0,
        totals.seeds_per_second().unwrap_or(0.0),
        report.ended.text(),
    );
    let _ = writeln!(out, "seeds: {}", classes(&totals.seeds));
    let operations = &totals.operations;
    let _ = writeln!(
        out,
        "operations: {} ok, {} failed, {} unknown; {} messages; {} simulated; {:.0}% of CPU time for checking",
        operations.ok,
        operations.failed,
        operations.unknown,
        totals.messages,
        Span(totals.simulated_ns / 1_000_000_000 * 1_000_000_000),
        totals.checking_share().unwrap_or(0.0) * 100.0,
    );
    out.push_str(&faults(totals));
    if report.failing_outside > 0 {
        let _ = writeln!(out, "{} of the failing seeds lie outside the promise", report.failing_outside);
    }
    if let Some((seed, why)) = &report.inconclusive {
        let _ = writeln!(out, "nothing can be said of some seeds; the first is {seed}: {why}");
    }
    out
}

fn classes(seeds: &SeedCounts) -> String {
    let all = [
        (seeds.valid, "valid"),
        (seeds.invalid, "invalid"),
        (seeds.unknown, "unknown"),
        (seeds.vacuous, "vacuous"),
        (seeds.panic, "panic"),
        (seeds.abort, "abort"),
        (seeds.hang, "hang"),
        (seeds.step_limit, "step limit"),
        (seeds.memory, "memory"),
    ];
    let some: Vec<_> = all.iter().filter(|(n, _)| *n > 0).map(|(n, name)| format!("{n} {name}")).collect();
    if some.is_empty() { "none".to_owned() } else { some.join(", ") }
}

fn faults(totals: &Totals) -> String {
    if totals.faults.is_empty() {
        return "faults: none\n".to_owned();
    }
    let one = |f: &FaultCount| {
        let mut text = format!("{} {}", f.scheduled, f.kind);
        let idle: Vec<_> = [(f.inert, "inert"), (f.unresolved, "unresolved")]
            .iter()
            .filter(|(n, _)| *n > 0)
            .map(|(n, word)| format!("{n} {word}"))
            .collect();
        if !idle.is_empty() {
            let _ = write!(text, " ({})", idle.join(", "));
        }
        text
    };
    format!("faults: {}\n", totals.faults.iter().map(one).collect::<Vec<_>>().join(", "))
}

fn exit(report: &Report) -> Exit {
    let finding = if report.failing_inside > 0 { Exit::Finding } else { Exit::Valid };
    let inconclusive = report.inconclusive.is_some() || report.ended == Ended::Interrupted;
    let inconclusive = if inconclusive { Exit::Inconclusive } else { Exit::Valid };
    let trouble = match &report.trouble {
        None => Exit::Valid,
        Some(CampaignError::Worker(KeeperError::OwnBug(_))) => Exit::OwnBug,
        Some(_) => Exit::Usage,
    };
    finding.max(inconclusive).max(trouble)
}
