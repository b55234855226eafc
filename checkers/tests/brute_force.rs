//! Every model of objects against checkers that try all orders, on all small histories: linearizability and sequential
//! consistency.

mod interleavings;
mod orders;
mod staleness;
mod support;

use interleavings::every_interleaving;
use orders::{Letter, Spec, every_history, examine, in_process, in_real_time, ok, register_spec, unknown};
use squall_checkers::{
    budget::Budget,
    certificate::Certificate,
    history::{History, Outcome},
    linearizability,
    model::Model,
    models::{
        AnyModel as _, CasRegister, Counter, Kv, Log, MultiRegister, Mutex, PriorityQueue, Queue, Register, Set, Stack,
    },
    operation::Operation,
    value::Value,
    verdict::{Anomaly, Verdict},
    verify::{self, Verification},
};

fn compare(model: &impl Model, spec: Spec, initial: &Value, n: usize, alphabet: &[Letter]) {
    let mut seen = 0;
    for n in 1..=n {
        every_history(n, alphabet, |history| {
            let verdict = linearizability::check(model, history, &Budget::default());
            examine(in_real_time, spec, initial, history, &verdict);
            seen += 1;
            if n < 3 || seen % CERTIFY_EVERY == 0 {
                certify(Model::name(model), history, &verdict);
            }
        });
        every_interleaving(n, alphabet, |history| {
            examine(in_process, spec, initial, history, &model.sequential(history, &Budget::default()));
        });
    }
}

/// Of the longer histories, how many go by for one whose certificate is verified.
const CERTIFY_EVERY: usize = 101;

/// The verifier accepts what the checker says, and nothing that contradicts it.
fn certify(model: &str, history: &History, verdict: &Verdict) {
    let n = history.entries.len();
    let verify = |verdict: Verdict| {
        let certificate = Certificate::new("linearizable", Some(model), n, verdict);
        verify::verify(history, &certificate, &Budget::default())
    };
    let happened: Vec<usize> =
        (0..n).filter(|&i| history.entries[i].is_ok() || history.entries[i].is_unknown()).collect();
    let opposite = match verdict {
        Verdict::Unknown { .. } => return,
        Verdict::Valid { .. } => {
            Verdict::of(vec![Anomaly::new("stale-read".into(), Value::Nil, happened, String::new())])
        }
        Verdict::Invalid { .. } => Verdict::Valid { linearization: Some(happened) },
    };
    assert_eq!(verify(verdict.clone()), Verification::Verified, "{verdict:?} {}", support::show(history));
    let opposite = verify(opposite);
    assert!(matches!(opposite, Verification::Refuted(_)), "{opposite:?} {verdict:?} {}", support::show(history));
    let refuse = |order: &[usize]| {
        let verification = verify(Verdict::Valid { linearization: Some(order.to_vec()) });
        assert!(matches!(verification, Verification::Refuted(_)), "{order:?} {}", support::show(history));
    };
    match verdict {
        Verdict::Valid { linearization: Some(order) } => {
            for (i, &id) in order.iter().enumerate() {
                refuse(&[order, &[id][..]].concat());
                if history.entries[id].is_ok() {
                    refuse(&[&order[..i], &order[i + 1..]].concat());
                }
            }
        }
        _ => each_order(&mut Vec::new(), n, &refuse),
    }
}

/// Calls with each order of some of these operations.
fn each_order(order: &mut Vec<usize>, n: usize, see: &impl Fn(&[usize])) {
    see(order);
    for id in (0..n).filter(|id| !order.contains(id)).collect::<Vec<_>>() {
        order.push(id);
        each_order(order, n, see);
        order.pop();
    }
}

fn write(value: i64) -> Operation {
    Operation::write(Value::Nil, value)
}

fn read() -> Operation {
    Operation::read(Value::Nil)
}

fn cas(from: impl Into<Value>, to: i64) -> Operation {
    Operation::cas(Value::Nil, from, to)
}

#[test]
fn register() {
    let alphabet = [
        ok(write(1), Value::Nil),
        ok(write(2), Value::Nil),
        unknown(write(1)),
        ok(read(), Value::Nil),
        ok(read(), 1),
        ok(read(), 2),
    ];
    compare(&Register, register_spec, &Value::Nil, 4, &alphabet);
}

#[test]
fn cas_register_with_every_operation() {
    let mut alphabet = vec![ok(write(1), Value::Nil), ok(write(2), Value::Nil), unknown(write(1)), unknown(write(2))];
    alphabet.extend([ok(read(), Value::Nil), ok(read(), 1), ok(read(), 2), unknown(read())]);
    for from in [Value::Nil, Value::Int(1), Value::Int(2)] {
        for to in [1, 2] {
            let cas = cas(from.clone(), to);
            alphabet.extend([ok(cas.clone(), true), ok(cas.clone(), false), unknown(cas)]);
        }
    }
    compare(&CasRegister, register_spec, &Value::Nil, 3, &alphabet);
}

#[test]
fn cas_register_with_more_operations() {
    let alphabet = [
        ok(write(1), Value::Nil),
        unknown(write(2)),
        ok(read(), 1),
        ok(read(), 2),
        ok(cas(1, 2), true),
        ok(cas(1, 2), false),
        unknown(cas(2, 1)),
        ok(cas(Value::Nil, 2), true),
    ];
    compare(&CasRegister, register_spec, &Value::Nil, 4, &alphabet);
}

fn kv_spec(state: &Value, operation: &Operation, reply: Option<&Value>) -> Option<Value> {
    let held = state.as_text()?;
    match (operation.f.as_str(), operation.args.as_text()) {
        ("put", Some(text)) => Some(text.into()),
        ("append", Some(text)) => Some(format!("{held}{text}").into()),
        _ => reply.is_none_or(|r| r == state).then(|| state.clone()),
    }
}

fn get() -> Operation {
    Operation::new("get", Value::Nil, Value::Nil)
}

fn append(text: &str) -> Operation {
    Operation::new("append", Value::Nil, text)
}

#[test]
fn kv_that_only_grows() {
    let mut alphabet = vec![
        ok(append("a"), Value::Nil),
        ok(append("b"), Value::Nil),
        ok(append("c"), Value::Nil),
        unknown(append("b")),
    ];
    alphabet.extend(["", "a", "ab", "ba", "abc"].map(|reply| ok(get(), reply)));
    compare(&Kv, kv_spec, &Value::from(""), 4, &alphabet);
}

#[test]
fn kv() {
    let put = |text: &str| Operation::new("put", Value::Nil, text);
    let mut alphabet = vec![ok(put("a"), Value::Nil), ok(append("b"), Value::Nil), unknown(append("a"))];
    alphabet.extend(["", "a", "ab", "b"].map(|reply| ok(get(), reply)));
    compare(&Kv, kv_spec, &Value::from(""), 4, &alphabet);
}

fn mutex_spec(state: &Value, operation: &Operation, _: Option<&Value>) -> Option<Value> {
    let acquires = Value::Bool(operation.f == "acquire");
    (*state != acquires).then_some(acquires)
}

#[test]
fn mutex() {
    let [acquire, release] = ["acquire", "release"].map(|f| Operation::new(f, Value::Nil, Value::Nil));
    let alphabet =
        [ok(acquire.clone(), Value::Nil), ok(release.clone(), Value::Nil), unknown(acquire), unknown(release)];
    compare(&Mutex, mutex_spec, &Value::Bool(false), 4, &alphabet);
}

fn set_spec(state: &Value, operation: &Operation, reply: Option<&Value>) -> Option<Value> {
    let mut elements = state.as_list()?.to_vec();
    if operation.f == "add" {
        elements.push(operation.args.clone());
        elements.sort();
        elements.dedup();
        return Some(elements.into());
    }
    let mut seen = reply?.as_list()?.to_vec();
    seen.sort();
    (seen == elements).then_some(elements.into())
}

#[test]
fn set() {
    let add = |element: i64| Operation::new("add", Value::Nil, element);
    let mut alphabet = vec![ok(add(1), Value::Nil), ok(add(2), Value::Nil), unknown(add(2))];
    for seen in [&[][..], &[1], &[2], &[2, 1]] {
        let seen: Vec<Value> = seen.iter().map(|i| Value::Int(*i)).collect();
        alphabet.push(ok(read(), seen));
    }
    compare(&Set, set_spec, &Value::List(vec![]), 4, &alphabet);
}

fn container_spec(state: &Value, operation: &Operation, reply: Option<&Value>) -> Option<Value> {
    let mut held = state.as_list()?.to_vec();
    if matches!(operation.f.as_str(), "enqueue" | "push" | "insert") {
        held.push(operation.args.clone());
        return Some(held.into());
    }
    let next = match operation.f.as_str() {
        "dequeue" => (!held.is_empty()).then_some(0),
        "pop" => held.len().checked_sub(1),
        _ => (0..held.len()).min_by_key(|&i| held[i].clone()),
    };
    let found = next.map_or(Value::Nil, |i| held.remove(i));
    reply.is_none_or(|reply| *reply == found).then(|| held.into())
}

fn container_alphabet(put: &str, take: &str) -> Vec<Letter> {
    let put = |element: i64| Operation::new(put.to_owned(), Value::Nil, element);
    let take = || Operation::new(take.to_owned(), Value::Nil, Value::Nil);
    vec![
        ok(put(1), Value::Nil),
        ok(put(2), Value::Nil),
        unknown(put(2)),
        ok(take(), 1),
        ok(take(), 2),
        ok(take(), Value::Nil),
        unknown(take()),
    ]
}

#[test]
fn queue() {
    compare(&Queue, container_spec, &Value::List(vec![]), 4, &container_alphabet("enqueue", "dequeue"));
}

#[test]
fn stack() {
    compare(&Stack, container_spec, &Value::List(vec![]), 4, &container_alphabet("push", "pop"));
}

#[test]
fn priority_queue() {
    compare(&PriorityQueue, container_spec, &Value::List(vec![]), 4, &container_alphabet("insert", "extract-min"));
}

fn counter_spec(state: &Value, operation: &Operation, reply: Option<&Value>) -> Option<Value> {
    match operation.args.as_int() {
        Some(n) => Some(Value::Int(state.as_int()? + n)),
        None => reply.is_none_or(|r| r == state).then(|| state.clone()),
    }
}

#[test]
fn counter() {
    let add = |n: i64| Operation::new("add", Value::Nil, n);
    let mut alphabet = vec![ok(add(1), Value::Nil), ok(add(2), Value::Nil), unknown(add(2))];
    alphabet.extend([0, 1, 2, 3].map(|count| ok(read(), count)));
    compare(&Counter, counter_spec, &Value::Int(0), 4, &alphabet);
}

fn log_spec(state: &Value, operation: &Operation, reply: Option<&Value>) -> Option<Value> {
    if operation.f == "append" {
        let mut log = state.as_list()?.to_vec();
        log.push(operation.args.clone());
        return Some(log.into());
    }
    (reply? == state).then(|| state.clone())
}

#[test]
fn log() {
    let append = |element: i64| Operation::new("append", Value::Nil, element);
    let mut alphabet = vec![ok(append(1), Value::Nil), ok(append(2), Value::Nil), unknown(append(2))];
    for seen in [&[][..], &[1], &[2, 1], &[1, 2]] {
        let seen: Vec<Value> = seen.iter().map(|i| Value::Int(*i)).collect();
        alphabet.push(ok(read(), seen));
    }
    compare(&Log, log_spec, &Value::List(vec![]), 4, &alphabet);
}

fn list<const N: usize>(items: [Value; N]) -> Value {
    Value::List(items.into())
}

/// The state is `[x y]`.
fn multi_spec(state: &Value, operation: &Operation, reply: Option<&Value>) -> Option<Value> {
    let mut held = state.as_list()?.to_vec();
    for (i, micro) in operation.args.as_list()?.iter().enumerate() {
        let micro = micro.as_list()?;
        let index = usize::from(micro[1] == Value::from("y"));
        if micro[0] == Value::from("write") {
            held[index] = micro[2].clone();
        } else if reply.is_some_and(|r| r.as_list().unwrap()[i].as_list().unwrap()[2] != held[index]) {
            return None;
        }
    }
    Some(Value::List(held))
}

#[test]
fn multi_register() {
    let micro = |f: &str, key: &str, value: Value| list([f.into(), key.into(), value]);
    let txn = |micros: Value| Operation::new("txn", Value::Nil, micros);
    let mut alphabet = Vec::new();
    for (x, y) in [(1, 1), (2, 1)] {
        let writes = list([micro("write", "x", Value::Int(x)), micro("write", "y", Value::Int(y))]);
        alphabet.push(ok(txn(writes.clone()), writes.clone()));
        if x == 2 {
            alphabet.push(unknown(txn(writes)));
        }
    }
    for (x, y) in [(Value::Nil, Value::Nil), (1.into(), Value::Nil), (2.into(), 1.into())] {
        let asked = list([micro("read", "x", Value::Nil), micro("read", "y", Value::Nil)]);
        alphabet.push(ok(txn(asked), list([micro("read", "x", x), micro("read", "y", y)])));
    }
    let read_x = list([micro("read", "x", Value::Nil)]);
    alphabet.push(ok(txn(read_x), list([micro("read", "x", Value::Int(1))])));
    compare(&MultiRegister, multi_spec, &list([Value::Nil, Value::Nil]), 4, &alphabet);
}

/// `read`, `write` and `cas` on a register that begins as nil or as 0. Before that is known the state is a list of both.
fn either_spec(state: &Value, operation: &Operation, reply: Option<&Value>) -> Option<Value> {
    let Value::List(either) = state else { return register_spec(state, operation, reply) };
    let after: Vec<Value> = either.iter().filter_map(|held| register_spec(held, operation, reply)).collect();
    match &after[..] {
        [] => None,
        [one, other] if one != other => Some(Value::List(after)),
        [one, ..] => Some(one.clone()),
    }
}

/// Reads and writes of one register, by themselves or as transactions of one operation each.
#[test]
fn multi_register_has_one_first_value() {
    let nil_or_zero = list([Value::Nil, Value::Int(0)]);
    let alphabet = [
        ok(read(), Value::Nil),
        ok(read(), 0),
        ok(write(0), Value::Nil),
        ok(Operation::write(Value::Nil, Value::Nil), Value::Nil),
        unknown(write(0)),
        ok(cas(0, 1), true),
        ok(cas(Value::Nil, 0), false),
        ok(cas(0, 1), false),
        ok(read(), 1),
    ];
    compare(&MultiRegister, either_spec, &nil_or_zero, 4, &alphabet);
}

/// The same of two registers that begin as nil or as 0, each by itself: the state is a list of all that may be.
fn multi_either_spec(state: &Value, operation: &Operation, reply: Option<&Value>) -> Option<Value> {
    let mut after: Vec<Value> = state.as_list()?.iter().filter_map(|held| multi_spec(held, operation, reply)).collect();
    after.sort_unstable();
    after.dedup();
    Some(Value::List(after)).filter(|after| after.as_list().is_some_and(|left| !left.is_empty()))
}

#[test]
fn multi_register_has_one_first_value_of_each() {
    let micro = |f: &str, key: &str, value: Value| list([f.into(), key.into(), value]);
    let txn = |micros: Value| Operation::new("txn", Value::Nil, micros);
    let either = [Value::Nil, Value::Int(0)];
    let mut alphabet = Vec::new();
    for x in &either {
        let write = list([micro("write", "x", x.clone())]);
        alphabet.push(ok(txn(write.clone()), write));
        let asked = list([micro("read", "x", Value::Nil), micro("read", "y", Value::Nil)]);
        for y in &either {
            let shown = list([micro("read", "x", x.clone()), micro("read", "y", y.clone())]);
            alphabet.push(ok(txn(asked.clone()), shown));
        }
    }
    let write = list([micro("write", "y", Value::Int(0)), micro("read", "x", Value::Nil)]);
    let shown = list([micro("write", "y", Value::Int(0)), micro("read", "x", Value::Int(0))]);
    alphabet.extend([unknown(txn(write.clone())), ok(txn(write), shown)]);
    let pairs = either.iter().flat_map(|x| either.iter().map(|y| list([x.clone(), y.clone()])));
    compare(&MultiRegister, multi_either_spec, &Value::List(pairs.collect()), 4, &alphabet);
}

#[test]
fn what_failed_did_not_happen() {
    let alphabet = [ok(write(1), Value::Nil), ok(read(), Value::Nil), ok(read(), 1)];
    every_history(3, &alphabet, |history| {
        let mut history = history.clone();
        for id in 0..history.entries.len() {
            let outcome = std::mem::replace(&mut history.entries[id].outcome, Outcome::Failed("full".into()));
            let verdict = linearizability::check(&Register, &history, &Budget::default());
            examine(in_real_time, register_spec, &Value::Nil, &history, &verdict);
            history.entries[id].outcome = outcome;
        }
    });
}
