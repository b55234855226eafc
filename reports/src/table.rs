//! Which operations and faults matter, and in what order things happened: the rows of the table of a failure.
//!
//! After Lincheck's table (Koval et al., CAV 2023): one column per process, one row per event.

use std::collections::BTreeSet;

use squall_checkers::history::{Moment, Outcome, Phase, ProcessId, SimTime};

use crate::{records::Finding, story};

/// Up to this many operations a history is shown as a whole.
const OPERATIONS_WHOLE_MAX: usize = 24;

/// Of a longer history this many are shown: those of the anomaly, and what happened next to them.
const OPERATIONS_PICKED_MAX: usize = 16;

/// Most operations of an anomaly that are shown; one of progress may name hundreds.
const ACCUSED_SHOWN_MAX: usize = 40;

/// Most faults that are shown when none is known to matter.
const FAULTS_SHOWN_MAX: usize = 8;

/// The table of a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// The processes, one column each.
    pub processes: Vec<ProcessId>,
    /// What happened, in order.
    pub rows: Vec<Row>,
    /// How many operations of the history are left out.
    pub operations_hidden: usize,
    /// How many faults of the schedule are left out.
    pub faults_hidden: usize,
}

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// When.
    pub at_ns: SimTime,
    /// What.
    pub event: Event,
    /// What each process is doing, by column.
    pub cells: Vec<Cell>,
}

/// What a row is about. Entry ids and fault indices are those of the finding's lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The process of this column asked, and was answered before anything else happened.
    Operation(usize, usize),
    /// The process of this column asked.
    Invocation(usize, usize),
    /// The process of this column learned of the outcome.
    Reply(usize, usize),
    /// A fault begins.
    FaultBegins(usize),
    /// A fault ends.
    FaultEnds(usize),
    /// A phase begins.
    Phase(Phase),
    /// The run itself failed.
    Failure,
}

impl Event {
    /// The operation that it is about.
    pub fn entry(self) -> Option<usize> {
        match self {
            Event::Operation(_, entry) | Event::Invocation(_, entry) | Event::Reply(_, entry) => Some(entry),
            Event::FaultBegins(_) | Event::FaultEnds(_) | Event::Phase(_) | Event::Failure => None,
        }
    }

    /// Place among events of the same instant: what changes the world comes before what is asked of it.
    fn rank(self) -> u8 {
        match self {
            Event::FaultBegins(_) => 0,
            Event::Operation(..) | Event::Invocation(..) | Event::Reply(..) => 1,
            Event::FaultEnds(_) => 2,
            Event::Phase(_) => 3,
            Event::Failure => 4,
        }
    }
}

/// What a process is doing in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    /// Nothing.
    Idle,
    /// The row is about it.
    Event,
    /// It waits for a reply.
    Open,
    /// It has given up on an operation that may still take effect.
    Dangling,
}

/// Lays out the table of a finding. O(n log n) for n operations.
pub fn table(finding: &Finding) -> Table {
    let operations = pick_operations(finding);
    let faults = pick_faults(finding, &operations);
    let processes: Vec<_> =
        operations.iter().map(|&i| finding.operations[i].process).collect::<BTreeSet<_>>().into_iter().collect();

    // (time, rank, position in the history), event
    let mut events = Vec::new();
    let mut add = |at: SimTime, position: u32, event: Event| events.push(((at, event.rank(), position), event));
    for &entry in &operations {
        let operation = &finding.operations[entry];
        let column = processes.binary_search(&operation.process).expect("a column was made for each process");
        let (asked, told) = (operation.invoked, operation.completed);
        add(asked.time(), asked.position, Event::Invocation(column, entry));
        // What was open at the end is answered after everything else.
        add(last_moment(finding, entry), told.map_or(u32::MAX, |m| m.position), Event::Reply(column, entry));
    }
    for &index in &faults {
        let fault = &finding.faults[index];
        add(fault.begins_ns, 0, Event::FaultBegins(index));
        // What was to come after the run had ended never came.
        if let Some(ends) = fault.ends_ns.filter(|&e| e <= finding.ended_ns) {
            add(ends, 0, Event::FaultEnds(index));
        }
    }
    // A phase in which nothing follows explains nothing.
    let last = operations.iter().map(|&i| last_known(finding, i)).max().unwrap_or(0);
    for phase in finding.phases.iter().filter(|p| p.phase != Phase::Chaos && p.begins_ns < last) {
        add(phase.begins_ns, 0, Event::Phase(phase.phase));
    }
    if let Some(failure) = &finding.failure {
        add(failure.at_ns.unwrap_or(finding.ended_ns), 0, Event::Failure);
    }
    events.sort_by_key(|(key, _)| *key);

    Table {
        rows: lay_out(finding, processes.len(), events.into_iter().map(|((at, ..), event)| (at, event))),
        processes,
        operations_hidden: finding.operations.len() - operations.len(),
        faults_hidden: finding.faults.len() - faults.len(),
    }
}

/// When a client last had to do with an operation.
fn last_known(finding: &Finding, entry: usize) -> SimTime {
    let operation = &finding.operations[entry];
    operation.completed.unwrap_or(operation.invoked).time()
}

/// When an operation is over for its client: the end of the run where it never heard of it again.
fn last_moment(finding: &Finding, entry: usize) -> SimTime {
    let operation = &finding.operations[entry];
    operation.completed.map_or(finding.ended_ns.max(operation.invoked.time()), Moment::time)
}

/// Joins an invocation with the reply that follows it at once, and tracks what each process is doing.
fn lay_out(finding: &Finding, columns: usize, events: impl Iterator<Item = (SimTime, Event)>) -> Vec<Row> {
    let mut events = events.peekable();
    let mut state = vec![Cell::Idle; columns];
    let mut rows = Vec::new();
    while let Some((at_ns, mut event)) = events.next() {
        if let Event::Invocation(column, entry) = event
            && events.next_if(|(_, next)| *next == Event::Reply(column, entry)).is_some()
        {
            event = Event::Operation(column, entry);
        }
        let mut cells = state.clone();
        match event {
            Event::Invocation(column, _) => {
                cells[column] = Cell::Event;
                state[column] = Cell::Open;
            }
            Event::Operation(column, entry) | Event::Reply(column, entry) => {
                cells[column] = Cell::Event;
                let outcome = &finding.operations[entry].outcome;
                let unknown = matches!(outcome, Outcome::Unknown(_));
                state[column] = if unknown { Cell::Dangling } else { Cell::Idle };
            }
            Event::FaultBegins(_) | Event::FaultEnds(_) | Event::Phase(_) | Event::Failure => {}
        }
        rows.push(Row { at_ns, event, cells });
    }
    rows
}

/// The entry ids of the operations to show, ascending.
fn pick_operations(finding: &Finding) -> Vec<usize> {
    let all = &finding.operations;
    if all.len() <= OPERATIONS_WHOLE_MAX {
        return (0..all.len()).collect();
    }
    let mut picked: BTreeSet<_> = story::accused(finding).into_iter().take(ACCUSED_SHOWN_MAX).collect();
    let (Some(&first), Some(&last)) = (picked.first(), picked.last()) else {
        return (all.len() - OPERATIONS_PICKED_MAX..all.len()).collect(); // what happened last
    };
    let keys: BTreeSet<_> = picked.iter().map(|&i| &all[i].operation.key).collect();
    let is_read = |i: usize| all[i].operation.args.is_nil() || all[i].operation.f == "read";
    let mut near: Vec<_> =
        (0..all.len()).filter(|i| !picked.contains(i) && keys.contains(&all[*i].operation.key)).collect();
    // Nearest to the span of the anomaly first; at the same distance what writes before what only reads.
    near.sort_by_key(|&i| (first.saturating_sub(i).max(i.saturating_sub(last)), is_read(i), i));
    let room = OPERATIONS_PICKED_MAX.saturating_sub(picked.len());
    picked.extend(near.into_iter().take(room));
    picked.into_iter().collect()
}

/// The indices of the faults to show, ascending.
fn pick_faults(finding: &Finding, operations: &[usize]) -> Vec<usize> {
    let faults = &finding.faults;
    let needed: Vec<_> = (0..faults.len()).filter(|&i| faults[i].made_possible).collect();
    if !needed.is_empty() {
        return needed;
    }
    let begins = operations.iter().map(|&i| finding.operations[i].invoked.time()).min().unwrap_or(0);
    let ends = operations.iter().map(|&i| last_known(finding, i)).max().unwrap_or(finding.ended_ns);
    (0..faults.len())
        .filter(|&i| {
            let fault = &faults[i];
            let overlaps = fault.begins_ns <= ends && fault.ends_ns.is_none_or(|e| e >= begins);
            overlaps && !fault.inert && !fault.unresolved
        })
        .take(FAULTS_SHOWN_MAX)
        .collect()
}
