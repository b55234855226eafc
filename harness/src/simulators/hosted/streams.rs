//! Streams on the wire: each is a stream of the runtime's own between two hosts, and what sets out on it goes as a frame.
//!
//! A word that the network loses or holds never enters the runtime, so nothing of the runtime's stream is ever lost.

use std::{
    collections::VecDeque,
    task::{Poll, Waker},
};

use serde::{Deserialize, Serialize};

use super::{
    core::{Core, Event},
    machines::{Arrival, Command},
    world::Hosted,
};
use crate::simulators::layer::{
    state::State,
    streams::{Carrier, StreamEvent, syn_lost, wake},
};

/// What goes over a runtime's stream, in postcard after its length in four bytes, big end first.
#[derive(Serialize, Deserialize)]
pub(super) enum Frame {
    Syn { stream: u32, serial: u32, attempt: u32 },
    SynAck { accepted: bool },
    Segment { number: u32, attempt: u32, bytes: Vec<u8> },
    Reset,
}

/// A stream of the runtime that carries one of ours.
#[derive(Default)]
pub(super) struct Wire {
    /// The connecting machine was asked to open it.
    asked: bool,
    /// The last attempt to connect.
    attempt: u32,
    outlets: [Outlet; 2],
}

/// What one end sends.
#[derive(Default)]
struct Outlet {
    frames: VecDeque<Vec<u8>>,
    writer: Option<Waker>,
}

impl Carrier for Core {
    type Waiting = Arrival;

    fn state(&self) -> &State<Arrival> {
        self
    }

    fn state_mut(&mut self) -> &mut State<Arrival> {
        self
    }

    fn schedule(&mut self, at: u64, event: StreamEvent) {
        self.put(at, Event::Stream(event));
    }

    fn freed(&mut self, stream: u32, serial: u32) {
        if let Some(mut wire) = self.wires.remove(&(stream, serial)) {
            // The writers find nothing more to carry.
            wire.outlets.iter_mut().for_each(|outlet| wake(&mut outlet.writer));
        }
    }
}

impl Hosted {
    /// A word of a stream sets out, or a timer of one is due.
    pub(super) fn stream_due(&mut self, event: StreamEvent) {
        let (stream, serial, from, frame) = match event {
            StreamEvent::Syn { stream, serial, attempt } => (stream, serial, 0, Frame::Syn { stream, serial, attempt }),
            StreamEvent::SynAck { stream, serial, accepted } => (stream, serial, 1, Frame::SynAck { accepted }),
            StreamEvent::Reset { stream, serial, to } => (stream, serial, 1 - to, Frame::Reset),
            StreamEvent::Segment(s) => {
                let bytes = s.payload.to_vec();
                let frame = Frame::Segment { number: s.number, attempt: s.attempt, bytes };
                (s.stream, s.serial, 1 - s.to, frame)
            }
            again @ (StreamEvent::SynAgain { .. } | StreamEvent::SegmentAgain(_)) => {
                return self.kernel.streams.handle(again, &mut self.core);
            }
        };
        let Some((connecting, accepting)) = self.kernel.streams.machines_of(stream, serial) else { return };
        let wire = self.core.wires.entry((stream, serial)).or_default();
        if let Frame::Syn { attempt, .. } = frame {
            wire.attempt = attempt;
        }
        let ask = from == 0 && !std::mem::replace(&mut wire.asked, true);
        let outlet = &mut wire.outlets[usize::from(from)];
        outlet.frames.push_back(encode(&frame));
        wake(&mut outlet.writer);
        if ask {
            self.core.command(connecting, Command::Connect { stream, serial, to: accepting });
        }
    }

    /// A word of a stream came over the wire.
    pub(super) fn stream_came(&mut self, event: StreamEvent) {
        if let Some(machine) = self.kernel.streams.door(&event) {
            self.arrive(machine, Arrival::Stream(event));
        }
    }

    /// The runtime did not open the wire of a stream.
    pub(super) fn wire_refused(&mut self, stream: u32, serial: u32) {
        let Some(wire) = self.core.wires.remove(&(stream, serial)) else { return };
        syn_lost(stream, serial, wire.attempt, &mut self.core);
    }

    /// The runtime broke the wire of a stream.
    pub(super) fn wire_broke(&mut self, stream: u32, serial: u32) {
        for to in 0..2 {
            self.kernel.streams.handle(StreamEvent::Reset { stream, serial, to }, &mut self.core);
        }
    }

    /// What one end of a stream sends next; nothing once the stream is no more.
    pub(super) fn next_frame(&mut self, stream: u32, serial: u32, from: u8, waker: &Waker) -> Poll<Option<Vec<u8>>> {
        if self.kernel.streams.machines_of(stream, serial).is_none() {
            return Poll::Ready(None);
        }
        let outlet = &mut self.core.wires.entry((stream, serial)).or_default().outlets[usize::from(from)];
        match outlet.frames.pop_front() {
            Some(frame) => Poll::Ready(Some(frame)),
            None => {
                outlet.writer = Some(waker.clone());
                Poll::Pending
            }
        }
    }
}

fn encode(frame: &Frame) -> Vec<u8> {
    let mut bytes = vec![0; 4];
    bytes = postcard::to_extend(frame, bytes).expect("frames are plain data");
    let length = (bytes.len() - 4) as u32;
    bytes[..4].copy_from_slice(&length.to_be_bytes());
    bytes
}
