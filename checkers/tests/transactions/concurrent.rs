//! Transactions that overlap, so that the order of many writes is open: two ways to decide them, against each other.

use rand_xoshiro::{Xoshiro256PlusPlus, rand_core::SeedableRng};
use squall_checkers::{
    budget::Budget,
    certificate::Certificate,
    checker::checker,
    history::{History, Moment, Order, Outcome, ProcessId},
    models,
    operation::Operation,
    recorder::HistoryBuilder,
    value::Value,
    verify::{self, Verification},
};

use super::Dice;

/// So many transactions of six processes on some registers, each of which takes effect at once, or from a snapshot; in the order
/// of processes alone, which may be `shuffled` so that it is not that in which they took effect.
fn concurrent(seed: u64, transactions: usize, keys: usize, snapshots: bool, shuffled: bool) -> History {
    let mut dice = Dice(Xoshiro256PlusPlus::seed_from_u64(seed));
    let mut versions = vec![vec![(0, Value::Nil)]; keys];
    let mut builder = HistoryBuilder::new();
    let mut begun = [0; 6];
    let (mut now, mut written) = (0, 0);
    while builder.len() < transactions {
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
    history.entries.sort_by_cached_key(|entry| (entry.process, if shuffled { dice.below(1 << 30) } else { 0 }));
    for (position, entry) in (0..).step_by(2).zip(&mut history.entries) {
        entry.invoked.position = position;
        entry.completed = Some(Moment::new(position + 1, 0));
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
    let (mut counts, mut gave_up) = ([0; 2], 0);
    for seed in 0..200 {
        let (snapshots, shuffled) = (seed % 2 == 0, seed % 4 < 2);
        let level = if snapshots { "snapshot-isolation" } else { "serializable" };
        let mut history = concurrent(seed, 120, 3 + seed as usize % 10, snapshots, shuffled);
        let mut dice = Dice(Xoshiro256PlusPlus::seed_from_u64(seed));
        for exchanged in [false, true] {
            let checker = (checker(level).unwrap().build)(models::model("rw-register")).unwrap();
            let verdict = checker.check(&history, &Budget::default());
            assert!(!verdict.is_unknown(), "seed {seed}: {verdict:?}");
            assert!(verdict.is_valid() || exchanged, "seed {seed}: {verdict:?}");
            // Without memory it is decided in another way.
            let other = checker.check(&history, &Budget { bytes: 0, ..Budget::default() });
            gave_up += u32::from(other.is_unknown());
            assert!(
                other.is_unknown() || other.is_valid() == verdict.is_valid(),
                "seed {seed}: {verdict:?}, {other:?}"
            );
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
    println!("{counts:?} are invalid and valid; the other way gave up on {gave_up}");
    assert!(gave_up < 40, "{gave_up} of 400 were decided in one way only");
}

#[test]
fn what_keeps_the_order_of_processes_is_found_soon() {
    let history = concurrent(1, 3_000, 300, false, false);
    let checker = (checker("serializable").unwrap().build)(models::model("rw-register")).unwrap();
    let verdict = checker.check(&history, &Budget { steps: 1_000_000, ..Budget::default() });
    assert!(verdict.is_valid(), "{verdict:?}");
}
