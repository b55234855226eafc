//! What is named as impossible is enough, and no more than that.

use squall_checkers::{
    budget::Budget,
    certificate::Certificate,
    checker::checker,
    formats::text,
    history::History,
    verdict::{Anomaly, Verdict},
    verify::{self, Verification},
};

/// The anomalies of a level that forbids this, which are verified.
fn anomalies(level: &str, shown: &str) -> Vec<Anomaly> {
    let history = text::read(shown).expect("in the notation");
    let verdict = judge(level, &history);
    let anomalies = verdict.anomalies().to_vec();
    let certificate = Certificate::new(level, None, history.entries.len(), verdict);
    let verification = verify::verify(&history, &certificate, &Budget::default());
    assert_eq!(verification, Verification::Verified, "{level}: {certificate:?}");
    anomalies
}

fn judge(level: &str, history: &History) -> Verdict {
    let checker = (checker(level).expect("it is there").build)(None);
    checker.expect("it needs no model").check(history, &Budget::default())
}

/// What a process did in between is nothing to the order of what it did before and after.
#[test]
fn a_long_session_is_one_step() {
    let between: Vec<String> = (0..3000).map(|i| format!("0: write[y] {i}")).collect();
    let between = between.join("; ");
    for level in [
        "read-atomic",
        "causal",
        "strong-session-serializable",
        "strict-serializable",
        "strong-session-snapshot-isolation",
        "strong-snapshot-isolation",
    ] {
        for anomaly in anomalies(level, &format!("0: write[x] 1; {between}; 0: read[x] -> nil")) {
            assert_eq!(anomaly.operations, [0, 3001], "{level}: {anomaly:?}");
            assert!(anomaly.sentence.len() < 200, "{level}: {anomaly:?}");
        }
    }
    let shown = format!("0: read[x] -> 2; {between}; 0: write[z] 1; 1: read[z] -> 1; 1: write[x] 2");
    for level in ["read-committed", "causal", "strong-session-serializable"] {
        let circle = &anomalies(level, &shown)[0];
        assert_eq!(circle.operations, [0, 3001, 3002, 3003], "{level}: {circle:?}");
        assert!(circle.sentence.ends_with("-wr \"x\"-> T0 -process-> T3001"), "{level}: {circle:?}");
    }
}

/// The same where no cycle of what is certain shows it.
#[test]
fn a_long_session_is_one_step_of_a_choice() {
    let between: Vec<String> = (3..40).map(|i| format!("0: write[y] {i}")).collect();
    let shown = format!("0: write[x] 1; {}; 0: read[x] -> 2; 1: write[x] 2; 1: read[x] -> 1", between.join("; "));
    for level in ["strong-session-serializable", "strong-session-snapshot-isolation"] {
        for anomaly in anomalies(level, &shown) {
            assert_eq!(anomaly.operations, [0, 38, 39, 40], "{level}: {anomaly:?}");
        }
    }
}

/// In real time as well.
#[test]
fn a_long_time_is_one_step() {
    let between: Vec<String> = (0..100).map(|i| format!("{}: write[y] {i}", i + 2)).collect();
    let shown = format!("0: write[x] 1; {}; 1: read[x] -> nil", between.join("; "));
    for level in ["strict-serializable", "strong-snapshot-isolation"] {
        for anomaly in anomalies(level, &shown) {
            assert_eq!(anomaly.operations, [0, 101], "{level}: {anomaly:?}");
        }
    }
}

/// The order of the elements of a list is known from who read them only.
#[test]
fn who_read_a_list_is_named() {
    let circle = "0: txn [[append x 1] [append y 1]] -> [[append x 1] [append y 1]]; \
        1: txn [[append x 2] [append y 2]] -> [[append x 2] [append y 2]]; \
        2: txn [[r x nil] [r y nil]] -> [[r x [1 2]] [r y [2 1]]]";
    for level in ["read-uncommitted", "pl-2", "read-committed", "read-atomic", "causal", "serializable"] {
        for anomaly in anomalies(level, circle) {
            assert_eq!(anomaly.operations, [0, 1, 2], "{level}: {anomaly:?}");
        }
    }
    let lost = "0: txn [[append x 1]] -> [[append x 1]]; 1: txn [[r x nil] [append x 2]] -> [[r x []] [append x 2]]; \
        2: txn [[r x nil]] -> [[r x [1 2]]]";
    for level in ["serializable", "snapshot-isolation"] {
        for anomaly in anomalies(level, lost) {
            assert_eq!(anomaly.operations, [0, 1, 2], "{level}: {anomaly:?}");
            assert!(anomaly.sentence.contains("T1 changed \"x\" after T0, as T2 saw"), "{level}: {anomaly:?}");
        }
    }
}

/// The same where no order of writes is possible, because of the orders of lists.
#[test]
fn who_read_a_list_is_named_where_no_order_is_possible() {
    let shown = "0: txn [[w x 1] [append a 1] [append b 1]] -> [[w x 1] [append a 1] [append b 1]]; \
        1: txn [[w x 2] [append a 2]] -> [[w x 2] [append a 2]]; \
        2: txn [[r x nil] [append b 2]] -> [[r x 2] [append b 2]]; \
        3: txn [[r a nil] [r b nil]] -> [[r a [2 1]] [r b [1 2]]]";
    for anomaly in anomalies("serializable", shown) {
        assert_eq!((anomaly.kind.as_str(), &anomaly.operations[..]), ("non-serializable", &[0, 1, 2, 3][..]));
    }
}

/// What is not known to have taken effect did so because somebody saw it.
#[test]
fn who_saw_what_is_not_known_is_named() {
    let shown = "0: write[x] 1; 1: cas[x] [1 2] ?; 2: cas[x] [1 3] -> true; 3: read[x] -> 2";
    for level in ["serializable", "snapshot-isolation"] {
        for anomaly in anomalies(level, shown) {
            assert_eq!(anomaly.operations, [1, 2, 3], "{level}: {anomaly:?}");
        }
    }
}

fn kinds(level: &str, shown: &str) -> Vec<String> {
    anomalies(level, shown).iter().map(|anomaly| anomaly.kind.as_str().to_owned()).collect()
}

/// One key alone is neither torn nor forked.
#[test]
fn one_key_is_read_twice() {
    for (shown, kind) in [
        ("0: txn [[w x 1]] -> [[w x 1]]; 1: txn [[r x nil] [r x nil]] -> [[r x nil] [r x 1]]", "phantom"),
        ("0: txn [[w x 1]] -> [[w x 1]]; 1: txn [[r x nil] [r x nil]] -> [[r x 1] [r x nil]]", "non-repeatable-read"),
        ("0: txn [[append x 1]] -> [[append x 1]]; 1: txn [[r x nil] [r x nil]] -> [[r x []] [r x [1]]]", "phantom"),
    ] {
        for level in ["read-atomic", "repeatable-read", "serializable", "snapshot-isolation"] {
            assert_eq!(kinds(level, shown), [kind], "{level}: {shown}");
        }
    }
    let torn = "0: txn [[w x 1] [w y 1]] -> [[w x 1] [w y 1]]; 1: txn [[r x nil] [r y nil]] -> [[r x nil] [r y 1]]";
    for level in ["read-atomic", "serializable", "snapshot-isolation"] {
        assert_eq!(kinds(level, torn), ["fractured-read"], "{level}");
    }
    let fork = "0: txn [[append x 1]] -> [[append x 1]]; 1: txn [[append x 2]] -> [[append x 2]]; \
        2: txn [[r x nil]] -> [[r x [1]]]; 3: txn [[r x nil]] -> [[r x [2]]]";
    assert!(!kinds("serializable", fork).contains(&"long-fork".to_owned()));
}
