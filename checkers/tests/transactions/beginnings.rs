//! What a refused cas says of what its register holds at first: nil or an empty text, one of the two for good.

use squall_checkers::{
    formats::text,
    verdict::{Anomaly, Verdict},
    verify::Verification,
};

use super::{
    LEVELS,
    refused::{judge, verified},
};

/// The verdict of a level, which is verified, and the opposite of it is not.
fn judged(level: &str, shown: &str) -> Verdict {
    let verdict = judge(level, shown);
    assert_eq!(verified(level, shown, verdict.clone()), Verification::Verified, "{level}: {verdict:?}\n{shown}");
    let all: Vec<usize> = (0..text::read(shown).expect("in the notation").entries.len()).collect();
    let opposite = if verdict.is_valid() {
        Verdict::of(vec![Anomaly::new("thin-air-read".into(), "x".into(), all, String::new())])
    } else {
        Verdict::Valid { linearization: Some(all) }
    };
    assert_ne!(verified(level, shown, opposite), Verification::Verified, "{level}: {verdict:?}\n{shown}");
    verdict
}

/// Whoever is refused found the other one there, as far as that agrees with what others saw.
#[test]
fn it_begins_as_what_is_not_expected() {
    for shown in [
        "0: cas[x] [nil 1] -> false",
        "0: cas[x] [\"\" 1] -> false",
        "0: cas[x] [nil 1] -> false; 1: cas[y] [\"\" 1] -> false",
        "0: read[x] -> \"\"; 1: cas[x] [nil 1] -> false",
        "0: read[x] -> nil; 1: cas[x] [\"\" 1] -> false",
        "0: cas[x] [nil 1] -> false; 1: cas[x] [nil 1] -> false; 2: cas[x] [\"\" 2] -> true",
        "0: cas[x] [\"\" 2] ? timeout; 1: read[x] -> 2; 2: cas[x] [nil 1] -> false",
        "0: cas[x] [nil 1] -> false; 1: txn [[w x 1] [w x nil]] -> [[w x 1] [w x nil]]",
        // Who changed it may not have been there yet, or is what one of the two saw.
        "0: cas[x] [nil 1] -> false @0..1; 1: cas[x] [\"\" 1] -> false @2..6; 2: write[x] 3 @3..4",
        "0: cas[x] [\"\" 1] -> false @0..1; 1: cas[x] [nil 1] -> false @2..6; 2: write[x] 3 @3..4",
        "0: write[x] 1; 0: cas[x] [nil 2] -> false; 1: cas[x] [\"\" 3] -> false",
    ] {
        for &level in &LEVELS {
            let verdict = judged(level, shown);
            assert!(verdict.is_valid(), "{level}: {verdict:?}\n{shown}");
        }
    }
}

/// Those that know of processes do not let a process see what it does later; the others do.
#[test]
fn what_is_seen_otherwise_comes_too_late() {
    for (shown, named) in [
        ("0: read[x] -> nil; 1: cas[x] [nil 2] -> false; 1: write[x] 1", &[0, 1, 2][..]),
        ("0: read[x] -> nil; 1: cas[x] [nil 2] -> false; 1: write[x] 1 ?", &[0, 1, 2]),
        ("0: cas[x] [nil 2] -> false; 0: cas[x] [\"\" 2] -> false; 0: write[x] 1", &[0, 1, 2]),
        // As what it began is shown by a cas of unknown outcome, and that by who read it.
        (
            "1: cas[x] [\"\" 2] -> false; 1: write[y] 1; 0: read[y] -> 1; 0: cas[x] [\"\" 5] ?; 2: read[x] -> 5",
            &[0, 1, 2, 3, 4],
        ),
    ] {
        for (i, &level) in LEVELS[..5].iter().enumerate() {
            let verdict = judged(level, shown);
            assert!(!verdict.is_unknown() && verdict.is_valid() == (i < 2), "{level}: {verdict:?}\n{shown}");
            for anomaly in verdict.anomalies() {
                assert_eq!(anomaly.operations, named, "{level}: {anomaly:?}\n{shown}");
            }
        }
    }
}

/// Who saw as what it began, or was refused the other, is named.
#[test]
fn it_does_not_begin_as_both() {
    for (shown, named) in [
        ("0: read[x] -> \"\"; 1: cas[x] [\"\" 1] -> false", &[0, 1][..]),
        ("0: read[x] -> nil; 1: cas[x] [nil 1] -> false", &[0, 1]),
        ("0: cas[x] [nil 1] -> false; 1: cas[x] [\"\" 1] -> false", &[0, 1]),
        ("0: read[y] -> nil; 1: cas[x] [\"\" 1] -> false; 0: cas[x] [nil 1] -> false", &[1, 2]),
        ("0: cas[x] [nil 1] -> false; 1: cas[x] [nil 2] -> false; 2: cas[x] [\"\" 3] -> false", &[0, 2]),
    ] {
        for &level in &LEVELS {
            let verdict = judged(level, shown);
            let [anomaly] = verdict.anomalies() else { panic!("{level}: {verdict:?}\n{shown}") };
            assert_eq!((anomaly.kind.as_str(), &anomaly.operations[..]), ("thin-air-read", named), "{level}: {shown}");
        }
    }
}

/// Who was refused first did not read what was there at first, since another one did.
#[test]
fn a_choice_of_the_beginning_is_taken_back() {
    let shown =
        "2: write[y] 1; 2: write[x] 1; 0: cas[x] [nil 5] -> false; 1: cas[x] [\"\" 5] -> false; 1: read[y] -> nil";
    for &level in &LEVELS[..5] {
        let verdict = judged(level, shown);
        assert!(verdict.is_valid(), "{level}: {verdict:?}");
        let as_called = Verdict::Valid { linearization: Some(vec![0, 1, 2, 3, 4]) };
        assert_eq!(verified(level, shown, as_called), Verification::Verified, "{level}");
    }
}

/// Who read what was there at first may have read it later, where somebody wrote it: no wrong order and no wrong proof of that
/// passes.
#[test]
fn it_may_be_written_as_what_it_begins() {
    for (shown, order) in [
        ("0: read[x] -> nil; 1: read[x] -> \"\"; 2: write[x] nil", vec![0, 1, 2]),
        ("0: read[x] -> nil; 1: cas[x] [nil 1] -> false; 2: write[x] nil", vec![0, 1, 2]),
    ] {
        for &level in &LEVELS[1..] {
            let forged = verified(level, shown, Verdict::Valid { linearization: Some(order.clone()) });
            assert_ne!(forged, Verification::Verified, "{level}: {shown}");
        }
    }
    for shown in ["0: read[x] -> nil; 1: write[x] nil", "0: write[x] 5; 1: write[x] nil; 0: read[x] -> nil"] {
        let all: Vec<usize> = (0..text::read(shown).expect("in the notation").entries.len()).collect();
        for &level in &LEVELS {
            let forged = Anomaly::new("thin-air-read".into(), "x".into(), all.clone(), String::new());
            let forged = verified(level, shown, Verdict::of(vec![forged]));
            assert_ne!(forged, Verification::Verified, "{level}: {shown}");
        }
    }
}

/// Where two wrote the same, nobody can say whose value was read, and no proof of that passes.
#[test]
fn whose_value_it_is_may_be_unknown() {
    for shown in [
        "0: write[x] 1; 0: write[x] 2; 1: write[x] 1; 0: read[x] -> 1",
        "0: write[x] 1; 0: write[x] 2; 2: read[x] -> 2; 1: write[x] 1; 2: read[x] -> 1",
        "0: txn [[w x 1] [w x 2]] -> [[w x 1] [w x 2]]; 1: txn [[w x 1]] -> [[w x 1]]; 2: txn [[r x nil]] -> [[r x 1]]",
    ] {
        let all: Vec<usize> = (0..text::read(shown).expect("in the notation").entries.len()).collect();
        for &level in &LEVELS {
            let forged = Anomaly::new("g1c".into(), "x".into(), all.clone(), String::new());
            let forged = verified(level, shown, Verdict::of(vec![forged]));
            assert_ne!(forged, Verification::Verified, "{level}: {shown}");
        }
    }
}

/// What a transaction read behind its own write shows nothing of others, not that they took effect either.
#[test]
fn a_read_behind_an_own_write_shows_no_other() {
    let own = "1: txn [[w x 1] [r x nil]] -> [[w x 1] [r x 90]]";
    for (shown, named) in [
        (format!("0: cas[x] [3 90] ?; {own}"), None),
        (format!("0: cas[x] [\"\" 90] ?; 2: read[x] -> nil; {own}"), None),
        (format!("0: cas[x] [3 90] ?; 1: read[x] -> 90; {own}"), Some(vec![0, 1])),
    ] {
        for level in ["read-uncommitted", "pl-2"] {
            let verdict = judged(level, &shown);
            assert_eq!(
                verdict.anomalies().first().map(|a| a.operations.clone()),
                named,
                "{level} {shown}: {verdict:?}"
            );
            assert_eq!(verified(level, &shown, verdict), Verification::Verified, "{level} {shown}");
        }
    }
}

/// A cas may leave what it found; of another writer there is no doubt then.
#[test]
fn who_reads_is_no_other_writer_of_it() {
    let shown = "0: cas[x] [nil 9] -> false; 0: cas[x] [nil 1] -> true; 0: cas[x] [1 1] ?";
    for level in ["read-committed", "read-atomic", "causal"] {
        let verdict = judged(level, shown);
        assert!(verdict.is_invalid(), "{level}: {verdict:?}");
        assert_eq!(verified(level, shown, verdict), Verification::Verified, "{level}");
    }
}

#[test]
fn a_cas_takes_two_arguments_whatever_it_replied() {
    for shown in ["0: cas[x] [nil 1 2] -> false", "0: cas[x] [nil] -> false", "0: cas[x] [] -> false"] {
        for &level in LEVELS.iter().chain(&["sessions", "pram"]) {
            let verdict = judge(level, shown);
            assert!(verdict.is_unknown(), "{level} {shown}: {verdict:?}");
        }
    }
}

/// A list begins empty: a cas of an empty list is not refused there, and no order shows that it was.
#[test]
fn a_list_refuses_nothing_that_it_begins_as() {
    for shown in [
        "0: cas[x] [[] 1] -> false; 1: read[x] -> []",
        "1: read[x] -> []; 0: cas[x] [[] 1] -> false",
        "0: cas[x] [[] 1] -> false; 1: append[x] 5; 0: read[x] -> [5]",
    ] {
        let n = text::read(shown).expect("in the notation").entries.len();
        for &level in &LEVELS[2..] {
            let verdict = judge(level, shown);
            let in_real_time = ["strict-serializable", "strong-snapshot-isolation"].contains(&level);
            let may_be_later = shown.contains("append") && !in_real_time;
            assert!(!verdict.is_valid() || may_be_later, "{level} {shown}: {verdict:?}");
            let in_turn = Verdict::Valid { linearization: Some((0..n).collect()) };
            assert_ne!(verified(level, shown, in_turn), Verification::Verified, "{level} {shown}");
        }
    }
}

/// Who takes no part may have read anything.
#[test]
fn only_who_takes_part_must_be_clear() {
    for (shown, is_valid) in [
        ("0: write[x] nil; 1: cas[x] [nil 2] ?", true),
        ("0: write[x] 1; 1: write[x] 1; 2: cas[x] [1 2] ?", true),
        ("0: write[x] 1; 1: write[x] 1; 2: cas[x] [1 2] ?; 3: read[y] -> 7", false),
    ] {
        for level in ["read-uncommitted", "pl-2"] {
            let verdict = judged(level, shown);
            assert_eq!((verdict.is_valid(), verdict.is_unknown()), (is_valid, false), "{level} {shown}: {verdict:?}");
        }
    }
}
