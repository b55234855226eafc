//! What a refused cas says of its register.

use std::collections::BTreeMap;

use rand_xoshiro::{Xoshiro256PlusPlus, rand_core::SeedableRng};
use squall_checkers::{
    budget::Budget,
    certificate::Certificate,
    checker::checker,
    formats::text,
    history::{Entry, History, Outcome},
    operation::Operation,
    value::Value,
    verdict::{Anomaly, Verdict},
    verify::{self, Verification},
};

use super::{
    Dice, LEVELS,
    definitions::{KEYS, Micro, Status, Txn, allowed},
    history, random,
};

pub(crate) fn verified(level: &str, shown: &str, verdict: Verdict) -> Verification {
    let history = text::read(shown).expect("in the notation");
    let certificate = Certificate::new(level, None, history.entries.len(), verdict);
    verify::verify(&history, &certificate, &Budget::default())
}

pub(crate) fn judge(level: &str, shown: &str) -> Verdict {
    let checker = (checker(level).expect("it is there").build)(None).expect("it needs no model");
    checker.check(&text::read(shown).expect("in the notation"), &Budget::default())
}

/// The levels that look for a place for it.
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

/// Registers that are atomic at some moment of each operation, with many a refused cas.
fn atomic(seed: u64, processes: usize, count: usize) -> String {
    let mut dice = Dice(Xoshiro256PlusPlus::seed_from_u64(seed));
    let firsts = ["nil", "\"\""];
    let mut held = [0, 1].map(|key| firsts[(seed >> key & 1) as usize].to_owned());
    let mut open: Vec<Option<Open>> = (0..processes).map(|_| None).collect();
    let (mut operations, mut begun) = (Vec::new(), 0);
    for at in 0.. {
        let process = dice.below(processes);
        match open[process].take() {
            None if begun == count && open.iter().all(Option::is_none) => break,
            None if begun == count => {}
            None => {
                begun += 1;
                open[process] = Some(Open { since: at, what: dice.below(4), key: dice.below(2), done: None });
            }
            Some(Open { since, what, key, done: None }) => {
                let (name, now) = (["x", "y"][key], held[key].clone());
                let expected = match dice.below(8) {
                    0..4 => now.clone(),
                    4..7 => (at - dice.below(10.min(at))).to_string(),
                    _ => firsts[dice.below(2)].to_owned(),
                };
                let done = match what {
                    0 => {
                        held[key] = at.to_string();
                        format!("write[{name}] {at}")
                    }
                    1 => format!("read[{name}] -> {now}"),
                    _ if now == expected => {
                        held[key] = at.to_string();
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
    operations.join("; ")
}

/// Levels say so, or that they do not know, and what they show is verified.
#[test]
fn an_atomic_register_is_never_refuted() {
    let mut unknown = 0;
    for seed in 0..1500 {
        let shown = atomic(seed, 4, 10);
        for &level in &LEVELS {
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

/// The levels that choose versions do so for thousands at once.
#[test]
fn an_atomic_register_is_soon_explained() {
    for seed in 0..5 {
        let shown = atomic(seed, 8, 4000);
        assert!(shown.matches("-> false").count() > 500);
        for &level in &LEVELS[..5] {
            let verdict = judge(level, &shown);
            assert!(verdict.is_valid(), "{level}: {verdict:?}");
            assert_eq!(verified(level, &shown, verdict), Verification::Verified, "{level}");
        }
    }
}

/// By transaction that is a refused cas: its key, and what it expected there.
type Refused = BTreeMap<usize, (usize, Value)>;

/// What a register may hold at first.
fn firsts() -> [Value; 2] {
    [Value::Nil, Value::from("")]
}

/// A history in which some transactions are a cas, many of them refused, and what registers held at first is a text in some.
struct Drawn {
    txns: Vec<Txn>,
    refused: Refused,
    /// By key: what was seen there at first.
    seen: [Vec<Value>; KEYS],
    history: History,
}

fn drawn(seed: u64) -> Drawn {
    let mut txns = random(seed, false);
    let mut dice = Dice(Xoshiro256PlusPlus::seed_from_u64(seed ^ 0x5eed));
    let mut refused = Refused::new();
    for _ in 0..=dice.below(4) {
        let i = dice.below(txns.len());
        if txns[i].status != Status::Ok {
            continue;
        }
        let key = usize::from(dice.one_in(3));
        let before = txns[..i].iter().filter(|txn| txn.session == txns[i].session).flat_map(|txn| &txn.ops);
        let own =
            before.rev().find_map(|op| if let Micro::Write(k, v) = op { Some(*v).filter(|_| *k == key) } else { None });
        let expected = match dice.below(3) {
            0 => Some(1 + dice.below(5) as i64),
            1 => own,
            _ => None,
        };
        txns[i].ops.clear();
        refused.insert(i, (key, expected.map_or_else(|| firsts()[dice.below(2)].clone(), Value::Int)));
    }
    let mut history = history(&txns);
    let first: [Value; KEYS] = std::array::from_fn(|_| firsts()[dice.below(2)].clone());
    let mut seen: [Vec<Value>; KEYS] = Default::default();
    for (txn, entry) in txns.iter().zip(&mut history.entries) {
        let Outcome::Ok(Value::List(replied)) = &mut entry.outcome else { continue };
        for (i, op) in txn.ops.iter().enumerate() {
            let Micro::Read(key, None) = *op else { continue };
            if txn.ops[..i].iter().any(|op| matches!(op, Micro::Write(of, _) if *of == key)) {
                continue;
            }
            let shown = if dice.one_in(6) { &firsts()[dice.below(2)] } else { &first[key] };
            replied[i] = Value::List(vec!["r".into(), ["x", "y"][key].into(), shown.clone()]);
            seen[key].push(shown.clone());
        }
        if let ([Micro::Read(key, _), Micro::Write(of, new)], [Value::List(read), _]) = (&txn.ops[..], &replied[..])
            && key == of
        {
            entry.operation = Operation::cas(["x", "y"][*key], read[2].clone(), *new);
            entry.outcome = Outcome::Ok(Value::Bool(true));
        }
    }
    for (&i, (key, expected)) in &refused {
        history.entries[i].operation = Operation::cas(["x", "y"][*key], expected.clone(), 99);
        history.entries[i].outcome = Outcome::Ok(Value::Bool(false));
    }
    Drawn { txns, refused, seen, history }
}

impl Drawn {
    /// Whether only those who were refused say as what some register began, and not all the same.
    fn is_contested(&self) -> bool {
        let of =
            |key: usize, first: &Value| self.refused.values().any(|(of, expected)| *of == key && expected == first);
        (0..KEYS).any(|key| self.seen[key].is_empty() && firsts().iter().all(|first| of(key, first)))
    }

    /// Whether a level allows this if each register begins as nil or as an empty text, which all who saw that agree on.
    fn is_allowed(&self, level: &str) -> bool {
        let all = firsts();
        let may_begin = |key: usize, first: &Value| self.seen[key].iter().all(|seen| seen == first);
        all.iter().filter(|first| may_begin(0, first)).any(|x| {
            let mut of_y = all.iter().filter(|first| may_begin(1, first));
            of_y.any(|y| is_allowed(&mut self.txns.clone(), self.refused.clone(), [x, y], level))
        })
    }
}

/// Whether a level allows this if each refused cas reads one of the versions of its key, or what was there at first.
fn is_allowed(txns: &mut [Txn], mut refused: Refused, first: [&Value; KEYS], level: &str) -> bool {
    let Some((i, (key, expected))) = refused.pop_first() else { return allowed(txns, level) };
    let ops = txns.iter().flat_map(|txn| &txn.ops);
    let written = ops.filter_map(|op| if let Micro::Write(k, v) = op { Some(*v).filter(|_| *k == key) } else { None });
    let value = |version: &Option<i64>| version.map_or(first[key].clone(), Value::Int);
    let versions: Vec<_> = written.map(Some).chain([None]).filter(|version| value(version) != expected).collect();
    versions.into_iter().any(|version| {
        txns[i].ops = vec![Micro::Read(key, version)];
        is_allowed(txns, refused.clone(), first, level)
    })
}

/// At every level, with a version chosen for each in every way.
#[test]
fn a_refused_cas_reads_some_other_version() {
    let mut counts = [[0; 3]; LEVELS.len()];
    let (mut unverified, mut contested) = (0, 0);
    for seed in 0..6000 {
        let drawn = drawn(seed);
        let history = &drawn.history;
        if !history.entries.iter().any(Entry::is_ok) {
            continue;
        }
        contested += u32::from(drawn.is_contested());
        let shown = text::write(history);
        for (level, counts) in LEVELS.iter().zip(&mut counts) {
            let verdict = judge(level, &shown);
            let expected = drawn.is_allowed(level);
            let sort = [verdict.is_valid(), verdict.is_invalid(), verdict.is_unknown()];
            counts[sort.iter().position(|is| *is).expect("one of them")] += 1;
            assert!(
                verdict.is_unknown() || verdict.is_valid() == expected,
                "seed {seed}, {level}: {verdict:?}\n{shown}"
            );
            if verdict.is_unknown() {
                continue;
            }
            let all: Vec<usize> = (0..history.entries.len())
                .filter(|i| !matches!(history.entries[*i].outcome, Outcome::Failed(_)))
                .collect();
            let opposite = if verdict.is_valid() {
                let kinds = squall_checkers::anomaly::KINDS.iter();
                Verdict::of(
                    kinds.map(|(kind, _)| Anomaly::new(kind.clone(), "x".into(), all.clone(), String::new())).collect(),
                )
            } else {
                Verdict::Valid { linearization: Some(all) }
            };
            let verification = verified(level, &shown, verdict.clone());
            assert!(
                !matches!(verification, Verification::Refuted(_)),
                "{level}: {verification:?} {verdict:?}\n{shown}"
            );
            unverified += u32::from(verification != Verification::Verified);
            assert_ne!(verified(level, &shown, opposite), Verification::Verified, "{level}: {verdict:?}\n{shown}");
        }
    }
    assert_eq!(unverified, 0);
    assert!(contested > 200, "{contested} leave a choice");
    for (level, [valid, invalid, unknown]) in LEVELS.iter().zip(counts) {
        println!("{level}: {valid} valid, {invalid} invalid, {unknown} unknown");
        let most = if strong().contains(level) { 900 } else { 100 };
        assert!(valid > 1000 && invalid > 1000 && unknown < most, "{level}: {valid}, {invalid}, {unknown}");
    }
}

/// Where nothing else was ever there no level allows it, and where that was taken back none that forbids to read it.
#[test]
fn a_cas_is_not_refused_by_nothing() {
    for (shown, kind, valid) in [
        ("0: write[y] 1; 1: cas[x] [nil 1] -> false; 0: read[x] -> nil", "thin-air-read", 0),
        ("0: cas[x] [nil 1] -> false; 1: write[x] 1 ! full; 2: read[x] -> nil", "g1a", 1),
        ("0: cas[x] [nil 1] -> false; 1: write[x] 1 ! full; 2: cas[x] [\"\" 1] -> false", "g1a", 1),
        ("0: cas[x] [\"\" 1] -> false; 1: write[x] \"\" ! full; 2: read[x] -> \"\"", "g1a", 1),
    ] {
        for (i, &level) in LEVELS.iter().enumerate() {
            let verdict = judge(level, shown);
            assert_eq!(verdict.is_valid(), i < valid, "{level}: {verdict:?}\n{shown}");
            if i >= valid {
                assert_eq!(verdict.anomalies()[0].kind.as_str(), kind, "{level}: {verdict:?}\n{shown}");
            }
            assert_eq!(verified(level, shown, verdict), Verification::Verified, "{level}: {shown}");
        }
    }
}

/// At levels that know of processes, what a process wrote itself is seen at least; and what comes after is not seen.
#[test]
fn a_refused_cas_sees_what_its_level_says() {
    for (shown, forbidden) in [
        // Read committed may show what was there before.
        ("0: write[x] 1; 0: cas[x] [1 2] -> false", &["read-atomic", "causal"][..]),
        ("0: read[x] -> nil; 0: cas[x] [nil 2] -> false; 0: write[x] 1", &["read-committed", "read-atomic", "causal"]),
        ("0: write[x] 1; 0: cas[x] [1 2] -> false; 1: write[x] 3", &[]),
        ("0: write[x] 1 ?; 1: cas[x] [nil 2] -> false", &[]),
        // What happened before is seen by causal consistency alone.
        ("0: write[x] 1; 0: write[y] 1; 1: read[y] -> 1; 1: cas[x] [1 2] -> false", &["causal"]),
        // Who was refused saw another write, and so what came before that.
        ("2: read[x] -> nil; 0: write[y] 1; 0: write[x] 1; 1: cas[x] [nil 2] -> false; 1: read[y] -> nil", &["causal"]),
    ] {
        for &level in &LEVELS[..5] {
            let verdict = judge(level, shown);
            let expected = !forbidden.contains(&level);
            assert!(!verdict.is_unknown() && verdict.is_valid() == expected, "{level}: {verdict:?}\n{shown}");
            assert_eq!(verified(level, shown, verdict), Verification::Verified, "{level}: {shown}");
        }
    }
}

/// An order that leaves a refused cas without a version is none.
#[test]
fn an_order_without_a_version_is_refused() {
    for (level, shown, order) in [
        ("pl-2", "0: cas[x] [nil 1] -> false; 1: write[x] 1 ?; 2: read[x] -> nil", vec![0, 2]),
        ("read-committed", "0: cas[x] [nil 2] -> false; 1: write[x] 1; 2: read[x] -> nil", vec![0, 1, 2]),
        ("read-atomic", "0: write[x] 1; 0: cas[x] [1 2] -> false; 1: write[x] 3", vec![2, 0, 1]),
        ("causal", "0: write[x] 1; 0: cas[x] [1 2] -> false; 1: write[x] 3", vec![2, 0, 1]),
    ] {
        let forged = verified(level, shown, Verdict::Valid { linearization: Some(order) });
        assert!(matches!(forged, Verification::Refuted(_)), "{level}: {forged:?}");
        let verdict = judge(level, shown);
        assert!(verdict.is_valid(), "{level}: {verdict:?}");
        assert_eq!(verified(level, shown, verdict), Verification::Verified, "{level}: {shown}");
    }
}

/// What it read may have been called later, after many others.
#[test]
fn a_version_that_stands_behind_many_others_is_found() {
    let writes: Vec<String> = (1..=40).map(|i| format!("0: write[x] {i}; ")).collect();
    let shown = writes.concat() + "0: cas[x] [40 99] -> false; 1: write[x] 50; 0: read[x] -> 50";
    for level in ["read-committed", "read-atomic", "causal"] {
        let verdict = judge(level, &shown);
        assert!(verdict.is_valid(), "{level}: {verdict:?}");
        assert_eq!(verified(level, &shown, verdict), Verification::Verified, "{level}");
    }
}
