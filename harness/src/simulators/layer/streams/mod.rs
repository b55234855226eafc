//! Byte streams: ordered and reliable while they last.
//!
//! A segment that is lost is sent again after a doubling timeout; so is one whose acknowledgement is lost, so a link cut one way
//! stalls a stream too. A stream whose segment is not acknowledged in time breaks with `TimedOut`. A segment that finds a
//! machine without the stream (it crashed and came back), or an end that was closed or broke, is answered by a reset.
//!
//! Here is the state of all streams of a run. What a word of a stream goes through on its way is the simulator's
//! ([`Carrier`]).

mod connecting;
mod segments;

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    task::{Context, Waker},
};

use super::{payload::Payload, ports::Ports, slots::Slots, state::State, waiters::Waiters};
use crate::{
    environment::Address,
    plan::{MILLISECOND, NodeId, SECOND},
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

/// A word of a stream on its way, or a timer of one.
#[derive(Clone, Debug)]
pub(crate) enum StreamEvent {
    /// The first word of a stream arrives.
    Syn { stream: u32, serial: u32, attempt: u32 },
    /// The first word was lost, or found nobody: say it again.
    SynAgain { stream: u32, serial: u32, attempt: u32 },
    /// The answer to the first word arrives.
    SynAck { stream: u32, serial: u32, accepted: bool },
    /// Bytes of a stream arrive at this end; none means that the other has closed.
    Segment(Segment),
    /// Bytes were lost, or nobody said that they came: send them again.
    SegmentAgain(Segment),
    /// An end learns that the other is gone.
    Reset { stream: u32, serial: u32, to: u8 },
}

/// Bytes of a stream, on their way to one of its ends.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    pub(crate) stream: u32,
    pub(crate) serial: u32,
    pub(crate) to: u8,
    pub(crate) number: u32,
    pub(crate) attempt: u32,
    pub(crate) payload: Payload,
}

impl StreamEvent {
    /// Whether it is said again where it is lost.
    pub(crate) fn is_sent_again(&self) -> bool {
        matches!(self, StreamEvent::Syn { .. } | StreamEvent::Segment(_))
    }

    /// For traces.
    pub(crate) fn describe(&self) -> String {
        match self {
            StreamEvent::Syn { stream, attempt, .. } | StreamEvent::SynAgain { stream, attempt, .. } => {
                format!("stream {stream}: connect, attempt {attempt}")
            }
            StreamEvent::SynAck { stream, accepted, .. } => {
                format!("stream {stream}: {}", if *accepted { "accepted" } else { "refused" })
            }
            StreamEvent::Segment(s) | StreamEvent::SegmentAgain(s) => {
                let bytes = s.payload.shown();
                format!("stream {}: segment {}, attempt {}, {bytes}", s.stream, s.number, s.attempt)
            }
            StreamEvent::Reset { stream, .. } => format!("stream {stream}: reset"),
        }
    }
}

/// What carries the words of streams, and keeps their timers.
pub(crate) trait Carrier {
    /// What waits at a machine's door.
    type Waiting;
    /// The run's state.
    fn state(&self) -> &State<Self::Waiting>;
    /// The run's state, to be changed.
    fn state_mut(&mut self) -> &mut State<Self::Waiting>;
    /// Gives the event back at this time.
    fn schedule(&mut self, at: u64, event: StreamEvent);
    /// A stream is no more.
    fn freed(&mut self, _stream: u32, _serial: u32) {}

    /// When a word with this content that sets out now arrives, in nanoseconds; `None` when it is lost.
    fn arrival(&mut self, from: u32, to: u32, content: u64) -> Option<u64> {
        let state = self.state_mut();
        let draw = state.network.draw(from, to, content);
        if !draw.faulted {
            return Some(state.now + draw.delay);
        }
        let fate = state.fate(&draw, from, to);
        // Streams have checksums: damage is loss.
        if fate.damage.is_some() { None } else { fate.delay.map(|delay| state.now.saturating_add(delay)) }
    }
}

/// All streams of a run.
pub(crate) struct Streams {
    connections: Slots<Connection>,
    listeners: Slots<Accepting>,
    /// Listeners by port, per machine.
    ports: Vec<Ports>,
}

/// A listener.
struct Accepting {
    machine: u32,
    port: u16,
    /// Streams whose first word came.
    queue: VecDeque<(u32, u32)>,
    waiters: Waiters,
}

/// A stream, both ends.
struct Connection {
    /// The one that connected, and the one that accepted.
    ends: [End; 2],
    progress: Progress,
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
enum Progress {
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
        self.ends[0].closed && self.progress != Progress::Open && nobody_reads
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

impl Streams {
    pub(crate) fn new(machines: usize) -> Self {
        Streams { connections: Slots::new(), listeners: Slots::new(), ports: vec![Ports::default(); machines] }
    }

    /// Whether a machine listens on this port.
    pub(crate) fn is_taken(&self, machine: u32, port: u16) -> bool {
        self.ports[machine as usize].get(port).is_some()
    }

    /// The machines of a stream's two ends, the one that connected first.
    pub(crate) fn machines_of(&mut self, stream: u32, serial: u32) -> Option<(u32, u32)> {
        let c = self.connections.get_mut(stream, serial)?;
        Some((c.ends[0].address.node.0, c.ends[1].address.node.0))
    }

    /// The machine at whose door a stream's event knocks, if it knocks at one.
    pub(crate) fn door(&mut self, event: &StreamEvent) -> Option<u32> {
        let (stream, serial, side) = match event {
            StreamEvent::Syn { stream, serial, .. } => (*stream, *serial, 1),
            StreamEvent::SynAck { stream, serial, .. } => (*stream, *serial, 0),
            StreamEvent::Segment(s) => (s.stream, s.serial, s.to),
            StreamEvent::Reset { stream, serial, to } => (*stream, *serial, *to),
            StreamEvent::SynAgain { .. } | StreamEvent::SegmentAgain(_) => return None,
        };
        self.connections.get_mut(stream, serial).map(|c| c.ends[usize::from(side)].address.node.0)
    }

    /// A stream's event has come. Whether its machine takes it was asked before.
    pub(crate) fn handle(&mut self, event: StreamEvent, carrier: &mut impl Carrier) {
        match event {
            StreamEvent::Syn { stream, serial, attempt } => self.syn_arrives(stream, serial, attempt, carrier),
            StreamEvent::SynAgain { stream, serial, attempt } => self.syn_again(stream, serial, attempt, carrier),
            StreamEvent::SynAck { stream, serial, accepted } => self.answered(stream, serial, accepted, carrier),
            StreamEvent::Segment(segment) => self.segment_arrives(segment, carrier),
            StreamEvent::SegmentAgain(segment) => self.resend(segment, carrier),
            StreamEvent::Reset { stream, serial, to } => self.reset_arrives(stream, serial, to, carrier),
        }
    }

    /// A machine's process is dead: its ends are forgotten. When `resets`, the operating system lives on and tells the peers.
    pub(crate) fn close_all(&mut self, machine: u32, resets: bool, carrier: &mut impl Carrier) {
        for (slot, serial) in self.ports[machine as usize].take() {
            self.listeners.remove(slot, serial);
        }
        let mut tell = Vec::new();
        for (stream, serial, c) in self.connections.iter_mut() {
            for side in 0..2_u8 {
                let end = &mut c.ends[usize::from(side)];
                if end.address.node != NodeId(machine) || end.forgotten {
                    continue;
                }
                if side == 1 && c.progress == Progress::Connecting && c.claim == Claim::Listener {
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
                self.tell_reset(stream, serial, peer, carrier);
            }
            self.free_if_done(stream, serial, carrier);
        }
    }

    /// Frees a connection that nobody can use any more.
    fn free_if_done(&mut self, stream: u32, serial: u32, carrier: &mut impl Carrier) {
        if let Some(c) = self.connections.get_mut(stream, serial)
            && (c.ends.iter().all(End::is_done) || c.is_given_up())
        {
            self.connections.remove(stream, serial);
            carrier.freed(stream, serial);
        }
    }
}

/// A stream's event came to a machine that is down, or has no room for it: as good as lost.
pub(crate) fn knocked_in_vain(event: StreamEvent, carrier: &mut impl Carrier) {
    match event {
        StreamEvent::Syn { stream, serial, attempt } => syn_lost(stream, serial, attempt, carrier),
        StreamEvent::Segment(segment) => schedule_again(segment, carrier),
        _ => {}
    }
}

/// The first word of a stream was lost.
pub(crate) fn syn_lost(stream: u32, serial: u32, attempt: u32, carrier: &mut impl Carrier) {
    let at = carrier.state().now + (SYN_AGAIN_NS << attempt);
    carrier.schedule(at, StreamEvent::SynAgain { stream, serial, attempt: attempt + 1 });
}

fn schedule_again(mut segment: Segment, carrier: &mut impl Carrier) {
    let at = carrier.state().now + (RESEND_NS << segment.attempt);
    segment.attempt += 1;
    carrier.schedule(at, StreamEvent::SegmentAgain(segment));
}

/// Wakes who waits, once.
pub(crate) fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

/// Remembers who waits.
pub(crate) fn wait(waker: &mut Option<Waker>, cx: &Context<'_>) {
    match waker {
        Some(known) if known.will_wake(cx.waker()) => {}
        _ => *waker = Some(cx.waker().clone()),
    }
}
