//! In an order of commits, what each refused cas read, of what it can see: another version than it expected. Of causal
//! consistency that is a choice, since who reads sees all that happened before.

use super::{
    Verification,
    commits::Place,
    firsts::{First, Firsts},
    instead::{Versions, refused},
    sees::End,
};
use crate::{
    history::{EntryId, History},
    partition::FixedMap,
    value::Value,
};

/// A refused cas where it stands.
#[derive(Clone, Copy)]
pub(super) struct Refused<'h> {
    place: Place,
    key: &'h Value,
    expected: &'h Value,
}

/// What there was to read for refused cas.
pub(super) struct Others<'h> {
    /// By place.
    refused: FixedMap<Place, Refused<'h>>,
    /// By key, ascending: who wrote it, of which process, and what that left.
    left: FixedMap<&'h Value, Vec<(Place, u32, &'h Value)>>,
    process: Vec<u32>,
    /// As what registers begin: as was seen, and as was chosen by now.
    seen: Firsts<'h>,
    firsts: Firsts<'h>,
    /// How many versions there were to choose from, and which was chosen; and how many of these choices were looked up by now.
    choices: Vec<(usize, usize)>,
    looked: usize,
}

impl<'h> Others<'h> {
    pub(super) fn new(history: &'h History, order: &[EntryId], seen: Firsts<'h>) -> Result<Self, Verification> {
        let versions = Versions::new(history, order.iter().copied())?;
        let (firsts, choices, looked) = (seen.clone(), Vec::new(), 0);
        if versions.is_empty() {
            let (refused, left, process) = Default::default();
            return Ok(Others { refused, left, process, seen, firsts, choices, looked });
        }
        let process: Vec<u32> = order.iter().map(|id| history.entries[*id].process.0).collect();
        let told = |(place, id): (Place, &EntryId)| {
            let (key, expected) = refused(&history.entries[*id])?;
            Some((place, Refused { place, key, expected }))
        };
        let refused: FixedMap<Place, Refused<'_>> = (0..).zip(order).filter_map(told).collect();
        let place_of: FixedMap<EntryId, Place> = order.iter().copied().zip(0..).collect();
        let mut left: FixedMap<&Value, Vec<_>> = FixedMap::default();
        for Refused { key, .. } in refused.values() {
            left.entry(key).or_insert_with(|| {
                let last = versions.of(key).iter().filter(|write| write.last);
                last.map(|w| (place_of[&w.by], process[place_of[&w.by] as usize], w.value)).collect()
            });
        }
        Ok(Others { refused, left, process, seen, firsts, choices, looked })
    }

    /// The refused cas that stands here.
    pub(super) fn refused(&self, place: Place) -> Option<Refused<'h>> {
        self.refused.get(&place).copied()
    }

    /// Whether each has a version to read that comes before it, not older than what its process wrote itself if that counts.
    pub(super) fn were_there(&mut self, by_process: bool) -> Result<(), End> {
        for &refused in self.refused.values() {
            let own = |(_, by, _): &&(Place, u32, &Value)| by_process && *by == self.process[refused.place as usize];
            let before = before(&self.left, refused);
            let since = before.iter().rposition(|write| own(&write));
            let is_other = |(.., value): &(Place, u32, &Value)| *value != refused.expected;
            let was_there = before[since.unwrap_or(0)..].iter().any(is_other)
                || (since.is_none() && self.firsts.differ(refused.key, refused.expected));
            if !was_there {
                return Err(End::Stale(refused.place));
            }
        }
        Ok(())
    }

    /// Whose write it read, if it did not see that already, given which writers it sees. The last that it sees is the best, where it
    /// is another version: nothing else comes to be seen by that.
    pub(super) fn read(
        &mut self,
        refused: Refused<'h>,
        mut sees: impl FnMut(Place) -> bool,
    ) -> Result<Option<Place>, End> {
        let before = before(&self.left, refused);
        let last = before.iter().rposition(|(writer, ..)| sees(*writer));
        let Refused { key, expected, .. } = refused;
        let is_open = last.is_none() && First::of(expected).is_some() && !self.firsts.is_known(key);
        let is_other = match last {
            Some(last) => before[last].2 != expected,
            None => !is_open && self.firsts.differ(key, expected),
        };
        if is_other {
            return Ok(None);
        }
        let later = &before[last.map_or(0, |last| last + 1)..];
        let later = later.iter().filter(|(.., value)| *value != expected).map(|(writer, ..)| Some(*writer));
        // To read what was there at first is a choice where nothing says yet what that was.
        let others: Vec<Option<Place>> = is_open.then_some(None).into_iter().chain(later).collect();
        if others.is_empty() {
            return Err(End::Stale(refused.place));
        }
        if self.looked == self.choices.len() {
            self.choices.push((others.len(), 0));
        }
        let (_, chosen) = self.choices[self.looked];
        self.looked += 1;
        if others[chosen].is_none() {
            self.firsts.differ(key, expected);
        }
        Ok(others[chosen])
    }

    /// The next choice; false if there is none.
    pub(super) fn choose_again(&mut self) -> bool {
        self.choices.truncate(self.looked);
        self.looked = 0;
        self.firsts = self.seen.clone();
        while let Some((of, chosen)) = self.choices.pop() {
            if chosen + 1 < of {
                self.choices.push((of, chosen + 1));
                return true;
            }
        }
        false
    }
}

/// What was left in the register of a refused cas before that.
fn before<'l, 'h>(
    left: &'l FixedMap<&'h Value, Vec<(Place, u32, &'h Value)>>,
    refused: Refused<'h>,
) -> &'l [(Place, u32, &'h Value)] {
    let left = &left[refused.key];
    &left[..left.partition_point(|(writer, ..)| *writer < refused.place)]
}
