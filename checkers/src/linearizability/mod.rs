//! Linearizability (Herlihy & Wing 1990): does every operation seem to happen at one instant between its invocation and
//! its completion?
//!
//! Each key is an object of its own and is checked apart (locality). A register with unique values is decided in O(n log n)
//! (`registers`, `zones`), a log or a set that only grows likewise (`growing`), and a queue, a stack or a priority queue into
//! which every element is put once (`containers`); all else is searched (`search`), a string by what its reads show (`texts`).
//! Of a counter what is out of bounds is found first (`counters`), of a set that is read as a whole what is wrong with one of its
//! elements (`elements`).
//! The search never has a choice, and so is linear, where operations that change the state are alike or exclude each other: a
//! mutex, a counter that always grows by the same amount. This is about one object in real time; strict serializability is
//! about transactions.

pub(crate) mod automaton;
mod containers;
mod core;
mod counters;
mod elements;
mod evidence;
mod growing;
mod levels;
mod mask;
pub(crate) mod problem;
mod registers;
mod search;
mod texts;
mod timeline;
mod together;
mod zones;

use std::{
    borrow::Cow,
    collections::BTreeMap,
    num::NonZero,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use self::{
    automaton::{ModelAutomaton, RegisterAutomaton},
    core::Minimal,
    evidence::Witness,
    problem::Problem,
    registers::Registers,
    search::Found,
    texts::TextAutomaton,
    timeline::Timeline,
    zones::Zones,
};
use crate::{
    anomaly,
    budget::{Budget, Meter},
    history::{Entry, EntryId, History, Order},
    model::Model,
    partition::Partition,
    value::Value,
    verdict::{Anomaly, Reason, Verdict},
};

/// Steps that all rechecks together may take while a core is made small, at most; one may take a hundredth.
const CORE_STEPS: u64 = 2_000_000;
/// The same where each step asks a model and copies a state, unless the search itself took long.
const CORE_STEPS_OF_MODEL: u64 = 100_000;
/// Steps that looking at each element of a set by itself may take.
const ELEMENTS_STEPS: u64 = 2_000_000;
/// Rechecks that shall be affordable: one takes hardly more steps than the search of the whole did.
const CORE_RECHECKS: u64 = 32;

/// Every object is looked at with this part of the budget before any is searched with all of it.
const FIRST_LOOK: u64 = 100;

/// A history of at least this many operations is worth more than one thread.
const LONG: usize = 50_000;

/// Whether `history` is linearizable with respect to `model`.
///
/// Valid comes with one order of the operations, invalid with one anomaly for each key that was found impossible: once there
/// is one, keys that are hard to decide are left undecided. The budget is shared by all keys. Long histories are checked by
/// as many threads as the machine runs at once, which changes nothing of the verdict. `history` is one that
/// [`History::validate`] accepts.
pub fn check<M: Model>(model: &M, history: &History, budget: &Budget) -> Verdict {
    let threads =
        if history.entries.len() < LONG { 1 } else { thread::available_parallelism().map_or(1, NonZero::get) };
    check_with_threads(model, history, budget, threads)
}

/// [`check`] by at most so many threads. The verdict and its evidence are the same for any number.
pub fn check_with_threads<M: Model>(model: &M, history: &History, budget: &Budget, threads: usize) -> Verdict {
    let left = match registers::check(model, history, threads) {
        Some(Registers::Legal(order)) => return Verdict::Valid { linearization: Some(order) },
        Some(Registers::Left(left)) => Some(left),
        None => None,
    };
    if left.is_none()
        && let Err(verdict) = precondition(model, history)
    {
        return verdict;
    }
    let partition = if left.is_none() { history.partition() } else { Partition::default() };
    let everything: Vec<EntryId>;
    let keys: Vec<(&Value, &[EntryId])> = if let Some(left) = &left {
        left.iter().map(|(key, ids)| (*key, ids.as_slice())).collect()
    } else if history.entries.iter().all(|e| model.is_keyed(&e.operation)) {
        partition.iter().collect()
    } else {
        everything = (0..history.entries.len()).collect();
        vec![(&Value::Nil, &everything)]
    };
    let parts: Vec<Option<Vec<Vec<EntryId>>>> = keys.iter().map(|(_, ids)| parts(model, history, ids)).collect();
    let mut objects: Vec<(&Value, &[EntryId])> = Vec::with_capacity(keys.len());
    for (&(key, entries), parts) in keys.iter().zip(&parts) {
        match parts {
            Some(parts) => objects.extend(parts.iter().map(|part| (key, part.as_slice()))),
            None => objects.push((key, entries)),
        }
    }

    let mut meter = Meter::new(*budget);
    let mut anomalies = Vec::new();
    let mut orders: Vec<Vec<EntryId>> = Vec::new();
    let mut hard = Vec::new();
    let mut looks = first_looks(model, history, &objects, budget, threads);
    for (&(key, entries), look) in objects.iter().zip(&mut looks) {
        let mut first = meter.share(budget.steps / FIRST_LOOK);
        let decision = match look.take() {
            // It had no more than it would have had if all keys had been looked at one after the other.
            Some((decision, spent)) if first.budget().steps == spent.budget().steps => {
                first.absorb(&spent);
                decision
            }
            _ => decide(model, history, key, entries, &mut first),
        };
        match decision {
            Decision::Legal(order) => orders.push(order),
            Decision::Illegal(anomaly) => anomalies.push(anomaly),
            Decision::GaveUp { .. } => hard.push((key, entries)),
        }
        meter.absorb(&first);
    }
    let mut gave_up: Option<(Reason, String)> = None;
    for (key, entries) in hard {
        if !anomalies.is_empty() {
            break;
        }
        match decide(model, history, key, entries, &mut meter) {
            Decision::Legal(order) => orders.push(order),
            Decision::Illegal(anomaly) => anomalies.push(anomaly),
            Decision::GaveUp { reason, placed, of } => {
                let object = if key.is_nil() { String::new() } else { format!("key {key}: ") };
                gave_up.get_or_insert((reason, format!("{object}{placed} of {of} completed operations placed")));
            }
        }
    }
    if !anomalies.is_empty() {
        return Verdict::of(anomalies);
    }
    match gave_up {
        Some((reason, progress)) => meter.spent(reason, &progress),
        None => Verdict::Valid { linearization: Some(merge(orders)) },
    }
}

/// The operations of one key by the part that each concerns; nothing where one of them concerns all.
fn parts<M: Model>(model: &M, history: &History, ids: &[EntryId]) -> Option<Vec<Vec<EntryId>>> {
    let mut parts: BTreeMap<&Value, Vec<EntryId>> = BTreeMap::new();
    for &id in ids {
        let entry = &history.entries[id];
        if entry.is_ok() || entry.is_unknown() {
            parts.entry(model.part(&entry.operation)?).or_default().push(id);
        }
    }
    Some(parts.into_values().collect())
}

/// What was found about one object, and what that took.
type Look = Option<(Decision, Meter)>;

/// A first look at each object, by several threads: who is done takes the next, the largest first. Nothing where one thread
/// might as well do all.
fn first_looks<M: Model>(
    model: &M,
    history: &History,
    objects: &[(&Value, &[EntryId])],
    budget: &Budget,
    threads: usize,
) -> Vec<Look> {
    let threads = threads.min(objects.len());
    if threads < 2 {
        return objects.iter().map(|_| None).collect();
    }
    let mut line: Vec<usize> = (0..objects.len()).collect();
    line.sort_by_key(|&object| std::cmp::Reverse(objects[object].1.len()));
    let next = AtomicUsize::new(0);
    let looks: Vec<Mutex<Look>> = objects.iter().map(|_| Mutex::new(None)).collect();
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(&object) = line.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let (key, entries) = objects[object];
                    let mut meter = Meter::new(*budget).share(budget.steps / FIRST_LOOK);
                    let decision = decide(model, history, key, entries, &mut meter);
                    *looks[object].lock().unwrap_or_else(PoisonError::into_inner) = Some((decision, meter));
                }
            });
        }
    });
    looks.into_iter().map(|look| look.into_inner().unwrap_or_else(PoisonError::into_inner)).collect()
}

/// Whether there is something to judge, and all of it can be.
pub(crate) fn precondition<M: Model>(model: &M, history: &History) -> Result<(), Verdict> {
    if history.order == Order::Processes {
        return Err(Verdict::precondition(Order::NO_REAL_TIME));
    }
    admissible(model, history)
}

/// The same for those who do not look at real time.
pub(crate) fn admissible<M: Model>(model: &M, history: &History) -> Result<(), Verdict> {
    if !history.entries.iter().any(Entry::is_ok) {
        let n = history.entries.len();
        return Err(Verdict::vacuous(format!("none of the {n} operations is known to have taken effect")));
    }
    for (id, entry) in history.entries.iter().enumerate() {
        let judged = entry.is_ok() || entry.is_unknown();
        if let Err(why) = if judged { model.admits(&entry.operation, entry.reply()) } else { Ok(()) } {
            return Err(Verdict::precondition(format!("operation {id}: {why}")));
        }
    }
    Ok(())
}

enum Decision {
    Legal(Vec<EntryId>),
    Illegal(Anomaly),
    GaveUp { reason: Reason, placed: usize, of: usize },
}

/// What a path that is not a search found out about one object.
enum Shortcut {
    /// It does not know such objects, or not enough of this one.
    Undecided,
    /// An order that explains the history.
    Legal(Vec<EntryId>),
    /// Why there is none.
    Illegal(Anomaly),
}

impl Shortcut {
    fn decision(self) -> Option<Decision> {
        match self {
            Shortcut::Undecided => None,
            Shortcut::Legal(order) => Some(Decision::Legal(order)),
            Shortcut::Illegal(anomaly) => Some(Decision::Illegal(anomaly)),
        }
    }
}

/// Decides one object.
fn decide<M: Model>(model: &M, history: &History, key: &Value, entries: &[EntryId], meter: &mut Meter) -> Decision {
    let shortcut = model.discipline().map(|d| containers::check(model, d, history, key, entries));
    if let Some(decision) = shortcut.and_then(Shortcut::decision) {
        return decision;
    }
    let whole = Problem::new(model, history, entries);
    if let Some(anomaly) = counters::out_of_bounds(model, history, key, &whole) {
        return Decision::Illegal(anomaly);
    }
    if whole.register {
        return decide_register(history, key, &whole, meter);
    }
    if let Some(decision) = growing::check(model, history, key, &whole).decision() {
        return decision;
    }
    let mut side = meter.share(ELEMENTS_STEPS.min((meter.budget().steps - meter.taken()) / 2));
    let refuted = elements::refute(model, history, key, &whole, &mut side);
    meter.absorb(&side);
    if let Some(anomaly) = refuted {
        return Decision::Illegal(anomaly);
    }
    if let Err(two) = model.beginnings(&mut whole.done()) {
        return Decision::Illegal(anomaly::two_beginnings(history, key, two.map(|op| whole.ops[op].entry())));
    }
    let before = meter.taken();
    let run = |problem: &Problem<'_>, meter: &mut Meter| run_search(model, problem, meter);
    let found = run(&whole, meter);
    let taken = meter.taken() - before;
    concluded(history, key, &whole, found, Core { taken, least: CORE_STEPS_OF_MODEL }, meter, run)
}

/// Decides a register.
fn decide_register(history: &History, key: &Value, whole: &Problem<'_>, meter: &mut Meter) -> Decision {
    let has_unknown = whole.ops.iter().any(|op| !op.certain());
    let seen = if has_unknown { Cow::Owned(whole.without_unseen()) } else { Cow::Borrowed(whole) };
    // What is illegal without the operations that only prove a difference is illegal with them, not the converse.
    let differs = whole.has_differs();
    let plain = if whole.makes_twice() {
        None
    } else if differs {
        let plain = whole.filtered(|op| !matches!(whole.kind(op), problem::Kind::Differs(_)));
        Some(Cow::Owned(plain.without_unseen()))
    } else {
        Some(Cow::Borrowed(&*seen))
    };
    if let Some(plain) = plain {
        match zones::check(&plain) {
            Zones::Legal(ops) if !differs => return Decision::Legal(entries_of(&plain, ops)),
            Zones::Illegal(proof) => {
                return Decision::Illegal(Witness { history, problem: &plain, key }.of_proof(&proof));
            }
            _ => {}
        }
    }
    let before = meter.taken();
    let run =
        |problem: &Problem<'_>, meter: &mut Meter| search::search(problem, &mut RegisterAutomaton::new(problem), meter);
    let mut found = run(&seen, meter);
    let mut problem: &Problem<'_> = &seen;
    if whole.ops.len() > seen.ops.len() && differs && matches!(found, Found::Illegal) {
        // An unseen write may be what makes the difference.
        found = run(whole, meter);
        problem = whole;
    }
    let taken = meter.taken() - before;
    concluded(history, key, problem, found, Core { taken, least: CORE_STEPS }, meter, run)
}

/// What the search took of which a core is to be made small, and how much that may take in any case.
struct Core {
    taken: u64,
    least: u64,
}

/// What a search found out, with a small core where that is that there is no order.
fn concluded(
    history: &History,
    key: &Value,
    problem: &Problem<'_>,
    found: Found,
    Core { taken, least }: Core,
    meter: &Meter,
    mut run: impl FnMut(&Problem<'_>, &mut Meter) -> Found,
) -> Decision {
    match found {
        Found::Legal(ops) => Decision::Legal(entries_of(problem, ops)),
        Found::Spent { reason, placed, of } => Decision::GaveUp { reason, placed, of },
        Found::Illegal => {
            let steps = (CORE_RECHECKS * taken).clamp(least, CORE_STEPS);
            let mut side = Meter::new(Budget { steps, ..meter.budget() });
            let Minimal { core, whatever_before } = core::minimise(problem, |smaller| {
                let mut each = side.share((2 * taken).max(steps / 100));
                let found = run(smaller, &mut each);
                side.absorb(&each);
                matches!(found, Found::Illegal)
            });
            let witness = Witness { history, problem: &core, key };
            Decision::Illegal(if whatever_before { witness.of_part() } else { witness.of_core(problem) })
        }
    }
}

fn entries_of(problem: &Problem<'_>, ops: Vec<usize>) -> Vec<EntryId> {
    ops.into_iter().map(|i| problem.ops[i].entry()).collect()
}

/// Searches where the object is no register, from each state that it may have begun in.
fn run_search<M: Model>(model: &M, problem: &Problem<'_>, meter: &mut Meter) -> Found {
    if let Some(mut text) = TextAutomaton::new(model, problem) {
        return search::search(problem, &mut text, meter);
    }
    let Ok(mut beginnings) = model.beginnings(&mut problem.done()) else { return Found::Illegal };
    let found = beginnings.find_map(|initial| {
        let found = search::search(problem, &mut ModelAutomaton::new(model, problem, initial), meter);
        (found != Found::Illegal).then_some(found)
    });
    found.unwrap_or(Found::Illegal)
}

/// One order for all objects.
fn merge(mut orders: Vec<Vec<EntryId>>) -> Vec<EntryId> {
    if let [_] = orders[..] {
        return orders.swap_remove(0);
    }
    let mut timeline = Timeline::default();
    for order in orders {
        timeline.starts.push(timeline.operations.len());
        timeline.operations.extend(order.into_iter().map(|entry| entry as u32));
    }
    timeline.merged()
}
