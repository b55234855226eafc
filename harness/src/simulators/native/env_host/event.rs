//! The events of async code: what goes over the wire, timers and disks.

use super::payload::Payload;
use crate::{
    environment::{Address, image::SyncTicket},
    simulators::native::{core::OwnEvent, node_host::flip},
};

/// An event of async code.
#[derive(Clone)]
pub(in super::super) enum EnvEvent {
    Datagram {
        from: Address,
        to: Address,
        /// Of its content.
        hash: u64,
        payload: Payload,
    },
    Timer {
        machine: u32,
        incarnation: u32,
        timer: u32,
        serial: u32,
        deadline_ns: u64,
    },
    Disk {
        machine: u32,
        incarnation: u32,
        request: u32,
        serial: u32,
        sync: Option<(SyncTicket, bool)>,
    },
    /// The first word of a stream arrives.
    Syn {
        stream: u32,
        serial: u32,
        attempt: u32,
    },
    /// The first word was lost, or found nobody: say it again.
    SynAgain {
        stream: u32,
        serial: u32,
        attempt: u32,
    },
    /// The answer to the first word arrives.
    SynAck {
        stream: u32,
        serial: u32,
        accepted: bool,
    },
    /// Bytes of a stream arrive at this end; none means that the other has closed.
    Segment {
        stream: u32,
        serial: u32,
        to: u8,
        number: u32,
        attempt: u32,
        payload: Payload,
    },
    /// Bytes were lost, or nobody said that they came: send them again.
    SegmentAgain {
        stream: u32,
        serial: u32,
        to: u8,
        number: u32,
        attempt: u32,
        payload: Payload,
    },
    /// An end learns that the other is gone.
    Reset {
        stream: u32,
        serial: u32,
        to: u8,
    },
}

impl OwnEvent for EnvEvent {
    fn damaged(&self, hash: u64) -> Option<Self> {
        match self {
            EnvEvent::Datagram { from, to, payload, .. } => {
                let mut bytes = payload.to_vec();
                flip(&mut bytes, hash);
                let payload = Payload::new(&bytes);
                let hash = datagram_hash(from.port, to.port, &payload);
                Some(EnvEvent::Datagram { from: *from, to: *to, hash, payload })
            }
            // Streams have checksums: damage is loss.
            _ => None,
        }
    }

    fn describe(&self) -> String {
        match self {
            EnvEvent::Datagram { from, to, payload, .. } => {
                format!("datagram {}->{}, {}", from.port, to.port, shown(&payload.to_vec()))
            }
            EnvEvent::Timer { timer, .. } => format!("timer {timer}"),
            EnvEvent::Disk { request, .. } => format!("disk request {request}"),
            EnvEvent::Syn { stream, attempt, .. } | EnvEvent::SynAgain { stream, attempt, .. } => {
                format!("stream {stream}: connect, attempt {attempt}")
            }
            EnvEvent::SynAck { stream, accepted, .. } => {
                format!("stream {stream}: {}", if *accepted { "accepted" } else { "refused" })
            }
            EnvEvent::Segment { stream, number, attempt, payload, .. }
            | EnvEvent::SegmentAgain { stream, number, attempt, payload, .. } => {
                format!("stream {stream}: segment {number}, attempt {attempt}, {}", shown(&payload.to_vec()))
            }
            EnvEvent::Reset { stream, .. } => format!("stream {stream}: reset"),
        }
    }
}

/// The first bytes, for people.
fn shown(bytes: &[u8]) -> String {
    const SHOWN: usize = 32;
    let head: String = bytes.iter().take(SHOWN).flat_map(|b| std::ascii::escape_default(*b)).map(char::from).collect();
    format!("{} bytes \"{head}\"{}", bytes.len(), if bytes.len() > SHOWN { "…" } else { "" })
}

/// The content hash of a datagram between two ports.
#[inline]
pub(super) fn datagram_hash(from: u16, to: u16, payload: &Payload) -> u64 {
    payload.hash() ^ (u64::from(from) << 16 | u64::from(to))
}
