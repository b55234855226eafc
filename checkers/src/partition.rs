//! Views of a history that copy no operation: what succeeded, by kind; the entries of each key; the phases.

use std::{collections::BTreeMap, collections::HashMap, ops::Range};

use foldhash::fast::FixedState;

use crate::{
    history::{EntryId, History, MarkKind, Phase},
    value::Value,
};

/// A hash map whose order and speed do not depend on the run. Its iteration order is still meaningless.
pub(crate) type FixedMap<K, V> = HashMap<K, V, FixedState>;

/// The entries of a history grouped by key, each group in the order of invocations.
#[derive(Clone, Debug, Default)]
pub struct Partition<'h> {
    keys: Vec<&'h Value>,
    starts: Vec<usize>,
    entries: Vec<EntryId>,
}

impl<'h> Partition<'h> {
    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is no key at all.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Each key with its entries, in the order in which the keys first appear.
    pub fn iter(&self) -> impl Iterator<Item = (&'h Value, &[EntryId])> {
        self.keys.iter().enumerate().map(|(i, key)| (*key, &self.entries[self.starts[i]..self.starts[i + 1]]))
    }
}

impl History {
    /// Groups the entries by key with a counting sort. O(n).
    pub fn partition(&self) -> Partition<'_> {
        let mut ids: FixedMap<&Value, usize> = FixedMap::default();
        let mut keys = Vec::new();
        let mut last: Option<(&Value, usize)> = None;
        let key_of: Vec<usize> = self
            .entries
            .iter()
            .map(|entry| {
                let key = &entry.operation.key;
                // Many histories are about one key.
                let id = match last {
                    Some((same, id)) if same == key => id,
                    _ => *ids.entry(key).or_insert_with(|| {
                        keys.push(key);
                        keys.len() - 1
                    }),
                };
                last = Some((key, id));
                id
            })
            .collect();
        let mut starts = vec![0; keys.len() + 1];
        for &key in &key_of {
            starts[key + 1] += 1;
        }
        for i in 0..keys.len() {
            starts[i + 1] += starts[i];
        }
        let mut next = starts.clone();
        let mut entries = vec![0; key_of.len()];
        for (id, &key) in key_of.iter().enumerate() {
            entries[next[key]] = id;
            next[key] += 1;
        }
        Partition { keys, starts, entries }
    }

    /// How many operations of each kind certainly took effect.
    pub fn ok_counts(&self) -> BTreeMap<&str, usize> {
        let mut counts = BTreeMap::new();
        for entry in self.entries.iter().filter(|e| e.is_ok()) {
            *counts.entry(entry.operation.f.as_str()).or_insert(0) += 1;
        }
        counts
    }

    /// The positions of `phase`: from its mark to the mark of the next phase, or to the end. `None` when it never began.
    pub fn phase(&self, phase: Phase) -> Option<Range<u32>> {
        let mut begins = self.marks.iter().filter_map(|mark| match mark.kind {
            MarkKind::Phase(p) => Some((p, mark.at.position)),
            _ => None,
        });
        let (_, start) = begins.find(|(p, _)| *p == phase)?;
        Some(start..begins.next().map_or(u32::MAX, |(_, end)| end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        history::{Outcome, ProcessId},
        operation::Operation,
        recorder::HistoryBuilder,
    };

    #[test]
    fn groups_keep_the_order_of_invocations() {
        let mut b = HistoryBuilder::new();
        for (i, key) in ["x", "y", "x", "z", "y"].into_iter().enumerate() {
            let e = b.invoke(ProcessId(0), Operation::write(key, i as i64), 0);
            let outcome = if key == "z" { Outcome::Failed("full".into()) } else { Outcome::Ok(Value::Nil) };
            b.complete(e, outcome, 0);
        }
        let h = b.finish();
        let partition = h.partition();
        let groups: Vec<_> = partition.iter().map(|(key, ids)| (key.to_string(), ids.to_vec())).collect();
        assert_eq!(groups, [("\"x\"".into(), vec![0, 2]), ("\"y\"".into(), vec![1, 4]), ("\"z\"".into(), vec![3])]);
        assert_eq!(h.ok_counts(), BTreeMap::from([("write", 4)]));
    }

    #[test]
    fn phases_end_where_the_next_begins() {
        let mut b = HistoryBuilder::new();
        b.mark(MarkKind::Phase(Phase::Chaos), 0);
        b.mark(MarkKind::FaultEnds(3), 0);
        b.mark(MarkKind::Phase(Phase::Settle), 0);
        let h = b.finish();
        assert_eq!(h.phase(Phase::Chaos), Some(0..2));
        assert_eq!(h.phase(Phase::Settle), Some(2..u32::MAX));
        assert_eq!(h.phase(Phase::FinalReads), None);
    }
}
