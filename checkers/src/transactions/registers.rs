//! Registers: who wrote what a transaction read is known because written values are unique; a transaction that read a key and
//! then wrote it follows its source immediately (as in Cobra's write chains, Tan et al. 2020).

use super::{
    inference::{INITIAL, Inference, Kind, Read, Reporter, Scan},
    ingest::{Action, Op, Status, Transactions},
};
use crate::{anomaly, partition::FixedMap, value::Value, verdict::Verdict};

/// Who wrote a value.
#[derive(Clone, Copy, Debug)]
struct Write {
    txn: u32,
    status: Status,
    /// Whether it is the last that the transaction wrote to the key.
    last: bool,
    /// How many writes that may have taken effect wrote it.
    times: u32,
}

/// All writes to registers.
pub(super) struct Registers<'h> {
    writes: FixedMap<(u32, &'h Value), Write>,
    observed: Vec<u32>,
}

impl<'h> Registers<'h> {
    /// Finds the writers of all values. O(n).
    ///
    /// # Errors
    /// A verdict when a value that was read has more than one origin.
    pub(super) fn new(all: &Transactions<'h>, kinds: &[Kind]) -> Result<Self, Verdict> {
        let mut writes: FixedMap<(u32, &'h Value), Write> = FixedMap::default();
        let mut seen_by = vec![usize::MAX; kinds.len()];
        for (txn, t) in all.txns.iter().enumerate() {
            for op in all.ops(txn).iter().rev() {
                let Action::Write(value) = op.action else { continue };
                let last = std::mem::replace(&mut seen_by[op.key as usize], txn) != txn;
                let new = Write { txn: txn as u32, status: t.status, last, times: 1 };
                let known = writes.entry((op.key, value)).or_insert(Write { times: 0, ..new });
                match (known.status, new.status) {
                    // What was aborted explains a read only if nothing else does.
                    (Status::Aborted, _) => *known = new,
                    (_, Status::Aborted) => {}
                    _ => known.times += 1,
                }
            }
        }
        // What was read took effect, and so did what that had read; and so on.
        let mut observed = Vec::new();
        let mut seen = vec![false; all.txns.len()];
        let mut ready: Vec<usize> = (0..all.txns.len()).filter(|&t| all.txns[t].status == Status::Committed).collect();
        let mut ambiguous: Option<(u32, usize)> = None;
        while let Some(reader) = ready.pop() {
            for op in all.ops(reader) {
                let Action::Read(Some(value)) = op.action else { continue };
                let Some(write) = writes.get(&(op.key, value)).filter(|_| kinds[op.key as usize] == Kind::Register)
                else {
                    continue;
                };
                if write.times > 1 || (is_initial(value) && write.status != Status::Aborted) {
                    let this = (write.txn, reader);
                    ambiguous = Some(ambiguous.map_or(this, |first| first.min(this)));
                }
                let writer = write.txn as usize;
                if write.status == Status::Unknown && !std::mem::replace(&mut seen[writer], true) {
                    observed.push(write.txn);
                    ready.push(writer);
                }
            }
        }
        match ambiguous {
            None => Ok(Registers { writes, observed }),
            Some((writer, reader)) => {
                let value = all.ops(reader).iter().find_map(|op| match op.action {
                    Action::Read(Some(value)) => {
                        writes.get(&(op.key, value)).filter(|w| w.txn == writer).map(|_| value)
                    }
                    _ => None,
                });
                let entry = all.txns[writer as usize].entry;
                Err(Verdict::precondition(format!(
                    "the value {} that operation {entry} writes has more than one origin: who read from whom is known only when written values are unique",
                    value.unwrap_or(&Value::Nil)
                )))
            }
        }
    }

    /// The transactions of unknown outcome that took effect, as somebody saw what they wrote.
    pub(super) fn observed(&self, _: &Transactions<'h>) -> impl Iterator<Item = u32> {
        self.observed.iter().copied()
    }

    /// Follows a transaction through one action on a register; answers what it read of others.
    pub(super) fn scan(
        &self,
        txn: usize,
        op: Op<'h>,
        scan: &mut Scan<'h>,
        reporter: &mut Reporter<'_, 'h>,
    ) -> Option<Read> {
        let here = scan.key(op.key);
        let value = match op.action {
            Action::Write(value) => {
                here.own.clear();
                here.own.push(value);
                return None;
            }
            Action::Read(value) => value?,
            Action::Append(_) => return None,
        };
        if let Some(own) = here.own.first() {
            if *own != value {
                reporter.report(&anomaly::INTERNAL, op.key, &[txn], |r| {
                    format!("{} wrote {own} to {}, and then read {value} from it.", r.say(txn), r.key(op.key))
                });
            }
            return None;
        }
        let write = self.writes.get(&(op.key, value));
        let source = match write {
            Some(write) if write.status == Status::Aborted && !is_initial(value) => {
                let aborted = write.txn as usize;
                reporter.report(&anomaly::G1A, op.key, &[aborted, txn], |r| {
                    let [reader, aborted] = [txn, aborted].map(|t| r.say(t));
                    format!("{reader} saw {value}, which {aborted} wrote and aborted: a dirty read.")
                });
                return None;
            }
            Some(write) if write.txn as usize == txn => {
                reporter.report(&anomaly::FUTURE_READ, op.key, &[txn], |r| {
                    format!("{} sees its own write to {} before it makes it.", r.say(txn), r.key(op.key))
                });
                return None;
            }
            Some(write) if write.status != Status::Aborted => {
                if !write.last {
                    let writer = write.txn as usize;
                    reporter.report(&anomaly::G1B, op.key, &[txn, writer], |r| {
                        let [reader, writer] = [txn, writer].map(|t| r.say(t));
                        format!("{reader} saw {value}, which {writer} replaced before it ended: an intermediate read.")
                    });
                }
                write.txn
            }
            _ if is_initial(value) => INITIAL,
            _ => {
                reporter.report(&anomaly::THIN_AIR_READ, op.key, &[txn], |r| {
                    format!("{} saw a value that nobody wrote.", r.say(txn))
                });
                return None;
            }
        };
        let read = Read { key: op.key, source, elements: 0 };
        if let Some(before) = here.read.replace(read).filter(|before| before.source != read.source) {
            reporter.two_states(txn, &before, &read);
        }
        Some(read)
    }
}

/// Whether this is what a register holds before it is written: nothing, or the empty text.
fn is_initial(value: &Value) -> bool {
    value.is_nil() || value.as_text() == Some("")
}

/// Chains of writers that follow each other immediately, because each read what it replaced.
pub(super) fn order(built: &mut Inference<'_, '_>, kinds: &[Kind]) {
    // By key: the writers, with what they read before.
    let mut writers: Vec<Vec<(u32, Option<u32>)>> = vec![Vec::new(); kinds.len()];
    for vertex in 0..built.len() as u32 {
        for &key in built.writes(vertex) {
            if kinds[key as usize] == Kind::Register {
                let read = built.reads(vertex).iter().find(|read| read.key == key);
                writers[key as usize].push((vertex, read.map(|read| read.source)));
            }
        }
    }
    let mut next: FixedMap<u32, u32> = FixedMap::default();
    for (order, writers) in built.keys.iter_mut().zip(writers) {
        if writers.is_empty() {
            continue;
        }
        next.clear();
        let mut heads = Vec::new();
        for &(writer, source) in &writers {
            match source {
                // Where two replaced the same, the update of the second is lost, which is told elsewhere.
                Some(source) if !next.contains_key(&source) => {
                    next.insert(source, writer);
                }
                _ => heads.push(writer),
            }
        }
        let first = next.remove(&INITIAL);
        for head in first.into_iter().chain(heads) {
            let mut chain = vec![head];
            while let Some(writer) = next.remove(&chain[chain.len() - 1]) {
                chain.push(writer);
            }
            order.chains.push(chain);
        }
        // What is left read from each other in a circle.
        for &(writer, source) in &writers {
            if source.is_some_and(|s| next.get(&s) == Some(&writer)) {
                order.chains.push(vec![writer]);
            }
        }
    }
}
