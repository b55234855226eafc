//! Small histories of registers without real time: every one over an alphabet, random ones, and what happened before what.

use rand_xoshiro::{
    Xoshiro256PlusPlus,
    rand_core::{Rng, SeedableRng},
};
use squall_checkers::{
    history::{History, Outcome},
    operation::Operation,
    value::Value,
};

use crate::support::entry;

/// What one operation of a small history does. Its own number is the value it writes; `None` is the initial value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Do {
    Write(char),
    UnknownWrite(char),
    FailedWrite(char),
    Read(char, Option<usize>),
    Cas(char, Option<usize>),
    UnknownCas(char, Option<usize>),
}

impl Do {
    pub(crate) fn key(self) -> char {
        match self {
            Do::Write(k)
            | Do::UnknownWrite(k)
            | Do::FailedWrite(k)
            | Do::Read(k, _)
            | Do::Cas(k, _)
            | Do::UnknownCas(k, _) => k,
        }
    }

    pub(crate) fn writes(self) -> bool {
        !matches!(self, Do::Read(..))
    }

    pub(crate) fn is_unknown(self) -> bool {
        matches!(self, Do::UnknownWrite(_) | Do::UnknownCas(..))
    }

    #[expect(clippy::option_option, reason = "it may read nothing, or read that there is nothing")]
    pub(crate) fn reads(self) -> Option<Option<usize>> {
        match self {
            Do::Read(_, v) | Do::Cas(_, v) | Do::UnknownCas(_, v) => Some(v),
            Do::Write(_) | Do::UnknownWrite(_) | Do::FailedWrite(_) => None,
        }
    }
}

/// Operations with their processes, in the order of invocations.
pub(crate) type Small = Vec<(usize, Do)>;

pub(crate) fn history(small: &Small) -> History {
    let value = |v: Option<usize>| v.map_or(Value::Nil, |i| Value::Int(i as i64));
    let entries = small.iter().enumerate().map(|(i, &(process, what))| {
        let key = what.key().to_string();
        let (operation, reply) = match what {
            Do::Write(_) | Do::FailedWrite(_) => (Operation::write(key, i as i64), Some(Value::Nil)),
            Do::UnknownWrite(_) => (Operation::write(key, i as i64), None),
            Do::Read(_, v) => (Operation::read(key), Some(value(v))),
            Do::Cas(_, v) => (Operation::cas(key, value(v), i as i64), Some(Value::Bool(true))),
            Do::UnknownCas(_, v) => (Operation::cas(key, value(v), i as i64), None),
        };
        let mut entry = entry(process as u32, operation, reply, (2 * i as u32, 2 * i as u32 + 1));
        if let Do::FailedWrite(_) = what {
            entry.outcome = Outcome::Failed("full".into());
        }
        entry
    });
    History { entries: entries.collect(), ..History::default() }
}

/// Every history of `n` operations by at most three processes in which an unknown outcome ends its process.
pub(crate) fn every(n: usize, alphabet: &[Do], mut visit: impl FnMut(&Small)) {
    fn extend(n: usize, alphabet: &[Do], small: &mut Small, visit: &mut impl FnMut(&Small)) {
        if small.len() == n {
            visit(small);
            return;
        }
        let fresh = small.iter().map(|(p, _)| p + 1).max().unwrap_or(0);
        for process in 0..=fresh.min(2) {
            if small.iter().any(|(p, what)| *p == process && what.is_unknown()) {
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

pub(crate) fn one_key() -> Vec<Do> {
    let values = [None, Some(0), Some(1), Some(2)];
    let mut all = vec![Do::Write('x'), Do::UnknownWrite('x'), Do::FailedWrite('x'), Do::UnknownCas('x', Some(0))];
    all.extend(values.map(|v| Do::Read('x', v)));
    all.extend(values[..3].iter().map(|v| Do::Cas('x', *v)));
    all
}

pub(crate) fn two_keys() -> Vec<Do> {
    let mut all = vec![Do::Write('x'), Do::Write('y')];
    for v in [None, Some(0), Some(1)] {
        all.extend([Do::Read('x', v), Do::Read('y', v)]);
    }
    all
}

/// Random histories of `n` operations by three processes on two keys, in which most reads show what was written.
pub(crate) fn random(n: usize, count: usize, seed: u64, mut visit: impl FnMut(&Small)) {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut below = |n: usize| (random.next_u64() % n as u64) as usize;
    for _ in 0..count {
        let keys: Vec<char> = (0..n).map(|_| ['x', 'y'][below(2)]).collect();
        let kinds: Vec<usize> = (0..n).map(|_| below(20)).collect();
        let mut small: Small = Vec::new();
        let mut process_of: Vec<usize> = (0..3).collect();
        for i in 0..n {
            let line = below(3);
            let key = keys[i];
            // Kinds below 9 write. What is read is mostly a value of the key.
            let written: Vec<usize> = (0..n).filter(|&w| w != i && keys[w] == key && kinds[w] < 9).collect();
            let value = match below(written.len() + 1) {
                0 => None,
                w => Some(written[w - 1]),
            };
            let what = match kinds[i] {
                0 => Do::UnknownWrite(key),
                1 => Do::FailedWrite(key),
                2 => Do::Cas(key, value),
                3 => Do::UnknownCas(key, value),
                4..9 => Do::Write(key),
                _ => Do::Read(key, value),
            };
            small.push((process_of[line], what));
            if what.is_unknown() {
                process_of[line] += 3;
            }
        }
        visit(&small);
    }
}

/// Which operations took effect, as they said so or what they wrote was seen.
pub(crate) fn effective(small: &Small) -> Vec<usize> {
    let mut effective: Vec<bool> =
        small.iter().map(|(_, what)| !what.is_unknown() && !matches!(what, Do::FailedWrite(_))).collect();
    loop {
        let before = effective.clone();
        for i in 0..small.len() {
            let seen = |(j, (_, what)): (usize, &(usize, Do))| {
                before[j] && what.reads() == Some(Some(i)) && what.key() == small[i].1.key()
            };
            effective[i] |= small[i].1.is_unknown() && small.iter().enumerate().any(seen);
        }
        if before == effective {
            return (0..small.len()).filter(|&i| effective[i]).collect();
        }
    }
}

/// What happened before what, by definition, among what took effect; `None` if a value came from nowhere.
pub(crate) fn before(small: &Small, effective: &[usize]) -> Option<Vec<Vec<bool>>> {
    let n = small.len();
    let mut before = vec![vec![false; n]; n];
    for &i in effective {
        for &j in effective {
            before[i][j] |= i < j && small[i].0 == small[j].0;
        }
        if let Some(Some(source)) = small[i].1.reads() {
            is_version(small, effective, small[i].1.key(), source).then_some(())?;
            before[source][i] = true;
        }
    }
    close(&mut before);
    Some(before)
}

/// Whether a write of this number to the key took effect.
pub(crate) fn is_version(small: &Small, effective: &[usize], key: char, v: usize) -> bool {
    small.get(v).is_some_and(|(_, what)| what.writes() && what.key() == key) && effective.contains(&v)
}

/// Makes a relation transitive.
pub(crate) fn close(relation: &mut [Vec<bool>]) {
    let n = relation.len();
    for k in 0..n {
        for i in 0..n {
            for j in 0..n {
                relation[i][j] |= relation[i][k] && relation[k][j];
            }
        }
    }
}

/// Whether the items have an order that follows `before`, and in which each fits after those that come before it.
pub(crate) fn has_order(
    items: &[usize],
    before: impl Fn(usize, usize) -> bool,
    fits: impl Fn(&[usize], usize) -> bool,
) -> bool {
    fn extend(
        items: &[usize],
        order: &mut Vec<usize>,
        before: &impl Fn(usize, usize) -> bool,
        fits: &impl Fn(&[usize], usize) -> bool,
    ) -> bool {
        if order.len() == items.len() {
            return true;
        }
        for &item in items {
            let open = |other: &&usize| !order.contains(other);
            let next = !order.contains(&item) && !items.iter().filter(open).any(|&other| before(other, item));
            if next && fits(order, item) {
                order.push(item);
                if extend(items, order, before, fits) {
                    return true;
                }
                order.pop();
            }
        }
        false
    }
    extend(items, &mut Vec::new(), &before, &fits)
}

/// The last write to the key of `reader` in the order.
pub(crate) fn last_write(small: &Small, order: &[usize], reader: usize) -> Option<usize> {
    let writes = |w: &&usize| small[**w].1.writes() && small[**w].1.key() == small[reader].1.key();
    order.iter().rev().find(writes).copied()
}
