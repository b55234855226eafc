//! `squall replay CASE`: does it still fail?

use std::path::PathBuf;

use super::{Context, Result, files, findings, run, wrong};
use crate::{engine::run::Class, exit::Exit, plan::case::Case};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The case, as campaigns and `minimize` write it
    case: PathBuf,
    /// The record of the failure on stdout, for machines
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args, context: &mut Context) -> Result {
    let case = read(&args.case)?;
    let arena = run::arena(context, &case.plan, Some(&case.simulator))?;
    let command = format!("squall replay {}", args.case.display());
    let single = run::apart(&arena, &case.plan, &command, false)?;
    let (found, expected) = (&single.findings, &case.signature);
    let same = single.finding(expected);
    if args.json {
        context.output.json(&serde_json::json!({
            "expected": expected,
            "class": single.class,
            "same": same.is_some(),
            "findings": found,
        }))?;
        return Ok(if found.is_empty() { Exit::Valid } else { Exit::Finding });
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

/// Reads a case file.
pub(super) fn read(path: &std::path::Path) -> Result<Case> {
    let text = files::read_text(path)?;
    Case::from_text(&text).map_err(|e| wrong(format!("{}: {e}", path.display()), ""))
}
