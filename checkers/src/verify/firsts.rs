//! As what registers begin that transactions are about: nil or an empty text. Some show it by what they read; where nobody
//! does, a cas that was refused and read nothing else makes it the one that it did not expect.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Verification,
    acts::{How, asked},
    beginnings::Beginnings,
    instead::refused,
};
use crate::{
    history::{EntryId, History},
    value::Value,
};

/// What a register holds before it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum First {
    Nil,
    Empty,
}

impl First {
    /// `None` for what no register begins as.
    pub(super) fn of(value: &Value) -> Option<First> {
        if value.is_nil() {
            return Some(First::Nil);
        }
        (value.as_text() == Some("")).then_some(First::Empty)
    }

    pub(super) fn other(self) -> First {
        match self {
            First::Nil => First::Empty,
            First::Empty => First::Nil,
        }
    }
}

/// As what registers begin, as far as it is known.
#[derive(Clone, Default)]
pub(super) struct Firsts<'h>(BTreeMap<&'h Value, First>);

impl<'h> Firsts<'h> {
    /// As those show it of whom an order is.
    pub(super) fn of_order(history: &'h History, order: &[EntryId]) -> Result<Self, Verification> {
        if let Some(key) = unclear(history, order) {
            let why = format!("it is not clear whether {key} began as what was read of it, or was written as that");
            return Err(Verification::Unverified(why));
        }
        let mut is_placed = vec![false; history.entries.len()];
        for id in order {
            is_placed[*id] = true;
        }
        Firsts::shown(history, order.iter().copied(), |id| is_placed[id])
    }

    /// As these show it, given who may have written what they saw. Refuted where they show both.
    pub(super) fn shown(
        history: &'h History,
        by: impl Iterator<Item = EntryId>,
        may_have_written: impl Fn(EntryId) -> bool,
    ) -> Result<Self, Verification> {
        let mut firsts = BTreeMap::new();
        for (key, values) in Beginnings::NilOrEmpty.shown(history, by, may_have_written) {
            for first in values.into_iter().filter_map(First::of) {
                if firsts.insert(key, first).is_some() {
                    return Err(Verification::Refuted(
                        "a register was seen with two values that nobody wrote".to_owned(),
                    ));
                }
            }
        }
        Ok(Firsts(firsts))
    }

    /// Whether a register begins as this. If that was not known, it does from now on.
    pub(super) fn are(&mut self, key: &'h Value, first: First) -> bool {
        *self.0.entry(key).or_insert(first) == first
    }

    /// Whether it begins as something else than was expected. If that was not known, it does from now on.
    pub(super) fn differ(&mut self, key: &'h Value, expected: &Value) -> bool {
        First::of(expected).is_none_or(|expected| self.are(key, expected.other()))
    }

    /// Whether it is known that it begins as this or as something else.
    pub(super) fn is_known(&self, key: &Value) -> bool {
        self.0.contains_key(key)
    }
}

/// A register, if there is one, that was read as nil or as an empty text and written as that, while others saw the other one
/// there or a cas of it was refused: which of them saw it before all writes would be to be searched for.
fn unclear<'h>(history: &'h History, order: &[EntryId]) -> Option<&'h Value> {
    let mut read: BTreeMap<&Value, BTreeSet<First>> = BTreeMap::new();
    let (mut written, mut told) = (BTreeSet::new(), BTreeSet::new());
    for entry in order.iter().map(|id| &history.entries[*id]) {
        told.extend(refused(entry).map(|(key, _)| key));
        for (key, how, value) in asked(entry) {
            match value.and_then(First::of) {
                Some(first) if how == How::Reads => _ = read.entry(key).or_default().insert(first),
                Some(first) => _ = written.insert((key, first)),
                None => {}
            }
        }
    }
    let matters = |key: &Value, seen: &BTreeSet<First>| seen.len() > 1 || told.contains(key);
    let is_written = |key, seen: &BTreeSet<First>| seen.iter().any(|first| written.contains(&(key, *first)));
    read.into_iter().find(|(key, seen)| matters(key, seen) && is_written(*key, seen)).map(|(key, _)| key)
}
