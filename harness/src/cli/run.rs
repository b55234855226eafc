//! `squall run SYSTEM --seed S`, `squall run --plan FILE`: one run, judged and shown.

use std::path::PathBuf;

use squall_reports::{
    records::{CheckerVerdict, Finding},
    story,
};

use super::{Context, Result, files, findings, spec_args, wrong};
use crate::{
    engine::{
        record,
        run::{self, Class, Outcome},
        spec::Arena,
    },
    exit::Exit,
    plan::{Plan, file},
    simulators::{Execution, Options, TraceEvent},
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The system, perhaps with a bug: `raft-rs-kv`, `raft-rs-kv:ack-before-fsync`
    #[arg(required_unless_present = "plan", conflicts_with = "plan", requires = "seed")]
    system: Option<String>,
    /// The seed
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// Run this plan instead, as `squall plan` writes it
    #[arg(long, value_name = "FILE", conflicts_with = "seed")]
    plan: Option<PathBuf>,
    /// Write every event to this file, one JSON value per line
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// The record of the run on stdout, for machines
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    spec: spec_args::SpecArgs,
}

pub(super) fn run(args: &Args, context: &mut Context) -> Result {
    let (arena, plan, command) = match &args.plan {
        Some(path) => {
            if args.spec.asks_for_a_draw() {
                return Err(wrong("a plan says all there is to say; only `--simulator` goes with `--plan`", ""));
            }
            let text = files::read_text(path)?;
            let plan = file::from_text(&text).map_err(|e| wrong(format!("{}: {e}", path.display()), ""))?;
            let arena = arena(context, &plan, args.spec.simulator())?;
            (arena, plan, format!("squall run --plan {}", path.display()))
        }
        None => {
            let seed = args.seed.unwrap_or_default();
            let spec = args.spec.spec(args.system.as_deref().unwrap_or_default());
            let job = spec_args::resolve(&spec, context)?;
            let plan = job.plan(seed);
            (job.arena, plan, spec.command(seed))
        }
    };
    // A trace costs little for one run, and makes its record whole.
    let outcome = run::run_plan(&arena.subject(), &plan, Options { trace: true }).map_err(|e| wrong(&e, ""))?;
    if let Some(path) = &args.trace {
        files::write(path, &trace(outcome.execution.as_ref()))?;
    }
    show(context, &arena, &plan, &outcome, &command, args.json)?;
    Ok(exit(&arena, &plan, &outcome))
}

/// The arena of a plan from a file.
pub(super) fn arena(context: &Context, plan: &Plan, simulator: Option<&str>) -> Result<Arena> {
    Arena::of_plan(&context.registry, plan, simulator).map_err(|e| wrong(&e, "`squall list` shows what there is."))
}

/// The finding of each way in which a run failed.
pub(super) fn findings_of(arena: &Arena, plan: &Plan, outcome: &Outcome, command: &str) -> Vec<Finding> {
    outcome.signatures.iter().map(|s| record::finding(arena, plan, outcome, s, command.to_owned())).collect()
}

fn show(context: &mut Context, arena: &Arena, plan: &Plan, outcome: &Outcome, command: &str, json: bool) -> Result<()> {
    let found = findings_of(arena, plan, outcome, command);
    if json {
        return context.output.json(&serde_json::json!({
            "seed": plan.seed,
            "system": plan.system,
            "class": outcome.class(),
            "digest": outcome.execution.as_ref().map(|e| format!("{:016x}", e.digest)),
            "statistics": outcome.execution.as_ref().map(|e| &e.statistics),
            "verdicts": outcome.verdicts,
            "findings": found,
        }));
    }
    for finding in &found {
        findings::show(context, finding)?;
    }
    context.output.text(&summary(plan, outcome))
}

/// The run in a few lines.
fn summary(plan: &Plan, outcome: &Outcome) -> String {
    let mut out = format!("{}, seed {}: {}\n", plan.system, plan.seed, class_name(outcome.class()));
    for said in &outcome.verdicts {
        let CheckerVerdict { checker, model, .. } = said;
        let by = if model.is_empty() { checker.clone() } else { format!("{checker} ({model})") };
        let (word, detail) = story::verdict(said);
        out.push_str(&format!("  {by}: {word}{}{detail}\n", if detail.is_empty() { "" } else { ", " }));
    }
    if let Some(execution) = &outcome.execution {
        let operations = record::operation_counts(&execution.history);
        out.push_str(&format!(
            "  {} ok, {} failed, {} unknown; {} events, {} messages; digest {:016x}\n",
            operations.ok,
            operations.failed,
            operations.unknown,
            execution.statistics.events,
            execution.statistics.messages,
            execution.digest,
        ));
    }
    out
}

fn class_name(class: Class) -> String {
    match class {
        Class::Valid => "valid".to_owned(),
        Class::Invalid => "invalid".to_owned(),
        Class::Unknown => "unknown".to_owned(),
        Class::Vacuous => "vacuous: no operation succeeded".to_owned(),
        Class::Failed(kind) => kind.to_string(),
    }
}

fn exit(arena: &Arena, plan: &Plan, outcome: &Outcome) -> Exit {
    match outcome.class() {
        Class::Valid => Exit::Valid,
        Class::Unknown | Class::Vacuous => Exit::Inconclusive,
        // Outside its promise a system may do what it likes.
        Class::Invalid | Class::Failed(_) if !record::is_inside(&arena.promise, plan) => Exit::Valid,
        Class::Invalid | Class::Failed(_) => Exit::Finding,
    }
}

/// One JSON value per line, one line per event.
fn trace(execution: Option<&Execution>) -> String {
    let events = execution.and_then(|e| e.trace.as_ref()).map(|t| t.events.as_slice()).unwrap_or_default();
    let line = |event: &TraceEvent| serde_json::to_string(event).expect("events are plain data") + "\n";
    events.iter().map(line).collect()
}
