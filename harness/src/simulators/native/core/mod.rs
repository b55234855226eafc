//! What the two native hosts share: time, events, machines, network, faults, clients, digest and trace.

mod faults;
mod run;

use std::collections::VecDeque;

use squall_checkers::{history::EntryId, operation::Name, value::Value};
use squall_workloads::workload::Workload;

pub(super) use self::run::run;
use super::queue::Queue;
use crate::{
    environment::{Failed, Reply, image::DiskImage},
    plan::{FaultKind, NodeId, Plan, SECOND, fold, mix},
    simulators::{
        End, Execution, Options, PlanError, Statistics, Trace, TraceEvent, TraceKind,
        layer::{
            clients::{Action, Clients, Turn},
            clock::Clock,
            faults::{Condition, Faults, Observed},
            network::{Draw, Network},
        },
    },
};

/// Events at one instant of virtual time after which a system is said to spin.
pub(super) const EVENTS_PER_INSTANT_MAX: u64 = 1_000_000;
/// A process that ended by itself is started again after this long, as a supervisor would.
const RESTART_AFTER_NS: u64 = SECOND;
/// How long after the phases open operations, final reads and the rest of a script may take.
const OVERTIME_NS: u64 = 60 * SECOND;

/// What a host's own events can do.
pub(super) trait OwnEvent: Clone {
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
    Serve {
        node: u32,
        incarnation: u32,
    },
    Turn(Turn),
    /// The operation that has waited longest, if it is still open, has waited long enough.
    Timeout,
    FaultBegins(u32),
    FaultBeats(u32),
    FaultEnds(u32),
    Settle,
    FinalReads,
    Restart {
        node: u32,
        incarnation: u32,
    },
    Overtime,
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
    /// A client gave an operation up.
    fn abandon(&mut self, entry: EntryId);
    /// A machine stands still no longer.
    fn resume(&mut self, node: u32);
    /// A machine's clocks were changed: timers are due at other times.
    fn rearm(&mut self, node: u32);
    /// Runs what can run without time passing. False when it would never end.
    fn settle_instant(&mut self) -> bool;
}

/// One machine, replica or client.
pub(super) struct Machine<X> {
    pub(super) incarnation: u32,
    /// Whether its process runs.
    pub(super) up: bool,
    /// Down, paused or slow.
    hindered: bool,
    condition: Condition,
    pub(super) clock: Clock,
    pub(super) disk: DiskImage,
    pub(super) random: u64,
    /// Events that wait for a machine that stands still or is slow.
    backlog: VecDeque<X>,
    busy_until: u64,
    syncs: u64,
}

/// The shared state of a run.
pub(super) struct Core<X> {
    pub(super) now: u64,
    queue: Queue<Event<X>>,
    pub(super) nodes: u32,
    pub(super) machines: Vec<Machine<X>>,
    pub(super) network: Network,
    pub(super) faults: Faults,
    pub(super) clients: Clients,
    observed: Vec<Observed>,
    /// Deadlines of operations in the order of their invocation, which is that of their deadlines; the first has an event in
    /// the queue. Many are outstanding, few run out: one event for all keeps the queue short.
    timeouts: VecDeque<(u64, EntryId)>,
    timeout_ns: u64,
    actions: Vec<Action>,
    digest: u64,
    pub(super) statistics: Statistics,
    trace: Option<Trace>,
    /// Events so far at this instant.
    at_instant: u64,
    /// The machine whose code runs, for panics.
    pub(super) running: Option<u32>,
    /// The phases are over, and the final reads wait for the last operations.
    settled: bool,
    overtime: bool,
}

impl<X: OwnEvent> Core<X> {
    pub(super) fn new(plan: &Plan, workload: &'static dyn Workload, options: Options) -> Result<Self, PlanError> {
        plan.validate().map_err(|error| PlanError::Invalid { what: error.to_string() })?;
        let nodes = plan.cluster.nodes;
        let machines = nodes + plan.cluster.clients;
        let machine = |i: u32| Machine {
            incarnation: 0,
            up: i >= nodes,
            hindered: i < nodes,
            condition: Condition::default(),
            clock: Clock::default(),
            disk: DiskImage::default(),
            random: mix(plan.seed, 0x4D41_4348 ^ u64::from(i) << 32),
            backlog: VecDeque::new(),
            busy_until: 0,
            syncs: 0,
        };
        let mut core = Core {
            now: 0,
            queue: Queue::new(),
            nodes,
            machines: (0..machines).map(machine).collect(),
            network: Network::new(plan.seed, machines, plan.cluster.latency),
            faults: Faults::new(plan.seed, nodes, &plan.faults),
            clients: Clients::new(plan, workload)?,
            observed: vec![Observed::new(); nodes as usize],
            timeouts: VecDeque::new(),
            timeout_ns: plan.workload.timeout_ns,
            actions: Vec::new(),
            digest: plan.seed,
            statistics: Statistics::default(),
            trace: options.trace.then(Trace::default),
            at_instant: 0,
            running: None,
            settled: false,
            overtime: false,
        };
        let schedule: Vec<_> = core.faults.schedule().collect();
        for (index, begins, ends) in schedule {
            core.put(begins, Event::FaultBegins(index as u32));
            core.put(ends, Event::FaultEnds(index as u32));
        }
        let settled = plan.phases.chaos_ns + plan.phases.settle_ns;
        core.put(plan.phases.chaos_ns, Event::Settle);
        core.put(settled, Event::FinalReads);
        core.put(settled.saturating_add(OVERTIME_NS), Event::Overtime);
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

    /// Goes on to the time of an event; returns how many others there were at it.
    #[inline]
    fn arrive(&mut self, time: u64) -> u64 {
        self.at_instant = if time == self.now { self.at_instant + 1 } else { 0 };
        self.now = time;
        self.at_instant
    }

    /// Folds an event into the digest. `what` tells its kind and place, `content` the rest.
    #[inline]
    pub(super) fn digest(&mut self, what: u64, content: u64) {
        self.statistics.events += 1;
        self.digest = fold(self.digest ^ what ^ self.now.rotate_left(17), content ^ 0x9E37_79B9_7F4A_7C15) ^ what;
    }

    /// Keeps an event for the trace, if there is one.
    #[inline]
    pub(super) fn trace(&mut self, node: Option<u32>, what: impl FnOnce() -> TraceKind) {
        if let Some(trace) = &mut self.trace {
            let node = node.map(NodeId);
            trace.events.push(TraceEvent { time_ns: self.now, digest: self.digest, node, what: what() });
        }
    }

    /// Whether there is a trace.
    #[inline]
    pub(super) fn traces(&self) -> bool {
        self.trace.is_some()
    }

    /// Sends a message with this content from machine to machine. Its event is made where it is needed, so that on the common
    /// path it goes straight to its place in the queue.
    #[inline(always)]
    pub(super) fn send(&mut self, from: u32, to: u32, content: u64, event: impl FnOnce() -> X) {
        let draw = self.network.draw(from, to, content);
        if draw.faulted || self.trace.is_some() {
            self.send_faulted(from, to, &draw, event());
        } else {
            self.queue.push_with(self.now + draw.delay, || Event::Own(event()));
        }
    }

    #[cold]
    fn send_faulted(&mut self, from: u32, to: u32, draw: &Draw, event: X) {
        let Self { network, faults, now, .. } = self;
        let fate = network.fate(draw, from, to, *now, |index| faults.touched(index as usize, 1));
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

    /// Whether a machine is down, stands still or is slow, so that [`Core::admit`] has to be asked.
    #[inline]
    pub(super) fn is_hindered(&self, node: u32) -> bool {
        self.machines[node as usize].hindered
    }

    /// Whether a hindered machine takes an event now. Otherwise the event is kept for later, or gone with the machine.
    pub(super) fn admit(&mut self, node: u32, event: X) -> Option<X> {
        let now = self.now;
        let machine = &mut self.machines[node as usize];
        if !machine.up {
            return None;
        }
        if machine.condition.paused {
            machine.backlog.push_back(event);
            self.faults.touched_on(NodeId(node), 1, |kind| matches!(kind, FaultKind::Pause));
            return None;
        }
        if machine.condition.service_ns > 0 {
            self.faults.touched_on(NodeId(node), 1, |kind| matches!(kind, FaultKind::Slow { .. }));
            if machine.busy_until > now || !machine.backlog.is_empty() {
                machine.backlog.push_back(event);
                return None;
            }
            self.take_turn(node);
        }
        Some(event)
    }

    /// A slow machine takes an event: it is busy for a while, then takes the next.
    fn take_turn(&mut self, node: u32) {
        let machine = &mut self.machines[node as usize];
        machine.busy_until = self.now + machine.condition.service_ns;
        let (at, incarnation) = (machine.busy_until, machine.incarnation);
        self.put(at, Event::Serve { node, incarnation });
    }

    /// The next event that waits for a slow machine.
    fn serve(&mut self, node: u32, incarnation: u32) -> Option<X> {
        let now = self.now;
        let machine = &mut self.machines[node as usize];
        let over = machine.incarnation != incarnation || machine.condition.service_ns == 0;
        if over || machine.condition.paused || machine.busy_until > now {
            return None;
        }
        let event = machine.backlog.pop_front()?;
        self.take_turn(node);
        Some(event)
    }

    /// Whether a machine's tasks may run.
    #[inline]
    pub(super) fn may_run(&self, node: u32) -> bool {
        let machine = &self.machines[node as usize];
        !machine.hindered || (machine.up && !machine.condition.paused)
    }

    /// A machine's clock was read, or a timer was set on it: clock faults on it have an effect.
    #[inline]
    pub(super) fn clock_read(&mut self, node: u32) {
        if self.machines[node as usize].condition.clock {
            self.faults.touched_on(NodeId(node), 1, |kind| {
                matches!(
                    kind,
                    FaultKind::ClockOffset { .. }
                        | FaultKind::ClockDrift { .. }
                        | FaultKind::ClockJumps { .. }
                        | FaultKind::ClockStrobe { .. }
                )
            });
        }
    }

    /// How long a disk request on this machine takes, in nanoseconds.
    pub(super) fn disk_latency_ns(&mut self, node: u32, base_ns: u64) -> u64 {
        let delay = self.machines[node as usize].condition.disk_delay_ns;
        if delay > 0 {
            self.faults.touched_on(NodeId(node), 1, |kind| matches!(kind, FaultKind::DiskSlow { .. }));
        }
        base_ns + delay
    }

    /// Whether the next sync on this machine fails.
    pub(super) fn sync_fails(&mut self, node: u32) -> bool {
        let machine = &mut self.machines[node as usize];
        machine.syncs += 1;
        let number = machine.syncs;
        machine.condition.sync_error && self.faults.sync_fails(NodeId(node), number)
    }

    /// Counts writes that a full disk refused.
    #[inline]
    pub(super) fn count_refused(&mut self, node: u32) {
        if !self.machines[node as usize].condition.disk_full {
            return;
        }
        let refused = self.machines[node as usize].disk.take_refused();
        if refused > 0 {
            self.faults.touched_on(NodeId(node), refused, |kind| matches!(kind, FaultKind::DiskFull));
        }
    }

    /// A node showed something of its state.
    pub(super) fn observe(&mut self, node: u32, key: Name, value: Value) {
        let Some(observed) = self.observed.get_mut(node as usize) else { return };
        if observed.get(&key) == Some(&value) {
            return;
        }
        observed.insert(key.clone(), value.clone());
        self.trace(Some(node), || TraceKind::Observed { key, value });
    }

    /// An operation came to an end.
    #[inline]
    pub(super) fn complete(&mut self, entry: EntryId, result: Result<Reply, Failed>) -> bool {
        if !self.clients.is_open(entry) {
            return false;
        }
        if self.trace.is_some() {
            let operation = self.clients.operation(entry).to_string();
            let client = self.nodes + self.clients.session(entry).client;
            let text = match &result {
                Ok(reply) => format!("{operation} -> {reply}"),
                Err(error) => format!("{operation} -> {error}"),
            };
            self.trace(Some(client), || TraceKind::Client { text });
        }
        let mut actions = std::mem::take(&mut self.actions);
        let completed = self.clients.complete(entry, result, self.now, &mut actions);
        for action in actions.drain(..) {
            match action {
                Action::Schedule(at, turn) => {
                    self.put(at, Event::Turn(turn));
                }
                Action::Invoke(_) => unreachable!("an operation that ends invokes no other"),
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
        self.statistics.halts += 1;
        self.digest(0xB << 60 | u64::from(node), 0);
        self.trace(Some(node), || TraceKind::Process { text: format!("ended by itself: {why}") });
        self.take_down(node);
        let incarnation = self.machines[node as usize].incarnation;
        self.put(self.now + RESTART_AFTER_NS, Event::Restart { node, incarnation });
    }

    fn take_down(&mut self, node: u32) {
        let machine = &mut self.machines[node as usize];
        machine.up = false;
        machine.hindered = true;
        machine.incarnation += 1;
        machine.backlog.clear();
        machine.busy_until = 0;
        self.observed[node as usize].clear();
    }

    fn bring_up(&mut self, node: u32) {
        let machine = &mut self.machines[node as usize];
        machine.up = true;
        machine.hindered = machine.condition.paused || machine.condition.service_ns > 0;
    }

    fn take_backlog(&mut self, node: u32) -> VecDeque<X> {
        self.machines[node as usize].busy_until = 0;
        std::mem::take(&mut self.machines[node as usize].backlog)
    }

    fn finish(mut self, end: End) -> Execution {
        self.statistics.simulated_ns = self.now;
        let (history, processes) = self.clients.finish();
        Execution {
            history,
            digest: self.digest,
            statistics: self.statistics,
            faults: self.faults.finish(),
            processes,
            end,
            trace: self.trace,
        }
    }
}
