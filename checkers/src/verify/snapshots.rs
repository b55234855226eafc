//! Snapshot isolation: in an order of commits, each transaction reads from the state after some number of commits.

use super::{
    Verification,
    acts::{How, asked},
    commits::{Commits, Own, Place, Read},
    firsts::Firsts,
    instead::refused,
    isolated::Beside,
    placed::refuted,
};
use crate::{
    budget::Budget,
    history::{Entry, EntryId, History, Order},
    partition::FixedMap,
    value::Value,
};

/// Whether each transaction has a snapshot, if they commit in this order.
pub(super) fn snapshots(
    history: &History,
    order: &[EntryId],
    beside: Beside,
    budget: &Budget,
) -> Result<(), Verification> {
    if beside == Beside::Time && history.order == Order::Processes {
        return Err(Verification::Refuted("the history does not know real time".to_owned()));
    }
    let commits = Commits::new(history, order)?;
    if beside == Beside::Processes {
        commits.keeps_processes()?;
    }
    let mut known = Known::new(history, &commits, beside);
    let mut refusals = Refusals::new(history, order, commits.firsts.clone())?;
    let mut steps = budget.steps;
    let (mut own, mut reads) = (Own::new(commits.keys()), Vec::new());
    // By key: after how many commits it was last written.
    let mut written = vec![0; commits.keys()];
    for place in commits.places() {
        commits.reads(place, &mut own, &mut reads)?;
        let known = known.of(&commits, place);
        if !refusals.have_a_reason(&history.entries[commits.id(place)], known, place) {
            return Err(refuted(commits.id(place), "was refused what was there"));
        }
        let mut at = commits.written(place).iter().fold(known, |at, key| at.max(written[*key as usize]));
        loop {
            let Some(left) = steps.checked_sub(1 + reads.len() as u64) else {
                return Err(Verification::Unverified("the budget is spent on its snapshots".to_owned()));
            };
            steps = left;
            let next = reads.iter().try_fold(at, |at, read| shows(&commits, *read, at));
            match next.filter(|next| *next <= place) {
                None => return Err(refuted(commits.id(place), "has no snapshot where it stands")),
                Some(next) if next == at => break,
                Some(next) => at = next,
            }
        }
        commits.written(place).iter().for_each(|key| written[*key as usize] = place + 1);
    }
    Ok(())
}

/// The first state from `from` on in which a read of others shows this, as a number of commits.
fn shows(commits: &Commits<'_>, read: Read, from: Place) -> Option<Place> {
    let writers = commits.writers(read.key);
    commits.shown_in(read).find_map(|behind| {
        // The state lasts for these numbers of commits.
        let since = behind.last.map_or(0, |last| last + 1);
        let until = writers.get(behind.writers as usize).copied().unwrap_or(commits.places().end);
        Some(from.max(since)).filter(|at| *at <= until)
    })
}

/// What registers held of which a cas was refused.
struct Refusals<'h> {
    /// By key, ascending: behind how many commits it held something else, and what.
    held: FixedMap<&'h Value, Vec<(Place, Option<&'h Value>)>>,
    firsts: Firsts<'h>,
}

impl<'h> Refusals<'h> {
    fn new(history: &'h History, order: &[EntryId], firsts: Firsts<'h>) -> Result<Self, Verification> {
        let keys = history.entries.iter().filter_map(refused).map(|(key, _)| (key, vec![(0, None)]));
        let mut held: FixedMap<&Value, Vec<_>> = keys.collect();
        if held.is_empty() {
            return Ok(Refusals { held, firsts });
        }
        let nothing = Value::List(Vec::new());
        let refuses_nothing = |key: &Value| history.entries.iter().any(|entry| refused(entry) == Some((key, &nothing)));
        for (place, &id) in (1..).zip(order) {
            for (key, how, value) in asked(&history.entries[id]) {
                let Some(held) = held.get_mut(key) else { continue };
                match how {
                    How::Reads if value == Some(&nothing) && refuses_nothing(key) => {
                        return Err(Verification::Unverified(format!(
                            "operation {id} may read a list that a cas is about"
                        )));
                    }
                    How::Reads => {}
                    How::Writes => held.push((place, value)),
                    How::Appends => {
                        return Err(Verification::Unverified(format!("operation {id} appends to what a cas is about")));
                    }
                }
            }
        }
        Ok(Refusals { held, firsts })
    }

    /// Whether the register held something else behind some number of commits from `from` to `to`, if a cas of it was refused.
    fn have_a_reason(&mut self, entry: &'h Entry, from: Place, to: Place) -> bool {
        let Some((key, expected)) = refused(entry) else { return true };
        let Some(held) = self.held.get(key) else { return false };
        let mut until = to + 1;
        // From the last on: each lasts up to the next.
        let begun = &held[..held.partition_point(|(since, _)| *since <= to)];
        for &(since, value) in begun.iter().rev() {
            let lasts = since < until;
            if lasts && value.map_or_else(|| self.firsts.differ(key, expected), |value| value != expected) {
                return true;
            }
            until = since;
            if until <= from {
                break;
            }
        }
        false
    }
}

/// The places behind which a transaction must begin.
struct Known<'h> {
    beside: Beside,
    history: &'h History,
    /// By process, behind how many commits its last transaction so far stands.
    last: Vec<Place>,
    /// By the moment of their return: how many commits somebody who begins then knows of.
    returned: Vec<(u32, Place)>,
}

impl<'h> Known<'h> {
    fn new(history: &'h History, commits: &Commits<'_>, beside: Beside) -> Self {
        let mut returned = Vec::new();
        if beside == Beside::Time {
            returned.extend(commits.places().map(|place| (history.entries[commits.id(place)].returned(), place + 1)));
            returned.sort_unstable();
        }
        let mut most = 0;
        for (_, behind) in &mut returned {
            most = most.max(*behind);
            *behind = most;
        }
        Known { beside, history, last: vec![0; commits.processes], returned }
    }

    /// How many commits the transaction knows of that commits at this place.
    fn of(&mut self, commits: &Commits<'_>, place: Place) -> Place {
        match self.beside {
            Beside::Nothing => 0,
            Beside::Processes => std::mem::replace(&mut self.last[commits.process[place as usize] as usize], place + 1),
            Beside::Time => {
                let invoked = self.history.entries[commits.id(place)].invoked.position;
                let earlier = self.returned.partition_point(|(returned, _)| *returned < invoked);
                earlier.checked_sub(1).map_or(0, |last| self.returned[last].1)
            }
        }
    }
}
