//! The invariants: good and bad histories with the sentences that people read, and mistakes made in long valid histories.

#[path = "invariants/edges.rs"]
mod edges;
mod judging;
#[path = "generator/objects.rs"]
mod objects;

use std::collections::{BTreeMap, VecDeque};

use judging::check;
use objects::Load;
use squall_checkers::{
    budget::Budget,
    checker::checker,
    formats::{self, Format, text},
    history::{EntryId, History, Outcome},
    invariants::{self, Visibility},
    operation::Operation,
    value::Value,
    verdict::Verdict,
};

#[test]
fn banks_and_counters() {
    insta::assert_snapshot!(check(&[
        ("bank", "money moves", "0: read -> {a 10, b 0}; 0: transfer {from a, to b, amount 4}; 1: read -> {a 6, b 4}"),
        (
            "bank",
            "read skew: one account before, one after",
            "0: read -> {a 10, b 0}; 0: transfer {from a, to b, amount 4} @2..5; 1: read -> {a 10, b 4} @3..4; 1: read -> {a 6, b 4} @6..7"
        ),
        ("bank", "too much was taken", "0: read -> {a 3, b 0}; 0: read -> {a -1, b 4}; 1: read -> {a -1, b 4}"),
        ("bank-with-overdraft", "the same where it may be", "0: read -> {a 3, b 0}; 0: read -> {a -1, b 4}"),
        ("bank", "an account without a balance", "0: read -> {a 3, b nil}"),
        ("bank", "nothing was read", "0: transfer {from a, to b, amount 4}"),
        (
            "counter-bounds",
            "additions in flight may be seen",
            "0: add 2; 1: add 5 @2..9; 0: read -> 2 @3..4; 0: read -> 7 @5..6; 2: read -> 2 @7..8"
        ),
        ("counter-bounds", "an addition is missing", "0: add 2; 0: add 5; 1: read -> 5"),
        ("counter-bounds", "an addition was made twice", "0: add 2; 0: add 5 ! refused; 1: read -> 4"),
        (
            "counter-bounds",
            "something was taken away",
            "0: add 5; 1: add -3 ? timeout; 2: read -> 2; 2: read -> 5; 2: read -> 1"
        ),
        ("counter-bounds", "nobody looked", "0: add 2"),
    ]));
}

#[test]
fn sets_and_queues() {
    insta::assert_snapshot!(check(&[
        ("set-full", "late, but there", "0: add 1; 1: read -> []; 1: read -> [1]"),
        ("set-full", "lost after it was seen", "0: add 1; 0: add 2; 1: read -> [1 2]; 1: read -> [2]; 1: read -> [2]"),
        ("set-full", "removed", "0: add 1; 0: add 2; 1: remove 1 -> true; 1: read -> [2]"),
        ("set-full", "acknowledged and never seen", "0: add 1; 0: add 2; 1: read -> [2]"),
        (
            "set-full",
            "seen although unknown, and gone",
            "0: add 1 ? timeout; 1: read -> [1]; 1: read -> []; 2: add 2; 1: read -> [2]"
        ),
        ("set-full", "an unknown one may never come", "0: add 1 ? timeout; 2: add 2; 1: read -> [2]"),
        ("set-full", "one replica lags behind", "0: add 1; -- final-reads; 1: read -> [1]; 2: read -> []"),
        ("set-full", "twice in one read", "0: add 1; 1: read -> [1 1]"),
        ("set-full", "from nowhere", "0: add 1 ! full; 1: read -> [1]"),
        ("set-full", "nobody looked", "0: add 1"),
        ("total-queue", "exactly once, in any order", "0: enqueue 1; 0: enqueue 2; 1: dequeue -> 2; 1: dequeue -> 1"),
        ("total-queue", "drained at the end", "0: enqueue 1; 0: enqueue 2; 0: enqueue 3; 1: drain -> [3 1]"),
        ("total-queue", "a redelivery", "0: enqueue 1; 1: dequeue -> 1; 2: dequeue -> 1; 2: dequeue -> nil"),
        ("at-least-once", "the same", "0: enqueue 1; 1: dequeue -> 1; 2: dequeue -> 1; 2: dequeue -> nil"),
        ("at-most-once", "the same", "0: enqueue 1; 1: dequeue -> 1; 2: dequeue -> 1; 2: dequeue -> nil"),
        ("total-queue", "lost on the way", "0: enqueue 1; 0: enqueue 2; 1: dequeue -> 2; 2: dequeue -> nil"),
        ("at-most-once", "the same", "0: enqueue 1; 0: enqueue 2; 1: dequeue -> 2; 2: dequeue -> nil"),
        (
            "at-least-once",
            "one of unknown outcome may have taken it",
            "0: enqueue 1; 1: dequeue ? timeout; 2: dequeue -> nil"
        ),
        ("at-least-once", "but not two", "0: enqueue 1; 0: enqueue 2; 1: dequeue ? timeout; 2: dequeue -> nil"),
        ("at-least-once", "still in the queue, perhaps", "0: enqueue 1; 0: enqueue 2; 1: dequeue -> 1"),
        ("total-queue", "from nowhere", "0: enqueue 1 ! full; 1: dequeue -> 1"),
        ("total-queue", "too early", "1: dequeue -> 1; 0: enqueue 1"),
    ]));
}

#[test]
fn ids_locks_and_logs() {
    insta::assert_snapshot!(check(&[
        ("unique-ids", "two nodes with one number", "0: generate -> 7; 1: generate -> 8; 2: generate -> 7"),
        ("unique-ids", "failed ones may come again", "0: generate -> 7; 1: generate ! late; 2: generate -> 8"),
        ("mutual-exclusion", "one after the other", "0: acquire; 0: release; 1: acquire; 1: release"),
        ("mutual-exclusion", "handed over while it is released", "0: acquire; 0: release @2..5; 1: acquire @3..4"),
        ("mutual-exclusion", "two holders", "0: acquire; 1: acquire; 0: release"),
        ("mutual-exclusion", "a lock belongs to its key", "0: acquire[a]; 1: acquire[b]"),
        (
            "mutual-exclusion",
            "the token of a new holder is old",
            "0: acquire -> 5; 0: release; 1: acquire -> 5; 1: release"
        ),
        ("fencing-tokens", "the lease of a holder expired", "0: acquire -> 5; 1: acquire -> 6; 0: release; 1: release"),
        (
            "fencing-tokens",
            "the lease expired and the counter was lost",
            "0: acquire -> 5; 1: acquire -> 6; 2: acquire -> 1"
        ),
        ("fencing-tokens", "two at once with one token", "0: acquire -> 5 @0..3; 1: acquire -> 5 @1..2"),
        ("fencing-tokens", "a lock without tokens", "0: acquire; 0: release"),
        (
            "log-order",
            "sent, polled and polled again by another",
            "0: send[t] a -> 0; 0: send[t] b -> 3; 1: poll[t] -> [[0 a] [3 b]]; 2: poll[t] -> [[3 b]]"
        ),
        ("log-order", "one offset, two elements", "0: send[t] a -> 0; 1: send[t] b -> 0"),
        ("log-order", "written twice", "0: send[t] a -> 0; 1: poll[t] -> [[0 a] [1 a]]"),
        ("log-order", "the order of sends", "0: send[t] a -> 4; 0: send[t] b -> 2"),
        (
            "log-order",
            "back again",
            "0: send[t] a -> 0; 0: send[t] b -> 1; 1: poll[t] -> [[0 a] [1 b]]; 1: poll[t] -> [[0 a]]"
        ),
        (
            "log-order",
            "where a process begins anew",
            "0: send[t] a -> 0; 0: send[t] b -> 1; 1: poll[t] -> [[0 a] [1 b]]; 1: assign [t]; 1: poll[t] -> [[0 a]]"
        ),
        (
            "log-order",
            "passed over",
            "0: send[t] a -> 0; 0: send[t] b -> 1; 0: send[t] c -> 2; 1: poll[t] -> [[0 a]]; 1: poll[t] -> [[2 c]]; 2: poll[t] -> [[1 b]]"
        ),
        ("log-order", "never polled", "0: send[t] a -> 0; 0: send[t] b -> 1; 1: poll[t] -> [[1 b]]"),
        ("log-order", "from nowhere", "0: send[t] a ! refused; 1: poll[t] -> [[0 a]]"),
        (
            "log-order",
            "as Jepsen writes it",
            "0: send [[send t a]] -> [[send t [0 a]]]; 1: txn [[poll] [send t b]] -> [[poll {t [[0 a] [1 b]]}] [send t [1 b]]]; 2: poll nil -> [[poll {t [[1 c]]}]]"
        ),
    ]));
}

#[test]
fn a_set_says_how_long_it_took() {
    let history = text::read(
        "0: add 1 @0/0..1/1000; 1: read -> [] @2/1500..3/1600; 1: read -> [] @4/2500..5/2600; 1: read -> [1] @6/3500..7/3600; \
         0: add 2 @8/4000..9/5000; 1: read -> [1 2] @10/5500..11/5600; 0: add 3 @12/6000..13/7000",
    )
    .unwrap();
    let expected = Visibility { known: 3, lost: 0, stale: 1, never_read: 1, latencies_ns: vec![0, 1500] };
    let found = invariants::visibility(&history);
    assert_eq!(found, expected);
    assert_eq!((found.latency_ns_max(), found.latency_ns_median()), (Some(1500), Some(1500)));
    // Times that run backwards do not say how long anything took.
    let backwards = "0: add 1 @0/9000..1/9100; 1: read -> [] @2/1500..3/1600; 1: read -> [1] @4/3500..5/3600";
    let found = invariants::visibility(&text::read(backwards).unwrap());
    assert_eq!((found.known, found.stale, found.latency_ns_max()), (1, 1, None));
}

#[test]
fn a_queue_says_how_it_delivers() {
    let guarantee = |history: &str| invariants::deliveries(&text::read(history).unwrap()).guarantee();
    let put = "0: enqueue 1; 0: enqueue 2";
    assert_eq!(guarantee(&format!("{put}; 1: drain -> [1 2]")), "exactly once");
    assert_eq!(guarantee(&format!("{put}; 1: drain -> [1]")), "at most once");
    assert_eq!(guarantee(&format!("{put}; 1: dequeue -> 1; 1: drain -> [1 2]")), "at least once");
    assert_eq!(guarantee(&format!("{put}; 1: dequeue -> 1; 1: drain -> [1]")), "none");
}

#[test]
fn a_fenced_lock_of_jepsen_keeps_its_tokens() {
    let edn = "[{:type :invoke, :f :acquire, :process 0, :value nil}\n{:type :ok, :f :acquire, :process 0, :value 4}\n\
        {:type :invoke, :f :acquire, :process 1, :value 9}\n{:type :ok, :f :acquire, :process 1, :value 9}]";
    let history = formats::read(edn.as_bytes(), Some(Format::JepsenEdn)).unwrap();
    let replies: Vec<Option<&Value>> = history.entries.iter().map(squall_checkers::history::Entry::reply).collect();
    assert_eq!(replies, [Some(&Value::Int(4)), Some(&Value::Nil)]);
}

fn judge(name: &str, history: &History) -> Verdict {
    (checker(name).expect("in the catalogue").build)(None).expect("needs no model").check(history, &Budget::default())
}

/// The checker accepts `good`, and finds what `damage` does to it: it changes what one operation replied and says what kind
/// that shows as, or passes the operation over. `at_least` operations can be damaged.
fn finds(
    name: &str,
    good: &History,
    at_least: usize,
    mut damage: impl FnMut(&History, EntryId) -> Option<(Value, &'static str)>,
) {
    let verdict = judge(name, good);
    assert!(verdict.is_valid(), "{name}: {verdict:?}");
    let mut damaged = 0;
    for id in 0..good.entries.len() {
        let Some((reply, kind)) = damage(good, id) else { continue };
        let mut bad = good.clone();
        bad.entries[id].outcome = Outcome::Ok(reply);
        let verdict = judge(name, &bad);
        let found = verdict.anomalies().iter().find(|a| a.kind == kind);
        let anomaly = found.unwrap_or_else(|| panic!("{name}: {kind} is missing at operation {id}: {verdict:?}"));
        assert!(anomaly.operations.len() <= 10, "{anomaly:?}");
        damaged += 1;
    }
    assert!(damaged >= at_least, "{name}: only {damaged} operations were damaged");
}

const LOAD: Load = Load { operations: 400, processes: 5, unknown_per_mille: 20 };

fn reply(history: &History, id: EntryId, f: &str) -> Option<Value> {
    let entry = &history.entries[id];
    entry.reply().filter(|_| entry.operation.f == *f).cloned()
}

#[test]
fn mistakes_of_banks_are_found() {
    for seed in 0..3 {
        let mut balances: BTreeMap<Value, Value> = (0..5).map(|a| (Value::Int(a), Value::Int(20))).collect();
        let ask = |random: u64, _| match random % 3 {
            0 => Operation::new("read", Value::Nil, Value::Nil),
            _ => {
                let account = |n: u64| Value::Int((n % 5) as i64);
                let amount = Value::Int((random / 100 % 7) as i64);
                let of = [("amount", amount), ("from", account(random / 7)), ("to", account(random / 41))];
                Operation::new("transfer", Value::Nil, BTreeMap::from(of.map(|(k, v)| (Value::from(k), v))))
            }
        };
        let apply = |operation: &Operation| {
            let Value::Map(transfer) = &operation.args else { return Value::from(balances.clone()) };
            let amount = transfer[&"amount".into()].as_int().unwrap();
            let mut add = |account: &Value, n: i64| {
                let balance = balances.get_mut(account).unwrap();
                *balance = Value::Int(balance.as_int().unwrap() + n);
            };
            add(&transfer[&"from".into()], -amount);
            add(&transfer[&"to".into()], amount);
            Value::Nil
        };
        let good = objects::history(LOAD, seed, ask, apply);
        finds("bank-with-overdraft", &good, 50, |history, id| {
            let Value::Map(mut shown) = reply(history, id, "read")? else { return None };
            let first = shown.get_mut(&Value::Int(0)).unwrap();
            *first = Value::Int(first.as_int().unwrap() + 1);
            Some((Value::Map(shown), "wrong-total"))
        });
    }
}

#[test]
fn mistakes_of_counters_are_found() {
    for seed in 0..3 {
        let mut count = 0;
        let ask = |random: u64, _| match random % 3 {
            0 => Operation::read(Value::Nil),
            _ => Operation::new("add", Value::Nil, (random / 3 % 9) as i64 - 3),
        };
        let apply = |operation: &Operation| match operation.args.as_int() {
            Some(n) => {
                count += n;
                Value::Nil
            }
            None => Value::Int(count),
        };
        let good = objects::history(LOAD, seed, ask, apply);
        // Five in flight, and eight of unknown outcome, make a difference of less than a hundred.
        finds("counter-bounds", &good, 50, |history, id| {
            let shown = reply(history, id, "read")?.as_int()?;
            let off = if id.is_multiple_of(2) { 100 } else { -100 };
            Some((Value::Int(shown + off), "counter-out-of-bounds"))
        });
    }
}

#[test]
fn mistakes_of_sets_are_found() {
    for seed in 0..3 {
        let mut elements: Vec<Value> = Vec::new();
        let ask = |random: u64, n: usize| match random % 4 {
            0 => Operation::read(Value::Nil),
            _ => Operation::new("add", Value::Nil, n as i64),
        };
        let apply = |operation: &Operation| {
            if operation.args.is_nil() {
                return elements.clone().into();
            }
            elements.push(operation.args.clone());
            Value::Nil
        };
        let mut good = objects::history(LOAD, seed, ask, apply);
        // A read after all else.
        let last = text::read(&format!("9: read -> {} @800..801", Value::List(elements))).unwrap();
        good.entries.extend(last.entries);
        finds("set-full", &good, 50, |history, id| {
            let Value::List(mut shown) = reply(history, id, "read")? else { return None };
            if id + 1 == history.entries.len() {
                shown.remove(0);
                return Some((shown.into(), "lost-element"));
            }
            if id.is_multiple_of(2) {
                shown.push(Value::Int(-1));
                return Some((shown.into(), "thin-air-read"));
            }
            shown.push(shown.first()?.clone());
            Some((shown.into(), "duplicate-elements"))
        });
    }
}

#[test]
fn mistakes_of_queues_are_found() {
    for seed in 0..3 {
        let mut queue: VecDeque<Value> = VecDeque::new();
        let ask = |random: u64, n: usize| match random % 5 {
            0 | 1 => Operation::new("enqueue", Value::Nil, n as i64),
            _ => Operation::new("dequeue", Value::Nil, Value::Nil),
        };
        let apply = |operation: &Operation| {
            if operation.args.is_nil() {
                return queue.pop_front().unwrap_or_default();
            }
            queue.push_back(operation.args.clone());
            Value::Nil
        };
        let mut good = objects::history(Load { unknown_per_mille: 0, ..LOAD }, seed, ask, apply);
        // What is left comes out at the end.
        let at = 800;
        let left: Vec<Value> = queue.into();
        let drain = text::read(&format!("9: drain -> {} @{at}..{}", Value::List(left), at + 1)).unwrap();
        good.entries.extend(drain.entries);
        let mut last: Option<Value> = None;
        finds("total-queue", &good, 80, |history, id| {
            let element = reply(history, id, "dequeue").filter(|e| !e.is_nil())?;
            match (id % 3, last.replace(element)) {
                (0, Some(before)) => Some((before, "duplicated-element")),
                (1, _) => Some((Value::Int(-1), "unexpected-element")),
                _ => Some((Value::Nil, "lost-element")),
            }
        });
    }
}

#[test]
fn mistakes_of_ids_and_tokens_are_found() {
    for seed in 0..3 {
        let mut next = 0;
        let good = objects::history(
            LOAD,
            seed,
            |_, _| Operation::new("generate", Value::Nil, Value::Nil),
            |_| {
                next += 1;
                Value::Int(next)
            },
        );
        let some = |history: &History| reply(history, 0, "generate");
        finds("unique-ids", &good, 300, |history, id| {
            reply(history, id, "generate")?;
            (id > 0).then(|| some(history)).flatten().map(|twin| (twin, "duplicated-id"))
        });
        let mut next = 0;
        let good = objects::history(
            LOAD,
            seed,
            |_, _| Operation::new("acquire", Value::Nil, Value::Nil),
            |_| {
                next += 1;
                Value::Int(next)
            },
        );
        finds("fencing-tokens", &good, 300, |history, id| {
            let token = reply(history, id, "acquire")?.as_int()?;
            (token > 30).then(|| (Value::Int(token - 30), "stale-token"))
        });
    }
}

#[test]
fn mistakes_of_locks_are_found() {
    // One process after the other holds the lock and releases it while the next one waits.
    let mut good = String::new();
    for turn in 0..60_u32 {
        let (process, at) = (turn % 3, 4 * turn);
        good.push_str(&format!("{process}: acquire -> {turn} @{}..{}\n", (4 * turn).saturating_sub(1), at + 1));
        good.push_str(&format!("{process}: release @{}..{}\n", at + 2, at + 4));
    }
    let good = text::read(&good).unwrap();
    assert!(judge("mutual-exclusion", &good).is_valid());
    for id in (0..good.entries.len() - 4).filter(|&id| good.entries[id].operation.f == "release") {
        let mut bad = good.clone();
        // It never asked to release, but read something instead.
        bad.entries[id].operation.f = "read".into();
        let kinds: Vec<String> =
            judge("mutual-exclusion", &bad).anomalies().iter().map(|a| a.kind.to_string()).collect();
        assert_eq!(kinds, ["double-acquire"], "{id}");
    }
}

#[test]
fn mistakes_of_logs_are_found() {
    for seed in 0..3 {
        let mut log: Vec<Value> = Vec::new();
        let ask = |random: u64, n: usize| match random % 4 {
            0 => Operation::new("poll", "t", Value::Nil),
            _ => Operation::new("send", "t", n as i64),
        };
        let apply = |operation: &Operation| {
            if operation.f == "send" {
                log.push(operation.args.clone());
                return Value::Int(log.len() as i64 - 1);
            }
            // All of it: each poll is by a process that begins anew.
            let pairs = log.iter().enumerate().map(|(i, e)| Value::List(vec![Value::Int(i as i64), e.clone()]));
            Value::List(pairs.collect())
        };
        let mut good = objects::history(Load { unknown_per_mille: 0, ..LOAD }, seed, ask, apply);
        for (id, entry) in good.entries.iter_mut().enumerate().filter(|(_, e)| e.operation.f == "poll") {
            entry.process.0 = 100 + id as u32;
        }
        finds("log-order", &good, 50, |history, id| {
            let Value::List(mut shown) = reply(history, id, "poll")? else { return None };
            let middle = shown.len() / 2;
            if middle < 2 {
                return None;
            }
            match id % 4 {
                0 => {
                    shown.remove(middle);
                    Some((shown.into(), "skipped-element"))
                }
                1 => {
                    shown.swap(middle, middle - 1);
                    Some((shown.into(), "non-monotonic-poll"))
                }
                2 => {
                    shown[middle] = Value::List(vec![Value::Int(middle as i64), Value::Int(-1)]);
                    Some((shown.into(), "inconsistent-offset"))
                }
                _ => {
                    shown.push(Value::List(vec![Value::Int(9999), Value::Int(-1)]));
                    Some((shown.into(), "unexpected-element"))
                }
            }
        });
        finds("log-order", &good, 100, |history, id| {
            let offset = reply(history, id, "send")?.as_int()?;
            (offset > 40).then(|| (Value::Int(offset - 40), "inconsistent-offset"))
        });
    }
}
