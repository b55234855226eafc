//! The session guarantees and causal convergence against their definitions, on all small histories.

mod support;

use squall_checkers::{
    budget::Budget,
    checker::checker,
    history::{Entry, History},
    operation::Operation,
    value::Value,
};
use support::{entry, show};

/// What one operation of a small history does. Its own number is the value it writes; `None` is the initial value.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Do {
    Write(char),
    UnknownWrite(char),
    Read(char, Option<usize>),
    Cas(char, Option<usize>),
}

impl Do {
    fn key(self) -> char {
        match self {
            Do::Write(k) | Do::UnknownWrite(k) | Do::Read(k, _) | Do::Cas(k, _) => k,
        }
    }

    fn writes(self) -> bool {
        !matches!(self, Do::Read(..))
    }

    #[expect(clippy::option_option, reason = "it may read nothing, or read that there is nothing")]
    fn reads(self) -> Option<Option<usize>> {
        match self {
            Do::Read(_, v) | Do::Cas(_, v) => Some(v),
            Do::Write(_) | Do::UnknownWrite(_) => None,
        }
    }
}

/// Operations with their processes, in the order of invocations.
type Small = Vec<(usize, Do)>;

fn history(small: &Small) -> History {
    let value = |v: Option<usize>| v.map_or(Value::Nil, |i| Value::Int(i as i64));
    let entries = small.iter().enumerate().map(|(i, &(process, what))| {
        let key = what.key().to_string();
        let (operation, reply) = match what {
            Do::Write(_) => (Operation::write(key, i as i64), Some(Value::Nil)),
            Do::UnknownWrite(_) => (Operation::write(key, i as i64), None),
            Do::Read(_, v) => (Operation::read(key), Some(value(v))),
            Do::Cas(_, v) => (Operation::cas(key, value(v), i as i64), Some(Value::Bool(true))),
        };
        entry(process as u32, operation, reply, (2 * i as u32, 2 * i as u32 + 1))
    });
    History { entries: entries.collect(), ..History::default() }
}

/// Every history of `n` operations by at most three processes in which an unknown outcome ends its process.
fn every(n: usize, alphabet: &[Do], mut visit: impl FnMut(&Small)) {
    fn extend(n: usize, alphabet: &[Do], small: &mut Small, visit: &mut impl FnMut(&Small)) {
        if small.len() == n {
            visit(small);
            return;
        }
        let fresh = small.iter().map(|(p, _)| p + 1).max().unwrap_or(0);
        for process in 0..=fresh.min(2) {
            if small.iter().any(|(p, what)| *p == process && matches!(what, Do::UnknownWrite(_))) {
                continue;
            }
            for &what in alphabet {
                small.push((process, what));
                extend(n, alphabet, small, visit);
                small.pop();
            }
        }
    }
    extend(n, alphabet, &mut Vec::new(), &mut visit);
}

fn one_key() -> Vec<Do> {
    let values = [None, Some(0), Some(1), Some(2), Some(3)];
    let mut all = vec![Do::Write('x'), Do::UnknownWrite('x')];
    all.extend(values.map(|v| Do::Read('x', v)));
    all.extend(values[..4].iter().map(|v| Do::Cas('x', *v)));
    all
}

fn two_keys() -> Vec<Do> {
    let mut all = vec![Do::Write('x'), Do::Write('y')];
    for v in [None, Some(0), Some(1)] {
        all.extend([Do::Read('x', v), Do::Read('y', v)]);
    }
    all
}

/// What happened before what, by definition; `None` if a value came from nowhere.
fn before(small: &Small) -> Option<Vec<Vec<bool>>> {
    let n = small.len();
    let mut before = vec![vec![false; n]; n];
    for i in 0..n {
        for j in i + 1..n {
            before[i][j] |= small[i].0 == small[j].0;
        }
        if let Some(Some(source)) = small[i].1.reads() {
            let (key, written) = (small[i].1.key(), small.get(source)?.1);
            (written.writes() && written.key() == key).then_some(())?;
            before[source][i] = true;
        }
    }
    close(&mut before);
    Some(before)
}

fn close(relation: &mut [Vec<bool>]) {
    let n = relation.len();
    for k in 0..n {
        for i in 0..n {
            for j in 0..n {
                relation[i][j] |= relation[i][k] && relation[k][j];
            }
        }
    }
}

fn permutations(items: &[usize]) -> Vec<Vec<usize>> {
    if items.is_empty() {
        return vec![vec![]];
    }
    let mut all = Vec::new();
    for (i, first) in items.iter().enumerate() {
        let rest: Vec<usize> = items[..i].iter().chain(&items[i + 1..]).copied().collect();
        all.extend(permutations(&rest).into_iter().map(|p| std::iter::once(*first).chain(p).collect()));
    }
    all
}

/// Causal convergence: one order of all operations that extends happened-before, such that every read sees the last write of
/// its key among those that happened before it.
fn causally_convergent(small: &Small) -> bool {
    let Some(before) = before(small) else { return false };
    let n = small.len();
    if (0..n).any(|i| before[i][i]) {
        return false;
    }
    permutations(&(0..n).collect::<Vec<_>>()).iter().any(|order| {
        let place = |i: usize| order.iter().position(|x| *x == i).unwrap();
        let extends = (0..n).all(|i| (0..n).all(|j| !before[i][j] || place(i) < place(j)));
        let sees = |reader: usize| {
            let visible =
                |w: &usize| before[*w][reader] && small[*w].1.writes() && small[*w].1.key() == small[reader].1.key();
            small[reader].1.reads().is_none_or(|v| v == (0..n).filter(visible).max_by_key(|w| place(*w)))
        };
        extends && (0..n).all(sees)
    })
}

/// Versions known to be older, by definition: `older[i][j]` of writes of one key.
fn known_older(small: &Small) -> Vec<Vec<bool>> {
    let n = small.len();
    let mut older = vec![vec![false; n]; n];
    for (i, (process, what)) in small.iter().enumerate().filter(|(_, (_, what))| what.writes()) {
        for (j, (other, earlier)) in small.iter().enumerate().take(i) {
            older[j][i] |= earlier.writes() && earlier.key() == what.key() && process == other;
        }
        let replaced = what.reads().flatten().filter(|v| is_version(small, what.key(), *v));
        if let Some(v) = replaced {
            older[v][i] = true;
        }
    }
    close(&mut older);
    older
}

fn is_version(small: &Small, key: char, v: usize) -> bool {
    small.get(v).is_some_and(|(_, what)| what.writes() && what.key() == key)
}

/// A session guarantee by definition: some order of the versions of each key agrees with all pairs (older, newer) that `pairs`
/// gives, and nobody misses what `depends` says it must see.
fn holds(small: &Small, guarantee: &str) -> bool {
    let n = small.len();
    let older = known_older(small);
    let version = |i: usize| small[i].1.reads().filter(|v| v.is_none_or(|v| is_version(small, small[i].1.key(), v)));
    // Pairs of versions of a key; `None` is the initial one.
    let mut pairs: Vec<(Option<usize>, Option<usize>)> = Vec::new();
    for i in 0..n {
        for j in i + 1..n {
            if small[i].0 != small[j].0 || small[i].1.key() != small[j].1.key() {
                continue;
            }
            let (first, second) = (version(i), version(j));
            let pair = match guarantee {
                "monotonic-reads" => first.zip(second),
                "read-your-writes" if small[i].1.writes() => second.map(|v| (Some(i), v)),
                "writes-follow-reads" if small[j].1.writes() => first.map(|v| (v, Some(j))),
                _ => None,
            };
            pairs.extend(pair.filter(|(a, b)| a != b));
        }
    }
    let versions: Vec<usize> = (0..n).filter(|&i| small[i].1.writes()).collect();
    let agrees = permutations(&versions).iter().any(|order| {
        let place = |v: Option<usize>| v.map_or(0, |v| 1 + order.iter().position(|x| *x == v).unwrap());
        let known = (0..n).all(|i| (0..n).all(|j| !older[i][j] || place(Some(i)) < place(Some(j))));
        // A cas comes after what it replaced even if that is itself.
        known && pairs.iter().all(|(a, b)| place(*a) < place(*b))
    });
    let circular = (0..n).any(|i| older[i][i]);
    if !agrees || circular {
        return false;
    }
    for first in 0..n {
        let Some(Some(write)) = version(first) else { continue };
        for later in first + 1..n {
            if small[later].0 != small[first].0 {
                continue;
            }
            let Some(seen) = version(later) else { continue };
            for dependency in (0..write).filter(|&d| small[d].0 == small[write].0) {
                let required = match guarantee {
                    "monotonic-writes" if small[dependency].1.writes() => Some(dependency),
                    "writes-follow-reads" => version(dependency).flatten(),
                    _ => None,
                };
                let Some(required) = required.filter(|_| small[dependency].1.key() == small[later].1.key()) else {
                    continue;
                };
                if seen.is_none_or(|v| older[v][required]) {
                    return false;
                }
            }
        }
    }
    true
}

fn compare(name: &str, alphabet: &[Do], expected: impl Fn(&Small) -> bool) {
    let checker = (checker(name).expect("in the catalogue").build)(None).expect("needs no model");
    let (mut valid, mut invalid) = (0, 0);
    for n in 1..=4 {
        every(n, alphabet, |small| {
            // What nobody saw may not have happened.
            let seen = |i: usize| small.iter().any(|(_, what)| what.reads() == Some(Some(i)));
            let unseen = |i: usize, what: Do| matches!(what, Do::UnknownWrite(_)) && !seen(i);
            if small.iter().enumerate().any(|(i, (_, what))| unseen(i, *what)) {
                return;
            }
            let history = history(small);
            let verdict = checker.check(&history, &Budget::default());
            if verdict.is_unknown() {
                assert!(!history.entries.iter().any(Entry::is_ok), "{verdict:?} {}", show(&history));
                return;
            }
            let expected = expected(small);
            assert_eq!(verdict.is_valid(), expected, "{name}: {:?} {}", verdict.anomalies(), show(&history));
            *(if expected { &mut valid } else { &mut invalid }) += 1;
        });
    }
    assert!(valid > 100 && invalid > 0, "{valid} valid and {invalid} invalid histories");
}

#[test]
fn causal() {
    compare("causal", &one_key(), causally_convergent);
    compare("causal", &two_keys(), causally_convergent);
}

#[test]
fn sessions() {
    for name in ["monotonic-reads", "read-your-writes", "writes-follow-reads", "monotonic-writes"] {
        let reads = [None, Some(0), Some(1), Some(2)].map(|v| Do::Read('x', v));
        let updates = [Do::Write('x'), Do::Cas('x', None), Do::Cas('x', Some(0))];
        compare(name, &[&reads[..], &updates].concat(), |small| holds(small, name));
        compare(name, &two_keys(), |small| holds(small, name));
    }
}
