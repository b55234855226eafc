//! One machine's part of a campaign: shard `I/N` runs the I-th of N ranges of its seeds.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::engine::seeds::Seeds;

/// The `index`-th of `of` parts, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    /// Which one, from 1.
    pub index: u64,
    /// Of how many.
    pub of: u64,
}

/// A text that is no shard.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no shard; expected I/N with I from 1 to N, such as `1/4` … `4/4`")]
pub struct ShardError(String);

impl Shard {
    /// Its part of the seeds: together all shards have each seed once. `None` when there are more shards than seeds, and none
    /// is left for this one.
    pub fn part(self, seeds: Seeds) -> Option<Seeds> {
        let cut = |shards: u64| {
            let before = u128::from(seeds.count()) * u128::from(shards) / u128::from(self.of);
            seeds.start + before as u64
        };
        let (start, end) = (cut(self.index - 1), cut(self.index));
        (start < end).then_some(Seeds { start, end })
    }
}

impl FromStr for Shard {
    type Err = ShardError;

    fn from_str(text: &str) -> Result<Self, ShardError> {
        let number = |part: &str| part.parse::<u64>().ok();
        let parts = text.split_once('/').and_then(|(i, n)| number(i).zip(number(n)));
        parts
            .filter(|(index, of)| (1..=*of).contains(index))
            .map(|(index, of)| Shard { index, of })
            .ok_or_else(|| ShardError(text.to_owned()))
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_share_out_every_seed_once_and_evenly() {
        for (start, end) in [(0, 1), (5, 12), (0, 400), (7, 1_007), (0, u64::MAX)] {
            for of in [1, 2, 3, 7, 1_000] {
                let parts: Vec<_> =
                    (1..=of).filter_map(|index| Shard { index, of }.part(Seeds { start, end })).collect();
                assert_eq!((parts[0].start, parts[parts.len() - 1].end), (start, end));
                assert!(parts.windows(2).all(|w| w[0].end == w[1].start), "{start}..{end} of {of}");
                let counts = parts.iter().map(|p| p.count());
                assert!(counts.clone().max().unwrap() - counts.min().unwrap() <= 1, "{start}..{end} of {of}");
            }
        }
    }

    #[test]
    fn shards_are_counted_from_one() {
        assert_eq!("2/3".parse(), Ok(Shard { index: 2, of: 3 }));
        for text in ["", "0/3", "4/3", "1", "1/0", "a/b", "1/2/3", "-1/2", " 1/2"] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }
}
