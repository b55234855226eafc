//! Our verdicts beside those of porcupine-rs and of stateright's testers, on as many random histories as one likes:
//!
//! ```text
//! cargo run --release -p squall-checkers --example differential -- --count 10000000 --seed 1
//! ```
//!
//! Stops at the first contradiction and shows the history. Fails too when the histories are of one kind only (hardly any are
//! invalid, or hardly any valid, …), as agreement means nothing then. The same count and seed give the same histories.
//!
//! | column | |
//! | --- | --- |
//! | invalid | not linearizable |
//! | unknown | with operations of unknown outcome |
//! | >3 open | with more than three operations in flight |
//! | small | put to stateright too: linearizable (valid), not sequentially consistent (not seq.) |
//! | verified | whose certificate the verifier vouches for |
//! | no answer | ours or porcupine-rs's is unknown |

use std::process::ExitCode;

#[path = "../tests/differential/generate.rs"]
mod generate;
#[path = "../tests/differential/judges.rs"]
mod judges;
#[path = "../tests/differential/object.rs"]
mod object;
#[path = "../tests/differential/peers.rs"]
mod peers;

/// Histories between two lines that say how far it is.
const EVERY: u64 = 100_000;

fn main() -> ExitCode {
    let (count, seed) = match arguments(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(wrong) => {
            eprintln!("{wrong}\nusage: differential [--count N] [--seed S]");
            return ExitCode::from(2);
        }
    };
    let mut tally = judges::Tally::default();
    for number in 0..count {
        if let Err(wrong) = tally.add(&generate::Sample::new(seed, number)) {
            println!("history {number} of seed {seed}: {wrong}");
            return ExitCode::from(1);
        }
        if number % EVERY == EVERY - 1 {
            eprintln!("{} of {count}", number + 1);
        }
    }
    println!("{tally}");
    if let Some(skew) = tally.skew() {
        println!("the histories are skewed: {skew}");
        return ExitCode::from(1);
    }
    println!("{count} histories, none wrong");
    ExitCode::SUCCESS
}

/// How many histories, and the seed.
fn arguments(mut words: impl Iterator<Item = String>) -> Result<(u64, u64), String> {
    let (mut count, mut seed) = (1_000_000, 1);
    while let Some(word) = words.next() {
        let place = match word.as_str() {
            "--count" => &mut count,
            "--seed" => &mut seed,
            _ => return Err(format!("`{word}` is no option")),
        };
        let number = words.next().ok_or_else(|| format!("`{word}` wants a number"))?;
        *place = number.parse().map_err(|_| format!("`{number}` is no number"))?;
    }
    Ok((count, seed))
}
