//! Building a history event by event: the one place that gives positions and enforces what a process may do.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, PoisonError},
};

use foldhash::fast::FixedState;

use crate::{
    history::{Entry, EntryId, History, Mark, MarkKind, Moment, Outcome, ProcessId, Provenance, SimTime},
    operation::Operation,
};

/// Records events in the order in which they are reported and gives each the next position.
///
/// A recorder that knows its clients uses [`invoke`](Self::invoke) and [`complete`](Self::complete), which panic on a
/// protocol error, since that is a bug of the recorder. A reader of foreign files uses [`try_invoke`](Self::try_invoke) and
/// [`try_complete`](Self::try_complete).
///
/// ```
/// use squall_checkers::{history::{Outcome, ProcessId}, operation::Operation, recorder::HistoryBuilder, value::Value};
///
/// let mut recorder = HistoryBuilder::new();
/// let write = recorder.invoke(ProcessId(0), Operation::write("x", 1), 10);
/// recorder.complete(write, Outcome::Ok(Value::Nil), 25);
/// let history = recorder.finish();
/// assert_eq!(history.entries.len(), 1);
/// ```
#[derive(Clone, Debug, Default)]
pub struct HistoryBuilder {
    history: History,
    /// Looked up, never walked through: its order plays no part.
    processes: HashMap<ProcessId, Process, FixedState>,
    next_position: u32,
}

/// Records what threads do to a store that they share, in the test of another project.
///
/// ```
/// use squall_checkers::{budget::Budget, history::Outcome, linearizability, models::Register, operation::Operation, recorder::Recorder};
/// # use squall_checkers::value::Value;
/// # let store = std::sync::RwLock::new(Value::Nil);
///
/// let recorder = Recorder::default();
/// std::thread::scope(|threads| for process in 0..4 {
///     let (recorder, store) = (&recorder, &store);
///     threads.spawn(move || for i in 0..100 {
///         let write = || { *store.write().unwrap() = i.into(); Outcome::Ok(Value::Nil) };
///         recorder.record(process, Operation::write("x", i), write);
///         recorder.record(process, Operation::read("x"), || Outcome::Ok(store.read().unwrap().clone()));
///     });
/// });
/// linearizability::check(&Register, &recorder.finish(), &Budget::default()).assert_valid();
/// ```
#[derive(Debug, Default)]
pub struct Recorder(Mutex<HistoryBuilder>);

impl Recorder {
    /// Does it, and records when it was asked for and what came of it. Times are positions.
    ///
    /// A call that came to no end is [`Outcome::Unknown`], and the process may not do anything after that.
    ///
    /// # Panics
    /// When the process has something else under way, or has ended.
    pub fn record(&self, process: u32, operation: Operation, act: impl FnOnce() -> Outcome) {
        let entry = self.with(|builder| builder.invoke(ProcessId(process), operation, 0));
        let outcome = act();
        self.with(|builder| builder.complete(entry, outcome, 0));
    }

    /// What was recorded. Operations still open have an unknown outcome.
    pub fn finish(self) -> History {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner).finish()
    }

    fn with<T>(&self, act: impl FnOnce(&mut HistoryBuilder) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What a process may do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Process {
    Idle,
    Open(EntryId),
    /// Its operation stayed unknown: it is gone.
    Ended(EntryId),
}

/// A sequence of events that no clients can produce. Entries are named by their place in the order of invocations.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HistoryError {
    /// A process invoked while its last operation was open.
    #[error("process {} invokes while its operation {open} is still open", process.0)]
    AlreadyOpen {
        /// The process.
        process: ProcessId,
        /// The entry that is still open.
        open: EntryId,
    },
    /// A process invoked after an operation of unknown outcome, which ends a process.
    #[error("process {} invokes again although its operation {unknown} has an unknown outcome, which ends a process", process.0)]
    Ended {
        /// The process.
        process: ProcessId,
        /// The entry whose outcome is unknown.
        unknown: EntryId,
    },
    /// A process completed without an open operation.
    #[error("process {} completes an operation, but has none open", process.0)]
    NothingOpen {
        /// The process.
        process: ProcessId,
    },
    /// An entry was completed a second time.
    #[error("operation {entry} is completed a second time")]
    CompletedTwice {
        /// The entry.
        entry: EntryId,
    },
    /// An entry was completed that was never invoked.
    #[error("operation {entry} is completed, but was never invoked")]
    NeverInvoked {
        /// The entry.
        entry: EntryId,
    },
    /// Entries, marks or completions are not in a strict order of positions.
    #[error("operation or mark {index}: position {position} is out of order or taken")]
    Order {
        /// Index of the entry or mark.
        index: usize,
        /// The position in question.
        position: u32,
    },
}

impl HistoryBuilder {
    /// An empty history.
    pub fn new() -> Self {
        Self::default()
    }

    /// States where the history comes from and what was promised.
    pub fn set_provenance(&mut self, provenance: Provenance) {
        self.history.provenance = provenance;
    }

    /// Records that `process` asks for `operation`, at `time`.
    ///
    /// # Panics
    /// When the process has an operation open, or had one of unknown outcome.
    pub fn invoke(&mut self, process: ProcessId, operation: Operation, time: SimTime) -> EntryId {
        self.try_invoke(process, operation, time).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Records that the client learned the outcome of `entry`, at `time`.
    ///
    /// # Panics
    /// When the entry does not exist or is completed already.
    pub fn complete(&mut self, entry: EntryId, outcome: Outcome, time: SimTime) {
        self.try_complete(entry, outcome, time).unwrap_or_else(|error| panic!("{error}"));
    }

    /// [`invoke`](Self::invoke) for events that come from outside.
    ///
    /// # Errors
    /// When the process has an operation open, or had one of unknown outcome.
    pub fn try_invoke(
        &mut self,
        process: ProcessId,
        operation: Operation,
        time: SimTime,
    ) -> Result<EntryId, HistoryError> {
        let entry = self.history.entries.len();
        let state = self.processes.entry(process).or_insert(Process::Idle);
        match *state {
            Process::Open(open) => return Err(HistoryError::AlreadyOpen { process, open }),
            Process::Ended(unknown) => return Err(HistoryError::Ended { process, unknown }),
            Process::Idle => *state = Process::Open(entry),
        }
        let invoked = self.next(time);
        // Said by `finish` of those that stay open; most do not.
        let outcome = Outcome::Unknown("".into());
        self.history.entries.push(Entry { process, operation, invoked, completed: None, outcome });
        Ok(entry)
    }

    /// [`complete`](Self::complete) for events that come from outside.
    ///
    /// # Errors
    /// When the entry does not exist or is completed already.
    pub fn try_complete(&mut self, entry: EntryId, outcome: Outcome, time: SimTime) -> Result<(), HistoryError> {
        match self.history.entries.get(entry) {
            None => return Err(HistoryError::NeverInvoked { entry }),
            Some(e) if e.completed.is_some() => return Err(HistoryError::CompletedTwice { entry }),
            Some(_) => {}
        }
        let completed = Some(self.next(time));
        let e = &mut self.history.entries[entry];
        let after = if matches!(outcome, Outcome::Unknown(_)) { Process::Ended(entry) } else { Process::Idle };
        self.processes.insert(e.process, after);
        e.completed = completed;
        e.outcome = outcome;
        Ok(())
    }

    /// The operation that `process` has open.
    ///
    /// # Errors
    /// When it has none.
    pub fn open_entry(&self, process: ProcessId) -> Result<EntryId, HistoryError> {
        match self.processes.get(&process) {
            Some(Process::Open(entry)) => Ok(*entry),
            _ => Err(HistoryError::NothingOpen { process }),
        }
    }

    /// Whether an operation of unknown outcome ended `process`.
    pub fn has_ended(&self, process: ProcessId) -> bool {
        matches!(self.processes.get(&process), Some(Process::Ended(_)))
    }

    /// Records where a phase or fault begins or ends.
    pub fn mark(&mut self, kind: MarkKind, time: SimTime) {
        let at = self.next(time);
        self.history.marks.push(Mark { at, kind });
    }

    /// The entries so far.
    pub fn entries(&self) -> &[Entry] {
        &self.history.entries
    }

    /// The entry as far as it is known.
    #[inline]
    pub fn entry(&self, entry: EntryId) -> Option<&Entry> {
        self.history.entries.get(entry)
    }

    /// The entry as far as it is known, to add what a later line of a file says of it.
    pub fn entry_mut(&mut self, entry: EntryId) -> Option<&mut Entry> {
        self.history.entries.get_mut(entry)
    }

    /// How many operations were invoked so far.
    pub fn len(&self) -> usize {
        self.history.entries.len()
    }

    /// Whether nothing was invoked so far.
    pub fn is_empty(&self) -> bool {
        self.history.entries.is_empty()
    }

    /// The history. Operations still open have an unknown outcome.
    pub fn finish(mut self) -> History {
        for entry in self.history.entries.iter_mut().filter(|e| e.completed.is_none()) {
            if let Outcome::Unknown(why) = &mut entry.outcome
                && why.is_empty()
            {
                *why = "still open at the end".into();
            }
        }
        self.history
    }

    fn next(&mut self, time: SimTime) -> Moment {
        let position = self.next_position;
        // `u32::MAX` stands for "never", so the counter must not reach it.
        self.next_position = position.checked_add(1).expect("a history holds fewer than 2^32 - 1 events");
        Moment::new(position, time)
    }
}

impl History {
    /// Checks a history that did not come from a [`HistoryBuilder`]: positions are unique and in order, completions follow
    /// invocations, and a process does one thing at a time. O(n log n).
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn validate(&self) -> Result<(), HistoryError> {
        one_at_a_time(&self.entries)?;
        let mut taken: Vec<(u32, usize)> = Vec::with_capacity(2 * self.entries.len() + self.marks.len());
        for (index, entry) in self.entries.iter().enumerate() {
            taken.push((entry.invoked.position, index));
            taken.extend(entry.completed.map(|completed| (completed.position, index)));
        }
        for (index, mark) in self.marks.iter().enumerate() {
            if index > 0 && self.marks[index - 1].at.position >= mark.at.position {
                return Err(HistoryError::Order { index, position: mark.at.position });
            }
            taken.push((mark.at.position, index));
        }
        taken.sort_unstable();
        // `u32::MAX` stands for "never".
        let last = taken.last().filter(|(position, _)| *position == u32::MAX);
        match taken.windows(2).find(|pair| pair[0].0 == pair[1].0).map(|pair| &pair[1]).or(last) {
            Some(&(position, index)) => Err(HistoryError::Order { index, position }),
            None => Ok(()),
        }
    }
}

/// Checks all of [`History::validate`] but that no two events have one position. O(n log p) for p processes.
pub(crate) fn one_at_a_time(entries: &[Entry]) -> Result<(), HistoryError> {
    let mut last: BTreeMap<ProcessId, EntryId> = BTreeMap::new();
    for (index, entry) in entries.iter().enumerate() {
        let out_of_order = |position| Err(HistoryError::Order { index, position });
        if index > 0 && entries[index - 1].invoked.position >= entry.invoked.position {
            return out_of_order(entry.invoked.position);
        }
        match entry.completed {
            Some(m) if m.position <= entry.invoked.position => return out_of_order(m.position),
            None if !entry.is_unknown() => return out_of_order(u32::MAX),
            _ => {}
        }
        if let Some(before) = last.insert(entry.process, index) {
            let process = entry.process;
            let earlier = &entries[before];
            if earlier.is_unknown() {
                return Err(HistoryError::Ended { process, unknown: before });
            }
            if earlier.completed.is_none_or(|m| m.position > entry.invoked.position) {
                return Err(HistoryError::AlreadyOpen { process, open: before });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Value;

    const P: ProcessId = ProcessId(7);

    #[test]
    fn positions_are_given_in_order_and_open_operations_stay_unknown() {
        let mut b = HistoryBuilder::new();
        let w = b.invoke(P, Operation::write("x", 1), 5);
        b.mark(MarkKind::FaultEnds(1), 6);
        b.complete(w, Outcome::Ok(Value::Nil), 7);
        b.invoke(P, Operation::read("x"), 8);
        let h = b.finish();
        assert_eq!(h.validate(), Ok(()));
        assert_eq!(h.entries[0].completed, Some(Moment::new(2, 7)));
        assert!(h.entries[1].is_unknown() && h.entries[1].returned() == u32::MAX);
        assert_eq!(h.marks[0].at.position, 1);
    }

    #[test]
    fn protocol_errors_are_named() {
        let mut b = HistoryBuilder::new();
        assert_eq!(b.open_entry(P), Err(HistoryError::NothingOpen { process: P }));
        let w = b.invoke(P, Operation::write("x", 1), 0);
        let again = b.try_invoke(P, Operation::read("x"), 1);
        assert_eq!(again, Err(HistoryError::AlreadyOpen { process: P, open: w }));
        b.complete(w, Outcome::Unknown("timeout".into()), 2);
        let twice = b.try_complete(w, Outcome::Ok(Value::Nil), 3);
        assert_eq!(twice, Err(HistoryError::CompletedTwice { entry: w }));
        let after = b.try_invoke(P, Operation::read("x"), 4);
        assert_eq!(after, Err(HistoryError::Ended { process: P, unknown: w }));
        let nobody = b.try_complete(9, Outcome::Ok(Value::Nil), 5);
        assert_eq!(nobody, Err(HistoryError::NeverInvoked { entry: 9 }));
    }

    #[test]
    fn validation_finds_what_a_builder_would_refuse() {
        let mut b = HistoryBuilder::new();
        for (process, value) in [(0, 1), (1, 2)] {
            let w = b.invoke(ProcessId(process), Operation::write("x", value), 0);
            b.complete(w, Outcome::Ok(Value::Nil), 0);
        }
        let good = b.finish();
        assert_eq!(good.validate(), Ok(()));

        let mut h = good.clone();
        h.entries[1].completed = Some(Moment::new(1, 0));
        assert_eq!(h.validate(), Err(HistoryError::Order { index: 1, position: 1 }));

        let mut h = good.clone();
        h.entries[0].completed = Some(Moment::new(9, 0));
        h.entries[1].process = ProcessId(0);
        assert_eq!(h.validate(), Err(HistoryError::AlreadyOpen { process: ProcessId(0), open: 0 }));

        let mut h = good;
        h.entries[1].completed = Some(Moment::new(1, 0));
        h.entries[1].invoked.position = 0;
        assert!(h.validate().is_err());
    }
}
