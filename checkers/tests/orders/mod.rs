//! For linearizability: every small history, a checker without any cleverness, and a look at what verdicts claim.

use crate::support::{entry, show};
use squall_checkers::{
    anomaly,
    history::{Entry, History},
    operation::Operation,
    value::Value,
    verdict::Verdict,
};

/// An operation of an alphabet: what is asked, and `Some` reply or an unknown outcome.
pub(crate) type Letter = (Operation, Option<Value>);

/// A letter whose outcome is known.
pub(crate) fn ok(operation: Operation, reply: impl Into<Value>) -> Letter {
    (operation, Some(reply.into()))
}

/// A letter whose outcome is unknown.
pub(crate) fn unknown(operation: Operation) -> Letter {
    (operation, None)
}

/// The ways in which `n` operations, called in order, can overlap: positions of calls and returns.
pub(crate) fn shapes(n: usize) -> Vec<Vec<(u32, u32)>> {
    fn extend(n: usize, at: u32, shape: &mut Vec<(u32, u32)>, all: &mut Vec<Vec<(u32, u32)>>) {
        if at == 2 * n as u32 {
            all.push(shape.clone());
            return;
        }
        if shape.len() < n {
            shape.push((at, u32::MAX));
            extend(n, at + 1, shape, all);
            shape.pop();
        }
        for i in 0..shape.len() {
            if shape[i].1 == u32::MAX {
                shape[i].1 = at;
                extend(n, at + 1, shape, all);
                shape[i].1 = u32::MAX;
            }
        }
    }
    let mut all = Vec::new();
    extend(n, 0, &mut Vec::new(), &mut all);
    all
}

/// Calls `visit` with every history of `n` operations over the alphabet, each operation in a process of its own.
pub(crate) fn every_history(n: usize, alphabet: &[Letter], mut visit: impl FnMut(&History)) {
    let letter = |i: usize, choice: usize, shape: &[(u32, u32)]| {
        let (operation, reply) = alphabet[choice].clone();
        entry(i as u32, operation, reply, shape[i])
    };
    let mut history = History::default();
    for shape in shapes(n) {
        let mut choice = vec![0; n];
        history.entries = (0..n).map(|i| letter(i, 0, &shape)).collect();
        loop {
            visit(&history);
            let Some(first) = (0..n).rev().find(|&i| choice[i] + 1 < alphabet.len()) else { break };
            choice[first] += 1;
            choice[first + 1..].fill(0);
            for (i, &chosen) in choice.iter().enumerate().skip(first) {
                history.entries[i] = letter(i, chosen, &shape);
            }
        }
    }
}

/// A sequential specification on plain values: the state after, if the reply is possible.
pub(crate) type Spec = fn(&Value, &Operation, Option<&Value>) -> Option<Value>;

/// Which completed operations have to come before which.
pub(crate) type Before = fn(&Entry, &Entry) -> bool;

/// For linearizability: what had returned before the other was called.
pub(crate) fn in_real_time(first: &Entry, second: &Entry) -> bool {
    first.precedes(second)
}

/// For sequential consistency: what the same process had asked before.
pub(crate) fn in_process(first: &Entry, second: &Entry) -> bool {
    first.process == second.process && first.invoked.position < second.invoked.position
}

/// Whether some order explains the operations, by trying every one.
pub(crate) fn explained(before: Before, spec: Spec, initial: &Value, entries: &[&Entry]) -> bool {
    fn search(before: Before, spec: Spec, state: &Value, entries: &[&Entry], done: &mut [bool]) -> bool {
        if (0..entries.len()).all(|i| done[i] || !entries[i].is_ok()) {
            return true;
        }
        for i in 0..entries.len() {
            let e = entries[i];
            let judged = e.is_ok() || e.is_unknown();
            let waits = (0..entries.len()).any(|j| !done[j] && entries[j].is_ok() && before(entries[j], e));
            if done[i] || !judged || waits {
                continue;
            }
            if let Some(next) = spec(state, &e.operation, e.reply()) {
                done[i] = true;
                if search(before, spec, &next, entries, done) {
                    return true;
                }
                done[i] = false;
            }
        }
        false
    }
    search(before, spec, initial, entries, &mut vec![false; entries.len()])
}

/// Compares a verdict with brute force, replays its order, and tries its evidence.
pub(crate) fn examine(before: Before, spec: Spec, initial: &Value, history: &History, verdict: &Verdict) {
    let entries: Vec<&Entry> = history.entries.iter().collect();
    let expected = explained(before, spec, initial, &entries);
    match verdict {
        Verdict::Valid { linearization } => {
            assert!(expected, "found valid: {}", show(history));
            let order = linearization.as_ref().expect("an order is given");
            let mut state = initial.clone();
            for (i, &id) in order.iter().enumerate() {
                let e = &history.entries[id];
                let next = spec(&state, &e.operation, e.reply());
                state = next.unwrap_or_else(|| panic!("{order:?} does not explain {}", show(history)));
                let overtaken = order[i + 1..].iter().any(|&later| before(&history.entries[later], e));
                assert!(!overtaken, "{order:?} overtakes in {}", show(history));
                assert!(!order[i + 1..].contains(&id), "{order:?} repeats an operation");
            }
            let missing = (0..entries.len()).any(|id| entries[id].is_ok() && !order.contains(&id));
            assert!(!missing, "{order:?} leaves out a completed operation of {}", show(history));
        }
        Verdict::Invalid { anomalies } => {
            assert!(!expected, "found invalid: {} {anomalies:?}", show(history));
            assert!(!anomalies.is_empty());
            for a in anomalies {
                assert!(anomaly::KINDS.iter().any(|(kind, _)| *kind == a.kind), "{} is no kind", a.kind);
                let core: Vec<&Entry> = a.operations.iter().map(|&id| &history.entries[id]).collect();
                let proves = !explained(before, spec, initial, &core);
                assert!(proves, "the evidence {a:?} proves nothing in {}", show(history));
            }
        }
        Verdict::Unknown { detail, .. } => {
            assert!(!entries.iter().any(|e| e.is_ok()), "unknown ({detail}): {}", show(history));
        }
    }
}

/// `read`, `write` and `cas` on one register.
pub(crate) fn register_spec(state: &Value, operation: &Operation, reply: Option<&Value>) -> Option<Value> {
    match (operation.f.as_str(), &operation.args, reply) {
        ("write", value, _) => Some(value.clone()),
        ("read", _, Some(value)) => (value == state).then(|| state.clone()),
        ("cas", Value::List(args), Some(Value::Bool(true))) => (args[0] == *state).then(|| args[1].clone()),
        ("cas", Value::List(args), Some(Value::Bool(false))) => (args[0] != *state).then(|| state.clone()),
        ("cas", Value::List(args), _) => Some(if args[0] == *state { args[1].clone() } else { state.clone() }),
        _ => Some(state.clone()),
    }
}
