//! `squall run SYSTEM --seed S`, `squall run --plan FILE`, `squall run` with a `squall.toml`: one run, judged and shown.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
};

use squall_reports::{
    records::{CheckerVerdict, OperationCounts},
    story,
};

use super::{Context, Result, by_hand, campaign, files, findings, spec_args, wrong};
use crate::{
    engine::{
        campaign::{
            keeper::{KeeperError, Limits},
            single::{Ran, Single, Wanted},
        },
        program, record,
        run::Class,
        spec::Arena,
    },
    exit::Exit,
    plan::{Plan, file},
    simulators::TraceEvent,
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The system, perhaps with a bug: `raft-rs-kv`, `raft-rs-kv:ack-before-fsync`
    #[arg(conflicts_with = "plan", requires = "seed")]
    system: Option<String>,
    /// The seed; of a plan by hand, instead of its own
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// Run this plan instead: as `squall plan` writes it, or in TOML by hand (see docs/formats.md); `squall.toml` of this
    /// folder when neither a plan nor a system is given
    #[arg(long, value_name = "FILE")]
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

/// The plan that is run where nothing says what to run.
const HERE: &str = "squall.toml";

pub(super) fn run(args: &Args, context: &mut Context) -> Result {
    if args.plan.is_none() && args.system.is_none() && !Path::new(HERE).exists() {
        let help = "`squall run SYSTEM --seed S` runs a seed, `squall run --plan FILE` a plan. `squall list systems` shows the systems.";
        return Err(wrong(format!("neither a system nor a plan is given, and there is no `{HERE}` here"), help));
    }
    let path = args.plan.as_deref().or(args.system.is_none().then_some(Path::new(HERE)));
    let (arena, plan, command) = if let Some(path) = path {
        args.spec.beside_a_plan()?;
        if by_hand::is_one(path) {
            let (job, seed) = by_hand::read(path, args.spec.simulator(), context)?;
            let seed = args.seed.unwrap_or(seed);
            let (plan, command) = (job.plan(seed), job.spec.command(seed));
            (job.arena, plan, command)
        } else if args.seed.is_some() {
            return Err(wrong(
                "a drawn plan has its seed already",
                "Only a plan by hand (TOML) can be run with another.",
            ));
        } else {
            let text = files::read_text(path)?;
            let plan = file::from_text(&text).map_err(|e| files::no_document(path, &e))?;
            (arena(context, &plan, args.spec.simulator())?, plan, program::about("run --plan", path))
        }
    } else {
        let seed = args.seed.unwrap_or_default();
        let spec = args.spec.spec(args.system.as_deref().unwrap_or_default());
        let job = spec_args::resolve(&spec, context)?;
        let plan = job.plan(seed);
        (job.arena, plan, spec.command(seed))
    };
    let single = apart(&arena, &plan, &command, Wanted { events: args.trace.is_some(), log: None })?;
    if let Some(path) = &args.trace {
        files::write(path, &trace(&single.events))?;
    }
    show(context, &arena, &plan, &single, args.json)?;
    Ok(exit(&arena, &plan, &single))
}

/// Runs a plan in a worker process, so that there is a verdict whatever it does.
pub(super) fn apart(arena: &Arena, plan: &Plan, command: &str, wanted: Wanted) -> Result<Single> {
    let mut limits = Limits::default();
    limits.hang_after += arena.simulator.takes(plan);
    Single::apart(arena, plan, command, wanted, limits, &campaign::launch()?).map_err(|e| match e {
        KeeperError::Refused(why) => wrong(why, ""),
        other => wrong(other, ""),
    })
}

/// The arena of a plan from a file.
pub(super) fn arena(context: &Context, plan: &Plan, simulator: Option<&str>) -> Result<Arena> {
    Arena::of_plan(&context.registry, plan, simulator).map_err(|e| wrong(&e, "`squall list` shows what there is."))
}

fn show(context: &mut Context, arena: &Arena, plan: &Plan, single: &Single, json: bool) -> Result<()> {
    if json {
        return context.output.json(&serde_json::json!({
            "seed": plan.seed,
            "system": plan.system,
            "simulator": arena.simulator.name,
            "nondeterministic": !arena.simulator.deterministic,
            "class": single.class,
            "digest": single.ran.as_ref().map(|ran| format!("{:016x}", ran.digest)),
            "statistics": single.ran.as_ref().map(|ran| &ran.statistics),
            "operations": single.operations,
            "verdicts": single.verdicts,
            "findings": single.findings,
        }));
    }
    for finding in &single.findings {
        findings::show(context, finding)?;
    }
    context.output.text(&summary(plan, single))?;
    if !arena.simulator.deterministic {
        context.output.text(&format!("  {}\n", story::ANOTHER_TIME))?;
    }
    Ok(())
}

/// The run in a few lines.
fn summary(plan: &Plan, single: &Single) -> String {
    let mut out = format!("{}, seed {}: {}\n", plan.system, plan.seed, class_name(single.class));
    for said in &single.verdicts {
        let CheckerVerdict { checker, model, .. } = said;
        let by = if model.is_empty() { checker.clone() } else { format!("{checker} ({model})") };
        let (word, detail) = story::verdict(said);
        let _ = writeln!(out, "  {by}: {word}{}{detail}", if detail.is_empty() { "" } else { ", " });
    }
    if let Some(Ran { digest, statistics }) = &single.ran {
        let OperationCounts { ok, failed, unknown } = single.operations;
        let (events, messages) = (statistics.events, statistics.messages);
        let _ = writeln!(
            out,
            "  {ok} ok, {failed} failed, {unknown} unknown; {events} events, {messages} messages; digest {digest:016x}"
        );
    }
    out
}

fn class_name(class: Class) -> String {
    match class {
        Class::Valid => "valid".to_owned(),
        Class::Invalid => "invalid".to_owned(),
        Class::Unknown => "unknown".to_owned(),
        Class::Vacuous => "vacuous: there was nothing to judge".to_owned(),
        Class::Failed(kind) => kind.to_string(),
    }
}

fn exit(arena: &Arena, plan: &Plan, single: &Single) -> Exit {
    match single.class {
        Class::Valid => Exit::Valid,
        Class::Unknown | Class::Vacuous => Exit::Inconclusive,
        // Outside its promise a system may do what it likes.
        Class::Invalid | Class::Failed(_) if !record::is_inside(&arena.promise, plan) => Exit::Valid,
        Class::Invalid | Class::Failed(_) => Exit::Finding,
    }
}

/// One JSON value per line, one line per event.
fn trace(events: &[TraceEvent]) -> String {
    events.iter().map(|event| serde_json::to_string(event).expect("events are plain data") + "\n").collect()
}
