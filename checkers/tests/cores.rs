//! Long histories with one mistake: what shows it is small, and the verifier vouches for it.

#[path = "generator/objects.rs"]
mod objects;
#[path = "generator/mod.rs"]
mod registers;

use std::collections::BTreeSet;

use objects::Load;
use registers::Shape;
use squall_checkers::{
    anomaly,
    budget::Budget,
    certificate::Certificate,
    checker::checker,
    history::{Entry, History, Outcome},
    models::model,
    operation::Operation,
    value::Value,
    verdict::{Anomaly, Verdict},
    verify::{self, Verification},
};

/// How many operations show that it is illegal; nothing where it is not. What is said is verified, unless it takes unknown outcomes
/// that may have happened at any time to show it.
fn core(history: &History, model_name: &str) -> Option<usize> {
    let checker = (checker("linearizable").expect("in the catalogue").build)(model(model_name)).expect("given a model");
    let verdict = checker.check(history, &Budget::default());
    let size = verdict.anomalies().first().map(|anomaly| anomaly.operations.len());
    let certificate = Certificate::new("linearizable", Some(model_name), history.entries.len(), verdict);
    match verify::verify(history, &certificate, &Budget::default()) {
        Verification::Verified => {}
        Verification::Unverified(_) if history.entries.iter().any(Entry::is_unknown) => return None,
        other => panic!("{other:?}: {:?}", certificate.verdict),
    }
    size
}

/// What is done to a set of twenty elements, and what that replies; updates say whether they changed it, or nothing.
fn set(seed: u64, says: bool, load: Load) -> History {
    let ask = |random: u64, _: usize| {
        let f = ["add", "add", "remove", "contains", "read"][(random % 5) as usize];
        let element = if f == "read" { Value::Nil } else { Value::Int((random / 8 % 20) as i64) };
        Operation::new(f, Value::Nil, element)
    };
    let mut elements: BTreeSet<Value> = BTreeSet::new();
    let apply = |operation: &Operation| {
        let element = operation.args.clone();
        let changed = match operation.f.as_str() {
            "add" => elements.insert(element),
            "remove" => elements.remove(&element),
            "contains" => return elements.contains(&element).into(),
            _ => return Value::List(elements.iter().cloned().collect()),
        };
        if says { changed.into() } else { Value::Nil }
    };
    objects::history(load, seed, ask, apply)
}

/// One read at nine tenths of the history misses an element that is long there, or shows one that is not.
fn mistaken(mut history: History, misses: bool) -> History {
    let begin = history.entries.len() * 3 / 4;
    let read =
        history.entries[begin..].iter_mut().find(|e| e.operation.f == "read" && e.is_ok()).expect("there are reads");
    let Outcome::Ok(Value::List(shown)) = &mut read.outcome else { panic!("a read shows a list") };
    if misses {
        shown.remove(shown.len() / 2);
    } else {
        let absent = (0..20).map(Value::Int).find(|element| !shown.contains(element)).expect("some are not there");
        shown.push(absent);
    }
    history
}

#[test]
fn a_set_is_refuted_by_one_element() {
    for operations in [200, 2_000] {
        let mut sizes = Vec::new();
        for seed in 0..20 {
            let load = Load { operations, processes: 4, unknown_per_mille: [0, 5][seed as usize / 2 % 2] };
            let history = set(seed, seed % 2 == 0, load);
            assert_eq!(core(&history, "set"), None, "seed {seed}");
            sizes.extend(core(&mistaken(history, seed / 4 % 2 == 0), "set"));
        }
        // An element that is added and removed all the time may be there for a moment.
        assert!(sizes.len() > 15 && sizes.iter().all(|size| *size <= 8), "{operations}: {sizes:?}");
    }
}

/// Whatever is named of a history that has an order, and whatever the rules let go besides, leaves one.
#[test]
fn nothing_shows_that_a_legal_history_is_illegal() {
    for seed in 0..400_u64 {
        let unknown_per_mille = [0, 60][seed as usize % 2];
        let load = Load { operations: 16, processes: 4, unknown_per_mille };
        let shape = Shape {
            operations: 16,
            processes: 4,
            keys: 1,
            values: 2,
            cas: seed % 8 > 3,
            unknown_per_mille,
            stale: false,
        };
        let (model_name, history) = if seed % 4 < 2 {
            ("set", set(seed, seed % 8 > 3, load))
        } else {
            ("cas-register", registers::history(shape, seed))
        };
        for first in 0..history.entries.len() {
            for named in [first..history.entries.len(), first..(first + 3).min(history.entries.len()), 0..first] {
                let step = 1 + seed as usize / 8 % 2;
                let named = named.step_by(step).filter(|&id| history.entries[id].is_ok()).collect();
                let anomaly = Anomaly::new(
                    anomaly::NON_LINEARIZABLE,
                    history.entries[0].operation.key.clone(),
                    named,
                    String::new(),
                );
                let verdict = Verdict::of(vec![anomaly]);
                let certificate = Certificate::new("linearizable", Some(model_name), history.entries.len(), verdict);
                let verification = verify::verify(&history, &certificate, &Budget::default());
                assert_ne!(
                    verification,
                    Verification::Verified,
                    "{model_name}, seed {seed}: {:?}",
                    certificate.verdict
                );
            }
        }
    }
}

#[test]
fn a_register_is_refuted_by_its_last_operations() {
    let mut sizes = Vec::new();
    for seed in 0..80 {
        let unknown_per_mille = [0, 5][seed as usize % 2];
        let (operations, cas) = ([200, 1_000][seed as usize / 4 % 2], seed % 4 > 1);
        let shape = Shape { operations, processes: 4, keys: 1, values: 3, cas, unknown_per_mille, stale: true };
        sizes.extend(core(&registers::history(shape, seed), "cas-register"));
    }
    sizes.sort_unstable();
    // Of three values an old one is often the one that is there; and it takes much to show that what is unknown happened earlier.
    assert!(sizes.len() > 15 && sizes[sizes.len() * 9 / 10] <= 8, "{sizes:?}");
}
