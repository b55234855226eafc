//! Timers of a run in another runtime: the runtime's own, set by the machine's clock.

use std::task::{Context, Poll, Waker};

use super::{machines::Arrival, world::Hosted};
use crate::{
    environment::world::{LocalFuture, Place, TimerKey},
    simulators::{
        TraceKind,
        layer::streams::{wait, wake},
    },
};

/// A timer.
pub(super) struct Timer {
    place: Place,
    /// On the machine's monotonic clock.
    deadline_ns: u64,
    state: TimerState,
    waker: Option<Waker>,
}

enum TimerState {
    /// The runtime has yet to be asked.
    New,
    /// The machine's clock was changed, or the runtime has woken it: is it due?
    Look,
    Asleep(LocalFuture),
    /// Due, and waiting at the machine's door.
    Knocked,
    Fired,
}

impl Timer {
    pub(super) fn new(place: Place, deadline_ns: u64) -> Self {
        Timer { place, deadline_ns, state: TimerState::New, waker: None }
    }
}

impl Hosted {
    /// Polls a timer.
    pub(super) fn look_at_timer(&mut self, timer: TimerKey, cx: &mut Context<'_>) -> Poll<()> {
        let Self { timers, runtime, core, over, .. } = self;
        let Some(t) = timers.get_mut(timer.0, timer.1) else { return Poll::Pending };
        let (machine, dead) = (t.place.machine, *over || !core.is_alive(t.place));
        loop {
            match &mut t.state {
                TimerState::Fired => return Poll::Ready(()),
                _ if dead => return Poll::Pending,
                TimerState::Knocked => {
                    wait(&mut t.waker, cx);
                    return Poll::Pending;
                }
                TimerState::Asleep(sleep) => {
                    if sleep.as_mut().poll(cx).is_pending() {
                        wait(&mut t.waker, cx);
                        return Poll::Pending;
                    }
                    t.state = TimerState::Look;
                }
                TimerState::New | TimerState::Look => {
                    let clock = &core.machines[machine as usize].clock;
                    if clock.monotonic(core.now) < t.deadline_ns {
                        // At least 1: a timer that is not due has to wait, whatever is rounded.
                        let span = (clock.true_time(core.now, t.deadline_ns) - core.now).max(1);
                        t.state = TimerState::Asleep(runtime.sleep(span));
                    } else if matches!(t.state, TimerState::New) {
                        // Who waits lets others run, even when it waits for nothing.
                        t.state = TimerState::Look;
                        cx.waker().wake_by_ref();
                        return Poll::Pending;
                    } else {
                        t.state = TimerState::Knocked;
                        break;
                    }
                }
            }
        }
        wait(&mut t.waker, cx);
        self.arrive(machine, Arrival::Timer(timer));
        match self.timers.get_mut(timer.0, timer.1) {
            Some(Timer { state: TimerState::Fired, .. }) => Poll::Ready(()),
            _ => Poll::Pending,
        }
    }

    /// A timer's machine has let it in.
    pub(super) fn timer_fires(&mut self, key: TimerKey) {
        if let Some(t) = self.timers.get_mut(key.0, key.1) {
            t.state = TimerState::Fired;
            wake(&mut t.waker);
            let machine = t.place.machine;
            self.core.digest(0x4 << 60 | u64::from(machine), 0);
            self.core.trace(Some(machine), || TraceKind::Timer { text: format!("timer {}", key.0) });
        }
    }

    /// Timers of a machine are due at other times.
    pub(super) fn rearm(&mut self, machine: u32) {
        // Those that an earlier change had look anew, too: two changes at one time both have an effect.
        let waits = |state: &TimerState| matches!(state, TimerState::Asleep(_) | TimerState::Look);
        let of_machine = |timer: &Timer| timer.place.machine == machine && waits(&timer.state);
        let mut due: Vec<_> = self.timers.iter_mut().filter(|(_, _, timer)| of_machine(timer)).collect();
        // What one jump ends ends in the order of its deadlines.
        due.sort_by_key(|(_, _, timer)| timer.deadline_ns);
        for (_, _, timer) in due {
            timer.state = TimerState::Look;
            wake(&mut timer.waker);
            // That is an effect, even if nobody looks at the clock.
            self.core.clock_read(machine);
        }
    }
}
