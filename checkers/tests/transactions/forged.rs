//! Orders of commits that nobody should believe.

use squall_checkers::{
    budget::Budget,
    certificate::Certificate,
    history::{Entry, EntryId, History, Outcome, ProcessId},
    operation::Operation,
    recorder::HistoryBuilder,
    value::Value,
    verdict::Verdict,
    verify::{self, Verification},
};

fn verified(history: &History, level: &str, order: Vec<EntryId>) -> Verification {
    let verdict = Verdict::Valid { linearization: Some(order) };
    let certificate = Certificate::new(level, None, history.entries.len(), verdict);
    verify::verify(history, &certificate, &Budget::default())
}

/// Calls with each order of these.
fn each_order(ids: &mut Vec<EntryId>, from: usize, see: &mut impl FnMut(&[EntryId])) {
    if from == ids.len() {
        return see(ids);
    }
    for i in from..ids.len() {
        ids.swap(from, i);
        each_order(ids, from + 1, see);
        ids.swap(from, i);
    }
}

/// Of a history that the level forbids no order is verified, with or without what may not have happened. Says how many orders
/// there were.
pub(crate) fn no_order_is_verified(history: &History, level: &str) -> u32 {
    let of = |holds: fn(&Entry) -> bool| {
        (0..history.entries.len()).filter(|&id| holds(&history.entries[id])).collect::<Vec<EntryId>>()
    };
    let unknown = of(Entry::is_unknown);
    let mut orders = 0;
    for chosen in 0_u32..1 << unknown.len() {
        let mut ids = of(Entry::is_ok);
        ids.extend(unknown.iter().enumerate().filter(|(i, _)| chosen >> i & 1 == 1).map(|(_, id)| id));
        each_order(&mut ids, 0, &mut |order| {
            orders += 1;
            let verification = verified(history, level, order.to_vec());
            assert_ne!(verification, Verification::Verified, "{level}: {order:?}\n{}", super::text(history));
        });
    }
    orders
}

/// A read or a write of a key, and what was read or written.
type Micro = (&'static str, &'static str, Value);

/// One transaction after the other: who, what it asked, and what that replied.
fn history(txns: &[(u32, &[Micro])]) -> History {
    let mut builder = HistoryBuilder::new();
    for (process, micros) in txns {
        let all = |of: fn(&Micro) -> Value| {
            Value::List(micros.iter().map(|m| Value::List(vec![m.0.into(), m.1.into(), of(m)])).collect())
        };
        let asked = all(|(f, _, value)| if *f == "r" { Value::Nil } else { value.clone() });
        let entry = builder.invoke(ProcessId(*process), Operation::new("txn", Value::Nil, asked), 0);
        builder.complete(entry, Outcome::Ok(all(|(_, _, value)| value.clone())), 0);
    }
    builder.finish()
}

/// Long enough that writers are not looked at one by one: what a process did not know of it may miss, all else it may not.
#[test]
fn reads_behind_many_writers() {
    let write = |key: &'static str, value: i64| ("w", key, Value::Int(value));
    for tells in [false, true] {
        let mut txns: Vec<(u32, Vec<Micro>)> = vec![(0, vec![write("x", 1)])];
        txns.extend((2..50).map(|value| (1 + value as u32 % 3, vec![write("x", value)])));
        txns.push((1, vec![write("y", 100)]));
        txns.push((9, vec![("r", "y", if tells { Value::Int(100) } else { Value::Nil }), ("r", "x", Value::Int(1))]));
        let txns: Vec<_> = txns.iter().map(|(process, micros)| (*process, micros.as_slice())).collect();
        let history = history(&txns);
        let order: Vec<EntryId> = (0..history.entries.len()).collect();
        let verification = verified(&history, "causal", order);
        // The first to know of is its own last write of `x`, at 48.
        let why = "operation 50 does not see the last write that it can see";
        let expected = if tells { Verification::Refuted(why.to_owned()) } else { Verification::Verified };
        assert_eq!(verification, expected);
    }
}

/// A value that several keys, or several transactions, left.
#[test]
fn values_that_were_left_more_than_once() {
    let (one, two) = (Value::Int(1), Value::Int(2));
    let both = history(&[
        (0, &[("w", "x", one.clone()), ("w", "y", one.clone())]),
        (1, &[("w", "x", two.clone())]),
        (2, &[("r", "y", one.clone()), ("r", "x", two.clone())]),
    ]);
    for level in ["read-committed", "read-atomic", "causal", "snapshot-isolation"] {
        assert_eq!(verified(&both, level, vec![0, 1, 2]), Verification::Verified, "{level}");
        assert_ne!(verified(&both, level, vec![0, 2, 1]), Verification::Verified, "{level}");
    }
    let again = history(&[
        (0, &[("w", "x", one.clone())]),
        (1, &[("w", "x", two)]),
        (2, &[("w", "x", one.clone())]),
        (3, &[("r", "x", one)]),
    ]);
    for order in [vec![0, 3, 1, 2], vec![0, 1, 2, 3]] {
        assert_eq!(verified(&again, "snapshot-isolation", order), Verification::Verified);
    }
    assert_ne!(verified(&again, "snapshot-isolation", vec![1, 3, 0, 2]), Verification::Verified);
}

/// Lists and registers that are read and changed by single operations.
#[test]
fn operations_that_are_no_transactions() {
    let histories = [
        "0: append[x] 1; 1: read[x] -> [1]; 1: append[x] 2; 0: read[x] -> [1 2]; 2: read[y] -> nil",
        "0: read[x] -> []; 0: append[x] 1; 1: txn [[r x nil] [append y 1]] -> [[r x [1]] [append y 1]]; 0: read[y] -> [1]",
        "0: read[x] -> nil; 0: write[x] 1; 1: cas[x] [1 2] -> true; 1: read[x] -> 2; 0: txn [[r x nil]] -> [[r x 2]]",
    ];
    for text in histories {
        let history = squall_checkers::formats::text::read(text).expect("in the notation");
        let order: Vec<EntryId> = (0..history.entries.len()).collect();
        for level in super::LEVELS {
            let checker = (squall_checkers::checker::checker(level).expect("it is there").build)(None);
            let verdict = checker.expect("it needs no model").check(&history, &Budget::default());
            let certificate = Certificate::new(level, None, history.entries.len(), verdict);
            let verification = verify::verify(&history, &certificate, &Budget::default());
            assert_eq!(verification, Verification::Verified, "{level}: {certificate:?} {text}");
            assert_eq!(verified(&history, level, order.clone()), Verification::Verified, "{level}: {text}");
            // Who read from whom is nothing to it.
            if level == "read-uncommitted" {
                continue;
            }
            let backward = order.iter().rev().copied().collect();
            assert_ne!(verified(&history, level, backward), Verification::Verified, "{level}: {text}");
        }
    }
}

/// What certainly took effect is in the order, and so is what may have, if it was seen.
#[test]
fn what_was_seen_is_not_left_out() {
    let texts = [
        "0: txn [[w x 1]] ?; 1: txn [[r x nil]] -> [[r x 1]]",
        "0: txn [[append x 1]] ?; 1: txn [[r x nil]] -> [[r x [1]]]",
    ];
    for text in texts {
        let history = squall_checkers::formats::text::read(text).expect("in the notation");
        for level in super::LEVELS.iter().filter(|level| **level != "read-uncommitted") {
            assert_eq!(verified(&history, level, vec![0, 1]), Verification::Verified, "{level}: {text}");
            assert_ne!(verified(&history, level, vec![1]), Verification::Verified, "{level}: {text}");
        }
    }
}

/// Who read from somebody knows of all that this one knew of; only causal consistency minds.
#[test]
fn what_a_source_knew_is_known() {
    let (one, nil) = (Value::Int(1), Value::Nil);
    let history = history(&[
        (0, &[("w", "x", one.clone())]),
        (1, &[("r", "x", one.clone()), ("w", "y", one.clone())]),
        (2, &[("r", "y", one), ("r", "x", nil)]),
    ]);
    for (level, holds) in [("read-committed", true), ("read-atomic", true), ("causal", false)] {
        assert_eq!(verified(&history, level, vec![0, 1, 2]) == Verification::Verified, holds, "{level}");
    }
}
