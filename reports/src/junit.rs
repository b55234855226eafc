//! A campaign as `JUnit` XML, which CI systems draw: one test for each kind of failure, and for each case that was run again.
//!
//! The names of tests say nothing that changes from run to run, so that a CI system sees the history of each.

use std::fmt::Write as _;

use crate::{
    records::{Finding, Rerun, Totals},
    story,
    text::{Style, render_failure},
};

/// What becomes of a test.
enum Fate {
    Passed,
    Skipped(String),
    Failed { kind: String, message: String, text: String },
}

/// The whole document. `findings` has the first of each kind of failure, and perhaps more.
pub fn document(totals: &Totals, findings: &[Finding], reruns: &[Rerun]) -> String {
    let mut tests: Vec<(String, Fate)> = reruns.iter().map(rerun).collect();
    for group in &totals.signatures {
        let signature = &group.signature;
        let first = findings.iter().find(|f| f.signature == *signature);
        let seeds = format!("{} of {} seeds, first {}", group.count, totals.seeds.run, group.first_seed);
        let fate = if group.inside_promise {
            let message = first.map_or_else(|| seeds.clone(), |f| format!("{} ({seeds})", story::sentence(f)));
            let text = first.map(|f| render_failure(f, Style::default())).unwrap_or_default();
            Fate::Failed { kind: signature.anomaly.clone(), message, text }
        } else {
            Fate::Skipped(format!("outside the promise: {seeds}"))
        };
        tests.push((format!("{}: {}", signature.checker, signature.anomaly), fate));
    }
    if totals.signatures.iter().all(|group| !group.inside_promise) && totals.seeds.run > 0 {
        tests.push(("every seed keeps the promise".to_owned(), Fate::Passed));
    }
    let silent = totals.seeds.unknown + totals.seeds.vacuous;
    if silent > 0 {
        let message = format!("{silent} of {} seeds: {}", totals.seeds.run, story::seeds(&totals.seeds));
        tests.push(("something can be said of every seed".to_owned(), Fate::Skipped(message)));
    }
    draw(totals, &tests)
}

fn rerun(rerun: &Rerun) -> (String, Fate) {
    let fate = match &rerun.finding {
        None => Fate::Passed,
        Some(finding) => Fate::Failed {
            kind: finding.signature.anomaly.clone(),
            message: story::sentence(finding),
            text: render_failure(finding, Style::default()),
        },
    };
    (format!("case {}", rerun.case), fate)
}

fn draw(totals: &Totals, tests: &[(String, Fate)]) -> String {
    let count = |is: fn(&Fate) -> bool| tests.iter().filter(|(_, fate)| is(fate)).count();
    let failures = count(|fate| matches!(fate, Fate::Failed { .. }));
    let skipped = count(|fate| matches!(fate, Fate::Skipped(_)));
    let seconds = format!("{}.{:03}", totals.wall_ms / 1000, totals.wall_ms % 1000);
    let system = escape(&totals.system);
    let figures = format!("tests=\"{}\" failures=\"{failures}\" skipped=\"{skipped}\" errors=\"0\"", tests.len());
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"squall\" {figures} time=\"{seconds}\">\n  \
         <testsuite name=\"{system}\" {figures} time=\"{seconds}\">\n"
    );
    let simulator = escape(&story::simulator(&totals.simulator, totals.nondeterministic));
    let _ = writeln!(out, "    <properties><property name=\"simulator\" value=\"{simulator}\"/></properties>");
    for (name, fate) in tests {
        let _ = write!(out, "    <testcase classname=\"squall.{system}\" name=\"{}\" time=\"0\"", escape(name));
        match fate {
            Fate::Passed => out.push_str("/>\n"),
            Fate::Skipped(message) => {
                let _ = writeln!(out, "><skipped message=\"{}\"/></testcase>", escape(message));
            }
            Fate::Failed { kind, message, text } => {
                let (kind, message, text) = (escape(kind), escape(message), escape(text));
                let _ = writeln!(out, "><failure type=\"{kind}\" message=\"{message}\">{text}</failure></testcase>");
            }
        }
    }
    out + "  </testsuite>\n</testsuites>\n"
}

/// Text for an attribute or between tags. What XML has no place for, as most control characters, is spelt out.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push('\n'),
            '\u{FFFE}' | '\u{FFFF}' => out.push('\u{FFFD}'),
            c if c.is_control() => out.extend(c.escape_default()),
            c => out.push(c),
        }
    }
    out
}
