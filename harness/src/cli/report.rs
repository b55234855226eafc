//! `squall report DIR…`: draws the pages of campaigns' folders again, from their records alone.

use std::path::PathBuf;

use super::{Context, Result, findings, minimize, wrong};
use crate::{engine::campaign::folder, exit::Exit};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Folders of campaigns
    #[arg(required = true, value_name = "DIR")]
    folders: Vec<PathBuf>,
}

pub(super) fn run(args: &Args, context: &mut Context) -> Result {
    for path in &args.folders {
        let charter = folder::read_charter(path).map_err(|e| wrong(&e, "Name the folder of a campaign."))?;
        let found = folder::findings(path).map_err(|e| wrong(&e, ""))?;
        let totals = minimize::totals(path, &charter.spec.system)?;
        let index = findings::write_pages(path, &totals, &found)?;
        context.output.line(format!("{} findings: {}", found.len(), index.display()))?;
    }
    Ok(Exit::Valid)
}
