//! Our engine and porcupine-rs side by side on the same histories: `cargo bench -p squall-checkers`.
//!
//! Runs are interleaved and the best of each is taken; the ratio is what counts.
#![expect(clippy::disallowed_types, reason = "a benchmark measures real time")]

#[path = "../tests/generator/mod.rs"]
mod generator;

use std::time::{Duration, Instant};

use generator::Shape;
use squall_checkers::{budget::Budget, history::History, linearizability, models::CasRegister, value::Value};

/// A register of small integers as porcupine-rs wants it, without anything that would slow it down.
#[derive(Clone)]
struct PorcupineRegister;

#[derive(Clone, Copy, Debug)]
enum Asked {
    Read(i64),
    Write(i64),
    Cas(i64, i64, bool),
}

impl porcupine_rs::Model for PorcupineRegister {
    type State = i64;
    type Op = Asked;
    type Metadata = ();

    fn init() -> i64 {
        0
    }

    fn step(state: &i64, asked: &Asked) -> (bool, i64) {
        match *asked {
            Asked::Read(value) => (value == *state, *state),
            Asked::Write(value) => (true, value),
            Asked::Cas(from, to, replaced) => ((from == *state) == replaced, if from == *state { to } else { *state }),
        }
    }
}

fn operations(history: &History) -> Vec<porcupine_rs::Operation<PorcupineRegister>> {
    let int = |value: &Value| value.as_int().unwrap_or(0);
    let asked = |e: &squall_checkers::history::Entry| match (e.operation.f.as_str(), &e.operation.args, e.reply()) {
        ("read", _, Some(value)) => Asked::Read(int(value)),
        ("cas", Value::List(args), Some(reply)) => {
            Asked::Cas(int(&args[0]), int(&args[1]), *reply == Value::Bool(true))
        }
        (_, value, _) => Asked::Write(int(value)),
    };
    let operation = |e: usize| porcupine_rs::Operation {
        client_id: None,
        call_time: i64::from(history.entries[e].invoked.position),
        return_time: i64::from(history.entries[e].returned()),
        op: asked(&history.entries[e]),
        metadata: None,
    };
    (0..history.entries.len()).map(operation).collect()
}

fn time<T>(mut run: impl FnMut() -> T) -> (T, Duration) {
    let begin = Instant::now();
    let result = run();
    (result, begin.elapsed())
}

fn main() {
    let plain = Shape { operations: 10_000, processes: 5, values: 0, cas: false, unknown_per_mille: 0, stale: false };
    let cas = Shape { values: 5, cas: true, ..plain };
    let cases = [
        ("seed-sized, cas p5 1k", Shape { operations: 1_000, ..cas }),
        ("uniq p5 10k ok", plain),
        ("uniq p5 10k bad", Shape { stale: true, ..plain }),
        ("cas p5 10k ok", cas),
    ];
    println!("{:24} {:>12} {:>14} {:>8}", "history", "ours", "porcupine-rs", "ratio");
    for (name, shape) in cases {
        let history = generator::history(shape, 1);
        let operations = operations(&history);
        let (mut ours, mut theirs) = (Duration::MAX, Duration::MAX);
        for _ in 0..5 {
            let (verdict, took) = time(|| linearizability::check(&CasRegister, &history, &Budget::default()));
            ours = ours.min(took);
            let (valid, took) = time(|| porcupine_rs::check_operations(&operations));
            theirs = theirs.min(took);
            assert_eq!((verdict.is_valid(), verdict.is_invalid()), (valid, !valid), "{name}");
            assert_eq!(valid, !shape.stale, "{name}");
        }
        let ratio = theirs.as_secs_f64() / ours.as_secs_f64();
        println!(
            "{name:24} {:>9.3} ms {:>11.3} ms {ratio:>7.1}x",
            ours.as_secs_f64() * 1e3,
            theirs.as_secs_f64() * 1e3
        );
    }
}
