//! Disk requests: what a disk answers, how long it takes, and who waits for it.

use std::{
    io,
    task::{Context, Poll, Waker},
};

use super::{
    physics::{CACHED_NS, sync_span_ns},
    slots::Slots,
    state::{State, gone},
    streams::{wait, wake},
};
use crate::{
    environment::{
        content,
        image::{DiskImage, SyncTicket},
        world::{DiskKey, DiskReply, DiskRequest, Place},
    },
    simulators::TraceKind,
};

/// Disk requests under way.
pub(crate) struct Requests(Slots<Request>);

struct Request {
    reply: io::Result<DiskReply>,
    done: bool,
    forgotten: bool,
    waker: Option<Waker>,
}

/// What comes of a request, and when.
pub(crate) struct Asked {
    reply: io::Result<DiskReply>,
    /// How long it takes, in nanoseconds.
    pub(crate) span_ns: u64,
    /// The sync that ends with it, and whether that succeeds.
    pub(crate) sync: Option<Sync>,
}

/// A sync under way, and whether it succeeds.
pub(crate) type Sync = (SyncTicket, bool);

impl<W> State<W> {
    /// A process that is alive asks its disk for something.
    pub(crate) fn ask_disk(&mut self, at: Place, request: &DiskRequest) -> Asked {
        let file = match request {
            DiskRequest::Sync { file } => Some(Some(file.as_str())),
            DiskRequest::SyncDirectory => Some(None),
            _ => None,
        };
        let mut sync = None;
        let disk = &mut self.machines[at.machine as usize].disk;
        let mut reply = answer(disk, request);
        let mut span = CACHED_NS;
        if let Some(file) = file {
            let ticket = disk.begin_sync(file);
            let succeeded = !self.sync_fails(at.machine);
            match ticket {
                Ok(ticket) => sync = Some((ticket, succeeded)),
                Err(error) => reply = Err(error),
            }
            if !succeeded {
                reply = Err(io::Error::other("the disk reported an I/O error"));
            }
            span = sync_span_ns(content::hash(&(at.machine, at.incarnation, self.now)));
        }
        self.count_refused(at.machine);
        let span_ns = self.disk_latency_ns(at.machine, span);
        Asked { reply, span_ns, sync }
    }

    /// A disk is done with a request.
    pub(crate) fn disk_done(&mut self, machine: u32, sync: Option<&Sync>) {
        self.digest(0x5 << 60 | u64::from(machine), u64::from(sync.is_some()));
        if let Some((ticket, succeeded)) = sync {
            self.machines[machine as usize].disk.end_sync(ticket, *succeeded);
            let text = || format!("sync {}", if *succeeded { "done" } else { "failed" });
            self.trace(Some(machine), || TraceKind::Disk { text: text() });
        }
    }
}

impl Requests {
    pub(crate) fn new() -> Self {
        Requests(Slots::new())
    }

    /// A request is under way.
    pub(crate) fn begin(&mut self, asked: Asked) -> DiskKey {
        let request = Request { reply: asked.reply, done: false, forgotten: false, waker: None };
        let (slot, serial) = self.0.insert(request);
        DiskKey(slot, serial)
    }

    /// The disk is done with it.
    pub(crate) fn done(&mut self, key: DiskKey) {
        if let Some(request) = self.0.get_mut(key.0, key.1) {
            request.done = true;
            wake(&mut request.waker);
            if request.forgotten {
                self.0.remove(key.0, key.1);
            }
        }
    }

    /// Polls for the answer.
    pub(crate) fn poll(&mut self, key: DiskKey, cx: &Context<'_>) -> Poll<io::Result<DiskReply>> {
        match self.0.get_mut(key.0, key.1) {
            Some(request) if request.done => {
                let request = self.0.remove(key.0, key.1);
                Poll::Ready(request.map_or_else(|| Err(gone()), |request| request.reply))
            }
            Some(request) => {
                wait(&mut request.waker, cx);
                Poll::Pending
            }
            None => Poll::Pending,
        }
    }

    /// Nobody waits for the answer any more.
    pub(crate) fn forget(&mut self, key: DiskKey) {
        if let Some(request) = self.0.get_mut(key.0, key.1) {
            request.forgotten = true;
            if request.done {
                self.0.remove(key.0, key.1);
            }
        }
    }
}

/// Carries a request out. A sync is done here by doing nothing: when it ends, and how, is not the disk's image to say.
fn answer(disk: &mut DiskImage, request: &DiskRequest) -> io::Result<DiskReply> {
    Ok(match request {
        DiskRequest::Read { file, offset, length } => {
            let content = disk.read(file)?;
            let start = usize::try_from(*offset).unwrap_or(usize::MAX).min(content.len());
            let end = start.saturating_add(*length).min(content.len());
            DiskReply::Bytes(content[start..end].to_vec())
        }
        DiskRequest::Write { file, offset, bytes } => {
            disk.write(file, *offset, bytes)?;
            DiskReply::Done
        }
        DiskRequest::Append { file, bytes } => {
            disk.append(file, bytes)?;
            DiskReply::Done
        }
        DiskRequest::SetLength { file, length } => {
            disk.set_length(file, *length)?;
            DiskReply::Done
        }
        DiskRequest::Rename { from, to } => {
            disk.rename(from, to)?;
            DiskReply::Done
        }
        DiskRequest::Remove { file } => {
            disk.remove(file)?;
            DiskReply::Done
        }
        DiskRequest::List => DiskReply::Names(disk.list().map(str::to_owned).collect()),
        DiskRequest::Length { file } => DiskReply::Length(disk.length(file)?),
        DiskRequest::Sync { .. } | DiskRequest::SyncDirectory => DiskReply::Done,
    })
}
