//! The native world as async code meets it.

use std::task::{Context, Poll, Waker};

use super::{event::EnvEvent, executor::Executor};
use crate::{
    environment::{
        Address,
        world::{DiskKey, LocalFuture, Place, TaskKey, TimerKey},
    },
    simulators::{
        TraceKind,
        layer::{
            disk::Sync,
            payload::Payload,
            slots::Slots,
            sockets::{datagram_hash, datagram_text},
            state::{Admission, State},
            streams::{Carrier, StreamEvent, knocked_in_vain, wait, wake},
            world::{Kernel, Layered},
        },
        native::core::Core,
    },
};

/// The world of a run of async code.
pub(super) struct Sim {
    pub(super) core: Core<EnvEvent>,
    pub(super) executor: Executor,
    timers: Slots<Timer>,
    pub(super) kernel: Kernel,
}

struct Timer {
    fired: bool,
    waker: Option<Waker>,
}

impl Sim {
    pub(super) fn new(core: Core<EnvEvent>) -> Self {
        let machines = core.machines.len();
        Sim { core, executor: Executor::new(), timers: Slots::new(), kernel: Kernel::new(machines) }
    }

    /// An event comes to its machine's door; `admitted` when the machine has let it in already.
    #[inline(never)]
    pub(super) fn knock(&mut self, event: EnvEvent, admitted: bool) {
        let machine = match &event {
            EnvEvent::Datagram { to, .. } => Some(to.node.0),
            EnvEvent::Timer { machine, incarnation, .. } | EnvEvent::Disk { machine, incarnation, .. } => {
                if !self.core.is_alive(Place { machine: *machine, incarnation: *incarnation }) {
                    return;
                }
                Some(*machine)
            }
            EnvEvent::Stream(event) => self.kernel.streams.door(event),
        };
        let Some(machine) = machine else { return self.handle(event) };
        if !self.core.machines[machine as usize].up {
            return self.knocked_in_vain(event);
        }
        if admitted || !self.core.machines[machine as usize].is_hindered() {
            self.handle(event);
        } else if !self.is_cancelled(&event) {
            match self.core.admit(machine, event) {
                Admission::Enters(event) => self.handle(event),
                Admission::Kept => {}
                Admission::Lost(event) => self.knocked_in_vain(event),
            }
        }
    }

    /// A datagram has come, and its machine has let it in.
    #[inline(always)]
    pub(super) fn datagram_arrives(&mut self, from: Address, to: Address, hash: u64, payload: Payload) {
        self.core.statistics.messages += 1;
        self.core.digest(0x1 << 60 | u64::from(from.node.0) << 32 | u64::from(to.node.0), hash);
        if self.core.traces() {
            let text = datagram_text(from, to, &payload);
            self.core.trace(Some(to.node.0), || TraceKind::Delivered { from: from.node, text });
        }
        self.kernel.sockets.deliver(from, to, payload);
    }

    /// An event has come, and its machine has let it in.
    fn handle(&mut self, event: EnvEvent) {
        match event {
            EnvEvent::Datagram { from, to, hash, payload } => self.datagram_arrives(from, to, hash, payload),
            EnvEvent::Timer { machine, incarnation, timer, serial, deadline_ns } => {
                let clock = &self.core.machines[machine as usize].clock;
                if clock.monotonic(self.core.now) < deadline_ns {
                    // The clock runs slower than it did when the timer was set.
                    let due = clock.true_time(self.core.now, deadline_ns);
                    self.core.schedule(due, EnvEvent::Timer { machine, incarnation, timer, serial, deadline_ns });
                    return;
                }
                if let Some(t) = self.timers.get_mut(timer, serial) {
                    t.fired = true;
                    wake(&mut t.waker);
                    self.core.digest(0x4 << 60 | u64::from(machine), 0);
                    self.core.trace(Some(machine), || TraceKind::Timer { text: format!("timer {timer}") });
                }
            }
            EnvEvent::Disk { machine, request, sync, .. } => {
                self.core.disk_done(machine, sync.as_ref());
                self.kernel.requests.done(request);
            }
            EnvEvent::Stream(event) => self.kernel.streams.handle(event, &mut self.core),
        }
    }

    /// An event came to a machine that is down, or has no room for it.
    #[cold]
    fn knocked_in_vain(&mut self, event: EnvEvent) {
        if let EnvEvent::Stream(event) = event {
            knocked_in_vain(event, &mut self.core);
        }
    }

    /// A machine's process is dead: its sockets are closed, its streams' ends are no more. When `resets`, the operating system
    /// lives on and tells the peers.
    pub(super) fn close_all(&mut self, machine: u32, resets: bool) {
        self.kernel.close_all(machine, resets, &mut self.core);
    }

    /// Timers of a machine are due at other times.
    pub(super) fn rearm(&mut self, machine: u32) {
        let clock = self.core.machines[machine as usize].clock;
        let now = self.core.now;
        self.core.reschedule(machine, |event| match event {
            EnvEvent::Timer { machine: m, deadline_ns, .. } if *m == machine => {
                Some(clock.true_time(now, *deadline_ns))
            }
            _ => None,
        });
    }

    /// Whether it is the event of a timer that was cancelled: a slow machine loses no time over it.
    fn is_cancelled(&mut self, event: &EnvEvent) -> bool {
        matches!(event, EnvEvent::Timer { timer, serial, .. } if self.timers.get_mut(*timer, *serial).is_none())
    }
}

impl Carrier for Core<EnvEvent> {
    type Waiting = EnvEvent;

    fn state(&self) -> &State<EnvEvent> {
        self
    }

    fn state_mut(&mut self) -> &mut State<EnvEvent> {
        self
    }

    fn schedule(&mut self, at: u64, event: StreamEvent) {
        Core::schedule(self, at, EnvEvent::Stream(event));
    }
}

impl Layered for Sim {
    type Core = Core<EnvEvent>;

    #[inline(always)]
    fn core(&self) -> &Core<EnvEvent> {
        &self.core
    }

    #[inline(always)]
    fn core_mut(&mut self) -> &mut Core<EnvEvent> {
        &mut self.core
    }

    #[inline(always)]
    fn parts(&mut self) -> (&mut Core<EnvEvent>, &mut Kernel) {
        (&mut self.core, &mut self.kernel)
    }

    fn alive(&self, at: Place) -> bool {
        self.core.is_alive(at)
    }

    #[inline(always)]
    fn send(&mut self, from: Address, to: Address, payload: Payload) {
        let hash = datagram_hash(from.port, to.port, &payload);
        self.core.send(from.node.0, to.node.0, hash, || EnvEvent::Datagram { from, to, hash, payload });
    }

    fn start_task(&mut self, at: Place, task: LocalFuture) -> TaskKey {
        self.executor.spawn(at, task)
    }

    fn end_task(&mut self, task: TaskKey) -> Option<LocalFuture> {
        self.executor.end(task)
    }

    fn set_timer(&mut self, at: Place, deadline_ns: u64) -> TimerKey {
        let clock = &self.core.machines[at.machine as usize].clock;
        let due = clock.true_time(self.core.now, deadline_ns);
        let (timer, serial) = self.timers.insert(Timer { fired: false, waker: None });
        let incarnation = at.incarnation;
        let event = EnvEvent::Timer { machine: at.machine, incarnation, timer, serial, deadline_ns };
        self.core.schedule(due, event);
        TimerKey(timer, serial)
    }

    fn timer_polled(&mut self, timer: TimerKey, cx: &mut Context<'_>) -> Poll<()> {
        match self.timers.get_mut(timer.0, timer.1) {
            Some(t) if t.fired => Poll::Ready(()),
            Some(t) => {
                wait(&mut t.waker, cx);
                Poll::Pending
            }
            None => Poll::Pending,
        }
    }

    fn drop_timer(&mut self, timer: TimerKey) {
        // Its event, if it is still under way, finds nothing.
        self.timers.remove(timer.0, timer.1);
    }

    fn disk_works(&mut self, at: Place, request: DiskKey, sync: Option<Sync>, span_ns: u64) {
        let (machine, incarnation) = (at.machine, at.incarnation);
        let due = self.core.now.saturating_add(span_ns);
        self.core.schedule(due, EnvEvent::Disk { machine, incarnation, request, sync });
    }
}
