//! The table of a failure in HTML: one column per process, one row per event.

use maud::{Markup, html};

use crate::{
    records::Finding,
    story,
    table::{Cell, Event, Row, Table, table},
    words::{count, duration, time},
};

/// With more processes than this a column has room for signs only, and the words stand beside them.
const COLUMNS_OF_WORDS_MAX: usize = 6;

/// The section with the table; nothing where nothing happened.
pub(super) fn section(finding: &Finding) -> Markup {
    let table = table(finding);
    let grid = Grid {
        finding,
        accused: story::accused(finding),
        columns: table.processes.len(),
        narrow: table.processes.len() > COLUMNS_OF_WORDS_MAX,
    };
    html! {
        @if !table.rows.is_empty() {
            section {
                h2 { "What happened" }
                div.scroll tabindex="0" role="region" aria-label="What happened, one column per process" {
                    table.story.narrow[grid.narrow] {
                        @if grid.columns > 0 {
                            thead { tr {
                                th.n scope="col" { "time" }
                                @for process in &table.processes {
                                    th scope="col" { @if grid.narrow { "p" } @else { "process " } (process.0) }
                                }
                                @if grid.narrow { th {} }
                            } }
                        }
                        tbody { @for row in &table.rows { (grid.row(row)) } }
                    }
                }
                (legend(&table, &grid.accused))
            }
        }
    }
}

/// What the rows share.
struct Grid<'a> {
    finding: &'a Finding,
    /// Entry ids of the operations that together cannot be.
    accused: Vec<usize>,
    columns: usize,
    narrow: bool,
}

impl Grid<'_> {
    fn row(&self, row: &Row) -> Markup {
        let Some(entry) = row.event.entry() else { return self.announcement(row) };
        let operation = &self.finding.operations[entry];
        let (call, outcome) = (story::call(operation), story::outcome(operation));
        let (class, words) = match row.event {
            Event::Invocation(..) => ("asks", call),
            Event::Reply(..) if self.narrow => ("told", format!("{call} → {outcome}")),
            Event::Reply(..) => ("told", format!("→ {outcome}")),
            _ => ("whole", format!("{call} → {outcome}")),
        };
        // What took long may be the point of it; where other rows lie between, the times say so.
        let took = operation
            .completed
            .filter(|_| class == "whole")
            .map(|m| duration(m.time().saturating_sub(operation.invoked.time())));
        let accused = self.accused.contains(&entry);
        let said = html! { span { (words) @if let Some(took) = took { small { (took) } } } };
        html! {
            tr {
                td.n { (time(row.at_ns, 3)) }
                @for cell in &row.cells {
                    @match cell {
                        Cell::Idle => td {},
                        Cell::Open => td.open {},
                        Cell::Dangling => td.dangling {},
                        Cell::Event => td.{ (class) }.accused[accused] data-op=(entry) { @if !self.narrow { (said) } },
                    }
                }
                @if self.narrow {
                    td.words.accused[accused] data-op=(entry) { b { "p" (operation.process.0) } " " (said) }
                }
            }
        }
    }

    /// A row that belongs to no process.
    fn announcement(&self, row: &Row) -> Markup {
        let faults = &self.finding.faults;
        let (class, text) = match row.event {
            Event::FaultBegins(i) => ("fault", format!("{} begins", story::fault_name(&faults[i]))),
            Event::FaultEnds(i) => ("fault", format!("{} ends", story::fault_name(&faults[i]))),
            Event::Phase(phase) => ("phase", story::phase(phase).to_owned()),
            _ => ("alarm", self.finding.failure.as_ref().map(story::failure_name).unwrap_or_default()),
        };
        let span = (self.columns + usize::from(self.narrow)).max(1);
        html! { tr.{ (class) } { td.n { (time(row.at_ns, 3)) } td colspan=(span) { (text) } } }
    }
}

/// What the signs mean, as far as they occur, and what is not shown.
fn legend(table: &Table, accused: &[usize]) -> Markup {
    let hidden: Vec<_> = [(table.operations_hidden, "operation"), (table.faults_hidden, "fault")]
        .into_iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, noun)| count(n as u64, noun))
        .collect();
    let dangling = table.rows.iter().any(|r| r.cells.contains(&Cell::Dangling));
    html! {
        p.legend {
            @if !accused.is_empty() { span { i.key.accused {} "together these cannot be" } }
            @if dangling { span { i.key.dangling {} "may still take effect" } }
            @if !hidden.is_empty() { span { "Not shown: " (hidden.join(", ")) "." } }
        }
    }
}
