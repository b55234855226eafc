//! What a refused cas read instead of what it expected, at the levels below serializability and snapshot isolation.
//!
//! It read *some* version of its register that is another one: what was there at first, or what a transaction left. A level
//! allows the history iff it does for one choice of these versions, each read as any other read is. So versions are chosen, and the
//! level is asked again with them as reads: first for all at once, as the order suggests that explains all else, and then anew for
//! those that are in the way. One whose every version is in the way by itself refutes the level. Where choices get in each
//! other's way, or there are too many, nothing is said.
//!
//! PL-1 and PL-2 ask of a read that changes nothing only that its version was there.

use std::collections::BTreeSet;

use super::{
    inference::{INITIAL, Inference, Read, Reporter},
    ingest::{Action, Kind, Status, Transactions},
    visible, weak, words,
};
use crate::{
    anomaly,
    budget::Budget,
    history::EntryId,
    lattice,
    partition::FixedMap,
    value::Value,
    verdict::{Anomaly, Verdict},
};

/// So often the level is asked again: more often where that is cheap.
const TRIES_MIN: usize = 64;
const TRIES_MAX: usize = 1024;
/// So many transactions may be looked at by all of that.
const LOOKED_AT_MAX: usize = 4_000_000;
/// So many transactions of unknown outcome are taken as committed, one after the other.
const ASSUMED_MAX: usize = 8;
/// So many versions before and after one in the order are tried for it.
const VERSIONS_EACH_MAX: usize = 8;

/// A refused cas and the versions that it may have read.
pub(super) struct Refused<'h> {
    pub(super) vertex: u32,
    pub(super) key: u32,
    expected: &'h Value,
    /// Who left them, or [`INITIAL`].
    pub(super) versions: Vec<u32>,
    /// Whether there may be more: of transactions of unknown outcome that nobody else saw, or too many.
    is_open: bool,
    /// Those of unknown outcome that come too late in its own process.
    late: Vec<u32>,
}

/// Whether a register may hold something else before it is written. Some show that as nil and some as an empty text.
fn differs_at_first(expected: &Value) -> bool {
    !expected.is_nil()
}

fn expected<'h>(all: &Transactions<'h>, txn: u32) -> Option<(&'h Value, &'h Value)> {
    let operation = &all.entry(txn as usize).operation;
    Some((&operation.key, operation.args.as_list()?.first()?))
}

/// What a transaction wrote to a key, in its order.
fn written<'h>(all: &Transactions<'h>, txn: u32, key: u32) -> impl DoubleEndedIterator<Item = &'h Value> {
    let of_key = all.ops(txn as usize).iter().filter(move |op| op.key == key);
    of_key.filter_map(|op| if let Action::Write(value) = op.action { Some(value) } else { None })
}

/// Reports each refused cas of which nothing but what it expected was ever there, or nothing that was committed. O(n) for each
/// key with one.
pub(super) fn report(all: &Transactions<'_>, reporter: &mut Reporter<'_, '_>) {
    let keys: FixedMap<&Value, u32> = if all.refused.is_empty() { FixedMap::default() } else { numbered(all) };
    let mut writers: FixedMap<u32, Vec<u32>> = FixedMap::default();
    for &txn in &all.refused {
        let Some((name, expected)) = expected(all, txn).filter(|(_, expected)| !differs_at_first(expected)) else {
            continue;
        };
        let others: Vec<u32> = match keys.get(name) {
            Some(&key) if all.kinds[key as usize] == Kind::List => continue,
            None => Vec::new(),
            Some(&key) => {
                let wrote = |txn: &u32| written(all, *txn, key).next().is_some();
                let writers = writers.entry(key).or_insert_with(|| (0..all.txns.len() as u32).filter(wrote).collect());
                let left = |txn: &u32| {
                    all.txns[*txn as usize].status != Status::Aborted
                        && written(all, *txn, key).next_back() != Some(expected)
                };
                if writers.iter().any(left) {
                    continue;
                }
                writers.iter().copied().filter(|txn| written(all, *txn, key).any(|value| value != expected)).collect()
            }
        };
        let is_aborted = |txn: &u32| all.txns[*txn as usize].status == Status::Aborted;
        let (kind, why) = match &others[..] {
            [] => (anomaly::THIN_AIR_READ, "nothing else was ever there"),
            others if others.iter().all(is_aborted) => {
                (anomaly::G1A, "what else was written was aborted: a dirty read")
            }
            _ => (anomaly::G1B, "what else was written was replaced or aborted by who wrote it: an intermediate read"),
        };
        let told: Vec<usize> = [txn].iter().chain(&others).map(|txn| *txn as usize).collect();
        reporter.report_of(&kind, name, &told, |r| format!("{} was refused, although {why}.", r.say(txn as usize)));
    }
}

fn numbered<'h>(all: &Transactions<'h>) -> FixedMap<&'h Value, u32> {
    (0..).zip(&all.keys).map(|(number, key)| (*key, number)).collect()
}

/// Who wrote a register.
#[derive(Default)]
struct Left<'h> {
    /// In the order, with what each left.
    writers: Vec<(u32, &'h Value)>,
    /// Transactions that may have, or not.
    open: Vec<u32>,
}

/// Refused cas whose register somebody touched, each with the versions that it may have read, given where transactions stand in an
/// order: what was there at first, and then what stands nearest.
///
/// # Errors
/// One that is about a list.
fn gather<'h>(known: &Inference<'_, 'h>, place: &[u32]) -> Result<Vec<Refused<'h>>, EntryId> {
    let all = known.all;
    let keys = numbered(all);
    let mut gathered = Vec::with_capacity(all.refused.len());
    let mut left: FixedMap<u32, Left<'h>> = FixedMap::default();
    for &txn in &all.refused {
        let Some((name, expected)) = expected(all, txn) else { continue };
        let Some(&key) = keys.get(name) else { continue };
        if all.kinds[key as usize] == Kind::List {
            return Err(all.txns[txn as usize].entry);
        }
        left.entry(key).or_default();
        let vertex = known.txns.partition_point(|other| *other < txn) as u32;
        gathered.push(Refused { vertex, key, expected, versions: Vec::new(), is_open: false, late: Vec::new() });
    }
    for (vertex, &txn) in (0..).zip(&known.txns) {
        for key in known.writes(vertex) {
            let Some(Left { writers, .. }) = left.get_mut(key) else { continue };
            writers.extend(written(all, txn, *key).next_back().map(|last| (vertex, last)));
        }
    }
    let is_open =
        |txn: &u32| all.txns[*txn as usize].status == Status::Unknown && known.txns.binary_search(txn).is_err();
    for txn in (0..all.txns.len() as u32).filter(is_open) {
        for op in all.ops(txn as usize).iter().filter(|op| matches!(op.action, Action::Write(_))) {
            left.entry(op.key).and_modify(|left| left.open.push(txn));
        }
    }
    for Left { writers, .. } in left.values_mut() {
        writers.sort_unstable_by_key(|(vertex, _)| place[*vertex as usize]);
    }
    for refused in &mut gathered {
        let Left { writers, open } = &left[&refused.key];
        let here = place[refused.vertex as usize];
        let (before, after) = writers.split_at(writers.partition_point(|(vertex, _)| place[*vertex as usize] < here));
        let initial = Some(INITIAL).filter(|_| !refused.expected.is_nil());
        let other = |(vertex, last): &(u32, &Value)| (*last != refused.expected).then_some(*vertex);
        let (mut before, mut after) = (before.iter().rev().filter_map(other), after.iter().filter_map(other));
        let versions: Vec<u32> = initial
            .into_iter()
            .chain(before.by_ref().take(VERSIONS_EACH_MAX))
            .chain(after.by_ref().take(VERSIONS_EACH_MAX))
            .collect();
        let are_more = before.next().is_some() || after.next().is_some();
        let me = known.txns[refused.vertex as usize];
        let session = |txn: u32| all.txns[txn as usize].session;
        let differs = |txn: &&u32| written(all, **txn, refused.key).next_back() != Some(refused.expected);
        let is_late = |txn: &&u32| **txn > me && session(**txn) == session(me);
        refused.is_open = are_more || open.iter().filter(differs).any(|txn| !is_late(&txn));
        refused.late = open.iter().filter(differs).filter(is_late).copied().collect();
        refused.versions = versions;
    }
    Ok(gathered)
}

/// The history with one transaction of unknown outcome taken as committed whose write a refused cas may have read, for some of them.
pub(crate) fn assumptions<'h>(all: &Transactions<'h>) -> impl Iterator<Item = Transactions<'h>> {
    let keys = if all.refused.is_empty() { FixedMap::default() } else { numbered(all) };
    let refused: BTreeSet<u32> =
        all.refused.iter().filter_map(|txn| keys.get(expected(all, *txn)?.0).copied()).collect();
    let is_open = |txn: &u32| all.txns[*txn as usize].status == Status::Unknown;
    let open = (0..all.txns.len() as u32).filter(is_open);
    let writes = move |txn: &u32| refused.iter().any(|key| written(all, *txn, *key).next().is_some());
    open.filter(writes).take(ASSUMED_MAX).map(|txn| {
        let mut assumed = all.clone();
        assumed.txns[txn as usize].status = Status::Committed;
        assumed
    })
}

/// Why a level is not found to allow what refused cas saw.
pub(crate) enum Unexplained {
    /// Nothing is known of this one.
    Unknown(EntryId),
    /// It cannot be.
    Impossible(Anomaly),
    /// The budget is spent.
    Spent(Verdict),
}

/// Whether each refused cas has a version that was there, as PL-1 and PL-2 ask.
pub(crate) fn is_there(known: &Inference<'_, '_>, uncommitted: bool) -> Result<(), Unexplained> {
    if known.all.refused.is_empty() || uncommitted {
        return Ok(());
    }
    let place: Vec<u32> = (0..known.len() as u32).collect();
    let unexplained = gather(known, &place).map(|all| all.into_iter().find(|refused| refused.versions.is_empty()));
    match unexplained {
        Ok(None) => Ok(()),
        Ok(Some(refused)) => Err(Unexplained::Unknown(known.txn(refused.vertex).entry)),
        Err(id) => Err(Unexplained::Unknown(id)),
    }
}

/// An order of a history with refused cas that the level allows, given one in which they read nothing.
pub(crate) fn explained(
    known: &Inference<'_, '_>,
    level: weak::Level,
    order: Vec<u32>,
    budget: &Budget,
) -> Result<Vec<u32>, Unexplained> {
    if known.all.refused.is_empty() {
        return Ok(order);
    }
    let mut place = vec![0; known.len()];
    (0..).zip(&order).for_each(|(at, vertex)| place[*vertex as usize] = at);
    let mut all = gather(known, &place).map_err(Unexplained::Unknown)?;
    visible::prefer(known, &order, &place, &mut all, budget);
    let tries = (LOOKED_AT_MAX / known.len().max(1)).clamp(TRIES_MIN, TRIES_MAX);
    Search { known, level, budget, tries, all }.explained()
}

struct Search<'a, 'h> {
    known: &'a Inference<'a, 'h>,
    level: weak::Level,
    budget: &'a Budget,
    tries: usize,
    /// The versions of each are those that are left, the preferred one first.
    all: Vec<Refused<'h>>,
}

impl Search<'_, '_> {
    /// What comes of the level where these read their preferred versions.
    fn ask(&mut self, which: impl Iterator<Item = usize>) -> Result<Result<Vec<u32>, Anomaly>, Unexplained> {
        let read = |i: usize| {
            let Refused { vertex, key, ref versions, .. } = self.all[i];
            Some((vertex, Read { key, source: *versions.first()?, elements: 0 }))
        };
        let reads: Vec<(u32, Read)> = which.filter_map(read).collect();
        weak::check(&self.known.with_reads(&reads), self.level, self.budget).map_err(Unexplained::Spent)
    }

    fn unknown(&self, i: usize) -> Unexplained {
        Unexplained::Unknown(self.known.txn(self.all[i].vertex).entry)
    }

    fn explained(&mut self) -> Result<Vec<u32>, Unexplained> {
        let mut sifted = vec![false; self.all.len()];
        let mut changes = vec![0; self.all.len()];
        loop {
            if let Some(none) = self.all.iter().position(|refused| refused.versions.is_empty()) {
                return Err(self.unknown(none));
            }
            let anomaly = match self.ask(0..self.all.len())? {
                Ok(order) => return Ok(order),
                Err(anomaly) => anomaly,
            };
            let is_named = |i: &usize| anomaly.operations.contains(&self.known.txn(self.all[*i].vertex).entry);
            let named: Vec<usize> = (0..self.all.len()).filter(is_named).collect();
            let Some(&first) = named.first() else { return Err(self.unknown(0)) };
            let mut is_new = false;
            for &i in &named {
                if !std::mem::replace(&mut sifted[i], true) {
                    let preferred = self.all[i].versions[0];
                    self.sift(i)?;
                    is_new |= self.all[i].versions.first() != Some(&preferred);
                }
            }
            if is_new {
                continue;
            }
            // What is left is possible by itself: choices are in each other's way.
            let may_change = named.iter().copied().filter(|i| self.all[*i].versions.len() > 1);
            let Some(other) = may_change.min_by_key(|i| changes[*i]) else {
                return Err(self.unknown(first));
            };
            changes[other] += 1;
            self.tries = self.tries.checked_sub(1).ok_or_else(|| self.unknown(other))?;
            self.all[other].versions.rotate_left(1);
        }
    }

    /// Leaves the versions that are possible by themselves.
    fn sift(&mut self, i: usize) -> Result<(), Unexplained> {
        let versions = self.all[i].versions.clone();
        let (mut left, mut wrong) = (Vec::new(), Vec::new());
        for &version in &versions {
            self.tries = self.tries.checked_sub(1).ok_or_else(|| self.unknown(i))?;
            self.all[i].versions = vec![version];
            match self.ask(std::iter::once(i))? {
                Ok(_) => left.push(version),
                Err(anomaly) => wrong.push(anomaly),
            }
        }
        if left.is_empty() && !self.all[i].is_open {
            return Err(Unexplained::Impossible(self.impossible(i, &versions, &wrong)));
        }
        self.all[i].versions = left;
        Ok(())
    }

    /// All versions are wrong, each as one of these anomalies says. The level that the mildest of them refutes is refuted.
    fn impossible(&self, i: usize, versions: &[u32], wrong: &[Anomaly]) -> Anomaly {
        let refuted =
            |anomaly: &&Anomaly| lattice::MODELS.iter().filter(|m| lattice::refutes(&anomaly.kind, m.name)).count();
        let mildest = wrong.iter().min_by_key(refuted).expect("there was a version");
        let refused = &self.all[i];
        let said = words::say(self.known.all, self.known.txns[refused.vertex as usize] as usize);
        let sentence = format!(
            "{said} was refused and so read something else than {}, yet {} in the way of the rest: {}",
            refused.expected,
            match versions.len() {
                1 => "the only other version is".to_owned(),
                n => format!("each of the {n} other versions is"),
            },
            mildest.sentence,
        );
        let writers = versions.iter().filter(|version| **version != INITIAL).chain([&refused.vertex]);
        let mut operations: Vec<EntryId> = writers.map(|vertex| self.known.txn(*vertex).entry).collect();
        operations.extend(refused.late.iter().map(|txn| self.known.all.txns[*txn as usize].entry));
        operations.extend(wrong.iter().flat_map(|anomaly| &anomaly.operations));
        Anomaly::new(mildest.kind.clone(), self.known.all.keys[refused.key as usize].clone(), operations, sentence)
    }
}
