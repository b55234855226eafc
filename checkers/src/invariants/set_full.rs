//! The checker `set-full`: what is added to a set is seen from some time on, and stays.
//!
//! `add(element) -> nil`, `remove(element)`, `read() -> [elements]`. An element is *known* once its addition was acknowledged or a
//! read has shown it. It is lost if the last read was invoked after that, does not show it, and was invoked after all reads that
//! show it had returned; unless somebody may have removed it. One that some read misses in between is stale: that is no anomaly,
//! but [`visibility`] says for how long. After Jepsen's checker of this name.
//!
//! Where final reads are marked, the last of these is meant, and replicas may differ: an element is not lost if a final read shows
//! it and the same replica is not read again, or the same process does not read again where no mark says which replica it reads.
//!
//! Nobody removed what was added anew: a removal that had returned before the addition was invoked does not count, nor does one
//! that replied false. Where only reads say that an element was added, they do not say by which addition, so a removal counts
//! unless it had returned before all of them.

use std::collections::BTreeMap;

use super::{Invariant, Scene, and_more};
use crate::{
    anomaly,
    checker::CheckerEntry,
    convergence::Readers,
    durability::Removals,
    history::{Entry, EntryId, History, Phase, ProcessId, SimTime},
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
    /// missed it was invoked; 0 if none did. In nanoseconds. Empty where times run backwards, which do not say how long it took.
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
    let readers = Readers::new(history);
    for (key, ids) in history.partition().iter() {
        let set = Set::new(Scene { history, key }, ids, &readers);
        for element in set.elements.values() {
            let Some(known) = element.known(history) else { continue };
            all.known += 1;
            if set.gone(element).is_some() {
                all.lost += 1;
            } else if element.shown.is_empty()
                && set.reads.iter().all(|read| history.entries[*read].invoked.position < known.0)
            {
                all.never_read += 1;
            } else {
                let missed = set.last_miss(element, known.0).map(|id| history.entries[id].invoked.time());
                all.stale += usize::from(missed.is_some());
                all.latencies_ns.push(missed.map_or(0, |at| at.saturating_sub(known.1)));
            }
        }
    }
    if history.runs_backwards().is_some() {
        all.latencies_ns.clear();
    }
    all.latencies_ns.sort_unstable();
    all
}

fn judge(history: &History) -> Verdict {
    let mut anomalies = Vec::new();
    let mut judged = 0;
    let readers = Readers::new(history);
    for (key, ids) in history.partition().iter() {
        let scene = Scene { history, key };
        if let Some(&id) = ids.iter().find(|&&id| {
            let e = &history.entries[id];
            e.operation.f == "read" && e.reply().is_some_and(|reply| reply.as_list().is_none())
        }) {
            return Verdict::precondition(format!("operation {id}, a read, replied no list of elements"));
        }
        let set = Set::new(scene, ids, &readers);
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
}

impl Element {
    /// Position and time from which on the element certainly is in the set.
    fn known(&self, history: &History) -> Option<(u32, SimTime)> {
        let acknowledged = self.adds.iter().filter_map(|id| {
            let entry = &history.entries[*id];
            entry.completed.filter(|_| entry.is_ok()).map(|at| (at.position, at.time()))
        });
        acknowledged.chain(self.first_shown).min()
    }
}

/// Whose last final read counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reader {
    Replica(u32),
    /// A process of which no mark says which replica it reads.
    Process(ProcessId),
}

/// One set.
struct Set<'h> {
    scene: Scene<'h>,
    elements: BTreeMap<&'h Value, Element>,
    removals: Removals<'h>,
    /// Reads with a reply, by invocation.
    reads: Vec<EntryId>,
    /// By read, who made it if it is a final one.
    readers: Vec<Option<Reader>>,
    /// Where the last final read of each of them was invoked.
    asked: BTreeMap<Reader, u32>,
    /// The reads that say what is lost, by invocation: indices of `reads`.
    last: Vec<usize>,
    /// A read that shows an element twice, and the element.
    twice: Option<(EntryId, &'h Value)>,
}

impl<'h> Set<'h> {
    fn new(scene: Scene<'h>, ids: &[EntryId], readers: &Readers) -> Self {
        let mut set = Set {
            scene,
            elements: BTreeMap::new(),
            removals: Removals::new(ids.iter().map(|&id| &scene.history.entries[id])),
            reads: Vec::new(),
            readers: Vec::new(),
            asked: BTreeMap::new(),
            last: Vec::new(),
            twice: None,
        };
        let finals = scene.history.phase(Phase::FinalReads);
        for &id in ids {
            let entry: &'h Entry = &scene.history.entries[id];
            match (entry.operation.f.as_str(), entry.reply()) {
                ("add", _) if entry.is_ok() || entry.is_unknown() => {
                    set.elements.entry(&entry.operation.args).or_default().adds.push(id);
                }
                ("read", Some(Value::List(shown))) => {
                    let returned = entry.completed.map(|at| (at.position, at.time()));
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
                    let is_final = finals.as_ref().is_some_and(|phase| phase.contains(&entry.invoked.position));
                    let reader = || readers.replica(entry).map_or(Reader::Process(entry.process), Reader::Replica);
                    let reader = is_final.then(reader);
                    if let Some(reader) = reader {
                        set.asked.insert(reader, entry.invoked.position);
                        set.last.push(read);
                    }
                    set.readers.push(reader);
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

    /// From which position on it is certain that an element is gone, and who added it; nothing if it may be there.
    fn gone(&self, element: &Element) -> Option<(u32, EntryId)> {
        let last = self.entry(*self.last.last()?).invoked.position;
        // Whoever showed it was read again, and shows it no more.
        let again = |read: usize| self.readers[read].and_then(|reader| self.asked.get(&reader)).unwrap_or(&last);
        if element.shown.iter().any(|&read| self.entry(read).returned() >= *again(read)) {
            return None;
        }
        let shown = element.shown.iter().map(|&read| self.entry(read).returned()).max();
        let added = |id: EntryId| &self.scene.history.entries[id];
        let stays = |id: EntryId| !self.removals.excuse(added(id));
        let certain = element.adds.iter().copied().find(|&id| added(id).returned() < last && stays(id));
        if let Some(id) = certain {
            return Some((added(id).returned().max(shown.unwrap_or(0)), id));
        }
        // Some addition took effect, but nobody knows which.
        let all_stay = element.adds.iter().all(|&id| stays(id));
        shown.filter(|_| all_stay).zip(element.adds.first().copied())
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
        let lost = || self.elements.values().filter_map(|e| self.gone(e).map(|(since, add)| (e, since, add)));
        let (element, since, add) = lost().min_by_key(|(.., add)| *add)?;
        let later = self.last.iter().find(|&&read| self.entry(read).invoked.position > since)?;
        let last = self.reads[*later];
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
