//! `squall replay CASE`: does it still fail?

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
};

use super::{Context, Result, emit_test::EmitArgs, files, findings, run};
use crate::{
    engine::{
        campaign::single::{Single, Wanted},
        program, record,
        run::Class,
    },
    exit::Exit,
    plan::case::Case,
    simulators::log::{Level, LogLine},
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The case, as campaigns and `minimize` write it
    case: PathBuf,
    /// Show what the system says through `tracing`, with virtual time and machine: `debug` when no level is given
    #[arg(long, value_name = "LEVEL", num_args = 0..=1, require_equals = true, default_missing_value = "debug")]
    log: Option<Level>,
    #[command(flatten)]
    emit: EmitArgs,
    /// The record of the failure on stdout, for machines
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args, context: &mut Context) -> Result {
    let case = read(&args.case)?;
    let single = again(&args.case, &case, Wanted { events: false, log: args.log }, context)?;
    args.emit.write(&case)?;
    let (found, expected) = (&single.findings, &case.signature);
    let same = single.finding(expected);
    if args.json {
        context.output.json(&serde_json::json!({
            "expected": expected,
            "seed": case.found.seed,
            "plan_seed": case.plan.seed,
            "class": single.class,
            "same": same.is_some(),
            "findings": found,
            "log": args.log.map(|_| &single.log),
        }))?;
        return Ok(if found.is_empty() { Exit::Valid } else { Exit::Finding });
    }
    if args.log.is_some() {
        context.output.text(&log(&single.log, case.plan.cluster.nodes))?;
    }
    let expected = format!("{} ({})", expected.anomaly, expected.checker);
    if let Some(finding) = same {
        findings::show(context, finding)?;
        context.output.line(format!("It still fails: {expected}."))?;
        return Ok(Exit::Finding);
    }
    for finding in found {
        findings::show(context, finding)?;
    }
    let said = match single.class {
        Class::Invalid | Class::Failed(_) => format!("It no longer shows {expected}, but fails in another way."),
        Class::Vacuous => {
            format!("It no longer shows {expected}; but there was nothing to judge, so this proves little.")
        }
        Class::Unknown => format!("It no longer shows {expected}; but a checker gave up, so this proves little."),
        Class::Valid => format!("It no longer fails: {expected} does not show, and all checkers are content."),
    };
    context.output.line(said)?;
    Ok(if found.is_empty() { Exit::Valid } else { Exit::Finding })
}

/// What the system said: virtual time, machine, level, where it comes from, and the text.
fn log(lines: &[LogLine], nodes: u32) -> String {
    if lines.is_empty() {
        return "The system said nothing through `tracing` at this level.\n\n".to_owned();
    }
    let machine = |line: &LogLine| match line.machine {
        Some(replica) if replica < nodes => format!("n{replica}"),
        Some(client) => format!("client {}", client - nodes),
        None => "-".to_owned(),
    };
    let mut out = String::new();
    for line in lines {
        let (time, machine) = (format!("{:.6}", line.time_ns as f64 / 1e9), machine(line));
        let spans = line.spans.iter().fold(String::new(), |before, span| before + span + ": ");
        let LogLine { level, target, text, .. } = line;
        let _ = writeln!(out, "{time:>11} s  {machine:<9}{:<5} {target}: {spans}{text}", level.name());
    }
    out + "\n"
}

/// Reads a case file.
pub(super) fn read(path: &Path) -> Result<Case> {
    let text = files::read_text(path)?;
    Case::from_text(&text).map_err(|e| files::no_document(path, &e))
}

/// Runs a case in a worker process. Its findings name the seed that was found.
pub(super) fn again(path: &Path, case: &Case, wanted: Wanted, context: &Context) -> Result<Single> {
    let arena = run::arena(context, &case.plan, Some(&case.simulator))?;
    let mut single = run::apart(&arena, &case.plan, &program::about("replay", path), wanted)?;
    single.findings = single.findings.into_iter().map(|finding| record::of_case(case, finding)).collect();
    Ok(single)
}
