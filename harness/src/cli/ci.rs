//! What a campaign tells a CI system: `JUnit` XML, the summary of a job, and by the exit code only what it was asked to fail on.

use std::{
    ffi::OsString,
    fs::OpenOptions,
    io::Write,
    path::{Path, PathBuf},
};

use squall_checkers::anomaly;
use squall_reports::{
    junit, markdown,
    records::{Rerun, Signature},
};

use super::{Result, files, outcome, wrong};
use crate::{
    engine::{campaign::Report, names},
    exit::Exit,
};

/// The variable by which GitHub says where a job's summary is written.
const GITHUB_SUMMARY: &str = "GITHUB_STEP_SUMMARY";

/// Words of `--fail-on` that are no kinds of failures.
const WORDS: [&str; 4] = ["invalid", "unknown", "vacuous", "outside"];

#[derive(Debug, clap::Args)]
pub(super) struct CiArgs {
    /// Write a report that CI systems draw, `JUnit` XML, to this file
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Append a summary in Markdown to this file; to that of the job when GitHub names one and this is not given
    #[arg(long, value_name = "FILE")]
    summary: Option<PathBuf>,
    /// What ends it with exit code 1, with commas, and all else with 0: anomalies by name, `invalid` for all of them, `panic`,
    /// `abort`, `hang`, `step-limit`, `memory`, `unknown`, `vacuous`, `outside` the promise
    #[arg(long, value_name = "KINDS", value_delimiter = ',')]
    fail_on: Vec<String>,
}

impl CiArgs {
    /// Says so, when a kind of `--fail-on` is unknown: before any seed runs.
    pub(super) fn check(&self) -> Result<()> {
        let known: Vec<&str> = kinds().collect();
        for kind in &self.fail_on {
            names::find("kind of failure", &known, |k| k, kind).map_err(|e| {
                wrong(&e, "`--fail-on` takes these, with commas between them: see `squall campaign --help`.")
            })?;
        }
        Ok(())
    }

    /// Whether any option of it was given.
    pub(super) fn is_asked_for(&self) -> bool {
        self.junit.is_some() || self.summary.is_some() || !self.fail_on.is_empty()
    }

    /// Writes what was asked for.
    pub(super) fn tell(&self, report: &Report, reruns: &[Rerun]) -> Result<()> {
        let Report { totals, findings, .. } = report;
        if let Some(path) = &self.junit {
            files::write(path, &junit::document(totals, findings, reruns))?;
        }
        let github = std::env::var_os(GITHUB_SUMMARY).filter(|v: &OsString| !v.is_empty()).map(PathBuf::from);
        if let Some(path) = self.summary.as_ref().or(github.as_ref()) {
            append(path, &markdown::summary(totals, findings, reruns))?;
        }
        Ok(())
    }
}

/// Every word of `--fail-on`.
fn kinds() -> impl Iterator<Item = &'static str> {
    let runs = ["panic", "abort", "hang", "step-limit", "memory"];
    WORDS.into_iter().chain(runs).chain(anomaly::KINDS.iter().map(|(name, _)| name.as_str()))
}

/// The exit code: that of a campaign, or what `--fail-on` makes of it. What kept it from its work is told in any case.
pub(super) fn exit(args: &CiArgs, report: &Report, reruns: &[Rerun]) -> Exit {
    let again = reruns.iter().filter_map(|r| r.finding.as_ref());
    if args.fail_on.is_empty() {
        let again = if again.count() > 0 { Exit::Finding } else { Exit::Valid };
        return outcome::exit(report).max(again);
    }
    let seeds = &report.totals.seeds;
    let inside = report.totals.signatures.iter().filter(|group| group.inside_promise).map(|group| &group.signature);
    let failed: Vec<&Signature> = inside.chain(again.map(|f| &f.signature)).collect();
    let fails = args.fail_on.iter().any(|kind| match kind.as_str() {
        "unknown" => seeds.unknown > 0,
        "vacuous" => seeds.vacuous > 0,
        "outside" => report.failing_outside > 0,
        "invalid" => failed.iter().any(|s| s.checker != Signature::EXECUTION),
        kind => failed.iter().any(|s| s.anomaly == kind),
    });
    let cut_short = if outcome::is_cut_short(report) { Exit::Inconclusive } else { Exit::Valid };
    let fails = if fails { Exit::Finding } else { Exit::Valid };
    fails.max(cut_short).max(outcome::trouble(report))
}

/// Other steps of a job may have written there before.
fn append(path: &Path, text: &str) -> Result<()> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|e| wrong(format!("cannot append to {}: {e}", path.display()), "Name a file that can be written."))
}

#[cfg(test)]
mod tests {
    use squall_reports::records::FailureKind;

    use super::*;

    #[test]
    fn the_failures_of_runs_have_their_own_names() {
        for kind in
            [FailureKind::Panic, FailureKind::Abort, FailureKind::Hang, FailureKind::StepLimit, FailureKind::Memory]
        {
            assert!(kinds().any(|k| k == kind.to_string()), "{kind}");
        }
    }
}
