//! `squall minimize CASE|DIR`: shrinks a case, or the first failure of each kind of a campaign, to what matters.

use std::path::{Path, PathBuf};

use squall_reports::records::{self, TOTALS_FILE, Totals};

use super::{Context, Result, campaign, emit_test::EmitArgs, files, findings, replay, run, wrong};
use crate::{
    engine::{
        campaign::{
            closer::{self, Closer},
            folder::Folder,
            keeper::Limits,
        },
        explain, minimise, program, record,
    },
    exit::Exit,
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A case file, or the folder of a campaign
    #[arg(value_name = "CASE|DIR")]
    what: PathBuf,
    /// Where to write the small case; beside the given one when not given
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Runs it may take for each failure
    #[arg(long, value_name = "N", default_value_t = minimise::DEFAULT_RUNS)]
    runs: u64,
    #[command(flatten)]
    emit: EmitArgs,
}

pub(super) fn run(args: &Args, context: &mut Context) -> Result {
    if args.what.is_dir() && args.emit.wanted() {
        return Err(wrong(
            "`--emit-test` writes the test of one case",
            "Name one of the folder's `case-….json` in place of the folder.",
        ));
    }
    if args.what.is_dir() { shrink_folder(args, context) } else { shrink_case(args, context) }
}

fn shrink_case(args: &Args, context: &mut Context) -> Result {
    let case = replay::read(&args.what)?;
    let arena = run::arena(context, &case.plan, Some(&case.simulator))?;
    let command = program::about("replay", &args.what);
    let explained = explain::explain(&arena, &case.plan, &case.signature, Some(args.runs.into()), command);
    let Some(mut explained) = explained.map_err(|e| wrong(&e, ""))? else {
        let signature = &case.signature;
        context.output.line(format!(
            "It no longer fails with {} ({}): there is nothing to shrink.",
            signature.anomaly, signature.checker
        ))?;
        return Ok(Exit::Valid);
    };
    let path = args.output.clone().unwrap_or_else(|| args.what.with_extension("small.json"));
    if let Some(mut small) = explained.case.take() {
        // Where it comes from stays the first run of all.
        small.found = case.found;
        files::write(&path, &small.to_text())?;
        args.emit.write(&small)?;
    }
    explained.finding.replay = program::about("replay", &path);
    findings::show(context, &record::of_case(&case, explained.finding))?;
    context.output.line(format!("The small case: {}", path.display()))?;
    Ok(Exit::Finding)
}

fn shrink_folder(args: &Args, context: &mut Context) -> Result {
    let (mut folder, charter, _) = Folder::resume(&args.what).map_err(|e| campaign::folder_error(&e))?;
    let totals = totals(&args.what, &charter.spec.system)?;
    let last = charter.seeds.end - 1;
    let mut closer = Closer::new(&charter.spec, Limits::default(), &campaign::launch()?);
    let first: Vec<_> = closer::worth_a_look(&folder.findings(last));
    for (seed, signature) in &first {
        eprintln!("shrinking {} ({}), seed {seed}", signature.anomaly, signature.checker);
        let finding = closer.look(*seed, signature, Some(args.runs), &|| true).map_err(|e| wrong(&e, ""))?;
        match finding {
            Some(finding) => folder.explain(finding).map_err(|e| campaign::folder_error(&e))?,
            None => eprintln!("it could not be shrunk; its record stays as it was"),
        }
    }
    folder.settle(last, &totals).map_err(|e| campaign::folder_error(&e))?;
    let found = folder.findings(last);
    for finding in closer::first_of_each(&found) {
        findings::show(context, finding)?;
    }
    let index = findings::write_pages(&args.what, &totals, &found)?;
    context.output.line(format!("report: {}", index.display()))?;
    Ok(if first.is_empty() { Exit::Valid } else { Exit::Finding })
}

/// The totals of a campaign; of one that was killed nothing but its name is known.
pub(super) fn totals(folder: &Path, system: &str) -> Result<Totals> {
    let path = folder.join(TOTALS_FILE);
    if path.exists() {
        return records::read_totals(&path).map_err(|e| wrong(&e, ""));
    }
    Ok(Totals { system: system.to_owned(), ended: "it was cut short".to_owned(), ..Totals::default() })
}
