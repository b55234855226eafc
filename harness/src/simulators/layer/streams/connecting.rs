//! How streams begin: listening, the first word, its answer, accepting.

use std::{
    collections::VecDeque,
    io,
    task::{Context, Poll},
};

use super::{
    Accepting, BACKLOG, Carrier, Connection, End, SYNS_MAX, State, StreamEvent, Streams, syn_lost, wait, wake,
};
use crate::{
    environment::{
        Address,
        world::{ListenerKey, StreamKey},
    },
    plan::fold,
    simulators::TraceKind,
};

impl Streams {
    /// Listens on a port that is free.
    pub(crate) fn listen(&mut self, machine: u32, port: u16) -> ListenerKey {
        let accepting = Accepting { machine, port, queue: VecDeque::new(), waker: None };
        let (slot, serial) = self.listeners.insert(accepting);
        self.ports[machine as usize].insert(port, (slot, serial));
        ListenerKey(slot, serial)
    }

    /// Begins to connect.
    pub(crate) fn connect(&mut self, from: Address, to: Address, carrier: &mut impl Carrier) -> StreamKey {
        let mut ends = [End::new(from), End::new(to)];
        // Until it is accepted nobody holds the other end.
        ends[1].closed = true;
        let (stream, serial) = self.connections.insert(Connection { ends, state: State::Connecting, waker: None });
        self.say_syn(stream, serial, 0, carrier);
        StreamKey(stream, serial, 0)
    }

    fn say_syn(&mut self, stream: u32, serial: u32, attempt: u32, carrier: &mut impl Carrier) {
        let Some((from, to)) = self.machines_of(stream, serial) else { return };
        let hash = fold(0x0053_594E, u64::from(attempt) + 1);
        match carrier.delay(from, to, hash) {
            Some(delay) => carrier.schedule(carrier.now() + delay, StreamEvent::Syn { stream, serial, attempt }),
            None => syn_lost(stream, serial, attempt, carrier),
        }
    }

    pub(super) fn syn_again(&mut self, stream: u32, serial: u32, attempt: u32, carrier: &mut impl Carrier) {
        let Some(c) = self.connections.get_mut(stream, serial) else { return };
        if c.state != State::Connecting {
            return;
        }
        if attempt > SYNS_MAX || c.ends[0].closed {
            c.state = State::TimedOut;
            wake(&mut c.waker);
            self.free_if_done(stream, serial, carrier);
        } else {
            self.say_syn(stream, serial, attempt, carrier);
        }
    }

    pub(super) fn answered(&mut self, stream: u32, serial: u32, accepted: bool, carrier: &mut impl Carrier) {
        carrier.digest(0xD << 60, u64::from(stream));
        let Some(c) = self.connections.get_mut(stream, serial) else { return };
        if c.state == State::Connecting {
            c.state = if accepted { State::Open } else { State::Refused };
            wake(&mut c.waker);
        }
    }

    pub(super) fn syn_arrives(&mut self, stream: u32, serial: u32, attempt: u32, carrier: &mut impl Carrier) {
        let Some(c) = self.connections.get_mut(stream, serial) else { return };
        if c.state != State::Connecting {
            return;
        }
        let (from, to) = (c.ends[0].address, c.ends[1].address);
        carrier.delivered();
        carrier.digest(0xD << 60 | 2, u64::from(stream));
        carrier.trace(Some(to.node.0), || TraceKind::Delivered {
            from: from.node,
            text: format!("connect to port {}", to.port),
        });
        let listener = self.ports[to.node.0 as usize].get(&to.port).copied();
        let listener = listener.and_then(|(slot, s)| self.listeners.get_mut(slot, s));
        let accepted = match listener {
            Some(l) if l.queue.contains(&(stream, serial)) => true,
            Some(l) if l.queue.len() < BACKLOG => {
                // The end may have been accepted already, when only the answer was lost.
                if self.connections.get_mut(stream, serial).is_some_and(|c| c.ends[1].closed && !c.ends[1].forgotten) {
                    l.queue.push_back((stream, serial));
                    wake(&mut l.waker);
                }
                true
            }
            _ => false,
        };
        let hash = fold(0x0041_434B, u64::from(attempt) + 1);
        match carrier.delay(to.node.0, from.node.0, hash) {
            Some(delay) => {
                carrier.schedule(carrier.now() + delay, StreamEvent::SynAck { stream, serial, accepted });
            }
            None => syn_lost(stream, serial, attempt, carrier),
        }
    }

    /// Polls for a stream that connected.
    pub(crate) fn accept(&mut self, listener: ListenerKey, cx: &Context<'_>) -> Poll<io::Result<(StreamKey, Address)>> {
        let Some(l) = self.listeners.get_mut(listener.0, listener.1) else {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        };
        while let Some((stream, serial)) = l.queue.pop_front() {
            // It may have been given up while it waited.
            if let Some(c) = self.connections.get_mut(stream, serial) {
                c.ends[1].closed = false;
                return Poll::Ready(Ok((StreamKey(stream, serial, 1), c.ends[0].address)));
            }
        }
        wait(&mut l.waker, cx);
        Poll::Pending
    }

    /// Closes a listener; streams that nobody accepted are reset.
    pub(crate) fn stop_listening(&mut self, listener: ListenerKey, carrier: &mut impl Carrier) {
        let Some(l) = self.listeners.remove(listener.0, listener.1) else { return };
        self.ports[l.machine as usize].remove(&l.port);
        for (stream, serial) in l.queue {
            self.tell_reset(stream, serial, 0, carrier);
        }
    }

    /// Polls for the end of connecting.
    pub(crate) fn connected(&mut self, key: StreamKey, cx: &Context<'_>) -> Poll<io::Result<()>> {
        let Some(c) = self.connections.get_mut(key.0, key.1) else {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        };
        match c.state {
            State::Open => Poll::Ready(Ok(())),
            State::Refused => Poll::Ready(Err(io::ErrorKind::ConnectionRefused.into())),
            State::TimedOut => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            State::Connecting => {
                wait(&mut c.waker, cx);
                Poll::Pending
            }
        }
    }
}
