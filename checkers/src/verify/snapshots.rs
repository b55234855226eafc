//! Snapshot isolation: in an order of commits, each transaction reads from the state after some number of commits.

use super::{
    Verification,
    commits::{Commits, Own, Place, Read},
    isolated::Beside,
    placed::refuted,
};
use crate::{
    budget::Budget,
    history::{EntryId, History, Order},
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
    let mut steps = budget.steps;
    let (mut own, mut reads) = (Own::new(commits.keys()), Vec::new());
    // By key: after how many commits it was last written.
    let mut written = vec![0; commits.keys()];
    for place in commits.places() {
        commits.reads(place, &mut own, &mut reads)?;
        let known = known.of(&commits, place);
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
