//! Disk requests of a run in another runtime: the disk's image answers, the agenda says when.

use std::{
    io,
    task::{Context, Poll, Waker},
};

use super::{
    core::Event,
    machines::DiskDone,
    world::{Hosted, gone},
};
use crate::{
    environment::{
        content,
        world::{DiskKey, DiskReply, DiskRequest, Place},
    },
    plan::scale,
    simulators::{
        TraceKind,
        layer::{
            disk,
            physics::{CACHED_NS, SYNC_NS_MIN, SYNC_NS_SPREAD},
            streams::{wait, wake},
        },
    },
};

/// A disk request under way.
pub(super) struct Request {
    reply: Option<io::Result<DiskReply>>,
    done: bool,
    forgotten: bool,
    waker: Option<Waker>,
}

impl Hosted {
    /// A process asks its disk for something.
    pub(super) fn disk_asked(&mut self, at: Place, request: &DiskRequest) -> io::Result<DiskKey> {
        if !self.alive(at) {
            return Err(gone());
        }
        let file = match request {
            DiskRequest::Sync { file } => Some(Some(file.as_str())),
            DiskRequest::SyncDirectory => Some(None),
            _ => None,
        };
        let mut sync = None;
        let disk = &mut self.core.machines[at.machine as usize].disk;
        let mut reply = disk::answer(disk, request);
        let mut span = CACHED_NS;
        if let Some(file) = file {
            let ticket = disk.begin_sync(file);
            let succeeded = !self.core.sync_fails(at.machine);
            match ticket {
                Ok(ticket) => sync = Some((ticket, succeeded)),
                Err(error) => reply = Err(error),
            }
            if !succeeded {
                reply = Err(io::Error::other("the disk reported an I/O error"));
            }
            let draw = content::hash(&(at.machine, at.incarnation, self.core.now));
            span = SYNC_NS_MIN + scale(draw, SYNC_NS_SPREAD);
        }
        self.core.count_refused(at.machine);
        let span = self.core.disk_latency_ns(at.machine, span);
        // What the cache answers takes less time than any runtime's timer can measure.
        let done = span <= CACHED_NS;
        let (slot, serial) = self.requests.insert(Request { reply: Some(reply), done, forgotten: false, waker: None });
        let request = DiskKey(slot, serial);
        if done {
            self.core.digest(0x5 << 60 | u64::from(at.machine), 0);
        } else {
            self.core.put(self.core.now.saturating_add(span), Event::Disk(DiskDone { place: at, request, sync }));
        }
        Ok(request)
    }

    /// A disk is done with a request.
    pub(super) fn disk_done(&mut self, done: &DiskDone) {
        let machine = done.place.machine;
        self.core.digest(0x5 << 60 | u64::from(machine), u64::from(done.sync.is_some()));
        if let Some((ticket, succeeded)) = &done.sync {
            self.core.machines[machine as usize].disk.end_sync(ticket, *succeeded);
            let text = format!("sync {}", if *succeeded { "done" } else { "failed" });
            self.core.trace(Some(machine), || TraceKind::Disk { text });
        }
        let DiskKey(slot, serial) = done.request;
        if let Some(r) = self.requests.get_mut(slot, serial) {
            r.done = true;
            wake(&mut r.waker);
            if r.forgotten {
                self.requests.remove(slot, serial);
            }
        }
    }

    /// Polls for a disk's answer.
    pub(super) fn disk_answered(&mut self, request: DiskKey, cx: &Context<'_>) -> Poll<io::Result<DiskReply>> {
        match self.requests.get_mut(request.0, request.1) {
            Some(r) if r.done => {
                let reply = self.requests.remove(request.0, request.1).and_then(|r| r.reply);
                Poll::Ready(reply.unwrap_or_else(|| Err(gone())))
            }
            Some(r) => {
                wait(&mut r.waker, cx);
                Poll::Pending
            }
            None => Poll::Pending,
        }
    }

    /// Nobody waits for the answer any more.
    pub(super) fn disk_forgotten(&mut self, request: DiskKey) {
        if let Some(r) = self.requests.get_mut(request.0, request.1) {
            r.forgotten = true;
            if r.done {
                self.requests.remove(request.0, request.1);
            }
        }
    }
}
