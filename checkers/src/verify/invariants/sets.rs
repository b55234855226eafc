//! Elements of a set: shown once, after they were added, and for good.

use std::collections::{BTreeMap, BTreeSet};

use super::{Broken, Object};
use crate::{
    history::{Entry, EntryId, History, MarkKind, Phase},
    value::Value,
};

/// What is known of one element.
#[derive(Default)]
struct Element<'h> {
    adds: Vec<(EntryId, &'h Entry)>,
    /// When the last removal that may have found it had certainly taken effect.
    removed: Option<u32>,
    /// By read that shows it: when it returned, and who made it if it counts in the end.
    shown: Vec<(u32, Option<Who>)>,
}

impl Element<'_> {
    /// Whether no removal can have undone this addition.
    fn stays(&self, add: &Entry) -> bool {
        self.removed.is_none_or(|removed| removed < add.invoked.position)
    }
}

/// A replica that is read, or else a process that reads.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Who {
    Replica(u32),
    Process(u32),
}

/// Who makes a final read.
fn who(history: &History, read: &Entry) -> Who {
    let mut who = Who::Process(read.process.0);
    for mark in history.marks.iter().filter(|mark| mark.at.position < read.invoked.position) {
        match mark.kind {
            MarkKind::FinalReads(process, replica) if process == read.process => who = Who::Replica(replica),
            _ => {}
        }
    }
    who
}

pub(super) fn full(object: &Object<'_>, broken: &mut Broken) {
    let mut elements: BTreeMap<&Value, Element<'_>> = BTreeMap::new();
    for (id, entry) in object.alive() {
        if entry.operation.f == "add" {
            elements.entry(&entry.operation.args).or_default().adds.push((id, entry));
        } else if entry.operation.f == "remove" && entry.reply() != Some(&Value::Bool(false)) {
            let removed = &mut elements.entry(&entry.operation.args).or_default().removed;
            *removed = (*removed).max(Some(entry.returned()));
        }
    }
    // The last read counts, or all those that are marked as final.
    let reads: Vec<(EntryId, &Entry, &Value)> = object.ok("read").collect();
    let finals = object.history.phase(Phase::FinalReads);
    let is_final = |e: &Entry| finals.as_ref().is_some_and(|phase| phase.contains(&e.invoked.position));
    let mut asked: BTreeMap<Who, u32> = BTreeMap::new();
    for &(id, entry, reply) in &reads {
        let by = is_final(entry).then(|| who(object.history, entry));
        if let Some(by) = by {
            asked.insert(by, entry.invoked.position);
        }
        let Some(shown) = reply.as_list() else {
            broken.open = Some("a read replied no list of elements");
            continue;
        };
        let mut once: BTreeSet<&Value> = BTreeSet::new();
        for value in shown {
            if !once.insert(value) {
                broken.add("duplicate-elements", id);
                continue;
            }
            let element = elements.entry(value).or_default();
            element.shown.push((entry.returned(), by));
            match element.adds.first() {
                None => broken.add("thin-air-read", id),
                Some((_, add)) if entry.returned() < add.invoked.position => broken.add("future-read", id),
                Some(_) => {}
            }
        }
    }
    if elements.values().any(|e| e.adds.iter().any(|(_, add)| add.is_ok())) {
        broken.judged += reads.len();
    }
    let last = asked.values().copied().max().or_else(|| reads.last().map(|(_, e, _)| e.invoked.position));
    let Some(last) = last else { return };
    for element in elements.values() {
        let outdated = |(returned, by): &(u32, Option<Who>)| *returned < by.map_or(last, |by| asked[&by]);
        if !element.shown.iter().all(outdated) {
            continue;
        }
        // That it was shown says that one of the additions took effect, but not which.
        let shown = element.shown.iter().any(|(returned, _)| *returned < last);
        let shown_to_stay = shown && element.adds.iter().all(|(_, add)| element.stays(add));
        for (id, add) in &element.adds {
            if shown_to_stay || (add.returned() < last && element.stays(add)) {
                broken.add("lost-element", *id);
            }
        }
    }
}
