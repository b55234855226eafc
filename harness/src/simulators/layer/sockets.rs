//! Sockets: where datagrams arrive and wait to be received.

#![expect(
    clippy::inline_always,
    reason = "on the way of every datagram: left to the compiler, each is a call of its own"
)]

use std::{
    collections::VecDeque,
    io,
    task::{Context, Poll},
};

use super::{
    payload::Payload,
    physics::{DATAGRAM_MAX, INBOX_MAX},
    ports::Ports,
    slots::Slots,
    state::gone,
    waiters::Waiters,
};
use crate::{
    environment::{Address, world::SocketKey},
    plan::NodeId,
};

/// All sockets of a run.
pub(crate) struct Sockets {
    inboxes: Slots<Inbox>,
    /// By port, per machine.
    ports: Vec<Ports>,
}

struct Inbox {
    address: Address,
    datagrams: VecDeque<(Address, Payload)>,
    waiters: Waiters,
}

impl Sockets {
    pub(crate) fn new(machines: usize) -> Self {
        Sockets { inboxes: Slots::new(), ports: vec![Ports::default(); machines] }
    }

    /// Whether a machine has a socket at this port.
    pub(crate) fn is_taken(&self, machine: u32, port: u16) -> bool {
        self.ports[machine as usize].get(port).is_some()
    }

    /// Opens a socket at a port that is free.
    pub(crate) fn bind(&mut self, machine: u32, port: u16) -> SocketKey {
        let address = Address { node: NodeId(machine), port };
        let inbox = Inbox { address, datagrams: VecDeque::new(), waiters: Waiters::default() };
        let (slot, serial) = self.inboxes.insert(inbox);
        self.ports[machine as usize].insert(port, (slot, serial));
        SocketKey(slot, serial)
    }

    /// The address of a socket that is about to send so many bytes.
    #[inline(always)]
    pub(crate) fn sender(&mut self, socket: SocketKey, length: usize) -> io::Result<Address> {
        let Some(inbox) = self.inboxes.get_mut(socket.0, socket.1) else { return Err(gone()) };
        if length > DATAGRAM_MAX {
            let text = format!("a datagram of {length} bytes; at most {DATAGRAM_MAX} fit");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        Ok(inbox.address)
    }

    /// A datagram arrives; lost when nobody is at the port, or its inbox is full.
    #[inline(always)]
    pub(crate) fn deliver(&mut self, from: Address, to: Address, payload: Payload) {
        if let Some((slot, serial)) = self.ports[to.node.0 as usize].get(to.port)
            && let Some(inbox) = self.inboxes.get_mut(slot, serial)
            && inbox.datagrams.len() < INBOX_MAX
        {
            inbox.datagrams.push_back((from, payload));
            inbox.waiters.wake();
        }
    }

    /// Polls for a datagram.
    #[inline(always)]
    pub(crate) fn receive(
        &mut self,
        socket: SocketKey,
        cx: &Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<(usize, Address)>> {
        let Some(inbox) = self.inboxes.get_mut(socket.0, socket.1) else { return Poll::Ready(Err(gone())) };
        let Some((from, payload)) = inbox.datagrams.front() else {
            inbox.waiters.wait(cx);
            return Poll::Pending;
        };
        let received = (payload.copy_to(buffer), *from);
        inbox.datagrams.pop_front();
        Poll::Ready(Ok(received))
    }

    /// Closes a socket.
    pub(crate) fn close(&mut self, socket: SocketKey) {
        if let Some(inbox) = self.inboxes.remove(socket.0, socket.1) {
            self.ports[inbox.address.node.0 as usize].remove(inbox.address.port);
        }
    }

    /// A machine's process is dead: its sockets are closed.
    pub(crate) fn close_all(&mut self, machine: u32) {
        for (slot, serial) in self.ports[machine as usize].take() {
            self.inboxes.remove(slot, serial);
        }
    }
}

/// The content hash of a datagram between two ports.
#[inline]
pub(crate) fn datagram_hash(from: u16, to: u16, payload: &Payload) -> u64 {
    payload.hash() ^ (u64::from(from) << 16 | u64::from(to))
}

/// A datagram, for people.
pub(crate) fn datagram_text(from: Address, to: Address, payload: &Payload) -> String {
    format!("datagram {}->{}, {}", from.port, to.port, payload.shown())
}
