//! Every order of a few transactions: one after the other, from snapshots, or by what a transaction can see.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    instead::differs_at_first,
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
            if run(self.txns[i], &mut after) && self.serial(done | 1 << i, &after, beside)? {
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
            if early || !run(txn, &mut world.clone()) {
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
            return Some(some_holds(self.txns, order, sees));
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
}

/// All writes to each key, in order.
pub(super) type World<'h> = BTreeMap<&'h Value, Vec<&'h Value>>;

fn precedes(beside: Beside, a: &Txn<'_>, b: &Txn<'_>) -> bool {
    match beside {
        Beside::Nothing => false,
        Beside::Processes => a.entry.process == b.entry.process && a.entry.invoked.position < b.entry.invoked.position,
        Beside::Time => a.entry.returned() < b.entry.invoked.position,
    }
}

/// Whether the transaction may run on this; leaves what is there after it.
fn run<'h>(txn: &Txn<'h>, world: &mut World<'h>) -> bool {
    txn.acts.iter().all(|(key, act)| {
        match act {
            Act::Write(value) => world.entry(key).or_default().push(value),
            Act::Refused(expected) => {
                let held = world.get(key).and_then(|all| all.last());
                return held.map_or_else(|| differs_at_first(expected), |held| held != expected);
            }
            Act::Read(Seen::Last(seen)) => return world.get(key).and_then(|all| all.last()) == seen.as_ref(),
            Act::Read(Seen::All(seen)) => return world.get(key).map_or(seen.is_empty(), |all| all == seen),
        }
        true
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

/// What a transaction saw of the others, if they commit in this order; `None` if it cannot have seen it.
fn looks<'h>(txns: &[&Txn<'h>], order: &[usize], reader: usize) -> Option<Vec<Look<'h>>> {
    let owner = |key: &Value, value: &Value| (0..txns.len()).find(|&t| writes(txns[t], key).contains(&value));
    let source = |key: &Value, value: Option<&&'h Value>| {
        let Some(value) = value else { return Some(None) };
        let owner = owner(key, value).filter(|&t| t != reader && writes(txns[t], key).last() == Some(value))?;
        Some(Some(owner))
    };
    let mut own: World<'h> = World::new();
    let mut all = Vec::new();
    for (key, act) in &txns[reader].acts {
        let before: &[&Value] = own.get(key).map_or(&[], Vec::as_slice);
        match act {
            Act::Write(value) => own.entry(key).or_default().push(value),
            // What it read is to be chosen.
            Act::Refused(_) => {}
            Act::Read(Seen::Last(seen)) if !before.is_empty() => (before.last() == seen.as_ref()).then_some(())?,
            Act::Read(Seen::Last(seen)) => {
                let source = source(key, seen.as_ref())?;
                all.push(Look { key, source, shown: source.into_iter().collect() });
            }
            Act::Read(Seen::All(seen)) => {
                let whole: Vec<&Value> = order.iter().flat_map(|&t| writes(txns[t], key)).collect();
                (whole.starts_with(seen) && seen.ends_with(before)).then_some(())?;
                let others = &seen[..seen.len() - before.len()];
                let source = source(key, others.last())?;
                all.push(Look { key, source, shown: others.iter().filter_map(|v| owner(key, v)).collect() });
            }
        }
    }
    Some(all)
}

/// Whether the order holds for some choice of what each refused cas read.
fn some_holds(txns: &[&Txn<'_>], order: &[usize], sees: Sees) -> bool {
    let looks: Option<Vec<_>> = (0..txns.len()).map(|t| looks(txns, order, t)).collect();
    let Some(mut looks) = looks else { return false };
    let refused = |t: usize| {
        let told = |(key, act): &_| if let Act::Refused(expected) = act { Some((*key, *expected)) } else { None };
        Some((t, txns[t].acts.iter().find_map(told)?))
    };
    let refused: Vec<_> = (0..txns.len()).filter_map(refused).collect();
    chosen(txns, order, sees, &refused, &mut looks)
}

/// A refused cas, its key, and what it expected.
type Refused<'h> = (usize, (&'h Value, &'h Value));

fn chosen<'h>(
    txns: &[&Txn<'h>],
    order: &[usize],
    sees: Sees,
    refused: &[Refused<'h>],
    all: &mut [Vec<Look<'h>>],
) -> bool {
    let Some((&(reader, (key, expected)), rest)) = refused.split_first() else { return holds(txns, order, sees, all) };
    let left = |t: &usize| writes(txns[*t], key).last().is_some_and(|last| *last != expected);
    let sources = (0..txns.len()).filter(left).map(Some).chain(differs_at_first(expected).then_some(None));
    for source in sources {
        all[reader] = vec![Look { key, source, shown: source.into_iter().collect() }];
        if chosen(txns, order, sees, rest, all) {
            return true;
        }
    }
    false
}

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
