//! Replies that are not to what was asked.

use squall_checkers::{
    budget::Budget,
    certificate::Certificate,
    checker::checker,
    formats::text,
    history::History,
    value::Value,
    verdict::{Anomaly, Verdict},
    verify::{self, Verification},
};

fn judge(level: &str, history: &History) -> Verdict {
    let checker = (checker(level).expect("it is there").build)(None);
    checker.expect("it needs no model").check(history, &Budget::default())
}

/// Whatever is claimed of such a history, nobody vouches for it.
#[test]
fn a_reply_to_something_else_says_nothing() {
    let writes = "0: txn [[w x 1] [w y 2]] -> [[w x 1] [w y 2]]";
    for odd in [
        "1: txn [[r x nil] [r y nil]] -> [[r y 1] [r x 2]]",
        "1: txn [[r x nil] [r y nil]] -> [[r x 1] [r x 1]]",
        "1: txn [[r x nil]] -> [[w z 1]]",
        "1: txn [[r x nil]] -> [[w x 1]]",
        "1: txn [[r x nil]] -> [[r x 1] [r y 2]]",
        "1: txn [[r x nil]] -> [x]",
        "1: txn [[w x 3]] -> [[w x 4]]",
        "1: txn [[w x 3]] -> [[w z 3]]",
        "1: txn [[append z 3]] -> [[append z 4]]",
        "1: txn [[append z 3]] -> [[r z [3]]]",
    ] {
        let shown = format!("{writes}; {odd}");
        let history = text::read(&shown).expect("in the notation");
        for level in super::LEVELS {
            let verdict = judge(level, &history);
            let Verdict::Unknown { detail, .. } = &verdict else { panic!("{level}: {verdict:?}\n{shown}") };
            assert!(detail.contains("its reply does not fit"), "{detail}");
            let impossible = Anomaly::new("g0".into(), Value::Nil, vec![0, 1], String::new());
            for claim in [Verdict::Valid { linearization: Some(vec![0, 1]) }, Verdict::of(vec![impossible])] {
                let certificate = Certificate::new(level, None, 2, claim);
                let verification = verify::verify(&history, &certificate, &Budget::default());
                assert_ne!(verification, Verification::Verified, "{certificate:?}\n{shown}");
            }
        }
    }
}

/// Some clients do not say again what they wrote, or reply nothing at all.
#[test]
fn a_reply_may_leave_out_what_was_written() {
    for shown in [
        "0: txn [[w x 1] [r y nil]] -> [[w x nil] [r y nil]]; 1: txn [[r x nil]] -> [[r x 1]]",
        "0: txn [[append x 1]] -> nil; 1: txn [[read x nil]] -> [[r x [1]]]",
    ] {
        let history = text::read(shown).expect("in the notation");
        for level in super::LEVELS {
            let verdict = judge(level, &history);
            assert!(verdict.is_valid(), "{level}: {verdict:?}\n{shown}");
            let certificate = Certificate::new(level, None, 2, verdict);
            let verification = verify::verify(&history, &certificate, &Budget::default());
            assert_eq!(verification, Verification::Verified, "{level}: {certificate:?}\n{shown}");
        }
    }
}
