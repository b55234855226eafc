//! An order in which transactions commit, as the evidence for a level that is no order of transactions one after the other: who
//! wrote each key, what that left, and what each transaction read of others.
//!
//! * **Snapshot isolation** (`snapshots`): each transaction reads from the state after some number of commits, which comes after
//!   the commits that it must know of, and after it nobody else commits a write to what it writes.
//! * **Read committed, read atomic, causal** (`sees`; Biswas & Enea 2019): the order extends that of each process and who read
//!   from whom, and a read shows the last write of its key among those that it can see.

use super::{
    Verification,
    acts::{Act, Acts, Key, Number, What},
    firsts::{First, Firsts},
    instead,
    numbers::Numbers,
    placed::{Placed, refuted},
};
use crate::{
    history::{EntryId, History},
    partition::FixedMap,
    value::Value,
};

/// A place in the order of commits.
pub(super) type Place = u32;

/// Transactions in the order in which they commit.
pub(super) struct Commits<'h> {
    order: &'h [EntryId],
    acts: Acts<'h>,
    /// By place: who committed, as a number below `processes`.
    pub(super) process: Vec<u32>,
    pub(super) processes: usize,
    /// By key: who wrote it, ascending.
    writers: Vec<Vec<Place>>,
    /// What each transaction wrote, in the order of places: who looks for it looks at nothing else.
    written: Vec<Key>,
    /// By place, where that begins; and where the last one ends.
    written_starts: Vec<u32>,
    left: Left,
    /// By key of a list.
    lists: Vec<List>,
    /// What registers hold before all writes.
    initial: [Option<Number>; 2],
    /// As which of the two they begin.
    pub(super) firsts: Firsts<'h>,
}

/// All elements of a list in order, and behind each writer how many there are.
#[derive(Clone, Default)]
struct List {
    elements: Vec<Number>,
    behind: Vec<usize>,
}

/// The state of a key behind so many of its writers, of which the last stands here.
#[derive(Clone, Copy)]
pub(super) struct Behind {
    pub(super) writers: u32,
    /// None where nobody wrote it before.
    pub(super) last: Option<Place>,
}

/// After whom a register held which value.
struct Left {
    /// By value, for those that were left once in all.
    once: Vec<Once>,
    /// For all others.
    often: FixedMap<(Key, Number), Vec<Behind>>,
}

#[derive(Clone, Copy)]
enum Once {
    Never,
    By { key: Key, behind: Behind },
    No,
}

impl Left {
    fn insert(&mut self, key: Key, value: Number, behind: Behind) {
        match std::mem::replace(&mut self.once[value as usize], Once::No) {
            Once::Never => self.once[value as usize] = Once::By { key, behind },
            Once::By { key: other, behind: first } => {
                self.often.insert((other, value), vec![first]);
                self.often.entry((key, value)).or_default().push(behind);
            }
            Once::No => self.often.entry((key, value)).or_default().push(behind),
        }
    }

    fn by(&self, key: Key, value: Number) -> &[Behind] {
        match &self.once[value as usize] {
            Once::By { key: of, behind } if *of == key => std::slice::from_ref(behind),
            Once::No => self.often.get(&(key, value)).map_or(&[], Vec::as_slice),
            _ => &[],
        }
    }
}

impl<'h> Commits<'h> {
    pub(super) fn new(history: &'h History, order: &'h [EntryId]) -> Result<Self, Verification> {
        let mut placed = Placed::new(history);
        let mut processes = Numbers::new(history.entries.len());
        let mut process = Vec::with_capacity(order.len());
        for &id in order {
            process.push(processes.of_int(placed.take(id)?.process.0.into()));
        }
        placed.all()?;
        let acts = Acts::new(history)?;
        let mut firsts = Firsts::default();
        let tells = |entry| instead::refused(entry).is_some_and(|(_, expected)| First::of(expected).is_some());
        if acts.has_empty_text() || history.entries.iter().any(tells) {
            firsts = Firsts::of_order(history, order)?;
        }
        let keys = acts.keys();
        let mut commits = Commits {
            order,
            process,
            processes: processes.len(),
            writers: vec![Vec::new(); keys],
            written: Vec::new(),
            written_starts: Vec::with_capacity(order.len() + 1),
            left: Left { once: vec![Once::Never; acts.values.len()], often: FixedMap::default() },
            lists: vec![List::default(); keys],
            initial: [Value::Nil, Value::from("")].map(|initial| acts.values.known(&initial)),
            firsts,
            acts,
        };
        let mut last_of = vec![Place::MAX; keys];
        for (place, &id) in (0..).zip(order) {
            commits.written_starts.push(commits.written.len() as u32);
            let is_list = |key: Key| commits.acts.is_list[key as usize];
            for (key, value) in written(commits.acts.of(id)).filter(|(key, _)| is_list(*key)) {
                commits.lists[key as usize].elements.push(value);
            }
            // What it left is what it wrote last.
            for (key, value) in written(commits.acts.of(id)).rev() {
                if std::mem::replace(&mut last_of[key as usize], place) == place {
                    continue;
                }
                commits.written.push(key);
                let writers = &mut commits.writers[key as usize];
                if is_list(key) {
                    let list = &mut commits.lists[key as usize];
                    list.behind.push(list.elements.len());
                } else {
                    let behind = Behind { writers: writers.len() as u32 + 1, last: Some(place) };
                    commits.left.insert(key, value, behind);
                }
                writers.push(place);
            }
        }
        commits.written_starts.push(commits.written.len() as u32);
        Ok(commits)
    }

    /// How many keys there are.
    pub(super) fn keys(&self) -> usize {
        self.acts.keys()
    }

    /// All places in order.
    pub(super) fn places(&self) -> std::ops::Range<Place> {
        0..self.order.len() as Place
    }

    /// Which operation stands here.
    pub(super) fn id(&self, place: Place) -> EntryId {
        self.order[place as usize]
    }

    /// The keys that a transaction wrote, each once.
    #[inline]
    pub(super) fn written(&self, place: Place) -> &[Key] {
        let [start, end] = [place, place + 1].map(|place| self.written_starts[place as usize] as usize);
        &self.written[start..end]
    }

    /// Who wrote a key, ascending.
    pub(super) fn writers(&self, key: Key) -> &[Place] {
        &self.writers[key as usize]
    }

    /// Whether each process has its transactions in order.
    pub(super) fn keeps_processes(&self) -> Result<(), Verification> {
        let mut last = vec![0; self.processes];
        for place in self.places() {
            let id = self.id(place);
            if std::mem::replace(&mut last[self.process[place as usize] as usize], id) > id {
                return Err(refuted(id, "comes after a later transaction of its process"));
            }
        }
        Ok(())
    }

    /// The states of its key in which a read of others shows this, ascending; a list is never shown in two.
    #[inline]
    pub(super) fn shown_in(&self, read: Read) -> impl Iterator<Item = Behind> {
        let (only, left) = match read.what {
            Foreign::Value(value) => (self.initial.contains(&Some(value)).then_some(0), self.left.by(read.key, value)),
            Foreign::List { shown, others } => (self.list_writers(read.key, shown, others), &[][..]),
        };
        let behind = |writers: usize| {
            let last = writers.checked_sub(1).map(|last| self.writers(read.key)[last]);
            Behind { writers: writers as u32, last }
        };
        only.map(behind).into_iter().chain(left.iter().copied())
    }

    /// How many writers of a list it takes until the first `others` elements of what was shown are in it, and nothing else;
    /// `None` where that is never so, or what follows are not the elements shown.
    fn list_writers(&self, key: Key, shown: u32, others: usize) -> Option<usize> {
        let shown = self.acts.shown(shown);
        let List { elements, behind } = &self.lists[key as usize];
        let elements = elements.get(..shown.len())?;
        if !elements.iter().zip(shown).all(|(element, shown)| self.acts.values.known(shown) == Some(*element)) {
            return None;
        }
        if others == 0 { Some(0) } else { behind.binary_search(&others).ok().map(|writer| writer + 1) }
    }

    /// Gathers what a transaction read of others, once its own writes are taken away; `None` where it does not see these.
    pub(super) fn reads(&self, place: Place, own: &mut Own, reads: &mut Vec<Read>) -> Result<(), Verification> {
        let mismatch = || refuted(self.id(place), "does not see its own writes");
        let acts = self.acts.of(self.id(place));
        reads.clear();
        own.before.clear();
        for (i, &Act { key, what }) in acts.iter().enumerate() {
            let last = &mut own.last[key as usize];
            if last.place != place {
                *last = LastOwn { place, act: u32::MAX, count: 0 };
            }
            own.before.push(last.act);
            match what {
                What::Wrote(_) => (last.act, last.count) = (i as u32, last.count + 1),
                What::Shown(shown) => {
                    let list = self.acts.shown(shown);
                    let others = list.len().checked_sub(last.count).ok_or_else(mismatch)?;
                    let mut own_act = last.act;
                    for element in list[others..].iter().rev() {
                        let (own_value, before) = (acts[own_act as usize].what, own.before[own_act as usize]);
                        if !matches!(own_value, What::Wrote(own) if self.acts.values.known(element) == Some(own)) {
                            return Err(mismatch());
                        }
                        own_act = before;
                    }
                    reads.push(Read { key, what: Foreign::List { shown, others } });
                }
                What::Read(value) => match acts.get(last.act as usize) {
                    None => reads.push(Read { key, what: Foreign::Value(value) }),
                    Some(Act { what: What::Wrote(own), .. }) if *own == value => {}
                    Some(_) => return Err(mismatch()),
                },
            }
        }
        Ok(())
    }
}

/// What acts wrote to which keys.
fn written(acts: &[Act]) -> impl DoubleEndedIterator<Item = (Key, Number)> {
    acts.iter().filter_map(|act| match act.what {
        What::Wrote(value) => Some((act.key, value)),
        _ => None,
    })
}

/// What the transaction at hand wrote itself so far.
pub(super) struct Own {
    /// By key.
    last: Vec<LastOwn>,
    /// By act, the write of the same key before it.
    before: Vec<u32>,
}

/// Who wrote a key last, by which act, after how many of its own; `u32::MAX` is none.
#[derive(Clone, Copy)]
struct LastOwn {
    place: Place,
    act: u32,
    count: usize,
}

impl Own {
    pub(super) fn new(keys: usize) -> Self {
        Own { last: vec![LastOwn { place: Place::MAX, act: u32::MAX, count: 0 }; keys], before: Vec::new() }
    }
}

/// A read of what others wrote.
#[derive(Clone, Copy)]
pub(super) struct Read {
    pub(super) key: Key,
    what: Foreign,
}

#[derive(Clone, Copy)]
enum Foreign {
    Value(Number),
    /// All that was shown, of which so many elements are of others and the rest its own.
    List {
        shown: u32,
        others: usize,
    },
}

impl Read {
    pub(super) fn is_list(self) -> bool {
        matches!(self.what, Foreign::List { .. })
    }
}
