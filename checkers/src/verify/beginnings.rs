//! What a register held before it was written is one value, whoever saw it.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Verification,
    acts::{How, acts, asked},
    instead::refused,
};
use crate::{
    history::{Entry, EntryId, History},
    value::Value,
};

/// The two values of which a register begins as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beginnings {
    NilOrZero,
    NilOrEmpty,
}

impl Beginnings {
    fn has(self, value: &Value) -> bool {
        match self {
            _ if value.is_nil() => true,
            Beginnings::NilOrZero => *value == Value::Int(0),
            Beginnings::NilOrEmpty => value.as_text() == Some(""),
        }
    }

    /// Whether something was seen that not all histories show: then it is worth to look.
    pub(super) fn may_contradict(self, history: &History) -> bool {
        let is_shown = |(_, how, value): (_, How, Option<&Value>)| {
            how == How::Reads && value.is_some_and(|value| !value.is_nil() && self.has(value))
        };
        history.entries.iter().any(|entry| asked(entry).any(is_shown))
    }

    /// Whether these operations show a register with both, and nobody wrote either. What was aborted may have been read where
    /// `reads_aborted`.
    pub(super) fn contradict(self, history: &History, reads_aborted: bool, named: &[EntryId]) -> bool {
        let may_have_written = |id: EntryId| reads_aborted || may_have_happened(&history.entries[id]);
        let shown = self.shown(history, effective(history, named).into_iter(), may_have_written);
        shown.values().any(|values| values.len() > 1)
    }

    /// By register, which of the two these saw there that nobody of those wrote who may have.
    pub(super) fn shown(
        self,
        history: &History,
        by: impl Iterator<Item = EntryId>,
        may_have_written: impl Fn(EntryId) -> bool,
    ) -> BTreeMap<&Value, BTreeSet<&Value>> {
        let mut shown: BTreeMap<&Value, BTreeSet<&Value>> = BTreeMap::new();
        for id in by {
            for (key, value) in reads_of_others(&history.entries[id]).filter(|(_, value)| self.has(value)) {
                shown.entry(key).or_default().insert(value);
            }
        }
        if shown.is_empty() {
            return shown;
        }
        for (id, entry) in history.entries.iter().enumerate() {
            for (key, writes, value) in acts(entry) {
                if writes && self.has(value) && may_have_written(id) {
                    shown.entry(key).and_modify(|values| _ = values.remove(value));
                }
            }
        }
        shown
    }
}

/// Whether a register was seen, perhaps before anybody wrote it, as something else than nil: as 0, which some begin as, or as an
/// empty text, which these do not.
pub(super) fn may_be_zero(history: &History) -> bool {
    let is_other = |value: &Value| Beginnings::NilOrZero.has(value) || Beginnings::NilOrEmpty.has(value);
    let is_told = |(_, how, value): (_, How, Option<&Value>)| {
        how == How::Reads && value.is_some_and(|value| !value.is_nil() && is_other(value))
    };
    history
        .entries
        .iter()
        .filter(|entry| may_have_happened(entry))
        .any(|entry| asked(entry).any(is_told) || refused(entry).is_some_and(|(_, expected)| is_other(expected)))
}

/// Refuted where a register was seen as nil and as an empty text before anybody wrote it. Not worth a look where no empty text was
/// seen.
pub(super) fn once(history: &History, reads_aborted: bool) -> Result<(), Verification> {
    let everything: Vec<EntryId> = (0..history.entries.len()).collect();
    if Beginnings::NilOrEmpty.contradict(history, reads_aborted, &everything) {
        return Err(Verification::Refuted("a register was seen with two values that nobody wrote".to_owned()));
    }
    Ok(())
}

/// What was read of registers before the same transaction wrote them.
fn reads_of_others(entry: &Entry) -> impl Iterator<Item = (&Value, &Value)> {
    let mut own: BTreeSet<&Value> = BTreeSet::new();
    acts(entry).into_iter().filter_map(move |(key, writes, value)| {
        if writes {
            own.insert(key);
        }
        (!writes && !own.contains(key)).then_some((key, value))
    })
}

fn may_have_happened(entry: &Entry) -> bool {
    entry.is_ok() || entry.is_unknown()
}

/// Those of the named operations that certainly happened, or whose effect one of these shows which certainly did.
fn effective(history: &History, named: &[EntryId]) -> BTreeSet<EntryId> {
    let is_ok = |id: &EntryId| history.entries[*id].is_ok();
    let (mut effective, mut open): (BTreeSet<EntryId>, BTreeSet<EntryId>) =
        named.iter().filter(|id| **id < history.entries.len()).partition(|id| is_ok(id));
    open.retain(|id| history.entries[*id].is_unknown());
    if open.is_empty() {
        return effective;
    }
    let mut writers: BTreeMap<(&Value, &Value), BTreeSet<EntryId>> = BTreeMap::new();
    for (id, entry) in history.entries.iter().enumerate().filter(|(_, e)| may_have_happened(e)) {
        for (key, _, value) in acts(entry).into_iter().filter(|(_, writes, _)| *writes) {
            writers.entry((key, value)).or_default().insert(id);
        }
    }
    loop {
        let before = effective.len();
        let reads = effective.iter().flat_map(|id| reads_of_others(&history.entries[*id]));
        let seen: Vec<EntryId> =
            reads.filter_map(|read| writers.get(&read)).filter(|by| by.len() == 1).flatten().copied().collect();
        effective.extend(seen.into_iter().filter(|id| open.contains(id)));
        if effective.len() == before {
            return effective;
        }
    }
}
