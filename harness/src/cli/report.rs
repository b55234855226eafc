//! `squall report DIR…`: draws the pages of campaigns' folders again, from their records alone; with `--out`, combines them.

use std::path::PathBuf;

use super::{
    Context, Result, campaign,
    ci::{self, CiArgs},
    findings, minimize, outcome, wrong,
};
use crate::{
    engine::campaign::{
        combine::{CombineError, combine},
        folder,
    },
    exit::Exit,
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Folders of campaigns
    #[arg(required = true, value_name = "DIR")]
    folders: Vec<PathBuf>,
    /// Combine them, which are the shards of one campaign, into this new folder, and say what they come to together
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// The totals of the combined campaign on stdout, for machines
    #[arg(long, requires = "out")]
    json: bool,
    #[command(flatten)]
    ci: CiArgs,
}

pub(super) fn run(args: &Args, context: &mut Context) -> Result {
    args.ci.check()?;
    if let Some(out) = &args.out {
        let (charter, report) = combine(&args.folders, out).map_err(|e| match &e {
            CombineError::Folder(e) => campaign::folder_error(e),
            CombineError::Record(_) => wrong(&e, ""),
            CombineError::Different { .. } => wrong(&e, "Combine folders of the same command with other `--shard`s."),
        })?;
        outcome::show(context, &report, &charter, out, args.json)?;
        args.ci.tell(&report, &[])?;
        return Ok(ci::exit(&args.ci, &report, &[]));
    }
    if args.ci.is_asked_for() {
        return Err(wrong(
            "`--junit`, `--summary` and `--fail-on` are of one campaign",
            "`--out DIR` combines the folders into one.",
        ));
    }
    for path in &args.folders {
        let charter = folder::read_charter(path).map_err(|e| wrong(&e, "Name the folder of a campaign."))?;
        let found = folder::findings(path).map_err(|e| wrong(&e, ""))?;
        let totals = minimize::totals(path, &charter.spec.system)?;
        let index = findings::write_pages(path, &totals, &found)?;
        context.output.line(format!("{} findings: {}", found.len(), index.display()))?;
    }
    Ok(Exit::Valid)
}
