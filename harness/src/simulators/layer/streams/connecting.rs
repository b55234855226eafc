//! How streams begin: listening, the first word, its answer, accepting.

use std::{
    collections::VecDeque,
    io,
    task::{Context, Poll},
};

use super::{
    Accepting, BACKLOG, Carrier, Claim, Connection, End, Progress, SYNS_MAX, StreamEvent, Streams, syn_lost, wait, wake,
};
use crate::{
    environment::{
        Address,
        world::{ListenerKey, StreamKey},
    },
    plan::{NodeId, fold},
    simulators::{TraceKind, layer::waiters::Waiters},
};

impl Streams {
    /// Listens on a port that is free.
    pub(crate) fn listen(&mut self, machine: u32, port: u16) -> ListenerKey {
        let accepting = Accepting { machine, port, queue: VecDeque::new(), waiters: Waiters::default() };
        let (slot, serial) = self.listeners.insert(accepting);
        self.ports[machine as usize].insert(port, (slot, serial));
        ListenerKey(slot, serial)
    }

    /// Begins to connect.
    pub(crate) fn connect(&mut self, from: Address, to: Address, carrier: &mut impl Carrier) -> StreamKey {
        let ends = [End::new(from), End::new(to)];
        let connection = Connection { ends, progress: Progress::Connecting, claim: Claim::Nobody, waker: None };
        let (stream, serial) = self.connections.insert(connection);
        self.say_syn(stream, serial, 0, carrier);
        StreamKey(stream, serial, 0)
    }

    fn say_syn(&mut self, stream: u32, serial: u32, attempt: u32, carrier: &mut impl Carrier) {
        let Some((from, to)) = self.machines_of(stream, serial) else { return };
        let hash = fold(0x0053_594E, u64::from(attempt) + 1);
        match carrier.arrival(from, to, hash) {
            Some(at) => carrier.schedule(at, StreamEvent::Syn { stream, serial, attempt }),
            None => syn_lost(stream, serial, attempt, carrier),
        }
    }

    pub(super) fn syn_again(&mut self, stream: u32, serial: u32, attempt: u32, carrier: &mut impl Carrier) {
        let Some(c) = self.connections.get_mut(stream, serial) else { return };
        if c.progress != Progress::Connecting {
            return;
        }
        if attempt > SYNS_MAX || c.ends[0].closed {
            c.progress = Progress::TimedOut;
            wake(&mut c.waker);
            // Who accepted it before the connection stood has nothing in hand.
            c.ends[1].break_off(io::ErrorKind::ConnectionReset);
            self.free_if_done(stream, serial, carrier);
        } else {
            self.say_syn(stream, serial, attempt, carrier);
        }
    }

    pub(super) fn answered(&mut self, stream: u32, serial: u32, accepted: bool, carrier: &mut impl Carrier) {
        carrier.state_mut().digest(0xD << 60, u64::from(stream));
        let Some(c) = self.connections.get_mut(stream, serial) else { return };
        if c.progress == Progress::Connecting {
            c.progress = if accepted { Progress::Open } else { Progress::Refused };
            wake(&mut c.waker);
            if accepted && c.ends[0].closed {
                // Given up meanwhile: who accepted it must not wait for it.
                self.tell_reset(stream, serial, 1, carrier);
            }
        }
    }

    pub(super) fn syn_arrives(&mut self, stream: u32, serial: u32, attempt: u32, carrier: &mut impl Carrier) {
        let Some(c) = self.connections.get_mut(stream, serial) else { return };
        if c.progress != Progress::Connecting {
            return;
        }
        let (from, to) = (c.ends[0].address, c.ends[1].address);
        carrier.state_mut().statistics.messages += 1;
        carrier.state_mut().digest(0xD << 60 | 2, u64::from(stream));
        carrier.state_mut().trace(Some(to.node.0), || TraceKind::Delivered {
            from: from.node,
            text: format!("connect to port {}", to.port),
        });
        let fresh = c.claim == Claim::Nobody;
        let full =
            carrier.state().connections_max(to.node.0).is_some_and(|most| self.opened_to(to.node) >= most as usize);
        if full && fresh {
            carrier.state_mut().connection_refused(to.node.0);
        }
        let Some(c) = self.connections.get_mut(stream, serial) else { return };
        let listener = self.ports[to.node.0 as usize].get(to.port);
        let listener = listener.and_then(|(slot, s)| self.listeners.get_mut(slot, s));
        let accepted = match (c.claim, listener) {
            // Only the answer was lost.
            (Claim::Listener | Claim::Accepted, _) => !c.ends[1].forgotten && c.ends[1].broken.is_none(),
            (Claim::Nobody, _) if full => false,
            (Claim::Nobody, Some(l)) if l.queue.len() < BACKLOG => {
                c.claim = Claim::Listener;
                l.queue.push_back((stream, serial));
                l.waiters.wake();
                true
            }
            (Claim::Nobody, _) => false,
        };
        let hash = fold(0x0041_434B, u64::from(attempt) + 1);
        match carrier.arrival(to.node.0, from.node.0, hash) {
            Some(at) => carrier.schedule(at, StreamEvent::SynAck { stream, serial, accepted }),
            None => syn_lost(stream, serial, attempt, carrier),
        }
    }

    /// How many streams that others have opened to a machine stand.
    fn opened_to(&mut self, machine: NodeId) -> usize {
        let stands = |c: &Connection| c.claim != Claim::Nobody && !c.ends[1].closed && c.ends[1].broken.is_none();
        self.connections.iter_mut().filter(|(_, _, c)| c.ends[1].address.node == machine && stands(c)).count()
    }

    /// Polls for a stream that connected.
    pub(crate) fn accept(&mut self, listener: ListenerKey, cx: &Context<'_>) -> Poll<io::Result<(StreamKey, Address)>> {
        let Some(l) = self.listeners.get_mut(listener.0, listener.1) else {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        };
        while let Some((stream, serial)) = l.queue.pop_front() {
            // It may have been given up while it waited.
            if let Some(c) = self.connections.get_mut(stream, serial) {
                c.claim = Claim::Accepted;
                return Poll::Ready(Ok((StreamKey(stream, serial, 1), c.ends[0].address)));
            }
        }
        l.waiters.wait(cx);
        Poll::Pending
    }

    /// Closes a listener; streams that nobody accepted are reset.
    pub(crate) fn stop_listening(&mut self, listener: ListenerKey, carrier: &mut impl Carrier) {
        let Some(l) = self.listeners.remove(listener.0, listener.1) else { return };
        self.ports[l.machine as usize].remove(l.port);
        for (stream, serial) in l.queue {
            if let Some(c) = self.connections.get_mut(stream, serial) {
                c.ends[1].closed = true;
                c.ends[1].broken.get_or_insert(io::ErrorKind::ConnectionReset);
            }
            self.tell_reset(stream, serial, 0, carrier);
            self.free_if_done(stream, serial, carrier);
        }
    }

    /// Polls for the end of connecting.
    pub(crate) fn connected(&mut self, key: StreamKey, cx: &Context<'_>) -> Poll<io::Result<()>> {
        let Some(c) = self.connections.get_mut(key.0, key.1) else {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        };
        match c.progress {
            Progress::Open => Poll::Ready(Ok(())),
            Progress::Refused => Poll::Ready(Err(io::ErrorKind::ConnectionRefused.into())),
            Progress::TimedOut => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Progress::Connecting => {
                wait(&mut c.waker, cx);
                Poll::Pending
            }
        }
    }
}
