//! Lists that grow: the longest read of a list shows the order of its elements (Kingsbury & Alvaro 2020, section 4).

use super::{
    inference::{INITIAL, Inference, Read, Reporter, Scan},
    ingest::{Action, Kind, Op, Status, Transactions},
};
use crate::{anomaly, partition::FixedMap, value::Value, verdict::Verdict};

/// Who appended an element.
#[derive(Clone, Copy, Debug)]
struct Append {
    txn: u32,
    status: Status,
    /// How many the transaction appended to the list after it.
    followed_by: u32,
    /// How many transactions that may have taken effect appended it.
    times: u32,
}

/// One list.
#[derive(Clone, Debug, Default)]
struct List<'h> {
    /// The longest read, and who read it.
    longest: &'h [Value],
    reader: usize,
    /// By element of the longest read; `None` where nobody appended it.
    appends: Vec<Option<Append>>,
}

/// All lists, by key.
pub(super) struct Lists<'h> {
    lists: Vec<List<'h>>,
}

impl<'h> Lists<'h> {
    /// Finds the longest reads. Linear in the length of all reads.
    ///
    /// # Errors
    /// A verdict when a read replied no list, or an element that was read was appended twice.
    pub(super) fn new(all: &Transactions<'h>, kinds: &[Kind]) -> Result<Self, Verdict> {
        if !kinds.contains(&Kind::List) {
            return Ok(Lists { lists: Vec::new() });
        }
        let mut appends: FixedMap<(u32, &Value), Append> = FixedMap::default();
        // By key: the transaction looked at, and how many elements it has appended, from the last on.
        let mut counted = vec![(usize::MAX, 0); kinds.len()];
        let mut lists = vec![List::default(); kinds.len()];
        for (txn, t) in all.txns.iter().enumerate() {
            for op in all.ops(txn).iter().rev() {
                match op.action {
                    Action::Append(element) => {
                        let (by, count) = &mut counted[op.key as usize];
                        *count = if *by == txn { *count + 1 } else { 0 };
                        *by = txn;
                        let new = Append { txn: txn as u32, status: t.status, followed_by: *count, times: 1 };
                        let known = appends.entry((op.key, element)).or_insert(Append { times: 0, ..new });
                        match (known.status, new.status) {
                            // What was aborted explains a read only if nothing else does.
                            (Status::Aborted, _) => *known = new,
                            (_, Status::Aborted) => {}
                            _ => known.times += 1,
                        }
                    }
                    Action::Read(Some(value))
                        if kinds[op.key as usize] == Kind::List && t.status == Status::Committed =>
                    {
                        let Some(elements) = elements(value) else {
                            let key = all.keys[op.key as usize];
                            let why = format!("operation {}: the read of the list {key} replied {value}", t.entry);
                            return Err(Verdict::precondition(why));
                        };
                        let list = &mut lists[op.key as usize];
                        if elements.len() > list.longest.len() {
                            *list = List { longest: elements, reader: txn, appends: Vec::new() };
                        }
                    }
                    _ => {}
                }
            }
        }
        for (key, list) in lists.iter_mut().enumerate() {
            list.appends = list.longest.iter().map(|e| appends.get(&(key as u32, e)).copied()).collect();
            if let Some(i) = list.appends.iter().position(|a| a.is_some_and(|a| a.times > 1)) {
                let (element, key) = (&list.longest[i], all.keys[key]);
                return Err(Verdict::precondition(format!(
                    "{element} was appended to {key} more than once: who read from whom is known only when elements are unique"
                )));
            }
        }
        Ok(Lists { lists })
    }

    /// The transactions of unknown outcome that took effect, as somebody saw what they appended.
    pub(super) fn observed(&self) -> impl Iterator<Item = u32> {
        let appends = self.lists.iter().flat_map(|list| list.appends.iter().flatten());
        appends.filter(|append| append.status == Status::Unknown).map(|append| append.txn)
    }

    /// Reports what is wrong with the lists themselves.
    pub(super) fn report(&self, all: &Transactions<'h>, reporter: &mut Reporter<'_, 'h>) {
        for (key, list) in (0..).zip(&self.lists) {
            let reader = list.reader;
            let mut places: FixedMap<&Value, usize> = FixedMap::default();
            let mut expected: FixedMap<u32, u32> = FixedMap::default();
            for (i, element) in list.longest.iter().enumerate() {
                if places.insert(element, i).is_some() {
                    // Who appended it did so once.
                    let once = list.appends[i].filter(|append| append.status != Status::Aborted);
                    let told: Vec<usize> = once.map(|append| append.txn as usize).into_iter().chain([reader]).collect();
                    reporter.report(&anomaly::DUPLICATE_ELEMENTS, key, &told, |r| {
                        format!("{} shows {element} twice in {}.", r.say(reader), r.key(key))
                    });
                    continue;
                }
                let Some(append) = list.appends[i] else {
                    reporter.report(&anomaly::THIN_AIR_READ, key, &[reader], |r| {
                        format!("{} shows {element} in {}, which nobody appended.", r.say(reader), r.key(key))
                    });
                    continue;
                };
                let appender = append.txn as usize;
                let expected = expected.entry(append.txn).or_insert_with(|| {
                    let ops = all.ops(appender).iter();
                    ops.filter(|op| op.key == key && matches!(op.action, Action::Append(_))).count() as u32
                });
                if *expected != append.followed_by + 1 {
                    reporter.report(&anomaly::INCOMPATIBLE_ORDER, key, &[appender, reader], |r| {
                        let [appender, reader] = [appender, reader].map(|t| r.say(t));
                        format!(
                            "{reader} shows the elements of {appender} in another order, or not all up to {element}."
                        )
                    });
                }
                *expected = append.followed_by;
                if append.status != Status::Aborted {
                    continue;
                }
                let aborted = append.txn as usize;
                reporter.report(&anomaly::G1A, key, &[aborted, reader], |r| {
                    let [reader, aborted] = [reader, aborted].map(|t| r.say(t));
                    format!("{reader} shows {element} of {aborted}, which was aborted: a dirty read.")
                });
                let later = list.appends[i..].iter().flatten().find(|a| a.status != Status::Aborted);
                if let Some(later) = later {
                    let later = later.txn as usize;
                    reporter.report(&anomaly::DIRTY_UPDATE, key, &[aborted, reader, later], |r| {
                        let [later, aborted] = [later, aborted].map(|t| r.say(t));
                        format!("{later} built on {element} of {aborted}, which was aborted.")
                    });
                }
            }
        }
    }

    /// Follows a transaction through one action on a list; answers what it read of others.
    pub(super) fn scan(
        &self,
        txn: usize,
        op: Op<'h>,
        scan: &mut Scan<'h>,
        reporter: &mut Reporter<'_, 'h>,
    ) -> Option<Read> {
        let list = &self.lists[op.key as usize];
        let here = scan.key(op.key);
        let value = match op.action {
            Action::Append(element) => {
                here.own.push(element);
                return None;
            }
            Action::Read(value) => value?,
            Action::Write(_) => return None,
        };
        let shown = elements(value)?;
        if !list.longest.starts_with(shown) {
            let other = list.reader;
            reporter.report(&anomaly::INCOMPATIBLE_ORDER, op.key, &[txn, other], |r| {
                let [one, other] = [txn, other].map(|t| r.say(t));
                format!("{one} and {other} show {} in orders that exclude each other.", r.key(op.key))
            });
            return None;
        }
        let mut rest = shown.iter();
        if !here.own.iter().all(|own| rest.any(|element| element == *own)) {
            reporter.report(&anomaly::INTERNAL, op.key, &[txn], |r| {
                format!("{} does not see its own append to {}.", r.say(txn), r.key(op.key))
            });
            return None;
        }
        let of_others = |element: &&Value| !here.own.contains(element);
        let known = shown.len() - shown.iter().rev().take_while(|e| !of_others(e)).count();
        let usable = list.appends[..known].iter().flatten().rfind(|a| a.status != Status::Aborted);
        if let Some(append) = usable {
            let source = append.txn as usize;
            if source == txn {
                reporter.report(&anomaly::FUTURE_READ, op.key, &[txn], |r| {
                    format!("{} sees its own append to {} before it makes it.", r.say(txn), r.key(op.key))
                });
                return None;
            }
            if append.followed_by > 0 {
                reporter.report(&anomaly::G1B, op.key, &[txn, source], |r| {
                    let [reader, writer] = [txn, source].map(|t| r.say(t));
                    format!("{reader} saw {} in the middle of {writer}: an intermediate read.", r.key(op.key))
                });
            }
        }
        let read = Read { key: op.key, source: usable.map_or(INITIAL, |a| a.txn), elements: known as u32 };
        if let Some(before) = here.read.replace(read).filter(|before| before.elements != read.elements) {
            reporter.two_states(txn, &before, &read);
        }
        Some(read)
    }

    /// The order of the elements; what nobody saw comes after all that was seen. So does the rest of a transaction of which a
    /// part was seen, which puts it both before and after who follows that part.
    pub(super) fn order(&self, built: &mut Inference<'_, '_>, vertex_of: &[u32], kinds: &[Kind]) {
        if self.lists.is_empty() {
            return;
        }
        for (order, list) in built.keys.iter_mut().zip(&self.lists).filter(|(order, _)| order.is_list) {
            order.elements = list.appends.iter().map(|a| a.map_or(INITIAL, |a| vertex_of[a.txn as usize])).collect();
            let mut chain: Vec<u32> = order.elements.iter().copied().filter(|v| *v != INITIAL).collect();
            chain.dedup();
            order.chains.push(chain);
            order.longest = (!list.longest.is_empty()).then(|| vertex_of[list.reader]);
        }
        // Who was seen in full, and the last that was seen at all.
        let mut shown: Vec<(u32, u32)> = Vec::new();
        for (key, (order, list)) in (0..).zip(built.keys.iter().zip(&self.lists)) {
            let in_full = order.elements.iter().zip(&list.appends);
            let in_full = in_full.filter(|(_, append)| append.is_some_and(|append| append.followed_by == 0));
            shown.extend(in_full.map(|(&vertex, _)| (key, vertex)));
            shown.extend(order.chains.first().and_then(|seen| seen.last()).map(|&tail| (key, tail)));
        }
        shown.sort_unstable();
        for vertex in 0..built.len() as u32 {
            for i in 0..built.writes(vertex).len() {
                let key = built.writes(vertex)[i];
                if kinds[key as usize] == Kind::List && shown.binary_search(&(key, vertex)).is_err() {
                    built.keys[key as usize].chains.push(vec![vertex]);
                }
            }
        }
    }
}

/// The elements of a list that was read.
fn elements(value: &Value) -> Option<&[Value]> {
    if value.is_nil() { Some(&[]) } else { value.as_list() }
}
