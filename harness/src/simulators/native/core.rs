//! What the two native hosts share: time, events, machines, network, faults, clients, digest and trace.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
};

use squall_checkers::{
    history::{EntryId, MarkKind},
    operation::Name,
    value::Value,
};
use squall_workloads::workload::Workload;

use super::{queue::Queue, slab::Slab};
use crate::{
    environment::{Failed, Reply, image::DiskImage},
    plan::{FaultKind, NodeId, Plan, SECOND, fold, mix},
    simulators::{
        End, Execution, Options, PlanError, Statistics, Trace, TraceEvent, TraceKind,
        layer::{
            clients::{Action, Clients, Turn},
            clock::Clock,
            faults::{Condition, Faults, Observed},
            network::Network,
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
    Timeout(EntryId),
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
    /// Cancelled.
    Nothing,
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
    /// Whether [`Core::admit`] has to look closer.
    attention: bool,
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
    queue: Queue,
    events: Slab<Event<X>>,
    pub(super) nodes: u32,
    pub(super) machines: Vec<Machine<X>>,
    pub(super) network: Network,
    pub(super) faults: Faults,
    pub(super) clients: Clients,
    observed: Vec<Observed>,
    timeouts: Vec<u32>,
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
            attention: i < nodes,
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
            events: Slab::new(),
            nodes,
            machines: (0..machines).map(machine).collect(),
            network: Network::new(plan.seed, machines, plan.cluster.latency),
            faults: Faults::new(plan.seed, nodes, &plan.faults),
            clients: Clients::new(plan, workload)?,
            observed: vec![Observed::new(); nodes as usize],
            timeouts: Vec::new(),
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

    #[inline]
    fn put(&mut self, at: u64, event: Event<X>) -> u32 {
        let slot = self.events.insert(event);
        self.queue.push(at.max(self.now), slot);
        slot
    }

    /// Schedules one of the host's own events; returns its slot, valid until it happens.
    #[inline]
    pub(super) fn schedule(&mut self, at: u64, event: X) -> u32 {
        self.put(at, Event::Own(event))
    }

    /// Cancels an event of the host's own. Its slot may have gone to another event meanwhile, so `is_it` has the last word.
    #[inline]
    pub(super) fn cancel(&mut self, slot: u32, is_it: impl FnOnce(&X) -> bool) {
        if let Some(event) = self.events.get_mut(slot)
            && let Event::Own(own) = event
            && is_it(own)
        {
            *event = Event::Nothing;
        }
    }

    /// Takes out all of the host's own events that `due` gives a new time, and schedules them anew; `moved` learns of the
    /// new slots.
    pub(super) fn reschedule(&mut self, due: impl Fn(&X) -> Option<u64>, mut moved: impl FnMut(&X, u32)) {
        let mut again = Vec::new();
        for (_, event) in self.events.iter_mut() {
            if let Event::Own(own) = event
                && let Some(at) = due(own)
                && let Event::Own(own) = std::mem::replace(event, Event::Nothing)
            {
                again.push((at, own));
            }
        }
        for (at, own) in again {
            let slot = self.schedule(at, own.clone());
            moved(&own, slot);
        }
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

    /// Sends a message with this content from machine to machine.
    #[inline]
    pub(super) fn send(&mut self, from: u32, to: u32, content: u64, event: X) {
        let draw = self.network.draw(from, to, content);
        if draw.faulted || self.trace.is_some() {
            let Self { network, faults, now, .. } = self;
            let fate = network.fate(&draw, from, to, *now, |index| faults.touched(index as usize, 1));
            let arrives_ns = fate.delay.map(|d| self.now.saturating_add(d));
            let id = fate.fault.map(|index| self.faults.fault(index as usize).id);
            self.trace(Some(from), || TraceKind::Sent {
                to: NodeId(to),
                text: event.describe(),
                arrives_ns,
                fault: id,
            });
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
            return;
        }
        self.schedule(self.now + draw.delay, event);
    }

    /// Whether a machine takes an event now. Otherwise the event is kept for later, or gone with the machine.
    #[inline]
    pub(super) fn admit(&mut self, node: u32, event: X) -> Option<X> {
        if self.machines[node as usize].attention { self.admit_closer(node, event) } else { Some(event) }
    }

    #[cold]
    fn admit_closer(&mut self, node: u32, event: X) -> Option<X> {
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
        !machine.attention || (machine.up && !machine.condition.paused)
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
        if let Some(event) = self.events.get_mut(self.timeouts[entry])
            && matches!(event, Event::Timeout(of) if *of == entry)
        {
            *event = Event::Nothing;
        }
        completed
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
        machine.attention = true;
        machine.incarnation += 1;
        machine.backlog.clear();
        machine.busy_until = 0;
        self.observed[node as usize].clear();
    }

    fn bring_up(&mut self, node: u32) {
        let machine = &mut self.machines[node as usize];
        machine.up = true;
        machine.attention = machine.condition.paused || machine.condition.service_ns > 0;
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

/// Runs a host to the end of its plan. Panics of user code end the run, with all that was seen so far.
pub(super) fn run<H: Host>(mut host: H, into_core: impl FnOnce(H) -> Core<H::Own>) -> Execution {
    let looped = catch_unwind(AssertUnwindSafe(|| main_loop(&mut host)));
    let (node, at_ns, events) = host.core(|c| (c.running.map(NodeId), c.now, c.at_instant));
    let end = match looped {
        Ok(true) => End::Completed,
        Ok(false) => End::Spun { node, at_ns, events },
        Err(payload) => End::Panicked { node, message: message_of(payload.as_ref()), at_ns },
    };
    into_core(host).finish(end)
}

/// What a panic said.
fn message_of(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|s| (*s).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without a message".to_owned())
}

/// True when the plan came to its end, false when the system span.
fn main_loop<H: Host>(host: &mut H) -> bool {
    for node in 0..host.core(|c| c.nodes) {
        start(host, node);
    }
    let actions = host.core(|c| c.clients.start());
    perform(host, actions);
    loop {
        if !host.settle_instant() {
            return false;
        }
        if host.core(|c| c.settled && c.clients.idle()) && !final_reads(host) {
            return true;
        }
        let next = host.core(|c| {
            let (time, slot) = c.queue.pop()?;
            debug_assert!(time >= c.now);
            if time == c.now {
                c.at_instant += 1;
            } else {
                c.now = time;
                c.at_instant = 0;
            }
            Some((c.events.remove(slot), c.at_instant))
        });
        let Some((event, at_instant)) = next else { return true };
        if at_instant > EVENTS_PER_INSTANT_MAX {
            return false;
        }
        match event {
            Event::Own(own) => host.own(own, false),
            Event::Serve { node, incarnation } => {
                if let Some(own) = host.core(|c| c.serve(node, incarnation)) {
                    host.own(own, true);
                }
            }
            Event::Nothing => {}
            other => {
                if !shared(host, &other) {
                    return true;
                }
            }
        }
    }
}

/// An event of the core's own. False when the run is over.
fn shared<H: Host>(host: &mut H, event: &Event<H::Own>) -> bool {
    match *event {
        Event::Turn(turn) => {
            let actions = host.core(|c| {
                let mut actions = std::mem::take(&mut c.actions);
                c.clients.turn(turn, c.now, &mut actions);
                actions
            });
            let actions = perform(host, actions);
            host.core(|c| c.actions = actions);
        }
        Event::Timeout(entry) => {
            let open = host.core(|c| {
                c.digest(0x6 << 60, entry as u64);
                c.clients.is_open(entry)
            });
            if open {
                host.abandon(entry);
                host.core(|c| c.complete(entry, Err(Failed::Unknown("timed out".to_owned()))));
            }
        }
        Event::FaultBegins(index) => fault_begins(host, index as usize),
        Event::FaultBeats(index) => fault_beats(host, index as usize),
        Event::FaultEnds(index) => fault_ends(host, index as usize),
        Event::Settle => host.core(|c| {
            c.digest(0x9 << 60, 1);
            c.clients.settle(c.now);
        }),
        Event::FinalReads => host.core(|c| c.settled = true),
        Event::Restart { node, incarnation } => {
            let due = host.core(|c| {
                let machine = &c.machines[node as usize];
                machine.incarnation == incarnation && !machine.up && !machine.condition.down
            });
            if due {
                start(host, node);
            }
        }
        Event::Overtime => host.core(|c| c.overtime = true),
        Event::Own(..) | Event::Serve { .. } | Event::Nothing => unreachable!("handled by the loop"),
    }
    host.core(|c| !c.overtime)
}

/// Every replica is read once the phases are over and all operations are complete: what is still under way would otherwise be
/// concurrent with the final reads, and they would prove nothing. False when that was done, and the run is over.
fn final_reads<H: Host>(host: &mut H) -> bool {
    let actions = host.core(|c| {
        c.digest(0x9 << 60, 2);
        c.clients.next_final_reads(c.now)
    });
    let Some(actions) = actions else { return false };
    perform(host, actions);
    true
}

/// Does what the clients ask for; returns the emptied list for reuse.
fn perform<H: Host>(host: &mut H, mut actions: Vec<Action>) -> Vec<Action> {
    for action in actions.drain(..) {
        match action {
            Action::Schedule(at, turn) => {
                host.core(|c| c.put(at, Event::Turn(turn)));
            }
            Action::Invoke(entry) => {
                host.core(|c| {
                    c.digest(0x7 << 60, entry as u64);
                    if c.trace.is_some() {
                        let text = c.clients.operation(entry).to_string();
                        let client = c.nodes + c.clients.session(entry).client;
                        c.trace(Some(client), || TraceKind::Client { text });
                    }
                    let timeout = c.put(c.now + c.timeout_ns, Event::Timeout(entry));
                    debug_assert_eq!(entry, c.timeouts.len(), "entries are numbered in order");
                    c.timeouts.push(timeout);
                });
                host.invoke(entry);
            }
        }
    }
    actions
}

fn start<H: Host>(host: &mut H, node: u32) {
    host.core(|c| {
        c.bring_up(node);
        let incarnation = c.machines[node as usize].incarnation;
        c.digest(0xA << 60 | u64::from(node), u64::from(incarnation));
        c.trace(Some(node), || TraceKind::Process { text: "starts".to_owned() });
    });
    host.start(node);
}

#[cold]
fn fault_begins<H: Host>(host: &mut H, index: usize) {
    let (kind, nodes, hash) = host.core(|c| {
        c.digest(0x8 << 60 | (index as u64) << 1, 0);
        let observed = std::mem::take(&mut c.observed);
        c.faults.begin(index, &observed);
        c.observed = observed;
        let fault = c.faults.fault(index).clone();
        let nodes = c.faults.struck(index).to_vec();
        let text = fault.to_string();
        c.clients.mark(MarkKind::FaultBegins(fault.id, text.clone()), c.now);
        c.trace(None, || TraceKind::Fault { id: fault.id, text: format!("begins: {text}, on {nodes:?}") });
        let hash = c.faults.hash(index);
        c.network.begin(index as u32, &fault, &nodes, c.nodes, c.now, hash);
        if let Some(beat) = c.faults.beat_ns(index) {
            c.put(c.now + beat, Event::FaultBeats(index as u32));
        }
        (fault.kind, nodes, hash)
    });
    for node in nodes {
        match kind {
            FaultKind::Crash { .. } | FaultKind::Wipe => {
                let was_up = host.core(|c| {
                    let was_up = c.machines[node.0 as usize].up;
                    c.take_down(node.0);
                    c.trace(Some(node.0), || TraceKind::Process { text: "is killed".to_owned() });
                    was_up
                });
                if was_up {
                    host.stop(node.0);
                }
                host.core(|c| {
                    let disk = &mut c.machines[node.0 as usize].disk;
                    let lost = match kind {
                        FaultKind::Crash { loss } => disk.lose_power(loss, mix(hash, u64::from(node.0))),
                        _ => {
                            disk.wipe();
                            1
                        }
                    };
                    c.faults.touched(index, lost + u64::from(was_up));
                });
            }
            FaultKind::BitRot { bits } => host.core(|c| {
                for bit in 0..bits {
                    let draw = mix(mix(hash, u64::from(node.0)), u64::from(bit));
                    if let Some((file, at)) = c.machines[node.0 as usize].disk.rot(draw) {
                        c.faults.touched(index, 1);
                        c.trace(Some(node.0), || TraceKind::Disk { text: format!("byte {at} of {file} rots") });
                    }
                }
            }),
            _ => {}
        }
        refresh(host, node.0);
    }
}

#[cold]
fn fault_beats<H: Host>(host: &mut H, index: usize) {
    let Some(skip) = host.core(|c| c.faults.beat(index)) else { return };
    let nodes = host.core(|c| {
        let beat = c.faults.beat_ns(index).unwrap_or(u64::MAX);
        c.digest(0x8 << 60 | (index as u64) << 1, 2 + skip);
        c.put(c.now.saturating_add(beat), Event::FaultBeats(index as u32));
        c.faults.struck(index).to_vec()
    });
    for node in nodes {
        if skip > 0 {
            host.core(|c| c.machines[node.0 as usize].clock.skip(c.now, skip));
            host.rearm(node.0);
        }
        refresh(host, node.0);
    }
}

#[cold]
fn fault_ends<H: Host>(host: &mut H, index: usize) {
    let nodes = host.core(|c| {
        c.digest(0x8 << 60 | (index as u64) << 1, 1);
        let (id, text) = (c.faults.fault(index).id, c.faults.fault(index).to_string());
        c.clients.mark(MarkKind::FaultEnds(id), c.now);
        c.trace(None, || TraceKind::Fault { id, text: format!("ends: {text}") });
        c.faults.end(index);
        c.network.end(index as u32);
        c.faults.struck(index).to_vec()
    });
    for node in nodes {
        refresh(host, node.0);
    }
}

/// Brings a machine in line with what the active faults ask of it.
fn refresh<H: Host>(host: &mut H, node: u32) {
    let (before, after) = host.core(|c| {
        let after = c.faults.condition(NodeId(node));
        let now = c.now;
        let machine = &mut c.machines[node as usize];
        let before = std::mem::replace(&mut machine.condition, after);
        machine.attention = !machine.up || after.paused || after.service_ns > 0;
        machine.disk.set_full(after.disk_full);
        machine.clock.set_offset(after.offset_ns);
        if after.ppb != before.ppb {
            machine.clock.set_rate(now, after.ppb);
        }
        (before, after)
    });
    if after.ppb != before.ppb {
        host.rearm(node);
    }
    if (before.paused && !after.paused) || (before.service_ns > 0 && after.service_ns == 0) {
        for event in host.core(|c| c.take_backlog(node)) {
            host.core(|c| c.schedule(c.now, event));
        }
        host.resume(node);
    }
    let start_again = host.core(|c| before.down && !after.down && !c.machines[node as usize].up);
    if start_again {
        start(host, node);
    }
}
