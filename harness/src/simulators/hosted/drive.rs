//! Conducts a run by the runtime's own clock, where that goes by itself.

use std::{
    future::poll_fn,
    task::{Poll, Waker},
};

use super::{conductor::Conductor, core::Core, runtime::Runtime};
use crate::{environment::System, plan::SECOND};

/// The longest that the conductor sleeps at a time, in nanoseconds.
const SLEEP_NS_MAX: u64 = 3600 * SECOND;

impl<S: System> Conductor<S> {
    /// Does what is due whenever it is, to the end of the run.
    pub(in crate::simulators) async fn drive(&mut self, runtime: &dyn Runtime) {
        while self.advance(runtime.now_ns()) {
            let until = self.core(|core| core.next_due());
            let mut sleep = runtime.sleep(until.saturating_sub(runtime.now_ns()).min(SLEEP_NS_MAX));
            self.core(|core| core.sleeps_until = until);
            let world = self.world.clone();
            poll_fn(|cx| {
                // Something came up that is due earlier.
                if world.borrow().core.sleeps_until < until {
                    return Poll::Ready(());
                }
                world.borrow_mut().core.await_due(until, cx.waker());
                sleep.as_mut().poll(cx)
            })
            .await;
        }
    }
}

impl Core {
    /// When the next thing is due.
    pub(super) fn next_due(&self) -> u64 {
        self.agenda.first_key_value().map_or(u64::MAX, |((at, _), _)| *at)
    }

    /// The conductor sleeps until then, unless something is due earlier.
    pub(super) fn await_due(&mut self, until: u64, waker: &Waker) {
        self.sleeps_until = until;
        self.conductor = Some(waker.clone());
    }
}
