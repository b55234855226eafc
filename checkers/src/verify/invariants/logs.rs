//! Partitioned logs: elements at offsets, as those who sent and those who polled learned of them.

use std::collections::{BTreeMap, BTreeSet};

use super::Broken;
use crate::{
    history::{Entry, EntryId, History},
    value::Value,
};

/// One thing that was learned of a log.
enum Event<'h> {
    /// An element was sent, to this offset if it was acknowledged.
    Sent(EntryId, &'h Value, Option<i64>),
    /// A process was shown this.
    Shown(EntryId, u32, i64, &'h Value),
    /// A process begins anew.
    Anew(u32),
}

/// The elements at their offsets in `[[offset element] …]`.
fn pairs(list: &Value) -> Option<Vec<(i64, &Value)>> {
    let pair = |pair: &'_ Value| matches!(pair.as_list(), Some([Value::Int(_), _]));
    let list = list.as_list()?;
    list.iter().all(pair).then(|| {
        let known = list.iter().filter_map(|p| p.as_list()).filter_map(|p| Some((p[0].as_int()?, &p[1])));
        known.collect()
    })
}

/// What an operation says of which log.
#[derive(Default)]
struct Told<'h> {
    events: Vec<(&'h Value, Event<'h>)>,
    /// Whether something of its reply is not understood.
    is_odd: bool,
}

impl<'h> Told<'h> {
    fn new(id: EntryId, entry: &'h Entry) -> Self {
        let mut told = Told::default();
        let operation = &entry.operation;
        let is_micro = |v: &Value| matches!(v.as_list(), Some([Value::Text(f), ..]) if f == "send" || f == "poll");
        let micros = |v: &'h Value| v.as_list().filter(|list| !list.is_empty() && list.iter().all(is_micro));
        let asked = micros(&operation.args).filter(|_| matches!(operation.f.as_str(), "send" | "poll" | "txn"));
        let replied = entry.reply();
        if let Some(asked) = asked {
            let replies = replied.and_then(Value::as_list).unwrap_or_default();
            told.is_odd = replied.is_some() && replies.len() != asked.len();
            for (i, micro) in asked.iter().enumerate() {
                told.micro(id, entry, micro.as_list().unwrap_or_default(), replies.get(i));
            }
            return told;
        }
        match (operation.f.as_str(), replied) {
            ("poll", Some(reply)) if micros(reply).is_some() => {
                for reply in reply.as_list().into_iter().flatten() {
                    told.polled(id, entry, reply);
                }
            }
            ("poll", Some(reply)) => told.shown(id, entry, &operation.key, reply),
            ("send", reply) => {
                told.is_odd = reply.is_some_and(|reply| !reply.is_nil() && reply.as_int().is_none());
                let offset = reply.and_then(Value::as_int);
                told.events.push((&operation.key, Event::Sent(id, &operation.args, offset)));
            }
            _ => {}
        }
        told
    }

    fn micro(&mut self, id: EntryId, entry: &'h Entry, asked: &'h [Value], reply: Option<&'h Value>) {
        let (key, element) = match asked {
            [Value::Text(f), key, element] if f == "send" => (key, element),
            _ => return reply.into_iter().for_each(|reply| self.polled(id, entry, reply)),
        };
        // Either `[send log element]` or `[send log [offset element]]`.
        let mut offset = None;
        if let Some(reply) = reply {
            let sent = reply.as_list().filter(|r| r.len() == 3 && r[0] == asked[0] && r[1] == *key).map(|r| &r[2]);
            let pair = sent.and_then(Value::as_list).filter(|pair| pair.len() == 2 && pair[1] == *element);
            match pair.map(|pair| &pair[0]) {
                Some(Value::Int(at)) => offset = Some(*at),
                Some(Value::Nil) => {}
                _ => self.is_odd |= sent != Some(element),
            }
        }
        self.events.push((key, Event::Sent(id, element, offset)));
    }

    /// `[poll {log [[offset element] …]}]`
    fn polled(&mut self, id: EntryId, entry: &'h Entry, reply: &'h Value) {
        match reply.as_list() {
            Some([Value::Text(f), Value::Map(logs)]) if f == "poll" => {
                logs.iter().for_each(|(key, list)| self.shown(id, entry, key, list));
            }
            _ => self.is_odd = true,
        }
    }

    fn shown(&mut self, id: EntryId, entry: &Entry, key: &'h Value, list: &'h Value) {
        let Some(pairs) = pairs(list) else {
            self.is_odd = true;
            return;
        };
        let shown = |(offset, element)| (key, Event::Shown(id, entry.process.0, offset, element));
        self.events.extend(pairs.into_iter().map(shown));
    }
}

pub(super) fn ordered(history: &History, broken: &mut Broken) {
    let mut logs: BTreeMap<&Value, Vec<Event<'_>>> = BTreeMap::new();
    for (id, entry) in history.entries.iter().enumerate().filter(|(_, e)| e.is_ok() || e.is_unknown()) {
        if matches!(entry.operation.f.as_str(), "assign" | "subscribe") {
            for log in logs.values_mut() {
                log.push(Event::Anew(entry.process.0));
            }
        }
        let told = Told::new(id, entry);
        if told.is_odd {
            broken.open = Some("a send or a poll replied what nobody understands");
        }
        for (key, event) in told.events {
            logs.entry(key).or_default().push(event);
        }
    }
    for log in logs.values() {
        one(history, log, broken);
    }
}

fn one(history: &History, log: &[Event<'_>], broken: &mut Broken) {
    let mut at: BTreeMap<i64, BTreeSet<&Value>> = BTreeMap::new();
    let mut offsets: BTreeMap<&Value, BTreeSet<i64>> = BTreeMap::new();
    let mut sends: BTreeMap<&Value, Vec<EntryId>> = BTreeMap::new();
    let mut polled: BTreeSet<&Value> = BTreeSet::new();
    let mut furthest = i64::MIN;
    for event in log {
        let (offset, element) = match event {
            Event::Sent(id, element, offset) => {
                sends.entry(element).or_default().push(*id);
                (*offset, *element)
            }
            Event::Shown(_, _, offset, element) => {
                polled.insert(element);
                furthest = furthest.max(*offset);
                (Some(*offset), *element)
            }
            Event::Anew(_) => continue,
        };
        if let Some(offset) = offset {
            broken.judged += 1;
            at.entry(offset).or_default().insert(element);
            offsets.entry(element).or_default().insert(offset);
        }
    }
    let call = |id: EntryId| history.entries[id].invoked.position;
    let ret = |id: EntryId| history.entries[id].returned();
    let mut place: BTreeMap<u32, i64> = BTreeMap::new();
    for event in log {
        let (id, element, offset) = match event {
            Event::Anew(process) => {
                place.remove(process);
                continue;
            }
            Event::Sent(id, element, offset) => (*id, *element, *offset),
            Event::Shown(id, process, offset, element) => {
                match sends.get(element) {
                    None => broken.add("unexpected-element", *id),
                    Some(sends) if ret(*id) < call(sends[0]) => broken.add("future-read", *id),
                    Some(_) => {}
                }
                if let Some(before) = place.insert(*process, *offset) {
                    if *offset <= before {
                        broken.add("non-monotonic-poll", *id);
                    } else if at.range(before + 1..*offset).next().is_some() {
                        broken.add("skipped-element", *id);
                    }
                }
                (*id, *element, Some(*offset))
            }
        };
        let Some(offset) = offset else { continue };
        if at[&offset].len() > 1 {
            broken.add("inconsistent-offset", id);
        }
        if offsets[element].len() > 1 && sends.get(element).is_some_and(|sends| sends.len() == 1) {
            broken.add("duplicated-element", id);
        }
        if let Event::Sent(..) = event
            && offset < furthest
            && !polled.contains(element)
        {
            broken.add("lost-element", id);
        }
    }
    // A send that was called after one with a greater offset had returned.
    let mut sent: Vec<(i64, EntryId)> = log
        .iter()
        .filter_map(|event| if let Event::Sent(id, _, Some(offset)) = event { Some((*offset, *id)) } else { None })
        .collect();
    sent.sort_unstable();
    let mut returned = u32::MAX;
    for same in sent.chunk_by(|a, b| a.0 == b.0).rev() {
        for (_, id) in same.iter().filter(|(_, id)| returned < call(*id)) {
            broken.add("reordered-elements", *id);
        }
        returned = same.iter().map(|(_, id)| ret(*id)).min().unwrap_or(returned).min(returned);
    }
}
