//! `squall worker`: the other end of a campaign's pipe.

use super::{Context, Result, wrong};
use crate::{engine::campaign::worker, exit::Exit};

pub(super) fn run(context: &Context) -> Result {
    worker::serve(&context.registry).map_err(|e| {
        wrong(format!("the pipe to the supervisor is broken: {e}"), "This subcommand is not for people.")
    })?;
    Ok(Exit::Valid)
}
