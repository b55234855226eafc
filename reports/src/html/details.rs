//! The parts of a failure's page for those who want to know more: what the minimiser did, all verdicts, trace and case.

use maud::{Markup, html};

use crate::{
    records::Finding,
    story,
    words::{count, thousands, time},
};

/// Most rows of the trace and of the observations that are shown; the records have them all.
const ROWS_MAX: usize = 500;

/// What the minimiser took away.
pub(super) fn minimised(finding: &Finding) -> Markup {
    let Some(minimised) = &finding.minimised else { return Markup::default() };
    let (before, after) = (minimised.before, minimised.after);
    let tiles = [
        ("Faults", before.faults, after.faults),
        ("Operations", before.operations, after.operations),
        ("Clients", before.clients, after.clients),
        ("Nodes", before.nodes, after.nodes),
    ];
    html! {
        section {
            h2 { "How it was reduced" }
            dl.tiles {
                @for (name, before, after) in tiles {
                    div { dt { (name) } dd { span.was { (thousands(before)) } " → " strong { (thousands(after)) } } }
                }
                div { dt { "Runs it took" } dd { strong { (thousands(minimised.runs)) } } }
            }
            @if minimised.unfinished {
                p.legend { span { "It stopped before nothing else could be taken away: " code { "squall minimize" } " goes on from its case." } }
            }
            @if let Some(file) = &minimised.case_file { p.legend { span { "The case is in " code { (file) } "." } } }
        }
    }
}

/// What every checker said.
pub(super) fn verdicts(finding: &Finding) -> Markup {
    html! {
        @if !finding.verdicts.is_empty() {
            section {
                h2 { "Verdicts" }
                table {
                    thead { tr { th { "Checker" } th { "Model" } th { "Verdict" } th { "Because" } } }
                    tbody {
                        @for checked in &finding.verdicts {
                            @let (word, because) = story::verdict(checked);
                            tr {
                                td { (checked.checker) }
                                td { @if checked.model.is_empty() { "–" } @else { (checked.model) } }
                                td { span.badge.bad[word == "invalid"].good[word == "valid"] { (word) } }
                                td { (because) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// All operations, what nodes said of themselves, the trace and the case, folded away.
pub(super) fn appendix(finding: &Finding) -> Markup {
    let node = |n: Option<u32>| n.map_or(String::new(), |n| format!("n{n}"));
    let observations: Vec<_> = finding
        .observations
        .iter()
        .take(ROWS_MAX)
        .map(|o| [time(o.at_ns, 6), format!("n{}", o.node), o.key.clone(), o.value.to_string()])
        .collect();
    let trace: Vec<_> = finding
        .trace
        .iter()
        .take(ROWS_MAX)
        .map(|e| {
            let fault = e.fault.map_or(String::new(), |f| format!("#{f}"));
            [time(e.at_ns, 6), e.kind.clone(), node(e.from), node(e.to), e.text.clone(), fault]
        })
        .collect();
    html! {
        section.appendix {
            h2 { "Appendix" }
            (listing("What nodes said of themselves", ["Time", "Node", "Key", "Value"], &observations, finding.observations.len()))
            (listing("Trace", ["Time", "Event", "From", "To", "What", "Fault"], &trace, finding.trace.len()))
            @if let Some(case) = &finding.case {
                details { summary { "Case file" } pre tabindex="0" { (case) } }
            }
        }
    }
}

fn listing<const N: usize>(title: &str, heads: [&str; N], rows: &[[String; N]], total: usize) -> Markup {
    html! {
        @if !rows.is_empty() {
            details {
                summary { (title) " " span.dim { "(" (thousands(total as u64)) ")" } }
                div.scroll tabindex="0" role="region" aria-label=(title) {
                    table {
                        thead { tr { @for head in heads { th { (head) } } } }
                        tbody { @for row in rows { tr { @for cell in row { td { (cell) } } } } }
                    }
                }
                @if total > rows.len() {
                    p.legend { span { "The first " (count(rows.len() as u64, "row")) "; the records have all." } }
                }
            }
        }
    }
}
