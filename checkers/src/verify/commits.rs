//! An order in which transactions commit, as the evidence for a level that is no order of transactions one after the other.
//!
//! * **Snapshot isolation**: each transaction reads from the state after some number of commits, which comes after the commits
//!   that it must know of, and after it nobody else commits a write to what it writes.
//! * **Read committed, read atomic, causal** (Biswas & Enea 2019): the order extends that of each process and who read from
//!   whom, and a read shows the last write of its key among those that it can see.

use std::collections::{BTreeMap, hash_map::Entry};

use super::{
    Verification,
    isolated::{self, Beside, How, Sees},
};
use crate::{
    budget::Budget,
    history::{EntryId, History, Order},
    partition::FixedMap,
    value::Value,
};

/// A place in the order of commits.
type Place = usize;

/// A key, as a number.
type Key = u32;

/// One thing that a transaction did: to which key, whether it wrote, and the value or the reply.
type Act<'h> = (Key, bool, &'h Value);

/// Transactions in the order in which they commit.
struct Commits<'h> {
    history: &'h History,
    order: &'h [EntryId],
    acts: Acts<'h>,
    /// By key: who wrote it, ascending.
    writers: Vec<Vec<Place>>,
    /// By key of a register and value: who left it first, and which of the writers that is; and all who left it, if several did.
    left: FixedMap<(Key, &'h Value), (Place, usize)>,
    left_again: FixedMap<(Key, &'h Value), Vec<Place>>,
    /// By key of a list: all elements in order, and behind each writer how many there are.
    elements: Vec<(Vec<&'h Value>, Vec<usize>)>,
}

/// What all operations of a history did, each key as a number.
#[derive(Default)]
struct Acts<'h> {
    all: Vec<Act<'h>>,
    starts: Vec<usize>,
    is_list: Vec<bool>,
}

impl<'h> Acts<'h> {
    fn new(history: &'h History) -> Self {
        let mut acts = Acts::default();
        let mut numbers: FixedMap<&Value, Key> = FixedMap::default();
        // By key: whether it was appended to, written, and shown to be a list.
        let mut seen: Vec<[bool; 3]> = Vec::new();
        for entry in &history.entries {
            acts.starts.push(acts.all.len());
            for (key, how, value) in isolated::acts_of(entry) {
                let key = *numbers.entry(key).or_insert_with(|| {
                    seen.push([false; 3]);
                    seen.len() as Key - 1
                });
                match how {
                    How::Reads => seen[key as usize][2] |= value.is_some_and(|value| value.as_list().is_some()),
                    How::Writes => seen[key as usize][1] = true,
                    How::Appends => seen[key as usize][0] = true,
                }
                acts.all.extend(value.map(|value| (key, how != How::Reads, value)));
            }
        }
        acts.starts.push(acts.all.len());
        acts.is_list = seen.into_iter().map(|[appended, written, shown]| appended || (shown && !written)).collect();
        acts
    }

    fn of(&self, id: EntryId) -> &[Act<'h>] {
        &self.all[self.starts[id]..self.starts[id + 1]]
    }
}

/// By key: which transaction was last seen to write it, and by which of its acts.
struct Own {
    last: Vec<(Place, usize)>,
}

impl Own {
    fn new(keys: usize) -> Self {
        Own { last: vec![(Place::MAX, 0); keys] }
    }
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
        let acts = Acts::new(history);
        let keys = acts.is_list.len();
        let mut commits = Commits {
            history,
            order,
            acts,
            writers: vec![Vec::new(); keys],
            left: FixedMap::default(),
            left_again: FixedMap::default(),
            elements: vec![(Vec::new(), Vec::new()); keys],
        };
        let mut last_of = vec![Place::MAX; keys];
        for (place, &id) in order.iter().enumerate() {
            let written = || commits.acts.of(id).iter().filter(|(_, writes, _)| *writes);
            for &(key, _, value) in written().filter(|(key, ..)| commits.acts.is_list[*key as usize]) {
                commits.elements[key as usize].0.push(value);
            }
            // What it left is what it wrote last.
            for &(key, _, value) in written().rev() {
                if std::mem::replace(&mut last_of[key as usize], place) == place {
                    continue;
                }
                let writers = &mut commits.writers[key as usize];
                writers.push(place);
                if commits.acts.is_list[key as usize] {
                    let (elements, behind) = &mut commits.elements[key as usize];
                    behind.push(elements.len());
                    continue;
                }
                match commits.left.entry((key, value)) {
                    Entry::Vacant(new) => _ = new.insert((place, writers.len() - 1)),
                    Entry::Occupied(old) => {
                        let all = commits.left_again.entry((key, value)).or_insert_with(|| vec![old.get().0]);
                        all.push(place);
                    }
                }
            }
        }
        Ok(commits)
    }

    /// What a transaction did.
    fn acts(&self, place: Place) -> &[Act<'h>] {
        self.acts.of(self.order[place])
    }

    fn written(&self, place: Place) -> impl Iterator<Item = Key> {
        self.acts(place).iter().filter(|(_, writes, _)| *writes).map(|(key, ..)| *key)
    }

    fn writers(&self, key: Key) -> &[Place] {
        &self.writers[key as usize]
    }

    /// How many writers of a list it takes until the first `others` elements of what was shown are in it, and nothing else;
    /// `None` where that is never so, or what follows are not the elements shown.
    fn list_writers(&self, key: Key, shown: &[Value], others: usize) -> Option<usize> {
        if shown.is_empty() {
            return Some(0);
        }
        let (elements, behind) = &self.elements[key as usize];
        if !elements.get(..shown.len())?.iter().copied().eq(shown) {
            return None;
        }
        if others == 0 { Some(0) } else { behind.binary_search(&others).ok().map(|writer| writer + 1) }
    }

    /// Everyone who left this value in a register.
    fn left(&self, key: Key, value: &'h Value) -> &[Place] {
        match (self.left_again.get(&(key, value)), self.left.get(&(key, value))) {
            (Some(all), _) => all,
            (None, Some((only, _))) => std::slice::from_ref(only),
            (None, None) => &[],
        }
    }

    /// The first state from `from` on in which a read of others shows this, as a number of commits.
    fn shows(&self, key: Key, foreign: Foreign<'h>, from: usize) -> Option<usize> {
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
                let mut left = self.left(key, value).iter();
                initial.or_else(|| left.find_map(|place| within(writers.binary_search(place).ok()? + 1)))
            }
        }
    }

    /// What a transaction read of others, once its own writes are taken away; `None` where it does not see these.
    fn foreign(&self, place: Place, own: &mut Own) -> Option<Vec<(Key, Foreign<'h>)>> {
        let acts = self.acts(place);
        let mut reads = Vec::with_capacity(acts.len());
        let mut appended: BTreeMap<Key, Vec<&Value>> = BTreeMap::new();
        for (i, &(key, writes, value)) in acts.iter().enumerate() {
            let last = &mut own.last[key as usize];
            let is_list = self.acts.is_list[key as usize];
            if writes {
                *last = (place, i);
                if is_list {
                    appended.entry(key).or_default().push(value);
                }
            } else if is_list {
                let shown = value.as_list().unwrap_or_default();
                let before = appended.get(&key).map_or(&[][..], Vec::as_slice);
                let others = shown.len().checked_sub(before.len())?;
                shown[others..].iter().eq(before.iter().copied()).then_some(())?;
                reads.push((key, Foreign::List { shown, others }));
            } else if last.0 == place {
                (acts[last.1].2 == value).then_some(())?;
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
    let mut own = Own::new(commits.writers.len());
    for (place, &id) in order.iter().enumerate() {
        let Some(reads) = commits.foreign(place, &mut own) else {
            return refuted(id, "does not see its own writes");
        };
        let mut at = match known.of(id, place) {
            Ok(at) => at,
            Err(refuted) => return refuted,
        };
        for key in commits.written(place) {
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
struct Look {
    key: Key,
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
    let mut looks: Vec<Vec<Look>> = Vec::with_capacity(order.len());
    let mut own = Own::new(commits.writers.len());
    for place in 0..order.len() {
        match commits.looks(place, &mut own) {
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

impl Commits<'_> {
    fn looks(&self, place: Place, own: &mut Own) -> Result<Vec<Look>, Verification> {
        let id = self.order[place];
        let Some(reads) = self.foreign(place, own) else { return Err(refuted(id, "does not see its own writes")) };
        let mut looks = Vec::with_capacity(reads.len());
        for (key, foreign) in reads {
            let writers = match foreign {
                Foreign::List { shown, others } => self.list_writers(key, shown, others),
                Foreign::Value(value) => match (self.left.get(&(key, value)), is_initial(value)) {
                    (Some((_, writer)), false) if !self.left_again.contains_key(&(key, value)) => Some(writer + 1),
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
    fn shown(&self, look: &Look) -> &[Place] {
        let shown = &self.writers(look.key)[..look.writers];
        if look.is_list { shown } else { &shown[shown.len().saturating_sub(1)..] }
    }
}

/// By process, its writes of a key so far, by number in the process and place.
type WritesByProcess = BTreeMap<usize, Vec<(u32, Place)>>;

/// What transactions can see.
struct Visible<'c, 'h> {
    commits: &'c Commits<'h>,
    looks: &'c [Vec<Look>],
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
        let mut wrote: FixedMap<(u32, Key), Place> = FixedMap::default();
        for (place, looks) in self.looks.iter().enumerate() {
            let process = self.commits.history.entries[self.commits.order[place]].process.0;
            self.spend(1 + looks.len())?;
            for look in looks {
                if let Some(&writer) = wrote.get(&(process, look.key)) {
                    self.demand(place, look.source, writer);
                }
            }
            for key in self.commits.written(place) {
                wrote.insert((process, key), place);
            }
        }
        Some(())
    }

    /// All that happened before: by process how many of its transactions did.
    fn by_clocks(&mut self, budget: &Budget) -> Option<()> {
        let Commits { history, order, .. } = self.commits;
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
        let mut wrote: Vec<WritesByProcess> = vec![WritesByProcess::new(); self.commits.writers.len()];
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
                for (other, writes) in &wrote[look.key as usize] {
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
            for key in self.commits.written(place) {
                wrote[key as usize].entry(process).or_default().push((done[process], place));
            }
        }
        Some(())
    }
}
