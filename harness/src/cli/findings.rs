//! Showing findings: the failure as text, its page, and the groups of failures of a campaign.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use squall_reports::{
    html,
    records::{Finding, SignatureCount, Totals},
    text::{Style, render_failure},
};

use super::{Context, Result, files};

/// Writes the page of each finding, and the index over them, into the folder. Returns the path of the index.
pub(super) fn write_pages(folder: &Path, totals: &Totals, findings: &[Finding]) -> Result<PathBuf> {
    for finding in findings {
        files::write(&folder.join(html::page_name(finding)), &html::failure_page(finding))?;
    }
    let index = folder.join("index.html");
    files::write(&index, &html::index_page(totals, findings))?;
    Ok(index)
}

/// Shows one finding in full.
pub(super) fn show(context: &mut Context, finding: &Finding) -> Result<()> {
    let style = context.output.style();
    context.output.text(&render(finding, style))
}

fn render(finding: &Finding, style: Style) -> String {
    format!("{}\n", render_failure(finding, style))
}

/// A line for each kind of failure: how many seeds, the first of them, and the command that runs it again.
pub(super) fn groups(signatures: &[SignatureCount], findings: &[Finding]) -> String {
    let mut out = String::new();
    for group in signatures {
        let signature = &group.signature;
        let seeds = if group.count == 1 { "1 seed".to_owned() } else { format!("{} seeds", group.count) };
        let outside = if group.inside_promise { "" } else { ", outside the promise" };
        let _ = writeln!(
            out,
            "{} ({}): {seeds}, first {}{outside}",
            signature.anomaly, signature.checker, group.first_seed
        );
        let first = findings.iter().find(|f| f.signature == *signature && f.seed == group.first_seed);
        if let Some(finding) = first {
            let _ = writeln!(out, "    {}", finding.replay);
        }
    }
    out
}
