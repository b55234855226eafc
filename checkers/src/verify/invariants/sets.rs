//! Elements of a set: shown once, after they were added, and for good.

use std::collections::{BTreeMap, BTreeSet};

use super::{Broken, Object};
use crate::{
    history::{Entry, EntryId, Phase},
    value::Value,
};

/// What is known of one element.
#[derive(Default)]
struct Element<'h> {
    adds: Vec<(EntryId, &'h Entry)>,
    /// The latest read to return that shows it.
    shown_until: Option<u32>,
    /// From when on it is certainly there.
    known: Option<u32>,
}

pub(super) fn full(object: &Object<'_>, broken: &mut Broken) {
    let mut elements: BTreeMap<&Value, Element<'_>> = BTreeMap::new();
    for (id, entry) in object.alive().filter(|(_, e)| e.operation.f == "add") {
        let element = elements.entry(&entry.operation.args).or_default();
        element.adds.push((id, entry));
        if entry.is_ok() {
            element.known = element.known.into_iter().chain([entry.returned()]).min();
        }
    }
    let finals = object.history.phase(Phase::FinalReads);
    let mut reads: Vec<(EntryId, &Entry, &Value)> = object.ok("read").collect();
    for &(id, entry, reply) in &reads {
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
            element.shown_until = element.shown_until.max(Some(entry.returned()));
            element.known = element.known.into_iter().chain([entry.returned()]).min();
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
    // The last read counts, or all those that are marked as final.
    if let Some(phase) = &finals
        && reads.iter().any(|(_, e, _)| phase.contains(&e.invoked.position))
    {
        reads.retain(|(_, e, _)| phase.contains(&e.invoked.position));
    } else {
        reads.drain(..reads.len().saturating_sub(1));
    }
    let Some(begun) = reads.iter().map(|(_, e, _)| e.invoked.position).min() else { return };
    let removed: BTreeSet<&Value> =
        object.alive().filter(|(_, e)| e.operation.f == "remove").map(|(_, e)| &e.operation.args).collect();
    for element in elements.iter().filter(|(value, _)| !removed.contains(*value)).map(|(_, element)| element) {
        let gone =
            element.known.is_some_and(|known| known < begun) && element.shown_until.is_none_or(|until| until < begun);
        if gone {
            for (id, _) in &element.adds {
                broken.add("lost-element", *id);
            }
        }
    }
}
