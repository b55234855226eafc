//! Ranges of seeds, as the command line writes them: `N` is `0..N`, `A..B` is half-open.

use std::{fmt, ops::Range, str::FromStr};

use serde::{Deserialize, Serialize};

/// A half-open range of seeds, never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seeds {
    /// The first seed.
    pub start: u64,
    /// One past the last seed.
    pub end: u64,
}

impl Seeds {
    /// So many seeds from `start` on; fewer where the numbers end.
    pub fn starting_at(start: u64, count: u64) -> Self {
        Seeds { start, end: start.saturating_add(count.max(1)) }
    }

    /// How many there are.
    pub fn count(self) -> u64 {
        self.end - self.start
    }

    /// Whether this seed is one of them.
    pub fn contains(self, seed: u64) -> bool {
        (self.start..self.end).contains(&seed)
    }
}

impl From<Range<u64>> for Seeds {
    /// Panics if the range is empty.
    fn from(Range { start, end }: Range<u64>) -> Self {
        assert!(start < end, "the range of seeds {start}..{end} is empty");
        Seeds { start, end }
    }
}

impl From<u64> for Seeds {
    /// So many seeds from 0 on. Panics if that is none.
    fn from(count: u64) -> Self {
        Seeds::from(0..count)
    }
}

/// A text that is no range of seeds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}; expected a count such as `400` (seeds 0 to 399) or a half-open range such as `400..800`")]
pub struct SeedsError {
    problem: String,
}

impl FromStr for Seeds {
    type Err = SeedsError;

    fn from_str(text: &str) -> Result<Self, SeedsError> {
        let number = |part: &str| {
            part.trim()
                .replace('_', "")
                .parse::<u64>()
                .map_err(|_| SeedsError { problem: format!("`{}` is not a whole number below 2^64", part.trim()) })
        };
        let (start, end) = match text.split_once("..") {
            Some((a, b)) => (number(a)?, number(b)?),
            None => (0, number(text)?),
        };
        if start < end {
            Ok(Seeds { start, end })
        } else {
            Err(SeedsError { problem: format!("`{text}` is an empty range") })
        }
    }
}

impl fmt::Display for Seeds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.start, self.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<(u64, u64)>) {
        assert_eq!(text.parse::<Seeds>().ok().map(|s| (s.start, s.end)), expected, "{text}");
    }

    #[test]
    fn a_count_starts_at_zero_and_a_range_is_half_open() {
        check("400", Some((0, 400)));
        check("10_000", Some((0, 10_000)));
        check("5..8", Some((5, 8)));
        check("0..18446744073709551615", Some((0, u64::MAX)));
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for text in ["", "0", "..", "5..", "..5", "8..5", "5..5", "-1", "1.5", "x", "1...3", "18446744073709551616"] {
            check(text, None);
        }
    }

    #[test]
    fn a_range_at_the_end_of_the_numbers_does_not_overflow() {
        assert_eq!(Seeds::starting_at(u64::MAX - 1, 100).count(), 1);
    }
}
