//! Who shows that a transaction of unknown outcome took effect. Without them what is said of it proves nothing: it may as well
//! never have happened.

use super::{
    inference::{INITIAL, Inference},
    ingest::{Action, Status},
};
use crate::{history::EntryId, partition::FixedMap, verdict::Anomaly};

/// Names with each transaction of unknown outcome somebody who saw what it wrote, and so on to one that certainly took effect.
/// O(n) where there is such a transaction.
pub(crate) fn name(known: &Inference<'_, '_>, anomalies: &mut [Anomaly]) {
    let is_open = |id: &EntryId| known.all.history.entries[*id].is_unknown();
    if !anomalies.iter().flat_map(|anomaly| &anomaly.operations).any(is_open) {
        return;
    }
    let observers = observers(known);
    for anomaly in anomalies {
        let mut next = 0;
        while let Some(id) = anomaly.operations.get(next) {
            next += 1;
            if let Some(observer) = observers.get(id).filter(|observer| !anomaly.operations.contains(observer)) {
                anomaly.operations.push(*observer);
            }
        }
        anomaly.operations.sort_unstable();
    }
}

/// By transaction of unknown outcome: who saw what it wrote.
fn observers(known: &Inference<'_, '_>) -> FixedMap<EntryId, EntryId> {
    let open = |vertex: &u32| known.txn(*vertex).status == Status::Unknown;
    let mut observers = FixedMap::default();
    let mut ready: Vec<u32> = (0..known.len() as u32).filter(|vertex| !open(vertex)).collect();
    let mut see = |writer: u32, reader: u32, ready: &mut Vec<u32>| {
        let [writer_id, reader_id] = [writer, reader].map(|vertex| known.txn(vertex).entry);
        if writer != reader && !observers.contains_key(&writer_id) {
            observers.insert(writer_id, reader_id);
            ready.push(writer);
        }
    };
    for key in &known.keys {
        let Some(reader) = key.longest else { continue };
        for &writer in key.elements.iter().filter(|writer| **writer != INITIAL && open(writer)) {
            see(writer, reader, &mut ready);
        }
    }
    let ops = |vertex: u32| known.all.ops(known.txns[vertex as usize] as usize);
    let mut writers = FixedMap::default();
    for vertex in (0..known.len() as u32).filter(open) {
        let written = ops(vertex).iter().filter(|op| matches!(op.action, Action::Write(_)));
        writers.extend(written.map(|op| (op.version, vertex)));
    }
    while let Some(reader) = ready.pop() {
        for op in known.all.reads_of_others(known.txns[reader as usize] as usize) {
            if let Some(&writer) = writers.get(&op.version) {
                see(writer, reader, &mut ready);
            }
        }
    }
    observers
}
