//! The same histories as porcupine-rs and stateright take them, without anything that would slow these down.

use squall_checkers::{
    history::{Entry, History},
    value::Value,
};
use stateright::semantics::{ConsistencyTester, LinearizabilityTester, SequentialSpec};

use crate::{Took, best, rows::Row};

/// A register of small integers, or a text.
#[derive(Clone)]
struct Register;
#[derive(Clone)]
struct Text;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Asked {
    Read,
    Write(i64),
    Cas(i64, i64),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Replied {
    Done,
    Value(i64),
    Matched(bool),
}

fn step(state: i64, asked: Asked) -> (Replied, i64) {
    match asked {
        Asked::Read => (Replied::Value(state), state),
        Asked::Write(value) => (Replied::Done, value),
        Asked::Cas(from, to) => (Replied::Matched(from == state), if from == state { to } else { state }),
    }
}

/// A key, what is asked of it, and what it replied, if that is known.
type OnKey = (i64, Asked, Option<Replied>);

impl porcupine_rs::Model for Register {
    type State = i64;
    type Op = OnKey;
    type Metadata = ();

    fn partition_operations(history: &[porcupine_rs::Operation<Self>]) -> Vec<Vec<porcupine_rs::Operation<Self>>> {
        let mut parts = std::collections::BTreeMap::new();
        for operation in history {
            parts.entry(operation.op.0).or_insert_with(Vec::new).push(operation.clone());
        }
        parts.into_values().collect()
    }

    fn init() -> i64 {
        0
    }

    fn step(state: &i64, (_, asked, replied): &OnKey) -> (bool, i64) {
        let (said, next) = step(*state, *asked);
        (replied.is_none_or(|replied| replied == said), next)
    }
}

/// What is asked of a text, and what it replied, if that is known.
#[derive(Clone, Debug)]
enum OnText {
    Get(Option<String>),
    Put(String),
    Append(String),
}

impl porcupine_rs::Model for Text {
    type State = String;
    type Op = (Value, OnText);
    type Metadata = ();

    fn partition_operations(history: &[porcupine_rs::Operation<Self>]) -> Vec<Vec<porcupine_rs::Operation<Self>>> {
        let mut parts = std::collections::BTreeMap::new();
        for operation in history {
            parts.entry(operation.op.0.clone()).or_insert_with(Vec::new).push(operation.clone());
        }
        parts.into_values().collect()
    }

    fn init() -> String {
        String::new()
    }

    fn step(state: &String, (_, asked): &(Value, OnText)) -> (bool, String) {
        match asked {
            OnText::Get(reply) => (reply.as_ref().is_none_or(|reply| reply == state), state.clone()),
            OnText::Put(text) => (true, text.clone()),
            OnText::Append(text) => (true, format!("{state}{text}")),
        }
    }
}

fn operation<M: porcupine_rs::Model<Metadata = ()>>(entry: &Entry, op: M::Op) -> porcupine_rs::Operation<M> {
    porcupine_rs::Operation {
        client_id: None,
        call_time: i64::from(entry.invoked.position),
        return_time: if entry.is_ok() { i64::from(entry.returned()) } else { i64::MAX },
        op,
        metadata: None,
    }
}

fn on_key(entry: &Entry) -> OnKey {
    let int = |value: &Value| value.as_int().unwrap_or(0);
    let asked = match (entry.operation.f.as_str(), &entry.operation.args) {
        ("read", _) => Asked::Read,
        ("cas", Value::List(args)) => Asked::Cas(int(&args[0]), int(&args[1])),
        (_, value) => Asked::Write(int(value)),
    };
    let replied = entry.reply().map(|reply| match (asked, reply) {
        (Asked::Read, value) => Replied::Value(int(value)),
        (_, Value::Bool(matched)) => Replied::Matched(*matched),
        _ => Replied::Done,
    });
    (int(&entry.operation.key), asked, replied)
}

/// The verdict and what it took; nothing if this one does not judge such histories.
pub(crate) fn judge(row: &Row, history: &History, side: &str) -> Option<(bool, Took)> {
    let alive = || history.entries.iter().filter(|e| e.is_ok() || e.is_unknown());
    match (side, row.model, row.checker) {
        ("porcupine-rs", "cas-register", "") => {
            let operations: Vec<_> = alive().map(|e| operation::<Register>(e, on_key(e))).collect();
            Some(best(|| porcupine_rs::check_operations(&operations)))
        }
        ("porcupine-rs", "kv", "") => {
            let text = |value: &Value| value.as_text().unwrap_or_default().to_owned();
            let asked = |e: &Entry| match e.operation.f.as_str() {
                "get" => OnText::Get(e.reply().map(text)),
                "put" => OnText::Put(text(&e.operation.args)),
                _ => OnText::Append(text(&e.operation.args)),
            };
            let operations: Vec<_> =
                alive().map(|e| operation::<Text>(e, (e.operation.key.clone(), asked(e)))).collect();
            Some(best(|| porcupine_rs::check_operations(&operations)))
        }
        // It takes no objects apart and tries every order.
        ("stateright", "cas-register", "") if history.entries.len() <= STATERIGHT_MAX => {
            Some(best(|| linearizable(history)))
        }
        _ => None,
    }
}

/// Longer histories stateright does not end on.
const STATERIGHT_MAX: usize = 1_000;

#[derive(Clone)]
struct Spec(i64);

impl SequentialSpec for Spec {
    type Op = Asked;
    type Ret = Replied;

    fn invoke(&mut self, asked: &Asked) -> Replied {
        let (replied, next) = step(self.0, *asked);
        self.0 = next;
        replied
    }
}

fn linearizable(history: &History) -> bool {
    let mut events: Vec<(u32, &Entry, bool)> = Vec::new();
    for entry in &history.entries {
        events.push((entry.invoked.position, entry, false));
        if entry.is_ok() {
            events.push((entry.returned(), entry, true));
        }
    }
    events.sort_unstable_by_key(|(position, ..)| *position);
    let mut tester = LinearizabilityTester::new(Spec(0));
    for (_, entry, returns) in events {
        let (_, asked, replied) = on_key(entry);
        let taken = match replied {
            Some(replied) if returns => tester.on_return(entry.process, replied).map(drop),
            _ => tester.on_invoke(entry.process, asked).map(drop),
        };
        taken.expect("a process does one thing at a time");
    }
    tester.is_consistent()
}
