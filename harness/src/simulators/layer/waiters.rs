//! The tasks that wait at one door: nearly always one.

use std::task::{Context, Waker};

/// Tasks that wait for the next datagram of a socket, or the next stream of a listener. All are woken when it comes, and whoever
/// comes too late waits again.
#[derive(Default)]
pub(crate) struct Waiters {
    one: Option<Waker>,
    more: Vec<Waker>,
}

impl Waiters {
    /// Remembers who waits.
    #[inline]
    pub(crate) fn wait(&mut self, cx: &Context<'_>) {
        match &self.one {
            Some(known) if known.will_wake(cx.waker()) => {}
            Some(_) if self.more.iter().any(|known| known.will_wake(cx.waker())) => {}
            Some(_) => self.more.push(cx.waker().clone()),
            None => self.one = Some(cx.waker().clone()),
        }
    }

    /// Wakes all. One that is alone stays remembered: a loop over one socket then counts no references for each datagram.
    #[inline]
    pub(crate) fn wake(&mut self) {
        if let Some(one) = &self.one {
            one.wake_by_ref();
        }
        if !self.more.is_empty() {
            self.more.drain(..).for_each(Waker::wake);
            // Who still waits says so again.
            self.one = None;
        }
    }
}
