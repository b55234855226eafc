//! What the two native hosts share: the run's state, and what is due when.

mod faults;
mod run;

use std::{
    collections::VecDeque,
    ops::{Deref, DerefMut},
};

use squall_checkers::history::EntryId;
use squall_workloads::workload::Workload;

pub(super) use self::run::run;
use super::queue::Queue;
use crate::{
    environment::{Change, Failed, Reply, world::Place},
    plan::{NodeId, Plan},
    simulators::{
        End, Execution, Options, PlanError, TraceKind,
        layer::{
            clients::{Action, Turn},
            machine::Caller,
            network::Draw,
            physics::RESTART_AFTER_NS,
            state::{Admission, Due, State},
        },
    },
};

/// Events and turns of tasks at one instant of virtual time after which a system is said to spin.
const EVENTS_PER_INSTANT_MAX: u64 = 1_000_000;

/// What a host's own events can do.
pub(super) trait OwnEvent: Caller + Clone {
    /// The event with bits flipped; `None` when the result does not decode.
    fn damaged(&self, hash: u64) -> Option<Self>;
    /// For traces.
    fn describe(&self) -> String;
}

/// An event of a run.
enum Event<X> {
    /// The host's own.
    Own(X),
    /// A slow machine is done with one event and takes the next.
    Serve(Place),
    Turn(Turn),
    /// The operation that has waited longest, if it is still open, has waited long enough.
    Timeout,
    /// A process that ended by itself is started again.
    Restart(Place),
    Due(Due),
}

/// A way to run a system's code over a core.
pub(super) trait Host {
    type Own: OwnEvent;
    /// The core; user code must not run while it is borrowed.
    fn core<R>(&mut self, call: impl FnOnce(&mut Core<Self::Own>) -> R) -> R;
    /// One of the host's own events; `admitted` when its machine has let it in already.
    fn own(&mut self, event: Self::Own, admitted: bool);
    /// A replica's process starts.
    fn start(&mut self, node: u32);
    /// A replica's process dies. Its incarnation has been counted up.
    fn stop(&mut self, node: u32);
    /// A client does an operation.
    fn invoke(&mut self, entry: EntryId);
    /// The admin asks for a change of members.
    fn reconfigure(&mut self, request: EntryId, change: Change);
    /// A client gave an operation up, or the admin a request.
    fn abandon(&mut self, entry: EntryId);
    /// A machine stands still no longer.
    fn resume(&mut self, node: u32);
    /// A machine's clocks were changed: timers are due at other times.
    fn rearm(&mut self, node: u32);
    /// Runs what can run without time passing. False when it would never end.
    fn settle_instant(&mut self) -> bool;
}

/// A run's state, and what is due when.
pub(super) struct Core<X> {
    state: State<X>,
    queue: Queue<Event<X>>,
    /// Deadlines of operations in the order of their invocation, which is that of their deadlines; the first has an event in
    /// the queue. Many are outstanding, few run out: one event for all keeps the queue short.
    timeouts: VecDeque<(u64, EntryId)>,
    actions: Vec<Action>,
    /// Events so far at this instant, and turns of tasks.
    at_instant: u64,
    /// The phases are over, and the final reads wait for the last operations.
    settled: bool,
    overtime: bool,
}

impl<X> Deref for Core<X> {
    type Target = State<X>;

    #[inline(always)]
    fn deref(&self) -> &State<X> {
        &self.state
    }
}

impl<X> DerefMut for Core<X> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut State<X> {
        &mut self.state
    }
}

impl<X: OwnEvent> Core<X> {
    pub(super) fn new(plan: &Plan, workload: &'static dyn Workload, options: Options) -> Result<Self, PlanError> {
        let state = State::new(plan, workload, options)?;
        let timetable = state.timetable(plan);
        let mut core = Core {
            state,
            queue: Queue::new(),
            timeouts: VecDeque::new(),
            actions: Vec::new(),
            at_instant: 0,
            settled: false,
            overtime: false,
        };
        for (at, due) in timetable {
            core.put(at, Event::Due(due));
        }
        Ok(core)
    }

    #[inline(always)]
    fn put(&mut self, at: u64, event: Event<X>) {
        self.queue.push(at.max(self.now), event);
    }

    /// Schedules one of the host's own events.
    #[inline(always)]
    pub(super) fn schedule(&mut self, at: u64, event: X) {
        self.put(at, Event::Own(event));
    }

    /// Gives all of the host's own events that have a time by `due`, timers of `node` whose clock was changed, this new time.
    pub(super) fn reschedule(&mut self, node: u32, due: impl Fn(&X) -> Option<u64>) {
        let is_due = |event: &Event<X>| matches!(event, Event::Own(own) if due(own).is_some());
        for event in self.queue.extract(is_due) {
            if let Event::Own(own) = event
                && let Some(at) = due(&own)
            {
                // That is an effect, even if nobody looks at the clock.
                self.clock_read(node);
                self.schedule(at, own);
            }
        }
    }

    /// Whether the phases are over, and no operation is open.
    #[inline]
    fn is_quiet(&self) -> bool {
        self.settled && self.clients.idle()
    }

    /// Goes on to the next event. `None` when there is nothing to do before the final reads, or the system spins.
    #[inline(always)]
    fn next(&mut self) -> Option<Event<X>> {
        if self.is_quiet() || self.spins() {
            return None;
        }
        let (time, event) = self.queue.pop()?;
        self.at_instant = if time == self.now { self.at_instant + 1 } else { 0 };
        self.now = time;
        self.stamp = time;
        Some(event)
    }

    /// Counts what happens at this instant beside its events; true when the system spins.
    #[inline(always)]
    pub(super) fn count_one(&mut self) -> bool {
        self.at_instant += 1;
        self.spins()
    }

    /// Whether so much has happened at this instant that time will never go on.
    #[inline(always)]
    fn spins(&self) -> bool {
        self.at_instant > EVENTS_PER_INSTANT_MAX
    }

    /// Sends a message with this content from machine to machine. Its event is made where it is needed, so that on the common
    /// path it goes straight to its place in the queue.
    #[inline(always)]
    pub(super) fn send(&mut self, from: u32, to: u32, content: u64, event: impl FnOnce() -> X) {
        let draw = self.network.draw(from, to, content);
        if draw.faulted || self.traces() {
            self.send_faulted(from, to, &draw, event());
        } else {
            self.queue.push_with(self.state.now + draw.delay, || Event::Own(event()));
        }
    }

    #[cold]
    fn send_faulted(&mut self, from: u32, to: u32, draw: &Draw, event: X) {
        let fate = self.fate(draw, from, to);
        let arrives_ns = fate.delay.map(|d| self.now.saturating_add(d));
        let fault = fate.fault.map(|index| self.faults.fault(index as usize).id);
        self.trace(Some(from), || TraceKind::Sent { to: NodeId(to), text: event.describe(), arrives_ns, fault });
        let damaged = match fate.damage {
            Some(hash) => event.damaged(hash),
            None => Some(event),
        };
        let Some(event) = damaged else { return };
        if let Some(delay) = fate.duplicate {
            self.schedule(self.now.saturating_add(delay), event.clone());
        }
        if let Some(at) = arrives_ns {
            self.schedule(at, event);
        }
    }

    /// Whether a hindered machine takes an event now.
    pub(super) fn admit(&mut self, node: u32, event: X) -> Admission<X> {
        let Self { state, queue, .. } = self;
        state.admit(node, event, |place, at| queue.push(at, Event::Serve(place)))
    }

    /// The next event that waits for a slow machine.
    fn serve(&mut self, at: Place) -> Option<X> {
        let now = self.now;
        let (event, busy_until) = self.machines[at.machine as usize].serve(now, at.incarnation)?;
        self.put(busy_until, Event::Serve(at));
        Some(event)
    }

    /// An operation came to an end.
    #[inline]
    pub(super) fn complete(&mut self, entry: EntryId, result: Result<Reply, Failed>) -> bool {
        let mut actions = std::mem::take(&mut self.actions);
        let completed = self.state.complete(entry, result, &mut actions);
        for action in actions.drain(..) {
            match action {
                Action::Schedule(at, turn) => {
                    self.put(at, Event::Turn(turn));
                }
                Action::Invoke(_) | Action::Ask(_) | Action::GiveUp(_) => {
                    unreachable!("what ends begins nothing else at once")
                }
            }
        }
        self.actions = actions;
        completed
    }

    /// An operation begins: it will time out.
    fn begin_timeout(&mut self, entry: EntryId) {
        let deadline = self.now.saturating_add(self.timeout_ns);
        if self.timeouts.is_empty() {
            self.put(deadline, Event::Timeout);
        }
        self.timeouts.push_back((deadline, entry));
    }

    /// The next operation that has waited too long, if there is one now.
    fn next_timeout(&mut self) -> Option<EntryId> {
        while let Some(&(deadline, entry)) = self.timeouts.front() {
            let open = self.clients.is_open(entry);
            if open && deadline > self.now {
                self.put(deadline, Event::Timeout);
                return None;
            }
            self.timeouts.pop_front();
            if open {
                return Some(entry);
            }
        }
        None
    }

    /// A process that ended by itself is down, and will be started again.
    pub(super) fn halted(&mut self, node: u32, why: &str) {
        let place = self.state.halted(node, why);
        self.put(self.now + RESTART_AFTER_NS, Event::Restart(place));
    }

    fn finish(self, end: End) -> Execution {
        self.state.finish(end)
    }
}
