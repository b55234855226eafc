//! `squall demo`: the main job in a few seconds: find a violation, shrink it, show it.

use std::{path::Path, sync::atomic::AtomicBool};

use super::{Context, Result, campaign as command, findings, progress::Bar, spec_args, wrong};
use crate::{
    engine::{
        campaign::{
            self, Conduct,
            folder::{Charter, Folder, FolderError},
            keeper::Limits,
            ledger::Stop,
        },
        minimise,
        seeds::Seeds,
        spec::{Spec, find_system},
    },
    exit::Exit,
};

/// The systems that a demo likes to show, the first that is registered.
const SHOWN: [&str; 2] = ["raft-rs-kv:leader-local-read", "quorum-register:read-without-write-back"];

/// Seeds after which a demo gives up.
const SEEDS: u64 = 2_000;

/// The folder above the demos' folders.
const OUT: &str = "squall-out";

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The seed to start at; random when not given
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
}

pub(super) fn run(args: &Args, context: &mut Context) -> Result {
    let (system, anomalies) = system(context)?;
    let spec = Spec::of(&system);
    spec_args::resolve(&spec, context)?;
    let start = args.seed.unwrap_or_else(command::random_start);
    context
        .output
        .line(format!("{system} has a known bug. Looking for it from seed {start} on (--seed {start} again)."))?;
    let stop = Stop { after: Some(1), on: anomalies.iter().map(|a| (*a).to_owned()).collect() };
    let charter = Charter::new(spec, Seeds::starting_at(start, SEEDS), stop);
    let folder = folder(&charter)?;
    let path = folder.path().to_owned();
    let conduct = Conduct {
        jobs: command::jobs(None),
        budget: None,
        limits: Limits::default(),
        minimise: Some(minimise::DEFAULT_RUNS),
        launch: command::launch()?,
    };
    let mut bar = Bar::new();
    let stop = AtomicBool::new(false);
    let result = campaign::run(&context.registry, &charter, folder, Vec::new(), &conduct, &stop, &mut bar);
    drop(bar);
    let report = result.map_err(|e| wrong(&e, ""))?;
    if let Some(trouble) = &report.trouble {
        return Err(wrong(trouble, ""));
    }
    let Some(finding) = report.findings.iter().find(|f| charter.stop.counts(&f.signature)) else {
        context.output.line(format!("It was not found in {} seeds, which should not be.", report.totals.seeds.run))?;
        return Ok(Exit::Inconclusive);
    };
    context.output.line(format!(
        "Seed {} shows it, after {} seeds in {:.1} s.\n",
        finding.seed,
        report.totals.seeds.run,
        report.totals.wall_ms as f64 / 1000.0,
    ))?;
    findings::show(context, finding)?;
    findings::write_pages(&path, &report.totals, &report.findings)?;
    let page = path.join(squall_reports::html::page_name(finding));
    context.output.line(format!("The same with a timeline: {}", page.display()))?;
    Ok(Exit::Valid)
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
