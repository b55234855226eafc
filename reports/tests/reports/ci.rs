//! What CI systems read: `JUnit` XML, and Markdown for the summary of a job.

use squall_reports::{
    junit, markdown,
    records::{Finding, Rerun, SeedCounts, SignatureCount, Totals},
};

use crate::common::{lost_write, panicked, stale_read};

/// A campaign that found these.
fn totals(findings: &[Finding]) -> Totals {
    let group = |f: &Finding| SignatureCount {
        signature: f.signature.clone(),
        count: 2,
        first_seed: f.seed,
        inside_promise: f.inside_promise,
    };
    Totals {
        system: "raft-rs-kv:leader-local-read".to_owned(),
        workload: "register".to_owned(),
        simulator: "native".to_owned(),
        ended: "all seeds ran".to_owned(),
        seeds: SeedCounts { run: 400, valid: 397, invalid: 2, vacuous: 1, ..SeedCounts::default() },
        wall_ms: 12_345,
        signatures: findings.iter().map(group).collect(),
        ..Totals::default()
    }
}

fn reruns() -> [Rerun; 2] {
    [
        Rerun { case: "case-stale-read-7.json".to_owned(), finding: Some(stale_read()) },
        Rerun { case: "case-lost-write-9.json".to_owned(), finding: None },
    ]
}

#[test]
fn junit_has_a_test_for_each_kind_of_failure_and_each_case() {
    let findings = [stale_read(), lost_write(), panicked()];
    insta::assert_snapshot!("junit", junit::document(&totals(&findings), &findings, &reruns()));
}

#[test]
fn a_summary_says_it_all_in_its_first_line_and_draws_each_failure_once() {
    let findings = [stale_read(), lost_write(), panicked()];
    let summary = markdown::summary(&totals(&findings), &findings, &reruns());
    let first = "## squall: `raft-rs-kv:leader-local-read`: it breaks its promise in 2 ways\n";
    assert!(summary.starts_with(first), "{summary}");
    for row in [
        "400 seeds in 12.3 s: 397 valid, 2 invalid, 1 vacuous.",
        "| `case-stale-read-7.json` | **stale-read** |",
        "| `case-lost-write-9.json` | passes |",
        "| **stale-read** | linearizability | 2 | 8814413 | `squall replay squall-out/raft-rs-kv/case-8814413.json` |",
        "(outside the promise)",
        "| **panic** | execution | 2 |",
    ] {
        assert!(summary.contains(row), "no {row} in:\n{summary}");
    }
    assert_eq!(summary.matches("<details>").count(), 3, "{summary}");
}

#[test]
fn good_news_is_one_test_that_passes() {
    let seeds = SeedCounts { run: 5, valid: 5, ..SeedCounts::default() };
    let totals = Totals { seeds, ..totals(&[]) };
    let junit = junit::document(&totals, &[], &[]);
    assert!(junit.contains("tests=\"1\" failures=\"0\" skipped=\"0\""), "{junit}");
    let real = junit::document(&Totals { nondeterministic: true, ..totals.clone() }, &[], &[]);
    assert!(real.contains("value=\"native, nondeterministic\""), "{real}");
    let summary = markdown::summary(&totals, &[], &[]);
    assert!(
        summary.starts_with("## squall: `raft-rs-kv:leader-local-read`: every seed keeps the promise\n"),
        "{summary}"
    );
}

#[test]
fn whatever_comes_from_a_run_is_escaped() {
    let mut finding = panicked();
    let evil = "</failure> & \"quoted\" ``` <details> | \u{1} \u{FFFF}";
    finding.failure.as_mut().expect("a panic").message = format!("{evil}\n{evil}");
    finding.signature.anomaly = evil.to_owned();
    let findings = [finding];
    let junit = junit::document(&totals(&findings), &findings, &[]);
    assert_eq!(junit.matches("</failure>").count(), 1, "{junit}");
    assert!(!junit.contains('\u{1}') && !junit.contains('\u{FFFF}'), "{junit}");
    let summary = markdown::summary(&totals(&findings), &findings, &[]);
    assert!(summary.contains("````text\n"), "a fence that the text does not hold: {summary}");
    let title = summary.split("<summary>").nth(1).and_then(|rest| rest.split("</summary>").next()).expect("a title");
    assert!(!title.contains(['<', '>']), "{title}");
}
