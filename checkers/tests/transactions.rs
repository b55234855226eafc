//! Isolation levels against their definitions: small random histories of transactions, and every order of them.

use rand_xoshiro::{
    Xoshiro256PlusPlus,
    rand_core::{Rng, SeedableRng},
};
use squall_checkers::{
    budget::Budget,
    certificate::Certificate,
    checker::checker,
    history::{Entry, History, Moment, Order, Outcome, ProcessId},
    lattice::{self, About},
    models,
    operation::Operation,
    recorder::HistoryBuilder,
    strongest::{self, Placed},
    value::Value,
    verdict::{Anomaly, Verdict},
    verify::{self, Verification},
};

const KEYS: usize = 2;

#[derive(Clone, Debug, PartialEq)]
enum Micro {
    Write(usize, i64),
    Read(usize, Option<i64>),
    Append(usize, i64),
    List(usize, Vec<i64>),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Status {
    Ok,
    Unknown,
    Failed,
}

#[derive(Clone, Debug)]
struct Txn {
    session: usize,
    status: Status,
    ops: Vec<Micro>,
    call: u32,
    ret: u32,
}

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
                match dice.below(3) {
                    0 => _ = seen.pop(),
                    1 => seen.push(1 + dice.below(7) as i64),
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
    let text = |s: &str| Value::Text(s.to_owned());
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
        let moment = |position: u32| Moment { position, time: u64::from(position) };
        Entry {
            process: ProcessId(txn.session as u32),
            operation: Operation::new("txn", Value::Nil, Value::List(asked.collect())),
            invoked: moment(txn.call),
            completed: (txn.status != Status::Unknown).then(|| moment(txn.ret)),
            outcome: match txn.status {
                Status::Ok => Outcome::Ok(Value::List(replied.collect())),
                Status::Unknown => Outcome::Unknown(String::new()),
                Status::Failed => Outcome::Failed(String::new()),
            },
        }
    });
    History { entries: entries.collect(), ..History::default() }
}

#[derive(Clone, Copy, PartialEq)]
enum Beside {
    Nothing,
    Sessions,
    Time,
}

fn precedes(beside: Beside, a: &Txn, b: &Txn) -> bool {
    match beside {
        Beside::Nothing => false,
        Beside::Sessions => a.session == b.session && a.call < b.call,
        Beside::Time => a.status == Status::Ok && a.ret < b.call,
    }
}

/// Whether the transaction may run on this state; leaves the state after it.
fn run(txn: &Txn, state: &mut [Vec<i64>; KEYS]) -> bool {
    for op in &txn.ops {
        let fits = match op {
            Micro::Write(k, v) | Micro::Append(k, v) => {
                state[*k].push(*v);
                true
            }
            Micro::Read(k, v) => state[*k].last() == v.as_ref(),
            Micro::List(k, v) => state[*k] == *v,
        };
        if !fits && txn.status == Status::Ok {
            return false;
        }
    }
    true
}

/// One after the other, in some order that keeps what `beside` asks for.
fn serializable(txns: &[&Txn], beside: Beside) -> bool {
    fn go(left: &mut Vec<&Txn>, state: &[Vec<i64>; KEYS], beside: Beside) -> bool {
        if left.is_empty() {
            return true;
        }
        for i in 0..left.len() {
            if left.iter().any(|other| precedes(beside, other, left[i])) {
                continue;
            }
            let txn = left.remove(i);
            let mut after = state.clone();
            let possible = run(txn, &mut after) && go(left, &after, beside);
            left.insert(i, txn);
            if possible {
                return true;
            }
        }
        false
    }
    go(&mut txns.to_vec(), &Default::default(), beside)
}

fn written(txn: &Txn) -> [Vec<i64>; KEYS] {
    let mut all: [Vec<i64>; KEYS] = Default::default();
    for op in &txn.ops {
        if let Micro::Write(k, v) | Micro::Append(k, v) = op {
            all[*k].push(*v);
        }
    }
    all
}

/// Each transaction begins and commits at points of one line; it reads what was committed when it began.
fn snapshot(txns: &[&Txn], beside: Beside) -> bool {
    #[derive(Clone)]
    struct World {
        state: [Vec<i64>; KEYS],
        /// What each transaction that has begun wrote over: how many writes its keys had.
        begun: Vec<Option<[usize; KEYS]>>,
        done: Vec<bool>,
    }
    fn go(txns: &[&Txn], world: &World, beside: Beside) -> bool {
        if world.done.iter().all(|d| *d) {
            return true;
        }
        (0..txns.len()).filter(|&i| !world.done[i]).any(|i| {
            let mut next = world.clone();
            if let Some(base) = world.begun[i] {
                // First committer wins.
                let own = written(txns[i]);
                if (0..KEYS).any(|k| !own[k].is_empty() && world.state[k].len() != base[k]) {
                    return false;
                }
                (0..KEYS).for_each(|k| next.state[k].extend(&own[k]));
                next.done[i] = true;
            } else {
                let early = (0..txns.len()).any(|j| !world.done[j] && j != i && precedes(beside, txns[j], txns[i]));
                let mut view = world.state.clone();
                if early || !run(txns[i], &mut view) {
                    return false;
                }
                next.begun[i] = Some([0, 1].map(|k: usize| world.state[k].len()));
            }
            go(txns, &next, beside)
        })
    }
    let n = txns.len();
    go(txns, &World { state: Default::default(), begun: vec![None; n], done: vec![false; n] }, beside)
}

#[derive(Clone, Copy, PartialEq)]
enum Axiom {
    Committed,
    Atomic,
    Causal,
}

/// One read of others' writes, as the axioms see it: its place, key, source and all whose writes it shows.
struct Seen {
    key: usize,
    source: Option<usize>,
    shown: Vec<usize>,
}

fn permutations(n: usize) -> Vec<Vec<usize>> {
    if n == 0 {
        return vec![vec![]];
    }
    let shorter = permutations(n - 1);
    shorter
        .iter()
        .flat_map(|p| {
            (0..n).map(move |at| {
                let mut longer = p.clone();
                longer.insert(at, n - 1);
                longer
            })
        })
        .collect()
}

/// What the transaction saw of others if the transactions commit in this order; `None` if it cannot have seen it.
fn reads(txns: &[&Txn], order: &[usize], reader: usize) -> Option<Vec<Seen>> {
    let wrote = |t: usize, k: usize| written(txns[t])[k].clone();
    let owner = |k: usize, v: i64| (0..txns.len()).find(|&t| wrote(t, k).contains(&v));
    let mut own: [Vec<i64>; KEYS] = Default::default();
    let mut seen = Vec::new();
    if txns[reader].status != Status::Ok {
        return Some(seen);
    }
    for op in &txns[reader].ops {
        match op {
            Micro::Write(k, v) | Micro::Append(k, v) => own[*k].push(*v),
            Micro::Read(k, v) => {
                if let Some(last) = own[*k].last() {
                    if Some(*last) != *v {
                        return None;
                    }
                    continue;
                }
                let source = match v {
                    None => None,
                    Some(v) => Some(owner(*k, *v).filter(|&t| t != reader && wrote(t, *k).last() == Some(v))?),
                };
                seen.push(Seen { key: *k, source, shown: source.into_iter().collect() });
            }
            Micro::List(k, list) => {
                let whole: Vec<i64> = order.iter().flat_map(|&t| wrote(t, *k)).collect();
                if !whole.starts_with(list) || !list.ends_with(&own[*k]) {
                    return None;
                }
                let others = &list[..list.len() - own[*k].len()];
                let source = match others.last() {
                    None => None,
                    Some(v) => Some(owner(*k, *v).filter(|&t| t != reader && wrote(t, *k).last() == Some(v))?),
                };
                let shown = others.iter().filter_map(|v| owner(*k, *v)).collect();
                seen.push(Seen { key: *k, source, shown });
            }
        }
    }
    Some(seen)
}

/// Biswas & Enea 2019: some order of all transactions extends sessions and reads, and satisfies the axiom.
fn axiomatic(txns: &[&Txn], axiom: Axiom) -> bool {
    let n = txns.len();
    permutations(n).iter().any(|order| {
        let place = |t: usize| order.iter().position(|o| *o == t).unwrap();
        let Some(seen) = (0..n).map(|t| reads(txns, order, t)).collect::<Option<Vec<_>>>() else { return false };
        let mut before = vec![vec![false; n]; n];
        for (b, reads) in seen.iter().enumerate() {
            for a in 0..n {
                before[a][b] |= precedes(Beside::Sessions, txns[a], txns[b]);
            }
            reads.iter().flat_map(|r| &r.shown).for_each(|&a| before[a][b] = true);
        }
        let direct = before.clone();
        for k in 0..n {
            for i in 0..n {
                for j in 0..n {
                    before[i][j] |= before[i][k] && before[k][j];
                }
            }
        }
        if (0..n).any(|a| (0..n).any(|b| direct[a][b] && place(a) >= place(b))) {
            return false;
        }
        (0..n).all(|reader| {
            (0..seen[reader].len()).all(|i| {
                let read = &seen[reader][i];
                (0..n).filter(|&t| t != reader && !written(txns[t])[read.key].is_empty()).all(|other| {
                    let visible = match axiom {
                        Axiom::Committed => seen[reader][..i].iter().any(|r| r.shown.contains(&other)),
                        Axiom::Atomic => direct[other][reader],
                        Axiom::Causal => before[other][reader],
                    };
                    !visible || read.source.is_some_and(|source| source == other || place(other) < place(source))
                })
            })
        })
    })
}

/// Whether the level allows the history: some of the transactions of unknown outcome took effect.
fn allowed(txns: &[Txn], level: &str) -> bool {
    let unknown: Vec<usize> = (0..txns.len()).filter(|&i| txns[i].status == Status::Unknown).collect();
    (0..1 << unknown.len()).any(|chosen: usize| {
        let in_effect = |i: usize| match txns[i].status {
            Status::Ok => true,
            Status::Failed => false,
            Status::Unknown => chosen >> unknown.iter().position(|u| *u == i).unwrap() & 1 == 1,
        };
        let effective: Vec<&Txn> = (0..txns.len()).filter(|&i| in_effect(i)).map(|i| &txns[i]).collect();
        match level {
            "read-committed" => axiomatic(&effective, Axiom::Committed),
            "read-atomic" => axiomatic(&effective, Axiom::Atomic),
            "causal" => axiomatic(&effective, Axiom::Causal),
            "repeatable-read" | "serializable" => serializable(&effective, Beside::Nothing),
            "strong-session-serializable" => serializable(&effective, Beside::Sessions),
            "strict-serializable" => serializable(&effective, Beside::Time),
            "snapshot-isolation" => snapshot(&effective, Beside::Nothing),
            "strong-session-snapshot-isolation" => snapshot(&effective, Beside::Sessions),
            "strong-snapshot-isolation" => snapshot(&effective, Beside::Time),
            _ => panic!("{level}"),
        }
    })
}

const LEVELS: [&str; 10] = [
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
    for (level, [invalid, valid]) in LEVELS.iter().zip(counts) {
        println!("{level}: {invalid} invalid, {valid} valid");
        assert!(invalid * 8 > valid && valid * 8 > invalid, "{level}: {invalid} invalid, {valid} valid");
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

#[test]
fn registers() {
    compare(false, 0..4000);
}

#[test]
fn lists() {
    compare(true, 0..4000);
}

/// Transactions of six processes on a few registers, each of which takes effect at once, or from a snapshot; in the order of
/// processes alone.
fn concurrent(seed: u64, snapshots: bool) -> History {
    let mut dice = Dice(Xoshiro256PlusPlus::seed_from_u64(seed));
    let keys = 3 + dice.below(10);
    let mut versions = vec![vec![(0, Value::Nil)]; keys];
    let mut builder = HistoryBuilder::new();
    let mut begun = [0; 6];
    let (mut now, mut written) = (0, 0);
    while builder.len() < 120 {
        let process = dice.below(6);
        let at = if snapshots { std::mem::replace(&mut begun[process], now) } else { now };
        let (mut asked, mut replied, mut own) = (Vec::new(), Vec::new(), vec![None; keys]);
        for _ in 0..=dice.below(4) {
            let key = dice.below(keys);
            let name = Value::Int(key as i64);
            let held = || versions[key].iter().rev().find(|(since, _)| *since <= at).map(|(_, value)| value.clone());
            let (f, value) = if dice.one_in(2) {
                written += 1;
                own[key] = Some(Value::Int(written));
                ("w", Value::Int(written))
            } else {
                ("r", own[key].clone().or_else(held).unwrap_or_default())
            };
            let argument = if f == "w" { value.clone() } else { Value::Nil };
            asked.push(Value::List(vec![Value::from(f), name.clone(), argument]));
            replied.push(Value::List(vec![Value::from(f), name, value]));
        }
        let conflict =
            (0..keys).any(|key| own[key].is_some() && versions[key].last().is_some_and(|(since, _)| *since > at));
        if conflict {
            continue;
        }
        now += 1;
        (0..keys).for_each(|key| versions[key].extend(own[key].take().map(|value| (now, value))));
        let operation = Operation::new("txn", Value::Nil, Value::List(asked));
        let entry = builder.invoke(ProcessId(process as u32), operation, 0);
        builder.complete(entry, Outcome::Ok(Value::List(replied)), 0);
    }
    let mut history = builder.finish();
    // The processes one after the other say nothing of the order.
    history.entries.sort_by_key(|entry| entry.process);
    for (position, entry) in (0..).step_by(2).zip(&mut history.entries) {
        entry.invoked.position = position;
        entry.completed = Some(Moment { position: position + 1, time: 0 });
    }
    history.order = Order::Processes;
    history
}

/// Exchanges what two reads of one register saw.
fn exchange(history: &mut History, dice: &mut Dice) {
    let reads: Vec<(usize, usize)> = (0..history.entries.len())
        .flat_map(|id| (0..4).map(move |place| (id, place)))
        .filter(|at| read_at(history, *at).is_some())
        .collect();
    let one = reads[dice.below(reads.len())];
    let same = |at: &(usize, usize)| read_at(history, *at).map(|read| read[1].clone()) == key_of(history, one);
    let others: Vec<(usize, usize)> = reads.iter().copied().filter(same).collect();
    let other = others[dice.below(others.len())];
    let [seen, shown] = [one, other].map(|at| read_at(history, at).expect("a read")[2].clone());
    for (at, value) in [(one, shown), (other, seen)] {
        let Outcome::Ok(Value::List(replied)) = &mut history.entries[at.0].outcome else { unreachable!("it was ok") };
        let Value::List(micro) = &mut replied[at.1] else { unreachable!("a read") };
        micro[2] = value;
    }
}

fn key_of(history: &History, at: (usize, usize)) -> Option<Value> {
    read_at(history, at).map(|read| read[1].clone())
}

fn read_at(history: &History, (id, place): (usize, usize)) -> Option<&[Value]> {
    let read = history.entries[id].reply()?.as_list()?.get(place)?.as_list()?;
    (read[0] == Value::from("r")).then_some(read)
}

#[test]
fn orders_of_writes_are_found_among_many() {
    let mut counts = [0; 2];
    for seed in 0..200 {
        let snapshots = seed % 2 == 0;
        let level = if snapshots { "snapshot-isolation" } else { "serializable" };
        let mut history = concurrent(seed, snapshots);
        let mut dice = Dice(Xoshiro256PlusPlus::seed_from_u64(seed));
        for exchanged in [false, true] {
            let checker = (checker(level).unwrap().build)(models::model("rw-register")).unwrap();
            let verdict = checker.check(&history, &Budget::default());
            assert!(!verdict.is_unknown(), "seed {seed}: {verdict:?}");
            assert!(verdict.is_valid() || exchanged, "seed {seed}: {verdict:?}");
            counts[usize::from(verdict.is_valid())] += 1;
            let certificate = Certificate::new(level, Some("rw-register"), history.entries.len(), verdict);
            match verify::verify(&history, &certificate, &Budget { steps: 20_000, ..Budget::default() }) {
                Verification::Refuted(why) => panic!("seed {seed}: {why}"),
                Verification::Unverified(why) => assert!(certificate.verdict.is_invalid(), "seed {seed}: {why}"),
                Verification::Verified => {}
            }
            exchange(&mut history, &mut dice);
        }
    }
    assert!(counts.iter().all(|count| *count > 80), "{counts:?} are invalid and valid");
}
