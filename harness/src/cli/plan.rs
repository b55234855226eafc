//! `squall plan SYSTEM --seed S`: the plan of a seed, as a file to read, edit and run.

use std::path::PathBuf;

use super::{Context, Result, files, spec_args};
use crate::{exit::Exit, plan::file};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The system, perhaps with a bug: `raft-rs-kv`, `raft-rs-kv:ack-before-fsync`
    system: String,
    /// The seed
    #[arg(long, value_name = "S")]
    seed: u64,
    /// Where to write it; stdout when not given
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    spec: spec_args::SpecArgs,
}

pub(super) fn run(args: &Args, context: &mut Context) -> Result {
    let job = spec_args::resolve(&args.spec.spec(&args.system), context)?;
    let text = file::to_text(&job.plan(args.seed));
    match &args.output {
        None => context.output.text(&text)?,
        Some(path) => {
            files::write(path, &text)?;
            eprintln!("Run it by: squall run --plan {}", path.display());
        }
    }
    Ok(Exit::Valid)
}
