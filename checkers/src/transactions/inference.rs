//! What is certain of a set of transactions: who read from whom, and which writes of a key came in which order.

use std::{iter, ops::Range};

use super::{
    beginnings::{self, Shown},
    ingest::{Action, Kind, Status, Transactions, Txn},
    lists, registers, words,
};
use crate::{
    anomaly,
    numbered::NONE,
    operation::Name,
    value::Value,
    verdict::{Anomaly, Verdict},
};

/// Stands for the state before all transactions, as the source of a read.
pub(crate) const INITIAL: u32 = u32::MAX;

/// How many anomalies of one kind are reported; the others add nothing.
const EACH_KIND_MAX: usize = 3;

/// A longer chain of transactions is not followed.
const LINKS_MAX: usize = 64;

/// A read of what others wrote. Reads of a transaction's own writes say nothing of others and are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Read {
    pub(crate) key: u32,
    /// The vertex whose write was the last that it saw, or [`INITIAL`].
    pub(crate) source: u32,
    /// How many elements of the key's list it saw; 0 for registers.
    pub(crate) elements: u32,
}

/// What is known of the order in which the writes of one key took effect.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeyOrder {
    /// Whether it is a list, not a register.
    pub(crate) is_list: bool,
    /// For a register: writers that follow each other immediately, as each read what it replaced. For a list: first the
    /// writers that were seen (perhaps none), then each that was not.
    pub(crate) chains: Vec<Vec<u32>>,
    /// For a list: the writer of each element, [`INITIAL`] where there is none.
    pub(crate) elements: Vec<u32>,
    /// For a list: who read the most of it. That alone tells in what order its elements came.
    pub(crate) longest: Option<u32>,
}

/// What is certain. Vertices are the transactions that took effect, by invocation.
#[derive(Clone, Debug)]
pub(crate) struct Inference<'a, 'h> {
    pub(crate) all: &'a Transactions<'h>,
    /// The transaction of each vertex.
    pub(crate) txns: Vec<u32>,
    /// The vertices of each session, in its order.
    pub(crate) sessions: Vec<Vec<u32>>,
    pub(crate) keys: Vec<KeyOrder>,
    /// What is wrong already: no order of the transactions mends it.
    pub(crate) anomalies: Vec<Anomaly>,
    /// By key of a register, as far as it was seen.
    pub(super) beginnings: Vec<Option<Shown>>,
    reads: Vec<Read>,
    read_starts: Vec<u32>,
    /// By vertex, sorted, each key once.
    writes: Vec<u32>,
    write_starts: Vec<u32>,
}

impl<'a, 'h> Inference<'a, 'h> {
    /// Infers who read from whom, and in what order lists grew; of registers no order of writes. O(n log n).
    ///
    /// # Errors
    /// A verdict when it is not known who read from whom.
    pub(crate) fn new(all: &'a Transactions<'h>) -> Result<Self, Verdict> {
        let kinds = &all.kinds;
        let lists = lists::Lists::new(all, kinds)?;
        let mut registers = registers::Registers::new(all)?;
        let mut effective: Vec<bool> = all.txns.iter().map(|t| t.status == Status::Committed).collect();
        for txn in lists.observed().chain(registers.observed()) {
            effective[txn as usize] = true;
        }
        let mut built = Inference {
            all,
            txns: (0..all.txns.len() as u32).filter(|&t| effective[t as usize]).collect(),
            sessions: vec![Vec::new(); all.sessions],
            keys: kinds.iter().map(|kind| KeyOrder { is_list: *kind == Kind::List, ..KeyOrder::default() }).collect(),
            anomalies: Vec::new(),
            beginnings: Vec::new(),
            reads: Vec::new(),
            read_starts: vec![0],
            writes: Vec::new(),
            write_starts: vec![0],
        };
        let mut vertex_of = vec![INITIAL; all.txns.len()];
        for (vertex, &txn) in built.txns.iter().enumerate() {
            vertex_of[txn as usize] = vertex as u32;
            built.sessions[all.txns[txn as usize].session as usize].push(vertex as u32);
        }
        let mut reporter = Reporter { all, anomalies: Vec::new() };
        lists.report(all, &mut reporter);
        let mut scan = Scan::new(all.keys.len());
        for vertex in 0..built.txns.len() {
            let txn = built.txns[vertex] as usize;
            scan.begin();
            let written = built.writes.len();
            for op in all.ops(txn) {
                match op.action {
                    Action::Write(_) | Action::Append(_) => built.writes.push(op.key),
                    Action::Read(_) => {}
                }
                let read = match kinds[op.key as usize] {
                    Kind::List => lists.scan(txn, *op, &mut scan, &mut reporter),
                    Kind::Register => registers.scan(txn, *op, &mut scan, &mut reporter),
                };
                built.reads.extend(read.map(|read| Read {
                    source: if read.source == INITIAL { INITIAL } else { vertex_of[read.source as usize] },
                    ..read
                }));
            }
            built.writes[written..].sort_unstable();
            dedup_from(&mut built.writes, written);
            built.read_starts.push(built.reads.len() as u32);
            built.write_starts.push(built.writes.len() as u32);
        }
        beginnings::report(all, &registers.beginnings, &mut reporter);
        built.beginnings = registers.beginnings;
        lists.order(&mut built, &vertex_of, kinds);
        built.anomalies = reporter.anomalies;
        Ok(built)
    }

    /// The same, and which writes of registers follow each other. Weak levels do not ask for it.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub(crate) fn ordered(all: &'a Transactions<'h>) -> Result<Self, Verdict> {
        let mut built = Inference::new(all)?;
        registers::order(&mut built);
        let mut reporter = Reporter { all, anomalies: std::mem::take(&mut built.anomalies) };
        lost_updates(&built, &mut reporter);
        built.anomalies = reporter.anomalies;
        Ok(built)
    }

    /// The same with some more reads, by vertex, of those that read nothing yet.
    pub(super) fn with_reads(&self, more: &[(u32, Read)]) -> Self {
        let mut with = Inference { reads: Vec::new(), read_starts: vec![0], ..self.clone() };
        let mut more = more.iter().peekable();
        for vertex in 0..self.len() as u32 {
            with.reads.extend(self.reads(vertex));
            with.reads.extend(more.next_if(|(reader, _)| *reader == vertex).map(|(_, read)| *read));
            with.read_starts.push(with.reads.len() as u32);
        }
        with
    }

    /// How many vertices there are.
    pub(crate) fn len(&self) -> usize {
        self.txns.len()
    }

    pub(crate) fn txn(&self, vertex: u32) -> &Txn {
        &self.all.txns[self.txns[vertex as usize] as usize]
    }

    /// What the vertex read of others, in its order.
    pub(crate) fn reads(&self, vertex: u32) -> &[Read] {
        &self.reads[range(&self.read_starts, vertex)]
    }

    /// The keys that the vertex wrote, sorted.
    pub(crate) fn writes(&self, vertex: u32) -> &[u32] {
        &self.writes[range(&self.write_starts, vertex)]
    }

    /// Who stands between some of these on a register: each read what the one before it left, so that without them the later of
    /// these could come first.
    pub(crate) fn links(&self, among: &[u32], key: u32) -> Vec<u32> {
        let source = |vertex: u32| {
            let of_key = self.reads(vertex).iter().find(|read| read.key == key);
            of_key.map(|read| read.source).filter(|source| *source != INITIAL)
        };
        let next = |vertex: &u32| if among.contains(vertex) { None } else { source(*vertex) };
        let chain = |vertex: &u32| -> Vec<u32> { iter::successors(source(*vertex), next).take(LINKS_MAX).collect() };
        let leads_back = |chain: &Vec<u32>| chain.last().is_some_and(|last| among.contains(last));
        among.iter().map(chain).filter(leads_back).flatten().collect()
    }

    /// Whether the vertex wrote the key.
    pub(crate) fn wrote(&self, vertex: u32, key: u32) -> bool {
        self.writes(vertex).binary_search(&key).is_ok()
    }

    /// Everyone whose write the read shows: the source, and for a list the writers of all its elements.
    pub(crate) fn seen(&self, read: &Read) -> impl Iterator<Item = u32> + Clone {
        let elements = &self.keys[read.key as usize].elements;
        let shown = &elements[..elements.len().min(read.elements as usize)];
        shown.iter().copied().chain(std::iter::once(read.source)).filter(|&writer| writer != INITIAL)
    }
}

fn range(starts: &[u32], i: u32) -> Range<usize> {
    starts[i as usize] as usize..starts[i as usize + 1] as usize
}

fn dedup_from(items: &mut Vec<u32>, from: usize) {
    let mut kept = from;
    for i in from..items.len() {
        if i == from || items[i] != items[i - 1] {
            items[kept] = items[i];
            kept += 1;
        }
    }
    items.truncate(kept);
}

/// What a transaction did to each key so far, forgotten between transactions in O(1).
pub(super) struct Scan<'h> {
    epoch: u32,
    keys: Vec<KeyScan<'h>>,
}

/// What a transaction did to one key so far.
#[derive(Clone, Debug, Default)]
pub(super) struct KeyScan<'h> {
    epoch: u32,
    /// The version of the register that it wrote last, or [`NONE`].
    pub(super) wrote: u32,
    /// The elements that it added to the list.
    pub(super) own: Vec<&'h Value>,
    /// What it last read of others' writes.
    pub(super) read: Option<Read>,
}

impl<'h> Scan<'h> {
    fn new(keys: usize) -> Self {
        Scan { epoch: 0, keys: vec![KeyScan::default(); keys] }
    }

    fn begin(&mut self) {
        self.epoch += 1;
    }

    pub(super) fn key(&mut self, key: u32) -> &mut KeyScan<'h> {
        let scan = &mut self.keys[key as usize];
        if scan.epoch != self.epoch {
            scan.epoch = self.epoch;
            scan.wrote = NONE;
            scan.own.clear();
            scan.read = None;
        }
        scan
    }
}

/// Gathers what is wrong.
pub(super) struct Reporter<'a, 'h> {
    all: &'a Transactions<'h>,
    anomalies: Vec<Anomaly>,
}

impl<'a> Reporter<'a, '_> {
    /// Reports that these transactions together cannot be; `sentence` is made only when it is shown.
    pub(super) fn report(&mut self, kind: &Name, key: u32, txns: &[usize], sentence: impl FnOnce(&Self) -> String) {
        if self.anomalies.iter().filter(|a| a.kind == *kind).count() < EACH_KIND_MAX {
            let sentence = sentence(self);
            let operations = txns.iter().map(|&t| self.all.txns[t].entry).collect();
            self.anomalies.push(Anomaly::new(kind.clone(), self.key(key).clone(), operations, sentence));
        }
    }

    pub(super) fn say(&self, txn: usize) -> String {
        words::say(self.all, txn)
    }

    pub(super) fn key(&self, key: u32) -> &'a Value {
        self.all.keys[key as usize]
    }

    /// The value of a version that the transaction wrote.
    pub(super) fn version(&self, txn: usize, version: u32) -> &'a Value {
        let written = self.all.ops(txn).iter().find(|op| op.version == version);
        written.and_then(|op| op.action.value()).expect("it wrote that")
    }

    /// Two reads of one key in one transaction that saw different states.
    pub(super) fn two_states(&mut self, txn: usize, before: &Read, now: &Read) {
        // What a read finds under a key is the nearest there is to a predicate: elements of a list, or whether it is there at all.
        let grew = before.source == INITIAL || now.elements > before.elements;
        let kind = if grew { anomaly::PHANTOM } else { anomaly::NON_REPEATABLE_READ };
        let others: Vec<usize> =
            [before.source, now.source].into_iter().filter(|s| *s != INITIAL).map(|s| s as usize).collect();
        self.report(&kind, now.key, &[&[txn][..], &others].concat(), |r| {
            let [reader, key] = [r.say(txn), r.key(now.key).to_string()];
            let what = if grew {
                "what was not there at first appeared between its reads, a phantom"
            } else {
                "its value changed between the reads, so the read is not repeatable"
            };
            format!("{reader} read {key} twice and saw two states: {what}.")
        });
    }
}

/// Two transactions that read the same version of a key and both replaced it.
fn lost_updates(built: &Inference<'_, '_>, reporter: &mut Reporter<'_, '_>) {
    let mut first = crate::partition::FixedMap::default();
    for vertex in 0..built.len() as u32 {
        let reads = built.reads(vertex);
        for (i, read) in reads.iter().enumerate() {
            if !built.wrote(vertex, read.key) || reads[..i].iter().any(|r| r.key == read.key) {
                continue;
            }
            let other = *first.entry((read.key, read.source, read.elements)).or_insert(vertex);
            if other != vertex {
                let txn = |vertex: u32| built.txns[vertex as usize] as usize;
                let both = [other, vertex];
                reporter.report(&anomaly::LOST_UPDATE, read.key, &both.map(txn), |r| {
                    let key = r.key(read.key);
                    let [one, other] = both.map(|v| r.say(txn(v)));
                    format!(
                        "{one} and {other} both read the same state of {key} and both replaced it: one update is lost."
                    )
                });
            }
        }
    }
}
