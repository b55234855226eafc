//! The events of async code: what goes over the wire, timers and disks.

use crate::{
    environment::{Address, world::DiskKey},
    simulators::{
        layer::{
            disk::Sync,
            machine::Caller,
            payload::Payload,
            physics::flip,
            sockets::{datagram_hash, datagram_text},
            streams::StreamEvent,
        },
        native::core::OwnEvent,
    },
};

/// An event of async code. What follows its tag is aligned: moved as a whole and read in parts, other words wait in the
/// processor's store buffer.
#[derive(Clone)]
#[repr(u64)]
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
        request: DiskKey,
        sync: Option<Sync>,
    },
    Stream(StreamEvent),
}

impl Caller for EnvEvent {
    fn may_be_lost(&self) -> bool {
        match self {
            EnvEvent::Datagram { .. } => true,
            EnvEvent::Stream(event) => event.is_sent_again(),
            EnvEvent::Timer { .. } | EnvEvent::Disk { .. } => false,
        }
    }
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
            // Nothing else goes this way.
            _ => None,
        }
    }

    fn describe(&self) -> String {
        match self {
            EnvEvent::Datagram { from, to, payload, .. } => datagram_text(*from, *to, payload),
            EnvEvent::Timer { timer, .. } => format!("timer {timer}"),
            EnvEvent::Disk { request, .. } => format!("disk request {}", request.0),
            EnvEvent::Stream(event) => event.describe(),
        }
    }
}
