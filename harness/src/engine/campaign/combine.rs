//! Combining the folders of many machines into one, as one machine would have written it.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use squall_reports::records::{self, Finding, RecordError, TOTALS_FILE, Totals};

use super::{
    Ended, Report,
    folder::{self, Charter, Folder, FolderError},
    ledger::Ledger,
    protocol::SeedReport,
};
use crate::engine::seeds::Seeds;

/// Folders that cannot be combined.
#[derive(Debug, thiserror::Error)]
pub enum CombineError {
    /// One of them, or the new one, cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// Totals that cannot be read.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// They hold different campaigns.
    #[error("{} and {} hold different campaigns: their {what} differ", one.display(), other.display())]
    Different {
        /// A folder.
        one: PathBuf,
        /// Another.
        other: PathBuf,
        /// What is not the same.
        what: &'static str,
    },
}

/// What one folder holds.
struct Part {
    charter: Charter,
    reports: Vec<SeedReport>,
    findings: Vec<Finding>,
    totals: Option<Totals>,
}

/// Combines these folders into a new one, and says what they come to together. Seeds that several of them have count once.
///
/// Since seeds are entered in their order, whoever ran them, the result is that of one machine that ran all of them: the same
/// seeds, the same kinds of failures with the same first seed, the same records. Each machine has looked closer at the first
/// failures of its own part, so that more records may be shrunk.
///
/// # Errors
/// When a folder cannot be used, or they do not belong together. The new folder is not made then.
pub fn combine(paths: &[PathBuf], out: &Path) -> Result<(Charter, Report), CombineError> {
    let mut parts: Vec<Part> = Vec::new();
    for path in paths {
        let part = read(path)?;
        if let Some(first) = parts.first() {
            let what = difference(&first.charter, &part.charter);
            if let Some(what) = what {
                return Err(CombineError::Different { one: paths[0].clone(), other: path.clone(), what });
            }
        }
        parts.push(part);
    }
    let first = &parts[0].charter;
    let seeds = parts
        .iter()
        .map(|p| p.charter.whole())
        .fold(first.whole(), |all, seeds| Seeds { start: all.start.min(seeds.start), end: all.end.max(seeds.end) });
    let charter = Charter::new(first.spec.clone(), seeds, first.stop.clone());
    let mut folder = Folder::create(out, &charter)?;
    let mut ledger = Ledger::new(seeds, charter.stop.clone());
    let mut reports: Vec<SeedReport> = parts.iter_mut().flat_map(|part| std::mem::take(&mut part.reports)).collect();
    let mut findings: Vec<Finding> = parts.iter_mut().flat_map(|part| std::mem::take(&mut part.findings)).collect();
    reports.sort_by_key(|report| report.seed);
    reports.dedup_by_key(|report| report.seed);
    // Of records of the same failure the one that tells more comes first.
    findings.sort_by_key(|f| (f.seed, f.signature.clone(), f.minimised.is_none()));
    findings.dedup_by(|b, a| (a.seed, &a.signature) == (b.seed, &b.signature));
    forget_traces(&mut findings);
    let mut findings = findings.into_iter().peekable();
    for report in reports {
        let mut of_seed = Vec::new();
        while let Some(finding) = findings.next_if(|f| f.seed <= report.seed) {
            of_seed.push(finding);
        }
        folder.append(&report, of_seed)?;
        ledger.add(report);
    }
    let ended = match ledger.is_complete() {
        false => Ended::Partial,
        true if ledger.last_seed() + 1 < seeds.end => Ended::StopAfter,
        true => Ended::AllSeeds,
    };
    ledger.close();
    let last = ledger.last_seed();
    // Cases move with their findings.
    for finding in folder.findings(last).into_iter().filter(|f| f.case.is_some()) {
        folder.explain(finding)?;
    }
    let totals = totals(&ledger, &charter, &parts, ended);
    folder.settle(last, &totals)?;
    let report = Report {
        findings: folder.findings(last),
        failing_inside: ledger.failing_inside(),
        failing_outside: ledger.failing_outside(),
        inconclusive: ledger.inconclusive().map(|(seed, why)| (seed, why.to_owned())),
        totals,
        ended,
        trouble: None,
    };
    Ok((charter, report))
}

/// Each machine has traced the first failure of each kind of its own; one machine would have traced the first of all.
fn forget_traces(findings: &mut [Finding]) {
    let mut seen = BTreeSet::new();
    for finding in findings {
        if !seen.insert(finding.signature.clone()) && finding.minimised.is_none() {
            finding.trace.clear();
            finding.observations.clear();
        }
    }
}

fn read(path: &Path) -> Result<Part, CombineError> {
    let charter = folder::read_charter(path)?;
    let totals = path.join(TOTALS_FILE);
    Ok(Part {
        charter,
        reports: folder::reports(path)?,
        findings: folder::findings(path)?,
        totals: if totals.exists() { Some(records::read_totals(&totals)?) } else { None },
    })
}

fn difference(one: &Charter, other: &Charter) -> Option<&'static str> {
    if one.spec.system != other.spec.system {
        Some("systems")
    } else if one.spec != other.spec {
        Some("options")
    } else if one.stop != other.stop {
        Some("`--stop-after`")
    } else if one.shard.map(|s| (s.shard.of, s.whole)) != other.shard.map(|s| (s.shard.of, s.whole)) {
        Some("shards")
    } else {
        None
    }
}

fn totals(ledger: &Ledger, charter: &Charter, parts: &[Part], ended: Ended) -> Totals {
    let known: Vec<&Totals> = parts.iter().filter_map(|part| part.totals.as_ref()).collect();
    let mut totals = ledger.totals();
    totals.system.clone_from(&charter.spec.system);
    if let Some(first) = known.first() {
        totals.workload.clone_from(&first.workload);
        totals.simulator.clone_from(&first.simulator);
        totals.nondeterministic = first.nondeterministic;
        totals.nemeses.clone_from(&first.nemeses);
    }
    ended.text().clone_into(&mut totals.ended);
    // Machines run side by side: it took as long as the slowest.
    totals.wall_ms = known.iter().map(|t| t.wall_ms).max().unwrap_or(0);
    totals
}
