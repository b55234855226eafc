//! The page of a campaign: its totals, the kinds of failures it found, and a link to the page of each finding.

use maud::{Markup, html};

use super::{page_name, promise_badge, shell};
use crate::{
    records::{Finding, SignatureCount, Totals},
    story,
    words::{duration, thousands},
};

/// Most findings that are listed; all are in the records, and each has its page.
const FINDINGS_MAX: usize = 200;

/// The page of a campaign. It links to the pages of the findings by [`page_name`], in the same folder.
pub fn index_page(totals: &Totals, findings: &[Finding]) -> String {
    shell(
        &format!("Campaign against {}", totals.system),
        &html! {
            header {
                p.overline { "squall · campaign" @if !totals.ended.is_empty() { span.badge { (totals.ended) } } }
                h1 { code { (totals.system) } }
                p.sentence.calm[!totals.signatures.iter().any(|s| s.inside_promise)] { (outcome(totals)) }
                (seeds(totals))
                (figures(totals))
            }
            main {
                (signatures(totals, findings))
                (faults(totals))
                (list(findings))
            }
        },
    )
}

/// The campaign in one sentence.
fn outcome(totals: &Totals) -> String {
    let seeds = thousands(totals.seeds.run);
    let inside = totals.signatures.iter().filter(|s| s.inside_promise).map(|s| s.count).sum::<u64>();
    let beyond = totals.signatures.iter().map(|s| s.count).sum::<u64>() - inside;
    let beyond = match beyond {
        0 => String::new(),
        n => format!(" {} failed beyond the promise.", thousands(n)),
    };
    match (totals.seeds.run, inside) {
        (0, _) => "No seed ran.".to_owned(),
        (_, 0) => format!("No promise was broken in {seeds} seeds.{beyond}"),
        (_, n) => format!("The promise was broken by {} of {seeds} seeds.{beyond}", thousands(n)),
    }
}

/// Seeds by verdict, as a bar and in figures.
fn seeds(totals: &Totals) -> Markup {
    let s = totals.seeds;
    let parts = [
        ("valid", s.valid, "good"),
        ("invalid", s.invalid, "bad"),
        ("panic", s.panic, "bad"),
        ("abort", s.abort, "bad"),
        ("hang", s.hang, "bad"),
        ("step limit", s.step_limit, "bad"),
        ("memory", s.memory, "bad"),
        ("unknown", s.unknown, "open"),
        ("vacuous", s.vacuous, "open"),
    ];
    let told = parts.iter().filter(|(_, n, _)| *n > 0);
    html! {
        div.bar aria-hidden="true" {
            @for (_, n, class) in told.clone() { i.{ (class) } style={ "flex-grow:" (n) } {} }
        }
        p.legend { @for (name, n, class) in told { span { i.key.{ (class) } {} strong { (thousands(*n)) } " " (name) } } }
    }
}

/// The figures of the campaign.
fn figures(totals: &Totals) -> Markup {
    let o = totals.operations;
    let percent = |share: f64| format!("{:.0} %", share * 100.0);
    let tiles = [
        ("Seeds per second", totals.seeds_per_second().map(|r| format!("{r:.1}"))),
        ("Simulated", Some(duration(totals.simulated_ns))),
        ("Real time", Some(duration(totals.wall_ms.saturating_mul(1_000_000)))),
        ("Checking, of CPU time", totals.checking_share().map(percent)),
        ("Messages", Some(thousands(totals.messages))),
        (
            "Operations ok / failed / unknown",
            Some(format!("{} / {} / {}", thousands(o.ok), thousands(o.failed), thousands(o.unknown))),
        ),
    ];
    let simulator = story::simulator(&totals.simulator, totals.nondeterministic);
    let facts = [("Workload", &totals.workload), ("Simulator", &simulator), ("Nemeses", &totals.nemeses.join(", "))];
    html! {
        dl.tiles {
            @for (name, value) in tiles { @if let Some(value) = value { div { dt { (name) } dd { strong { (value) } } } } }
        }
        dl.facts {
            @for (name, value) in facts { @if !value.is_empty() { div { dt { (name) } dd { (value) } } } }
        }
    }
}

/// The kinds of failures, most frequent inside the promise first, each with a finding to look at.
fn signatures(totals: &Totals, findings: &[Finding]) -> Markup {
    let mut order: Vec<_> = totals.signatures.iter().collect();
    order.sort_by_key(|s| (!s.inside_promise, std::cmp::Reverse(s.count), &s.signature));
    html! {
        section {
            h2 { "Kinds of failures" }
            @if order.is_empty() { p.dim { "None." } } @else {
                div.scroll tabindex="0" role="region" aria-label="Kinds of failures" {
                    table {
                        thead { tr { th { "Anomaly" } th { "Checker" } th.n { "Seeds" } th.n { "First seed" } th { "What cannot be" } th {} } }
                        tbody { @for kind in order { (signature_row(kind, findings)) } }
                    }
                }
            }
        }
    }
}

fn signature_row(kind: &SignatureCount, findings: &[Finding]) -> Markup {
    // A minimised finding explains itself best; else the first one.
    let same = || findings.iter().filter(|f| f.signature == kind.signature);
    let shown = same().find(|f| f.minimised.is_some()).or_else(|| same().next());
    html! {
        tr {
            td {
                @if let Some(finding) = shown { a href=(page_name(finding)) { strong { (kind.signature.anomaly) } } }
                @else { strong { (kind.signature.anomaly) } }
            }
            td { (kind.signature.checker) }
            td.n { (thousands(kind.count)) }
            td.n { (kind.first_seed) }
            td { @if let Some(finding) = shown { (story::sentence(finding)) } }
            td { (promise_badge(kind.inside_promise)) }
        }
    }
}

/// What became of the faults, by kind.
fn faults(totals: &Totals) -> Markup {
    html! {
        @if !totals.faults.is_empty() {
            section {
                h2 { "Faults" }
                table {
                    thead { tr { th { "Kind" } th.n { "Scheduled" } th.n { "Inert" } th.n { "Unresolved" } } }
                    tbody {
                        @for kind in &totals.faults {
                            tr {
                                td { (kind.kind) }
                                td.n { (thousands(kind.scheduled)) }
                                td.n { (thousands(kind.inert)) }
                                td.n { (thousands(kind.unresolved)) }
                            }
                        }
                    }
                }
                p.legend { span { "Inert faults changed nothing; unresolved ones aimed at nobody." } }
            }
        }
    }
}

/// The findings, in the order in which they were found.
fn list(findings: &[Finding]) -> Markup {
    html! {
        @if !findings.is_empty() {
            section {
                h2 { "Findings" }
                div.scroll tabindex="0" role="region" aria-label="Findings" {
                    table {
                        thead { tr { th.n { "Seed" } th { "Anomaly" } th.n { "Faults" } th.n { "Operations" } th { "Run it again" } } }
                        tbody {
                            @for finding in findings.iter().take(FINDINGS_MAX) {
                                tr {
                                    td.n { a href=(page_name(finding)) { (finding.seed) } }
                                    td { (finding.signature.anomaly) }
                                    td.n { (finding.faults.len()) }
                                    td.n { (finding.operations.len()) }
                                    td { code { (finding.replay) } }
                                }
                            }
                        }
                    }
                }
                @if findings.len() > FINDINGS_MAX {
                    p.legend { span { "The first " (FINDINGS_MAX) " of " (thousands(findings.len() as u64)) "; the records have all." } }
                }
            }
        }
    }
}
