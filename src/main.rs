//! The `squall` command: everything of the harness, with the systems of the zoo.

use std::process::ExitCode;

fn main() -> ExitCode {
    squall::cli::main(squall_systems::SYSTEMS)
}
