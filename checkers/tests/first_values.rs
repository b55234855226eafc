//! What a register holds before anybody wrote it is one value for good: nil or 0, nil or an empty text, as the first look shows.

use squall_checkers::{
    budget::Budget,
    certificate::Certificate,
    checker::{CHECKERS, checker},
    formats,
    lattice::{self, About},
    models::model,
    strongest,
    verdict::{Anomaly, Verdict},
    verify::{self, Verification},
};

/// Registers of `multi-register` start as nil or as 0, and histories do not say as which. It is one of them for good.
#[test]
fn what_nobody_wrote_is_nil_or_zero() {
    for (text, valid) in [
        ("0: read[x] -> nil; 0: read[x] -> 0", false),
        ("0: read[x] -> 0; 1: write[x] 0; 0: read[x] -> nil", false),
        ("0: read[x] -> 0; 1: write[x] nil; 0: read[x] -> nil", true),
        ("0: read[x] -> nil; 1: write[x] 0 ?; 0: read[x] -> 0", true),
        ("0: read[x] -> nil; 1: write[x] 0 ! full; 0: read[x] -> 0", false),
        ("0: read[x] -> nil; 0: read[y] -> 0", true),
        ("0: cas[x] [0 0] -> true; 0: read[x] -> nil", false),
        ("0: cas[x] [nil 0] -> true; 0: read[x] -> 0; 0: write[x] nil; 0: read[x] -> nil", true),
        ("0: cas[x] [0 7] -> false; 0: cas[x] [nil 7] -> false", false),
        ("0: cas[x] [0 7] -> false; 1: write[x] 1; 0: cas[x] [nil 7] -> false", true),
        ("0: cas[x] [nil 5] ?; 1: read[x] -> 0; 1: read[x] -> 5", false),
        ("0: cas[x] [0 5] ?; 1: read[x] -> 0; 1: read[x] -> 5", true),
        ("0: cas[x] [nil 5] ?; 1: read[x] -> 0; 1: read[x] -> 0", true),
        ("0: write[x] nil; 0: write[x] 0; 1: read[x] -> 0; 2: read[x] -> nil", false),
        ("0: txn [[read x nil] [read x nil]] -> [[read x nil] [read x 0]]", false),
        ("0: txn [[read x nil] [read y nil]] -> [[read x nil] [read y 0]]; 0: read[x] -> 0", false),
        ("1: cas[1] [0 7] -> false", true),
        ("1: cas[1] [nil 7] -> false", true),
        ("1: cas[1] [0 7] -> true; 1: read[1] -> 7", true),
        ("1: cas[1] [nil 7] -> true; 1: read[1] -> 7", true),
        ("1: cas[1] [0 7] -> false; 1: read[1] -> 7", false),
        ("1: cas[1] [5 7] -> true", false),
    ] {
        let history = formats::text::read(text).expect("in the notation");
        for name in ["linearizable", "sequential"] {
            // Without real time a read may come first though it was called last.
            let valid = valid || (name == "sequential" && text.contains("2: read[x] -> nil"));
            let checker = (checker(name).expect("in the catalogue").build)(model("multi-register"));
            let verdict = checker.expect("given a model").check(&history, &Budget::default());
            assert_eq!(verdict.is_valid(), valid, "{name} {text}: {verdict:?}");
            let certificate = Certificate::new(name, Some("multi-register"), history.entries.len(), verdict);
            assert_eq!(verify::verify(&history, &certificate, &Budget::default()), Verification::Verified, "{text}");
        }
    }
}

/// Checkers that need no model know registers that begin as nil. Of others they do not say what a first 0 would be to those.
#[test]
fn who_knows_nil_only_says_nothing_of_zero() {
    let ours = model("multi-register");
    for (text, is_known) in [
        ("0: read[x] -> 0; 1: read[x] -> 0", false),
        ("0: write[x] 1; 1: read[x] -> 0; 1: read[x] -> 1", false),
        ("0: write[x] 0; 1: read[x] -> 0", false),
        ("0: cas[x] [0 1] ?; 1: read[x] -> nil", false),
        ("0: cas[x] [nil 1] -> false; 1: read[x] -> nil", false),
        ("0: txn [[r x nil]] -> [[r x 0]]; 0: txn [[w x 1]] -> [[w x 1]]", false),
        ("0: read[x] -> \"\"; 1: read[x] -> \"\"", false),
        ("0: cas[x] [\"\" 1] -> true; 1: read[x] -> 1", false),
        ("0: cas[x] [0 1] ! full; 1: read[x] -> nil", true),
        ("0: write[x] 0; 1: read[x] -> nil", true),
        ("0: cas[x] [nil 1] -> true; 1: read[x] -> 1", true),
        ("0: txn [[r x nil] [w x 0]] -> [[r x nil] [w x 0]]", true),
    ] {
        let history = formats::text::read(text).expect("in the notation");
        let is_txn = text.contains("txn");
        for entry in CHECKERS.iter().filter(|c| !c.needs_model) {
            let Some(level) = lattice::model(entry.name) else { continue };
            if is_txn && !level.about.contains(&About::Transactions) {
                continue;
            }
            let judge = |model| (entry.build)(model).expect("it needs no model").check(&history, &Budget::default());
            let (verdict, of_nil) = (judge(ours), judge(model("register")));
            assert_eq!(of_nil, judge(None), "{} {text}", entry.name);
            if is_known {
                assert_eq!(verdict, of_nil, "{} {text}", entry.name);
            } else {
                assert!(verdict.is_unknown(), "{} {text}: {verdict:?}", entry.name);
                let n = history.entries.len();
                let everything: Vec<usize> = (0..n).collect();
                let anomaly = Anomaly::new("thin-air-read".into(), "x".into(), everything.clone(), String::new());
                for claim in [Verdict::Valid { linearization: Some(everything) }, Verdict::of(vec![anomaly])] {
                    let certificate = Certificate::new(entry.name, ours.map(|model| model.name), n, claim);
                    let verification = verify::verify(&history, &certificate, &Budget::default());
                    assert_ne!(verification, Verification::Verified, "{} {text}", entry.name);
                }
            }
        }
        let budget = Budget::default();
        let placed = strongest::place(&history, About::of(&history), ours, &budget);
        let is_said = placed.iter().any(|placed| placed.verdict.is_invalid() && placed.model.starts_with("monotonic"));
        assert!(is_known || !is_said, "{text}: {placed:?}");
    }
}

/// Two reads are enough to show it, however long the history is.
#[test]
fn two_first_values_are_shown_by_two_reads() {
    let write = |i: i64| format!("0: write[x] {}; 1: read[y] -> 0", i + 1);
    let middle: Vec<String> = (0..400).map(write).collect();
    let text = format!("1: read[x] -> nil; 2: cas[x] [0 7] -> true; {}; 1: read[x] -> 400", middle.join("; "));
    let history = formats::text::read(&text).expect("in the notation");
    for name in ["linearizable", "sequential"] {
        let checker = (checker(name).expect("in the catalogue").build)(model("multi-register")).expect("given a model");
        let verdict = checker.check(&history, &Budget::default());
        assert_eq!(verdict.anomalies().iter().map(|a| &a.operations[..]).collect::<Vec<_>>(), [[0, 1]], "{name}");
        let certificate = Certificate::new(name, Some("multi-register"), history.entries.len(), verdict);
        assert_eq!(verify::verify(&history, &certificate, &Budget::default()), Verification::Verified, "{name}");
    }
}

/// Stores show a key that is not there as nil or as an empty text, and one store always as the same.
#[test]
fn what_is_not_there_is_shown_in_one_way() {
    let weakest = "read-uncommitted";
    for (text, refuted, operations) in [
        ("0: write[x] 1; 1: read[x] -> nil; 2: read[x] -> \"\"", true, &[1, 2][..]),
        ("0: write[x] 1 ? timeout; 1: get[x] -> \"\"; 2: get[x] -> nil", true, &[1, 2]),
        ("0: read[x] -> nil; 1: read[y] -> \"\"", false, &[]),
        ("0: read[x] -> nil; 1: write[x] \"\" ! full; 2: read[x] -> \"\"", true, &[0, 2]),
        ("1: cas[x] [nil 5] ? timeout; 2: read[x] -> 5; 3: read[x] -> \"\"", true, &[0, 1, 2]),
        ("1: cas[x] [nil 5] ? timeout; 3: read[x] -> \"\"", false, &[]),
        ("0: txn [[r x nil]] -> [[r x nil]]; 1: txn [[r y nil] [r x nil]] -> [[r y nil] [r x \"\"]]", true, &[0, 1]),
        ("0: txn [[r x nil] [r x nil]] -> [[r x nil] [r x \"\"]]", true, &[0]),
        ("0: txn [[r x nil]] -> [[r x nil]]; 1: txn [[w x 1] [r x nil]] -> [[w x 1] [r x 1]]", false, &[]),
    ] {
        let history = formats::text::read(text).expect("in the notation");
        let n = history.entries.len();
        for entry in CHECKERS.iter().filter(|c| !c.needs_model && lattice::model(c.name).is_some()) {
            let is_txn = text.contains("txn");
            let levels = lattice::model(entry.name).is_some_and(|m| m.about.contains(&About::Transactions));
            if entry.name == "bounded-staleness" || (is_txn && !levels) {
                continue;
            }
            let verdict = (entry.build)(None).expect("it needs no model").check(&history, &Budget::default());
            let may_be_dirty = entry.name == weakest && text.contains('!');
            assert_eq!(verdict.is_invalid(), refuted && !may_be_dirty, "{} {text}: {verdict:?}", entry.name);
            if let Some(anomaly) = verdict.anomalies().first() {
                let is_named = |id: &usize| anomaly.operations.contains(id);
                assert!(operations.iter().all(is_named), "{} {text}: {anomaly:?}", entry.name);
                let opposite = Verdict::Valid { linearization: Some((0..n).collect()) };
                let certificate = Certificate::new(entry.name, None, n, opposite);
                let verification = verify::verify(&history, &certificate, &Budget::default());
                assert!(matches!(verification, Verification::Refuted(_)), "{} {text}", entry.name);
            }
            let certificate = Certificate::new(entry.name, None, n, verdict);
            let verification = verify::verify(&history, &certificate, &Budget::default());
            assert_eq!(verification, Verification::Verified, "{} {text}: {certificate:?}", entry.name);
        }
    }
}
