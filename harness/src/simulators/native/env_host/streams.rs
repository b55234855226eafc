//! Byte streams: ordered and reliable while they last.
//!
//! A segment that is lost is sent again after a doubling timeout; so is one whose acknowledgement is lost, so a link cut one way
//! stalls a stream too. A stream whose segment is not acknowledged in time breaks with `TimedOut`. A segment that finds a
//! machine without the stream (it crashed and came back), or an end that was closed or broke, is answered by a reset.

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    task::{Context, Poll, Waker},
};

use super::{
    event::EnvEvent,
    payload::Payload,
    sim::{Sim, wait, wake},
    waiters::Waiters,
};
use crate::{
    environment::{
        Address,
        world::{ListenerKey, StreamKey},
    },
    plan::{MILLISECOND, NodeId, SECOND, fold},
    simulators::TraceKind,
};

/// Bytes that may be under way or unread in one direction.
const WINDOW: usize = 65_536;
/// The most bytes of one segment.
const SEGMENT_MAX: usize = 16_384;
/// Time until a segment is first sent again, in nanoseconds.
const RESEND_NS: u64 = 200 * MILLISECOND;
/// How often a segment is sent again before the stream breaks: after about 13 seconds.
const RESENDS_MAX: u32 = 6;
/// Time until the first word of a stream is first said again, in nanoseconds.
const SYN_AGAIN_NS: u64 = SECOND;
/// How often the first word is said again: connecting times out after 7 seconds.
const SYNS_MAX: u32 = 2;
/// Streams that wait to be accepted; more are refused.
const BACKLOG: usize = 1024;

/// A listener.
pub(super) struct Accepting {
    machine: u32,
    port: u16,
    /// Streams whose first word came.
    queue: VecDeque<(u32, u32)>,
    waiters: Waiters,
}

impl Accepting {
    pub(super) fn new(machine: u32, port: u16) -> Self {
        Accepting { machine, port, queue: VecDeque::new(), waiters: Waiters::default() }
    }
}

/// A stream, both ends.
pub(super) struct Connection {
    /// The one that connected, and the one that accepted.
    ends: [End; 2],
    state: State,
    claim: Claim,
    /// Who waits for the end of connecting.
    waker: Option<Waker>,
}

/// Who has the end that did not connect.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Claim {
    /// Nobody: the first word has not come.
    Nobody,
    /// A listener, for somebody to accept.
    Listener,
    /// Who accepted it.
    Accepted,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Connecting,
    Open,
    Refused,
    TimedOut,
}

#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own about one end, as in TCP's own state")]
struct End {
    address: Address,
    /// No handle reads or writes here any more, or the process is dead.
    closed: bool,
    /// The machine knows nothing of it any more: its process died.
    forgotten: bool,
    broken: Option<io::ErrorKind>,
    inbox: VecDeque<u8>,
    /// The peer has closed, and all it wrote is in the inbox.
    ended: bool,
    expected: u32,
    early: BTreeMap<u32, Payload>,
    reader: Option<Waker>,
    /// Bytes sent and not acknowledged, by segment.
    unacknowledged: BTreeMap<u32, usize>,
    sent: u32,
    finished: bool,
    writer: Option<Waker>,
}

impl End {
    fn new(address: Address) -> Self {
        End {
            address,
            closed: false,
            forgotten: false,
            broken: None,
            inbox: VecDeque::new(),
            ended: false,
            expected: 0,
            early: BTreeMap::new(),
            reader: None,
            unacknowledged: BTreeMap::new(),
            sent: 0,
            finished: false,
            writer: None,
        }
    }

    fn break_off(&mut self, why: io::ErrorKind) {
        self.broken.get_or_insert(why);
        wake(&mut self.reader);
        wake(&mut self.writer);
    }

    fn is_done(&self) -> bool {
        self.closed && (self.forgotten || self.broken.is_some() || self.unacknowledged.is_empty())
    }
}

impl Connection {
    /// It never came to be, and nobody waits for it any more.
    fn is_given_up(&self) -> bool {
        let nobody_reads = self.claim != Claim::Accepted || self.ends[1].closed;
        self.ends[0].closed && self.state != State::Open && nobody_reads
    }

    /// Whether a segment of so many bytes finds nobody at an end: the machine came back without it, it broke, or nobody has it
    /// (any more). Bytes that had come before, and the end of the bytes, need no reader.
    fn is_gone(&self, to: u8, number: u32, length: usize) -> bool {
        let end = &self.ends[usize::from(to)];
        let unclaimed = to == 1 && self.claim == Claim::Nobody;
        let unread = length > 0 && number >= end.expected;
        end.forgotten || end.broken.is_some() || unclaimed || (end.closed && unread)
    }
}

impl Sim {
    /// How long a message of a stream takes; `None` when it is lost.
    fn stream_delay(&mut self, from: u32, to: u32, hash: u64) -> Option<u64> {
        let draw = self.core.network.draw(from, to, hash);
        if !draw.faulted {
            return Some(draw.delay);
        }
        let (faults, now) = (&mut self.core.faults, self.core.now);
        let fate = self.core.network.fate(&draw, from, to, now, |index| faults.touched(index as usize, 1));
        if fate.damage.is_some() { None } else { fate.delay }
    }

    fn machines_of(&mut self, stream: u32, serial: u32) -> Option<(u32, u32)> {
        let c = self.connections.get_mut(stream, serial)?;
        Some((c.ends[0].address.node.0, c.ends[1].address.node.0))
    }

    /// Frees a connection that nobody can use any more.
    fn free_if_done(&mut self, stream: u32, serial: u32) {
        if let Some(c) = self.connections.get_mut(stream, serial)
            && (c.ends.iter().all(End::is_done) || c.is_given_up())
        {
            self.connections.remove(stream, serial);
        }
    }

    pub(super) fn begin_connecting(&mut self, from: Address, to: Address) -> StreamKey {
        let ends = [End::new(from), End::new(to)];
        let connection = Connection { ends, state: State::Connecting, claim: Claim::Nobody, waker: None };
        let (stream, serial) = self.connections.insert(connection);
        self.say_syn(stream, serial, 0);
        StreamKey(stream, serial, 0)
    }

    fn say_syn(&mut self, stream: u32, serial: u32, attempt: u32) {
        let Some((from, to)) = self.machines_of(stream, serial) else { return };
        let hash = fold(0x0053_594E, u64::from(attempt) + 1);
        match self.stream_delay(from, to, hash) {
            Some(delay) => {
                self.core.schedule(self.core.now + delay, EnvEvent::Syn { stream, serial, attempt });
            }
            None => self.syn_lost(stream, serial, attempt),
        }
    }

    fn syn_lost(&mut self, stream: u32, serial: u32, attempt: u32) {
        let at = self.core.now + (SYN_AGAIN_NS << attempt);
        self.core.schedule(at, EnvEvent::SynAgain { stream, serial, attempt: attempt + 1 });
    }

    /// A stream's event has come. Whether its machine takes it was asked before.
    pub(super) fn handle_stream(&mut self, event: EnvEvent) {
        match event {
            EnvEvent::Syn { stream, serial, attempt } => self.syn_arrives(stream, serial, attempt),
            EnvEvent::SynAgain { stream, serial, attempt } => {
                let Some(c) = self.connections.get_mut(stream, serial) else { return };
                if c.state != State::Connecting {
                    return;
                }
                if attempt > SYNS_MAX || c.ends[0].closed {
                    c.state = State::TimedOut;
                    wake(&mut c.waker);
                    // Who accepted it before the connection stood has nothing in hand.
                    c.ends[1].break_off(io::ErrorKind::ConnectionReset);
                    self.free_if_done(stream, serial);
                } else {
                    self.say_syn(stream, serial, attempt);
                }
            }
            EnvEvent::SynAck { stream, serial, accepted } => {
                self.core.digest(0xD << 60, u64::from(stream));
                let Some(c) = self.connections.get_mut(stream, serial) else { return };
                if c.state == State::Connecting {
                    c.state = if accepted { State::Open } else { State::Refused };
                    wake(&mut c.waker);
                    if accepted && c.ends[0].closed {
                        // Given up meanwhile: who accepted it must not wait for it.
                        self.tell_reset(stream, serial, 1);
                    }
                }
            }
            EnvEvent::Segment { stream, serial, to, number, attempt, payload } => {
                self.segment_arrives(stream, serial, to, number, attempt, payload);
            }
            EnvEvent::SegmentAgain { stream, serial, to, number, attempt, payload } => {
                self.resend(stream, serial, to, number, attempt, payload);
            }
            EnvEvent::Reset { stream, serial, to } => {
                self.core.digest(0xD << 60 | 1, u64::from(stream));
                if let Some(c) = self.connections.get_mut(stream, serial) {
                    c.ends[usize::from(to)].break_off(io::ErrorKind::ConnectionReset);
                    if c.state == State::Connecting {
                        c.state = State::Refused;
                        wake(&mut c.waker);
                    }
                    self.free_if_done(stream, serial);
                }
            }
            EnvEvent::Datagram { .. } | EnvEvent::Timer { .. } | EnvEvent::Disk { .. } => {
                unreachable!("not a stream's event")
            }
        }
    }

    /// The machine at whose door a stream's event knocks, if it is one.
    pub(super) fn door(&mut self, event: &EnvEvent) -> Option<u32> {
        let (stream, serial, side) = match event {
            EnvEvent::Syn { stream, serial, .. } => (*stream, *serial, 1),
            EnvEvent::SynAck { stream, serial, .. } => (*stream, *serial, 0),
            EnvEvent::Segment { stream, serial, to, .. } | EnvEvent::Reset { stream, serial, to } => {
                (*stream, *serial, *to)
            }
            _ => return None,
        };
        self.connections.get_mut(stream, serial).map(|c| c.ends[usize::from(side)].address.node.0)
    }

    /// A stream's event came to a machine that is down: as good as lost.
    pub(super) fn knocked_in_vain(&mut self, event: EnvEvent) {
        match event {
            EnvEvent::Syn { stream, serial, attempt } => self.syn_lost(stream, serial, attempt),
            EnvEvent::Segment { stream, serial, to, number, attempt, payload } => {
                self.schedule_again(stream, serial, to, number, attempt, payload);
            }
            _ => {}
        }
    }

    fn syn_arrives(&mut self, stream: u32, serial: u32, attempt: u32) {
        let Some(c) = self.connections.get_mut(stream, serial) else { return };
        if c.state != State::Connecting {
            return;
        }
        let (from, to) = (c.ends[0].address, c.ends[1].address);
        self.core.statistics.messages += 1;
        self.core.digest(0xD << 60 | 2, u64::from(stream));
        self.core.trace(Some(to.node.0), || TraceKind::Delivered {
            from: from.node,
            text: format!("connect to port {}", to.port),
        });
        let listener = self.tcp[to.node.0 as usize].get(to.port);
        let listener = listener.and_then(|(slot, s)| self.listeners.get_mut(slot, s));
        let accepted = match (c.claim, listener) {
            // Only the answer was lost.
            (Claim::Listener | Claim::Accepted, _) => !c.ends[1].forgotten && c.ends[1].broken.is_none(),
            (Claim::Nobody, Some(l)) if l.queue.len() < BACKLOG => {
                c.claim = Claim::Listener;
                l.queue.push_back((stream, serial));
                l.waiters.wake();
                true
            }
            (Claim::Nobody, _) => false,
        };
        let hash = fold(0x0041_434B, u64::from(attempt) + 1);
        match self.stream_delay(to.node.0, from.node.0, hash) {
            Some(delay) => {
                self.core.schedule(self.core.now + delay, EnvEvent::SynAck { stream, serial, accepted });
            }
            None => self.syn_lost(stream, serial, attempt),
        }
    }

    pub(super) fn accept(&mut self, listener: ListenerKey, cx: &Context<'_>) -> Poll<io::Result<(StreamKey, Address)>> {
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

    pub(super) fn stop_listening(&mut self, listener: ListenerKey) {
        let Some(l) = self.listeners.remove(listener.0, listener.1) else { return };
        self.tcp[l.machine as usize].remove(l.port);
        for (stream, serial) in l.queue {
            if let Some(c) = self.connections.get_mut(stream, serial) {
                c.ends[1].closed = true;
                c.ends[1].broken.get_or_insert(io::ErrorKind::ConnectionReset);
            }
            self.tell_reset(stream, serial, 0);
            self.free_if_done(stream, serial);
        }
    }

    pub(super) fn connected(&mut self, key: StreamKey, cx: &Context<'_>) -> Poll<io::Result<()>> {
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

    pub(super) fn read(&mut self, key: StreamKey, cx: &Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let Some(c) = self.connections.get_mut(key.0, key.1) else {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        };
        let [a, b] = &mut c.ends;
        let (end, peer) = if key.2 == 0 { (a, b) } else { (b, a) };
        if !end.inbox.is_empty() || buffer.is_empty() {
            let length = end.inbox.len().min(buffer.len());
            for (to, from) in buffer.iter_mut().zip(end.inbox.drain(..length)) {
                *to = from;
            }
            wake(&mut peer.writer);
            return Poll::Ready(Ok(length));
        }
        if let Some(why) = end.broken {
            return Poll::Ready(Err(why.into()));
        }
        if end.ended {
            return Poll::Ready(Ok(0));
        }
        wait(&mut end.reader, cx);
        Poll::Pending
    }

    pub(super) fn write(&mut self, key: StreamKey, cx: &Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let Some(c) = self.connections.get_mut(key.0, key.1) else {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        };
        let unread = c.ends[1 - usize::from(key.2)].inbox.len();
        let end = &mut c.ends[usize::from(key.2)];
        if let Some(why) = end.broken {
            return Poll::Ready(Err(why.into()));
        }
        if end.finished {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let under_way: usize = end.unacknowledged.values().sum();
        let room = WINDOW.saturating_sub(under_way + unread).min(SEGMENT_MAX);
        if room == 0 {
            wait(&mut end.writer, cx);
            return Poll::Pending;
        }
        let length = bytes.len().min(room);
        self.send_segment(key, &bytes[..length]);
        Poll::Ready(Ok(length))
    }

    pub(super) fn finish_writing(&mut self, key: StreamKey) -> io::Result<()> {
        let Some(c) = self.connections.get_mut(key.0, key.1) else { return Err(io::ErrorKind::BrokenPipe.into()) };
        let end = &mut c.ends[usize::from(key.2)];
        if !end.finished && end.broken.is_none() && c.state == State::Open {
            self.send_segment(key, &[]);
            if let Some(c) = self.connections.get_mut(key.0, key.1) {
                c.ends[usize::from(key.2)].finished = true;
            }
        }
        Ok(())
    }

    /// Sends bytes, or the end of them.
    fn send_segment(&mut self, key: StreamKey, bytes: &[u8]) {
        let Some(c) = self.connections.get_mut(key.0, key.1) else { return };
        let end = &mut c.ends[usize::from(key.2)];
        let number = end.sent;
        end.sent += 1;
        // The end of the bytes takes room too, so that a closed end lives until it is acknowledged.
        end.unacknowledged.insert(number, bytes.len().max(1));
        self.transmit(key.0, key.1, 1 - key.2, number, 0, Payload::new(bytes));
    }

    fn transmit(&mut self, stream: u32, serial: u32, to: u8, number: u32, attempt: u32, payload: Payload) {
        let Some((a, b)) = self.machines_of(stream, serial) else { return };
        let (from, target) = if to == 1 { (a, b) } else { (b, a) };
        let hash = payload.hash() ^ fold(u64::from(number), u64::from(attempt) + 1);
        match self.stream_delay(from, target, hash) {
            Some(delay) => {
                let arrives_ns = Some(self.core.now + delay);
                let event = EnvEvent::Segment { stream, serial, to, number, attempt, payload };
                if self.core.traces() {
                    use crate::simulators::native::core::OwnEvent as _;
                    let text = event.describe();
                    let kind = TraceKind::Sent { to: NodeId(target), text, arrives_ns, fault: None };
                    self.core.trace(Some(from), || kind);
                }
                self.core.schedule(self.core.now + delay, event);
            }
            None => self.schedule_again(stream, serial, to, number, attempt, payload),
        }
    }

    fn schedule_again(&mut self, stream: u32, serial: u32, to: u8, number: u32, attempt: u32, payload: Payload) {
        let at = self.core.now + (RESEND_NS << attempt);
        let attempt = attempt + 1;
        self.core.schedule(at, EnvEvent::SegmentAgain { stream, serial, to, number, attempt, payload });
    }

    fn resend(&mut self, stream: u32, serial: u32, to: u8, number: u32, attempt: u32, payload: Payload) {
        let Some(c) = self.connections.get_mut(stream, serial) else { return };
        let sender = &mut c.ends[1 - usize::from(to)];
        if sender.forgotten || sender.broken.is_some() || !sender.unacknowledged.contains_key(&number) {
            return;
        }
        if attempt > RESENDS_MAX {
            sender.break_off(io::ErrorKind::TimedOut);
            self.free_if_done(stream, serial);
            return;
        }
        self.transmit(stream, serial, to, number, attempt, payload);
    }

    fn segment_arrives(&mut self, stream: u32, serial: u32, to: u8, number: u32, attempt: u32, payload: Payload) {
        self.core.statistics.messages += 1;
        self.core.digest(0xE << 60 | u64::from(stream) << 1 | u64::from(to), payload.hash());
        let Some((a, b)) = self.machines_of(stream, serial) else { return };
        let (from, at) = if to == 1 { (a, b) } else { (b, a) };
        let Some(c) = self.connections.get_mut(stream, serial) else { return };
        if c.is_gone(to, number, payload.len()) {
            if !self.tell_reset(stream, serial, 1 - to) {
                self.schedule_again(stream, serial, to, number, attempt, payload);
            }
            return;
        }
        let end = &mut c.ends[usize::from(to)];
        if number >= end.expected {
            end.early.insert(number, payload.clone());
        }
        while let Some(payload) = end.early.remove(&end.expected) {
            end.expected += 1;
            end.ended |= payload.len() == 0;
            payload.append_to(&mut end.inbox);
        }
        wake(&mut end.reader);
        let hash = fold(0x0041_434B ^ u64::from(number) << 32, u64::from(attempt) + 1);
        if self.stream_delay(at, from, hash).is_none() {
            return self.schedule_again(stream, serial, to, number, attempt, payload);
        }
        if let Some(c) = self.connections.get_mut(stream, serial) {
            let sender = &mut c.ends[1 - usize::from(to)];
            sender.unacknowledged.remove(&number);
            wake(&mut sender.writer);
            self.free_if_done(stream, serial);
        }
    }

    /// Tells an end that the other is gone. False when the word was lost.
    fn tell_reset(&mut self, stream: u32, serial: u32, to: u8) -> bool {
        let Some((a, b)) = self.machines_of(stream, serial) else { return true };
        let (from, target) = if to == 1 { (a, b) } else { (b, a) };
        let Some(delay) = self.stream_delay(from, target, 0x0052_5354) else { return false };
        self.core.schedule(self.core.now + delay, EnvEvent::Reset { stream, serial, to });
        true
    }

    /// A handle was dropped.
    pub(super) fn close_end(&mut self, key: StreamKey) {
        let side = usize::from(key.2);
        let Some(c) = self.connections.get_mut(key.0, key.1) else { return };
        let unread = !c.ends[side].inbox.is_empty();
        let usable = c.state == State::Open && !c.ends[side].forgotten && c.ends[side].broken.is_none();
        if usable {
            if unread {
                // As a socket that is closed over unread bytes does.
                self.tell_reset(key.0, key.1, 1 - key.2);
            } else {
                let _ = self.finish_writing(key);
            }
        }
        if let Some(c) = self.connections.get_mut(key.0, key.1) {
            c.ends[side].closed = true;
            c.ends[side].reader = None;
            c.ends[side].writer = None;
            if unread {
                c.ends[side].broken.get_or_insert(io::ErrorKind::ConnectionReset);
            }
        }
        self.free_if_done(key.0, key.1);
    }

    /// A machine's process is dead: its ends are forgotten. When `resets`, the operating system lives on and tells the peers.
    pub(super) fn close_streams(&mut self, machine: u32, resets: bool) {
        for (slot, serial) in self.tcp[machine as usize].take() {
            self.listeners.remove(slot, serial);
        }
        let mut tell = Vec::new();
        for (stream, serial, c) in self.connections.iter_mut() {
            for side in 0..2_u8 {
                let end = &mut c.ends[usize::from(side)];
                if end.address.node != NodeId(machine) || end.forgotten {
                    continue;
                }
                if side == 1 && c.state == State::Connecting && c.claim == Claim::Listener {
                    // Its first word finds the next listener, when it is said again.
                    c.claim = Claim::Nobody;
                }
                if side == 0 || c.claim != Claim::Nobody {
                    end.forgotten = true;
                    end.closed = true;
                    // Handles that outlived the process do nothing.
                    end.broken = Some(io::ErrorKind::BrokenPipe);
                    end.inbox.clear();
                    end.reader = None;
                    end.writer = None;
                    tell.push((stream, serial, 1 - side));
                }
            }
        }
        for (stream, serial, peer) in tell {
            if resets {
                self.tell_reset(stream, serial, peer);
            }
            self.free_if_done(stream, serial);
        }
    }
}
