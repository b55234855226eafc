//! How sure one can be that bugs are rarer than a rate, after so many seeds without a failure.
//!
//! Seeds are independent draws. Were one to fail with the chance `p`, then `n` of them would all be clean with the chance
//! `(1-p)^n`; so after `n = ln(1-c) / ln(1-p)` clean ones such a bug would have shown with the certainty `c`.

use std::{fmt, str::FromStr};

/// A chance between 0 and 1, neither of which it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Chance(f64);

/// A text that is no chance.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no chance between 0 and 1; expected something like `99%`, `1/1000` or `0.001`")]
pub struct ChanceError(String);

impl FromStr for Chance {
    type Err = ChanceError;

    fn from_str(text: &str) -> Result<Self, ChanceError> {
        let number = |part: &str| part.trim().parse::<f64>().ok();
        let value = if let Some(percent) = text.trim().strip_suffix('%') {
            number(percent).map(|n| n / 100.0)
        } else if let Some((above, below)) = text.split_once('/') {
            number(above).zip(number(below)).map(|(a, b)| a / b)
        } else {
            number(text)
        };
        value.filter(|v| *v > 0.0 && *v < 1.0).map(Chance).ok_or_else(|| ChanceError(text.to_owned()))
    }
}

impl fmt::Display for Chance {
    /// In per cent, with as many digits as tell it from 100%.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = (-(1.0 - self.0).log10()).floor().clamp(2.0, 9.0) as usize - 2;
        let least = if self.0 < 0.1 { 3 } else { 0 };
        let text = format!("{:.*}", digits.max(least), self.0 * 100.0);
        let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
        write!(f, "{text}%")
    }
}

/// How many clean seeds make it this certain that a seed fails with a lesser chance than `rate`.
pub fn seeds_needed(confidence: Chance, rate: Chance) -> u64 {
    // `ln_1p` keeps what a small rate would lose beside 1.
    ((-confidence.0).ln_1p() / (-rate.0).ln_1p()).ceil().max(1.0) as u64
}

/// How certain so many clean seeds make it; `None` when there are none.
pub fn reached(clean: u64, rate: Chance) -> Option<Chance> {
    let confidence = -(clean as f64 * (-rate.0).ln_1p()).exp_m1();
    (clean > 0).then_some(Chance(confidence.clamp(f64::MIN_POSITIVE, 1.0 - f64::EPSILON)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chance(text: &str) -> Chance {
        text.parse().unwrap_or_else(|e| panic!("{e}"))
    }

    #[test]
    fn as_many_seeds_as_the_formula_says() {
        let check = |c: &str, p: &str, n: u64| assert_eq!(seeds_needed(chance(c), chance(p)), n, "{c} {p}");
        check("99%", "1/1000", 4_603);
        check("95%", "1/1000", 2_995);
        check("0.99", "0.1%", 4_603);
        check("50%", "1/2", 1);
        check("99.9%", "1/1000000", 6_907_752);
    }

    #[test]
    fn the_seeds_needed_reach_what_was_asked_for_and_one_less_does_not() {
        for (c, p) in [("99%", "1/1000"), ("90%", "3/100"), ("99.99%", "1/77")] {
            let (confidence, rate) = (chance(c), chance(p));
            let n = seeds_needed(confidence, rate);
            assert!(reached(n, rate).expect("some").0 >= confidence.0, "{c} {p}");
            assert!(n == 1 || reached(n - 1, rate).expect("some").0 < confidence.0, "{c} {p}");
        }
        assert_eq!(reached(0, chance("1/2")), None);
    }

    #[test]
    fn what_is_no_chance_is_refused_with_what_is_expected() {
        for text in ["", "0", "1", "100%", "0%", "-1%", "2", "1/0", "0/5", "x", "1/x", "NaN", "99 percent"] {
            assert!(text.parse::<Chance>().is_err(), "{text}");
        }
        let error = "101%".parse::<Chance>().unwrap_err().to_string();
        assert!(error.contains("`99%`") && error.contains("`1/1000`"), "{error}");
    }

    #[test]
    fn chances_are_shown_in_per_cent() {
        let check = |text: &str, shown: &str| assert_eq!(chance(text).to_string(), shown);
        check("99%", "99%");
        check("0.9999", "99.99%");
        check("1/1000", "0.1%");
        check("1/2", "50%");
    }
}
