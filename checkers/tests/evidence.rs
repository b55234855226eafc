//! What the verifier vouches for is the evidence: the operations that are named, not some others of the same history.

use squall_checkers::{
    anomaly,
    budget::Budget,
    certificate::Certificate,
    checker::{CHECKERS, checker},
    formats::text,
    models::{MODELS, model},
    staleness,
    verdict::{Anomaly, Verdict},
    verify::{self, Verification},
};

/// What comes of a claim that these operations cannot be.
fn claimed(name: &str, model: &str, shown: &str, operations: &[usize]) -> Verification {
    let history = text::read(shown).expect("in the notation");
    let anomaly = Anomaly::new(anomaly::NON_LINEARIZABLE, "x".into(), operations.to_vec(), String::new());
    let certificate = Certificate::new(name, Some(model), history.entries.len(), Verdict::of(vec![anomaly]));
    verify::verify(&history, &certificate, &Budget::default())
}

/// Checkers whose evidence is operations that have no order.
const ORDERS: [&str; 14] = [
    "linearizable",
    "sequential",
    "bounded-staleness",
    "causal-memory",
    "causal-weak",
    "pram",
    "sessions",
    "read-uncommitted",
    "pl-2",
    "read-committed",
    "read-atomic",
    "causal",
    "snapshot-isolation",
    "strict-serializable",
];

#[test]
fn operations_that_show_nothing_are_no_evidence_of_what_others_show() {
    let shown = "0: write[x] 1; 0: read[x] -> 9; 1: write[y] 5; 1: read[y] -> 5";
    for name in ORDERS {
        assert_eq!(claimed(name, "register", shown, &[0, 1]), Verification::Verified, "{name}");
        for operations in [&[2, 3][..], &[0], &[2], &[3]] {
            let Verification::Refuted(why) = claimed(name, "register", shown, operations) else {
                panic!("{name}: {operations:?}");
            };
            assert!(why.ends_with("so only the evidence is wrong"), "{name}: {why}");
        }
        assert!(matches!(claimed(name, "register", shown, &[]), Verification::Refuted(_)), "{name}");
    }
}

/// A cas goes with all that needs what it leaves.
#[test]
fn a_lost_update_is_no_evidence_of_other_operations() {
    let shown = "0: write[x] 1; 1: cas[x] [1 2] -> true; 2: cas[x] [1 3] -> true; 3: write[x] 9; 3: read[x] -> 9";
    for name in ["linearizable", "sequential", "bounded-staleness", "serializable", "snapshot-isolation"] {
        assert_eq!(claimed(name, "cas-register", shown, &[0, 1, 2]), Verification::Verified, "{name}");
        for operations in [&[3, 4][..], &[4], &[3]] {
            let verification = claimed(name, "cas-register", shown, operations);
            assert!(matches!(verification, Verification::Refuted(_)), "{name}: {verification:?}");
        }
    }
}

/// A transaction of unknown outcome need not have taken effect, unless somebody who is named saw it.
#[test]
fn who_shows_that_it_took_effect_is_named() {
    let shown = "0: cas[x] [7 1] ?; 1: read[x] -> 1";
    for name in ["pl-2", "read-committed", "read-atomic", "causal", "serializable", "snapshot-isolation"] {
        assert_eq!(claimed(name, "cas-register", shown, &[0, 1]), Verification::Verified, "{name}");
        assert_ne!(claimed(name, "cas-register", shown, &[0]), Verification::Verified, "{name}");
    }
}

/// Histories of which a checker once named too little.
#[test]
fn what_checkers_name_is_enough() {
    for shown in [
        "0: cas[1] [1 0] ?; 1: read[1] -> 0",
        "0: cas[0] [0 2] -> true; 0: cas[0] [3 0] ?",
        "0: cas[1] [0 1] -> true; 1: cas[1] [0 0] ?",
        "0: txn [[w x 1] [w x 2]] ?; 1: txn [[r x nil] [w y 3]] ?; 2: txn [[r x nil] [r y nil]] -> [[r x 1] [r y 3]]",
        "0: txn [[r y nil] [append x 1]] ?; 1: txn [[append x 2] [r x nil]] -> [[append x 2] [r x [1 2]]]",
        "1: write[x] 1; 0: cas[x] [nil 3] -> true; 0: cas[x] [3 4] -> true; 0: cas[x] [4 5] -> true; 1: read[x] -> 5",
        "1: write[x] 1; 0: cas[x] [nil 3] -> true; 0: cas[x] [3 4] -> true; 0: cas[x] [4 5] -> true; 0: cas[x] [5 6] -> true; \
         1: read[x] -> 6",
        "1: append[0] 3; 3: read[0] -> [3 3 1]; 2: append[0] 1; 3: append[1] 1",
        "0: get -> ab @0..4; 1: append b @1..5; 2: put a @2..6; 3: get -> b @3..7",
        "0: append a ? @0..; 1: get -> a @1..2; 1: append a @7..8; 1: get -> a @9..10; 1: get -> ab @13..14",
    ] {
        let history = text::read(shown).expect("in the notation");
        for entry in CHECKERS {
            let models = if entry.needs_model { MODELS.iter().map(Some).collect() } else { vec![None] };
            for model in models {
                let Some(checker) = (entry.build)(model) else { continue };
                let certificate = match entry.name {
                    "bounded-staleness" => staleness::certify(&history, &Budget::default()),
                    _ => {
                        let verdict = checker.check(&history, &Budget::default());
                        Certificate::new(entry.name, model.map(|m| m.name), history.entries.len(), verdict)
                    }
                };
                if certificate.verdict.is_invalid() {
                    let verification = verify::verify(&history, &certificate, &Budget::default());
                    assert_eq!(verification, Verification::Verified, "{shown}: {certificate:?}");
                }
            }
        }
    }
}

/// A text is made of what was written and appended, or somebody saw what was not there.
#[test]
fn a_text_of_pieces_is_not_out_of_thin_air() {
    for (shown, kind, operations) in [
        ("0: get -> ab @0..4; 1: append b @1..5; 2: put a @2..6; 3: get -> b @3..7", "non-linearizable", 4),
        ("0: append a; 0: append b; 1: get -> abc", "thin-air-read", 1),
        ("0: put a; 0: append b; 1: get -> ba", "thin-air-read", 1),
    ] {
        let history = text::read(shown).expect("in the notation");
        let checker = (checker("linearizable").expect("in the catalogue").build)(model("kv")).expect("given a model");
        let verdict = checker.check(&history, &Budget::default());
        let [anomaly] = verdict.anomalies() else { panic!("{verdict:?}") };
        assert_eq!((anomaly.kind.as_str(), anomaly.operations.len()), (kind, operations), "{shown}: {anomaly:?}");
    }
}

/// Nobody can say that operations are impossible of which the model says nothing.
#[test]
fn what_a_model_does_not_know_shows_nothing() {
    let shown = "0: write[x] 1; 0: read[x] -> 1";
    for name in ["linearizable", "sequential"] {
        for model in MODELS.iter().map(|model| model.name).chain(["zz"]) {
            for operations in [&[0][..], &[1], &[0, 1]] {
                let verification = claimed(name, model, shown, operations);
                assert_ne!(verification, Verification::Verified, "{name}, {model}, {operations:?}");
            }
        }
    }
}

#[test]
fn bounds_name_operations_that_are_there() {
    let history = text::read("0: write[x] 1; 0: write[x] 2; 1: read[x] -> 1").expect("in the notation");
    let certificate = staleness::certify(&history, &Budget::default());
    assert_eq!(verify::verify(&history, &certificate, &Budget::default()), Verification::Verified);
    for operations in [vec![9], vec![2, 9], vec![9, 9]] {
        let mut forged = certificate.clone();
        let bounds = forged.staleness.as_mut().expect("it has bounds");
        bounds.versions.evidence.as_mut().expect("it is not 0").operations = operations;
        let verification = verify::verify(&history, &forged, &Budget::default());
        assert_eq!(verification, Verification::Refuted("operation 9 is not there".to_owned()));
    }
}
