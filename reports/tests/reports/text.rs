//! What a failure looks like on the terminal.

use squall_checkers::{history::Outcome, operation::Operation};
use squall_reports::{
    records::Finding,
    text::{Style, render_failure, summary_line},
};
use unicode_width::UnicodeWidthStr;

use crate::common::{self, ok, operation};

fn plain(finding: &Finding) -> String {
    render_failure(finding, Style::default())
}

/// No line but the command is wider than asked, and none ends in blanks.
fn check_shape(text: &str, width: usize) {
    for line in text.lines().filter(|l| !l.starts_with("run it again")) {
        assert!(line.width() <= width, "{} columns: {line}", line.width());
        assert_eq!(line.trim_end(), line);
    }
}

#[test]
fn stale_read() {
    insta::assert_snapshot!(plain(&common::stale_read()));
}

#[test]
fn an_unknown_outcome_dangles_and_concurrent_operations_are_seen_as_such() {
    insta::assert_snapshot!(plain(&common::lost_write()));
}

#[test]
fn a_panic_needs_no_operations() {
    insta::assert_snapshot!(plain(&common::panicked()));
}

#[test]
fn a_long_history_is_cut_down_to_what_matters() {
    insta::assert_snapshot!(plain(&common::crowded(1_000, 5, 5)));
}

#[test]
fn twelve_processes_get_lanes() {
    insta::assert_snapshot!(plain(&common::crowded(20, 12, 5)));
}

#[test]
fn many_processes_get_narrow_lanes() {
    insta::assert_snapshot!(plain(&common::crowded(24, 24, 5)));
}

#[test]
fn colour_changes_no_letter() {
    let finding = common::lost_write();
    let coloured = render_failure(&finding, Style { colour: true, ..Style::default() });
    insta::assert_snapshot!(coloured.replace('\u{1b}', "␛"));
    let mut stripped = String::new();
    for (i, part) in coloured.split('\u{1b}').enumerate() {
        stripped.push_str(if i == 0 { part } else { part.split_once('m').unwrap().1 });
    }
    let trimmed: Vec<_> = stripped.lines().map(str::trim_end).collect();
    assert_eq!(trimmed, plain(&finding).lines().collect::<Vec<_>>());
}

#[test]
fn summary_lines() {
    let findings = [common::stale_read(), common::lost_write(), common::panicked()];
    insta::assert_snapshot!(findings.map(|f| summary_line(&f, Style::default())).join("\n"));
}

#[test]
fn every_shape_keeps_to_the_width() {
    for processes in 1..=30 {
        for count in [processes, 2 * processes, 10 * processes] {
            let finding = common::crowded(count.max(24), processes, 5);
            check_shape(&plain(&finding), 110);
        }
    }
    for width in 60..=140 {
        for finding in [common::stale_read(), common::lost_write(), common::panicked(), common::crowded(60, 3, 5)] {
            check_shape(&render_failure(&finding, Style { colour: false, width }), width);
        }
    }
}

#[test]
fn long_values_are_wrapped_and_then_abbreviated() {
    let mut finding = common::stale_read();
    let long = "lorem-ipsum-".repeat(60);
    finding.operations = vec![
        operation(0, Operation::write("k1", long.as_str()), 1, Some(2), ok(squall_checkers::value::Value::Nil)),
        operation(
            1,
            Operation::write("k1", "two words and more of them, up to two lines"),
            3,
            Some(4),
            ok(squall_checkers::value::Value::Nil),
        ),
        operation(2, Operation::read("k1"), 5, Some(8), ok(long.as_str())),
        operation(3, Operation::read("k1"), 6, None, Outcome::Unknown(long.into())),
    ];
    let text = plain(&finding);
    check_shape(&text, 110);
    insta::assert_snapshot!(text);
}
