//! The checkers `at-most-once`, `at-least-once` and `total-queue`: what becomes of the elements of a queue, whatever their order.
//!
//! `enqueue(element) -> nil`, `dequeue() -> element | nil`, `drain() -> [elements]` (also `push`, `insert`, `pop`, `extract-min`). No
//! element comes out that was not put in; at most once: none comes out more often than it was put in; at least once: none
//! that was acknowledged is lost. `total-queue` asks for both: exactly once.
//!
//! An element is lost if it never came out, and a removal that was invoked after its insertion had returned found nothing (or
//! drained the queue). A removal of unknown outcome may have taken one, so as many are excused; a drain of unknown outcome
//! excuses all. Without a removal that found nothing whether elements are lost is unknown.

use std::collections::BTreeMap;

use super::{Invariant, SHOWN_MAX, Scene, and_more, unintelligible};
use crate::{
    anomaly,
    checker::CheckerEntry,
    history::{Entry, EntryId, History},
    value::Value,
    verdict::{Anomaly, Verdict},
};

pub(crate) const TOTAL_QUEUE: CheckerEntry = CheckerEntry {
    name: "total-queue",
    summary: "Each acknowledged element of a queue comes out exactly once, in any order.",
    needs_model: false,
    build: |_| Some(Box::new(Invariant { name: TOTAL_QUEUE.name, real_time: true, judge: |h| judge(h, true, true) })),
};

pub(crate) const AT_MOST_ONCE: CheckerEntry = CheckerEntry {
    name: "at-most-once",
    summary: "No element of a queue comes out more often than it was put in.",
    needs_model: false,
    build: |_| Some(Box::new(Invariant { name: AT_MOST_ONCE.name, real_time: true, judge: |h| judge(h, false, true) })),
};

pub(crate) const AT_LEAST_ONCE: CheckerEntry = CheckerEntry {
    name: "at-least-once",
    summary: "Each acknowledged element of a queue comes out, perhaps more than once.",
    needs_model: false,
    build: |_| {
        Some(Box::new(Invariant { name: AT_LEAST_ONCE.name, real_time: true, judge: |h| judge(h, true, false) }))
    },
};

/// How often elements came out of the queues of a history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deliveries {
    /// Insertions that were acknowledged.
    pub acknowledged: usize,
    /// Elements that came out.
    pub delivered: usize,
    /// Elements that came out although nobody had put them in.
    pub unexpected: usize,
    /// How often elements came out once more than they had been put in.
    pub duplicated: usize,
    /// Acknowledged elements that are certainly lost.
    pub lost: usize,
    /// Acknowledged elements that did not come out, of which nothing else is known.
    pub outstanding: usize,
}

impl Deliveries {
    /// What is left of exactly-once delivery.
    pub fn guarantee(&self) -> &'static str {
        match (self.lost > 0, self.duplicated > 0) {
            _ if self.unexpected > 0 => "none",
            (true, true) => "none",
            (true, false) => "at most once",
            (false, true) => "at least once",
            (false, false) => "exactly once",
        }
    }
}

/// What became of the elements of all queues.
///
/// ```
/// use squall_checkers::{formats::text, invariants};
///
/// let history = text::read("0: enqueue 1; 0: enqueue 2; 1: dequeue -> 2; 1: dequeue -> 2; 1: dequeue -> nil").unwrap();
/// let deliveries = invariants::deliveries(&history);
/// assert_eq!((deliveries.lost, deliveries.duplicated), (1, 1));
/// assert_eq!(deliveries.guarantee(), "none");
/// ```
pub fn deliveries(history: &History) -> Deliveries {
    let mut sum = Deliveries::default();
    for (key, ids) in history.partition().iter() {
        let part = Queue::new(Scene { history, key }, ids).deliveries();
        sum.acknowledged += part.acknowledged;
        sum.delivered += part.delivered;
        sum.unexpected += part.unexpected;
        sum.duplicated += part.duplicated;
        sum.lost += part.lost;
        sum.outstanding += part.outstanding;
    }
    sum
}

fn judge(history: &History, at_least_once: bool, at_most_once: bool) -> Verdict {
    let is_odd = |e: &Entry| e.operation.f == "drain" && e.reply().is_some_and(|reply| reply.as_list().is_none());
    if let Some(id) = history.entries.iter().position(is_odd) {
        return unintelligible(history, id, "no list of elements");
    }
    let sum = deliveries(history);
    if sum.acknowledged == 0 && sum.delivered == 0 {
        return Verdict::vacuous("no element was put into a queue or came out of it");
    }
    let mut anomalies = Vec::new();
    for (key, ids) in history.partition().iter() {
        let queue = Queue::new(Scene { history, key }, ids);
        anomalies.extend(queue.unexpected());
        anomalies.extend(queue.duplicated().filter(|_| at_most_once));
        anomalies.extend(queue.lost().filter(|_| at_least_once));
    }
    if at_least_once && at_most_once {
        let what = match sum.guarantee() {
            "none" => "neither at most nor at least once",
            guarantee => guarantee,
        };
        let counts = |a: &&mut Anomaly| a.kind == anomaly::LOST_ELEMENT || a.kind == anomaly::DUPLICATED_ELEMENT;
        for anomaly in anomalies.iter_mut().filter(counts) {
            anomaly.sentence = format!("{} Elements are delivered {what}.", anomaly.sentence);
        }
    }
    if anomalies.is_empty() && at_least_once && sum.outstanding > 0 {
        let n = sum.outstanding;
        return Verdict::precondition(format!(
            "acknowledged elements that did not come out: {n}; nobody can say whether they are lost, as no later removal found the queue empty or one of unknown outcome may have taken them"
        ));
    }
    Verdict::of(anomalies)
}

/// What was done with one element.
#[derive(Default)]
struct Element {
    /// Insertions that took effect or may have.
    puts: Vec<EntryId>,
    acknowledged: usize,
    takes: Vec<EntryId>,
}

/// One queue.
struct Queue<'h> {
    scene: Scene<'h>,
    elements: BTreeMap<&'h Value, Element>,
    /// The removal that found nothing and was invoked last.
    empty: Option<EntryId>,
    /// Removals of unknown outcome.
    unknown: Vec<EntryId>,
    /// Whether one of these may have taken more than one element.
    drained: bool,
}

impl<'h> Queue<'h> {
    fn new(scene: Scene<'h>, ids: &[EntryId]) -> Self {
        let mut queue = Queue { scene, elements: BTreeMap::new(), empty: None, unknown: Vec::new(), drained: false };
        for &id in ids {
            let entry: &'h Entry = &scene.history.entries[id];
            let alive = entry.is_ok() || entry.is_unknown();
            match (entry.operation.f.as_str(), entry.reply()) {
                ("enqueue" | "push" | "insert", _) if alive => {
                    let element = queue.elements.entry(&entry.operation.args).or_default();
                    element.puts.push(id);
                    element.acknowledged += usize::from(entry.is_ok());
                }
                ("dequeue" | "pop" | "extract-min", Some(Value::Nil)) => queue.empty = Some(id),
                ("dequeue" | "pop" | "extract-min", Some(element)) => {
                    queue.elements.entry(element).or_default().takes.push(id);
                }
                ("drain", Some(Value::List(elements))) => {
                    for element in elements {
                        queue.elements.entry(element).or_default().takes.push(id);
                    }
                    queue.empty = Some(id);
                }
                ("dequeue" | "pop" | "extract-min" | "drain", None) if alive => {
                    queue.unknown.push(id);
                    queue.drained |= entry.operation.f == "drain";
                }
                _ => {}
            }
        }
        queue
    }

    fn deliveries(&self) -> Deliveries {
        let elements = || self.elements.values();
        let missing: usize = elements().map(missing).sum();
        let lost = self.surely_lost();
        Deliveries {
            acknowledged: elements().map(|e| e.acknowledged).sum(),
            delivered: elements().map(|e| e.takes.len()).sum(),
            unexpected: elements().filter(|e| e.puts.is_empty()).map(|e| e.takes.len()).sum(),
            duplicated: elements()
                .filter(|e| !e.puts.is_empty())
                .map(|e| e.takes.len().saturating_sub(e.puts.len()))
                .sum(),
            lost,
            outstanding: missing - lost,
        }
    }

    /// An element that came out and was not put in before.
    fn unexpected(&self) -> Option<Anomaly> {
        let never = || self.elements.values().filter(|e| e.puts.is_empty());
        let entry = |id: EntryId| &self.scene.history.entries[id];
        if let Some(&take) = never().filter_map(|e| e.takes.first()).min() {
            let several = never().count();
            let sentence = format!("{} got an element that nobody put in.{}", self.scene.say(take), and_more(several));
            return Some(self.scene.anomaly(anomaly::UNEXPECTED_ELEMENT, [take], sentence));
        }
        self.elements.values().find_map(|e| {
            let put = *e.puts.first()?;
            let take = *e.takes.iter().find(|take| entry(**take).precedes(entry(put)))?;
            let sentence = format!("{} returned before {} was invoked.", self.scene.say(take), self.scene.say(put));
            Some(self.scene.anomaly(anomaly::FUTURE_READ, [put, take], sentence))
        })
    }

    fn duplicated(&self) -> Option<Anomaly> {
        let twice = || self.elements.iter().filter(|(_, e)| !e.puts.is_empty() && e.takes.len() > e.puts.len());
        let (element, first) = twice().min_by_key(|(_, e)| e.takes[e.puts.len()])?;
        let sentence = format!(
            "The element {element} was put in {} and came out {}.{}",
            times(first.puts.len()),
            times(first.takes.len()),
            and_more(twice().count())
        );
        let operations = first.puts.iter().chain(&first.takes).take(2 * SHOWN_MAX).copied();
        Some(self.scene.anomaly(anomaly::DUPLICATED_ELEMENT, operations, sentence))
    }

    /// Elements that never came out although a removal found nothing after all their insertions had returned.
    fn gone(&self) -> impl Iterator<Item = &Element> {
        let found_empty = self.empty.map(|id| &self.scene.history.entries[id]);
        let before = move |id: &EntryId| {
            let put = &self.scene.history.entries[*id];
            !put.is_ok() || found_empty.is_some_and(|empty| put.precedes(empty))
        };
        self.elements.values().filter(move |e| missing(e) > 0 && e.puts.iter().all(before))
    }

    fn surely_lost(&self) -> usize {
        let gone: usize = self.gone().map(missing).sum();
        if self.drained { 0 } else { gone.saturating_sub(self.unknown.len()) }
    }

    fn lost(&self) -> Option<Anomaly> {
        let lost = self.surely_lost();
        let empty = self.empty.filter(|_| lost > 0)?;
        let mut puts: Vec<EntryId> = self
            .gone()
            .flat_map(|e| e.puts.iter().copied().filter(|id| self.scene.history.entries[*id].is_ok()))
            .collect();
        puts.sort_unstable();
        let (first, found) = (self.scene.say(puts[0]), self.scene.say(empty));
        let excused = self.unknown.len();
        let sentence = if excused == 0 {
            let more = and_more(lost);
            format!("{first} was acknowledged, but its element never came out, and {found} found nothing more.{more}")
        } else {
            let n = puts.len();
            format!(
                "Of {n} acknowledged elements, that of {first} among them, none came out: removals of unknown outcome took at most {excused}, and {found} found nothing more."
            )
        };
        // One element more than can be excused.
        let operations = puts.into_iter().take((excused + 1).min(SHOWN_MAX)).chain([empty]);
        Some(self.scene.anomaly(
            anomaly::LOST_ELEMENT,
            operations.chain(self.unknown.iter().copied().take(SHOWN_MAX)),
            sentence,
        ))
    }
}

fn missing(element: &Element) -> usize {
    element.acknowledged.saturating_sub(element.takes.len())
}

fn times(n: usize) -> String {
    match n {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        n => format!("{n} times"),
    }
}
