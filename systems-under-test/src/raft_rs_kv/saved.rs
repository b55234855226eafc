//! What a replica writes to its journal: one record for each change of what raft must remember.

use raft::eraftpb::{Entry, HardState, Snapshot};
use serde::{Deserialize, Serialize};
use serde_bytes::Bytes;

use super::storage::Storage;

/// One record. A record is one write with one checksum, so entries and the hard state that goes with them are saved together or
/// not at all.
#[derive(Serialize, Deserialize)]
pub(super) struct Saved<'a> {
    term: u64,
    vote: u64,
    commit: u64,
    /// Replaces all entries before it: index, term and state machine.
    #[serde(borrow)]
    snapshot: Option<(u64, u64, &'a Bytes)>,
    /// Index of the first entry; entries from there on are replaced.
    first: u64,
    /// Term and data of each entry.
    #[serde(borrow)]
    entries: Vec<(u64, &'a Bytes)>,
}

impl<'a> Saved<'a> {
    /// A record of these.
    pub(super) fn new(hard_state: &HardState, snapshot: &'a Snapshot, entries: &'a [Entry]) -> Self {
        let metadata = snapshot.get_metadata();
        Saved {
            term: hard_state.term,
            vote: hard_state.vote,
            commit: hard_state.commit,
            snapshot: (metadata.index > 0).then(|| (metadata.index, metadata.term, Bytes::new(&snapshot.data))),
            first: entries.first().map_or(0, |e| e.index),
            entries: entries.iter().map(|e| (e.term, Bytes::new(&e.data))).collect(),
        }
    }

    /// The same without term and vote.
    pub(super) fn without_hard_state(self) -> Self {
        Saved { term: 0, vote: 0, commit: 0, ..self }
    }

    /// Its bytes.
    pub(super) fn encode(&self) -> Vec<u8> {
        postcard::to_stdvec(self).expect("records of this kind always encode")
    }
}

/// The storage that a journal's records add up to.
pub(super) fn recover(records: &[&[u8]], voters: Vec<u64>) -> Result<Storage, String> {
    let mut storage = Storage::new(voters);
    for record in records {
        let saved: Saved =
            postcard::from_bytes(record).map_err(|e| format!("a record whose checksum fits does not decode: {e}"))?;
        if let Some((index, term, data)) = saved.snapshot {
            storage.install(storage.snapshot_at(index, term, data.to_vec()));
        }
        let entries: Vec<Entry> = (saved.first..)
            .zip(&saved.entries)
            .map(|(index, (term, data))| Entry { index, term: *term, data: data.to_vec().into(), ..Entry::default() })
            .collect();
        storage.append(&entries)?;
        storage.hard_state =
            HardState { term: saved.term, vote: saved.vote, commit: saved.commit, ..HardState::default() };
    }
    // A snapshot holds committed entries only.
    let least = storage.snapshot().get_metadata().index;
    storage.hard_state.commit = storage.hard_state.commit.max(least);
    Ok(storage)
}

#[cfg(test)]
mod tests {
    use raft::Storage as _;

    use super::*;

    fn entries(first: u64, terms: &[u64]) -> Vec<Entry> {
        (first..)
            .zip(terms)
            .map(|(index, term)| Entry {
                index,
                term: *term,
                data: format!("{index}@{term}").into(),
                ..Entry::default()
            })
            .collect()
    }

    fn hard_state(term: u64, vote: u64, commit: u64) -> HardState {
        HardState { term, vote, commit, ..HardState::default() }
    }

    fn check(records: &[Saved<'_>]) -> Storage {
        let records: Vec<Vec<u8>> = records.iter().map(Saved::encode).collect();
        let records: Vec<&[u8]> = records.iter().map(Vec::as_slice).collect();
        recover(&records, vec![1, 2, 3]).expect("a sound journal")
    }

    #[test]
    fn an_empty_journal_is_a_fresh_replica() {
        let storage = check(&[]);
        assert_eq!((storage.first_index(), storage.last_index()), (Ok(1), Ok(0)));
        assert_eq!(storage.hard_state, HardState::default());
        assert_eq!(storage.initial_state().unwrap().conf_state.voters, [1, 2, 3]);
    }

    #[test]
    fn later_entries_replace_those_they_overlap() {
        let none = Snapshot::default();
        let storage = check(&[
            Saved::new(&hard_state(1, 1, 0), &none, &entries(1, &[1, 1, 1])),
            Saved::new(&hard_state(2, 3, 1), &none, &entries(2, &[2])),
            Saved::new(&hard_state(3, 2, 1), &none, &[]),
        ]);
        assert_eq!(storage.last_index(), Ok(2));
        assert_eq!((storage.term(1), storage.term(2)), (Ok(1), Ok(2)));
        assert_eq!(storage.hard_state, hard_state(3, 2, 1));
    }

    #[test]
    fn a_snapshot_takes_the_place_of_all_before_it() {
        let none = Snapshot::default();
        let snapshot = Storage::new(vec![1, 2, 3]).snapshot_at(5, 2, b"state".to_vec());
        let tail = entries(6, &[3]);
        let storage = check(&[
            Saved::new(&hard_state(1, 1, 0), &none, &entries(1, &[1, 1, 1])),
            Saved::new(&hard_state(3, 1, 2), &snapshot, &tail),
        ]);
        assert_eq!((storage.first_index(), storage.last_index()), (Ok(6), Ok(6)));
        assert_eq!((storage.term(5), storage.term(6)), (Ok(2), Ok(3)));
        assert!(storage.term(4).is_err());
        assert_eq!(&storage.snapshot().data[..], b"state");
        assert_eq!(storage.hard_state.commit, 5, "a snapshot is committed");
    }

    #[test]
    fn entries_that_leave_a_gap_are_refused() {
        let none = Snapshot::default();
        let record = Saved::new(&hard_state(1, 1, 0), &none, &entries(3, &[1])).encode();
        assert!(recover(&[&record], vec![1]).is_err());
    }
}
