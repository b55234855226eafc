//! The checker `set-full`: what is added to a set is seen from some time on, and stays.
//!
//! `add(element) -> nil`, `remove(element)`, `read() -> [elements]`. An element is *known* once its addition was acknowledged or a
//! read has shown it. It is lost if the last read (every final read, where these are marked) was invoked after that, does not
//! show it, and was invoked after all reads that show it had returned; unless somebody may have removed it. One that some read
//! misses in between is stale: that is no anomaly, but [`visibility`] says for how long. After Jepsen's checker of this name.

use std::collections::BTreeMap;

use super::{Invariant, Scene, and_more};
use crate::{
    anomaly,
    checker::CheckerEntry,
    history::{Entry, EntryId, History, Phase, SimTime},
    value::Value,
    verdict::{Anomaly, Verdict},
};

pub(crate) const ENTRY: CheckerEntry = CheckerEntry {
    name: "set-full",
    summary: "What is added to a set is seen from some time on, once, and stays.",
    needs_model: false,
    build: |_| Some(Box::new(Invariant { name: ENTRY.name, real_time: true, judge })),
};

/// What became of the elements that were added to the sets of a history, and how long it took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Visibility {
    /// Elements that were certainly added.
    pub known: usize,
    /// Elements that are gone.
    pub lost: usize,
    /// Elements that some read missed after they were known, and that are not lost.
    pub stale: usize,
    /// Acknowledged elements that no read could show, as none was invoked later, and none did.
    pub never_read: usize,
    /// By element that is neither lost nor never read, in ascending order: from when it was known until the last read that
    /// missed it was invoked; 0 if none did. In nanoseconds.
    pub latencies_ns: Vec<SimTime>,
}

impl Visibility {
    /// The longest time until an element was seen for good.
    pub fn latency_ns_max(&self) -> Option<SimTime> {
        self.latencies_ns.last().copied()
    }

    /// The median of these times, the longer of two.
    pub fn latency_ns_median(&self) -> Option<SimTime> {
        self.latencies_ns.get(self.latencies_ns.len() / 2).copied()
    }
}

/// How long it took until elements were seen by all.
///
/// ```
/// use squall_checkers::{formats::text, invariants};
///
/// let history = text::read("0: add 1 @0..10; 1: read -> [] @20..30; 1: read -> [1] @40..50").unwrap();
/// let visibility = invariants::visibility(&history);
/// assert_eq!((visibility.stale, visibility.latency_ns_max()), (1, Some(10)));
/// ```
pub fn visibility(history: &History) -> Visibility {
    let mut all = Visibility::default();
    for (key, ids) in history.partition().iter() {
        let set = Set::new(Scene { history, key }, ids);
        for element in set.elements.values() {
            let Some(known) = element.known(history) else { continue };
            all.known += 1;
            if set.is_lost(element) {
                all.lost += 1;
            } else if element.shown.is_empty()
                && set.reads.iter().all(|read| history.entries[*read].invoked.position < known.0)
            {
                all.never_read += 1;
            } else {
                let missed = set.last_miss(element, known.0).map(|id| history.entries[id].invoked.time);
                all.stale += usize::from(missed.is_some());
                all.latencies_ns.push(missed.map_or(0, |at| at.saturating_sub(known.1)));
            }
        }
    }
    all.latencies_ns.sort_unstable();
    all
}

fn judge(history: &History) -> Verdict {
    let mut anomalies = Vec::new();
    let mut judged = 0;
    for (key, ids) in history.partition().iter() {
        let scene = Scene { history, key };
        if let Some(&id) = ids.iter().find(|&&id| {
            let e = &history.entries[id];
            e.operation.f == "read" && e.reply().is_some_and(|reply| reply.as_list().is_none())
        }) {
            return Verdict::precondition(format!("operation {id}, a read, replied no list of elements"));
        }
        let set = Set::new(scene, ids);
        if set.elements.values().any(|e| e.adds.iter().any(|id| history.entries[*id].is_ok())) {
            judged += set.reads.len();
        }
        anomalies.extend(set.unexpected());
        anomalies.extend(set.duplicated());
        anomalies.extend(set.lost());
    }
    if judged == 0 && anomalies.is_empty() {
        return Verdict::vacuous("no set has both an acknowledged add and a read");
    }
    Verdict::of(anomalies)
}

/// What was done with one element.
#[derive(Default)]
struct Element {
    /// Additions that took effect or may have.
    adds: Vec<EntryId>,
    /// The reads that show it: indices of `Set::reads`, ascending.
    shown: Vec<usize>,
    /// The first of these to return, and when.
    first_shown: Option<(u32, SimTime)>,
    /// Whether it may have been removed.
    removed: bool,
}

impl Element {
    /// Position and time from which on the element certainly is in the set.
    fn known(&self, history: &History) -> Option<(u32, SimTime)> {
        let acknowledged = self.adds.iter().filter_map(|id| {
            let entry = &history.entries[*id];
            entry.completed.filter(|_| entry.is_ok()).map(|at| (at.position, at.time))
        });
        acknowledged.chain(self.first_shown).min()
    }
}

/// One set.
struct Set<'h> {
    scene: Scene<'h>,
    elements: BTreeMap<&'h Value, Element>,
    /// Reads with a reply, by invocation.
    reads: Vec<EntryId>,
    /// The reads that say what is lost: indices of `reads`.
    last: Vec<usize>,
    /// A read that shows an element twice, and the element.
    twice: Option<(EntryId, &'h Value)>,
}

impl<'h> Set<'h> {
    fn new(scene: Scene<'h>, ids: &[EntryId]) -> Self {
        let mut set = Set { scene, elements: BTreeMap::new(), reads: Vec::new(), last: Vec::new(), twice: None };
        let finals = scene.history.phase(Phase::FinalReads);
        for &id in ids {
            let entry: &'h Entry = &scene.history.entries[id];
            match (entry.operation.f.as_str(), entry.reply()) {
                ("add", _) if entry.is_ok() || entry.is_unknown() => {
                    set.elements.entry(&entry.operation.args).or_default().adds.push(id);
                }
                ("remove", _) if entry.is_ok() || entry.is_unknown() => {
                    set.elements.entry(&entry.operation.args).or_default().removed = true;
                }
                ("read", Some(Value::List(shown))) => {
                    let returned = entry.completed.map(|at| (at.position, at.time));
                    let read = set.reads.len();
                    for value in shown {
                        let element = set.elements.entry(value).or_default();
                        if element.shown.last() == Some(&read) {
                            set.twice.get_or_insert((id, value));
                            continue;
                        }
                        element.shown.push(read);
                        element.first_shown = [element.first_shown, returned].into_iter().flatten().min();
                    }
                    if finals.as_ref().is_some_and(|phase| phase.contains(&entry.invoked.position)) {
                        set.last.push(read);
                    }
                    set.reads.push(id);
                }
                _ => {}
            }
        }
        if set.last.is_empty() {
            set.last.extend(set.reads.len().checked_sub(1));
        }
        set
    }

    fn entry(&self, read: usize) -> &'h Entry {
        &self.scene.history.entries[self.reads[read]]
    }

    fn is_lost(&self, element: &Element) -> bool {
        let Some((known, _)) = element.known(self.scene.history) else { return false };
        let Some(&first_last) = self.last.first() else { return false };
        let begun = self.entry(first_last).invoked.position;
        // Reads that show it had returned before: so no last read does.
        !element.removed && known < begun && element.shown.iter().all(|&read| self.entry(read).returned() < begun)
    }

    /// The last read that misses the element and was invoked after `known`.
    fn last_miss(&self, element: &Element, known: u32) -> Option<EntryId> {
        let mut shown = element.shown.iter().rev().peekable();
        let missing = (0..self.reads.len()).rev().find(|read| shown.next_if(|s| *s == read).is_none())?;
        Some(self.reads[missing]).filter(|id| self.scene.history.entries[*id].invoked.position > known)
    }

    /// A read that shows what nobody had added.
    fn unexpected(&self) -> Option<Anomaly> {
        let never = || self.elements.iter().filter(|(_, e)| e.adds.is_empty() && !e.shown.is_empty());
        if let Some((value, element)) = never().min_by_key(|(_, e)| e.shown[0]) {
            let read = self.reads[element.shown[0]];
            let sentence =
                format!("{} shows {value}, which nobody added.{}", self.scene.say(read), and_more(never().count()));
            return Some(self.scene.anomaly(anomaly::THIN_AIR_READ, [read], sentence));
        }
        self.elements.values().find_map(|e| {
            let add = *e.adds.first()?;
            let added = &self.scene.history.entries[add];
            // A read that was invoked later may have returned earlier.
            let read = self.reads[*e.shown.iter().find(|read| self.entry(**read).precedes(added))?];
            let sentence = format!("{} returned before {} was invoked.", self.scene.say(read), self.scene.say(add));
            Some(self.scene.anomaly(anomaly::FUTURE_READ, [read, add], sentence))
        })
    }

    fn duplicated(&self) -> Option<Anomaly> {
        let (read, value) = self.twice?;
        let sentence = format!("{} shows {value} more than once.", self.scene.say(read));
        Some(self.scene.anomaly(anomaly::DUPLICATE_ELEMENTS, [read], sentence))
    }

    fn lost(&self) -> Option<Anomaly> {
        let added =
            |e: &&Element| e.adds.iter().any(|id| self.scene.history.entries[*id].is_ok()) || !e.shown.is_empty();
        let lost = || self.elements.values().filter(added).filter(|e| !e.adds.is_empty() && self.is_lost(e));
        let element = lost().min_by_key(|e| e.adds[0])?;
        let (add, last) = (element.adds[0], self.reads[*self.last.first()?]);
        let seen = element.shown.last().map(|read| self.reads[*read]);
        let before = match seen {
            Some(read) => format!("was shown by {}", self.scene.say(read)),
            None => "was acknowledged".to_owned(),
        };
        let sentence = format!(
            "{} {before} and is gone: {}, invoked later, does not show it, nor does any read after.{}",
            self.scene.say(add),
            self.scene.say(last),
            and_more(lost().count())
        );
        Some(self.scene.anomaly(anomaly::LOST_ELEMENT, [add, last].into_iter().chain(seen), sentence))
    }
}
