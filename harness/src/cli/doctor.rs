//! `squall doctor SYSTEM`: is it deterministic? Where not, the first event that differs, and what it smells of. `squall doctor
//! --build`: which simulators are in this binary, and why.

use std::fmt::Write as _;
use std::time::Duration;

use super::{Context, Result, campaign, spec_args, wrong};
use crate::{
    engine::{
        campaign::{
            examine::{Disagreement, Examination, examine},
            keeper::Limits,
        },
        determinism, record,
        seeds::Seeds,
        span::Span,
        spec::Spec,
    },
    exit::Exit,
    simulators::{self, SIMULATORS, TraceEvent},
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The system, perhaps with a bug: `raft-rs-kv`, `raft-rs-kv:ack-before-fsync`
    #[arg(required_unless_present = "build")]
    system: Option<String>,
    /// Tells which simulators this binary has, and why
    #[arg(long, conflicts_with = "system")]
    build: bool,
    #[command(flatten)]
    spec: spec_args::SpecArgs,
    /// The seeds: `N` for 0..N, or a half-open range `A..B`
    #[arg(long, value_name = "N|A..B", default_value = "100")]
    seeds: Seeds,
    /// End after so much real time, whatever is left
    #[arg(long, value_name = "WALL", default_value = "50s")]
    budget: Span,
}

pub(super) fn run(args: &Args, context: &mut Context) -> Result {
    let Some(system) = &args.system else {
        context.output.text(&build())?;
        return Ok(Exit::Valid);
    };
    let spec = args.spec.spec(system);
    let job = spec_args::resolve(&spec, context)?;
    if !job.arena.simulator.deterministic {
        let why = format!("no two runs on `{}` are the same: there is nothing to examine", job.arena.simulator.name);
        return Err(wrong(why, spec_args::next("simulator")));
    }
    let budget = Duration::from_nanos(args.budget.0);
    let examination = examine(&spec, args.seeds, budget, Limits::default(), &campaign::launch()?)
        .map_err(|e| wrong(&e, "`squall campaign` tells what the system does to its process."))?;
    let Examination { agreed, disagreement, failed } = &examination;
    if let Some((seed, failure)) = failed {
        context.output.line(format!("seed {seed}: {}: {}", failure.kind, failure.message))?;
        context.output.line(format!("It cannot be examined. Run it by: {}", spec.command(*seed)))?;
        return Ok(Exit::Finding);
    }
    match disagreement {
        None if *agreed == 0 => {
            context.output.line("No seed ended within the budget: nothing is known. Give more by `--budget`.")?;
            Ok(Exit::Inconclusive)
        }
        None => {
            context.output.line(format!(
                "{}: deterministic in {agreed} of {} seeds: same digests and histories in two threads and in another process.",
                system,
                args.seeds.count(),
            ))?;
            Ok(Exit::Valid)
        }
        Some(disagreement) => {
            context.output.text(&show(&spec, *agreed, disagreement))?;
            Ok(Exit::Nondeterminism)
        }
    }
}

/// Which simulators this binary has, and why.
fn build() -> String {
    let mut out = String::new();
    for entry in SIMULATORS {
        let _ = match (entry.simulator.is_built(), entry.needs) {
            (true, "") => writeln!(out, "{:10}  yes", entry.name),
            (true, needs) => writeln!(out, "{:10}  yes: built with {needs}", entry.name),
            (false, needs) => writeln!(out, "{:10}  no: it needs {needs}", entry.name),
        };
    }
    if let Some(weaker) = simulators::weaker() {
        let _ = writeln!(out, "{weaker}");
    }
    out
}

fn show(spec: &Spec, agreed: u64, disagreement: &Disagreement) -> String {
    let Disagreement { seed, between, divergence, foreign_wakes } = disagreement;
    let places = match between {
        determinism::Between::ThreadsOnly => "two threads of one process",
        determinism::Between::ProcessesOnly => "two processes",
        determinism::Between::Both => "two threads, and in two processes",
    };
    let mut out = format!(
        "{}: not deterministic: seed {seed} ran differently in {places} ({agreed} seeds before it agreed).\n",
        spec.system
    );
    match divergence {
        Some(divergence) => {
            let _ = writeln!(out, "After {} equal events they part:", divergence.common);
            let _ = writeln!(out, "  one run:    {}", event(divergence.one.as_ref()));
            let _ = writeln!(out, "  the other:  {}", event(divergence.other.as_ref()));
            out.push_str(determinism::guess(*between, divergence.manner, *foreign_wakes));
        }
        None => out.push_str("With a trace the runs agreed, so the first event that differs is not known."),
    }
    let _ = writeln!(out, "\nRun it by: {}", spec.command(*seed));
    out
}

fn event(event: Option<&TraceEvent>) -> String {
    let Some(event) = event else { return "it ended".to_owned() };
    let record = record::trace_event(event);
    let node = |id: Option<u32>| id.map(|id| format!(" n{id}")).unwrap_or_default();
    let to = record.to.map(|id| format!(" to n{id}")).unwrap_or_default();
    format!("at {:.6} s:{} {}{to}: {}", event.time_ns as f64 / 1e9, node(record.from), record.kind, record.text)
}
