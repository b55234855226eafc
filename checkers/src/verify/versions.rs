//! Adya's PL-1 and PL-2 (read uncommitted, `pl-2`): what transactions saw and wrote says which of them installed a version before
//! which. Nothing is left to choose, so that an order is looked at pair by pair, and a circle of pairs, or one operation that
//! cannot be, is the proof that there is none. Linear in the history.
//!
//! * Of a list: those who appended what the longest read shows, one after the other, and then all whose elements nobody saw.
//!   Elements of aborted transactions stand in it, and say nothing of the others.
//! * Of a register: whose write was read by a transaction that then replaced it comes before that.
//! * `pl-2`: nothing is read from an aborted transaction, nothing that its writer replaced before it ended, and whose write was
//!   read comes before who read it.
//! * A cas that was refused read another version than it expected: one that is in the order (`pl-2`), or any that was written.

use std::collections::BTreeSet;

use super::{
    Verification,
    acts::{Act, Acts, Key, Number, What},
    firsts::Firsts,
    instead::{self, Versions},
    placed::{Placed, refuted},
};
use crate::{
    history::{EntryId, History},
    partition::FixedMap,
    value::Value,
};

/// The levels that are known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Uncommitted,
    Committed,
}

impl Level {
    pub(super) fn named(checker: &str) -> Option<Level> {
        match checker {
            "read-uncommitted" => Some(Level::Uncommitted),
            "pl-2" => Some(Level::Committed),
            _ => None,
        }
    }
}

/// Of these two transactions the first installed its versions before the second, as a third one saw.
#[derive(Clone, Copy, Debug)]
struct Pair {
    first: EntryId,
    second: EntryId,
    /// Who saw something of the first, so that it took effect.
    reader: EntryId,
}

/// What a history asks of the order in which its transactions installed their versions.
struct Demands<'h> {
    history: &'h History,
    level: Level,
    acts: Acts<'h>,
    initial: Vec<Number>,
    versions: Versions<'h>,
    pairs: Vec<Pair>,
    /// Who saw the writes of whom.
    seen: Vec<(EntryId, EntryId)>,
    /// Who saw what cannot be, and what that is.
    refused: Vec<(EntryId, &'static str)>,
    /// Who saw what has more than one origin.
    unclear: Vec<EntryId>,
}

/// Whether in this order of transactions all that was seen was installed.
pub(super) fn installs(history: &History, level: Level, order: &[EntryId]) -> Result<(), Verification> {
    let mut placed = Placed::new(history);
    let mut place = vec![None; history.entries.len()];
    for (here, &id) in order.iter().enumerate() {
        placed.take(id)?;
        place[id] = Some(here);
    }
    placed.all()?;
    let demands = Demands::new(history, level)?;
    let is_placed = |id: EntryId| place[id].is_some();
    demands.are_clear(is_placed)?;
    let mut firsts = demands.firsts(order, is_placed)?;
    if let Some((reader, why)) = demands.refused.iter().find(|(reader, _)| is_placed(*reader)) {
        return Err(refuted(*reader, why));
    }
    let told = if demands.versions.is_empty() { &[] } else { order };
    if let Some(id) = told.iter().find(|id| !demands.has_a_reason(**id, is_placed, &mut firsts)) {
        return Err(refuted(*id, "was refused what was there"));
    }
    let is_missing = |(reader, writer): &&(EntryId, EntryId)| is_placed(*reader) && !is_placed(*writer);
    if let Some((_, writer)) = demands.seen.iter().find(is_missing) {
        return Err(refuted(*writer, "is left out, although its effect was seen"));
    }
    for Pair { first, second, reader } in demands.pairs {
        let (Some(first), Some(here), Some(_)) = (place[first], place[second], place[reader]) else { continue };
        if here < first {
            return Err(refuted(second, "comes before a transaction that installed its versions earlier"));
        }
    }
    Ok(())
}

/// Whether these transactions have no such order, whatever else happened. What only others saw does not count.
pub(super) fn impossible(history: &History, level: Level, named: &[EntryId]) -> Verification {
    if let Some(id) = named.iter().find(|id| **id >= history.entries.len()) {
        return refuted(*id, "is not there");
    }
    let demands = match Demands::new(history, level) {
        Ok(demands) => demands,
        Err(other) => return other,
    };
    let named: BTreeSet<EntryId> = named.iter().copied().collect();
    let happened = demands.happened(&named);
    let named: BTreeSet<EntryId> = named.into_iter().filter(|id| happened[*id]).collect();
    if let Err(unverified) = demands.are_clear(|id| named.contains(&id)) {
        return unverified;
    }
    let may_be = |id: EntryId| demands.may_have_happened(id);
    let by: Vec<EntryId> = named.iter().copied().collect();
    let Ok(mut firsts) = demands.firsts(&by, may_be) else { return Verification::Verified };
    if demands.refused.iter().any(|(reader, _)| named.contains(reader))
        || named.iter().any(|id| !demands.has_a_reason(*id, may_be, &mut firsts))
    {
        return Verification::Verified;
    }
    let mut after: FixedMap<EntryId, Vec<EntryId>> = FixedMap::default();
    let mut open: FixedMap<EntryId, usize> = FixedMap::default();
    let counts = |p: &&Pair| [p.first, p.second, p.reader].iter().all(|id| named.contains(id));
    for Pair { first, second, .. } in demands.pairs.iter().filter(counts) {
        after.entry(*first).or_default().push(*second);
        *open.entry(*second).or_default() += 1;
    }
    // What nothing comes before goes first; whatever is left then is in a circle, or behind one.
    let mut ready: Vec<EntryId> = named.iter().copied().filter(|id| !open.contains_key(id)).collect();
    let mut sorted = 0;
    while let Some(id) = ready.pop() {
        sorted += 1;
        for next in after.remove(&id).unwrap_or_default() {
            if let Some(left) = open.get_mut(&next) {
                *left -= 1;
                if *left == 0 {
                    ready.push(next);
                }
            }
        }
    }
    if sorted < named.len() {
        return Verification::Verified;
    }
    Verification::Refuted("the transactions it names have an order".to_owned())
}

/// A write to a register.
#[derive(Clone, Copy)]
struct Write {
    by: EntryId,
    /// Whether its transaction wrote nothing to the register after it.
    last: bool,
    /// Whether it certainly took no effect.
    aborted: bool,
    /// Whether others that may have taken effect wrote the same.
    ambiguous: bool,
}

/// An element of a list: who appended it, as which of its elements, counted from the last.
#[derive(Clone, Copy)]
struct Append {
    write: Write,
    followed_by: usize,
}

impl<'h> Demands<'h> {
    fn new(history: &'h History, level: Level) -> Result<Self, Verification> {
        let acts = Acts::new(history)?;
        if acts.is_mixed {
            return Err(Verification::Unverified("a key is both written and appended to".to_owned()));
        }
        let initial = [Value::Nil, Value::from("")].iter().filter_map(|value| acts.values.known(value)).collect();
        let versions = Versions::new(history, 0..history.entries.len())?;
        let (pairs, seen, refused, unclear) = Default::default();
        let mut demands = Demands { history, level, acts, initial, versions, pairs, seen, refused, unclear };
        let writes = demands.writes();
        let lists = demands.lists(&writes)?;
        let mut own: FixedMap<Key, Vec<Number>> = FixedMap::default();
        for id in 0..history.entries.len() {
            if !demands.may_have_happened(id) {
                continue;
            }
            own.clear();
            for at in 0..demands.acts.of(id).len() {
                let Act { key, what } = demands.acts.of(id)[at];
                match what {
                    What::Wrote(value) => own.entry(key).or_default().push(value),
                    What::Read(_) if own.contains_key(&key) => {}
                    What::Read(value) => demands.read(id, key, value, writes.get(&(key, value))),
                    What::Shown(shown) => {
                        let own = own.get(&key).map_or(&[][..], Vec::as_slice);
                        demands.showed(id, demands.acts.shown(shown), own, &lists[key as usize]);
                    }
                }
            }
        }
        Ok(demands)
    }

    /// Unverified where one of these saw what has more than one origin.
    fn are_clear(&self, takes_part: impl Fn(EntryId) -> bool) -> Result<(), Verification> {
        match self.unclear.iter().find(|id| takes_part(**id)) {
            Some(id) => Err(Verification::Unverified(format!("what operation {id} read has more than one origin"))),
            None => Ok(()),
        }
    }

    /// As what registers began, as these saw it if they and no others are in the order.
    fn firsts(&self, by: &[EntryId], is_in_order: impl Fn(EntryId) -> bool) -> Result<Firsts<'h>, Verification> {
        if self.versions.is_empty() && !self.acts.has_empty_text() {
            return Ok(Firsts::default());
        }
        let is_aborted = |id: EntryId| self.level == Level::Uncommitted && !self.may_have_happened(id);
        Firsts::shown(self.history, by.iter().copied(), |id| is_in_order(id) || is_aborted(id))
    }

    /// Whether there is a version that a cas read which was refused, if these are in the order.
    fn has_a_reason(&self, id: EntryId, is_in_order: impl Fn(EntryId) -> bool, firsts: &mut Firsts<'h>) -> bool {
        let Some((key, expected)) = instead::refused(&self.history.entries[id]) else { return true };
        let uncommitted = self.level == Level::Uncommitted;
        let mut others = self.versions.others(key, expected);
        others.any(|write| uncommitted || (write.last && is_in_order(write.by))) || firsts.differ(key, expected)
    }

    fn may_have_happened(&self, id: EntryId) -> bool {
        self.history.entries[id].is_ok() || self.history.entries[id].is_unknown()
    }

    /// By operation, whether it took effect: it said so, or one of these who took effect saw it.
    fn happened(&self, named: &BTreeSet<EntryId>) -> Vec<bool> {
        let mut happened: Vec<bool> = self.history.entries.iter().map(crate::history::Entry::is_ok).collect();
        let mut seen: FixedMap<EntryId, Vec<EntryId>> = FixedMap::default();
        let by_named = self.seen.iter().filter(|(reader, _)| named.contains(reader));
        by_named.for_each(|(reader, writer)| seen.entry(*reader).or_default().push(*writer));
        let mut open: Vec<EntryId> = (0..happened.len()).filter(|&id| happened[id]).collect();
        while let Some(reader) = open.pop() {
            for writer in seen.remove(&reader).unwrap_or_default() {
                if !std::mem::replace(&mut happened[writer], true) {
                    open.push(writer);
                }
            }
        }
        happened
    }

    /// Who wrote what to which register, or appended it to which list. What was aborted counts where nothing else wrote it.
    fn writes(&self) -> FixedMap<(Key, Number), Append> {
        let mut writes: FixedMap<(Key, Number), Append> = FixedMap::default();
        // By key: how many writes of the transaction follow the one that is looked at.
        let mut follow: FixedMap<Key, usize> = FixedMap::default();
        for by in 0..self.history.entries.len() {
            follow.clear();
            let aborted = !self.may_have_happened(by);
            for Act { key, what } in self.acts.of(by).iter().rev() {
                let What::Wrote(value) = *what else { continue };
                let followed_by = *follow.entry(*key).and_modify(|n| *n += 1).or_default();
                let write = Write { by, last: followed_by == 0, aborted, ambiguous: false };
                let new = Append { write, followed_by };
                writes
                    .entry((*key, value))
                    .and_modify(|known| match (known.write.aborted, aborted) {
                        (true, _) => *known = new,
                        (false, true) => {}
                        (false, false) => known.write.ambiguous = true,
                    })
                    .or_insert(new);
            }
        }
        writes
    }

    /// A register showed this, which its reader had not written itself.
    fn read(&mut self, id: EntryId, key: Key, value: Number, write: Option<&Append>) {
        let initial = self.initial.contains(&value);
        let Some(Append { write, .. }) = write.filter(|found| !(initial && found.write.aborted)) else {
            if !initial {
                self.refused.push((id, "saw a value that nobody wrote"));
            }
            return;
        };
        if write.ambiguous || initial {
            self.unclear.push(id);
            return;
        }
        if write.aborted || write.by == id {
            self.refuse(id, "saw a value that no other transaction committed");
            return;
        }
        if !write.last {
            self.refuse(id, "saw a value that was replaced by who wrote it");
        }
        self.seen.push((id, write.by));
        let replaces = self.acts.of(id).iter().any(|act| act.key == key && matches!(act.what, What::Wrote(_)));
        if self.level == Level::Committed || replaces {
            self.pairs.push(Pair { first: write.by, second: id, reader: id });
        }
    }

    /// Refuses it where all that is read has to be committed.
    fn refuse(&mut self, id: EntryId, why: &'static str) {
        if self.level == Level::Committed {
            self.refused.push((id, why));
        }
    }

    /// By key, what the longest read of a list shows; and what that asks for.
    fn lists(&mut self, writes: &FixedMap<(Key, Number), Append>) -> Result<Vec<List<'h>>, Verification> {
        let mut lists = vec![List::default(); self.acts.keys()];
        for id in (0..self.history.entries.len()).filter(|&id| self.history.entries[id].is_ok()) {
            for Act { key, what } in self.acts.of(id) {
                let What::Shown(shown) = *what else { continue };
                let list = &mut lists[*key as usize];
                if list.reader.is_none() || list.shown.len() < self.acts.shown(shown).len() {
                    *list = List { reader: Some(id), shown: self.acts.shown(shown), ..List::default() };
                }
            }
        }
        let mut appenders: Vec<BTreeSet<EntryId>> = vec![BTreeSet::new(); lists.len()];
        for id in (0..self.history.entries.len()).filter(|&id| self.may_have_happened(id)) {
            for act in self.acts.of(id).iter().filter(|act| matches!(act.what, What::Wrote(_))) {
                appenders[act.key as usize].insert(id);
            }
        }
        for (key, list) in (0..).zip(&mut lists) {
            let Some(reader) = list.reader.filter(|_| self.acts.is_list[key as usize]) else { continue };
            self.longest(key, reader, list, writes)?;
            let Some(tail) = list.appends.iter().flatten().rfind(|a| !a.write.aborted).map(|a| a.write.by) else {
                continue;
            };
            self.seen.push((reader, tail));
            // Whose elements stand there in part has others that nobody saw.
            let whole = |a: &&Append| a.write.last;
            let whole: BTreeSet<EntryId> = list.appends.iter().flatten().filter(whole).map(|a| a.write.by).collect();
            let unseen = appenders[key as usize].difference(&whole).filter(|id| **id != tail);
            self.pairs.extend(unseen.map(|&second| Pair { first: tail, second, reader }));
        }
        Ok(lists)
    }

    /// What the longest read of a list asks for.
    fn longest(
        &mut self,
        key: Key,
        reader: EntryId,
        list: &mut List<'h>,
        writes: &FixedMap<(Key, Number), Append>,
    ) -> Result<(), Verification> {
        let mut once: BTreeSet<&Value> = BTreeSet::new();
        // By transaction: as which of its elements the last one stands there that was looked at.
        let mut follow: FixedMap<EntryId, usize> = FixedMap::default();
        let mut before: Option<EntryId> = None;
        for element in list.shown {
            let append = self.acts.values.known(element).and_then(|value| writes.get(&(key, value))).copied();
            list.appends.push(append);
            if !once.insert(element) {
                self.refused.push((reader, "shows an element twice"));
                continue;
            }
            let Some(Append { write, followed_by }) = append else {
                self.refused.push((reader, "shows an element that nobody appended"));
                continue;
            };
            if write.ambiguous {
                return Err(Verification::Unverified(format!("{element} was appended more than once")));
            }
            let all =
                || self.acts.of(write.by).iter().filter(|a| a.key == key && matches!(a.what, What::Wrote(_))).count();
            if *follow.entry(write.by).or_insert_with(all) != followed_by + 1 {
                self.refused.push((reader, "shows elements of a transaction in another order"));
            }
            follow.insert(write.by, followed_by);
            if write.aborted {
                self.refuse(reader, "shows an element of an aborted transaction");
                continue;
            }
            if let Some(first) = before.replace(write.by).filter(|first| *first != write.by) {
                self.seen.push((reader, first));
                self.pairs.push(Pair { first, second: write.by, reader });
            }
        }
        Ok(())
    }

    /// A list showed this after its reader had appended these.
    fn showed(&mut self, id: EntryId, shown: &[Value], own: &[Number], list: &List<'h>) {
        if !list.shown.starts_with(shown) {
            self.refused.push((id, "shows a list that excludes another one"));
            return;
        }
        if self.level == Level::Uncommitted {
            return;
        }
        let known = |element: &Value| self.acts.values.known(element);
        let mut rest = shown.iter();
        if !own.iter().all(|own| rest.any(|element| known(element) == Some(*own))) {
            return;
        }
        let is_own = |element: &&Value| known(element).is_some_and(|element| own.contains(&element));
        let others = shown.len() - shown.iter().rev().take_while(is_own).count();
        let Some(last) = list.appends[..others].iter().flatten().rfind(|append| !append.write.aborted) else { return };
        if last.write.by == id {
            self.refused.push((id, "shows its own element before it is appended"));
            return;
        }
        if !last.write.last {
            self.refused.push((id, "shows a list in the middle of a transaction"));
        }
        self.seen.push((id, last.write.by));
        self.pairs.push(Pair { first: last.write.by, second: id, reader: id });
    }
}

/// The longest read of a list.
#[derive(Clone, Default)]
struct List<'h> {
    reader: Option<EntryId>,
    shown: &'h [Value],
    /// By element; `None` where nobody appended it.
    appends: Vec<Option<Append>>,
}
