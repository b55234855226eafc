//! `squall demo`: the main job in a few seconds: find a violation, shrink it, show it.

use std::{path::Path, sync::atomic::AtomicBool, time::Duration};

use squall_reports::records::{Finding, Signature};

use super::{Context, Result, campaign as command, findings, progress::Bar, spec_args, wrong};
use crate::{
    engine::{
        campaign::{
            self, Conduct,
            closer::Closer,
            folder::{Charter, Folder, FolderError},
            keeper::{Launch, Limits},
            ledger::Stop,
        },
        program,
        seeds::Seeds,
        spec::{Spec, find_system},
        stopwatch::Stopwatch,
    },
    exit::Exit,
};

/// The systems that a demo likes to show, the first that is registered.
const SHOWN: [&str; 2] = ["raft-rs-kv:leader-local-read", "quorum-register:read-without-write-back"];

/// Seeds after which a demo gives up.
const SEEDS: u64 = 2_000;

/// Failing seeds to choose from: some shrink to less than others.
const CANDIDATES: u64 = 4;

/// Runs that shrinking one of them may take.
const RUNS: u64 = 400;

/// Operations and faults of a failure that is small enough to show.
const SMALL: (u64, u64) = (8, 3);

/// Real time after which no further one is shrunk.
const PATIENCE: Duration = Duration::from_secs(2);

/// The folder above the demos' folders.
const OUT: &str = "squall-out";

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The seed to start at; random when not given
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
}

pub(super) fn run(args: &Args, context: &mut Context) -> Result {
    let watch = Stopwatch::start();
    let (system, anomalies) = system(context)?;
    let spec = Spec::of(&system);
    spec_args::resolve(&spec, context)?;
    let start = args.seed.unwrap_or_else(command::random_start);
    context
        .output
        .line(format!("{system} has a known bug. Looking for it from seed {start} on (--seed {start} again)."))?;
    let stop = Stop { after: Some(CANDIDATES), on: anomalies.iter().map(|a| (*a).to_owned()).collect() };
    let charter = Charter::new(spec, Seeds::starting_at(start, SEEDS), stop);
    let folder = folder(&charter)?;
    let path = folder.path().to_owned();
    let conduct = Conduct {
        jobs: command::jobs(None),
        budget: None,
        limits: Limits::default(),
        minimise: None,
        launch: command::launch()?,
    };
    let (stop, mut bar) = (AtomicBool::new(false), Bar::new());
    let result = campaign::run(&context.registry, &charter, folder, Vec::new(), &conduct, &stop, &mut bar);
    drop(bar);
    let report = result.map_err(|e| wrong(&e, ""))?;
    if let Some(trouble) = &report.trouble {
        return Err(wrong(trouble, ""));
    }
    let found = report.findings.iter().filter(|f| charter.stop.counts(&f.signature));
    let candidates: Vec<_> = found.map(|f| (f.seed, f.signature.clone())).collect();
    if candidates.is_empty() {
        context.output.line(format!("It was not found in {} seeds, which should not be.", report.totals.seeds.run))?;
        return Ok(Exit::Inconclusive);
    }
    let Some(finding) = smallest(&charter.spec, &candidates, &conduct.launch)? else {
        return Err(wrong(
            "the failure could not be shrunk",
            &format!("`{}` tries again.", program::about("minimize", &path)),
        ));
    };
    let seed = finding.seed;
    let (mut folder, ..) = Folder::resume(&path).map_err(|e| command::folder_error(&e))?;
    folder
        .explain(finding)
        .and_then(|()| folder.settle(u64::MAX, &report.totals))
        .map_err(|e| command::folder_error(&e))?;
    let found = folder.findings(u64::MAX);
    findings::write_pages(&path, &report.totals, &found)?;
    let shown = found.iter().find(|f| f.seed == seed && f.minimised.is_some());
    let shown = shown.ok_or_else(|| wrong("the record of the failure is gone", ""))?;
    context.output.line(format!(
        "Found in {} of {} seeds. Seed {seed}, made small, after {:.1} s in all:\n",
        report.totals.seeds.invalid,
        report.totals.seeds.run,
        watch.elapsed().as_secs_f64(),
    ))?;
    findings::show(context, shown)?;
    let page = path.join(squall_reports::html::page_name(shown));
    context.output.line(format!("The same with a timeline: {}", page.display()))?;
    Ok(Exit::Valid)
}

/// Shrinks one failure after the other until one is small, and returns the smallest.
fn smallest(spec: &Spec, candidates: &[(u64, Signature)], launch: &Launch) -> Result<Option<Finding>> {
    let watch = Stopwatch::start();
    let mut closer = Closer::new(spec, Limits::default(), launch);
    let mut best: Option<Finding> = None;
    for (seed, signature) in candidates {
        let is_wanted = || best.is_none() || watch.elapsed() < PATIENCE;
        let looked = closer.look(*seed, signature, Some(RUNS), &is_wanted).map_err(|e| wrong(&e, ""))?;
        best = [best, looked].into_iter().flatten().min_by_key(size);
        if best.as_ref().is_some_and(|finding| is_small(finding) || watch.elapsed() >= PATIENCE) {
            break;
        }
    }
    Ok(best)
}

fn is_small(finding: &Finding) -> bool {
    let (operations, faults) = size(finding);
    operations <= SMALL.0 && faults <= SMALL.1
}

fn size(finding: &Finding) -> (u64, u64) {
    finding.minimised.as_ref().map_or((u64::MAX, u64::MAX), |m| (m.after.operations, m.after.faults))
}

/// The system to show, and the anomalies by which its bug shows.
fn system(context: &Context) -> Result<(String, &'static [&'static str])> {
    let bug = |name: &str| {
        let (system, bug) = find_system(&context.registry, name).ok()?;
        let bug = system.bugs.iter().find(|b| Some(b.name) == bug)?;
        Some((name.to_owned(), bug.anomalies))
    };
    let any = || context.registry.systems.iter().find_map(|s| bug(&format!("{}:{}", s.name, s.bugs.first()?.name)));
    SHOWN
        .into_iter()
        .find_map(bug)
        .or_else(any)
        .ok_or_else(|| wrong("no system with a known bug is registered", "A demo needs one to find."))
}

fn folder(charter: &Charter) -> Result<Folder> {
    let base = Path::new(OUT);
    let mut number = 1;
    loop {
        match Folder::create(&base.join(format!("demo-{number}")), charter) {
            Err(FolderError::Taken(_)) => number += 1,
            folder => return folder.map_err(|e| wrong(&e, "Run it in a folder that can be written.")),
        }
    }
}
