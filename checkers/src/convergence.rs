//! Eventual consistency: after healing and silence all replicas show the same (`convergence`), it is what the updates leave
//! (`eventual`), and no replica changes any more (`strong-eventual`).
//!
//! A mark [`FinalReads`](crate::history::MarkKind::FinalReads) says which replica a process reads from then on. The last read of
//! each key at each replica counts. That the silence was long enough for what was under way to arrive is for the workload to
//! see to.
//!
//! Updates leave, in the sense of Burckhardt (2014): of a set, all elements whose addition was acknowledged and that nobody
//! removed then (a removal that had returned before, or that replied false, does not count), and perhaps others that may have been
//! added, but none that was added once and that a removal found there (it replied true); of a counter, all that was acknowledged,
//! and perhaps what is of unknown outcome; of a register, a value that a write may have written, and not the initial one once a
//! write was acknowledged. Strong eventual consistency (Shapiro et al. 2011) says that replicas which know the same updates show
//! the same. In silence all know all, so then every final read counts, not the last alone.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    anomaly::{self, describe},
    budget::Budget,
    checker::{Checker, CheckerEntry},
    durability::Removals,
    history::{Entry, EntryId, History, MarkKind, Order, ProcessId},
    observations::effect,
    value::Value,
    verdict::{Anomaly, Verdict},
};

pub(crate) const ENTRY: CheckerEntry = CheckerEntry {
    name: "convergence",
    summary: "After healing and silence all replicas show the same.",
    needs_model: false,
    build: |_| Some(Box::new(Convergence { name: ENTRY.name, asks: Asks::Agreement })),
};
pub(crate) const EVENTUAL: CheckerEntry = CheckerEntry {
    name: "eventual",
    summary: "After healing and silence all replicas show the same, and it is what the updates leave.",
    needs_model: false,
    build: |_| Some(Box::new(Convergence { name: EVENTUAL.name, asks: Asks::Explanation })),
};
pub(crate) const STRONG_EVENTUAL: CheckerEntry = CheckerEntry {
    name: "strong-eventual",
    summary: "In silence all replicas show the same at once and for good, and it is what the updates leave.",
    needs_model: false,
    build: |_| Some(Box::new(Convergence { name: STRONG_EVENTUAL.name, asks: Asks::Stability })),
};

/// What is asked for; each asks for what those before it do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Asks {
    Agreement,
    Explanation,
    Stability,
}

struct Convergence {
    name: &'static str,
    asks: Asks,
}

impl Checker for Convergence {
    fn name(&self) -> &'static str {
        self.name
    }

    fn check(&self, history: &History, _: &Budget) -> Verdict {
        if history.order == Order::Processes {
            return Verdict::precondition(Order::NO_REAL_TIME);
        }
        let readers = Readers::new(history);
        let replicas = readers.replicas();
        if replicas < 2 {
            return Verdict::precondition(format!("final reads are marked at {replicas} replicas, not two"));
        }
        let mut anomalies = Vec::new();
        let mut unclear = Verdict::VALID;
        let mut compared = 0;
        for (key, ids) in history.partition().iter() {
            // By replica, in the order in which they were made.
            let mut reads: BTreeMap<u32, Vec<EntryId>> = BTreeMap::new();
            for &id in ids {
                let entry = &history.entries[id];
                if let Some(replica) = readers.replica(entry).filter(|_| entry.is_ok() && only_reads(entry)) {
                    reads.entry(replica).or_default().push(id);
                }
            }
            if reads.len() < 2 {
                continue;
            }
            let finals = Finals { history, key, ids, reads };
            if self.asks > Asks::Agreement
                && let Err(verdict) = finals.judgeable()
            {
                return verdict;
            }
            compared += 1;
            anomalies.extend(finals.diverged());
            if self.asks >= Asks::Explanation {
                unclear = unclear.worst(finals.legible());
                anomalies.extend(finals.unexplained());
                anomalies.extend(finals.resurrected());
            }
            if self.asks >= Asks::Stability {
                anomalies.extend(finals.changed());
            }
        }
        if compared == 0 {
            return Verdict::vacuous("no key was read at two replicas");
        }
        Verdict::of(anomalies).worst(unclear)
    }
}

/// Who makes final reads at which replica.
pub(crate) struct Readers {
    /// By process: from which position on it reads which replica.
    marks: BTreeMap<ProcessId, Vec<(u32, u32)>>,
}

impl Readers {
    pub(crate) fn new(history: &History) -> Self {
        let mut marks: BTreeMap<ProcessId, Vec<(u32, u32)>> = BTreeMap::new();
        for mark in &history.marks {
            if let MarkKind::FinalReads(process, replica) = mark.kind {
                marks.entry(process).or_default().push((mark.at.position, replica));
            }
        }
        Readers { marks }
    }

    /// How many replicas are read.
    fn replicas(&self) -> usize {
        self.marks.values().flatten().map(|(_, replica)| replica).collect::<BTreeSet<_>>().len()
    }

    /// The replica that a read is made at, where a mark says it.
    pub(crate) fn replica(&self, read: &Entry) -> Option<u32> {
        let marks = self.marks.get(&read.process)?;
        marks.iter().rfind(|(at, _)| *at < read.invoked.position).map(|(_, replica)| *replica)
    }
}

fn only_reads(entry: &Entry) -> bool {
    matches!(entry.operation.f.as_str(), "read" | "get")
}

/// The final reads of one key.
struct Finals<'h> {
    history: &'h History,
    key: &'h Value,
    /// All operations on the key.
    ids: &'h [EntryId],
    /// The final reads by replica, never empty.
    reads: BTreeMap<u32, Vec<EntryId>>,
}

impl<'h> Finals<'h> {
    fn entry(&self, id: EntryId) -> &'h Entry {
        &self.history.entries[id]
    }

    fn say(&self, id: EntryId) -> String {
        describe(self.entry(id))
    }

    /// What a read shows. Elements of a set come in no order.
    fn shown(&self, id: EntryId) -> Option<Value> {
        match self.entry(id).reply()? {
            Value::List(elements) if self.is_set() => {
                let mut elements = elements.clone();
                elements.sort();
                Some(Value::List(elements))
            }
            value => Some(value.clone()),
        }
    }

    fn is_set(&self) -> bool {
        !self.is_counter() && self.is_added_to()
    }

    fn is_counter(&self) -> bool {
        let counts = |id: &EntryId| matches!(self.entry(*id).reply(), Some(Value::Int(_)));
        self.is_added_to() && self.reads.values().flatten().any(counts)
    }

    fn is_added_to(&self) -> bool {
        self.ids.iter().any(|&id| self.entry(id).operation.f == "add")
    }

    /// The operations of this name that took effect or may have.
    fn named(&self, f: &'static str) -> impl Iterator<Item = &'h Entry> {
        self.ids
            .iter()
            .map(|&id| &self.history.entries[id])
            .filter(move |e| e.operation.f == f && (e.is_ok() || e.is_unknown()))
    }

    /// The last read of each replica.
    fn last(&self) -> impl Iterator<Item = (u32, EntryId)> {
        self.reads.iter().map(|(replica, reads)| (*replica, reads[reads.len() - 1]))
    }

    /// Whether it is known what the updates leave, and there was silence.
    fn judgeable(&self) -> Result<(), Verdict> {
        let (set, counter) = (self.is_set(), self.is_counter());
        let known = |e: &Entry| {
            let f = e.operation.f.as_str();
            !(e.is_ok() || e.is_unknown())
                || only_reads(e)
                || match (set, counter) {
                    (true, _) => matches!(f, "add" | "remove"),
                    (_, true) => f == "add" && e.operation.args.as_int().is_some(),
                    _ => effect(e).is_some(),
                }
        };
        if let Some(&id) = self.ids.iter().find(|&&id| !known(self.entry(id))) {
            let operation = &self.entry(id).operation;
            let what = "is none of read, write, cas, get and put, nor add, remove and read of a set, nor add and read of a counter";
            return Err(Verdict::precondition(format!("operation {id}, `{operation}`, {what}")));
        }
        let first = self.reads.values().flatten().min().expect("there are reads");
        let began = self.entry(*first).invoked.position;
        let late = |e: &Entry| !only_reads(e) && (e.is_ok() || e.is_unknown()) && e.invoked.position > began;
        match self.ids.iter().find(|&&id| late(self.entry(id))) {
            Some(&id) => Err(Verdict::precondition(format!(
                "there is no silence: operation {id} is invoked after final reads began"
            ))),
            None => Ok(()),
        }
    }

    /// Valid where the last reads of a set show elements, and those of a counter integers.
    fn legible(&self) -> Verdict {
        let (set, counter) = (self.is_set(), self.is_counter());
        let illegible = |id: EntryId| match self.entry(id).reply() {
            Some(Value::List(_)) => counter,
            Some(Value::Int(_)) => set,
            _ => set || counter,
        };
        let what = if counter { "integer, although others do" } else { "elements" };
        match self.last().find(|(_, id)| illegible(*id)) {
            Some((_, id)) => Verdict::precondition(format!("operation {id}, a read, shows no {what}")),
            None => Verdict::VALID,
        }
    }

    /// Two replicas that show different things.
    fn diverged(&self) -> Option<Anomaly> {
        let (first_replica, first) = self.last().next()?;
        let (other_replica, other) = self.last().find(|(_, id)| self.shown(*id) != self.shown(first))?;
        let [first_said, other_said] = [first, other].map(|id| self.say(id));
        let sentence = format!(
            "After all had settled replica {first_replica} shows {first_said}, replica {other_replica} shows {other_said}."
        );
        Some(Anomaly::new(anomaly::DIVERGENCE, self.key.clone(), self.last().map(|(_, id)| id).collect(), sentence))
    }

    /// A replica that shows what no updates leave.
    fn unexplained(&self) -> Option<Anomaly> {
        self.last().find_map(|(replica, read)| {
            let wrong = match (self.is_set(), self.is_counter()) {
                (true, _) => self.wrong_set(read),
                (_, true) => self.wrong_count(read),
                _ => self.wrong_value(read),
            };
            let (others, why) = wrong?;
            let sentence = format!("After all had settled replica {replica} shows {}, {why}.", self.say(read));
            let operations = std::iter::once(read).chain(others).collect();
            Some(Anomaly::new(anomaly::UNEXPLAINED_STATE, self.key.clone(), operations, sentence))
        })
    }

    fn wrong_set(&self, read: EntryId) -> Option<(Option<EntryId>, String)> {
        let list = self.entry(read).reply()?.as_list()?;
        let shown: BTreeSet<&Value> = list.iter().collect();
        let adds = || self.ids.iter().copied().filter(|&id| self.entry(id).operation.f == "add");
        let removed = Removals::new(self.named("remove"));
        let missing = |id: &EntryId| {
            let added = self.entry(*id);
            added.is_ok() && !shown.contains(&added.operation.args) && !removed.excuse(added)
        };
        if let Some(id) = adds().find(missing) {
            return Some((Some(id), format!("although {} was acknowledged", self.say(id))));
        }
        let alive = |id: &EntryId| self.entry(*id).is_ok() || self.entry(*id).is_unknown();
        let added: BTreeSet<&Value> = adds().filter(alive).map(|id| &self.entry(id).operation.args).collect();
        let unknown = list.iter().find(|element| !added.contains(element));
        unknown.map(|element| (None, format!("but nobody added {element}")))
    }

    fn wrong_count(&self, read: EntryId) -> Option<(Option<EntryId>, String)> {
        let shown = i128::from(self.entry(read).reply()?.as_int()?);
        let (mut least, mut most) = (0, 0);
        for add in self.named("add") {
            let n = i128::from(add.operation.args.as_int()?);
            least += if add.is_ok() { n } else { n.min(0) };
            most += if add.is_ok() { n } else { n.max(0) };
        }
        let all = if least == most { format!("to {least}") } else { format!("to between {least} and {most}") };
        let why = || format!("although all that was added comes {all}");
        (!(least..=most).contains(&shown)).then(|| (None, why()))
    }

    /// An element that was added once, and that a replica shows although a removal had found it there.
    fn resurrected(&self) -> Option<Anomaly> {
        if !self.is_set() {
            return None;
        }
        let once = |element: &Value| self.named("add").filter(|e| e.operation.args == *element).count() == 1;
        let found = |entry: &Entry| entry.operation.f == "remove" && entry.reply() == Some(&Value::Bool(true));
        let removals = || self.ids.iter().copied().filter(|&id| found(self.entry(id)));
        self.last().find_map(|(replica, read)| {
            let shown: BTreeSet<&Value> = self.entry(read).reply()?.as_list()?.iter().collect();
            let back = |id: &EntryId| {
                let element = &self.entry(*id).operation.args;
                shown.contains(element) && once(element)
            };
            let removal = removals().find(back)?;
            let sentence = format!(
                "After all had settled replica {replica} shows {}, although {} found {} there and removed it, and it was added only once.",
                self.say(read),
                self.say(removal),
                self.entry(removal).operation.args
            );
            Some(Anomaly::new(anomaly::RESURRECTED_ELEMENT, self.key.clone(), vec![read, removal], sentence))
        })
    }

    fn wrong_value(&self, read: EntryId) -> Option<(Option<EntryId>, String)> {
        let shown = self.entry(read).reply()?;
        let written = |id: EntryId| effect(self.entry(id)).and_then(|(_, written)| written);
        let alive = |id: &EntryId| self.entry(*id).is_ok() || self.entry(*id).is_unknown();
        if self.ids.iter().copied().filter(alive).any(|id| written(id) == Some(shown)) {
            return None;
        }
        if !shown.is_nil() && shown.as_text() != Some("") {
            return Some((None, "which nobody wrote".to_owned()));
        }
        let acknowledged = |id: &EntryId| self.entry(*id).is_ok() && written(*id).is_some();
        let id = self.ids.iter().copied().rfind(acknowledged)?;
        Some((Some(id), format!("the initial value, although {} was acknowledged", self.say(id))))
    }

    /// A replica that showed one thing and then another.
    fn changed(&self) -> Option<Anomaly> {
        self.reads.iter().find_map(|(replica, reads)| {
            let pair = reads.windows(2).find(|pair| self.shown(pair[0]) != self.shown(pair[1]))?;
            let [before, after] = [pair[0], pair[1]].map(|id| self.say(id));
            let sentence = format!(
                "With no update under way replica {replica} first shows {before} and then {after}: it knew all updates, or it never will."
            );
            Some(Anomaly::new(anomaly::UNSETTLED, self.key.clone(), pair.to_vec(), sentence))
        })
    }
}
