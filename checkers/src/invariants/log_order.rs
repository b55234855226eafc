//! The checker `log-order`: a partitioned log (such as Kafka) keeps what was sent, once, in one order.
//!
//! `send[log](element) -> offset`, `poll[log]() -> [[offset element] …]`; Jepsen's `[[:send log element]]` and `[[:poll {log …}]]`
//! too. A send may leave out the offset. `assign` and `subscribe` let a process begin anew somewhere else.
//!
//! * An offset belongs to one element, and an element that was sent once has one offset.
//! * An element that comes out was sent, and not after it came out.
//! * Of two sends of which the first had returned before the second was invoked, the first has the smaller offset.
//! * A process that polls goes forward, and leaves out no offset at which something is.
//! * What was acknowledged is polled by somebody if anybody polled further.

use std::collections::BTreeMap;

use super::{Invariant, Scene, and_more, unintelligible};
use crate::{
    anomaly,
    checker::CheckerEntry,
    history::{Entry, EntryId, History, ProcessId},
    value::Value,
    verdict::{Anomaly, Verdict},
};

pub(crate) const ENTRY: CheckerEntry = CheckerEntry {
    name: "log-order",
    summary: "A partitioned log keeps what was sent, once, in one order, and polls leave nothing out.",
    needs_model: false,
    build: |_| Some(Box::new(Invariant { name: ENTRY.name, real_time: true, judge })),
};

fn judge(history: &History) -> Verdict {
    let mut logs: BTreeMap<&Value, Log<'_>> = BTreeMap::new();
    for (id, entry) in history.entries.iter().enumerate().filter(|(_, e)| e.is_ok() || e.is_unknown()) {
        if matches!(entry.operation.f.as_str(), "assign" | "subscribe") {
            for log in logs.values_mut() {
                log.polls.push(Poll { id, process: entry.process, shown: Vec::new() });
            }
        }
        let Some(events) = events(entry) else {
            return unintelligible(
                history,
                id,
                "neither the offset of what was sent nor offsets and elements that were polled",
            );
        };
        for (key, event) in events {
            let log = logs.entry(key).or_default();
            match event {
                Event::Send(element, offset) => log.sends.push(Send { id, element, offset }),
                Event::Poll(shown) => log.polls.push(Poll { id, process: entry.process, shown }),
            }
        }
    }
    if logs.values().all(|log| log.polls.iter().all(|poll| poll.shown.is_empty()) && log.offsets().next().is_none()) {
        return Verdict::vacuous("no send replied an offset, and no poll an element");
    }
    let anomalies = logs.iter().flat_map(|(key, log)| log.anomalies(Scene { history, key })).collect();
    Verdict::of(anomalies)
}

enum Event<'h> {
    Send(&'h Value, Option<i64>),
    Poll(Vec<(i64, &'h Value)>),
}

/// What an operation did to which log; nothing if nobody can say, as its reply is none that it asked for.
fn events(entry: &Entry) -> Option<Vec<(&Value, Event<'_>)>> {
    let operation = &entry.operation;
    match (operation.f.as_str(), &operation.args, entry.reply()) {
        ("send" | "poll" | "txn", Value::List(asked), reply) if !asked.is_empty() && asked.iter().all(is_micro) => {
            let replied = match reply {
                Some(reply) => Some(reply.as_list().filter(|replied| replied.len() == asked.len())?),
                None => None,
            };
            let micros = asked.iter().enumerate();
            let events: Option<Vec<_>> = micros.map(|(i, asked)| micro(asked, replied.map(|list| &list[i]))).collect();
            Some(events?.into_iter().flatten().collect())
        }
        // Jepsen's poll, whose invocation may come without a value.
        ("poll", _, Some(Value::List(replied))) if !replied.is_empty() && replied.iter().all(is_micro) => {
            let events: Option<Vec<_>> = replied.iter().map(polled).collect();
            Some(events?.into_iter().flatten().collect())
        }
        ("send", element, reply) => {
            let offset = match reply {
                Some(Value::Int(offset)) => Some(*offset),
                Some(Value::Nil) | None => None,
                Some(_) => return None,
            };
            Some(vec![(&operation.key, Event::Send(element, offset))])
        }
        ("poll", _, Some(reply)) => Some(vec![(&operation.key, Event::Poll(pairs(reply)?))]),
        _ => Some(Vec::new()),
    }
}

/// Whether this is `[send log element]` or `[poll …]`.
fn is_micro(value: &Value) -> bool {
    matches!(value.as_list(), Some([Value::Text(f), ..]) if f == "send" || f == "poll")
}

fn micro<'h>(asked: &'h Value, replied: Option<&'h Value>) -> Option<Vec<(&'h Value, Event<'h>)>> {
    match (asked.as_list(), replied) {
        (Some([Value::Text(f), key, element]), replied) if f == "send" => {
            let offset = replied.map_or(Some(None), |replied| acknowledged(key, element, replied))?;
            Some(vec![(key, Event::Send(element, offset))])
        }
        (_, Some(replied)) => polled(replied),
        (_, None) => Some(Vec::new()),
    }
}

/// The offset in `[send log [offset element]]`, if there is one: an element that is acknowledged alone has none.
#[expect(clippy::option_option, reason = "it may be none that is known, or have no offset")]
fn acknowledged(key: &Value, element: &Value, replied: &Value) -> Option<Option<i64>> {
    match replied.as_list()? {
        [Value::Text(f), log, sent] if f == "send" && log == key => match sent.as_list() {
            Some([Value::Int(offset), sent]) if sent == element => Some(Some(*offset)),
            Some([Value::Nil, sent]) if sent == element => Some(None),
            _ => (sent == element).then_some(None),
        },
        _ => None,
    }
}

/// What `[poll {log [[offset element] …]}]` shows.
fn polled(replied: &Value) -> Option<Vec<(&Value, Event<'_>)>> {
    match replied.as_list()? {
        [Value::Text(f), Value::Map(shown)] if f == "poll" => {
            shown.iter().map(|(key, list)| Some((key, Event::Poll(pairs(list)?)))).collect()
        }
        _ => None,
    }
}

/// The offsets and elements of `[[offset element] …]`.
fn pairs(list: &Value) -> Option<Vec<(i64, &Value)>> {
    let pairs = list.as_list()?.iter().map(Value::as_list);
    let known = pairs.map(|pair| match pair {
        Some([Value::Int(offset), element]) => Some((*offset, element)),
        _ => None,
    });
    known.collect()
}

struct Send<'h> {
    id: EntryId,
    element: &'h Value,
    offset: Option<i64>,
}

/// What a poll showed of one log; nothing where a process begins anew.
struct Poll<'h> {
    id: EntryId,
    process: ProcessId,
    shown: Vec<(i64, &'h Value)>,
}

/// One log.
#[derive(Default)]
struct Log<'h> {
    sends: Vec<Send<'h>>,
    polls: Vec<Poll<'h>>,
}

impl<'h> Log<'h> {
    /// Every offset that somebody learned of, with the element there.
    fn offsets(&self) -> impl Iterator<Item = (i64, &'h Value, EntryId)> {
        let sent = self.sends.iter().filter_map(|send| Some((send.offset?, send.element, send.id)));
        sent.chain(self.polls.iter().flat_map(|poll| poll.shown.iter().map(|(offset, e)| (*offset, *e, poll.id))))
    }

    fn anomalies(&self, scene: Scene<'_>) -> Vec<Anomaly> {
        let found = [
            self.two_elements(scene),
            self.two_offsets(scene),
            self.unexpected(scene),
            self.reordered(scene),
            self.lost(scene),
        ];
        found.into_iter().flatten().chain(self.backward_and_skipping(scene)).collect()
    }

    /// Two elements at one offset.
    fn two_elements(&self, scene: Scene<'_>) -> Option<Anomaly> {
        let mut at: BTreeMap<i64, (&Value, EntryId)> = BTreeMap::new();
        self.offsets().find_map(|(offset, element, id)| {
            let &mut (other, first) = at.entry(offset).or_insert((element, id));
            if other == element {
                return None;
            }
            let [first_said, said] = [first, id].map(|id| scene.say(id));
            let sentence = format!("Offset {offset} holds {other}, says {first_said}, and {element}, says {said}.");
            Some(scene.anomaly(anomaly::INCONSISTENT_OFFSET, [first, id], sentence))
        })
    }

    /// An element at more offsets than it was sent.
    fn two_offsets(&self, scene: Scene<'_>) -> Option<Anomaly> {
        let mut sent: BTreeMap<&Value, usize> = BTreeMap::new();
        for send in &self.sends {
            *sent.entry(send.element).or_default() += 1;
        }
        let mut at: BTreeMap<&Value, BTreeMap<i64, EntryId>> = BTreeMap::new();
        self.offsets().find_map(|(offset, element, id)| {
            let offsets = at.entry(element).or_default();
            offsets.entry(offset).or_insert(id);
            let (&first, &shown) = offsets.first_key_value()?;
            if offsets.len() == 1 || sent.get(element) != Some(&1) {
                return None;
            }
            let sentence = format!("{element} was sent once and is at offsets {first} and {offset}.");
            Some(scene.anomaly(anomaly::DUPLICATED_ELEMENT, [shown, id], sentence))
        })
    }

    /// An element that came out and was not sent before.
    fn unexpected(&self, scene: Scene<'_>) -> Option<Anomaly> {
        let mut sent: BTreeMap<&Value, EntryId> = BTreeMap::new();
        for send in &self.sends {
            sent.entry(send.element).or_insert(send.id);
        }
        self.polls.iter().find_map(|poll| {
            poll.shown.iter().find_map(|(_, element)| match sent.get(element) {
                None => {
                    let sentence = format!("{} shows {element}, which nobody sent.", scene.say(poll.id));
                    Some(scene.anomaly(anomaly::UNEXPECTED_ELEMENT, [poll.id], sentence))
                }
                Some(&send) if scene.history.entries[poll.id].precedes(&scene.history.entries[send]) => {
                    let [poll_said, send_said] = [poll.id, send].map(|id| scene.say(id));
                    let sentence = format!("{poll_said} returned before {send_said} was invoked.");
                    Some(scene.anomaly(anomaly::FUTURE_READ, [poll.id, send], sentence))
                }
                Some(_) => None,
            })
        })
    }

    /// Two sends that happened one after the other, and whose offsets say the opposite. O(n log n).
    fn reordered(&self, scene: Scene<'_>) -> Option<Anomaly> {
        let sends = || self.sends.iter().filter_map(|send| Some((send.id, send.offset?)));
        let mut returned: Vec<(u32, i64, EntryId)> =
            sends().map(|(id, offset)| (scene.history.entries[id].returned(), offset, id)).collect();
        returned.sort_unstable();
        let mut returned = returned.into_iter().peekable();
        let mut furthest: Option<(i64, EntryId)> = None;
        for (id, offset) in sends() {
            let call = scene.history.entries[id].invoked.position;
            while let Some((_, offset, id)) = returned.next_if(|(ret, ..)| *ret < call) {
                furthest = furthest.max(Some((offset, id)));
            }
            if let Some((further, earlier)) = furthest.filter(|(further, _)| *further > offset) {
                let sentence = format!(
                    "{} got offset {offset}, although {} had returned with offset {further} before it was invoked.",
                    scene.say(id),
                    scene.say(earlier)
                );
                return Some(scene.anomaly(anomaly::REORDERED_ELEMENTS, [earlier, id], sentence));
            }
        }
        None
    }

    /// A process that polls an offset again or an earlier one, and one that leaves out an offset at which something is.
    fn backward_and_skipping(&self, scene: Scene<'_>) -> impl Iterator<Item = Anomaly> {
        let mut held: BTreeMap<i64, (&Value, EntryId)> = BTreeMap::new();
        for (offset, element, id) in self.offsets() {
            held.entry(offset).or_insert((element, id));
        }
        let (mut backward, mut skipping) = (None, None);
        let mut at: BTreeMap<ProcessId, (i64, EntryId)> = BTreeMap::new();
        for poll in &self.polls {
            if poll.shown.is_empty() && scene.history.entries[poll.id].operation.f != "poll" {
                at.remove(&poll.process);
            }
            let process = poll.process.0;
            for &(offset, _) in &poll.shown {
                let Some((before, previous)) = at.insert(poll.process, (offset, poll.id)) else { continue };
                if offset <= before && backward.is_none() {
                    let sentence = format!(
                        "{} went back to offset {offset}: process {process} had come to {before}.",
                        scene.say(poll.id)
                    );
                    backward = Some(scene.anomaly(anomaly::NON_MONOTONIC_POLL, [previous, poll.id], sentence));
                }
                let left_out = if offset > before { held.range(before + 1..offset).next() } else { None };
                if let Some((left_out, (element, id))) = left_out.filter(|_| skipping.is_none()) {
                    let sentence = format!(
                        "{} left out offset {left_out}, which holds {element}: process {process} went from {before} to {offset}.",
                        scene.say(poll.id)
                    );
                    skipping = Some(scene.anomaly(anomaly::SKIPPED_ELEMENT, [previous, poll.id, *id], sentence));
                }
            }
        }
        [backward, skipping].into_iter().flatten()
    }

    /// Acknowledged elements that nobody polled, though somebody polled further.
    fn lost(&self, scene: Scene<'_>) -> Option<Anomaly> {
        let polled = || self.polls.iter().flat_map(|poll| poll.shown.iter().map(|(offset, e)| (*offset, *e, poll.id)));
        let (furthest, _, poll) = polled().max_by_key(|(offset, ..)| *offset)?;
        let mut shown: Vec<&Value> = polled().map(|(_, element, _)| element).collect();
        shown.sort_unstable();
        let gone = |send: &&Send<'_>| {
            send.offset.is_some_and(|offset| offset < furthest) && shown.binary_search(&send.element).is_err()
        };
        let first = self.sends.iter().find(gone)?;
        let sentence = format!(
            "{} was acknowledged and never polled, though {} shows offset {furthest}.{}",
            scene.say(first.id),
            scene.say(poll),
            and_more(self.sends.iter().filter(gone).count())
        );
        Some(scene.anomaly(anomaly::LOST_ELEMENT, [first.id, poll], sentence))
    }
}
