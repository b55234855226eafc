//! Lengths of time as people write them: `200ms`, `30s`, `5m`; ranges of them; and loads that are made of them.

use std::{fmt, str::FromStr};

use crate::plan::{Bursts, Latencies, Latency, Load, MICROSECOND, MILLISECOND, SECOND, latencies::TOPOLOGIES};

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

/// Reads latencies: `5ms` for always the same, `1ms..10ms` for a range that includes both ends, or a topology's name.
///
/// # Errors
/// What is wrong with it, for people.
pub fn latency(text: &str) -> Result<Latencies, String> {
    if let Some(topology) = TOPOLOGIES.iter().find(|topology| topology.name == text) {
        return Ok(topology.latencies());
    }
    if text.starts_with(|c: char| c.is_ascii_alphabetic()) {
        let names = TOPOLOGIES.iter().map(|topology| format!("`{}`", topology.name)).collect::<Vec<_>>().join(", ");
        return Err(format!("`{text}` is no topology; there are {names}, or a time `5ms`, or a range `1ms..10ms`"));
    }
    let span = |part: &str| part.parse::<Span>().map(|s| s.0).map_err(|e| e.to_string());
    let (min_ns, max_ns) = match text.split_once("..") {
        Some((low, high)) => (span(low)?, span(high)?),
        None => (span(text)?, span(text)?),
    };
    if min_ns > max_ns {
        return Err(format!("`{text}` begins with the longer time; expected something like `1ms..10ms`"));
    }
    Ok(Latency { min_ns, max_ns }.into())
}

/// The text of latencies, which [`latency`] reads. Zones that are no topology have none; they come from plan files alone.
pub fn latency_text(latencies: &Latencies) -> String {
    match latencies {
        Latencies::Alike(Latency { min_ns, max_ns }) => format!("{}..{}", Span(*min_ns), Span(*max_ns)),
        zones @ Latencies::Zones(_) => zones.topology().map_or_else(String::new, |topology| topology.name.to_owned()),
    }
}

/// Reads a load: `closed`, `open`, or `bursts:EVERY,LASTS,FACTOR` such as `bursts:5s,500ms,10`.
///
/// # Errors
/// What is wrong with it, for people.
pub fn load(text: &str) -> Result<Load, String> {
    let wrong = || format!("`{text}` is no load; expected `closed`, `open`, or bursts such as `bursts:5s,500ms,10`");
    match text {
        "closed" => return Ok(Load::Closed),
        "open" => return Ok(Load::Open),
        _ => {}
    }
    let parts: Vec<&str> = text.strip_prefix("bursts:").ok_or_else(wrong)?.split(',').collect();
    let [every, lasts, factor] = parts[..] else { return Err(wrong()) };
    let span = |part: &str| part.parse::<Span>().map(|s| s.0).map_err(|e| e.to_string());
    let (every_ns, lasts_ns) = (span(every)?, span(lasts)?);
    let factor = factor.trim().parse().ok().filter(|factor| *factor > 0).ok_or_else(wrong)?;
    if lasts_ns == 0 || lasts_ns > every_ns {
        return Err(format!("`{text}`: a burst lasts longer than nothing and no longer than from one to the next"));
    }
    Ok(Load::Bursts(Bursts { every_ns, lasts_ns, factor }))
}

/// The text of a load, which [`load`] reads.
pub fn load_text(load: Load) -> String {
    match load {
        Load::Closed => "closed".to_owned(),
        Load::Open => "open".to_owned(),
        Load::Bursts(Bursts { every_ns, lasts_ns, factor }) => {
            format!("bursts:{},{},{factor}", Span(every_ns), Span(lasts_ns))
        }
    }
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
    fn latencies_are_one_time_a_range_or_a_topology() {
        let of = |min_ns, max_ns| Ok(Latencies::Alike(Latency { min_ns, max_ns }));
        assert_eq!(latency("5ms"), of(5 * MILLISECOND, 5 * MILLISECOND));
        assert_eq!(latency("1ms..10ms"), of(MILLISECOND, 10 * MILLISECOND));
        assert!(latency("10ms..1ms").is_err());
        assert!(latency("..1ms").is_err());
        assert!(latency("three-zone").is_err_and(|e| e.contains("`three-zones`")));
        for topology in TOPOLOGIES {
            assert_eq!(latency(topology.name), Ok(topology.latencies()));
        }
        for text in ["three-zones", "1ms..10ms"] {
            assert_eq!(latency(text).map(|latencies| latency_text(&latencies)), Ok(text.to_owned()));
        }
    }

    #[test]
    fn loads_are_read_as_they_are_written() {
        let bursts = Bursts { every_ns: 5 * SECOND, lasts_ns: 500 * MILLISECOND, factor: 10 };
        for (text, expected) in
            [("closed", Load::Closed), ("open", Load::Open), ("bursts:5s,500ms,10", Load::Bursts(bursts))]
        {
            assert_eq!(load(text), Ok(expected));
            assert_eq!(load_text(expected), text);
        }
        for wrong in ["", "Open", "bursts", "bursts:5s,500ms", "bursts:5s,6s,10", "bursts:5s,0s,10", "bursts:5s,1s,0"] {
            assert!(load(wrong).is_err(), "{wrong}");
        }
    }
}
