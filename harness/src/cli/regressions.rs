//! `--regressions DIR`: cases that failed before run before any seed, and those of new failures join them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use squall_reports::records::{Finding, Rerun};

use super::{Context, Result, files, findings, replay, wrong};
use crate::{
    engine::{
        campaign::{closer, single::Wanted},
        explain,
    },
    plan::case::Case,
};

/// A folder of cases.
pub(super) struct Regressions {
    folder: PathBuf,
    /// By the names of their files, in order.
    cases: Vec<(String, Case)>,
}

impl Regressions {
    /// Reads all cases of a folder: its files that end in `.json`. There may be no folder yet.
    pub(super) fn read(folder: &Path) -> Result<Self> {
        let mut cases = Vec::new();
        if folder.exists() {
            let trouble =
                |e| wrong(format!("cannot read {}: {e}", folder.display()), "`--regressions` takes a folder of cases.");
            for entry in fs::read_dir(folder).map_err(trouble)? {
                let path = entry.map_err(trouble)?.path();
                if path.extension().is_some_and(|e| e == "json") {
                    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                    cases.push((name, replay::read(&path)?));
                }
            }
        }
        cases.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(Regressions { folder: folder.to_owned(), cases })
    }

    /// Adds the cases of failures of a kind that no case here showed just now.
    pub(super) fn add(&self, found: &[Finding], reruns: &[Rerun]) -> Result<()> {
        let known = |f: &Finding| reruns.iter().filter_map(|r| r.finding.as_ref()).any(|k| k.signature == f.signature);
        for finding in closer::first_of_each(found).into_iter().filter(|f| !known(f)) {
            let Some(case) = &finding.case else { continue };
            let path = self.folder.join(explain::case_file(finding));
            if !path.exists() {
                files::write(&path, case)?;
                eprintln!("{} joins those that run first", path.display());
            }
        }
        Ok(())
    }
}

/// Runs the cases of this system, each in a worker process, and shows those that still fail.
pub(super) fn rerun(known: &Regressions, system: &str, context: &mut Context, json: bool) -> Result<Vec<Rerun>> {
    let mut reruns = Vec::new();
    for (name, case) in known.cases.iter().filter(|(_, case)| case.plan.system == system) {
        let path = known.folder.join(name);
        let mut single = replay::again(&path, case, Wanted::default(), context)?;
        let same = single.findings.iter().position(|f| f.signature == case.signature).unwrap_or(0);
        let finding = (!single.findings.is_empty()).then(|| single.findings.swap_remove(same));
        if let Some(finding) = &finding {
            eprintln!("{}: it still fails", path.display());
            if !json {
                findings::show(context, finding)?;
            }
        }
        reruns.push(Rerun { case: name.clone(), finding });
    }
    let others = known.cases.len() - reruns.len();
    let fail = reruns.iter().filter(|r| r.finding.is_some()).count();
    eprint!("{} cases that failed before ran first, {fail} still fail", reruns.len());
    eprintln!("{}", if others > 0 { format!("; {others} are of other systems") } else { String::new() });
    Ok(reruns)
}
