//! Messages of raft-rs as they travel: protobuf, as raft-rs defines it.

use std::fmt;

use protobuf::Message as _;
use raft::eraftpb::Message;
use serde::{Deserialize, Serialize};

/// An encoded message.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Wire(#[serde(with = "serde_bytes")] Vec<u8>);

impl Wire {
    /// Encodes a message.
    pub(super) fn encode(message: &Message) -> Self {
        Wire(message.write_to_bytes().expect("no message of raft-rs lacks a required field"))
    }

    /// Decodes it; `None` when it is none of raft-rs.
    pub(super) fn decode(&self) -> Option<Message> {
        Message::parse_from_bytes(&self.0).ok()
    }
}

/// What a trace shows.
impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(m) = self.decode() else { return write!(f, "{} bytes", self.0.len()) };
        write!(f, "{:?} term {}", m.msg_type, m.term)?;
        if m.index > 0 {
            write!(f, " index {}@{}", m.index, m.log_term)?;
        }
        if let (Some(first), Some(last)) = (m.entries.first(), m.entries.last()) {
            write!(f, " entries {}..={}", first.index, last.index)?;
        }
        if m.get_snapshot().get_metadata().index > 0 {
            write!(f, " snapshot {}", m.get_snapshot().get_metadata().index)?;
        }
        if m.commit > 0 {
            write!(f, " commit {}", m.commit)?;
        }
        if m.reject { write!(f, " rejected, hint {}", m.reject_hint) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use raft::eraftpb::{Entry, MessageType};

    use super::*;

    #[test]
    fn a_message_travels_and_a_trace_shows_it() {
        let mut message = Message { term: 3, index: 7, log_term: 2, commit: 6, ..Message::default() };
        message.set_msg_type(MessageType::MsgAppend);
        message.set_entries(vec![Entry { index: 8, term: 3, ..Entry::default() }].into());
        let wire = Wire::encode(&message);
        assert_eq!(wire.decode(), Some(message));
        assert_eq!(format!("{wire:?}"), "MsgAppend term 3 index 7@2 entries 8..=8 commit 6");
        assert_eq!(Wire(vec![0xFF; 3]).decode(), None);
    }
}
