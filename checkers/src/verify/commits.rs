//! An order in which transactions commit, as the evidence for a level that is no order of transactions one after the other.
//!
//! * **Snapshot isolation**: each transaction reads from the state after some number of commits, which comes after the commits
//!   that it must know of, and after it nobody else commits a write to what it writes.
//! * **Read committed, read atomic, causal** (Biswas & Enea 2019): the order extends that of each process and who read from
//!   whom, and a read shows the last write of its key among those that it can see.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Verification,
    isolated::{Beside, Sees, acts},
};
use crate::{
    budget::Budget,
    history::{EntryId, History, Order},
    partition::FixedMap,
    value::Value,
};

/// A place in the order of commits.
type Place = usize;

/// What one transaction did: for each act its key, whether it writes, and the value or the reply.
type Acts<'h> = Vec<(&'h Value, bool, &'h Value)>;

/// Transactions in the order in which they commit.
struct Commits<'h> {
    history: &'h History,
    order: &'h [EntryId],
    acts: Vec<Acts<'h>>,
    lists: BTreeSet<&'h Value>,
    /// By key: who wrote it, ascending.
    writers: FixedMap<&'h Value, Vec<Place>>,
    /// By key of a register and value: who left it, ascending.
    left: FixedMap<(&'h Value, &'h Value), Vec<Place>>,
    /// By key of a list: all elements in order, and behind each writer how many there are.
    elements: FixedMap<&'h Value, (Vec<&'h Value>, Vec<usize>)>,
}

fn refuted(id: EntryId, why: &str) -> Verification {
    Verification::Refuted(format!("operation {id} {why}"))
}

impl<'h> Commits<'h> {
    fn new(history: &'h History, order: &'h [EntryId]) -> Result<Self, Verification> {
        let mut placed = vec![false; history.entries.len()];
        for &id in order {
            let Some(entry) = history.entries.get(id) else { return Err(refuted(id, "is not there")) };
            if std::mem::replace(&mut placed[id], true) {
                return Err(refuted(id, "is there twice"));
            }
            if !entry.is_ok() && !entry.is_unknown() {
                return Err(refuted(id, "did not happen"));
            }
        }
        if let Some(id) = history.entries.iter().zip(&placed).position(|(entry, placed)| entry.is_ok() && !placed) {
            return Err(refuted(id, "is left out"));
        }
        let acts: Vec<Acts<'h>> = order.iter().map(|&id| acts(&history.entries[id])).collect();
        let mut commits = Commits {
            history,
            order,
            acts,
            lists: super::isolated::lists(history),
            writers: FixedMap::default(),
            left: FixedMap::default(),
            elements: FixedMap::default(),
        };
        for (place, acts) in commits.acts.iter().enumerate() {
            let mut last: BTreeMap<&Value, &Value> = BTreeMap::new();
            for &(key, _, value) in acts.iter().filter(|(_, writes, _)| *writes) {
                last.insert(key, value);
                if commits.lists.contains(key) {
                    commits.elements.entry(key).or_default().0.push(value);
                }
            }
            for (key, value) in last {
                commits.writers.entry(key).or_default().push(place);
                match commits.elements.get_mut(key) {
                    Some((elements, behind)) => behind.push(elements.len()),
                    None => commits.left.entry((key, value)).or_default().push(place),
                }
            }
        }
        Ok(commits)
    }

    fn writers(&self, key: &Value) -> &[Place] {
        self.writers.get(key).map_or(&[], Vec::as_slice)
    }

    /// How many writers of a list it takes until the first `others` elements of what was shown are in it, and nothing else;
    /// `None` where that is never so, or what follows are not the elements shown.
    fn list_writers(&self, key: &Value, shown: &[Value], others: usize) -> Option<usize> {
        if shown.is_empty() {
            return Some(0);
        }
        let (elements, behind) = self.elements.get(key)?;
        if !elements.get(..shown.len())?.iter().copied().eq(shown) {
            return None;
        }
        if others == 0 { Some(0) } else { behind.binary_search(&others).ok().map(|writer| writer + 1) }
    }

    /// The first state from `from` on in which a read of others shows this, as a number of commits.
    fn shows(&self, key: &'h Value, foreign: Foreign<'h>, from: usize) -> Option<usize> {
        let writers = self.writers(key);
        // The state behind so many writers, as the numbers of commits that it lasts.
        let within = |writer: usize| {
            let since = writer.checked_sub(1).map_or(0, |last| writers[last] + 1);
            let until = writers.get(writer).map_or(self.order.len(), |next| *next);
            Some(from.max(since)).filter(|at| *at <= until)
        };
        match foreign {
            Foreign::List { shown, others } => within(self.list_writers(key, shown, others)?),
            Foreign::Value(value) => {
                let initial = if is_initial(value) { within(0) } else { None };
                let left = self.left.get(&(key, value)).map_or(&[][..], Vec::as_slice);
                initial.or_else(|| left.iter().find_map(|place| within(writers.binary_search(place).ok()? + 1)))
            }
        }
    }

    /// What a transaction read of others, once its own writes are taken away; `None` where it does not see these.
    fn foreign(&self, place: Place) -> Option<Vec<(&'h Value, Foreign<'h>)>> {
        let mut own: BTreeMap<&Value, Vec<&Value>> = BTreeMap::new();
        let mut reads = Vec::new();
        for &(key, writes, value) in &self.acts[place] {
            if writes {
                own.entry(key).or_default().push(value);
                continue;
            }
            let before = own.get(key).map_or(&[][..], Vec::as_slice);
            if self.lists.contains(key) {
                let shown = value.as_list().unwrap_or_default();
                let others = shown.len().checked_sub(before.len())?;
                shown[others..].iter().eq(before.iter().copied()).then_some(())?;
                reads.push((key, Foreign::List { shown, others }));
            } else if let Some(last) = before.last() {
                (*last == value).then_some(())?;
            } else {
                reads.push((key, Foreign::Value(value)));
            }
        }
        Some(reads)
    }
}

/// What was read of others.
#[derive(Clone, Copy)]
enum Foreign<'h> {
    Value(&'h Value),
    /// All that was shown, of which so many elements are of others and the rest its own.
    List {
        shown: &'h [Value],
        others: usize,
    },
}

/// Whether this may be what a register holds before all writes.
fn is_initial(value: &Value) -> bool {
    value.is_nil() || value.as_text() == Some("")
}

/// The places behind which a transaction must begin.
struct Known<'h> {
    beside: Beside,
    history: &'h History,
    /// By process, its last transaction so far and where that committed.
    last: BTreeMap<u32, (EntryId, Place)>,
    /// By the moment of their return: how many commits somebody who begins then knows of.
    returned: Vec<(u32, usize)>,
}

impl<'h> Known<'h> {
    fn new(history: &'h History, order: &[EntryId], beside: Beside) -> Self {
        let mut returned: Vec<(u32, usize)> =
            (1..).zip(order).map(|(behind, &id)| (history.entries[id].returned(), behind)).collect();
        returned.sort_unstable();
        let mut most = 0;
        for (_, behind) in &mut returned {
            most = most.max(*behind);
            *behind = most;
        }
        Known { beside, history, last: BTreeMap::new(), returned }
    }

    /// How many commits the transaction knows of that commits at this place.
    fn of(&mut self, id: EntryId, place: Place) -> Result<usize, Verification> {
        let entry = &self.history.entries[id];
        let before = self.last.insert(entry.process.0, (id, place));
        match self.beside {
            Beside::Nothing => Ok(0),
            Beside::Processes => match before {
                Some((before, _)) if before > id => Err(refuted(id, "comes after a later transaction of its process")),
                before => Ok(before.map_or(0, |(_, place)| place + 1)),
            },
            Beside::Time => {
                let earlier = self.returned.partition_point(|(returned, _)| *returned < entry.invoked.position);
                Ok(earlier.checked_sub(1).map_or(0, |last| self.returned[last].1))
            }
        }
    }
}

/// Whether each transaction has a snapshot, if they commit in this order.
pub(super) fn snapshots(history: &History, order: &[EntryId], beside: Beside, budget: &Budget) -> Verification {
    if beside == Beside::Time && history.order == Order::Processes {
        return Verification::Refuted("the history does not know real time".to_owned());
    }
    let commits = match Commits::new(history, order) {
        Ok(commits) => commits,
        Err(refuted) => return refuted,
    };
    let mut known = Known::new(history, order, beside);
    let mut steps = budget.steps;
    for (place, &id) in order.iter().enumerate() {
        let Some(reads) = commits.foreign(place) else { return refuted(id, "does not see its own writes") };
        let mut at = match known.of(id, place) {
            Ok(at) => at,
            Err(refuted) => return refuted,
        };
        for (key, ..) in commits.acts[place].iter().filter(|(_, writes, _)| *writes) {
            let writers = commits.writers(key);
            let before = writers.partition_point(|writer| *writer < place);
            at = at.max(before.checked_sub(1).map_or(0, |last| writers[last] + 1));
        }
        loop {
            let Some(left) = steps.checked_sub(1 + reads.len() as u64) else {
                return Verification::Unverified("the budget is spent on its snapshots".to_owned());
            };
            steps = left;
            let mut next = Some(at);
            for &(key, foreign) in &reads {
                next = next.and_then(|at| commits.shows(key, foreign, at));
            }
            match next.filter(|next| *next <= place) {
                None => return refuted(id, "has no snapshot where it stands"),
                Some(next) if next == at => break,
                Some(next) => at = next,
            }
        }
    }
    Verification::Verified
}

/// A read of others: whose write was the last that it saw, and whose it shows: the first so many writers of the key.
struct Look<'h> {
    key: &'h Value,
    source: Option<Place>,
    /// All of them are shown by a list, the last alone by a register.
    writers: usize,
    is_list: bool,
}

/// Whether every read shows the last write of its key that it can see, in this order.
pub(super) fn sees(history: &History, order: &[EntryId], sees: Sees, budget: &Budget) -> Verification {
    let commits = match Commits::new(history, order) {
        Ok(commits) => commits,
        Err(refuted) => return refuted,
    };
    let mut looks: Vec<Vec<Look<'_>>> = Vec::with_capacity(order.len());
    for place in 0..order.len() {
        match commits.looks(place) {
            Ok(of) => looks.push(of),
            Err(other) => return other,
        }
    }
    let mut last: BTreeMap<u32, EntryId> = BTreeMap::new();
    for &id in order {
        if last.insert(history.entries[id].process.0, id).is_some_and(|before| before > id) {
            return refuted(id, "comes after a later transaction of its process");
        }
    }
    let mut visible = Visible { commits: &commits, looks: &looks, steps: budget.steps, stale: None };
    let within = match sees {
        Sees::ReadBefore => visible.by_reads(true),
        Sees::ReadOrFollowed => visible.by_reads(false).and_then(|()| visible.by_processes()),
        Sees::HappenedBefore => visible.by_clocks(budget),
    };
    match (visible.stale, within) {
        (Some(place), _) => refuted(order[place], "does not see the last write that it can see"),
        (None, None) => Verification::Unverified("the budget is spent on what transactions can see".to_owned()),
        (None, Some(())) => Verification::Verified,
    }
}

impl<'h> Commits<'h> {
    fn looks(&self, place: Place) -> Result<Vec<Look<'h>>, Verification> {
        let id = self.order[place];
        let Some(reads) = self.foreign(place) else { return Err(refuted(id, "does not see its own writes")) };
        let mut looks = Vec::with_capacity(reads.len());
        for (key, foreign) in reads {
            let writers = match foreign {
                Foreign::List { shown, others } => self.list_writers(key, shown, others),
                Foreign::Value(value) => match (self.left.get(&(key, value)).map(Vec::as_slice), is_initial(value)) {
                    (Some([one]), false) => self.writers(key).binary_search(one).ok().map(|writer| writer + 1),
                    (None, true) => Some(0),
                    (None, false) => None,
                    (Some(_), _) => {
                        let why = format!("the value {value} has more than one origin");
                        return Err(Verification::Unverified(why));
                    }
                },
            };
            let Some(writers) = writers else { return Err(refuted(id, "read what was not there")) };
            let source = writers.checked_sub(1).map(|last| self.writers(key)[last]);
            if source.is_some_and(|source| source >= place) {
                return Err(refuted(id, "comes before a transaction that it read from"));
            }
            looks.push(Look { key, source, writers, is_list: matches!(foreign, Foreign::List { .. }) });
        }
        Ok(looks)
    }

    /// Whose writes a read shows.
    fn shown(&self, look: &Look<'h>) -> &[Place] {
        let shown = &self.writers(look.key)[..look.writers];
        if look.is_list { shown } else { &shown[shown.len().saturating_sub(1)..] }
    }
}

/// By process, its writes of a key so far, by number in the process and place.
type WritesByProcess = BTreeMap<usize, Vec<(u32, Place)>>;

/// What transactions can see.
struct Visible<'c, 'h> {
    commits: &'c Commits<'h>,
    looks: &'c [Vec<Look<'h>>],
    steps: u64,
    /// One that did not see what it can see.
    stale: Option<Place>,
}

impl Visible<'_, '_> {
    fn spend(&mut self, steps: usize) -> Option<()> {
        self.steps = self.steps.checked_sub(steps as u64)?;
        Some(())
    }

    /// The transaction at `place` can see the write of `writer` to what it read.
    fn demand(&mut self, place: Place, source: Option<Place>, writer: Place) {
        if writer != place && source.is_none_or(|source| source < writer) {
            self.stale.get_or_insert(place);
        }
    }

    /// What a transaction read from, for reads that came later or for all.
    fn by_reads(&mut self, later: bool) -> Option<()> {
        for (place, looks) in self.looks.iter().enumerate() {
            for (i, look) in looks.iter().enumerate() {
                let writers = self.commits.writers(look.key);
                for other in if later { &looks[..i] } else { looks } {
                    let shown = self.commits.shown(other);
                    self.spend(1 + shown.len())?;
                    for writer in shown.iter().filter(|writer| writers.binary_search(writer).is_ok()) {
                        self.demand(place, look.source, *writer);
                    }
                }
            }
        }
        Some(())
    }

    /// What processes did before.
    fn by_processes(&mut self) -> Option<()> {
        let mut wrote: FixedMap<(u32, &Value), Place> = FixedMap::default();
        for (place, looks) in self.looks.iter().enumerate() {
            let process = self.commits.history.entries[self.commits.order[place]].process.0;
            self.spend(1 + looks.len())?;
            for look in looks {
                if let Some(&writer) = wrote.get(&(process, look.key)) {
                    self.demand(place, look.source, writer);
                }
            }
            for (key, ..) in self.commits.acts[place].iter().filter(|(_, writes, _)| *writes) {
                wrote.insert((process, key), place);
            }
        }
        Some(())
    }

    /// All that happened before: by process how many of its transactions did.
    fn by_clocks(&mut self, budget: &Budget) -> Option<()> {
        let Commits { history, order, acts, .. } = self.commits;
        let mut number: BTreeMap<u32, usize> = BTreeMap::new();
        for &id in *order {
            let next = number.len();
            number.entry(history.entries[id].process.0).or_insert(next);
        }
        let processes = number.len();
        if (order.len() * processes) as u64 > budget.bytes / 4 {
            return None;
        }
        let mut done = vec![0_u32; processes];
        let mut latest: Vec<Option<Place>> = vec![None; processes];
        let mut clocks: Vec<u32> = Vec::with_capacity(order.len() * processes);
        let mut wrote: FixedMap<&Value, WritesByProcess> = FixedMap::default();
        // Many entries of a clock are compared at once.
        let each = 1 + processes / 64;
        for (place, looks) in self.looks.iter().enumerate() {
            let process = number[&history.entries[order[place]].process.0];
            let mut clock = vec![0_u32; processes];
            let shown = looks.iter().flat_map(|look| self.commits.shown(look).iter().copied());
            for before in shown.chain(latest[process]) {
                self.spend(each)?;
                for (mine, theirs) in clock.iter_mut().zip(&clocks[before * processes..]) {
                    *mine = (*mine).max(*theirs);
                }
            }
            for look in looks {
                for (other, writes) in wrote.get(look.key).into_iter().flatten() {
                    self.spend(1)?;
                    let before = writes.partition_point(|(number, _)| *number <= clock[*other]);
                    if let Some(&(_, writer)) = before.checked_sub(1).map(|last| &writes[last]) {
                        self.demand(place, look.source, writer);
                    }
                }
            }
            done[process] += 1;
            clock[process] = done[process];
            latest[process] = Some(place);
            clocks.extend(clock);
            for (key, ..) in acts[place].iter().filter(|(_, writes, _)| *writes) {
                wrote.entry(key).or_default().entry(process).or_default().push((done[process], place));
            }
        }
        Some(())
    }
}
