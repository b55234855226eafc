//! Read committed, read atomic and causal consistency: in an order of commits, every read shows the last write of its key among
//! those that it can see.

use std::ops::AddAssign;

use super::{
    Verification,
    acts::Key,
    commits::{Behind, Commits, Own, Place, Read},
    isolated::Sees,
    others::Others,
    placed::refuted,
};
use crate::{
    budget::Budget,
    history::{EntryId, History},
};

/// Whether every read shows the last write of its key that it can see, in this order.
pub(super) fn sees(history: &History, order: &[EntryId], sees: Sees, budget: &Budget) -> Result<(), Verification> {
    let commits = Commits::new(history, order)?;
    let looks = Looks::new(&commits)?;
    commits.keeps_processes()?;
    let mut others = Others::new(history, order, commits.firsts.clone())?;
    let mut visible = Visible { commits: &commits, looks: &looks, steps: budget.steps };
    match sees {
        Sees::ReadBefore => visible.by_reads(true).and_then(|()| others.were_there(false)),
        Sees::ReadOrFollowed => {
            visible.by_reads(false).and_then(|()| visible.by_processes()).and_then(|()| others.were_there(true))
        }
        Sees::HappenedBefore => {
            let is_small = commits.most_of_a_process() < usize::from(u16::MAX);
            loop {
                let end = if is_small {
                    visible.by_clocks::<u16>(&mut others, budget)
                } else {
                    visible.by_clocks::<u32>(&mut others, budget)
                };
                match end {
                    Err(End::Stale(_)) if others.choose_again() => {}
                    end => break end,
                }
            }
        }
    }
    .map_err(|end| match end {
        End::Spent => Verification::Unverified("the budget is spent on what transactions can see".to_owned()),
        End::Stale(place) => refuted(commits.id(place), "does not see the last write that it can see"),
    })
}

/// A read of others: whose write was the last that it saw, and whose it shows: the first so many writers of the key.
#[derive(Clone, Copy)]
struct Look {
    key: Key,
    source: Option<Place>,
    /// All of them are shown by a list, the last alone by a register.
    writers: u32,
    is_list: bool,
}

/// What all transactions read of others.
struct Looks {
    all: Vec<Look>,
    /// By place, where its looks begin; and where the last ones end.
    starts: Vec<u32>,
}

impl Looks {
    fn new(commits: &Commits<'_>) -> Result<Self, Verification> {
        let mut looks = Looks { all: Vec::new(), starts: vec![0] };
        let (mut own, mut reads) = (Own::new(commits.keys()), Vec::new());
        for place in commits.places() {
            commits.reads(place, &mut own, &mut reads)?;
            for read in &reads {
                looks.all.push(look(commits, place, *read)?);
            }
            looks.starts.push(looks.all.len() as u32);
        }
        Ok(looks)
    }

    fn of(&self, place: Place) -> &[Look] {
        &self.all[self.starts[place as usize] as usize..self.starts[place as usize + 1] as usize]
    }
}

/// Whom a read is from. There must be one only, earlier in the order.
fn look(commits: &Commits<'_>, place: Place, read: Read) -> Result<Look, Verification> {
    let id = commits.id(place);
    let mut shown = commits.shown_in(read);
    let Some(Behind { writers, last: source }) = shown.next() else {
        return Err(refuted(id, "read what was not there"));
    };
    if shown.next().is_some() {
        return Err(Verification::Unverified(format!("operation {id} read a value with more than one origin")));
    }
    if source.is_some_and(|source| source >= place) {
        return Err(refuted(id, "comes before a transaction that it read from"));
    }
    Ok(Look { key: read.key, source, writers, is_list: read.is_list() })
}

/// Why looking ended early.
pub(super) enum End {
    /// The transaction here does not see what it can see.
    Stale(Place),
    Spent,
}

/// By key: the last write that somebody can see.
struct Newest(Vec<(u32, Place)>);

impl Newest {
    fn new(keys: usize) -> Self {
        Newest(vec![(u32::MAX, 0); keys])
    }

    /// `who` can see this write. What others could see is forgotten.
    fn see(&mut self, who: u32, key: Key, writer: Place) {
        let newest = &mut self.0[key as usize];
        *newest = if newest.0 == who { (who, newest.1.max(writer)) } else { (who, writer) };
    }

    /// Whether `who` can see a later write than was read.
    fn is_later(&self, who: u32, look: &Look) -> bool {
        let (of, writer) = self.0[look.key as usize];
        of == who && look.source.is_none_or(|source| source < writer)
    }
}

/// What transactions can see.
struct Visible<'c, 'h> {
    commits: &'c Commits<'h>,
    looks: &'c Looks,
    steps: u64,
}

impl<'c> Visible<'c, '_> {
    fn spend(&mut self, steps: usize) -> Result<(), End> {
        self.steps = self.steps.checked_sub(steps as u64).ok_or(End::Spent)?;
        Ok(())
    }

    /// Whose writes a read shows.
    fn shown<'l>(&self, look: &'l Look) -> &'l [Place]
    where
        'c: 'l,
    {
        if look.is_list { &self.commits.writers(look.key)[..look.writers as usize] } else { look.source.as_slice() }
    }

    /// What a transaction read from: for the reads that came later, or for all.
    fn by_reads(&mut self, later: bool) -> Result<(), End> {
        let mut newest = Newest::new(self.commits.keys());
        for place in self.commits.places() {
            let looks = self.looks.of(place);
            // A single read can only miss what others show, and what the last one shows comes too late for the others.
            let showing = if later || looks.len() == 1 { looks.len().saturating_sub(1) } else { looks.len() };
            for (i, look) in looks.iter().enumerate() {
                if later && newest.is_later(place, look) {
                    return Err(End::Stale(place));
                }
                self.spend(1)?;
                for &writer in self.shown(look).iter().filter(|_| i < showing) {
                    let written = self.commits.written(writer);
                    self.spend(written.len())?;
                    for &key in written {
                        newest.see(place, key, writer);
                    }
                }
            }
            if !later && looks.iter().any(|look| newest.is_later(place, look)) {
                return Err(End::Stale(place));
            }
        }
        Ok(())
    }

    /// What processes did before.
    fn by_processes(&mut self) -> Result<(), End> {
        let mut newest = Newest::new(self.commits.keys());
        for (process, places) in (0..).zip(&self.commits.by_process()) {
            for &place in places {
                let looks = self.looks.of(place);
                self.spend(1 + looks.len())?;
                if looks.iter().any(|look| newest.is_later(process, look)) {
                    return Err(End::Stale(place));
                }
                self.commits.written(place).iter().for_each(|&key| newest.see(process, key, place));
            }
        }
        Ok(())
    }

    /// All that happened before: by process how many of its transactions did.
    fn by_clocks<N: Count>(&mut self, others: &mut Others<'_>, budget: &Budget) -> Result<(), End> {
        let Commits { process, processes, .. } = self.commits;
        let mut clocks = Clocks::<N>::new(self.commits, budget).ok_or(End::Spent)?;
        // Many entries of a clock are compared at once.
        let each = 1 + processes / 64;
        let mut latest: Vec<Option<Place>> = vec![None; *processes];
        let mut wrote: Vec<Option<WritesOfKey>> = vec![None; self.commits.keys()];
        for place in self.commits.places() {
            let looks = self.looks.of(place);
            let before = &mut latest[process[place as usize] as usize];
            clocks.begin(*before);
            *before = Some(place);
            self.spend(1 + each)?;
            for look in looks {
                for &writer in self.shown(look) {
                    self.spend(1)?;
                    if !clocks.knows(writer) {
                        self.spend(each)?;
                        clocks.learn(writer);
                    }
                }
            }
            if let Some(refused) = others.refused(place) {
                let mut looked = 1;
                let read = others.read(refused, |writer| {
                    looked += 1;
                    clocks.knows(writer)
                })?;
                self.spend(looked)?;
                if let Some(writer) = read {
                    clocks.learn(writer);
                }
            }
            for look in looks {
                let later = &self.commits.writers(look.key)[look.writers as usize..];
                let later = &later[..later.partition_point(|writer| *writer < place)];
                let is_stale = if later.len() <= FEW {
                    self.spend(1 + later.len())?;
                    later.iter().any(|writer| clocks.knows(*writer))
                } else {
                    let wrote =
                        wrote[look.key as usize].get_or_insert_with(|| self.commits.writes_by_process(look.key));
                    self.spend(wrote.len())?;
                    let known = wrote.iter().filter_map(|writers| clocks.last_known(writers));
                    known.max().is_some_and(|writer| look.source.is_none_or(|source| source < writer))
                };
                if is_stale {
                    return Err(End::Stale(place));
                }
            }
            clocks.end(place);
        }
        Ok(())
    }
}

/// So many writers are looked at one by one.
const FEW: usize = 16;

/// The writers of a key, those of each process by themselves.
type WritesOfKey = Vec<Vec<Place>>;

impl Commits<'_> {
    /// The transactions of each process.
    fn by_process(&self) -> Vec<Vec<Place>> {
        let mut places = vec![Vec::new(); self.processes];
        self.places().for_each(|place| places[self.process[place as usize] as usize].push(place));
        places
    }

    /// How many transactions the busiest process has.
    fn most_of_a_process(&self) -> usize {
        let mut counts = vec![0; self.processes];
        self.process.iter().for_each(|process| counts[*process as usize] += 1);
        counts.into_iter().max().unwrap_or_default()
    }

    fn writes_by_process(&self, key: Key) -> WritesOfKey {
        let of = |place: &Place| self.process[*place as usize];
        let mut writers = self.writers(key).to_vec();
        writers.sort_by_key(of);
        writers.chunk_by(|a, b| of(a) == of(b)).map(<[Place]>::to_vec).collect()
    }
}

/// A count of transactions of one process. There are many, so that they are as small as may be.
trait Count: Copy + Ord + From<u8> + AddAssign {}

impl Count for u16 {}
impl Count for u32 {}

/// How many transactions of each process happened before or are each transaction.
struct Clocks<'c, N> {
    process: &'c [u32],
    processes: usize,
    /// By place, its number among those of its process, from 1.
    number: Vec<N>,
    /// By place and process. The last one is of the transaction at hand.
    all: Vec<N>,
}

impl<'c, N: Count> Clocks<'c, N> {
    /// `None` where they need more memory than there is.
    fn new(commits: &'c Commits<'_>, budget: &Budget) -> Option<Self> {
        let (n, processes) = (commits.process.len(), commits.processes);
        if (n as u64).checked_mul(processes as u64)? > budget.bytes / size_of::<N>() as u64 {
            return None;
        }
        let mut done = vec![N::from(0); processes];
        let number = commits.process.iter().map(|process| {
            done[*process as usize] += N::from(1);
            done[*process as usize]
        });
        let number = number.collect();
        Some(Clocks { process: &commits.process, processes, number, all: Vec::with_capacity(n * processes) })
    }

    /// The next transaction, which happens after this one of its process.
    fn begin(&mut self, before: Option<Place>) {
        match before {
            None => self.all.resize(self.all.len() + self.processes, N::from(0)),
            Some(before) => {
                let start = before as usize * self.processes;
                self.all.extend_from_within(start..start + self.processes);
            }
        }
    }

    /// The clock of the transaction at hand.
    fn now(&self) -> &[N] {
        &self.all[self.all.len() - self.processes..]
    }

    /// Whether a transaction happened before the one at hand.
    fn knows(&self, place: Place) -> bool {
        self.now()[self.process[place as usize] as usize] >= self.number[place as usize]
    }

    /// The one at hand happens after this one, and so after all that this one knows of.
    fn learn(&mut self, place: Place) {
        let start = self.all.len() - self.processes;
        let (before, now) = self.all.split_at_mut(start);
        for (mine, theirs) in now.iter_mut().zip(&before[place as usize * self.processes..]) {
            *mine = (*mine).max(*theirs);
        }
    }

    /// The last of these, which are of one process, that happened before the one at hand.
    fn last_known(&self, places: &[Place]) -> Option<Place> {
        let known = places.partition_point(|place| self.knows(*place));
        known.checked_sub(1).map(|last| places[last])
    }

    /// The one at hand stands here.
    fn end(&mut self, place: Place) {
        let start = self.all.len() - self.processes;
        self.all[start + self.process[place as usize] as usize] = self.number[place as usize];
    }
}
