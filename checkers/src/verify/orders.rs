//! Every order of a few transactions: one after the other, from snapshots, or by what a transaction can see.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    firsts::First,
    isolated::{Beside, Sees},
    kept::{Act, Seen, Txn},
};
use crate::value::Value;

/// What each transaction that has begun found written under each of its keys.
type Base<'h> = Option<Vec<(&'h Value, usize)>>;

/// Tries every order. What is left and what is there are remembered.
pub(super) struct Search<'t, 'h> {
    pub(super) txns: &'t [&'t Txn<'h>],
    pub(super) seen: BTreeSet<(u64, u64, World<'h>)>,
    pub(super) steps: u64,
    /// As what registers begin, if not as nil.
    pub(super) firsts: &'t BTreeMap<&'h Value, First>,
}

impl<'h> Search<'_, 'h> {
    pub(super) fn serial(&mut self, done: u64, world: &World<'h>, beside: Beside) -> Option<bool> {
        let n = self.txns.len();
        let is_open = |i: &usize| done >> i & 1 == 0;
        if (0..n).all(|i| !is_open(&i)) {
            return Some(true);
        }
        if !self.seen.insert((done, 0, world.clone())) {
            return Some(false);
        }
        self.steps = self.steps.checked_sub(1)?;
        for i in (0..n).filter(is_open) {
            if (0..n).filter(is_open).any(|j| precedes(beside, self.txns[j], self.txns[i])) {
                continue;
            }
            let mut after = world.clone();
            if self.run(self.txns[i], &mut after) && self.serial(done | 1 << i, &after, beside)? {
                return Some(true);
            }
        }
        Some(false)
    }

    pub(super) fn snapshot(
        &mut self,
        begun: &mut Vec<Base<'h>>,
        done: u64,
        world: &World<'h>,
        beside: Beside,
    ) -> Option<bool> {
        let n = self.txns.len();
        if (0..n).all(|i| done >> i & 1 == 1) {
            return Some(true);
        }
        let open = (0..n).filter(|&i| begun[i].is_some()).fold(0, |set, i| set | 1 << i);
        // When they began matters only by what was there, which the writes since then show.
        let bases: Vec<&Value> = begun.iter().flatten().flatten().map(|(key, _)| *key).collect();
        if bases.is_empty() && !self.seen.insert((done, open, world.clone())) {
            return Some(false);
        }
        self.steps = self.steps.checked_sub(1)?;
        for i in (0..n).filter(|i| done >> i & 1 == 0) {
            let txn = self.txns[i];
            if let Some(base) = begun[i].take() {
                let first = base.iter().all(|(key, length)| world.get(key).map_or(0, Vec::len) == *length);
                if first {
                    let mut after = world.clone();
                    for (key, act) in &txn.acts {
                        if let Act::Write(value) = act {
                            after.entry(key).or_default().push(value);
                        }
                    }
                    if self.snapshot(begun, done | 1 << i, &after, beside)? {
                        return Some(true);
                    }
                }
                begun[i] = Some(base);
                if !first {
                    // It can never commit.
                    return Some(false);
                }
                continue;
            }
            let early = (0..n).any(|j| j != i && done >> j & 1 == 0 && precedes(beside, self.txns[j], txn));
            if early || !self.run(txn, &mut world.clone()) {
                continue;
            }
            let keys: BTreeSet<&'h Value> =
                txn.acts.iter().filter(|(_, act)| matches!(act, Act::Write(_))).map(|(key, _)| *key).collect();
            begun[i] = Some(keys.into_iter().map(|key| (key, world.get(key).map_or(0, Vec::len))).collect());
            if self.snapshot(begun, done, world, beside)? {
                return Some(true);
            }
            begun[i] = None;
        }
        Some(false)
    }

    /// Some order of all that satisfies the axiom.
    pub(super) fn axioms(&mut self, order: &mut Vec<usize>, sees: Sees) -> Option<bool> {
        let n = self.txns.len();
        if order.len() == n {
            self.steps = self.steps.checked_sub(1)?;
            return Some(self.some_holds(order, sees));
        }
        for i in (0..n).filter(|i| !order.contains(i)).collect::<Vec<_>>() {
            let late = (0..n).any(|j| !order.contains(&j) && precedes(Beside::Processes, self.txns[j], self.txns[i]));
            if late {
                continue;
            }
            order.push(i);
            if self.axioms(order, sees)? {
                return Some(true);
            }
            order.pop();
        }
        Some(false)
    }

    /// Whether the transaction may run on this; leaves what is there after it.
    fn run(&self, txn: &Txn<'h>, world: &mut World<'h>) -> bool {
        txn.acts.iter().all(|(key, act)| {
            let is_held = |value: &Value| match world.get(key).and_then(|all| all.last()) {
                Some(held) => *held == value,
                None => self.begins(key, value),
            };
            match act {
                Act::Write(value) => world.entry(key).or_default().push(value),
                Act::Refused(expected) => return !is_held(expected),
                Act::Read(Seen::Last(seen)) => return is_held(seen),
                Act::Read(Seen::All(seen)) => return world.get(key).map_or(seen.is_empty(), |all| all == seen),
            }
            true
        })
    }

    /// Whether a register begins as this.
    fn begins(&self, key: &Value, value: &Value) -> bool {
        First::of(value).is_some_and(|first| first == self.firsts.get(key).copied().unwrap_or(First::Nil))
    }

    /// Whether the order holds for some choice of what each refused cas read.
    fn some_holds(&self, order: &[usize], sees: Sees) -> bool {
        let looks: Option<Vec<_>> = (0..self.txns.len()).map(|t| self.looks(order, t)).collect();
        let Some(mut looks) = looks else { return false };
        let refused = |t: usize| {
            let told = |(key, act): &_| if let Act::Refused(expected) = act { Some((*key, *expected)) } else { None };
            Some((t, self.txns[t].acts.iter().find_map(told)?))
        };
        let refused: Vec<_> = (0..self.txns.len()).filter_map(refused).collect();
        self.chosen(order, sees, &refused, &mut looks)
    }

    fn chosen(&self, order: &[usize], sees: Sees, refused: &[Refused<'h>], all: &mut [Vec<Look<'h>>]) -> bool {
        let Some((&(reader, (key, expected)), rest)) = refused.split_first() else {
            return holds(self.txns, order, sees, all);
        };
        let left = |t: &usize| writes(self.txns[*t], key).last().is_some_and(|last| *last != expected);
        let at_first = Some(None).filter(|_| !self.begins(key, expected));
        (0..self.txns.len()).filter(left).map(Some).chain(at_first).any(|source| {
            all[reader] = vec![Look { key, source, shown: source.into_iter().collect() }];
            self.chosen(order, sees, rest, all)
        })
    }

    /// What a transaction saw of the others, if they commit in this order; `None` if it cannot have seen it.
    fn looks(&self, order: &[usize], reader: usize) -> Option<Vec<Look<'h>>> {
        let txns = self.txns;
        let owner = |key: &Value, value: &Value| {
            (0..txns.len()).filter(|t| *t != reader).find(|&t| writes(txns[t], key).contains(&value))
        };
        let source =
            |key: &Value, value: &&'h Value| owner(key, value).filter(|&t| writes(txns[t], key).last() == Some(value));
        let mut own: World<'h> = World::new();
        let mut all = Vec::new();
        for (key, act) in &txns[reader].acts {
            let before: &[&Value] = own.get(key).map_or(&[], Vec::as_slice);
            match act {
                Act::Write(value) => own.entry(key).or_default().push(value),
                // What it read is to be chosen.
                Act::Refused(_) => {}
                Act::Read(Seen::Last(seen)) if !before.is_empty() => (before.last() == Some(seen)).then_some(())?,
                Act::Read(Seen::Last(seen)) => {
                    let source = if self.begins(key, seen) { None } else { Some(source(key, seen)?) };
                    all.push(Look { key, source, shown: source.into_iter().collect() });
                }
                Act::Read(Seen::All(seen)) => {
                    let whole: Vec<&Value> = order.iter().flat_map(|&t| writes(txns[t], key)).collect();
                    (whole.starts_with(seen) && seen.ends_with(before)).then_some(())?;
                    let others = &seen[..seen.len() - before.len()];
                    let source = match others.last() {
                        Some(last) => Some(source(key, last)?),
                        None => None,
                    };
                    all.push(Look { key, source, shown: others.iter().filter_map(|v| owner(key, v)).collect() });
                }
            }
        }
        Some(all)
    }
}

/// As what registers may begin: those that all who are kept ask to begin as one of the two as that one, and the others in every
/// way. `None` where these are too many.
pub(super) fn firsts<'h>(txns: &[Txn<'h>]) -> Option<Vec<BTreeMap<&'h Value, First>>> {
    let mut asked: BTreeMap<&Value, BTreeSet<First>> = BTreeMap::new();
    for (key, act) in txns.iter().flat_map(|txn| &txn.acts) {
        let first = match act {
            Act::Read(Seen::Last(seen)) => First::of(seen),
            Act::Refused(expected) => First::of(expected).map(First::other),
            Act::Write(_) | Act::Read(Seen::All(_)) => None,
        };
        asked.entry(key).or_default().extend(first);
    }
    let mut ways = vec![BTreeMap::new()];
    for (key, firsts) in asked {
        if ways.len() * firsts.len() > BEGINNINGS_MAX {
            return None;
        }
        if !firsts.is_empty() {
            let with = |way: &BTreeMap<&'h Value, First>, first| {
                let mut way = way.clone();
                way.insert(key, first);
                way
            };
            ways = ways.iter().flat_map(|way| firsts.iter().map(move |first| with(way, *first))).collect();
        }
    }
    Some(ways)
}

/// So many ways for registers to begin are tried.
const BEGINNINGS_MAX: usize = 64;

/// All writes to each key, in order.
pub(super) type World<'h> = BTreeMap<&'h Value, Vec<&'h Value>>;

fn precedes(beside: Beside, a: &Txn<'_>, b: &Txn<'_>) -> bool {
    match beside {
        Beside::Nothing => false,
        Beside::Processes => a.entry.process == b.entry.process && a.entry.invoked.position < b.entry.invoked.position,
        Beside::Time => a.entry.returned() < b.entry.invoked.position,
    }
}

/// Whether a value was read that several others of these wrote: orders of commits do not say whose it is.
pub(super) fn are_ambiguous(txns: &[Txn<'_>]) -> bool {
    txns.iter().enumerate().any(|(reader, txn)| {
        let others = |key, value| {
            txns.iter().enumerate().filter(move |(t, txn)| *t != reader && writes(txn, key).contains(value)).count()
        };
        txn.acts.iter().any(|(key, act)| match act {
            Act::Read(Seen::Last(value)) => others(key, value) > 1,
            Act::Read(Seen::All(values)) => values.iter().any(|value| others(key, value) > 1),
            Act::Write(_) | Act::Refused(_) => false,
        })
    })
}

fn writes<'h>(txn: &Txn<'h>, key: &Value) -> Vec<&'h Value> {
    let of = |(k, act): &(&'h Value, Act<'h>)| match act {
        Act::Write(value) if *k == key => Some(*value),
        _ => None,
    };
    txn.acts.iter().filter_map(of).collect()
}

/// A read of others: its key, whose write was the last that it saw, and all whose writes it shows.
struct Look<'h> {
    key: &'h Value,
    source: Option<usize>,
    shown: Vec<usize>,
}

/// A refused cas, its key, and what it expected.
type Refused<'h> = (usize, (&'h Value, &'h Value));

/// Whether the order extends processes and reads, and every read shows the last write of its key that it can see.
fn holds(txns: &[&Txn<'_>], order: &[usize], sees: Sees, looks: &[Vec<Look<'_>>]) -> bool {
    let n = txns.len();
    let place = |t: usize| order.iter().position(|o| *o == t);
    let follows = |a: usize, b: usize| {
        precedes(Beside::Processes, txns[a], txns[b]) || looks[b].iter().any(|look| look.shown.contains(&a))
    };
    let direct: Vec<Vec<bool>> = (0..n).map(|a| (0..n).map(|b| follows(a, b)).collect()).collect();
    if (0..n).any(|a| (0..n).any(|b| direct[a][b] && place(a) >= place(b))) {
        return false;
    }
    let mut before = direct.clone();
    for k in 0..n {
        for i in 0..n {
            for j in 0..n {
                before[i][j] |= before[i][k] && before[k][j];
            }
        }
    }
    (0..n).all(|reader| {
        looks[reader].iter().enumerate().all(|(i, look)| {
            (0..n).filter(|&t| t != reader && !writes(txns[t], look.key).is_empty()).all(|other| {
                let visible = match sees {
                    Sees::ReadBefore => looks[reader][..i].iter().any(|l| l.shown.contains(&other)),
                    Sees::ReadOrFollowed => direct[other][reader],
                    Sees::HappenedBefore => before[other][reader],
                };
                !visible || look.source.is_some_and(|source| source == other || place(other) < place(source))
            })
        })
    })
}
