//! Elements of a queue, whatever their order: delivered at most, or at least, as often as they were put in.

use std::collections::BTreeMap;

use super::{Broken, Object};
use crate::{
    history::{Entry, EntryId},
    value::Value,
};

/// What was done with one element.
#[derive(Default)]
struct Element<'h> {
    puts: Vec<(EntryId, &'h Entry)>,
    takes: Vec<(EntryId, &'h Entry)>,
}

pub(super) fn delivered(object: &Object<'_>, broken: &mut Broken, at_least_once: bool, at_most_once: bool) {
    let mut elements: BTreeMap<&Value, Element<'_>> = BTreeMap::new();
    let mut last_empty: Option<&Entry> = None;
    let (mut excuses, mut drained) = (0, false);
    for (id, entry) in object.alive() {
        match (entry.operation.f.as_str(), entry.reply()) {
            ("enqueue" | "push" | "insert", _) => {
                elements.entry(&entry.operation.args).or_default().puts.push((id, entry));
            }
            ("dequeue" | "pop" | "extract-min" | "drain", None) => {
                excuses += 1;
                drained |= entry.operation.f == "drain";
            }
            ("drain", Some(Value::List(all))) => {
                for element in all {
                    elements.entry(element).or_default().takes.push((id, entry));
                }
                last_empty = Some(entry);
            }
            ("drain", Some(_)) => broken.open = Some("a drain replied no list of elements"),
            ("dequeue" | "pop" | "extract-min", Some(Value::Nil)) => last_empty = Some(entry),
            ("dequeue" | "pop" | "extract-min", Some(element)) => {
                elements.entry(element).or_default().takes.push((id, entry));
            }
            _ => {}
        }
    }
    let (mut missing, mut lost) = (0, Vec::new());
    let mut certainly_lost = 0;
    for Element { puts, takes } in elements.values() {
        let acknowledged = puts.iter().filter(|(_, put)| put.is_ok()).count();
        broken.judged += acknowledged + takes.len();
        for (id, take) in takes {
            match puts.first() {
                None => broken.add("unexpected-element", *id),
                Some((_, put)) if take.returned() < put.invoked.position => broken.add("future-read", *id),
                Some(_) if at_most_once && takes.len() > puts.len() => broken.add("duplicated-element", *id),
                Some(_) => {}
            }
        }
        let short = acknowledged.saturating_sub(takes.len());
        missing += short;
        let before_empty =
            |put: &Entry| !put.is_ok() || last_empty.is_some_and(|empty| put.returned() < empty.invoked.position);
        if short > 0 && puts.iter().all(|(_, put)| before_empty(put)) {
            certainly_lost += short;
            lost.extend(puts.iter().filter(|(_, put)| put.is_ok()).map(|(id, _)| *id));
        }
    }
    if !at_least_once {
        return;
    }
    if !drained && certainly_lost > excuses {
        for id in lost {
            broken.add("lost-element", id);
        }
    }
    if missing > 0 {
        broken.open = Some("acknowledged elements did not come out, and nobody can say whether they are lost");
    }
}
