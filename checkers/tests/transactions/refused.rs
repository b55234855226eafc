//! What a refused cas says of its register.

use rand_xoshiro::{Xoshiro256PlusPlus, rand_core::SeedableRng};
use squall_checkers::{
    budget::Budget,
    certificate::Certificate,
    checker::checker,
    formats::text,
    verdict::Verdict,
    verify::{self, Verification},
};

use super::{Dice, LEVELS};

fn verified(level: &str, shown: &str, verdict: Verdict) -> Verification {
    let history = text::read(shown).expect("in the notation");
    let certificate = Certificate::new(level, None, history.entries.len(), verdict);
    verify::verify(&history, &certificate, &Budget::default())
}

fn judge(level: &str, shown: &str) -> Verdict {
    let checker = (checker(level).expect("it is there").build)(None).expect("it needs no model");
    checker.check(&text::read(shown).expect("in the notation"), &Budget::default())
}

/// The levels that take notice of it.
fn strong() -> &'static [&'static str] {
    &LEVELS[5..]
}

#[test]
fn a_refused_cas_stands_where_its_register_held_something_else() {
    for shown in [
        "0: write[x] 1 @0..5; 1: cas[x] [1 2] -> false @1..2",
        "0: write[x] 1; 1: write[x] 2 @2..9; 2: cas[x] [1 3] -> false @3..8",
        "0: write[x] 1 @0..9; 1: write[x] 2 @1..8; 2: cas[x] [2 3] -> false @10..11",
        "0: write[x] 1 @0..9; 1: cas[x] [1 2] -> false @1..2; 1: cas[x] [1 3] -> false @3..4; 1: cas[x] [nil 4] -> false @5..6",
        "0: append[x] 1; 1: read[x] -> [1]",
    ] {
        for &level in strong() {
            let verdict = judge(level, shown);
            assert!(verdict.is_valid(), "{level}: {verdict:?}\n{shown}");
            assert_eq!(verified(level, shown, verdict), Verification::Verified, "{level}: {shown}");
        }
    }
}

/// Processes and time leave it no such place.
#[test]
fn a_refused_cas_may_have_no_place() {
    let shown = "0: txn [[w x 1]] -> [[w x 1]]; 0: cas[x] [1 2] -> false";
    for &level in strong() {
        let verdict = judge(level, shown);
        assert_eq!(verdict.is_valid(), !level.starts_with("str"), "{level}: {verdict:?}");
        assert!(!verdict.is_invalid(), "{level}: {verdict:?}");
        let forged = verified(level, shown, Verdict::Valid { linearization: Some(vec![0, 1]) });
        let from_snapshots = level == "snapshot-isolation";
        assert_eq!(forged == Verification::Verified, from_snapshots, "{level}: {forged:?}");
    }
}

/// What a process is about, since when, and with what effect once that is decided.
struct Open {
    since: usize,
    what: usize,
    key: usize,
    done: Option<String>,
}

/// Registers that are atomic at some moment of each operation, with many a refused cas: levels say so, or that they do not know,
/// and what they show is verified.
#[test]
fn an_atomic_register_is_never_refuted() {
    const PROCESSES: usize = 4;
    let mut unknown = 0;
    for seed in 0..1500 {
        let mut dice = Dice(Xoshiro256PlusPlus::seed_from_u64(seed));
        let mut held: [Option<usize>; 2] = [None; 2];
        let mut open: [Option<Open>; PROCESSES] = Default::default();
        let (mut operations, mut begun) = (Vec::new(), 0);
        for at in 0.. {
            let process = dice.below(PROCESSES);
            match open[process].take() {
                None if begun == 10 && open.iter().all(Option::is_none) => break,
                None if begun == 10 => {}
                None => {
                    begun += 1;
                    open[process] = Some(Open { since: at, what: dice.below(4), key: dice.below(2), done: None });
                }
                Some(Open { since, what, key, done: None }) => {
                    let (name, now) = (["x", "y"][key], held[key].map_or("nil".to_owned(), |value| value.to_string()));
                    let expected = dice.below(10);
                    let done = match what {
                        0 => {
                            held[key] = Some(at);
                            format!("write[{name}] {at}")
                        }
                        1 => format!("read[{name}] -> {now}"),
                        _ if held[key] == Some(expected) => {
                            held[key] = Some(at);
                            format!("cas[{name}] [{expected} {at}] -> true")
                        }
                        _ => format!("cas[{name}] [{expected} {at}] -> false"),
                    };
                    open[process] = Some(Open { since, what, key, done: Some(done) });
                }
                Some(Open { since, done: Some(done), .. }) => {
                    operations.push((since, format!("{process}: {done} @{since}..{at}")));
                }
            }
        }
        operations.sort();
        let operations: Vec<String> = operations.into_iter().map(|(_, operation)| operation).collect();
        let shown = operations.join("; ");
        for &level in strong() {
            let verdict = judge(level, &shown);
            assert!(!verdict.is_invalid(), "{level}: {verdict:?}\n{shown}");
            unknown += u32::from(verdict.is_unknown());
            if verdict.is_valid() {
                assert_eq!(verified(level, &shown, verdict), Verification::Verified, "{level}: {shown}");
            }
        }
    }
    assert!(unknown < 100, "{unknown} are unknown");
}
