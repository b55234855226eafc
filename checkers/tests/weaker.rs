//! The models that do not look at real time against their definitions, on all small histories and on random ones; and that
//! what implies another does so.

mod small;
mod support;

use small::{
    Do, Small, before, close, effective, every, has_order, history, is_version, last_write, one_key, random, two_keys,
};
use squall_checkers::{
    budget::Budget,
    checker::{Checker, checker},
    history::Entry,
    lattice,
    models::model,
    verdict::Verdict,
};
use support::show;

/// What a read saw, if the order of what it can see explains it.
fn explained(small: &Small, order: &[usize], reader: usize) -> bool {
    small[reader].1.reads().is_none_or(|v| v == last_write(small, order, reader))
}

/// Causal convergence: one order of all operations that extends happened-before, such that every read sees the last write of
/// its key among those that happened before it.
fn causally_convergent(small: &Small) -> bool {
    let effective = effective(small);
    let Some(before) = before(small, &effective).filter(|before| (0..small.len()).all(|i| !before[i][i])) else {
        return false;
    };
    has_order(
        &effective,
        |i, j| before[i][j],
        |order, next| {
            let visible: Vec<usize> = order.iter().copied().filter(|&i| before[i][next]).collect();
            explained(small, &visible, next)
        },
    )
}

/// For each process, or for each operation alone, an order of what happened before in which its reads make sense.
fn causal_views(small: &Small, each_alone: bool) -> bool {
    let effective = effective(small);
    let Some(before) = before(small, &effective).filter(|before| (0..small.len()).all(|i| !before[i][i])) else {
        return false;
    };
    effective.iter().all(|&last| {
        let past: Vec<usize> = effective.iter().copied().filter(|&i| i == last || before[i][last]).collect();
        let judged = |i: usize| i == last || (!each_alone && small[i].0 == small[last].0);
        has_order(&past, |i, j| before[i][j], |order, next| !judged(next) || explained(small, order, next))
    })
}

fn causal_memory(small: &Small) -> bool {
    causal_views(small, false)
}

fn causal_weak(small: &Small) -> bool {
    causal_views(small, true)
}

/// For each process an order of all writes and its own reads that keeps the order of every process.
fn pram(small: &Small) -> bool {
    let effective = effective(small);
    let session = |i: usize, j: usize| i < j && small[i].0 == small[j].0;
    effective.iter().all(|&one| {
        let own = |i: usize| small[i].0 == small[one].0;
        let view: Vec<usize> = effective.iter().copied().filter(|&i| own(i) || small[i].1.writes()).collect();
        has_order(&view, session, |order, next| !own(next) || explained(small, order, next))
    })
}

/// Versions known to be older, by definition: `older[i][j]` of writes of one key.
fn known_older(small: &Small) -> Vec<Vec<bool>> {
    let n = small.len();
    let mut older = vec![vec![false; n]; n];
    let effective = effective(small);
    for &i in effective.iter().filter(|&&i| small[i].1.writes()) {
        let (process, what) = small[i];
        for &j in effective.iter().take_while(|&&j| j < i) {
            let (other, earlier) = small[j];
            older[j][i] |= earlier.writes() && earlier.key() == what.key() && process == other;
        }
        let replaced = what.reads().flatten().filter(|v| is_version(small, &effective, what.key(), *v));
        if let Some(v) = replaced {
            older[v][i] = true;
        }
    }
    close(&mut older);
    older
}

/// Session guarantees by definition: reads show versions, some order of the versions of each key agrees with all pairs (older, newer) that the
/// guarantees ask for, and nobody sees a version known to be older than what it must have seen.
fn holds(small: &Small, guarantees: &[&str]) -> bool {
    let n = small.len();
    let mut older = known_older(small);
    let effective = effective(small);
    let version =
        |i: usize| small[i].1.reads().filter(|v| v.is_none_or(|v| is_version(small, &effective, small[i].1.key(), v)));
    let asks = |guarantee: &str| guarantees.contains(&guarantee);
    if effective.iter().any(|&i| small[i].1.reads().is_some() && version(i).is_none()) {
        return false;
    }
    for &i in &effective {
        for &j in effective.iter().filter(|&&j| j > i) {
            if small[i].0 != small[j].0 || small[i].1.key() != small[j].1.key() {
                continue;
            }
            let (first, second) = (version(i), version(j));
            let pairs = [
                first.zip(second).filter(|_| asks("monotonic-reads")),
                second.map(|v| (Some(i), v)).filter(|_| asks("read-your-writes") && small[i].1.writes()),
                first.map(|v| (v, Some(j))).filter(|_| asks("writes-follow-reads") && small[j].1.writes()),
            ];
            for (a, b) in pairs.into_iter().flatten().filter(|(a, b)| a != b) {
                match (a, b) {
                    (Some(a), Some(b)) => older[a][b] = true,
                    (Some(_), None) => return false,
                    (None, _) => {}
                }
            }
        }
    }
    close(&mut older);
    if (0..n).any(|i| older[i][i]) {
        return false;
    }
    for &first in &effective {
        let Some(Some(write)) = version(first) else { continue };
        for &later in effective.iter().filter(|&&later| later > first && small[later].0 == small[first].0) {
            let Some(seen) = version(later) else { continue };
            for &dependency in effective.iter().filter(|&&d| d < write && small[d].0 == small[write].0) {
                let required = [
                    Some(dependency).filter(|_| asks("monotonic-writes") && small[dependency].1.writes()),
                    version(dependency).flatten().filter(|_| asks("writes-follow-reads")),
                ];
                let same_key = small[dependency].1.key() == small[later].1.key();
                let missed = |required: usize| same_key && seen.is_none_or(|v| older[v][required]);
                if required.into_iter().flatten().any(missed) {
                    return false;
                }
            }
        }
    }
    true
}

fn judge(checker: &dyn Checker, small: &Small) -> Verdict {
    let history = history(small);
    let verdict = checker.check(&history, &Budget::default());
    let vacuous = !history.entries.iter().any(Entry::is_ok);
    assert_eq!(verdict.is_unknown(), vacuous, "{}: {verdict:?} {}", checker.name(), show(&history));
    verdict
}

/// Compares a checker with a definition on all histories of up to four operations and on random longer ones.
fn compare(name: &str, alphabets: &[Vec<Do>], expected: impl Fn(&Small) -> bool) {
    let checker = (checker(name).expect("in the catalogue").build)(model("cas-register")).expect("given a model");
    let (mut valid, mut invalid) = (0, 0);
    let mut compare = |small: &Small| {
        let verdict = judge(&*checker, small);
        if verdict.is_unknown() {
            return;
        }
        let expected = expected(small);
        assert_eq!(verdict.is_valid(), expected, "{name}: {verdict:?} {}", show(&history(small)));
        *(if expected { &mut valid } else { &mut invalid }) += 1;
        // What is named cannot be by itself.
        let looked_at = invalid % 13 == 0;
        for anomaly in verdict.anomalies().iter().filter(|_| looked_at) {
            let mut part = history(small);
            // As transactions they are shown without those who saw that an unknown outcome took effect.
            if name == "causal" && anomaly.operations.iter().any(|&id| part.entries[id].is_unknown()) {
                continue;
            }
            part.entries = anomaly.operations.iter().map(|&id| part.entries[id].clone()).collect();
            let again = checker.check(&part, &Budget::default());
            assert!(again.is_invalid(), "{name}: {anomaly:?} proves nothing in {}", show(&history(small)));
        }
    };
    for alphabet in alphabets {
        (1..=4).for_each(|n| every(n, alphabet, &mut compare));
    }
    random(7, 20_000, 7, &mut compare);
    assert!(valid > 1000 && invalid > 1000, "{valid} valid and {invalid} invalid histories");
}

#[test]
fn causal() {
    compare("causal", &[one_key(), two_keys()], causally_convergent);
}

/// One order of all operations that keeps the order of each process.
fn sequential(small: &Small) -> bool {
    let session = |i: usize, j: usize| i < j && small[i].0 == small[j].0;
    has_order(&effective(small), session, |order, next| explained(small, order, next))
}

#[test]
fn one_order() {
    compare("sequential", &[one_key(), two_keys()], sequential);
}

#[test]
fn views() {
    compare("causal-memory", &[one_key(), two_keys()], causal_memory);
    compare("causal-weak", &[one_key(), two_keys()], causal_weak);
    compare("pram", &[one_key(), two_keys()], pram);
}

/// What implies what, and what does not, so that the lattice of models claims neither too little nor too much.
#[test]
fn implications() {
    let names = [
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
    ];
    let checkers = names.map(|n| (checker(n).expect("in the catalogue").build)(model("cas-register")).expect("given"));
    // By pair: whether one was seen to hold where the other does not.
    let mut apart = [[false; 11]; 11];
    let mut look = |small: &Small| {
        let history = history(small);
        if !history.entries.iter().any(Entry::is_ok) {
            return;
        }
        let valid: Vec<bool> = checkers.iter().map(|c| c.check(&history, &Budget::default()).is_valid()).collect();
        for (i, stronger) in names.iter().enumerate() {
            for (j, weaker) in names.iter().enumerate().filter(|(j, _)| valid[i] && !valid[*j]) {
                assert!(!lattice::implies(stronger, weaker), "{stronger} and not {weaker}: {}", show(&history));
                apart[i][j] = true;
            }
        }
    };
    for alphabet in [one_key(), two_keys()] {
        (1..=3).for_each(|n| every(n, &alphabet, &mut look));
    }
    random(7, 20_000, 3, &mut look);
    random(5, 20_000, 5, &mut look);
    // Bouajjani et al. 2017, figure 3b: too long and too special to be met by chance.
    let (z, x, y) = (Do::Write('z'), Do::Write('x'), Do::Write('y'));
    let reads = [Do::Read('z', None), Do::Read('y', Some(2)), Do::Read('x', Some(3))];
    look(
        &[z, x, y]
            .map(|what| (0, what))
            .into_iter()
            .chain([x].into_iter().chain(reads).map(|what| (1, what)))
            .collect(),
    );
    let pairs = (0..names.len()).flat_map(|i| (0..names.len()).map(move |j| (i, j)));
    let wrong = pairs.filter(|&(i, j)| lattice::implies(names[i], names[j]) == apart[i][j]);
    let wrong: Vec<_> = wrong.map(|(i, j)| (names[i], names[j])).collect();
    assert!(wrong.is_empty(), "nothing was seen to tell these apart: {wrong:?}");
}

const GUARANTEES: [&str; 4] = ["monotonic-reads", "read-your-writes", "writes-follow-reads", "monotonic-writes"];

#[test]
fn sessions() {
    let reads = [None, Some(0), Some(1), Some(2)].map(|v| Do::Read('x', v));
    let updates = [Do::Write('x'), Do::Cas('x', None), Do::Cas('x', Some(0))];
    let alphabets = [[&reads[..], &updates].concat(), two_keys()];
    for name in GUARANTEES {
        compare(name, &alphabets, |small| holds(small, &[name]));
    }
    compare("sessions", &alphabets, |small| holds(small, &GUARANTEES));
}
