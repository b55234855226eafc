//! From a proof to words: which kind of anomaly it is, which operations show it, and the sentence that says so.

use std::collections::BTreeSet;

use super::{
    problem::{Kind, NEVER, Problem, ValueId},
    zones::{Interleaved, Proof},
};
use crate::{
    anomaly::{self, describe},
    history::History,
    operation::Name,
    value::Value,
    verdict::Anomaly,
};

/// Turns what was found about one object into an anomaly.
pub(super) struct Witness<'p> {
    pub(super) history: &'p History,
    pub(super) problem: &'p Problem<'p>,
    pub(super) key: &'p Value,
}

impl Witness<'_> {
    /// The anomaly that `proof` proves.
    pub(super) fn of_proof(&self, proof: &Proof) -> Anomaly {
        match *proof {
            Proof::ThinAir { op } => self.thin_air(op),
            Proof::Future { early, source } => self.future(early, source),
            Proof::TwoSwaps { first, second } => {
                let sentence = format!(
                    "{} and {} both succeeded, although the value they replaced was written once.",
                    self.say(first),
                    self.say(second)
                );
                let value = self.kind(first).requires().expect("a cas");
                self.anomaly(anomaly::LOST_UPDATE, self.with_source(&[first, second], value), sentence)
            }
            Proof::Replaced { late, newer, swap } => {
                let how = if newer == swap {
                    format!("{} had replaced it", self.say(swap))
                } else {
                    format!("{}, which rests on {}, had returned", self.say(newer), self.say(swap))
                };
                let sentence = format!("{} saw a value too late: {how} before it began.", self.say(late));
                let value = self.kind(late).requires().expect("a read");
                let kind = if newer == swap { anomaly::STALE_READ } else { anomaly::NEW_OLD_INVERSION };
                self.anomaly(kind, self.with_source(&[late, newer, swap], value), sentence)
            }
            Proof::Interleaved(proof) => self.interleaved(proof),
        }
    }

    /// The anomaly that a core of operations shows which no order explains; `whole` is the problem it was cut from.
    pub(super) fn of_core(&self, whole: &Problem<'_>) -> Anomaly {
        if self.problem.register {
            if let Some(found) = self.of_values(whole) {
                return found;
            }
        } else if let Some(op) = (0..self.problem.ops.len()).find(|&op| self.is_of_nothing(op, whole)) {
            return self.thin_air(op);
        }
        let all: Vec<usize> = (0..self.problem.ops.len()).collect();
        if self.problem.classes.iter().all(|c| c.operation.f == "acquire" || c.operation.f == "release") {
            return self.lock(all);
        }
        let sentence = match all.len() {
            1 => format!("{} is impossible, whatever else happened.", self.say(0)),
            n => format!("No order of these {n} operations that respects real time explains what the clients saw."),
        };
        self.anomaly(anomaly::NON_LINEARIZABLE, all, sentence)
    }

    /// The anomaly that values of a register show.
    fn of_values(&self, whole: &Problem<'_>) -> Option<Anomaly> {
        let certain = || (0..self.problem.ops.len()).filter(|&i| self.problem.ops[i].certain());
        for op in certain() {
            let Some(value) = self.kind(op).requires().filter(|v| *v != Problem::INITIAL) else { continue };
            let mut sources = self.sources(value).filter(|&source| source != op);
            let Some(first) = sources.next() else {
                // Only if the core lost no source of it: other operations may have been cut as later events.
                if whole.ops.iter().any(|o| whole.kind(o).establishes() == Some(value) && o.entry() != self.entry(op)) {
                    continue;
                }
                return Some(self.thin_air(op));
            };
            if std::iter::once(first).chain(sources).all(|s| self.problem.ops[op].ret < self.problem.ops[s].call) {
                return Some(self.future(op, first));
            }
        }
        certain().find_map(|op| self.went_back(op, whole))
    }

    /// Whether a text was read that is made of nothing that was ever written or appended.
    fn is_of_nothing(&self, op: usize, whole: &Problem<'_>) -> bool {
        let class = &whole.classes[self.problem.ops[op].class as usize];
        let (Kind::Reads(_), Some(text)) = (class.kind, class.reply.and_then(Value::as_text)) else { return false };
        let text = text.as_bytes();
        let pieces = |f: &'static str| {
            let of_name = whole.ops.iter().map(|op| &whole.classes[op.class as usize].operation);
            of_name.filter(move |o| o.f == *f).filter_map(|o| o.args.as_text()).map(str::as_bytes)
        };
        // By length: whether the beginning of this length can be made.
        let mut made = vec![false; text.len() + 1];
        made[0] = true;
        pieces("put").filter(|put| text.starts_with(put)).for_each(|put| made[put.len()] = true);
        let appended: BTreeSet<&[u8]> = pieces("append").collect();
        for from in 0..text.len() {
            if made[from] {
                appended.iter().filter(|a| text[from..].starts_with(a)).for_each(|a| made[from + a.len()] = true);
            }
        }
        !made[text.len()]
    }

    /// The anomaly of a part of a history that no order explains, whatever the register held before.
    pub(super) fn of_part(&self) -> Anomaly {
        let all: Vec<usize> = (0..self.problem.ops.len()).collect();
        let sentence = match all.len() {
            1 => format!("{} is impossible, whatever was there before it.", self.say(0)),
            n => format!(
                "No order of these {n} operations that respects real time explains what the clients saw, whatever was there before them."
            ),
        };
        Anomaly::new(
            anomaly::NON_LINEARIZABLE,
            self.key.clone(),
            all.into_iter().map(|i| self.entry(i)).collect(),
            sentence,
        )
    }

    fn lock(&self, all: Vec<usize>) -> Anomaly {
        let acquired = |&&i: &&usize| self.problem.classes[self.problem.ops[i].class as usize].operation.f == "acquire";
        let last = all.iter().filter(acquired).max_by_key(|&&i| self.problem.ops[i].ret);
        let acquires = all.iter().filter(acquired).count();
        let releases = all.len() - acquires;
        match last {
            Some(&last) if acquires > releases => {
                let sentence = format!("{} succeeded while the lock was certainly held.", self.say(last));
                self.anomaly(anomaly::DOUBLE_ACQUIRE, all, sentence)
            }
            _ => {
                let sentence =
                    format!("No order explains these {} operations: a lock was released that was not held.", all.len());
                self.anomaly(anomaly::NON_LINEARIZABLE, all, sentence)
            }
        }
    }

    fn thin_air(&self, op: usize) -> Anomaly {
        let sentence = format!("{} saw a value that nobody wrote.", self.say(op));
        self.anomaly(anomaly::THIN_AIR_READ, vec![op], sentence)
    }

    fn future(&self, early: usize, source: usize) -> Anomaly {
        let sentence =
            format!("{} returned before {}, on which it rests, was invoked.", self.say(early), self.say(source));
        self.anomaly(anomaly::FUTURE_READ, vec![early, source], sentence)
    }

    fn interleaved(&self, proof: Interleaved) -> Anomaly {
        let Interleaved { old_seen, old_called, new_seen, new_called } = proof;
        let mut operations = vec![old_called, new_seen, new_called];
        operations.extend(old_seen);
        for op in [Some(old_called), Some(new_seen), old_seen].into_iter().flatten() {
            if let Some(value) = self.kind(op).requires() {
                operations.extend(self.sources(value));
            }
        }
        let updated = |op: usize| self.kind(op).establishes().is_some();
        let acknowledged = updated(new_seen) && updated(new_called);
        self.came_back(old_called, new_seen, acknowledged, operations, self.problem)
    }

    /// An operation that needs a value each of whose writes had been overwritten when it was called.
    fn went_back(&self, op: usize, whole: &Problem<'_>) -> Option<Anomaly> {
        let value = self.kind(op).requires()?;
        let me = self.problem.ops[op];
        let mut operations = vec![op];
        let mut acknowledged = true;
        let mut newest = None;
        let initial = (value == Problem::INITIAL).then_some(None);
        let sources: Vec<Option<usize>> = initial.into_iter().chain(self.sources(value).map(Some)).collect();
        for source in &sources {
            if source.is_some_and(|s| s == op || self.problem.ops[s].call > me.ret) {
                continue;
            }
            // When the value was certainly there: a lone write of it may also be known by who saw it.
            let there = |i: usize| *source == Some(i) || (sources.len() == 1 && self.kind(i).requires() == Some(value));
            let since = match source {
                None => Some(None),
                Some(_) => (0..self.problem.ops.len())
                    .filter(|&i| i != op && there(i) && self.problem.ops[i].certain())
                    .min_by_key(|&i| self.problem.ops[i].ret)
                    .map(Some),
            }?;
            let begin = since.map_or(-1, |i| i64::from(self.problem.ops[i].ret));
            let overwrites = |&w: &usize| {
                let kind = self.kind(w);
                kind.establishes().is_some_and(|v| v != value) && i64::from(self.problem.ops[w].call) > begin
            };
            let overwrite = (0..self.problem.ops.len()).filter(overwrites).find_map(|w| {
                if self.problem.ops[w].ret < me.call {
                    return Some((w, w));
                }
                let new = self.kind(w).establishes()?;
                let alone = new != Problem::INITIAL && self.sources(new).count() == 1;
                let saw = |&i: &usize| self.kind(i).requires() == Some(new) && self.problem.ops[i].ret < me.call;
                (0..self.problem.ops.len()).find(|i| alone && i != &op && saw(i)).map(|seen| (w, seen))
            });
            let (write, seen) = overwrite?;
            acknowledged &= write == seen;
            newest = Some(seen);
            operations.extend([write, seen]);
            operations.extend(source);
            operations.extend(since);
        }
        Some(self.came_back(op, newest?, acknowledged, operations, whole))
    }

    /// `late` saw an old value although `newer` had returned; it was acknowledged if `newer` is the overwrite itself.
    fn came_back(
        &self,
        late: usize,
        newer: usize,
        acknowledged: bool,
        operations: Vec<usize>,
        whole: &Problem<'_>,
    ) -> Anomaly {
        let (late_said, newer_said) = (self.say(late), self.say(newer));
        let (kind, sentence) = if self.kind(late).establishes().is_some() {
            let sentence =
                format!("{late_said} succeeded on a value that was gone: {newer_said} had returned before it began.");
            (anomaly::LOST_UPDATE, sentence)
        } else if acknowledged && is_lost(whole, self.entry(newer)) {
            let sentence = format!(
                "{newer_said} was acknowledged and never seen: {late_said}, invoked later, and all reads after it saw older values."
            );
            (anomaly::LOST_WRITE, sentence)
        } else if acknowledged {
            let sentence = format!("{late_said} is stale: {newer_said} had been acknowledged before it began.");
            (anomaly::STALE_READ, sentence)
        } else {
            let sentence = format!("{late_said} went back to an old value: {newer_said} had returned before it began.");
            (anomaly::NEW_OLD_INVERSION, sentence)
        };
        self.anomaly(kind, operations, sentence)
    }

    fn kind(&self, op: usize) -> Kind {
        self.problem.kind(&self.problem.ops[op])
    }

    fn entry(&self, op: usize) -> usize {
        self.problem.ops[op].entry()
    }

    fn say(&self, op: usize) -> String {
        describe(&self.history.entries[self.entry(op)])
    }

    fn sources(&self, value: ValueId) -> impl Iterator<Item = usize> {
        (0..self.problem.ops.len()).filter(move |&i| self.kind(i).establishes() == Some(value))
    }

    fn with_source(&self, ops: &[usize], value: ValueId) -> Vec<usize> {
        ops.iter().copied().chain(self.sources(value)).collect()
    }

    fn anomaly(&self, kind: Name, mut ops: Vec<usize>, sentence: String) -> Anomaly {
        // An update of unknown outcome proves something only together with who saw it.
        let mut next = 0;
        while let Some(&op) = ops.get(next) {
            next += 1;
            let Some(value) = self.kind(op).establishes().filter(|_| !self.problem.ops[op].certain()) else { continue };
            let saw = |i: &usize| *i != op && self.kind(*i).requires() == Some(value);
            let first = (0..self.problem.ops.len()).filter(saw).min_by_key(|&i| self.problem.ops[i].ret);
            ops.extend(first.filter(|i| !ops.contains(i)));
        }
        Anomaly::new(kind, self.key.clone(), ops.into_iter().map(|i| self.entry(i)).collect(), sentence)
    }
}

/// Whether the acknowledged write of `entry` was lost for good: nobody ever saw its value, and all that was read after it
/// had been there before it was invoked. There was such a read.
fn is_lost(whole: &Problem<'_>, entry: usize) -> bool {
    let Some(write) = whole.ops.iter().find(|op| op.entry() == entry && op.certain()) else { return false };
    let Some(value) = whole.kind(write).establishes() else { return false };
    let mut first_seen = vec![NEVER; whole.values];
    first_seen[Problem::INITIAL as usize] = 0;
    for op in &whole.ops {
        let kind = whole.kind(op);
        for v in [kind.requires(), kind.establishes()].into_iter().flatten() {
            first_seen[v as usize] = first_seen[v as usize].min(op.ret);
        }
    }
    let older = |v: ValueId| v != value && (v == Problem::INITIAL || first_seen[v as usize] < write.call);
    let mut later = whole.ops.iter().filter(|op| op.certain() && op.call > write.ret);
    let never_seen = !whole.ops.iter().any(|op| op.entry() != entry && whole.kind(op).requires() == Some(value));
    never_seen && later.all(|op| whole.kind(op).requires().is_none_or(older))
}
