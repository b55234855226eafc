//! Queues, stacks and priority queues: the paths that look at no orders against the search, on random histories too large
//! to try all.

#[path = "generator/containers.rs"]
mod generator;
#[path = "generator/objects.rs"]
mod objects;

use generator::Container;
use objects::Load;
use squall_checkers::{
    budget::Budget,
    certificate::Certificate,
    formats,
    history::{EntryId, History, Outcome},
    linearizability,
    model::Model,
    models::{Counter, PriorityQueue, Queue, Stack},
    operation::Operation,
    value::Value,
    verdict::Verdict,
    verify::{self, Verification},
};

/// A model of which nothing is known but its steps, so that it is searched.
struct Searched<M>(M);

impl<M: Model> Model for Searched<M> {
    type State = M::State;
    type Successors = M::Successors;

    fn name(&self) -> &str {
        self.0.name()
    }

    fn initial(&self) -> M::State {
        self.0.initial()
    }

    fn step(&self, state: &M::State, operation: &Operation, reply: Option<&Value>) -> M::Successors {
        self.0.step(state, operation, reply)
    }
}

const NOTHING: Budget = Budget { steps: 0, bytes: 0 };
/// What the search may spend on a history before it is passed over.
const ENOUGH: Budget = Budget { steps: 50_000, bytes: 64 << 20 };

/// Makes a removal reply something else: what another one replied, or nothing.
fn disturb(history: &mut History, seed: u64) {
    let takes: Vec<EntryId> = (0..history.entries.len())
        .filter(|&id| history.entries[id].is_ok() && history.entries[id].operation.args.is_nil())
        .collect();
    if takes.len() < 2 {
        return;
    }
    let [first, second] = [seed as usize * 7, seed as usize * 13 + 1].map(|i| takes[i % takes.len()]);
    let reply = |history: &History, id: EntryId| history.entries[id].reply().cloned().unwrap_or_default();
    let (a, b) = (reply(history, first), reply(history, second));
    history.entries[first].outcome = Outcome::Ok(if seed.is_multiple_of(5) { Value::Nil } else { b });
    if !seed.is_multiple_of(7) {
        history.entries[second].outcome = Outcome::Ok(a);
    }
}

fn against_the_search<M: Model + Copy>(model: M, container: Container) {
    let (mut valid, mut invalid, mut decided, mut cores) = (0, 0, 0, 0);
    for seed in 0..4000 {
        let load = Load {
            operations: 6 + seed as usize % 15,
            processes: 2 + seed as usize % 4,
            unknown_per_mille: [0, 0, 100][seed as usize % 3],
        };
        let mut history = container.history(load, [450, 550, 650][seed as usize / 3 % 3], seed);
        if seed % 4 != 0 {
            disturb(&mut history, seed);
        }
        let show = || format!("\n{}", formats::text::write(&history));
        let ours = linearizability::check(&model, &history, &Budget::default());
        let searched = linearizability::check(&Searched(model), &history, &ENOUGH);
        match (&ours, &searched) {
            (Verdict::Valid { .. }, Verdict::Valid { .. }) => valid += 1,
            (Verdict::Invalid { anomalies }, Verdict::Invalid { .. }) => {
                invalid += 1;
                cores = cores.max(anomalies[0].operations.len());
            }
            (_, Verdict::Unknown { .. }) => continue,
            _ => panic!("seed {seed}: {ours:?}, but the search says {searched:?}:{}", show()),
        }
        let at_once = linearizability::check(&model, &history, &NOTHING);
        let removal_unknown = history.entries.iter().any(|e| e.is_unknown() && e.operation.args.is_nil());
        assert!(removal_unknown || !at_once.is_unknown(), "seed {seed} was searched:{}", show());
        decided += usize::from(!at_once.is_unknown());
        let certificate = Certificate::new("linearizable", Some(model.name()), history.entries.len(), ours.clone());
        let verified = verify::verify(&history, &certificate, &Budget::default());
        assert_eq!(verified, Verification::Verified, "seed {seed}: {ours:?}{}", show());
    }
    println!("{container:?}: {valid} valid, {invalid} invalid, {decided} not searched, cores of up to {cores}");
    assert!(valid > 1000 && invalid > 1000, "{valid} valid and {invalid} invalid histories");
    assert!(decided > 3000, "{decided} without a search");
}

#[test]
fn queues_are_judged_as_the_search_does() {
    against_the_search(Queue, Container::Queue);
}

#[test]
fn stacks_are_judged_as_the_search_does() {
    against_the_search(Stack, Container::Stack);
}

#[test]
fn priority_queues_are_judged_as_the_search_does() {
    against_the_search(PriorityQueue, Container::PriorityQueue);
}

/// A mistake in a long history is found, and a few operations prove it.
#[test]
fn mistakes_in_long_histories_are_proved_by_few_operations() {
    fn judge(model: &impl Model, history: &History) -> Verdict {
        let verdict = linearizability::check(model, history, &NOTHING);
        let certificate = Certificate::new("linearizable", Some(model.name()), history.entries.len(), verdict.clone());
        assert_eq!(verify::verify(history, &certificate, &Budget::default()), Verification::Verified);
        verdict
    }
    for container in [Container::Queue, Container::Stack, Container::PriorityQueue] {
        let judge = |history: &History| match container {
            Container::Queue => judge(&Queue, history),
            Container::Stack => judge(&Stack, history),
            Container::PriorityQueue => judge(&PriorityQueue, history),
        };
        let load = Load { operations: 4000, processes: 5, unknown_per_mille: 0 };
        let good = container.history(load, 520, 3);
        assert!(judge(&good).is_valid(), "{container:?}");
        let takes: Vec<EntryId> =
            (0..4000).filter(|&id| good.entries[id].reply().is_some_and(|reply| !reply.is_nil())).collect();
        let mut found = 0;
        for seed in 0..20 {
            let mut bad = good.clone();
            let [first, second] = [seed * 61, seed * 61 + 40].map(|i| takes[i % takes.len()]);
            let swapped = bad.entries[first].outcome.clone();
            bad.entries[first].outcome = std::mem::replace(&mut bad.entries[second].outcome, swapped);
            let verdict = judge(&bad);
            found += usize::from(verdict.is_invalid());
            for anomaly in verdict.anomalies() {
                assert!(anomaly.operations.len() <= 12, "{container:?}: {anomaly:?}");
            }
        }
        assert!(found >= 15, "{container:?}: {found} of 20");
    }
}

/// Additions of the same amount are alike, so the search never has a choice.
#[test]
fn a_counter_that_grows_by_one_takes_as_many_steps_as_operations() {
    let load = Load { operations: 5000, processes: 20, unknown_per_mille: 5 };
    let ask = |random: u64, _| match random % 2 {
        0 => Operation::new("add", Value::Nil, 1),
        _ => Operation::read(Value::Nil),
    };
    let mut count = 0;
    let apply = |operation: &Operation| {
        if operation.f == "read" {
            return Value::Int(count);
        }
        count += 1;
        Value::Nil
    };
    let mut history = objects::history(load, 7, ask, apply);
    let judge = |history: &History| linearizability::check(&Counter, history, &Budget { steps: 6000, bytes: 64 << 20 });
    assert!(judge(&history).is_valid());
    let read = |id: &EntryId| history.entries[*id].reply().is_some_and(|reply| reply.as_int() > Some(2000));
    let late = (0..5000).find(read).expect("half of 5000 operations add one");
    history.entries[late].outcome = Outcome::Ok(Value::Int(1900));
    assert!(judge(&history).is_invalid());
}
