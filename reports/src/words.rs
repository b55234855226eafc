//! Figures and texts as people read them: times, counts, and strings made safe and short enough to show.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// A point of simulated time in seconds with this many decimals: `1.040 s`.
pub(crate) fn time(ns: u64, decimals: u32) -> String {
    let unit = 10_u64.pow(9 - decimals);
    let (seconds, rest) = (ns / 1_000_000_000, ns % 1_000_000_000 / unit);
    if decimals == 0 { format!("{seconds} s") } else { format!("{seconds}.{rest:0w$} s", w = decimals as usize) }
}

/// A span of time in the unit that suits it: `950 ns`, `8.20 ms`, `12.5 s`, `6 h 40 min`.
pub(crate) fn duration(ns: u64) -> String {
    let short = |value: f64, unit: &str| {
        let decimals = if value >= 100.0 { 0 } else { 1 + usize::from(value < 10.0) };
        format!("{value:.decimals$} {unit}")
    };
    let seconds = ns / 1_000_000_000;
    match ns {
        0..1_000 => format!("{ns} ns"),
        1_000..1_000_000 => short(ns as f64 / 1e3, "µs"),
        1_000_000..1_000_000_000 => short(ns as f64 / 1e6, "ms"),
        _ if seconds < 120 => short(ns as f64 / 1e9, "s"),
        _ if seconds < 7_200 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", thousands(seconds / 3_600), seconds % 3_600 / 60),
    }
}

/// `18,442,310`.
pub(crate) fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 fault`, `2 faults`.
pub(crate) fn count(n: u64, noun: &str) -> String {
    format!("{} {noun}{}", thousands(n), if n == 1 { "" } else { "s" })
}

/// The text with control characters spelt out, so that it can neither steer a terminal nor break a line.
pub(crate) fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

/// How many columns of a terminal the text takes.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// The text, cut to `room` columns with an ellipsis where it is longer.
pub(crate) fn abbreviate(text: &str, room: usize) -> String {
    if width(text) <= room {
        return text.to_owned();
    }
    let (head, _) = split_at_width(text, room.saturating_sub(1));
    format!("{head}…")
}

/// The text in lines of at most `room` columns, broken at spaces where there are any; other spaces stay as they are.
pub(crate) fn wrap(text: &str, room: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for (i, word) in text.split(' ').enumerate() {
        if i > 0 && width(&line) + 1 + width(word) <= room {
            line.push(' ');
        } else if i > 0 {
            lines.push(std::mem::take(&mut line));
        }
        line.push_str(word);
        // A word longer than a line is broken where it must be.
        loop {
            let (head, tail) = split_at_width(&line, room);
            if tail.is_empty() {
                break;
            }
            let tail = tail.to_owned();
            lines.push(head.to_owned());
            line = tail;
        }
    }
    lines.push(line);
    lines
}

/// Splits after as many characters as fit `room` columns, but at least one.
fn split_at_width(text: &str, room: usize) -> (&str, &str) {
    let mut used = 0;
    for (i, c) in text.char_indices() {
        used += c.width().unwrap_or(0);
        if used > room && i > 0 {
            return text.split_at(i);
        }
    }
    (text, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_counts() {
        assert_eq!(time(1_040_999_999, 3), "1.040 s");
        assert_eq!(time(7, 9), "0.000000007 s");
        assert_eq!(time(61_000_000_000, 0), "61 s");
        let spans = [999, 1_000, 8_200_000, 12_500_000_000, 119_900_000_000, 3_725_000_000_000, 24_000_000_000_000];
        assert_eq!(
            spans.map(duration),
            ["999 ns", "1.00 µs", "8.20 ms", "12.5 s", "120 s", "62 min 5 s", "6 h 40 min"]
        );
        assert_eq!([0, 999, 1_000, 18_442_310].map(thousands), ["0", "999", "1,000", "18,442,310"]);
        assert_eq!((count(1, "fault"), count(0, "fault")), ("1 fault".into(), "0 faults".into()));
    }

    #[test]
    fn texts_are_made_safe_and_short() {
        assert_eq!(clean("a\u{1b}[31m\nb"), "a\\u{1b}[31m\\nb");
        assert_eq!(abbreviate("abcdef", 6), "abcdef");
        assert_eq!(abbreviate("abcdefg", 6), "abcde…");
        assert_eq!(abbreviate("日本語日本語", 6), "日本…");
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("a  b", 7), ["a  b"]);
        assert_eq!(wrap("abcdefghij k", 4), ["abcd", "efgh", "ij k"]);
        assert_eq!(wrap("", 4), [""]);
        assert_eq!(wrap("日本", 1), ["日", "本"]);
    }
}
