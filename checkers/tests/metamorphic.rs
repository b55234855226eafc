//! What must hold of every checker of orders, whatever the history: values and processes may be renamed, intervals widened,
//! and the end cut off, and no verdict of valid becomes one of invalid.

use proptest::prelude::*;
use squall_checkers::{
    budget::Budget,
    checker::{CHECKERS, Checker, checker},
    formats::text,
    history::{Entry, History, Moment, Outcome, ProcessId},
    models::model,
    operation::Operation,
    recorder::HistoryBuilder,
    staleness,
    value::Value,
};

/// The checkers of orders.
const ORDERS: [&str; 12] = [
    "linearizable",
    "sequential",
    "causal",
    "causal-memory",
    "causal-weak",
    "pram",
    "sessions",
    "monotonic-reads",
    "read-your-writes",
    "writes-follow-reads",
    "monotonic-writes",
    "bounded-staleness",
];

fn checkers() -> Vec<(&'static str, Box<dyn Checker>)> {
    let build = |name| (checker(name).expect("in the catalogue").build)(model("cas-register")).expect("given a model");
    ORDERS.into_iter().map(|name| (name, build(name))).collect()
}

/// One step of a line: which line, what it does if it is idle, on which key, how old what it reads is, and how it ends.
type Choice = (usize, u8, usize, usize, u8);

fn choices() -> impl Strategy<Value = Vec<Choice>> {
    prop::collection::vec((0..3_usize, 0..8_u8, 0..2_usize, 0..4_usize, 0..12_u8), 4..40)
}

/// A history in which a read shows a value that was written before it returned, often the newest; seldom one that is written
/// later, or never.
fn history(choices: &[Choice]) -> History {
    let mut recorder = HistoryBuilder::new();
    let mut processes = [0, 1, 2];
    let mut open = [None; 3];
    // By key: what was written, the newest last.
    let mut written = [vec![Value::Nil], vec![Value::Nil]];
    for (time, &(line, what, key, age, end)) in (1..).zip(choices) {
        let name = ["x", "y"][key];
        match open[line].take() {
            None => {
                let next = Value::Int(recorder.len() as i64 + 1);
                let operation = match what {
                    0..3 => Operation::write(name, next.clone()),
                    3 => Operation::cas(name, written[key][written[key].len() - 1].clone(), next.clone()),
                    _ => Operation::read(name),
                };
                if what < 4 {
                    written[key].push(next);
                }
                open[line] = Some((recorder.invoke(ProcessId(processes[line]), operation, time), what, key));
            }
            Some((entry, what, key)) => {
                let outcome = match (end, what) {
                    (0, _) => Outcome::Unknown("timeout".into()),
                    (_, 0..3) => Outcome::Ok(Value::Nil),
                    (_, 3) => Outcome::Ok(Value::Bool(true)),
                    (1, _) if age == 3 => Outcome::Ok(Value::Int(recorder.len() as i64 + 2)),
                    _ => Outcome::Ok(written[key][written[key].len().saturating_sub(1 + age / 2)].clone()),
                };
                if end == 0 {
                    processes[line] += 3;
                }
                recorder.complete(entry, outcome, time);
            }
        }
    }
    recorder.finish()
}

/// Each checker says of the second history what it says of the first.
fn same(first: &History, second: &History) -> Result<(), TestCaseError> {
    for (name, checker) in checkers() {
        let [one, other] = [first, second].map(|h| checker.check(h, &Budget::default()));
        let says = |v: &squall_checkers::verdict::Verdict| (v.is_valid(), v.is_invalid());
        prop_assert_eq!(
            says(&one),
            says(&other),
            "{}: {:?} and {:?}\n{}\n\n{}",
            name,
            one,
            other,
            text::write(first),
            text::write(second)
        );
    }
    prop_assert_eq!(bounds(first), bounds(second), "{}\n\n{}", text::write(first), text::write(second));
    Ok(())
}

/// The tightest bounds of staleness, by versions and by time, where a bound holds.
fn bounds(history: &History) -> Option<[Option<u64>; 2]> {
    let staleness = staleness::measure(history, &Budget::default()).ok()?;
    Some([staleness.versions.tightest(), staleness.time_ns.and_then(|bound| bound.tightest())])
}

/// No checker that allows the first history forbids the second.
fn no_worse(first: &History, second: &History) -> Result<(), TestCaseError> {
    for (name, checker) in checkers() {
        let [one, other] = [first, second].map(|h| checker.check(h, &Budget::default()));
        let shown = || format!("{name}: {other:?}\n{}\n\n{}", text::write(first), text::write(second));
        prop_assert!(!(one.is_valid() && other.is_invalid()), "{}", shown());
    }
    if let (Some(one), Some(other)) = (bounds(first), bounds(second)) {
        for (one, other) in one.into_iter().zip(other).filter_map(|(one, other)| one.zip(other)) {
            prop_assert!(other <= one, "{other} after {one}\n{}\n\n{}", text::write(first), text::write(second));
        }
    }
    Ok(())
}

fn renamed(value: &Value) -> Value {
    match value {
        Value::Int(i) => format!("v{}", 1000 - i).into(),
        Value::List(items) => Value::List(items.iter().map(renamed).collect()),
        other => other.clone(),
    }
}

/// An event: when, of which entry, and whether it is the completion.
type Event = (Moment, usize, bool);

fn events(history: &History) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    for (id, entry) in history.entries.iter().enumerate() {
        events.push((entry.invoked, id, false));
        events.extend(entry.completed.map(|moment| (moment, id, true)));
    }
    events.sort_unstable();
    events
}

/// The history with its events in this order, each at the moment of its place.
fn with_events(history: &History, order: &[Event]) -> History {
    let mut entries: Vec<Entry> = history.entries.clone();
    for ((moment, ..), (_, id, completes)) in events(history).into_iter().zip(order) {
        if *completes {
            entries[*id].completed = Some(moment);
        } else {
            entries[*id].invoked = moment;
        }
    }
    entries.sort_by_key(|entry| entry.invoked);
    History { entries, ..History::default() }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn values_may_be_renamed(choices in choices()) {
        let first = history(&choices);
        let mut second = first.clone();
        for entry in &mut second.entries {
            entry.operation.args = renamed(&entry.operation.args);
            if let Outcome::Ok(reply) = &mut entry.outcome {
                *reply = renamed(reply);
            }
        }
        same(&first, &second)?;
    }

    #[test]
    fn processes_may_be_permuted(choices in choices(), key in 1..97_u32) {
        let first = history(&choices);
        let mut second = first.clone();
        for entry in &mut second.entries {
            // Prime, so that no two become one.
            entry.process = ProcessId((entry.process.0 + 1) * key % 97);
        }
        same(&first, &second)?;
    }

    #[test]
    fn intervals_may_be_widened(choices in choices(), places in prop::collection::vec(0..100_usize, 1..20)) {
        let first = history(&choices);
        let mut order = events(&first);
        for place in places {
            let at = place % (order.len() - 1).max(1);
            if let Some(pair) = order.get_mut(at..at + 2) {
                let process = |event: &Event| first.entries[event.1].process;
                // Whoever is called then may be called before the other returns.
                if pair[0].2 && !pair[1].2 && process(&pair[0]) != process(&pair[1]) {
                    pair.swap(0, 1);
                }
            }
        }
        let second = with_events(&first, &order);
        prop_assert_eq!(second.validate(), Ok(()));
        no_worse(&first, &second)?;
    }

    #[test]
    fn a_history_may_be_cut_off(choices in choices(), end in 1..80_u32) {
        let first = history(&choices);
        let mut second = first.clone();
        second.entries.retain(|entry| entry.invoked.position < end);
        // Without real time a read may see what is written later: what was read must stay.
        let written = |entry: &Entry| entry.operation.args.as_list().and_then(<[Value]>::last).unwrap_or(&entry.operation.args).clone();
        let cut: Vec<Value> = first.entries.iter().filter(|entry| entry.invoked.position >= end).map(written).collect();
        let read = |entry: &Entry| matches!(&entry.outcome, Outcome::Ok(reply) if *reply != Value::Nil && cut.contains(reply));
        prop_assume!(!second.entries.iter().any(read));
        for entry in &mut second.entries {
            if entry.completed.is_some_and(|moment| moment.position >= end) {
                entry.completed = None;
                entry.outcome = Outcome::Unknown("".into());
            }
        }
        no_worse(&first, &second)?;
    }
}

#[test]
fn verdicts_differ() {
    // The properties above mean something: each checker allows some of the histories and forbids others.
    use proptest::{strategy::ValueTree, test_runner::TestRunner};
    let mut runner = TestRunner::deterministic();
    let mut seen = [[0; 2]; ORDERS.len()];
    let mut stale = Vec::new();
    let checkers = checkers();
    for _ in 0..2_000 {
        let choices = choices().new_tree(&mut runner).expect("nothing is refused").current();
        let history = history(&choices);
        stale.extend(bounds(&history).into_iter().flatten());
        for (seen, (_, checker)) in seen.iter_mut().zip(&checkers) {
            let verdict = checker.check(&history, &Budget::default());
            seen[0] += usize::from(verdict.is_valid());
            seen[1] += usize::from(verdict.is_invalid());
        }
    }
    for (name, [valid, invalid]) in ORDERS.iter().zip(seen) {
        assert!(CHECKERS.iter().any(|c| c.name == *name));
        assert!(valid >= 20, "{name} allows {valid} and forbids {invalid}");
        // Writes that do not follow reads are the rarest.
        assert!(invalid >= 5, "{name} allows {valid} and forbids {invalid}");
    }
    let lagging = stale.into_iter().flatten().filter(|tightest| *tightest > 0).count();
    assert!(lagging >= 100, "{lagging} bounds of staleness are more than 0");
}
