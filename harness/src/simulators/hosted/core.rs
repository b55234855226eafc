//! What a run in another runtime keeps: its time, what is due when, machines, network, faults, clients, digest and trace.

use std::{collections::BTreeMap, task::Waker};

use squall_checkers::{history::EntryId, operation::Name, value::Value};
use squall_workloads::workload::Workload;

use super::{
    machines::{DiskDone, Machine},
    streams::Wire,
};
use crate::{
    environment::{Address, Failed, Reply, world::Place},
    plan::{NodeId, Plan, fold},
    simulators::{
        End, Execution, Options, PlanError, Statistics, Trace, TraceEvent, TraceKind,
        layer::{
            clients::{Action, Clients, Turn},
            faults::{Faults, Observed},
            network::Network,
            payload::shown,
            physics::{OVERTIME_NS, flip},
            streams::StreamEvent,
        },
    },
};

/// Something that is due at a certain time.
pub(super) enum Event {
    Turn(Turn),
    Timeout(EntryId),
    FaultBegins(usize),
    FaultBeats(usize),
    FaultEnds(usize),
    Settle,
    FinalReads,
    Overtime,
    /// A process that ended by itself is started again.
    Restart(Place),
    /// A slow machine is done with one arrival and takes the next.
    Serve(Place),
    /// A datagram is handed to the runtime.
    Departs {
        from: u32,
        to: u32,
        bytes: Vec<u8>,
    },
    /// A disk is done with a request.
    Disk(DiskDone),
    Stream(StreamEvent),
}

/// The state of a run that no runtime has a part in.
pub(super) struct Core {
    /// True time as the calling task's host has it. Hosts may run one after the other through the same span of time.
    pub(super) now: u64,
    /// The latest time of any host: what is recorded is in the order in which it happened, so its times never go back.
    latest: u64,
    /// The time of the last thing the conductor did: no host is earlier.
    floor: u64,
    pub(super) agenda: BTreeMap<(u64, u64), Event>,
    serial: u64,
    /// Who does what is due, and until when it sleeps.
    pub(super) conductor: Option<Waker>,
    pub(super) sleeps_until: u64,
    pub(super) nodes: u32,
    pub(super) machines: Vec<Machine>,
    pub(super) network: Network,
    pub(super) faults: Faults,
    pub(super) clients: Clients,
    /// The runtime's streams, by ours.
    pub(super) wires: BTreeMap<(u32, u32), Wire>,
    pub(super) observed: Vec<Observed>,
    timeout_ns: u64,
    transit_ns: u64,
    digest: u64,
    pub(super) statistics: Statistics,
    trace: Option<Trace>,
    /// The machine whose code runs.
    pub(super) running: Option<u32>,
    /// How the run ended before its time.
    pub(super) ended: Option<End>,
}

impl Core {
    pub(super) fn new(
        plan: &Plan,
        workload: &'static dyn Workload,
        options: Options,
        transit_ns: u64,
    ) -> Result<Self, PlanError> {
        plan.validate().map_err(|error| PlanError::Invalid { what: error.to_string() })?;
        let nodes = plan.cluster.nodes;
        let machines = nodes + plan.cluster.clients;
        let mut core = Core {
            now: 0,
            latest: 0,
            floor: 0,
            agenda: BTreeMap::new(),
            serial: 0,
            conductor: None,
            sleeps_until: u64::MAX,
            nodes,
            machines: (0..machines).map(|i| Machine::new(plan.seed, i, nodes)).collect(),
            network: Network::new(plan.seed, machines, plan.cluster.latency),
            faults: Faults::new(plan.seed, nodes, &plan.faults),
            clients: Clients::new(plan, workload)?,
            wires: BTreeMap::new(),
            observed: vec![Observed::new(); nodes as usize],
            timeout_ns: plan.workload.timeout_ns,
            transit_ns,
            digest: plan.seed,
            statistics: Statistics::default(),
            trace: options.trace.then(Trace::default),
            running: None,
            ended: None,
        };
        let schedule: Vec<_> = core.faults.schedule().collect();
        for (index, begins, ends) in schedule {
            core.put(begins, Event::FaultBegins(index));
            core.put(ends, Event::FaultEnds(index));
        }
        let settled = plan.phases.chaos_ns + plan.phases.settle_ns;
        core.put(plan.phases.chaos_ns, Event::Settle);
        core.put(settled, Event::FinalReads);
        core.put(settled.saturating_add(OVERTIME_NS), Event::Overtime);
        Ok(core)
    }

    /// A host's task calls at this time of its host.
    pub(super) fn enter(&mut self, host_ns: u64) {
        self.now = self.floor.max(host_ns);
        self.latest = self.latest.max(self.now);
    }

    /// The conductor calls: all hosts have come to this time.
    pub(super) fn reach(&mut self, now: u64) {
        self.floor = self.floor.max(now);
        self.enter(0);
    }

    /// The time under which things are recorded.
    pub(super) fn stamp(&self) -> u64 {
        self.latest
    }

    pub(super) fn put(&mut self, at: u64, event: Event) {
        self.serial += 1;
        self.agenda.insert((at, self.serial), event);
        if at < self.sleeps_until
            && let Some(conductor) = self.conductor.take()
        {
            self.sleeps_until = at;
            conductor.wake();
        }
    }

    /// The next thing that is due by `now`.
    pub(super) fn take_due(&mut self, now: u64) -> Option<Event> {
        let entry = self.agenda.first_entry().filter(|entry| entry.key().0 <= now)?;
        Some(entry.remove())
    }

    /// Has the conductor look at once.
    pub(super) fn call_conductor(&mut self) {
        self.sleeps_until = 0;
        if let Some(conductor) = self.conductor.take() {
            conductor.wake();
        }
    }

    /// Folds an event into the digest. `what` tells its kind and place, `content` the rest.
    pub(super) fn digest(&mut self, what: u64, content: u64) {
        self.statistics.events += 1;
        self.digest = fold(self.digest ^ what ^ self.latest.rotate_left(17), content ^ 0x9E37_79B9_7F4A_7C15) ^ what;
    }

    /// Keeps an event for the trace, if there is one.
    pub(super) fn trace(&mut self, node: Option<u32>, what: impl FnOnce() -> TraceKind) {
        if let Some(trace) = &mut self.trace {
            let node = node.map(NodeId);
            trace.events.push(TraceEvent { time_ns: self.latest, digest: self.digest, node, what: what() });
        }
    }

    /// Whether there is a trace.
    pub(super) fn traces(&self) -> bool {
        self.trace.is_some()
    }

    /// Sends a datagram: its fate is drawn, and what is left of it set out in time.
    pub(super) fn send(&mut self, from: Address, to: Address, payload: &[u8], content: u64) {
        let (from_machine, to_machine) = (from.node.0, to.node.0);
        let draw = self.network.draw(from_machine, to_machine, content);
        let mut delay = Some(draw.delay);
        let (mut duplicate, mut damage, mut fault) = (None, None, None);
        if draw.faulted {
            let Self { network, faults, now, .. } = self;
            let fate = network.fate(&draw, from_machine, to_machine, *now, |index| faults.touched(index as usize, 1));
            (delay, duplicate, damage) = (fate.delay, fate.duplicate, fate.damage);
            fault = fate.fault.map(|index| self.faults.fault(index as usize).id);
        }
        let arrives_ns = delay.map(|d| self.now.saturating_add(d));
        if self.traces() {
            let text = datagram_text(from, to, payload);
            self.trace(Some(from_machine), || TraceKind::Sent { to: to.node, text, arrives_ns, fault });
        }
        let mut bytes = Vec::with_capacity(HEADER + payload.len());
        bytes.extend_from_slice(&from.port.to_be_bytes());
        bytes.extend_from_slice(&to.port.to_be_bytes());
        bytes.extend_from_slice(payload);
        if let Some(hash) = damage {
            flip(&mut bytes[HEADER..], hash);
        }
        for delay in [duplicate, delay].into_iter().flatten() {
            let at = self.now.saturating_add(delay).saturating_sub(self.transit_ns).max(self.now);
            self.put(at, Event::Departs { from: from_machine, to: to_machine, bytes: bytes.clone() });
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

    /// An operation begins.
    pub(super) fn invoked(&mut self, entry: EntryId) {
        self.digest(0x7 << 60, entry as u64);
        if self.traces() {
            let text = self.clients.operation(entry).to_string();
            let client = self.nodes + self.clients.session(entry).client;
            self.trace(Some(client), || TraceKind::Client { text });
        }
        self.put(self.now + self.timeout_ns, Event::Timeout(entry));
    }

    /// An operation came to an end.
    pub(super) fn complete(&mut self, entry: EntryId, result: Result<Reply, Failed>) {
        if !self.clients.is_open(entry) {
            return;
        }
        if self.traces() {
            let operation = self.clients.operation(entry).to_string();
            let client = self.nodes + self.clients.session(entry).client;
            let text = match &result {
                Ok(reply) => format!("{operation} -> {reply}"),
                Err(error) => format!("{operation} -> {error}"),
            };
            self.trace(Some(client), || TraceKind::Client { text });
        }
        let mut actions = Vec::new();
        self.clients.complete(entry, result, self.latest, &mut actions);
        for action in actions {
            match action {
                Action::Schedule(at, turn) => self.put(at, Event::Turn(turn)),
                Action::Invoke(_) => unreachable!("an operation that ends invokes no other"),
            }
        }
    }

    pub(super) fn finish(mut self) -> Execution {
        self.statistics.simulated_ns = self.latest;
        let (history, processes) = self.clients.finish();
        Execution {
            history,
            digest: self.digest,
            statistics: self.statistics,
            faults: self.faults.finish(),
            processes,
            end: self.ended.unwrap_or(End::Completed),
            trace: self.trace,
        }
    }
}

/// Bytes before a datagram's payload: its two ports.
pub(super) const HEADER: usize = 4;

/// A datagram, for people.
pub(super) fn datagram_text(from: Address, to: Address, payload: &[u8]) -> String {
    format!("datagram {}->{}, {}", from.port, to.port, shown(payload))
}
