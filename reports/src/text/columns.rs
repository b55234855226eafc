//! The table with the words of each operation in the column of its process: for as many processes as there is room for.

use super::{Drawing, ink::Ink};
use crate::{
    story,
    table::{Cell, Event},
    words::{abbreviate, time, width, wrap},
};

/// A column narrower than this says nothing; the lanes are drawn instead.
const COLUMN_MIN: usize = 16;

/// Most lines of one cell; what is longer is abbreviated.
const CELL_LINES_MAX: usize = 3;

/// The lines of the table; `None` when there are more processes than fit.
pub(super) fn draw(drawing: &Drawing<'_>) -> Option<Vec<String>> {
    let (table, pen) = (drawing.table, drawing.pen);
    let decimals = drawing.decimals();
    let times: Vec<_> = table.rows.iter().map(|r| time(r.at_ns, decimals)).collect();
    let time_width = times.iter().map(|t| width(t)).max().unwrap_or(0);

    // Per row: the column it is about and what stands there.
    let said: Vec<_> = table.rows.iter().map(|row| words(drawing, row.event)).collect();
    let columns = table.processes.len();
    let room = (drawing.width - time_width - 1).checked_div(columns).unwrap_or(0).saturating_sub(3);
    if columns > 0 && room < COLUMN_MIN {
        return None;
    }
    let heads: Vec<_> = table.processes.iter().map(|p| format!("process {}", p.0)).collect();
    let widths: Vec<_> = (0..columns)
        .map(|c| {
            let wished = said.iter().flatten().filter(|w| w.column == c).map(|w| 4 + width(&w.text)).max().unwrap_or(0);
            wished.max(width(&heads[c])).max(COLUMN_MIN).min(room)
        })
        .collect();

    let total = widths.iter().map(|w| w + 3).sum::<usize>();
    let rule = |joint: &str| {
        let cells = widths.iter().map(|w| format!("{joint}{}", "─".repeat(w + 2))).collect::<Vec<_>>().concat();
        pen.paint(Ink::Faint, &format!("{}{cells}", "─".repeat(time_width + 1)))
    };
    let bar = pen.paint(Ink::Faint, "│");
    let mut lines = Vec::new();
    if columns > 0 {
        let cells: Vec<_> = heads
            .iter()
            .zip(&widths)
            .map(|(h, w)| format!("{bar} {} ", pen.paint(Ink::Strong, &format!("{h:<w$}"))))
            .collect();
        lines.push(format!("{} {}", pad_left("time", time_width), cells.concat()));
        lines.push(rule("┼"));
    }
    for ((row, at), said) in table.rows.iter().zip(&times).zip(&said) {
        let at = pen.paint(Ink::Faint, &pad_left(at, time_width));
        if let Some((ink, text)) = drawing.announcement(row.event) {
            let room = drawing.width - time_width - 5;
            let text = abbreviate(&text, room);
            let fill = "─".repeat(total.min(drawing.width - time_width - 1).saturating_sub(width(&text) + 4));
            lines.push(format!("{at} {}", pen.paint(ink, &format!("├─ {text} {fill}"))));
            continue;
        }
        let Some(said) = said else { continue };
        let mut text = wrap(&said.text, widths[said.column] - 4);
        if text.len() > CELL_LINES_MAX {
            let rest = text.split_off(CELL_LINES_MAX - 1).join(" ");
            text.push(abbreviate(&rest, widths[said.column] - 4));
        }
        for (i, part) in text.iter().enumerate() {
            let mut line = if i == 0 { at.clone() } else { " ".repeat(time_width) };
            line.push(' ');
            for (&cell, &w) in row.cells.iter().zip(&widths) {
                let content = match cell {
                    Cell::Idle => " ".repeat(w),
                    Cell::Open => format!("  │{}", " ".repeat(w - 3)),
                    Cell::Dangling => format!("  ┆{}", " ".repeat(w - 3)),
                    Cell::Event => {
                        let sign = if i == 0 { said.sign } else { said.below };
                        let star = if i == 0 && said.accused { '*' } else { ' ' };
                        let text = format!("{star} {sign} {part}");
                        let pad = " ".repeat(w.saturating_sub(width(&text)));
                        pen.paint(if said.accused { Ink::Alarm } else { Ink::None }, &format!("{text}{pad}"))
                    }
                };
                for part in [&bar, " ", &content, " "] {
                    line.push_str(part);
                }
            }
            lines.push(line);
        }
    }
    if columns > 0 {
        lines.push(rule("┴"));
    }
    Some(lines)
}

/// What stands in the one cell that a row is about.
struct Words {
    column: usize,
    /// The sign on its first line, and on those below.
    sign: char,
    below: char,
    text: String,
    accused: bool,
}

fn words(drawing: &Drawing<'_>, event: Event) -> Option<Words> {
    let said = |column, entry: usize, sign, below, text| {
        Some(Words { column, sign, below, text, accused: drawing.is_accused(entry) })
    };
    let operation = |entry: usize| &drawing.finding.operations[entry];
    match event {
        Event::Operation(column, entry) => {
            let text = format!("{} → {}", story::call(operation(entry)), story::outcome(operation(entry)));
            said(column, entry, '●', ' ', text)
        }
        Event::Invocation(column, entry) => said(column, entry, '┌', '│', story::call(operation(entry))),
        Event::Reply(column, entry) => said(column, entry, '└', ' ', format!("→ {}", story::outcome(operation(entry)))),
        Event::FaultBegins(_) | Event::FaultEnds(_) | Event::Phase(_) | Event::Failure => None,
    }
}

fn pad_left(text: &str, room: usize) -> String {
    format!("{}{text}", " ".repeat(room.saturating_sub(width(text))))
}
