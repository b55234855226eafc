//! Disk requests of a run in another runtime: the disk's image answers, the agenda says when.

use std::io;

use super::{core::Event, machines::DiskDone, world::Hosted};
use crate::{
    environment::world::{DiskKey, DiskRequest, Place},
    simulators::layer::physics::CACHED_NS,
};

impl Hosted {
    /// A process asks its disk for something.
    pub(super) fn disk_asked(&mut self, at: Place, request: &DiskRequest) -> io::Result<DiskKey> {
        let mut asked = self.core.ask_disk(at, request)?;
        let (span_ns, sync) = (asked.span_ns, asked.sync.take());
        let request = self.requests.begin(asked);
        let done = DiskDone { place: at, request, sync };
        if span_ns <= CACHED_NS {
            // What the cache answers takes less time than any runtime's timer can measure.
            self.disk_done(&done);
        } else {
            self.core.put(self.core.now.saturating_add(span_ns), Event::Disk(done));
        }
        Ok(request)
    }

    /// A disk is done with a request.
    pub(super) fn disk_done(&mut self, done: &DiskDone) {
        self.core.disk_done(done.place.machine, done.sync.as_ref());
        self.requests.done(done.request);
    }
}
