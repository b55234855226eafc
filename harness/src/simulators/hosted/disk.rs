//! Disk requests of a run in another runtime: the agenda says when a disk is done.

use super::{core::Event, machines::DiskDone, world::Hosted};
use crate::simulators::layer::physics::CACHED_NS;

impl Hosted {
    /// A disk has begun to work.
    pub(super) fn disk_busy(&mut self, done: DiskDone, span_ns: u64) {
        if span_ns <= CACHED_NS {
            // What the cache answers takes less time than any runtime's timer can measure.
            self.disk_done(&done);
        } else {
            self.core.put(self.core.now.saturating_add(span_ns), Event::Disk(done));
        }
    }

    /// A disk is done with a request.
    pub(super) fn disk_done(&mut self, done: &DiskDone) {
        self.core.disk_done(done.place.machine, done.sync.as_ref());
        self.kernel.requests.done(done.request);
    }
}
