//! The verifier against the checkers that are not about linearizability or transactions: on random histories it vouches for
//! what they say and show, and never for the opposite.

#[expect(dead_code, reason = "parts of it are for other tests")]
mod small;
#[expect(dead_code, reason = "parts of it are for other tests")]
mod support;

use std::collections::BTreeMap;

use rand_xoshiro::{
    Xoshiro256PlusPlus,
    rand_core::{Rng, SeedableRng},
};
use squall_checkers::{
    anomaly,
    budget::Budget,
    certificate::Certificate,
    checker::{CHECKERS, checker},
    formats,
    history::{History, MarkKind, Outcome, Phase, ProcessId},
    models::{MODELS, model},
    operation::{Name, Operation},
    recorder::HistoryBuilder,
    value::Value,
    verdict::{Anomaly, Verdict},
    verify::{self, Verification},
};

/// How many verdicts of each kind there were: valid, invalid.
type Counts = BTreeMap<&'static str, [usize; 2]>;

/// What the checker says is verified, and the opposite is not.
fn certify(name: &'static str, history: &History, counts: &mut Counts) {
    let model_name = "cas-register";
    let verdict = (checker(name).expect("in the catalogue").build)(model(model_name)).expect("given a model");
    let verdict = verdict.check(history, &Budget::default());
    let n = history.entries.len();
    let happened: Vec<usize> =
        (0..n).filter(|&i| history.entries[i].is_ok() || history.entries[i].is_unknown()).collect();
    let of_each_kind = || {
        let anomaly = |kind: &Name| Anomaly::new(kind.clone(), Value::Nil, happened.clone(), String::new());
        Verdict::of(anomaly::KINDS.iter().map(|(kind, _)| anomaly(kind)).collect())
    };
    let verify = |verdict: Verdict| {
        verify::verify(history, &Certificate::new(name, Some(model_name), n, verdict), &Budget::default())
    };
    let shown = || format!("{name}: {verdict:?}\n{}", formats::text::write(history));
    let opposites = match &verdict {
        Verdict::Unknown { .. } => return,
        Verdict::Valid { .. } => vec![of_each_kind()],
        Verdict::Invalid { .. } => vec![Verdict::VALID, Verdict::Valid { linearization: Some(happened.clone()) }],
    };
    counts.entry(name).or_default()[usize::from(verdict.is_invalid())] += 1;
    assert_eq!(verify(verdict.clone()), Verification::Verified, "{}", shown());
    for opposite in opposites {
        assert_ne!(verify(opposite), Verification::Verified, "{}", shown());
    }
}

fn enough(counts: &Counts, names: &[&str]) {
    for name in names {
        let [valid, invalid] = counts.get(name).copied().unwrap_or_default();
        println!("{name}: {valid} valid, {invalid} invalid");
        assert!(valid > 20 && invalid > 20, "{name}: {valid} valid, {invalid} invalid");
    }
}

/// No claim of a checker is left alone, and a name that is none is.
#[test]
fn every_checker_is_known() {
    let history = formats::text::read("0: write[x] 1; 0: read[x] -> 1").expect("in the notation");
    let by = |name: &str, model: Option<&str>| {
        let verdict = Verdict::Valid { linearization: Some(vec![0, 1]) };
        verify::verify(&history, &Certificate::new(name, model, 2, verdict), &Budget::default())
    };
    let verified = |name: &str| by(name, Some("register"));
    let unknown = |name: &str| Verification::Unverified(format!("nothing here checks the checker `{name}`"));
    for entry in CHECKERS {
        assert_ne!(verified(entry.name), unknown(entry.name));
    }
    assert_eq!(verified("serialisable"), unknown("serialisable"));
    for (name, model) in
        [("linearizable", "regster"), ("sequential", "regster"), ("linearizable", ""), ("sequential", "")]
    {
        let verification = by(name, Some(model).filter(|model| !model.is_empty()));
        assert!(matches!(verification, Verification::Unverified(_)), "{name}, {model}: {verification:?}");
    }
}

#[test]
fn orders_without_real_time() {
    let names = [
        "sequential",
        "causal-memory",
        "causal-weak",
        "pram",
        "sessions",
        "monotonic-reads",
        "monotonic-writes",
        "read-your-writes",
        "writes-follow-reads",
    ];
    let mut counts = Counts::new();
    for n in [5, 9] {
        small::random(n, 600, n as u64, |small| {
            for name in names {
                certify(name, &small::history(small), &mut counts);
            }
        });
    }
    enough(&counts, &names);
}

/// Orders of what is all right that nobody should believe: what must be there is there once, what did not happen is not, and
/// an order is kept. That each leaves replies as they are, so that nothing else gives them away, is the point.
#[test]
fn orders_with_a_mistake_are_refused() {
    let read = || Operation::new("read", "x", Value::Nil);
    for (model, write) in [("register", "write"), ("multi-register", "write"), ("rw-register", "txn")] {
        let is_txn = write == "txn";
        let micro = |f: &str, value: i64| Value::List(vec![Value::List(vec![f.into(), "x".into(), value.into()])]);
        let asked = |f: &'static str| match (is_txn, f) {
            (true, "write") => Operation::new("txn", Value::Nil, micro("w", 1)),
            (true, _) => Operation::new("txn", Value::Nil, micro("r", 0)),
            (false, "write") => Operation::write("x", 1),
            _ => read(),
        };
        let replied = |f: &'static str| match (is_txn, f) {
            (true, "write") => micro("w", 1),
            (true, _) => micro("r", 1),
            (false, "write") => Value::Nil,
            _ => 1.into(),
        };
        let mut builder = HistoryBuilder::new();
        for (process, f) in [(0, "write"), (1, "read"), (2, "read"), (2, "read")] {
            let entry = builder.invoke(ProcessId(process), asked(f), 0);
            builder.complete(entry, Outcome::Ok(replied(f)), 0);
        }
        let failed = builder.invoke(ProcessId(3), asked("write"), 0);
        builder.complete(failed, Outcome::Failed("".into()), 0);
        let history = builder.finish();
        let checkers: &[_] = if is_txn {
            &[("strict-serializable", true), ("strong-session-serializable", false), ("serializable", false)]
        } else {
            &[("linearizable", true), ("sequential", false)]
        };
        for &(checker, real_time) in checkers {
            let verified = |order: &[usize]| {
                let verdict = Verdict::Valid { linearization: Some(order.to_vec()) };
                let certificate = Certificate::new(checker, Some(model), history.entries.len(), verdict);
                verify::verify(&history, &certificate, &Budget::default()) == Verification::Verified
            };
            assert!(verified(&[0, 1, 2, 3]), "{checker} {model}");
            for mistaken in [&[0, 1, 2][..], &[0, 1, 1, 2, 3], &[0, 4, 1, 2, 3], &[0, 1, 2, 3, 9], &[1, 0, 2, 3]] {
                assert!(!verified(mistaken), "{checker} {model}: {mistaken:?}");
            }
            assert_eq!(verified(&[0, 2, 1, 3]), !real_time, "{checker} {model}: real time");
            assert_eq!(verified(&[0, 1, 3, 2]), checker == "serializable", "{checker} {model}: order of a process");
        }
    }
}

/// Small histories about which a checker and the verifier once disagreed.
#[test]
fn no_verdict_of_an_odd_history_is_refuted() {
    for text in [
        "1: cas[1] [0 0] -> false",
        "1: cas[1] [2 2] -> true",
        "1: cas[1] [2 2] -> true; 2: read[1] -> 2",
        "0: read[0] -> []; 3: cas[0] [1 0] ?",
        "0: txn [[r 0 nil]] -> [[r 0 []]]",
        "1: write[0] 0; 2: cas[0] [0 1] -> false",
        "0: cas[0] [nil 1] -> false; 1: write[0] 0",
        "1: read[1] -> []; 3: cas[1] [0 0] ?",
        "0: write[0] 1; 0: read[0] -> 99",
        "-- final-reads @0\n3: append[1] 7; 3: read[1] -> [1]",
        "-- final-reads @0\n3: append[1] 7; 3: read[1] -> [7]",
        "0: txn [[r 0 nil]] -> [[r 0 []]]; 3: write[0] 1",
    ] {
        let history = formats::text::read(text).expect("in the notation");
        let mut verified = 0;
        for entry in CHECKERS {
            let models = if entry.needs_model { MODELS.iter().map(Some).collect() } else { vec![None] };
            for model in models {
                let Some(checker) = (entry.build)(model) else { continue };
                let verdict = checker.check(&history, &Budget::default());
                let name = model.map(|model| model.name);
                let certificate = Certificate::new(entry.name, name, history.entries.len(), verdict);
                let verification = verify::verify(&history, &certificate, &Budget::default());
                let refuted = matches!(verification, Verification::Refuted(_)) && !certificate.verdict.is_unknown();
                assert!(!refuted, "{text}: {certificate:?} {verification:?}");
                verified += u32::from(verification == Verification::Verified);
                if certificate.verdict.is_invalid() {
                    let verdict = Verdict::Valid { linearization: Some((0..history.entries.len()).collect()) };
                    let opposite = Certificate { verdict, ..certificate };
                    let verification = verify::verify(&history, &opposite, &Budget::default());
                    assert_ne!(verification, Verification::Verified, "{text}: {opposite:?}");
                }
            }
        }
        assert!(verified > 10, "{text}: {verified} verdicts were verified");
    }
}

/// A value that nobody wrote is no version, and no age makes up for it.
#[test]
fn what_nobody_wrote_refutes_every_model_of_registers() {
    let history = formats::text::read("0: write[x] 1; 1: read[x] -> 2").expect("in the notation");
    for name in
        ["linearizable", "sessions", "monotonic-writes", "bounded-staleness", "pram", "causal-weak", "read-uncommitted"]
    {
        let checker = (checker(name).expect("in the catalogue").build)(model("register")).expect("given a model");
        let verdict = checker.check(&history, &Budget::default());
        let shown = verdict.anomalies().first().map(|anomaly| (anomaly.kind.as_str(), anomaly.operations.as_slice()));
        assert_eq!(shown, Some(("thin-air-read", &[1][..])), "{name}");
    }
}

/// Evidence that names what is not there is none, whatever is wrong with the history.
#[test]
fn what_is_not_there_shows_nothing() {
    let history = formats::text::read("0: write[x] 1; 1: read[x] -> nil").expect("in the notation");
    for (operations, refuted) in [(vec![0, 1], false), (vec![0, 99], true)] {
        let anomaly = Anomaly::new(anomaly::STALE_READ, "x".into(), operations, String::new());
        let certificate = Certificate::new("linearizable", Some("register"), 2, Verdict::of(vec![anomaly]));
        let verification = verify::verify(&history, &certificate, &Budget::default());
        assert_eq!(matches!(verification, Verification::Refuted(_)), refuted, "{verification:?}");
    }
}

struct Random(Xoshiro256PlusPlus);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        (self.0.next_u64() % n as u64) as usize
    }

    fn int(&mut self, n: usize) -> Value {
        Value::Int(self.below(n) as i64)
    }

    /// Up to `n` of the integers from 0 to `of`, as a list.
    fn some(&mut self, n: usize, of: usize) -> Value {
        Value::List((0..self.below(n + 1)).map(|_| self.int(of)).collect())
    }
}

/// An operation and what it replies.
type Draw = fn(&mut Random) -> (Operation, Value);

/// A history of operations that reply at random, with phases and final reads somewhere.
fn wild(random: &mut Random, draw: impl Fn(&mut Random) -> (Operation, Value)) -> History {
    let mut recorder = HistoryBuilder::new();
    let mut open = [None, None, None];
    let mut processes = [0, 1, 2];
    let count = 3 + random.below(7);
    let mut marks = [Some(MarkKind::Phase(Phase::Settle)), Some(MarkKind::Phase(Phase::FinalReads))].into_iter();
    for time in 0..2 * count as u64 {
        if random.below(count) == 0
            && let Some(mark) = marks.next().flatten()
        {
            recorder.mark(mark, time);
        }
        let line = random.below(3);
        if random.below(6) == 0 {
            recorder.mark(MarkKind::FinalReads(ProcessId(processes[line]), random.below(3) as u32), time);
        }
        match open[line].take() {
            None => {
                let (operation, reply) = draw(random);
                open[line] = Some((recorder.invoke(ProcessId(processes[line]), operation, time), reply));
            }
            Some((entry, reply)) => {
                let outcome = match random.below(12) {
                    0 => Outcome::Failed("full".into()),
                    1 => Outcome::Unknown("timeout".into()),
                    _ => Outcome::Ok(reply),
                };
                if matches!(outcome, Outcome::Unknown(_)) {
                    processes[line] += 3;
                }
                recorder.complete(entry, outcome, time);
            }
        }
    }
    recorder.finish()
}

fn asked(f: &'static str, args: impl Into<Value>, reply: impl Into<Value>) -> (Operation, Value) {
    (Operation::new(f, Value::Nil, args), reply.into())
}

fn bank(random: &mut Random) -> (Operation, Value) {
    let a = [3, 3, 3, 5, -1][random.below(5)];
    let total = [10, 10, 10, 10, 9][random.below(5)];
    let balances = [("a", a), ("b", total - a)].map(|(name, n)| (Value::from(name), Value::Int(n)));
    asked("read", Value::Nil, Value::from(BTreeMap::from(balances)))
}

fn counter(random: &mut Random) -> (Operation, Value) {
    match random.below(2) {
        0 => asked("add", random.below(5) as i64 - 2, Value::Nil),
        _ => asked("read", Value::Nil, random.below(5) as i64 - 2),
    }
}

fn ids(random: &mut Random) -> (Operation, Value) {
    asked("generate", Value::Nil, random.int(12))
}

fn lock(random: &mut Random) -> (Operation, Value) {
    match random.below(3) {
        0 => asked("acquire", Value::Nil, random.int(20)),
        1 => asked("acquire", Value::Nil, Value::Nil),
        _ => asked("release", Value::Nil, Value::Nil),
    }
}

fn set(random: &mut Random) -> (Operation, Value) {
    match random.below(5) {
        0 | 1 => asked("add", random.int(3), Value::Nil),
        2 if random.below(2) == 0 => asked("remove", random.int(3), random.below(2) == 0),
        _ => asked("read", Value::Nil, random.some(3, 3)),
    }
}

fn queue(random: &mut Random) -> (Operation, Value) {
    match random.below(7) {
        0..3 => asked("enqueue", random.int(4), Value::Nil),
        3 | 4 => asked("dequeue", Value::Nil, random.int(4)),
        5 => asked("dequeue", Value::Nil, Value::Nil),
        _ => asked("drain", Value::Nil, random.some(2, 4)),
    }
}

fn log(random: &mut Random) -> (Operation, Value) {
    let pair = |random: &mut Random| Value::List(vec![random.int(4), random.int(4)]);
    match random.below(8) {
        0..4 => asked("send", random.int(4), random.int(4)),
        4 => asked("assign", Value::Nil, Value::Nil),
        _ => {
            let shown = (0..random.below(3)).map(|_| pair(random)).collect();
            asked("poll", Value::Nil, Value::List(shown))
        }
    }
}

fn members(random: &mut Random) -> (Operation, Value) {
    asked("read", Value::Nil, random.below(8) > 0)
}

fn register(random: &mut Random) -> (Operation, Value) {
    match random.below(5) {
        0 => asked("write", random.int(3), Value::Nil),
        1 => asked("cas", Value::List(vec![random.int(3), random.int(3)]), random.below(2) == 0),
        2 => asked("read", Value::Nil, Value::Nil),
        _ => asked("read", Value::Nil, random.int(3)),
    }
}

/// What updates leave, and replicas show.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Left {
    Register,
    Set,
    Counter,
}

/// Updates of an object, and then reads of two replicas that mostly agree.
fn settled(random: &mut Random, left: Left) -> History {
    let mut recorder = HistoryBuilder::new();
    let at_once = |recorder: &mut HistoryBuilder, process: u32, (operation, reply): (Operation, Value), known| {
        let entry = recorder.invoke(ProcessId(process), operation, 0);
        recorder.complete(entry, if known { Outcome::Ok(reply) } else { Outcome::Unknown("timeout".into()) }, 0);
    };
    let updates = random.below(3);
    for i in 0..updates {
        let known = random.below(4) > 0;
        let update = match left {
            Left::Register => asked("write", i as i64, Value::Nil),
            Left::Set if i > 0 && random.below(3) == 0 => asked("remove", i as i64 - 1, random.below(2) == 0),
            Left::Set => asked("add", i as i64, Value::Nil),
            Left::Counter => asked("add", 1, Value::Nil),
        };
        at_once(&mut recorder, 10 + i as u32, update, known);
    }
    recorder.mark(MarkKind::Phase(Phase::FinalReads), 0);
    for process in [1, 2] {
        recorder.mark(MarkKind::FinalReads(ProcessId(process), process), 0);
    }
    let usual = match updates as i64 {
        n if left == Left::Set => Value::List((0..n).map(Value::Int).collect()),
        n if left == Left::Counter => Value::Int(n),
        0 => Value::Nil,
        n => Value::Int(n - 1),
    };
    for process in [1, 2, 1] {
        let seen = if random.below(4) > 0 { usual.clone() } else { shown_by(random, left) };
        at_once(&mut recorder, process, asked("read", Value::Nil, seen), true);
    }
    recorder.finish()
}

fn shown_by(random: &mut Random, left: Left) -> Value {
    if left == Left::Set { random.some(2, 3) } else { random.int(3) }
}

#[test]
fn invariants() {
    let families: [(Draw, &[&str]); 9] = [
        (bank, &["bank", "bank-with-overdraft"]),
        (counter, &["counter-bounds"]),
        (ids, &["unique-ids"]),
        (lock, &["mutual-exclusion", "fencing-tokens"]),
        (set, &["set-full", "durability", "convergence", "eventual", "strong-eventual"]),
        (queue, &["total-queue", "at-most-once", "at-least-once"]),
        (log, &["log-order"]),
        (members, &["eventual-accuracy"]),
        (register, &["durability", "convergence", "eventual", "strong-eventual", "liveness"]),
    ];
    let mut counts = Counts::new();
    for (i, (draw, names)) in families.iter().enumerate() {
        let mut random = Random(Xoshiro256PlusPlus::seed_from_u64(i as u64));
        for _ in 0..3_000 {
            let history = wild(&mut random, *draw);
            names.iter().for_each(|name| certify(name, &history, &mut counts));
        }
    }
    let mut random = Random(Xoshiro256PlusPlus::seed_from_u64(99));
    for i in 0..3_000 {
        let history = settled(&mut random, [Left::Register, Left::Set, Left::Counter][i % 3]);
        for name in ["durability", "convergence", "eventual", "strong-eventual"] {
            certify(name, &history, &mut counts);
        }
    }
    for (_, names) in families {
        enough(&counts, names);
    }
}

/// Sets that lose, remove and add again, and at last reads of several replicas, some at the same time.
fn grown(random: &mut Random) -> History {
    let mut recorder = HistoryBuilder::new();
    let mut open: Vec<(usize, Value)> = Vec::new();
    let mut done = |recorder: &mut HistoryBuilder, random: &mut Random, process: u32, (operation, reply), known| {
        open.push((recorder.invoke(ProcessId(process), operation, 0), reply));
        // What is left open runs beside what follows.
        while open.len() > random.below(3) {
            let (entry, reply) = open.swap_remove(random.below(open.len()));
            let outcome = if known { Outcome::Ok(reply) } else { Outcome::Unknown("timeout".into()) };
            recorder.complete(entry, outcome, 0);
        }
    };
    let count = 1 + random.below(4);
    for i in 0..count {
        let update = match random.below(5) {
            0 => asked("remove", random.int(2), Value::Nil),
            1 => asked("remove", random.int(2), random.below(2) == 0),
            2 => asked("read", Value::Nil, random.some(2, 2)),
            _ => asked("add", random.int(2), Value::Nil),
        };
        let known = random.below(5) > 0;
        done(&mut recorder, random, 10 + i as u32, update, known);
    }
    recorder.mark(MarkKind::Phase(Phase::FinalReads), 0);
    for process in 20..24 {
        if random.below(4) > 0 {
            recorder.mark(MarkKind::FinalReads(ProcessId(process), random.below(2) as u32), 0);
        }
    }
    for process in 20..24 {
        let seen = random.some(2, 2);
        done(&mut recorder, random, process, asked("read", Value::Nil, seen), true);
    }
    recorder.finish()
}

/// One reply in a few is none that was asked for.
fn odd(random: &mut Random, (operation, reply): (Operation, Value)) -> (Operation, Value) {
    let reply = match random.below(24) {
        0 => Value::from("a"),
        1 => Value::Bool(false),
        2 => Value::Bool(true),
        3 => Value::Nil,
        4 => Value::Int(77),
        5 => Value::List(vec![Value::from("a")]),
        _ => reply,
    };
    (operation, reply)
}

#[test]
fn sets_that_lose_and_replies_that_are_odd() {
    let sets = ["set-full", "durability", "convergence", "eventual", "strong-eventual"];
    let mut counts = Counts::new();
    let mut random = Random(Xoshiro256PlusPlus::seed_from_u64(7));
    for _ in 0..6_000 {
        let history = grown(&mut random);
        for name in sets {
            certify(name, &history, &mut counts);
        }
    }
    let families: [(Draw, &[&str]); 6] = [
        (ids, &["unique-ids"]),
        (lock, &["mutual-exclusion", "fencing-tokens"]),
        (set, &sets),
        (queue, &["total-queue", "at-most-once", "at-least-once"]),
        (log, &["log-order"]),
        (register, &sets[1..]),
    ];
    for (draw, names) in families {
        for _ in 0..2_000 {
            let history = wild(&mut random, |random| {
                let drawn = draw(random);
                odd(random, drawn)
            });
            for name in names {
                certify(name, &history, &mut counts);
            }
        }
    }
    for (_, names) in families {
        enough(&counts, names);
    }
}
