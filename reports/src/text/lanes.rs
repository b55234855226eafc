//! The table with a narrow lane per process and the words beside it: for more processes than have room for words.

use std::fmt::Write as _;

use super::{Drawing, ink::Ink};
use crate::{
    story,
    table::{Cell, Event},
    words::{abbreviate, time, width},
};

/// Least room for the words beside the lanes; lanes get narrower before the words do.
const WORDS_MIN: usize = 44;

/// The lines of the table. Where even lanes find no room, lines get wider than the terminal rather than say nothing.
pub(super) fn draw(drawing: &Drawing<'_>) -> Vec<String> {
    let (table, pen) = (drawing.table, drawing.pen);
    let decimals = drawing.decimals();
    let times: Vec<_> = table.rows.iter().map(|r| time(r.at_ns, decimals)).collect();
    let time_width = times.iter().map(|t| width(t)).max().unwrap_or(0);
    let numbers: Vec<_> = table.processes.iter().map(|p| p.0.to_string()).collect();
    let digits = numbers.iter().map(String::len).max().unwrap_or(0);
    let left = drawing.width.saturating_sub(time_width + 5 + WORDS_MIN);
    let lane = [digits + 2, 2].into_iter().find(|lane| lane * numbers.len() <= left).unwrap_or(1);
    let lanes_width = lane * numbers.len();
    let room = drawing.width.saturating_sub(time_width + lanes_width + 5).max(WORDS_MIN);

    let bar = pen.paint(Ink::Faint, "│");
    let rule = |joint: &str| {
        let (left, right) = ("─".repeat(time_width + 1), "─".repeat(room + 1));
        pen.paint(Ink::Faint, &format!("{left}{joint}─{}{joint}{right}", "─".repeat(lanes_width)))
    };
    let mut lines = heads(&numbers, digits, lane)
        .iter()
        .enumerate()
        .map(|(i, head)| {
            let (time, words) = if i == 0 { ("time", " process") } else { ("", "") };
            let space = " ".repeat(time_width.saturating_sub(width(time)));
            format!("{space}{time} {bar} {}{bar}{words}", pen.paint(Ink::Strong, head))
        })
        .collect::<Vec<_>>();
    lines.push(rule("┼"));
    for (row, at) in table.rows.iter().zip(&times) {
        let at = pen.paint(Ink::Faint, &format!("{}{at}", " ".repeat(time_width - width(at))));
        let (ink, sign, words) = beside(drawing, row.event);
        let lanes: Vec<_> = row
            .cells
            .iter()
            .map(|cell| {
                let (ink, sign) = match cell {
                    Cell::Idle => (Ink::None, ' '),
                    Cell::Open => (Ink::None, '│'),
                    Cell::Dangling => (Ink::None, '┆'),
                    Cell::Event => (ink, sign),
                };
                format!("{}{}", pen.paint(ink, &sign.to_string()), " ".repeat(lane - 1))
            })
            .collect();
        lines.push(format!("{at} {bar} {}{bar} {}", lanes.concat(), pen.paint(ink, &abbreviate(&words, room))));
    }
    lines.push(rule("┴"));
    lines
}

/// The numbers of the processes over their lanes: side by side, or digit under digit where lanes are too narrow for that.
fn heads(numbers: &[String], digits: usize, lane: usize) -> Vec<String> {
    if lane > digits {
        return vec![numbers.iter().map(|n| format!("{n:<lane$}")).collect::<Vec<_>>().concat()];
    }
    (0..digits)
        .map(|line| {
            let digit = |n: &String| format!("{n:>digits$}").chars().nth(line).unwrap_or(' ');
            numbers.iter().map(|n| format!("{:<lane$}", digit(n))).collect::<Vec<_>>().concat()
        })
        .collect()
}

/// The sign in the lane and the words beside the lanes.
fn beside(drawing: &Drawing<'_>, event: Event) -> (Ink, char, String) {
    let Some(entry) = event.entry() else {
        let (ink, text) = drawing.announcement(event).unwrap_or((Ink::None, String::new()));
        return (ink, ' ', format!("── {text}"));
    };
    let operation = &drawing.finding.operations[entry];
    let (star, ink) = if drawing.is_accused(entry) { ('*', Ink::Alarm) } else { (' ', Ink::None) };
    let mut words = format!("{star} p{} {}", operation.process.0, story::call(operation));
    let sign = match event {
        Event::Invocation(..) => '┌',
        Event::Reply(..) => '└',
        _ => '●',
    };
    if sign != '┌' {
        let _ = write!(words, " → {}", story::outcome(operation));
    }
    (ink, sign, words)
}
