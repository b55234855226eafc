//! What is left of a history when all is deleted that has nothing to do with a few transactions: these, and what they need.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    acts::{How, acts, asked},
    firsts::First,
    instead::refused,
};
use crate::{
    history::{Entry, EntryId, History},
    partition::FixedMap,
    value::Value,
};

/// What was seen of a key.
#[derive(Clone, Debug)]
pub(super) enum Seen<'h> {
    /// A register held this.
    Last(&'h Value),
    /// A list held these elements, as far as they are kept.
    All(Vec<&'h Value>),
}

/// What a transaction did to a key.
#[derive(Clone, Debug)]
pub(super) enum Act<'h> {
    Read(Seen<'h>),
    /// It wrote a register or appended to a list.
    Write(&'h Value),
    /// A cas that was refused read something else than this.
    Refused(&'h Value),
}

/// A transaction that is kept, and what it did to which key.
pub(super) struct Txn<'h> {
    pub(super) entry: &'h Entry,
    pub(super) acts: Vec<(&'h Value, Act<'h>)>,
}

/// Who wrote what, in the whole history.
struct Writers<'h> {
    of: FixedMap<(&'h Value, &'h Value), Vec<EntryId>>,
    lists: BTreeSet<&'h Value>,
}

impl<'h> Writers<'h> {
    fn new(history: &'h History) -> Self {
        let mut writers = Writers { of: FixedMap::default(), lists: BTreeSet::new() };
        let mut registers = BTreeSet::new();
        let mut shown = BTreeSet::new();
        for (id, entry) in history.entries.iter().enumerate() {
            for (key, writes, value) in acts(entry) {
                if writes && (entry.is_ok() || entry.is_unknown()) {
                    writers.of.entry((key, value)).or_default().push(id);
                }
                if !writes && value.as_list().is_some() {
                    shown.insert(key);
                }
            }
            for (key, how, _) in asked(entry) {
                match how {
                    How::Reads => continue,
                    How::Writes => registers.insert(key),
                    How::Appends => writers.lists.insert(key),
                };
            }
        }
        writers.lists.extend(shown.difference(&registers));
        writers
    }

    /// Whether only transactions that are kept wrote this, perhaps none at all.
    fn kept(&self, key: &'h Value, value: &'h Value, kept: &BTreeSet<EntryId>) -> bool {
        self.of.get(&(key, value)).is_none_or(|writers| writers.iter().all(|w| kept.contains(w)))
    }

    /// Whether all who left in this register what is not expected are kept.
    fn kept_others(
        &self,
        history: &'h History,
        (key, expected): (&'h Value, &'h Value),
        kept: &BTreeSet<EntryId>,
    ) -> bool {
        let left = |id: EntryId| acts(&history.entries[id]).into_iter().rfind(|(of, writes, _)| *writes && *of == key);
        let is_other = |id: EntryId| left(id).is_some_and(|(.., value)| value != expected);
        let writers = self.of.iter().filter(|((of, value), _)| *of == key && *value != expected);
        !self.lists.contains(key) && writers.flat_map(|(_, ids)| ids).all(|id| kept.contains(id) || !is_other(*id))
    }
}

/// The transactions that are named, with those whose writes they saw and the longest reads of their lists. What they saw of
/// others is forgotten.
pub(super) fn keep<'h>(history: &'h History, named: &[EntryId]) -> Vec<Txn<'h>> {
    let writers = Writers::new(history);
    let happens = |id: EntryId| history.entries[id].is_ok() || history.entries[id].is_unknown();
    let mut kept: BTreeSet<EntryId> = named.iter().copied().filter(|&id| happens(id)).collect();
    let of_named: Vec<_> = kept.iter().flat_map(|&id| acts(&history.entries[id])).collect();
    let changed: BTreeSet<&Value> = of_named.iter().filter(|(_, writes, _)| *writes).map(|(key, ..)| *key).collect();
    for &(key, writes, value) in &of_named {
        if !writes && changed.contains(key) {
            kept.extend(writers.of.get(&(key, value)).into_iter().flatten());
        }
    }
    let mut longest: BTreeMap<&Value, (usize, EntryId)> = BTreeMap::new();
    for (id, entry) in history.entries.iter().enumerate().filter(|(_, e)| e.is_ok()) {
        for (key, _, value) in acts(entry).into_iter().filter(|(key, writes, _)| !writes && writers.lists.contains(key))
        {
            let length = value.as_list().map_or(0, <[Value]>::len);
            let known = longest.entry(key).or_insert((length, id));
            if known.0 < length {
                *known = (length, id);
            }
        }
    }
    for &(key, writes, value) in &of_named {
        let Some(&(_, reader)) = longest.get(key) else { continue };
        kept.insert(reader);
        if writes {
            continue;
        }
        // The last element that was seen, and the first that is another one in the longest read.
        let shown = value.as_list().unwrap_or_default();
        for (_, _, other) in acts(&history.entries[reader]).into_iter().filter(|(k, writes, _)| k == &key && !writes) {
            let other = other.as_list().unwrap_or_default();
            let differs = (0..shown.len().min(other.len())).find(|&i| shown[i] != other[i]);
            let told = differs.map(|i| [&shown[i], &other[i]]).into_iter().flatten().chain(shown.last());
            kept.extend(told.filter_map(|element| writers.of.get(&(key, element))).flatten());
        }
    }
    let cut = |id: EntryId| {
        let entry = &history.entries[id];
        let act = |(key, writes, value): (&'h Value, bool, &'h Value)| {
            if writes {
                return Some((key, Act::Write(value)));
            }
            if writers.lists.contains(key) {
                let elements = value.as_list().unwrap_or_default().iter();
                let left = elements.filter(|element| writers.kept(key, element, &kept)).collect();
                return Some((key, Act::Read(Seen::All(left))));
            }
            // What was written and may have been there at first says nothing.
            let is_told = First::of(value).is_none() || !writers.of.contains_key(&(key, value));
            (is_told && writers.kept(key, value, &kept)).then_some((key, Act::Read(Seen::Last(value))))
        };
        let tells = |told: &(&'h Value, &'h Value)| writers.kept_others(history, *told, &kept);
        let told = refused(entry).filter(tells).map(|(key, expected)| (key, Act::Refused(expected)));
        Txn { entry, acts: acts(entry).into_iter().filter_map(act).chain(told).collect() }
    };
    kept.iter().map(|&id| cut(id)).collect()
}
