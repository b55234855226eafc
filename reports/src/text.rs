//! A failure on the terminal, in the manner of Lincheck: one sentence that says what cannot be, and a table with one column
//! per process that shows it.

mod columns;
mod ink;
mod lanes;

use ink::{Ink, Pen};

use crate::{
    records::Finding,
    story,
    table::{Event, Table, table},
    words::{abbreviate, clean, count, width, wrap},
};

/// Most lines of a failure's own message that are shown.
const MESSAGE_LINES_MAX: usize = 12;

/// A terminal is taken to have at least this many columns.
const WIDTH_MIN: usize = 40;

/// How to draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Whether to colour with ANSI escapes.
    pub colour: bool,
    /// Columns of the terminal; no line is wider, but for the command, which is there to be copied, and more lanes than fit.
    pub width: usize,
}

impl Default for Style {
    /// Plain text, 110 columns wide.
    fn default() -> Self {
        Style { colour: false, width: 110 }
    }
}

/// The failure as text: headline, the sentence that says what cannot be, the table, what made it possible, and the command that
/// runs it again. Ends with a line break.
pub fn render_failure(finding: &Finding, style: Style) -> String {
    let columns = style.width.max(WIDTH_MIN);
    let pen = Pen { colour: style.colour };
    let mut out = String::new();
    let mut line = |text: &str| {
        out.push_str(text.trim_end());
        out.push('\n');
    };

    line(&pen.paint(Ink::Alarm, &abbreviate(&story::headline(finding), columns)));
    for text in wrap(&circumstances(finding), columns) {
        line(&pen.paint(Ink::Faint, &text));
    }
    line("");
    for text in wrap(&story::sentence(finding), columns) {
        line(&pen.paint(Ink::Strong, &text));
    }
    if let Some(failure) = &finding.failure {
        // The sentence has said the first line already.
        let told: Vec<_> = failure.message.lines().skip_while(|l| l.trim().is_empty()).skip(1).collect();
        for text in told.iter().take(MESSAGE_LINES_MAX) {
            line(&format!("    {}", abbreviate(&clean(text), columns - 4)));
        }
        if told.len() > MESSAGE_LINES_MAX {
            line(&format!("    … {} more", count((told.len() - MESSAGE_LINES_MAX) as u64, "line")));
        }
    }
    let table = table_lines(finding, style);
    if !table.is_empty() {
        line("");
        for text in &table {
            line(text);
        }
    }
    line("");
    let section = |title: &str, texts: &[String], ink: Ink| -> Vec<String> {
        let indent = 18;
        let lines = texts.iter().flat_map(|t| wrap(t, columns - indent));
        lines
            .enumerate()
            .map(|(i, t)| format!("{:<indent$}{}", if i == 0 { title } else { "" }, pen.paint(ink, &t)))
            .collect()
    };
    for text in section("made possible by", &story::causes(finding), Ink::Fault) {
        line(&text);
    }
    if let Some(minimised) = &finding.minimised {
        for text in section("minimised", &[story::minimised(minimised)], Ink::None) {
            line(&text);
        }
    }
    for text in section("promised", &[story::promise(finding)], Ink::None) {
        line(&text);
    }
    // Never wrapped: it is there to be copied.
    line(&format!("{:<18}{}", "run it again", pen.paint(Ink::Strong, &clean(&finding.replay))));
    if finding.nondeterministic {
        for text in section("nondeterministic", &[story::ANOTHER_TIME.to_owned()], Ink::Fault) {
            line(&text);
        }
    }
    out
}

/// The table of a failure alone, with what its signs mean. Each line ends with a line break; nothing where nothing happened.
pub fn render_table(finding: &Finding, style: Style) -> String {
    let lines = table_lines(finding, style);
    lines.iter().flat_map(|line| [line.trim_end(), "\n"]).collect()
}

fn table_lines(finding: &Finding, style: Style) -> Vec<String> {
    let table = table(finding);
    if table.rows.is_empty() {
        return Vec::new();
    }
    let pen = Pen { colour: style.colour };
    let width = style.width.max(WIDTH_MIN);
    let drawing = Drawing { finding, table: &table, accused: story::accused(finding), width, pen };
    let mut lines = columns::draw(&drawing).unwrap_or_else(|| lanes::draw(&drawing));
    lines.extend(legend(&drawing).iter().map(|text| pen.paint(Ink::Faint, text)));
    lines
}

/// One finding in one line, without a line break: seed, what, and the sentence that says what cannot be.
pub fn summary_line(finding: &Finding, style: Style) -> String {
    let pen = Pen { colour: style.colour };
    let outside = if finding.inside_promise { "" } else { " (outside the promise)" };
    let head = format!("seed {}", finding.seed);
    let what = clean(&format!("{}{outside}", finding.signature.anomaly));
    let used = width(&head) + width(&what) + 4;
    let sentence = abbreviate(&story::sentence(finding), style.width.max(WIDTH_MIN).saturating_sub(used));
    format!("{head}  {}  {sentence}", pen.paint(Ink::Alarm, &what))
}

/// What the two kinds of drawing share.
struct Drawing<'a> {
    finding: &'a Finding,
    table: &'a Table,
    /// Entry ids of the operations that together cannot be.
    accused: Vec<usize>,
    width: usize,
    pen: Pen,
}

impl Drawing<'_> {
    fn is_accused(&self, entry: usize) -> bool {
        self.accused.contains(&entry)
    }

    /// Decimals of seconds that tell neighbouring rows apart, from 3 to 9.
    fn decimals(&self) -> u32 {
        let rows = &self.table.rows;
        let same = |decimals: u32| {
            let unit = 10_u64.pow(9 - decimals);
            rows.windows(2).any(|w| w[0].at_ns != w[1].at_ns && w[0].at_ns / unit == w[1].at_ns / unit)
        };
        [3, 6].into_iter().find(|&d| !same(d)).unwrap_or(9)
    }

    /// The words of a row that belongs to no process.
    fn announcement(&self, event: Event) -> Option<(Ink, String)> {
        let faults = &self.finding.faults;
        match event {
            Event::FaultBegins(i) => Some((Ink::Fault, format!("{} begins", story::fault_name(&faults[i])))),
            Event::FaultEnds(i) => Some((Ink::Fault, format!("{} ends", story::fault_name(&faults[i])))),
            Event::Phase(phase) => Some((Ink::Faint, story::phase(phase).to_owned())),
            Event::Failure => self.finding.failure.as_ref().map(|f| (Ink::Alarm, story::failure_name(f))),
            Event::Operation(..) | Event::Invocation(..) | Event::Reply(..) => None,
        }
    }
}

/// Checker, workload, seed and size.
fn circumstances(finding: &Finding) -> String {
    let (nodes, clients) = (u64::from(finding.nodes), u64::from(finding.clients));
    clean(&format!(
        "found by {} · workload {} · seed {} · {}, {} · {} simulator",
        finding.signature.checker,
        finding.workload,
        finding.seed,
        count(nodes, "node"),
        count(clients, "client"),
        finding.simulator
    ))
}

/// What the signs mean, as far as they occur, and what is not shown.
fn legend(drawing: &Drawing<'_>) -> Vec<String> {
    let mut parts = Vec::new();
    if !drawing.accused.is_empty() {
        parts.push("* these together cannot be".to_owned());
    }
    if drawing.table.rows.iter().any(|r| r.cells.contains(&crate::table::Cell::Dangling)) {
        parts.push("┆ may still take effect".to_owned());
    }
    let mut hidden = Vec::new();
    if drawing.table.operations_hidden > 0 {
        hidden.push(count(drawing.table.operations_hidden as u64, "operation"));
    }
    if drawing.table.faults_hidden > 0 {
        hidden.push(count(drawing.table.faults_hidden as u64, "fault"));
    }
    if !hidden.is_empty() {
        parts.push(format!("not shown: {}", hidden.join(", ")));
    }
    if parts.is_empty() { Vec::new() } else { wrap(&parts.join(";  "), drawing.width) }
}
