//! How streams go on and end: bytes, their acknowledgements, resets.

use std::{
    io,
    task::{Context, Poll},
};

use super::{
    Carrier, Progress, RESENDS_MAX, SEGMENT_MAX, Segment, StreamEvent, Streams, WINDOW, schedule_again, wait, wake,
};
use crate::{
    environment::world::StreamKey,
    plan::{NodeId, fold},
    simulators::{TraceKind, layer::payload::Payload},
};

impl Streams {
    /// Polls for bytes.
    pub(crate) fn read(&mut self, key: StreamKey, cx: &Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
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

    /// Polls to write some bytes.
    pub(crate) fn write(
        &mut self,
        key: StreamKey,
        cx: &Context<'_>,
        bytes: &[u8],
        carrier: &mut impl Carrier,
    ) -> Poll<io::Result<usize>> {
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
        self.send_segment(key, &bytes[..length], carrier);
        Poll::Ready(Ok(length))
    }

    /// Closes the writing side.
    pub(crate) fn shutdown(&mut self, key: StreamKey, carrier: &mut impl Carrier) -> io::Result<()> {
        let Some(c) = self.connections.get_mut(key.0, key.1) else { return Err(io::ErrorKind::BrokenPipe.into()) };
        let end = &mut c.ends[usize::from(key.2)];
        if !end.finished && end.broken.is_none() && c.progress == Progress::Open {
            self.send_segment(key, &[], carrier);
            if let Some(c) = self.connections.get_mut(key.0, key.1) {
                c.ends[usize::from(key.2)].finished = true;
            }
        }
        Ok(())
    }

    /// Sends bytes, or the end of them.
    fn send_segment(&mut self, key: StreamKey, bytes: &[u8], carrier: &mut impl Carrier) {
        let Some(c) = self.connections.get_mut(key.0, key.1) else { return };
        let end = &mut c.ends[usize::from(key.2)];
        let number = end.sent;
        end.sent += 1;
        // The end of the bytes takes room too, so that a closed end lives until it is acknowledged.
        end.unacknowledged.insert(number, bytes.len().max(1));
        let (stream, serial, to) = (key.0, key.1, 1 - key.2);
        self.transmit(Segment { stream, serial, to, number, attempt: 0, payload: Payload::new(bytes) }, carrier);
    }

    fn transmit(&mut self, segment: Segment, carrier: &mut impl Carrier) {
        let Some((from, target)) = self.way(segment.stream, segment.serial, segment.to) else { return };
        let attempt = fold(u64::from(segment.number), u64::from(segment.attempt) + 1);
        let hash = segment.payload.hash() ^ attempt;
        let Some(at) = carrier.arrival(from, target, hash) else { return schedule_again(segment, carrier) };
        let event = StreamEvent::Segment(segment);
        carrier.state_mut().trace(Some(from), || TraceKind::Sent {
            to: NodeId(target),
            text: event.describe(),
            arrives_ns: Some(at),
            fault: None,
        });
        carrier.schedule(at, event);
    }

    pub(super) fn resend(&mut self, segment: Segment, carrier: &mut impl Carrier) {
        let Some(c) = self.connections.get_mut(segment.stream, segment.serial) else { return };
        let sender = &mut c.ends[1 - usize::from(segment.to)];
        if sender.forgotten || sender.broken.is_some() || !sender.unacknowledged.contains_key(&segment.number) {
            return;
        }
        if segment.attempt > RESENDS_MAX {
            sender.break_off(io::ErrorKind::TimedOut);
            self.free_if_done(segment.stream, segment.serial, carrier);
            return;
        }
        self.transmit(segment, carrier);
    }

    pub(super) fn segment_arrives(&mut self, segment: Segment, carrier: &mut impl Carrier) {
        let Segment { stream, serial, to, number, attempt, ref payload } = segment;
        carrier.state_mut().statistics.messages += 1;
        carrier.state_mut().digest(0xE << 60 | u64::from(stream) << 1 | u64::from(to), payload.hash());
        let Some((from, at)) = self.way(stream, serial, to) else { return };
        let Some(c) = self.connections.get_mut(stream, serial) else { return };
        if c.is_gone(to, number, payload.len()) {
            if !self.tell_reset(stream, serial, 1 - to, carrier) {
                schedule_again(segment, carrier);
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
        if carrier.arrival(at, from, hash).is_none() {
            return schedule_again(segment, carrier);
        }
        if let Some(c) = self.connections.get_mut(stream, serial) {
            let sender = &mut c.ends[1 - usize::from(to)];
            sender.unacknowledged.remove(&number);
            wake(&mut sender.writer);
            self.free_if_done(stream, serial, carrier);
        }
    }

    pub(super) fn reset_arrives(&mut self, stream: u32, serial: u32, to: u8, carrier: &mut impl Carrier) {
        carrier.state_mut().digest(0xD << 60 | 1, u64::from(stream));
        if let Some(c) = self.connections.get_mut(stream, serial) {
            c.ends[usize::from(to)].break_off(io::ErrorKind::ConnectionReset);
            if c.progress == Progress::Connecting {
                c.progress = Progress::Refused;
                wake(&mut c.waker);
            }
            self.free_if_done(stream, serial, carrier);
        }
    }

    /// Tells an end that the other is gone. False when the word was lost.
    pub(super) fn tell_reset(&mut self, stream: u32, serial: u32, to: u8, carrier: &mut impl Carrier) -> bool {
        let Some((from, target)) = self.way(stream, serial, to) else { return true };
        let Some(at) = carrier.arrival(from, target, 0x0052_5354) else { return false };
        carrier.schedule(at, StreamEvent::Reset { stream, serial, to });
        true
    }

    /// The machines between which words to this end go: from, and to.
    fn way(&mut self, stream: u32, serial: u32, to: u8) -> Option<(u32, u32)> {
        let (a, b) = self.machines_of(stream, serial)?;
        Some(if to == 1 { (a, b) } else { (b, a) })
    }

    /// A handle was dropped.
    pub(crate) fn close(&mut self, key: StreamKey, carrier: &mut impl Carrier) {
        let side = usize::from(key.2);
        let Some(c) = self.connections.get_mut(key.0, key.1) else { return };
        let unread = !c.ends[side].inbox.is_empty();
        let usable = c.progress == Progress::Open && !c.ends[side].forgotten && c.ends[side].broken.is_none();
        if usable {
            if unread {
                // As a socket that is closed over unread bytes does.
                self.tell_reset(key.0, key.1, 1 - key.2, carrier);
            } else {
                let _ = self.shutdown(key, carrier);
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
        self.free_if_done(key.0, key.1, carrier);
    }
}
