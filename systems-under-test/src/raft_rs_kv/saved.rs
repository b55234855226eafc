//! What a replica writes to its journal: one record for each change of what raft must remember.

use raft::eraftpb::{Entry, EntryType, HardState};
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
    /// What the record says of members. It is behind the rest, and not there where nobody ever left.
    #[serde(skip)]
    members: Members,
}

#[derive(Default, PartialEq, Eq, Serialize, Deserialize)]
struct Members {
    /// Those of the snapshot, where they are not the first ones.
    of_snapshot: Option<Vec<u64>>,
    /// Indices of the entries that change them.
    changes: Vec<u64>,
}

impl<'a> Saved<'a> {
    /// A record of new entries.
    pub(super) fn of_entries(hard_state: &HardState, entries: &'a [Entry]) -> Self {
        let changes = entries.iter().filter(|e| e.entry_type == EntryType::EntryConfChange).map(|e| e.index);
        Saved {
            term: hard_state.term,
            vote: hard_state.vote,
            commit: hard_state.commit,
            snapshot: None,
            first: entries.first().map_or(0, |e| e.index),
            entries: entries.iter().map(|e| (e.term, Bytes::new(&e.data))).collect(),
            members: Members { of_snapshot: None, changes: changes.collect() },
        }
    }

    /// A record of all that a storage holds.
    pub(super) fn of_all(storage: &'a Storage) -> Self {
        Self::of_entries(&storage.hard_state, storage.entries()).with_snapshot(storage)
    }

    /// The same with the storage's snapshot, if it has one.
    pub(super) fn with_snapshot(mut self, storage: &'a Storage) -> Self {
        let snapshot = storage.snapshot();
        let metadata = snapshot.get_metadata();
        self.snapshot = (metadata.index > 0).then(|| (metadata.index, metadata.term, Bytes::new(&snapshot.data)));
        self.members.of_snapshot = storage.changed_members().map(<[u64]>::to_vec);
        self
    }

    /// The same without term and vote.
    pub(super) fn without_hard_state(self) -> Self {
        Saved { term: 0, vote: 0, commit: 0, ..self }
    }

    /// Its bytes.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = postcard::to_stdvec(self).expect("records of this kind always encode");
        if self.members != Members::default() {
            bytes.extend(postcard::to_stdvec(&self.members).expect("members always encode"));
        }
        bytes
    }

    fn decode(record: &'a [u8]) -> Result<Self, postcard::Error> {
        let (mut saved, members) = postcard::take_from_bytes::<Self>(record)?;
        if !members.is_empty() {
            saved.members = postcard::from_bytes(members)?;
        }
        Ok(saved)
    }
}

/// The storage that a journal's records add up to.
pub(super) fn recover(records: &[&[u8]], voters: &[u64]) -> Result<Storage, String> {
    let mut storage = Storage::new(voters.to_vec());
    for record in records {
        let saved = Saved::decode(record).map_err(|e| format!("a record whose checksum fits does not decode: {e}"))?;
        if let Some((index, term, data)) = saved.snapshot {
            storage.set_voters(saved.members.of_snapshot.unwrap_or_else(|| voters.to_vec()));
            storage.install(storage.snapshot_at(index, term, data.to_vec()));
        }
        let changes = saved.members.changes;
        let kind = |index| {
            if changes.contains(&index) { EntryType::EntryConfChange } else { EntryType::EntryNormal }
        };
        let entries: Vec<Entry> = (saved.first..)
            .zip(&saved.entries)
            .map(|(index, (term, data))| Entry {
                index,
                term: *term,
                entry_type: kind(index),
                data: data.to_vec().into(),
                ..Entry::default()
            })
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
        recover(&records, &[1, 2, 3]).expect("a sound journal")
    }

    /// A storage that is a snapshot of index 5, with these members, and what came after it.
    fn compacted(voters: &[u64], tail: &[Entry]) -> Storage {
        let mut storage = Storage::new(vec![1, 2, 3]);
        storage.set_voters(voters.to_vec());
        storage.install(storage.snapshot_at(5, 2, b"state".to_vec()));
        storage.append(tail).unwrap();
        storage.hard_state = hard_state(3, 1, 2);
        storage
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
        let storage = check(&[
            Saved::of_entries(&hard_state(1, 1, 0), &entries(1, &[1, 1, 1])),
            Saved::of_entries(&hard_state(2, 3, 1), &entries(2, &[2])),
            Saved::of_entries(&hard_state(3, 2, 1), &[]),
        ]);
        assert_eq!(storage.last_index(), Ok(2));
        assert_eq!((storage.term(1), storage.term(2)), (Ok(1), Ok(2)));
        assert_eq!(storage.hard_state, hard_state(3, 2, 1));
    }

    #[test]
    fn a_snapshot_takes_the_place_of_all_before_it() {
        let after = compacted(&[1, 2, 3], &entries(6, &[3]));
        let storage = check(&[Saved::of_entries(&hard_state(1, 1, 0), &entries(1, &[1, 1, 1])), Saved::of_all(&after)]);
        assert_eq!((storage.first_index(), storage.last_index()), (Ok(6), Ok(6)));
        assert_eq!((storage.term(5), storage.term(6)), (Ok(2), Ok(3)));
        assert!(storage.term(4).is_err());
        assert_eq!(&storage.snapshot().data[..], b"state");
        assert_eq!(storage.hard_state.commit, 5, "a snapshot is committed");
    }

    #[test]
    fn members_and_their_changes_survive_a_restart() {
        let mut tail = entries(6, &[3, 3]);
        tail[1].entry_type = EntryType::EntryConfChange;
        let storage = check(&[Saved::of_all(&compacted(&[3, 1], &tail))]);
        assert_eq!(storage.initial_state().unwrap().conf_state.voters, [1, 3]);
        assert_eq!(storage.entries(), tail);
        let back = check(&[Saved::of_all(&compacted(&[3, 1], &tail)), Saved::of_all(&compacted(&[1, 2, 3], &[]))]);
        assert_eq!(back.initial_state().unwrap().conf_state.voters, [1, 2, 3], "all are back");
    }

    #[test]
    fn a_record_of_a_cluster_whose_members_never_changed_says_nothing_of_them() {
        let storage = compacted(&[1, 2, 3], &entries(6, &[3]));
        let record = Saved::of_all(&storage);
        assert_eq!(record.encode(), postcard::to_stdvec(&record).unwrap());
    }

    #[test]
    fn entries_that_leave_a_gap_are_refused() {
        let record = Saved::of_entries(&hard_state(1, 1, 0), &entries(3, &[1])).encode();
        assert!(recover(&[&record], &[1]).is_err());
    }
}
