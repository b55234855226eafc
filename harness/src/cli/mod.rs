//! The command line, as a library: a binary that registers its systems gets all of it.
//!
//! ```no_run
//! fn main() -> std::process::ExitCode {
//!     squall::cli::main(&[/* the systems */])
//! }
//! ```

mod by_hand;
mod campaign;
mod check;
mod ci;
mod cross_check;
mod demo;
mod doctor;
mod emit_test;
mod files;
mod findings;
mod list;
mod minimize;
mod new;
mod outcome;
mod output;
mod plan;
mod progress;
mod regressions;
mod replay;
mod report;
mod run;
mod spec_args;
mod strongest;
mod verify;
mod worker;

use std::{
    panic::{self, AssertUnwindSafe},
    process::ExitCode,
};

use clap::{Parser, Subcommand};
use miette::Diagnostic;

use self::output::Output;
use crate::{
    catalogue::SystemEntry,
    engine::{panics, program, spec::Registry},
    exit::Exit,
};

/// Finds, proves, shrinks, replays and shows consistency violations of replicated stores.
#[derive(Debug, Parser)]
#[command(name = "squall", version, disable_help_subcommand = true, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 all valid, 1 a finding inside the promise, 2 usage or environment, 3 inconclusive, \
                          4 nondeterminism, 70 our own bug.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Finds a violation in a system with a known bug, shrinks it and shows it
    Demo(demo::Args),
    /// Makes a crate with a store, its tests, the whole command line and a file for CI
    New(new::Args),
    /// Shows what there is: systems, bugs, workloads, nemeses, checkers, models, simulators, topologies, formats
    List(list::Args),
    /// Runs many seeds and gathers what fails
    Campaign(Box<campaign::Args>),
    /// Writes the plan of a seed
    Plan(plan::Args),
    /// Runs one seed, or one plan
    Run(run::Args),
    /// Runs a case again: does it still fail?
    Replay(replay::Args),
    /// Shrinks a case, or the failures of a campaign's folder, to what matters
    Minimize(minimize::Args),
    /// Judges a history from a file
    Check(check::Args),
    /// Checks a verdict by its evidence
    Verify(verify::Args),
    /// Draws the HTML pages of campaigns' folders again, or combines the folders of many machines
    Report(report::Args),
    /// Runs the same seeds on every simulator, and compares what is found
    CrossCheck(cross_check::Args),
    /// Checks that a system is deterministic, and shows where it is not
    Doctor(doctor::Args),
    /// Serves a supervisor; not for people
    #[command(hide = true)]
    Worker,
}

/// What every subcommand gets.
struct Context {
    registry: Registry,
    output: Output,
}

/// What every subcommand comes to: an exit code, or an error in usage or environment.
type Result<T = Exit> = miette::Result<T>;

/// An error of usage or environment: what, and what to do next.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("{what}")]
struct Wrong {
    what: String,
    #[help]
    next: Option<String>,
}

/// Makes such an error.
fn wrong(what: impl std::fmt::Display, next: &str) -> miette::Report {
    Wrong { what: what.to_string(), next: (!next.is_empty()).then(|| next.to_owned()) }.into()
}

/// Runs the command line with these systems and the workloads that come with squall.
pub fn main(systems: &'static [SystemEntry]) -> ExitCode {
    main_with(Registry { systems, workloads: squall_workloads::WORKLOADS })
}

/// Runs the command line with systems and workloads of the caller's.
pub fn main_with(registry: Registry) -> ExitCode {
    match panic::catch_unwind(AssertUnwindSafe(|| start(registry))) {
        Ok(exit) => exit,
        Err(payload) => {
            eprintln!(
                "squall: this is a bug of squall itself, not of the system under test: {}\n\
                 Please report it with the command line and the message above.",
                panics::message(payload.as_ref())
            );
            Exit::OwnBug.into()
        }
    }
}

fn start(registry: Registry) -> ExitCode {
    program::called(std::env::args_os().next());
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => {
            // A closed pipe is no trouble of ours.
            let _ = e.print();
            return if e.use_stderr() { Exit::Usage.into() } else { ExitCode::SUCCESS };
        }
    };
    let mut context = Context { registry, output: Output::new() };
    let result = match cli.command {
        Command::Demo(args) => demo::run(&args, &mut context),
        Command::New(args) => new::run(&args, &mut context),
        Command::List(args) => list::run(&args, &mut context),
        Command::Campaign(args) => campaign::run(&args, &mut context),
        Command::Plan(args) => plan::run(&args, &mut context),
        Command::Run(args) => run::run(&args, &mut context),
        Command::Replay(args) => replay::run(&args, &mut context),
        Command::Minimize(args) => minimize::run(&args, &mut context),
        Command::Check(args) => check::run(&args, &mut context),
        Command::Verify(args) => verify::run(&args, &mut context),
        Command::Report(args) => report::run(&args, &mut context),
        Command::CrossCheck(args) => cross_check::run(&args, &mut context),
        Command::Doctor(args) => doctor::run(&args, &mut context),
        Command::Worker => worker::run(&context),
    };
    match result {
        Ok(exit) => exit.into(),
        Err(report) => {
            eprintln!("{report:?}");
            Exit::Usage.into()
        }
    }
}
