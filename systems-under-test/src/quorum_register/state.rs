//! What one replica of the quorum register keeps: versions of registers, and which writes got their timestamps here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use squall::environment::RequestId;
use squall_checkers::{history::ProcessId, value::Value};

/// When a value was written. Unique to its write: the writer keeps count on its disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Timestamp {
    pub(super) number: u64,
    pub(super) writer: u32,
}

/// A value with its timestamp.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Version {
    pub(super) at: Timestamp,
    pub(super) value: Value,
}

/// What a replica keeps on its disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    versions: BTreeMap<Value, Version>,
    /// The last write of each session that got its timestamp here.
    written: BTreeMap<ProcessId, u32>,
}

/// One line of the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Record {
    /// A version to keep.
    Version { key: Value, version: Version },
    /// A version to keep, and the request it comes from: the timestamp was given to it here.
    Write { key: Value, version: Version, request: RequestId },
    /// The last write of a session that got its timestamp here.
    Written { request: RequestId },
}

impl State {
    pub(super) fn apply(&mut self, record: Record) {
        match record {
            Record::Version { key, version } => self.keep(key, version),
            Record::Write { key, version, request } => {
                self.keep(key, version);
                self.note(request);
            }
            Record::Written { request } => self.note(request),
        }
    }

    fn keep(&mut self, key: Value, version: Version) {
        let kept = self.versions.entry(key).or_default();
        if kept.at < version.at {
            *kept = version;
        }
    }

    fn note(&mut self, request: RequestId) {
        let serial = self.written.entry(request.process).or_default();
        *serial = request.serial.max(*serial);
    }

    pub(super) fn version(&self, key: &Value) -> Version {
        self.versions.get(key).cloned().unwrap_or_default()
    }

    pub(super) fn has_written(&self, request: RequestId) -> bool {
        self.written.get(&request.process).is_some_and(|serial| *serial >= request.serial)
    }

    /// The records that say all of it, as short as can be.
    pub(super) fn records(&self) -> impl Iterator<Item = Record> {
        let versions = self.versions.iter().map(|(k, v)| Record::Version { key: k.clone(), version: v.clone() });
        let written = self.written.iter().map(|(p, s)| RequestId { process: *p, serial: *s });
        versions.chain(written.map(|request| Record::Written { request }))
    }
}

impl Record {
    /// Its bytes in the journal.
    pub(super) fn encode(&self) -> Vec<u8> {
        postcard::to_stdvec(self).expect("records of this kind always encode")
    }

    /// The record of these bytes.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, String> {
        postcard::from_bytes(bytes).map_err(|e| format!("a record whose checksum fits does not decode: {e}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(number: u64, writer: u32, value: i64) -> Version {
        Version { at: Timestamp { number, writer }, value: Value::Int(value) }
    }

    fn request(process: u32, serial: u32) -> RequestId {
        RequestId { process: ProcessId(process), serial }
    }

    #[test]
    fn the_newest_version_is_kept_in_whatever_order_they_come() {
        let mut state = State::default();
        for v in [version(2, 0, 20), version(1, 2, 12), version(2, 1, 21), version(2, 0, 20)] {
            state.apply(Record::Version { key: Value::Int(7), version: v });
        }
        assert_eq!(state.version(&Value::Int(7)), version(2, 1, 21));
        assert_eq!(state.version(&Value::Int(8)), Version::default());
    }

    #[test]
    fn a_state_rebuilt_from_its_records_is_the_same() {
        let mut state = State::default();
        state.apply(Record::Write { key: Value::Int(1), version: version(1, 0, 5), request: request(4, 3) });
        state.apply(Record::Version { key: Value::Int(2), version: version(9, 2, 6) });
        let mut rebuilt = State::default();
        for record in state.records() {
            rebuilt.apply(Record::decode(&record.encode()).expect("what was encoded decodes"));
        }
        assert_eq!(rebuilt, state);
        assert!(rebuilt.has_written(request(4, 2)) && rebuilt.has_written(request(4, 3)));
        assert!(!rebuilt.has_written(request(4, 4)) && !rebuilt.has_written(request(5, 1)));
    }
}
