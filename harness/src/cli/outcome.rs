//! What a campaign came to, on the terminal and as an exit code; of one machine, or of many together.

use std::{fmt::Write as _, path::Path};

use squall_reports::{
    records::{FaultCount, Totals},
    story,
};

use super::{Context, Result, findings, progress::pace, wrong};
use crate::{
    engine::{
        campaign::{CampaignError, Ended, Report, closer, folder::Charter, keeper::KeeperError},
        program,
        span::Span,
    },
    exit::Exit,
};

/// Failures shown in full on the terminal; all have their page.
const SHOWN_MAX: usize = 3;

/// Shows it on the terminal, and draws its pages.
pub(super) fn show(context: &mut Context, report: &Report, charter: &Charter, path: &Path, json: bool) -> Result<()> {
    // What was found is told first, whatever else goes wrong.
    if json {
        context.output.json(&report.totals)?;
    } else {
        for finding in closer::first_of_each(&report.findings).into_iter().take(SHOWN_MAX) {
            findings::show(context, finding)?;
        }
        context.output.text(&summary(report, charter))?;
        context.output.text(&findings::groups(&report.totals.signatures, &report.findings))?;
    }
    match findings::write_pages(path, &report.totals, &report.findings) {
        Ok(index) if !json => context.output.line(format!("report: {}", index.display()))?,
        Err(e) if report.trouble.is_none() => return Err(e),
        _ => {}
    }
    if let Some(trouble) = &report.trouble {
        let next = format!("`{}` goes on where it stopped.", program::about("campaign --resume", path));
        eprintln!("{:?}", wrong(trouble, &next));
    } else if report.ended == Ended::Interrupted {
        eprintln!("interrupted; go on by: {}", program::about("campaign --resume", path));
    }
    Ok(())
}

/// The campaign in a few lines.
fn summary(report: &Report, charter: &Charter) -> String {
    let totals = &report.totals;
    let mut out = format!(
        "{}: {} of {} seeds ran ({}), {:.1} s, {}, {}\n",
        totals.system,
        totals.seeds.run,
        charter.seeds.count(),
        charter.seeds,
        totals.wall_ms as f64 / 1000.0,
        pace(totals.seeds_per_second().unwrap_or(0.0)),
        report.ended.text(),
    );
    if totals.nondeterministic {
        let _ = writeln!(out, "simulator: {}", story::simulator(&totals.simulator, true));
    }
    let _ = writeln!(out, "seeds: {}", story::seeds(&totals.seeds));
    let operations = &totals.operations;
    let _ = writeln!(
        out,
        "operations: {} ok, {} failed, {} unknown; {} messages; {} simulated; {:.0}% of CPU time for checking",
        operations.ok,
        operations.failed,
        operations.unknown,
        totals.messages,
        Span(totals.simulated_ns / 1_000_000_000 * 1_000_000_000),
        totals.checking_share().unwrap_or(0.0) * 100.0,
    );
    out.push_str(&faults(totals));
    if report.failing_outside > 0 {
        let _ = writeln!(out, "{} of the failing seeds lie outside the promise", report.failing_outside);
    }
    if let Some((seed, why)) = &report.inconclusive {
        let _ = writeln!(out, "nothing can be said of some seeds; the first is {seed}: {why}");
    }
    out
}

fn faults(totals: &Totals) -> String {
    if totals.faults.is_empty() {
        return "faults: none\n".to_owned();
    }
    let one = |f: &FaultCount| {
        let mut text = format!("{} {}", f.scheduled, f.kind);
        let idle: Vec<_> = [(f.inert, "inert"), (f.unresolved, "unresolved")]
            .iter()
            .filter(|(n, _)| *n > 0)
            .map(|(n, word)| format!("{n} {word}"))
            .collect();
        if !idle.is_empty() {
            let _ = write!(text, " ({})", idle.join(", "));
        }
        text
    };
    format!("faults: {}\n", totals.faults.iter().map(one).collect::<Vec<_>>().join(", "))
}

/// The exit code of what a campaign came to.
pub(super) fn exit(report: &Report) -> Exit {
    let finding = if report.failing_inside > 0 { Exit::Finding } else { Exit::Valid };
    let inconclusive = report.inconclusive.is_some() || is_cut_short(report);
    let inconclusive = if inconclusive { Exit::Inconclusive } else { Exit::Valid };
    finding.max(inconclusive).max(trouble(report))
}

/// The exit code of what kept it from going on.
pub(super) fn trouble(report: &Report) -> Exit {
    match &report.trouble {
        None => Exit::Valid,
        Some(CampaignError::Worker(KeeperError::OwnBug(_))) => Exit::OwnBug,
        Some(_) => Exit::Usage,
    }
}

/// Whether seeds were left out that nobody told it to leave out.
pub(super) fn is_cut_short(report: &Report) -> bool {
    matches!(report.ended, Ended::Interrupted | Ended::Partial)
}
