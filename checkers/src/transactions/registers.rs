//! Registers: who wrote what a transaction read is known because written values are unique; a transaction that read a key and
//! then wrote it follows its source immediately (as in Cobra's write chains, Tan et al. 2020).

use super::{
    beginnings::{Beginning, Shown},
    inference::{INITIAL, Inference, Read, Reporter, Scan},
    ingest::{Action, Op, Status, Transactions},
};
use crate::{anomaly, numbered::NONE, partition::FixedMap, value::Value, verdict::Verdict};

/// Who wrote a version.
#[derive(Clone, Copy, Debug)]
struct Write {
    /// [`NONE`] where nobody did.
    txn: u32,
    /// How many writes that may have taken effect wrote it.
    times: u32,
    status: Status,
    /// Whether it is the last that the transaction wrote to the key.
    last: bool,
    is_initial: bool,
}

/// All writes to registers.
pub(super) struct Registers {
    /// By version.
    writes: Vec<Write>,
    observed: Vec<u32>,
    /// Who showed first that one of unknown outcome took effect.
    shown_by: FixedMap<usize, usize>,
    /// By key.
    pub(super) beginnings: Vec<Option<Shown>>,
}

impl Registers {
    /// Finds the writers of all values. O(n).
    ///
    /// # Errors
    /// A verdict when a value that was read has more than one origin.
    pub(super) fn new(all: &Transactions<'_>) -> Result<Self, Verdict> {
        let nobody = |&is_initial| Write { txn: NONE, times: 0, status: Status::Aborted, last: false, is_initial };
        let mut writes: Vec<Write> = all.is_initial.iter().map(nobody).collect();
        let mut seen_by = vec![usize::MAX; all.keys.len()];
        for (txn, t) in all.txns.iter().enumerate() {
            for op in all.ops(txn).iter().rev() {
                let Action::Write(_) = op.action else { continue };
                let last = std::mem::replace(&mut seen_by[op.key as usize], txn) != txn;
                let known = &mut writes[op.version as usize];
                // What was aborted explains a read only if nothing else does.
                if known.status == Status::Aborted {
                    *known = Write { txn: txn as u32, times: 1, status: t.status, last, ..*known };
                } else if t.status != Status::Aborted {
                    known.times += 1;
                }
            }
        }
        let beginnings = vec![None; all.keys.len()];
        let mut registers = Registers { writes, observed: Vec::new(), shown_by: FixedMap::default(), beginnings };
        let ambiguous = registers.writes.iter().any(Write::is_ambiguous);
        if ambiguous || all.txns.iter().any(|txn| txn.status == Status::Unknown) {
            registers.observe(all)?;
        }
        Ok(registers)
    }

    /// What was read took effect, and so did what that had read; and so on.
    fn observe(&mut self, all: &Transactions<'_>) -> Result<(), Verdict> {
        let mut seen = vec![false; all.txns.len()];
        let mut ready: Vec<usize> = (0..all.txns.len()).filter(|&t| all.txns[t].status == Status::Committed).collect();
        let mut ambiguous: Option<(u32, usize)> = None;
        while let Some(reader) = ready.pop() {
            for op in all.reads_of_others(reader) {
                let write = &self.writes[op.version as usize];
                if write.txn == NONE {
                    continue;
                }
                if write.is_ambiguous() {
                    let this = (write.txn, reader);
                    ambiguous = Some(ambiguous.map_or(this, |first| first.min(this)));
                }
                let writer = write.txn as usize;
                if write.status == Status::Unknown && !std::mem::replace(&mut seen[writer], true) {
                    self.observed.push(write.txn);
                    self.shown_by.insert(writer, reader);
                    ready.push(writer);
                }
            }
        }
        let Some((writer, reader)) = ambiguous else { return Ok(()) };
        let from = |op: &&Op<'_>| self.writes[op.version as usize].txn == writer;
        let value = all.reads_of_others(reader).find(from).and_then(|op| op.action.value());
        let entry = all.txns[writer as usize].entry;
        Err(Verdict::precondition(format!(
            "the value {} that operation {entry} writes has more than one origin: who read from whom is known only when written values are unique",
            value.unwrap_or(&Value::Nil)
        )))
    }

    /// The transactions of unknown outcome that took effect, as somebody saw what they wrote.
    pub(super) fn observed(&self) -> impl Iterator<Item = u32> {
        self.observed.iter().copied()
    }

    /// Follows a transaction through one action on a register; answers what it read of others.
    pub(super) fn scan<'h>(
        &mut self,
        txn: usize,
        op: Op<'h>,
        scan: &mut Scan<'h>,
        reporter: &mut Reporter<'_, 'h>,
    ) -> Option<Read> {
        let here = scan.key(op.key);
        let value = match op.action {
            Action::Write(_) => {
                here.wrote = op.version;
                return None;
            }
            Action::Read(value) => value?,
            Action::Append(_) => return None,
        };
        if here.wrote != NONE {
            let own = here.wrote;
            if own != op.version {
                reporter.report(&anomaly::INTERNAL, op.key, &[txn], |r| {
                    let [reader, key, own] = [r.say(txn), r.key(op.key).to_string(), r.version(txn, own).to_string()];
                    format!("{reader} wrote {own} to {key}, and then read {value} from it.")
                });
            }
            return None;
        }
        let write = &self.writes[op.version as usize];
        let source = match Some(write).filter(|write| write.txn != NONE) {
            Some(write) if write.status == Status::Aborted && !write.is_initial => {
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
            _ if write.is_initial => {
                self.begins(txn, op, reporter);
                INITIAL
            }
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

impl Registers {
    /// A transaction saw what was there before all writes, which is the same for all.
    fn begins(&mut self, txn: usize, op: Op<'_>, reporter: &mut Reporter<'_, '_>) {
        let Some(beginning) = op.action.value().and_then(Beginning::of) else { return };
        let now = Shown { beginning, version: op.version, txn };
        let Shown { version, txn: first, .. } = *self.beginnings[op.key as usize].get_or_insert(now);
        if version == op.version {
            return;
        }
        let aborted = [version, op.version].map(|version| self.writes[version as usize].txn);
        let aborted = aborted.into_iter().filter(|txn| *txn != NONE).map(|txn| txn as usize);
        let mut txns: Vec<usize> = [first, txn].into_iter().chain(aborted).collect();
        // One of the two is dirty, and may be for the weakest level.
        let is_dirty = txns.len() > 2;
        for mut last in [first, txn] {
            while let Some(reader) = self.shown_by.get(&last) {
                last = *reader;
                txns.push(last);
            }
        }
        let kind = if is_dirty { &anomaly::G1A } else { &anomaly::THIN_AIR_READ };
        reporter.report(kind, op.key, &txns, |r| {
            let [one, other] = [first, txn].map(|t| r.say(t));
            let who = if first == txn { one } else { format!("{one} and {other}") };
            let what = if is_dirty { "that nobody committed" } else { "that nobody wrote" };
            format!("{who} saw two values of {} {what}, and it began as one.", r.key(op.key))
        });
    }
}

impl Write {
    /// Whether who reads it may have read it from more than one.
    fn is_ambiguous(&self) -> bool {
        self.times > 1 || (self.is_initial && self.status != Status::Aborted)
    }
}

/// Chains of writers that follow each other immediately, because each read what it replaced.
pub(super) fn order(built: &mut Inference<'_, '_>) {
    // By key: the writers, with what they read before.
    let mut writers: Vec<Vec<(u32, Option<u32>)>> = vec![Vec::new(); built.keys.len()];
    for vertex in 0..built.len() as u32 {
        for &key in built.writes(vertex) {
            if !built.keys[key as usize].is_list {
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
