//! Cutting evidence down to operations of which none can be spared, by deletions that prove something.
//!
//! Without real time a history that is allowed stays allowed when an operation is taken away that only reads, or a write to a
//! register together with all that read from it, and what read from that in turn. So what is still impossible after such
//! deletions was impossible before.

use crate::{
    history::{EntryId, History},
    observations::{Observations, Source},
};

/// The operations that are left when as many groups are taken away as can be, many at a time at first. `groups` answers what
/// may be taken away of some operations, `impossible` whether what would be left is still impossible.
pub(super) fn shrink(
    mut ids: Vec<EntryId>,
    groups: impl Fn(&[EntryId]) -> Vec<Vec<EntryId>>,
    mut impossible: impl FnMut(&[EntryId]) -> bool,
) -> Vec<EntryId> {
    loop {
        let before = ids.len();
        let mut groups = groups(&ids);
        let mut size = groups.len().div_ceil(2);
        while size > 0 {
            let mut start = 0;
            while start < groups.len() {
                let end = (start + size).min(groups.len());
                let gone: Vec<EntryId> = groups[start..end].concat();
                let left: Vec<EntryId> = ids.iter().copied().filter(|id| !gone.contains(id)).collect();
                if left.len() < ids.len() && impossible(&left) {
                    ids = left;
                    groups.drain(start..end);
                } else {
                    start = end;
                }
            }
            size /= 2;
        }
        if ids.len() == before {
            return ids;
        }
    }
}

/// These operations alone.
pub(super) fn part(history: &History, ids: &[EntryId]) -> History {
    let entries = ids.iter().map(|&id| history.entries[id].clone()).collect();
    History { order: history.order, entries, ..History::default() }
}

/// Each operation on a register with all that builds on it; nothing where who read from whom is not known.
pub(super) fn with_readers(history: &History, ids: &[EntryId]) -> Vec<Vec<EntryId>> {
    let Ok(seen) = Observations::new(&part(history, ids)) else { return Vec::new() };
    let mut readers = vec![Vec::new(); seen.nodes.len()];
    for (reader, node) in seen.nodes.iter().enumerate() {
        if let Some(Source::Node(source)) = node.reads {
            readers[source].push(reader);
        }
    }
    let with_readers = |node: usize| {
        let mut gone = vec![node];
        let mut next = 0;
        while let Some(&source) = gone.get(next) {
            next += 1;
            let new: Vec<usize> = readers[source].iter().copied().filter(|reader| !gone.contains(reader)).collect();
            gone.extend(new);
        }
        gone.into_iter().map(|n| ids[seen.nodes[n].entry]).collect()
    };
    (0..seen.nodes.len()).map(with_readers).collect()
}
