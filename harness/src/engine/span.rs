//! Lengths of time as people write them: `200ms`, `30s`, `5m`; and ranges of them.

use std::{fmt, str::FromStr};

use crate::plan::{Latency, MICROSECOND, MILLISECOND, SECOND};

/// The units, the longest first.
const UNITS: [(&str, u64); 6] =
    [("h", 3600 * SECOND), ("m", 60 * SECOND), ("s", SECOND), ("ms", MILLISECOND), ("us", MICROSECOND), ("ns", 1)];

/// A length of time in nanoseconds. Written in the longest unit that needs no fraction, so that reading gives it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub u64);

/// A text that is no length of time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a length of time; expected a number and a unit, such as `200ms`, `1.5s`, `5m` or `1h`")]
pub struct SpanError {
    text: String,
}

impl FromStr for Span {
    type Err = SpanError;

    fn from_str(text: &str) -> Result<Self, SpanError> {
        parse(text.trim()).map(Span).ok_or_else(|| SpanError { text: text.to_owned() })
    }
}

fn parse(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at(digits);
    let (_, scale) = UNITS.iter().find(|(name, _)| *name == unit.trim_start())?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let mut ns = whole.parse::<u64>().ok()?.checked_mul(*scale)?;
    let mut place = *scale;
    if fraction.is_empty() {
        return None;
    }
    for digit in fraction.chars() {
        place /= 10;
        ns = ns.checked_add(u64::from(digit.to_digit(10)?) * place)?;
    }
    Some(ns)
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, scale) =
            UNITS.iter().find(|(_, scale)| self.0.is_multiple_of(*scale) && self.0 > 0).unwrap_or(&("s", SECOND));
        write!(f, "{}{unit}", self.0 / scale)
    }
}

/// Reads a latency: `5ms` for always the same, `1ms..10ms` for a range that includes both ends.
///
/// # Errors
/// What is wrong with it, for people.
pub fn latency(text: &str) -> Result<Latency, String> {
    let span = |part: &str| part.parse::<Span>().map(|s| s.0).map_err(|e| e.to_string());
    let (min_ns, max_ns) = match text.split_once("..") {
        Some((low, high)) => (span(low)?, span(high)?),
        None => (span(text)?, span(text)?),
    };
    if min_ns > max_ns {
        return Err(format!("`{text}` begins with the longer time; expected something like `1ms..10ms`"));
    }
    Ok(Latency { min_ns, max_ns })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_as_people_write_them() {
        let check = |text: &str, ns: u64| assert_eq!(text.parse(), Ok(Span(ns)), "{text}");
        check("200ms", 200 * MILLISECOND);
        check("30s", 30 * SECOND);
        check("1.5s", 1500 * MILLISECOND);
        check("5m", 300 * SECOND);
        check("2 h", 7200 * SECOND);
        check("10us", 10_000);
        check("7ns", 7);
        check("0s", 0);
    }

    #[test]
    fn what_is_no_span_is_refused() {
        for text in ["", "5", "s", "-1s", "1.s", ".5s", "1,5s", "5 days", "1.2.3s", "99999999999h", "1e3s", "µs"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }

    #[test]
    fn writing_and_reading_give_the_same() {
        for ns in [0, 1, 999, 1000, 1_500_000, SECOND, 90 * SECOND, 3600 * SECOND, 3601 * SECOND, u64::MAX] {
            assert_eq!(Span(ns).to_string().parse(), Ok(Span(ns)));
        }
    }

    #[test]
    fn latencies_are_one_time_or_a_range() {
        let of = |min_ns, max_ns| Ok(Latency { min_ns, max_ns });
        assert_eq!(latency("5ms"), of(5 * MILLISECOND, 5 * MILLISECOND));
        assert_eq!(latency("1ms..10ms"), of(MILLISECOND, 10 * MILLISECOND));
        assert!(latency("10ms..1ms").is_err());
        assert!(latency("..1ms").is_err());
    }
}
