//! Random histories judged by our engine and by porcupine-rs, which must never contradict each other.

mod generator;

use generator::Shape;
use porcupine_rs::CheckResult;
use squall_checkers::{
    budget::Budget,
    history::{Entry, History, Outcome},
    linearizability,
    models::CasRegister,
    operation::Operation,
    value::Value,
    verdict::Verdict,
};

/// A register as porcupine-rs wants it.
#[derive(Clone)]
struct PorcupineRegister;

impl porcupine_rs::Model for PorcupineRegister {
    type State = Value;
    type Op = (Operation, Option<Value>);
    type Metadata = ();

    fn init() -> Value {
        Value::Nil
    }

    fn step(state: &Value, (operation, reply): &Self::Op) -> (bool, Value) {
        match (operation.f.as_str(), &operation.args, reply) {
            ("read", _, Some(value)) => (value == state, state.clone()),
            ("write", value, _) => (true, value.clone()),
            ("cas", Value::List(args), Some(reply)) => {
                let matches = args[0] == *state;
                (*reply == Value::Bool(matches), if matches { args[1].clone() } else { state.clone() })
            }
            ("cas", Value::List(args), None) if args[0] == *state => (true, args[1].clone()),
            _ => (true, state.clone()),
        }
    }
}

fn porcupine(history: &History) -> CheckResult {
    let operation = |entry: &Entry| porcupine_rs::Operation::<PorcupineRegister> {
        client_id: Some(entry.process.0),
        call_time: i64::from(entry.invoked.position),
        return_time: if entry.is_ok() { i64::from(entry.returned()) } else { i64::MAX },
        op: (entry.operation.clone(), entry.reply().cloned()),
        metadata: None,
    };
    let operations: Vec<_> = history.entries.iter().map(operation).collect();
    porcupine_rs::check_operations_timeout(&operations, std::time::Duration::from_secs(5))
}

/// Makes one read return what another operation was about, so that some histories are illegal.
fn disturb(history: &mut History, seed: u64) {
    let is_read = |e: &&mut Entry| e.operation.f == "read" && e.is_ok();
    let from = seed as usize * 13 % history.entries.len();
    let value = history.entries[from].operation.args.clone();
    let reads = history.entries.iter_mut().filter(is_read).count().max(1);
    let read = history.entries.iter_mut().filter(is_read).nth(seed as usize * 7 % reads);
    if let Some(entry) = read.filter(|_| !matches!(value, Value::List(_))) {
        entry.outcome = Outcome::Ok(value);
    }
}

#[test]
fn our_verdicts_are_those_of_porcupine() {
    let (mut valid, mut invalid) = (0, 0);
    for seed in 0..1500 {
        let shape = Shape {
            operations: 10 + seed as usize % 30,
            processes: 2 + seed as usize % 4,
            values: seed % 4,
            cas: seed % 2 == 0,
            unknown_per_mille: [0, 50, 200][seed as usize % 3],
            stale: false,
        };
        let mut history = generator::history(shape, seed);
        if seed % 3 != 0 {
            disturb(&mut history, seed);
        }
        let ours = linearizability::check(&CasRegister, &history, &Budget::default());
        let text = || squall_checkers::formats::text::write(&history);
        match (&ours, porcupine(&history)) {
            (Verdict::Valid { .. }, CheckResult::Ok) => valid += 1,
            (Verdict::Invalid { .. }, CheckResult::Illegal) => invalid += 1,
            (_, CheckResult::Unknown) => {}
            (ours, theirs) => panic!("seed {seed}: {ours:?}, but porcupine says {theirs:?}:\n{}", text()),
        }
    }
    assert!(valid > 300 && invalid > 300, "{valid} valid and {invalid} invalid histories");
}

#[cfg(feature = "second-opinion")]
#[test]
fn the_second_opinion_agrees() {
    for seed in 0..200 {
        let shape = Shape { operations: 20, processes: 3, values: 3, cas: true, unknown_per_mille: 100, stale: false };
        let mut history = generator::history(shape, seed);
        disturb(&mut history, seed);
        let ours = linearizability::check(&CasRegister, &history, &Budget::default());
        let theirs = squall_checkers::second_opinion::check(&CasRegister, &history, std::time::Duration::from_secs(5));
        assert_eq!(ours.is_valid(), theirs.is_valid(), "seed {seed}");
        assert_eq!(ours.is_invalid(), theirs.is_invalid(), "seed {seed}");
    }
}
