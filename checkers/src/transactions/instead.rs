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
    beginnings::{Beginning, Beginnings, Shown},
    inference::{INITIAL, Inference, Read},
    ingest::{Action, Kind, Refused, Status, Transactions},
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
/// So many transactions of unknown outcome are taken as committed, one after the other: more where that is cheap.
const ASSUMED_MIN: usize = 8;
const ASSUMED_MAX: usize = 64;
/// So many versions before and after one in the order are tried for it.
const VERSIONS_EACH_MAX: usize = 8;

/// A refused cas and the versions that it may have read.
pub(super) struct Choice<'h> {
    pub(super) cas: Refused<'h>,
    pub(super) vertex: u32,
    /// Who left them, or [`INITIAL`].
    pub(super) versions: Vec<u32>,
    /// Whether there may be more: of transactions of unknown outcome that nobody else saw, or too many.
    is_open: bool,
    /// Those of unknown outcome that come too late in its own process.
    late: Vec<u32>,
}

/// What a transaction wrote to a key, in its order.
fn written<'h>(all: &Transactions<'h>, txn: u32, key: u32) -> impl DoubleEndedIterator<Item = &'h Value> {
    let of_key = all.ops(txn as usize).iter().filter(move |op| op.key == key);
    of_key.filter_map(|op| if let Action::Write(value) = op.action { Some(value) } else { None })
}

/// Who wrote a register.
#[derive(Default)]
struct Left<'h> {
    /// In the order, with what each left.
    writers: Vec<(u32, &'h Value)>,
    /// Transactions that may have, or not.
    open: Vec<u32>,
}

/// Each refused cas with the versions that it may have read, given where transactions stand in an order and as what registers
/// begin: what was there at first, and then what stands nearest.
///
/// # Errors
/// One that is about a list.
fn gather<'h>(
    known: &Inference<'_, 'h>,
    place: &[u32],
    beginnings: &Beginnings,
) -> Result<Vec<Choice<'h>>, Unexplained> {
    let all = known.all;
    let mut left: FixedMap<u32, Left<'h>> = all.refused.iter().map(|cas| (cas.key, Left::default())).collect();
    if let Some(list) = all.refused.iter().find(|cas| all.kinds[cas.key as usize] == Kind::List) {
        return Err(Unexplained::unknown(known, list));
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
    let choice = |&cas: &Refused<'h>| {
        let Left { writers, open } = &left[&cas.key];
        let vertex = known.txns.partition_point(|other| *other < cas.txn) as u32;
        let here = place[vertex as usize];
        let (before, after) = writers.split_at(writers.partition_point(|(vertex, _)| place[*vertex as usize] < here));
        let initial = Some(INITIAL).filter(|_| beginnings.refuse(&cas));
        let other = |(vertex, last): &(u32, &Value)| (*last != cas.expected).then_some(*vertex);
        let (mut before, mut after) = (before.iter().rev().filter_map(other), after.iter().filter_map(other));
        let versions: Vec<u32> = initial
            .into_iter()
            .chain(before.by_ref().take(VERSIONS_EACH_MAX))
            .chain(after.by_ref().take(VERSIONS_EACH_MAX))
            .collect();
        let are_more = before.next().is_some() || after.next().is_some();
        let session = |txn: u32| all.txns[txn as usize].session;
        let differs = |txn: &&u32| written(all, **txn, cas.key).next_back() != Some(cas.expected);
        let is_late = |txn: &&u32| **txn > cas.txn && session(**txn) == session(cas.txn);
        let is_open = are_more || open.iter().filter(differs).any(|txn| !is_late(&txn));
        let late = open.iter().filter(differs).filter(is_late).copied().collect();
        Choice { cas, vertex, versions, is_open, late }
    };
    Ok(all.refused.iter().map(choice).collect())
}

/// The history with one transaction of unknown outcome taken as committed whose write a refused cas may have read, for some of them.
pub(crate) fn assumptions<'h>(all: &Transactions<'h>) -> impl Iterator<Item = Transactions<'h>> {
    let refused: BTreeSet<u32> = all.refused.iter().map(|cas| cas.key).collect();
    let is_open = |txn: &u32| all.txns[*txn as usize].status == Status::Unknown;
    let open = (0..all.txns.len() as u32).filter(is_open);
    let writes = move |txn: &u32| refused.iter().any(|key| written(all, *txn, *key).next().is_some());
    let most = (LOOKED_AT_MAX / all.txns.len().max(1)).clamp(ASSUMED_MIN, ASSUMED_MAX);
    open.filter(writes).take(most).map(|txn| {
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

impl Unexplained {
    fn unknown(known: &Inference<'_, '_>, cas: &Refused<'_>) -> Self {
        Unexplained::Unknown(known.all.txns[cas.txn as usize].entry)
    }
}

/// Whether each refused cas has a version that was there, as PL-1 and PL-2 ask.
pub(crate) fn is_there(known: &Inference<'_, '_>, uncommitted: bool) -> Result<(), Unexplained> {
    if known.all.refused.is_empty() || uncommitted {
        return Ok(());
    }
    let place: Vec<u32> = (0..known.len() as u32).collect();
    let mut beginnings = Beginnings::new(known);
    loop {
        let all = gather(known, &place, &beginnings)?;
        let Some(Choice { cas, .. }) = all.iter().find(|choice| choice.versions.is_empty()) else { return Ok(()) };
        if !beginnings.turn(cas) {
            return Err(Unexplained::unknown(known, cas));
        }
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
    let tries = (LOOKED_AT_MAX / known.len().max(1)).clamp(TRIES_MIN, TRIES_MAX);
    let mut beginnings = Beginnings::new(known);
    // By key: why it does not begin as it was taken to before, if that is certain.
    let mut turned: FixedMap<u32, Option<Anomaly>> = FixedMap::default();
    loop {
        let mut all = gather(known, &place, &beginnings)?;
        visible::prefer(known, &order, &place, &mut all, budget);
        let stuck = match (Search { known, level, budget, tries, all }).explained() {
            Ok(order) => return Ok(order),
            Err(End::Spent(verdict)) => return Err(Unexplained::Spent(verdict)),
            Err(End::Stuck(stuck)) => stuck,
        };
        let cas = &known.all.refused[stuck.at];
        if beginnings.turn(cas) {
            turned.insert(cas.key, stuck.why);
            continue;
        }
        // Who may have read what was there at first needs no proof of the other case.
        let before = if beginnings.refuse(cas) { None } else { turned.remove(&cas.key) };
        return Err(match (stuck.why, before) {
            (Some(anomaly), None) => Unexplained::Impossible(anomaly),
            (Some(anomaly), Some(Some(before))) => Unexplained::Impossible(both(before, anomaly)),
            _ => Unexplained::unknown(known, cas),
        });
    }
}

/// How many levels an anomaly refutes.
fn refuted(anomaly: &Anomaly) -> usize {
    lattice::MODELS.iter().filter(|model| lattice::refutes(&anomaly.kind, model.name)).count()
}

/// Whichever of the two a register began as, there is an anomaly.
fn both(one: Anomaly, other: Anomaly) -> Anomaly {
    let (mild, grave) = if refuted(&one) <= refuted(&other) { (one, other) } else { (other, one) };
    let sentence = format!("{} And if the register began as the other: {}", mild.sentence, grave.sentence);
    let operations = [mild.operations, grave.operations].concat();
    Anomaly::new(mild.kind, mild.key, operations, sentence)
}

/// Why no order is found.
enum End {
    Stuck(Stuck),
    Spent(Verdict),
}

/// A refused cas without a version, by its place among them.
struct Stuck {
    at: usize,
    /// What is wrong with each of its versions; `None` where nothing is known of it.
    why: Option<Anomaly>,
}

struct Search<'a, 'h> {
    known: &'a Inference<'a, 'h>,
    level: weak::Level,
    budget: &'a Budget,
    tries: usize,
    /// The versions of each are those that are left, the preferred one first.
    all: Vec<Choice<'h>>,
}

impl Search<'_, '_> {
    /// What comes of the level where these read their preferred versions.
    fn ask(&mut self, which: impl Iterator<Item = usize>) -> Result<Result<Vec<u32>, Anomaly>, End> {
        let read = |i: usize| {
            let Choice { cas, vertex, ref versions, .. } = self.all[i];
            Some((vertex, Read { key: cas.key, source: *versions.first()?, elements: 0 }))
        };
        let reads: Vec<(u32, Read)> = which.filter_map(read).collect();
        weak::check(&self.known.with_reads(&reads), self.level, self.budget).map_err(End::Spent)
    }

    fn explained(&mut self) -> Result<Vec<u32>, End> {
        let unknown = |at| End::Stuck(Stuck { at, why: None });
        let mut sifted = vec![false; self.all.len()];
        let mut changes = vec![0; self.all.len()];
        loop {
            if let Some(none) = self.all.iter().position(|choice| choice.versions.is_empty()) {
                self.sift(none)?;
                return Err(unknown(none));
            }
            let anomaly = match self.ask(0..self.all.len())? {
                Ok(order) => return Ok(order),
                Err(anomaly) => anomaly,
            };
            let is_named = |i: &usize| anomaly.operations.contains(&self.known.txn(self.all[*i].vertex).entry);
            let named: Vec<usize> = (0..self.all.len()).filter(is_named).collect();
            let Some(&first) = named.first() else { return Err(unknown(0)) };
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
                return Err(unknown(first));
            };
            changes[other] += 1;
            self.tries = self.tries.checked_sub(1).ok_or_else(|| unknown(other))?;
            self.all[other].versions.rotate_left(1);
        }
    }

    /// Leaves the versions that are possible by themselves.
    fn sift(&mut self, i: usize) -> Result<(), End> {
        let versions = self.all[i].versions.clone();
        let (mut left, mut wrong) = (Vec::new(), Vec::new());
        for &version in &versions {
            self.tries = self.tries.checked_sub(1).ok_or(End::Stuck(Stuck { at: i, why: None }))?;
            self.all[i].versions = vec![version];
            match self.ask(std::iter::once(i))? {
                Ok(_) => left.push(version),
                Err(anomaly) => wrong.push(anomaly),
            }
        }
        if left.is_empty() && !self.all[i].is_open {
            return Err(End::Stuck(Stuck { at: i, why: Some(self.impossible(i, &versions, &wrong)) }));
        }
        self.all[i].versions = left;
        Ok(())
    }

    /// All versions are wrong, each as one of these anomalies says. The level that the mildest of them refutes is refuted.
    fn impossible(&self, i: usize, versions: &[u32], wrong: &[Anomaly]) -> Anomaly {
        let Choice { cas, vertex, ref late, .. } = self.all[i];
        let all = self.known.all;
        let said = words::say(all, cas.txn as usize);
        let mildest = wrong.iter().min_by_key(|anomaly| refuted(anomaly));
        let (kind, why) = match mildest {
            Some(mildest) if versions.len() == 1 => {
                (&mildest.kind, format!("the only other version is in the way of the rest: {}", mildest.sentence))
            }
            Some(mildest) => {
                let n = versions.len();
                (
                    &mildest.kind,
                    format!("each of the {n} other versions is in the way of the rest: {}", mildest.sentence),
                )
            }
            // To read what its own process wrote later would be a circle.
            None => (&anomaly::CYCLIC_CAUSALITY, "nothing else was there before it.".to_owned()),
        };
        let expected = cas.expected;
        let sentence = format!("{said} was refused and so read something else than {expected}, yet {why}");
        let writers = versions.iter().filter(|version| **version != INITIAL).chain([&vertex]);
        let mut operations: Vec<EntryId> = writers.map(|vertex| self.known.txn(*vertex).entry).collect();
        let beginning = self.known.beginnings[cas.key as usize];
        let is_that = |shown: &Shown| Some(shown.beginning) == Beginning::of(expected);
        let witness = beginning.filter(is_that).map(|shown| shown.txn);
        operations.extend(late.iter().map(|txn| *txn as usize).chain(witness).map(|txn| all.txns[txn].entry));
        operations.extend(wrong.iter().flat_map(|anomaly| &anomaly.operations));
        Anomaly::new(kind.clone(), all.keys[cas.key as usize].clone(), operations, sentence)
    }
}
