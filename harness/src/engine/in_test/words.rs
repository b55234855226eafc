//! What a test says when a promise is broken.

use std::{fmt::Write as _, thread, time::Duration};

use squall_reports::{
    records::{Failure, FailureKind, Finding},
    text::{Style, render_failure},
};

use super::{Found, Report, SEEDS_VARIABLE};

/// What there is to say against a report; `None` when nothing is.
pub(super) fn broken(report: &Report) -> Option<String> {
    let Report { system, seeds, .. } = report;
    if let Some(found) = &report.failure {
        return Some(failure(found, report));
    }
    report.inconclusive.as_ref().map(|(seed, why)| {
        format!(
            "nothing can be said of seed {seed} of {seeds} against `{system}`: {why}\n{} seeds are valid, none fails; but what \
             was not judged proves nothing. Does the store answer at all under these faults?",
            report.valid
        )
    })
}

fn failure(found: &Found, report: &Report) -> String {
    let Found { seed, finding, case, trouble } = found;
    let Report { system, seeds, .. } = report;
    let mut out = format!(
        "seed {seed} of {seeds} breaks the promise of `{system}`\n\n{}",
        render_failure(finding, Style::default())
    );
    if let Some(path) = case {
        let path = path.display();
        let _ = writeln!(out, "{:<18}{path}", "the case");
        let _ =
            writeln!(out, "{:<18}squall::replay(STORE, include_str!(\"{path}\")).assert_valid()", "keep it as a test");
    }
    if let Some(trouble) = trouble {
        let _ = writeln!(out, "{:<18}{trouble}", "not shrunk");
    }
    out
}

/// What is said of a case that still fails.
pub(super) fn still_fails(finding: &Finding) -> String {
    format!("the case of `{}` still fails\n\n{}", finding.system, render_failure(finding, Style::default()))
}

/// How a seed is run again, as the thread of the test itself knows it.
pub(super) fn seed_again() -> impl Fn(u64) -> String + Clone + Send + 'static {
    let test = test_again();
    move |seed| format!("{SEEDS_VARIABLE}={seed}..{} {test}", seed.saturating_add(1))
}

/// How this test is run again: the harness of tests names threads after them.
pub(super) fn test_again() -> String {
    let current = thread::current();
    let test = current.name().filter(|name| *name != "main").map(|name| format!(" {name}"));
    format!("cargo test{}", test.unwrap_or_default())
}

/// A run that does not come to its end.
pub(super) fn hang(after: Duration) -> Failure {
    let message = format!("no end after {} s of real time; its thread was left behind", after.as_secs_f64());
    Failure { kind: FailureKind::Hang, node: None, at_ns: None, message }
}

/// The name of a system as that of a folder.
pub(super) fn folder(system: &str) -> String {
    system.replace(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_', "-")
}
