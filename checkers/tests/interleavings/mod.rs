//! For sequential consistency: every small history, a checker without any cleverness, and a look at what verdicts claim.

use crate::{
    orders::{Letter, Spec},
    support::{entry, show},
};
use squall_checkers::{
    history::{Entry, History},
    value::Value,
    verdict::Verdict,
};

/// Calls `visit` with every history of `n` operations over the alphabet by at most three processes, one after the other in
/// real time. An unknown outcome ends its process.
pub(crate) fn every_interleaving(n: usize, alphabet: &[Letter], mut visit: impl FnMut(&History)) {
    fn extend(n: usize, alphabet: &[Letter], history: &mut History, visit: &mut impl FnMut(&History)) {
        let i = history.entries.len();
        if i == n {
            visit(history);
            return;
        }
        let fresh = history.entries.iter().map(|e| e.process.0 + 1).max().unwrap_or(0);
        for process in 0..=fresh.min(2) {
            if history.entries.iter().any(|e| e.process.0 == process && e.is_unknown()) {
                continue;
            }
            for (operation, reply) in alphabet {
                let at = (2 * i as u32, 2 * i as u32 + 1);
                history.entries.push(entry(process, operation.clone(), reply.clone(), at));
                extend(n, alphabet, history, visit);
                history.entries.pop();
            }
        }
    }
    extend(n, alphabet, &mut History::default(), &mut visit);
}

/// Sequential consistency by trying every order.
pub(crate) fn sequential_by_brute_force(spec: Spec, initial: &Value, entries: &[&Entry]) -> bool {
    fn search(spec: Spec, state: &Value, entries: &[&Entry], done: &mut [bool]) -> bool {
        if (0..entries.len()).all(|i| done[i] || !entries[i].is_ok()) {
            return true;
        }
        for i in 0..entries.len() {
            let e = entries[i];
            let earlier = (0..i).any(|j| !done[j] && entries[j].process == e.process && entries[j].is_ok());
            if done[i] || earlier || !(e.is_ok() || e.is_unknown()) {
                continue;
            }
            if let Some(next) = spec(state, &e.operation, e.reply()) {
                done[i] = true;
                if search(spec, &next, entries, done) {
                    return true;
                }
                done[i] = false;
            }
        }
        false
    }
    search(spec, initial, entries, &mut vec![false; entries.len()])
}

/// Compares a verdict with brute force, replays its order, and tries its evidence.
pub(crate) fn examine_sequential(spec: Spec, initial: &Value, history: &History, verdict: &Verdict) {
    let entries: Vec<&Entry> = history.entries.iter().collect();
    let expected = sequential_by_brute_force(spec, initial, &entries);
    match verdict {
        Verdict::Valid { linearization } => {
            assert!(expected, "found valid: {}", show(history));
            let order = linearization.as_ref().expect("an order is given");
            let mut state = initial.clone();
            for (i, &id) in order.iter().enumerate() {
                let e = &history.entries[id];
                let next = spec(&state, &e.operation, e.reply());
                state = next.unwrap_or_else(|| panic!("{order:?} does not explain {}", show(history)));
                let overtaken = |later: usize| later <= id && history.entries[later].process == e.process;
                assert!(!order[i + 1..].iter().any(|&later| overtaken(later)), "{order:?} breaks {}", show(history));
            }
            let missing = (0..entries.len()).any(|id| entries[id].is_ok() && !order.contains(&id));
            assert!(!missing, "{order:?} leaves out a completed operation of {}", show(history));
        }
        Verdict::Invalid { anomalies } => {
            assert!(!expected, "found invalid: {} {anomalies:?}", show(history));
            for a in anomalies {
                let core: Vec<&Entry> = a.operations.iter().map(|&id| &history.entries[id]).collect();
                let explained = sequential_by_brute_force(spec, initial, &core);
                assert!(!explained, "the evidence {a:?} proves nothing in {}", show(history));
            }
        }
        Verdict::Unknown { detail, .. } => {
            assert!(!entries.iter().any(|e| e.is_ok()), "unknown ({detail}): {}", show(history));
        }
    }
}
