//! A failure, or a whole campaign, as one HTML file that needs nothing else: no network, no second file, no server.
//!
//! Pages open from `file://`, follow the reader's light or dark setting, print, and can be read with a keyboard alone. A content
//! security policy in each of them forbids every load from outside. Without scripts only copying by button, the panel of
//! details and walking by arrow keys are missing; the same details are tool tips.

mod details;
mod grid;
mod index;
mod lanes;
mod timeline;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::{
    records::{FaultRecord, Finding},
    story,
    words::{count, thousands},
};

pub use index::index_page;

const STYLE: &str = include_str!("html/style.css");
const SCRIPT: &str = include_str!("html/script.js");

/// The name of the page of a finding in the folder of its campaign: `stale-read-linearizability-8814413.html`.
///
/// It holds ASCII letters, digits and dashes only, and differs between findings of one campaign.
pub fn page_name(finding: &Finding) -> String {
    let slug = |text: &str| -> String {
        text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).take(60).collect()
    };
    format!("{}-{}-{}.html", slug(&finding.signature.anomaly), slug(&finding.signature.checker), finding.seed)
}

/// The page of one failure.
pub fn failure_page(finding: &Finding) -> String {
    let title = format!("{}, seed {}", story::headline(finding), finding.seed);
    let causes = story::causes(finding);
    shell(
        &title,
        &html! {
            header {
                p.overline { "squall · failure report" (promise_badge(finding.inside_promise)) }
                h1 { (finding.signature.anomaly) span.in { " in " } code { (finding.system) } }
                p.sentence { (story::sentence(finding)) }
                @if let Some(failure) = &finding.failure {
                    @if failure.message.trim().lines().count() > 1 { pre.message tabindex="0" { (failure.message) } }
                }
                dl.cause {
                    dt { "Made possible by" }
                    @for cause in &causes { dd { (cause) } }
                }
                div.command {
                    code #replay { (finding.replay) }
                    button type="button" data-copy="replay" { "Copy" }
                }
                (facts(finding))
            }
            main {
                (grid::section(finding))
                (timeline::section(finding))
                (faults(&finding.faults))
                (details::minimised(finding))
                (details::verdicts(finding))
                (details::appendix(finding))
            }
        },
    )
}

/// What every page has around its content.
fn shell(title: &str, content: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy"
                    content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                link rel="icon" href="data:,";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (content)
                footer { "Drawn by squall " (env!("CARGO_PKG_VERSION")) " from its records; needs no network." }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    }
    .into_string();
    page.chars().map(visible).collect()
}

/// A sign for a control character, which a page must not contain; any other character as it is.
fn visible(c: char) -> char {
    match c {
        '\n' | '\t' => c,
        '\0'..='\x1f' => char::from_u32(0x2400 + u32::from(c)).unwrap_or(char::REPLACEMENT_CHARACTER),
        '\x7f' => '␡',
        '\u{80}'..='\u{9f}' => char::REPLACEMENT_CHARACTER,
        _ => c,
    }
}

fn promise_badge(inside: bool) -> Markup {
    html! {
        @if inside { span.badge.bad { "broken promise" } } @else { span.badge.warn { "beyond the promise" } }
    }
}

/// Where and how it was found.
fn facts(finding: &Finding) -> Markup {
    let sizes = format!("{}, {}", count(finding.nodes.into(), "node"), count(finding.clients.into(), "client"));
    let rows = [
        ("Seed", finding.seed.to_string()),
        ("Found by", finding.signature.checker.clone()),
        ("Workload", finding.workload.clone()),
        ("Cluster", sizes),
        ("Simulator", story::simulator(&finding.simulator, finding.nondeterministic)),
        ("Another run", if finding.nondeterministic { story::ANOTHER_TIME.to_owned() } else { String::new() }),
        ("Promise", finding.promise.clone()),
    ];
    html! {
        dl.facts {
            @for (name, value) in rows.iter().filter(|(_, v)| !v.is_empty()) {
                div { dt { (name) } dd { (value) } }
            }
        }
    }
}

/// The faults of the schedule and what became of them.
fn faults(faults: &[FaultRecord]) -> Markup {
    html! {
        @if !faults.is_empty() {
            section {
                h2 { "Faults" }
                div.scroll tabindex="0" role="region" aria-label="Faults" {
                    table {
                        thead { tr { th { "#" } th { "Fault" } th { "Nodes" } th.n { "Begins" } th.n { "Lasts" } th.n { "Effects" } th {} } }
                        tbody { @for fault in faults { (fault_row(fault)) } }
                    }
                }
            }
        }
    }
}

fn fault_row(fault: &FaultRecord) -> Markup {
    use crate::words::{duration, time};
    let lasts = fault.ends_ns.map_or("to the end".to_owned(), |e| duration(e.saturating_sub(fault.begins_ns)));
    html! {
        tr.idle[fault.inert || fault.unresolved] {
            td.n { (fault.id) }
            td { (story::fault_name(fault)) }
            td { @if fault.nodes.is_empty() { "–" } @else { (story::node_list(&fault.nodes)) } }
            td.n { (time(fault.begins_ns, 3)) }
            td.n { (lasts) }
            td.n { (thousands(fault.effects)) }
            td {
                @if fault.made_possible { span.badge.warn { "needed" } }
                @if fault.inert { span.badge title=(story::fault_effect(fault)) { "inert" } }
                @if fault.unresolved { span.badge title=(story::fault_effect(fault)) { "unresolved" } }
            }
        }
    }
}
