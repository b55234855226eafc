//! What the pages must hold, whatever the finding.

use std::{collections::BTreeSet, fs, path::Path};

use squall_checkers::{history::Outcome, operation::Operation, verdict::Verdict};
use squall_reports::{
    html::{failure_page, index_page, page_name},
    records::{Failure, FailureKind, Finding, Observation, Totals, TraceEvent},
    story,
};

use crate::common;

/// A text that does harm wherever it is not escaped.
const EVIL: &str = "<script>alert(1)</script>\"'&--><img src=x>\0\u{1b}";

/// What holds of every page. The pages stay in the folder of build products for those who want to look at them.
fn check(name: &str, page: &str) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pages");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(format!("{name}.html")), page).unwrap();

    assert!(page.starts_with("<!DOCTYPE html>"));
    for load in
        ["http:", "https:", "//cdn", " src=", "@import", "url(\"", "url(h", "<img", "<iframe", "srcset", "ping="]
    {
        assert!(!page.contains(load), "{name} holds {load}");
    }
    assert_eq!(page.matches("<link").count(), page.matches("<link rel=\"icon\" href=\"data:,\">").count());
    assert_eq!(page.matches("<script").count(), 1, "{name}: no script but ours");
    assert!(page.contains("default-src 'none'"));
    assert!(!page.chars().any(|c| c.is_control() && c != '\n' && c != '\t'), "{name} holds a control character");
    for tag in [
        "html", "head", "body", "section", "table", "tr", "td", "th", "svg", "g", "rect", "text", "details", "a",
        "code",
    ] {
        let opened = page.matches(&format!("<{tag}>")).count() + page.matches(&format!("<{tag} ")).count();
        assert_eq!(opened, page.matches(&format!("</{tag}>")).count(), "{name}: <{tag}> is not balanced");
    }
}

/// The operations of the anomaly are in the table and in the timeline, and marked as such.
fn check_anomaly(page: &str, finding: &Finding) {
    let accused = story::accused(finding);
    assert!(!accused.is_empty());
    for entry in accused {
        let in_timeline = page.contains(&format!(" accused\" data-op=\"{entry}\" tabindex=\"0\""));
        let in_table = page.contains(&format!(" accused\" data-op=\"{entry}\"><"));
        assert!(in_timeline && in_table, "operation {entry}: timeline {in_timeline}, table {in_table}");
    }
}

#[test]
fn a_page_tells_the_whole_story() {
    let finding = common::stale_read();
    let page = failure_page(&finding);
    check("stale-read", &page);
    check_anomaly(&page, &finding);
    for said in [
        "process 0 read 1 from &quot;k1&quot; although",
        "partition {n0} | {n1 n2}, from 1.040 s to 3.500 s",
        "squall replay squall-out/raft-rs-kv/case-8814413.json",
        ">needed<",
        ">inert<",
        "412",
        "the minimised run has no final reads",
        "AppendEntries { term: 2, index: 5 }",
        "role leader",
        "&quot;system&quot;: &quot;raft-rs-kv:leader-local-read&quot;",
        "took 910 ms",
    ] {
        assert!(page.contains(said), "{said}");
    }
}

#[test]
fn an_unknown_outcome_fades_and_what_is_beyond_the_promise_says_so() {
    let finding = common::lost_write();
    let page = failure_page(&finding);
    check("lost-write", &page);
    check_anomaly(&page, &finding);
    for said in
        ["beyond the promise", ">unresolved<", "Around the anomaly", "class=\"tail\"", "failed: not the expected value"]
    {
        assert!(page.contains(said), "{said}");
    }
    assert!(!page.contains("broken promise"));
}

#[test]
fn a_panic_needs_no_operations() {
    let page = failure_page(&common::panicked());
    check("panic", &page);
    assert!(page.contains("Node n2 panicked at 1.234 s"));
    assert!(page.contains("at src/log.rs:88:17\n␛[31mred␇"));
    assert!(!page.contains("<g class=\"op"));
}

#[test]
fn nothing_known_is_still_a_page() {
    check("empty", &failure_page(&Finding::default()));
    check("empty-index", &index_page(&Totals::default(), &[]));
}

#[test]
fn a_crowd_is_capped_and_the_page_says_so() {
    for (count, processes, nodes) in [(1_000, 12, 500), (1_000, 100, 3), (20, 5, 5)] {
        let finding = common::crowded(count, processes, nodes);
        let page = failure_page(&finding);
        check(&format!("crowded-{count}-{processes}-{nodes}"), &page);
        if count == 1_000 {
            check_anomaly(&page, &finding);
            assert!(page.contains("Not shown: 984 operations"));
        }
        assert_eq!(page.contains("484 nodes"), nodes == 500);
        assert_eq!(page.contains("76 clients"), processes == 100);
        assert!(page.len() < 600_000, "{} bytes", page.len());
    }
}

#[test]
fn whatever_comes_from_a_run_is_escaped() {
    let mut finding = common::lost_write();
    let evil = || EVIL.to_owned();
    finding.system = evil();
    finding.workload = evil();
    finding.simulator = evil();
    finding.promise = evil();
    finding.replay = evil();
    finding.case = Some(evil());
    finding.signature.anomaly = evil();
    finding.signature.checker = evil();
    finding.verdicts[0].checker = evil();
    finding.verdicts[0].model = evil();
    if let Verdict::Invalid { anomalies } = &mut finding.verdicts[0].verdict {
        anomalies[0].kind = evil().into();
        anomalies[0].sentence = evil();
    }
    for fault in &mut finding.faults {
        fault.kind = evil();
        fault.target = evil();
        fault.description = evil();
    }
    finding.operations[0].operation = Operation::new(evil(), EVIL, EVIL);
    finding.operations[1].outcome = Outcome::Ok(EVIL.into());
    finding.operations[2].outcome = Outcome::Failed(evil().into());
    finding.operations[3].outcome = Outcome::Unknown(evil().into());
    finding.observations = vec![Observation { at_ns: 0, node: 0, key: evil(), value: EVIL.into() }];
    finding.trace = vec![TraceEvent { kind: evil(), text: evil(), ..TraceEvent::default() }];
    finding.minimised = common::stale_read().minimised;
    finding.minimised.as_mut().unwrap().case_file = Some(evil());
    let harmless = |page: &str| page.replace("&lt;img src=x", "");

    check("evil", &harmless(&failure_page(&finding)));
    finding.failure =
        Some(Failure { kind: FailureKind::Abort, node: None, at_ns: None, message: format!("{EVIL}\n{EVIL}") });
    check("evil-abort", &harmless(&failure_page(&finding)));
    let mut totals = common::totals();
    totals.system = evil();
    totals.workload = evil();
    totals.nemeses = vec![evil()];
    totals.ended = evil();
    totals.signatures[0].signature = finding.signature.clone();
    totals.faults[0].kind = evil();
    check("evil-index", &harmless(&index_page(&totals, &[finding])));
}

#[test]
fn the_index_links_to_every_finding() {
    let findings = [common::stale_read(), common::lost_write(), common::panicked()];
    let page = index_page(&common::totals(), &findings);
    check("index", &page);
    for finding in &findings {
        assert_eq!(page.matches(&format!("href=\"{}\"", page_name(finding))).count(), 2, "by kind, and in the list");
    }
    for said in [
        "The promise was broken by 6 of 400 seeds. 1 failed beyond the promise.",
        "10.5",
        "13 %",
        "6 h 40 min",
        "18,442,310",
    ] {
        assert!(page.contains(said), "{said}");
    }
}

#[test]
fn a_campaign_without_findings_is_good_news() {
    let mut totals = common::totals();
    totals.signatures.clear();
    let page = index_page(&totals, &[]);
    check("quiet-index", &page);
    assert!(page.contains("No promise was broken in 400 seeds."));
}

#[test]
fn page_names_are_safe_and_distinct() {
    let mut findings = vec![common::stale_read(), common::lost_write(), common::panicked()];
    findings.push(Finding { seed: 1, ..common::stale_read() });
    let mut evil = common::stale_read();
    evil.signature.anomaly = "../../etc".into();
    findings.push(evil);
    let names: BTreeSet<_> = findings.iter().map(page_name).collect();
    assert_eq!(names.len(), findings.len());
    for name in names {
        let stem = name.strip_suffix(".html").unwrap();
        assert!(stem.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'), "{name}");
    }
}
