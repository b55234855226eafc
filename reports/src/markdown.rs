//! A campaign as Markdown: what a CI system shows as the summary of a job.

use std::fmt::Write as _;

use crate::{
    records::{Finding, Rerun, Totals},
    story,
    text::{Style, render_failure},
    words::count,
};

/// Failures that are drawn in full: a summary has a limit of size.
const DRAWN_MAX: usize = 5;

/// The summary: one line that says it all, a table of the kinds of failures, and the first of each, folded.
pub fn summary(totals: &Totals, findings: &[Finding], reruns: &[Rerun]) -> String {
    let inside = totals.signatures.iter().filter(|group| group.inside_promise).count();
    let again: Vec<&Finding> = reruns.iter().filter_map(|r| r.finding.as_ref()).collect();
    let verdict = match (inside, again.len()) {
        (0, 0) if totals.seeds.run == totals.seeds.valid => "every seed keeps the promise".to_owned(),
        (0, 0) => "no seed breaks the promise".to_owned(),
        (0, 1) => "a case that failed before still fails".to_owned(),
        (0, cases) => format!("{cases} cases that failed before still fail"),
        (1, _) => "it breaks its promise".to_owned(),
        (kinds, _) => format!("it breaks its promise in {kinds} ways"),
    };
    let mut out = format!("## squall: `{}`: {verdict}\n\n", totals.system);
    let seconds = totals.wall_ms as f64 / 1000.0;
    let _ = writeln!(
        out,
        "{} in {seconds:.1} s: {}. Workload {}, {} simulator{}, {}.\n",
        count(totals.seeds.run, "seed"),
        story::seeds(&totals.seeds),
        totals.workload,
        totals.simulator,
        if totals.nondeterministic { " (nondeterministic)" } else { "" },
        totals.ended,
    );
    if !reruns.is_empty() {
        out.push_str("| failed before | now |\n| --- | --- |\n");
        for rerun in reruns {
            let now = rerun.finding.as_ref().map_or("passes".to_owned(), |f| format!("**{}**", f.signature.anomaly));
            let _ = writeln!(out, "| `{}` | {} |", cell(&rerun.case), cell(&now));
        }
        out.push('\n');
    }
    if !totals.signatures.is_empty() {
        out.push_str("| failure | found by | seeds | first | run it again |\n| --- | --- | --- | --- | --- |\n");
        for group in &totals.signatures {
            let signature = &group.signature;
            let outside = if group.inside_promise { "" } else { " (outside the promise)" };
            let first = findings.iter().find(|f| f.signature == *signature);
            let command = first.map(|f| format!("`{}`", cell(&f.replay))).unwrap_or_default();
            let _ = writeln!(
                out,
                "| **{}**{outside} | {} | {} | {} | {command} |",
                cell(&signature.anomaly),
                cell(&signature.checker),
                group.count,
                group.first_seed
            );
        }
        out.push('\n');
    }
    let new = totals.signatures.iter().filter(|g| again.iter().all(|f| f.signature != g.signature));
    let first = new.filter_map(|g| findings.iter().find(|f| f.signature == g.signature));
    for finding in again.iter().copied().chain(first).take(DRAWN_MAX) {
        let text = render_failure(finding, Style::default());
        let fence = fence(&text);
        let title = html(&format!("{}: {}", finding.signature.anomaly, story::sentence(finding)));
        let _ = writeln!(out, "<details><summary>{title}</summary>\n\n{fence}text\n{text}{fence}\n\n</details>\n");
    }
    out
}

/// Text in a table: a bar would end its cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

/// Text between tags.
fn html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('\n', " ")
}

/// A fence that the text does not hold.
fn fence(text: &str) -> String {
    let mut fence = "```".to_owned();
    while text.contains(&fence) {
        fence.push('`');
    }
    fence
}
