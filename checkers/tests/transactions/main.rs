//! Isolation levels against their definitions: small random histories of transactions, and every order of them.

mod beginnings;
mod concurrent;
mod definitions;
mod evidence;
mod forged;
mod refused;
mod replies;

use rand_xoshiro::{
    Xoshiro256PlusPlus,
    rand_core::{Rng, SeedableRng},
};
use squall_checkers::{
    budget::Budget,
    certificate::Certificate,
    checker::checker,
    history::{Entry, History, Moment, Outcome, ProcessId},
    lattice::{self, About},
    models,
    operation::Operation,
    strongest::{self, Placed},
    value::Value,
    verdict::{Anomaly, Verdict},
    verify::{self, Verification},
};

use self::definitions::{KEYS, Micro, Status, Txn, allowed, run};

struct Dice(Xoshiro256PlusPlus);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        (self.0.next_u64() % n as u64) as usize
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

/// Transactions that a store with a random amount of isolation might run; now and then one sees something else.
fn random(seed: u64, lists: bool) -> Vec<Txn> {
    let mut dice = Dice(Xoshiro256PlusPlus::seed_from_u64(seed));
    let n = 2 + dice.below(3) + usize::from(dice.one_in(10));
    let sessions = 1 + dice.below(4);
    let stale = 1 + dice.below(6);
    let gaps = !lists && dice.one_in(2);
    let odd = [3, 10, 1000][dice.below(3)];
    let mut next = 0;
    // What each transaction that took effect wrote.
    let mut effects: Vec<[Vec<i64>; KEYS]> = Vec::new();
    let mut ended = vec![false; sessions];
    let mut txns: Vec<Txn> = Vec::new();
    for _ in 0..n {
        let session = dice.below(sessions);
        if ended[session] {
            continue;
        }
        let status = match dice.below(10) {
            0 => Status::Unknown,
            1 => Status::Failed,
            _ => Status::Ok,
        };
        ended[session] = status == Status::Unknown;
        let back = dice.below(stale);
        let back = [back, if dice.one_in(2) { back } else { dice.below(stale) }];
        let mut snapshot: [Vec<i64>; KEYS] = Default::default();
        for (age, effect) in effects.iter().rev().enumerate().rev() {
            for key in (0..KEYS).filter(|k| age >= back[*k]) {
                if !(gaps && dice.one_in(3)) {
                    snapshot[key].extend(&effect[key]);
                }
            }
        }
        let mut view = snapshot.clone();
        let mut written: [Vec<i64>; KEYS] = Default::default();
        let ops = (0..=dice.below(3)).map(|_| {
            let key = dice.below(KEYS);
            if dice.one_in(12) {
                view = Default::default();
                for effect in effects.iter().chain([&written]) {
                    view.iter_mut().zip(effect).for_each(|(all, own)| all.extend(own));
                }
            }
            if dice.one_in(2) {
                next += 1;
                view[key].push(next);
                written[key].push(next);
                return if lists { Micro::Append(key, next) } else { Micro::Write(key, next) };
            }
            let mut seen = view[key].clone();
            if dice.one_in(odd) {
                match dice.below(4) {
                    0 => _ = seen.pop(),
                    1 if !seen.is_empty() => _ = seen.remove(dice.below(seen.len())),
                    2 => seen.push(1 + dice.below(7) as i64),
                    _ => seen.reverse(),
                }
                let mut once = Vec::new();
                seen.retain(|v| {
                    !once.contains(v) && {
                        once.push(*v);
                        true
                    }
                });
            }
            if lists { Micro::List(key, seen) } else { Micro::Read(key, seen.last().copied()) }
        });
        let ops = ops.collect();
        let effective = match status {
            Status::Ok => true,
            Status::Unknown => dice.one_in(2),
            Status::Failed => dice.one_in(8),
        };
        if effective {
            effects.push(written);
        }
        txns.push(Txn { session, status, ops, call: 0, ret: 0 });
    }
    // Sometimes the order of invocations is not that of the effects.
    if dice.one_in(3) && txns.len() > 1 && txns.iter().all(|t| t.status != Status::Unknown) {
        let i = dice.below(txns.len() - 1);
        txns.swap(i, i + 1);
    }
    intervals(&mut txns, &mut dice);
    txns
}

/// Gives each transaction an interval that keeps the order of its session.
fn intervals(txns: &mut [Txn], dice: &mut Dice) {
    let mut at = 0;
    let mut open: Vec<usize> = Vec::new();
    let mut next = 0;
    while next < txns.len() || !open.is_empty() {
        let blocked = next == txns.len() || open.iter().any(|&o| txns[o].session == txns[next].session);
        if blocked || (!open.is_empty() && dice.one_in(2)) {
            let closed = open.swap_remove(dice.below(open.len()));
            txns[closed].ret = at;
        } else {
            txns[next].call = at;
            open.push(next);
            next += 1;
        }
        at += 1;
    }
}

fn history(txns: &[Txn]) -> History {
    let text = |s: &str| Value::from(s);
    let key = |k: usize| text(["x", "y"][k]);
    let micro = |f: &str, k: usize, v: Value| Value::List(vec![text(f), key(k), v]);
    let entries = txns.iter().map(|txn| {
        let asked = txn.ops.iter().map(|op| match op {
            Micro::Write(k, v) => micro("w", *k, Value::Int(*v)),
            Micro::Append(k, v) => micro("append", *k, Value::Int(*v)),
            Micro::Read(k, _) | Micro::List(k, _) => micro("r", *k, Value::Nil),
        });
        let replied = txn.ops.iter().map(|op| match op {
            Micro::Write(k, v) => micro("w", *k, Value::Int(*v)),
            Micro::Append(k, v) => micro("append", *k, Value::Int(*v)),
            Micro::Read(k, v) => micro("r", *k, v.map_or(Value::Nil, Value::Int)),
            Micro::List(k, v) => micro("r", *k, Value::List(v.iter().copied().map(Value::Int).collect())),
        });
        let moment = |position: u32| Moment::new(position, u64::from(position));
        Entry {
            process: ProcessId(txn.session as u32),
            operation: Operation::new("txn", Value::Nil, Value::List(asked.collect())),
            invoked: moment(txn.call),
            completed: (txn.status != Status::Unknown).then(|| moment(txn.ret)),
            outcome: match txn.status {
                Status::Ok => Outcome::Ok(Value::List(replied.collect())),
                Status::Unknown => Outcome::Unknown("".into()),
                Status::Failed => Outcome::Failed("".into()),
            },
        }
    });
    History { entries: entries.collect(), ..History::default() }
}

const LEVELS: [&str; 12] = [
    "read-uncommitted",
    "pl-2",
    "read-committed",
    "read-atomic",
    "causal",
    "repeatable-read",
    "serializable",
    "strong-session-serializable",
    "strict-serializable",
    "snapshot-isolation",
    "strong-session-snapshot-isolation",
    "strong-snapshot-isolation",
];

fn compare(lists: bool, seeds: std::ops::Range<u64>) {
    let mut counts = [[0; 2]; LEVELS.len()];
    let mut certified = [0; 2];
    let mut forged = 0;
    for seed in seeds {
        let txns = random(seed, lists);
        let history = history(&txns);
        history.validate().expect("well-formed");
        let mut valid = Vec::new();
        for (level, count) in LEVELS.iter().zip(&mut counts) {
            let verdict = (checker(level).unwrap().build)(None).unwrap().check(&history, &Budget::default());
            let shown = || squall_checkers::formats::text::write(&history);
            if verdict.is_unknown() {
                assert!(!txns.iter().any(|t| t.status == Status::Ok), "seed {seed}, {level}: {verdict:?}\n{}", shown());
                continue;
            }
            let expected = allowed(&txns, level);
            if *level == "strict-serializable" {
                let model = models::model(if lists { "list-append" } else { "rw-register" }).unwrap();
                let searched = (model.build)().linearizable(&history, &Budget::default());
                assert_eq!(searched.is_valid(), expected, "seed {seed}: {searched:?}\n{}", shown());
            }
            assert_eq!(verdict.is_valid(), expected, "seed {seed}, {level}: {verdict:?}\n{}", shown());
            // Without memory some levels are decided another way; causal consistency is not at all.
            let poor = Budget { bytes: 0, ..Budget::default() };
            let again = (checker(level).unwrap().build)(None).unwrap().check(&history, &poor);
            assert!(again.is_unknown() || again.is_valid() == expected, "seed {seed}, {level}: {again:?}\n{}", shown());
            assert!(!again.is_unknown() || *level == "causal", "seed {seed}, {level}: {again:?}\n{}", shown());
            count[usize::from(expected)] += 1;
            if expected {
                valid.push(*level);
            }
            if seed % 4 == 0 {
                certify(level, &history, &verdict, &mut certified);
                if !expected {
                    forged += forged::no_order_is_verified(&history, level);
                }
            }
            // What is refuted by an anomaly is indeed refuted.
            for anomaly in verdict.anomalies() {
                for other in LEVELS.iter().filter(|other| lattice::refutes(&anomaly.kind, other)) {
                    assert!(!allowed(&txns, other), "seed {seed}: {} and {other}\n{}", anomaly.kind, shown());
                }
            }
            let serial = level.contains("serializable") || *level == "repeatable-read";
            if let Verdict::Valid { linearization: Some(order) } = &verdict
                && serial
            {
                let order: Vec<&Txn> = order.iter().map(|&e| &txns[e]).collect();
                let mut state = Default::default();
                assert!(order.iter().all(|txn| run(txn, &mut state)), "seed {seed}, {level}: {order:?}\n{}", shown());
            }
        }
        let placed = strongest::place(&history, About::Transactions, None, &Budget::default());
        for Placed { model, verdict } in placed.iter().filter(|p| LEVELS.contains(&p.model) && !p.verdict.is_unknown())
        {
            assert_eq!(verdict.is_valid(), valid.contains(model), "seed {seed}: {model} is placed: {verdict:?}");
        }
        for strong in &valid {
            for weak in LEVELS.iter().filter(|weak| lattice::implies(strong, weak)) {
                assert!(valid.contains(weak), "seed {seed}: {strong} but not {weak}");
            }
        }
    }
    let [verified, unverified] = certified;
    assert!(verified > 100 * unverified, "{verified} certificates are verified, {unverified} not");
    assert!(forged > 10_000, "{forged} orders were forged");
    for (level, [invalid, valid]) in LEVELS.iter().zip(counts) {
        println!("{level}: {invalid} invalid, {valid} valid");
        // Little of what happens to registers refutes these.
        let share = if ["read-uncommitted", "pl-2"].contains(level) { 32 } else { 8 };
        assert!(invalid * share > valid && valid * share > invalid, "{level}: {invalid} invalid, {valid} valid");
    }
}

/// The verifier accepts what the checker says and shows, and nothing that contradicts it.
fn certify(level: &str, history: &History, verdict: &Verdict, certified: &mut [u32; 2]) {
    let n = history.entries.len();
    let verify =
        |verdict: Verdict| verify::verify(history, &Certificate::new(level, None, n, verdict), &Budget::default());
    let happened: Vec<usize> =
        (0..n).filter(|&i| history.entries[i].is_ok() || history.entries[i].is_unknown()).collect();
    let opposite = match verdict {
        Verdict::Unknown { .. } => return,
        Verdict::Valid { .. } => Verdict::of(vec![Anomaly::new("g2-item".into(), Value::Nil, happened, String::new())]),
        Verdict::Invalid { .. } => Verdict::Valid { linearization: Some(happened) },
    };
    let shown = || squall_checkers::formats::text::write(history);
    match verify(verdict.clone()) {
        Verification::Verified => certified[0] += 1,
        Verification::Unverified(_) => certified[1] += 1,
        Verification::Refuted(why) => panic!("{level}: {why}: {verdict:?}\n{}", shown()),
    }
    assert_ne!(verify(opposite), Verification::Verified, "{level}: {verdict:?}\n{}", shown());
}

fn text(history: &History) -> String {
    squall_checkers::formats::text::write(history)
}

#[test]
fn registers() {
    compare(false, 0..4000);
}

#[test]
fn lists() {
    compare(true, 0..4000);
}
