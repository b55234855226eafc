//! What a run in another runtime keeps beside its state: its time, and what is due when.

use std::{
    collections::BTreeMap,
    ops::{Deref, DerefMut},
    task::Waker,
};

use squall_checkers::history::EntryId;
use squall_workloads::workload::Workload;

use super::{
    machines::{Arrival, DiskDone, Door},
    runtime::Library,
    streams::Wire,
};
use crate::{
    environment::{Address, Failed, Reply, world::Place},
    plan::Plan,
    simulators::{
        End, Execution, Options, PlanError, TraceKind,
        layer::{
            clients::{Action, Turn},
            payload::Payload,
            physics::{RESTART_AFTER_NS, flip},
            sockets::{datagram_hash, datagram_text},
            state::{Admission, Due, State},
            streams::StreamEvent,
        },
    },
};

/// Something that is due at a certain time.
pub(super) enum Event {
    Turn(Turn),
    Timeout(EntryId),
    Due(Due),
    /// A process that ended by itself is started again.
    Restart(Place),
    /// A slow machine is done with one arrival and takes the next.
    Serve(Place),
    /// A datagram is handed to the runtime, which delays it further.
    Departs {
        from: u32,
        to: u32,
        bytes: Vec<u8>,
        arrives_ns: u64,
    },
    /// A disk is done with a request.
    Disk(DiskDone),
    Stream(StreamEvent),
}

/// The state of a run, and what is due when. Its `now` is true time as the calling task's host has it: hosts may run one after
/// the other through the same span of time.
pub(super) struct Core {
    state: State<Arrival>,
    /// The time of the last thing the conductor did: no host is earlier.
    floor: u64,
    pub(super) agenda: BTreeMap<(u64, u64), Event>,
    serial: u64,
    /// Where in the agenda the timeout of each process's last operation is.
    timeouts: Vec<(u64, u64)>,
    /// Who does what is due, and until when it sleeps.
    pub(super) conductor: Option<Waker>,
    pub(super) sleeps_until: u64,
    /// Where each machine's host is asked for things.
    pub(super) doors: Vec<Door>,
    /// The runtime's streams, by ours.
    pub(super) wires: BTreeMap<(u32, u32), Wire>,
    delay_ns_max: u64,
    steady: bool,
    /// A task is being polled.
    pub(super) polling: bool,
    /// The bytes of the datagram that is being sent.
    sending: Vec<u8>,
    /// The phases are over, and the final reads wait for the last operations.
    pub(super) settled: bool,
    /// How the run ended before its time.
    pub(super) ended: Option<End>,
}

impl Deref for Core {
    type Target = State<Arrival>;

    fn deref(&self) -> &State<Arrival> {
        &self.state
    }
}

impl DerefMut for Core {
    fn deref_mut(&mut self) -> &mut State<Arrival> {
        &mut self.state
    }
}

impl Core {
    pub(super) fn new<L: Library>(
        plan: &Plan,
        workload: &'static dyn Workload,
        options: Options,
    ) -> Result<Self, PlanError> {
        let state = State::new(plan, workload, options)?;
        let timetable = state.timetable(plan);
        let doors = state.machines.iter().map(|_| Door::default()).collect();
        let mut core = Core {
            state,
            floor: 0,
            agenda: BTreeMap::new(),
            serial: 0,
            timeouts: Vec::new(),
            conductor: None,
            sleeps_until: u64::MAX,
            doors,
            wires: BTreeMap::new(),
            delay_ns_max: L::DELAY_NS_MAX,
            steady: L::STEADY,
            polling: false,
            sending: Vec::new(),
            settled: false,
            ended: None,
        };
        for (at, due) in timetable {
            core.put(at, Event::Due(due));
        }
        Ok(core)
    }

    /// Whether the time at which the task that is polled was entered is still the time.
    #[inline]
    pub(super) fn is_entered(&self) -> bool {
        self.polling && self.steady
    }

    /// A host's task calls at this time of its host.
    pub(super) fn enter(&mut self, host_ns: u64) {
        self.now = self.floor.max(host_ns);
        self.stamp = self.stamp.max(self.now);
        self.tell_place();
    }

    /// The conductor calls: all hosts have come to this time.
    pub(super) fn reach(&mut self, now: u64) {
        self.floor = self.floor.max(now);
        self.enter(0);
    }

    /// Puts something on the agenda; returns where.
    pub(super) fn put(&mut self, at: u64, event: Event) -> (u64, u64) {
        self.serial += 1;
        let place = (at, self.serial);
        self.agenda.insert(place, event);
        if at < self.sleeps_until
            && let Some(conductor) = self.conductor.take()
        {
            self.sleeps_until = at;
            conductor.wake();
        }
        place
    }

    /// The next thing that is due by `now`.
    pub(super) fn take_due(&mut self, now: u64) -> Option<Event> {
        let entry = self.agenda.first_entry().filter(|entry| entry.key().0 <= now)?;
        let ((due, _), event) = entry.remove_entry();
        if !self.steady {
            let late_ns = &mut self.state.statistics.late_ns;
            *late_ns = (*late_ns).max(now - due);
        }
        Some(event)
    }

    /// Has the conductor look at once.
    pub(super) fn call_conductor(&mut self) {
        self.sleeps_until = 0;
        if let Some(conductor) = self.conductor.take() {
            conductor.wake();
        }
    }

    /// Sends a datagram: its fate is drawn, and what is left of it set out in time.
    pub(super) fn send(&mut self, from: Address, to: Address, payload: &Payload) {
        let content = datagram_hash(from.port, to.port, payload);
        let draw = self.network.draw(from.node.0, to.node.0, content);
        let mut delay = Some(draw.delay);
        let (mut duplicate, mut damage, mut fault) = (None, None, None);
        if draw.faulted {
            let fate = self.fate(&draw, from.node.0, to.node.0);
            (delay, duplicate, damage) = (fate.delay, fate.duplicate, fate.damage);
            fault = fate.fault.map(|index| self.faults.fault(index as usize).id);
        }
        let arrives_ns = delay.map(|d| self.now.saturating_add(d));
        self.trace(Some(from.node.0), || TraceKind::Sent {
            to: to.node,
            text: datagram_text(from, to, payload),
            arrives_ns,
            fault,
        });
        let mut bytes = std::mem::take(&mut self.sending);
        bytes.resize(HEADER + payload.len(), 0);
        bytes[..2].copy_from_slice(&from.port.to_be_bytes());
        bytes[2..HEADER].copy_from_slice(&to.port.to_be_bytes());
        payload.copy_to(&mut bytes[HEADER..]);
        if let Some(hash) = damage {
            flip(&mut bytes[HEADER..], hash);
        }
        for delay in [duplicate, delay].into_iter().flatten() {
            self.depart(from.node.0, to.node.0, delay, &bytes);
        }
        self.sending = bytes;
    }

    /// Has a datagram set out so that it arrives after this delay: at once, where the runtime can delay it so long and its sender's
    /// host is the one that runs.
    fn depart(&mut self, from: u32, to: u32, delay_ns: u64, bytes: &[u8]) {
        let wait = delay_ns.saturating_sub(self.delay_ns_max);
        let arrives_ns = self.now.saturating_add(delay_ns);
        match &self.doors[from as usize].port {
            Some(send) if wait == 0 && self.running == Some(from) => send(to, bytes, arrives_ns),
            _ => {
                let event = Event::Departs { from, to, bytes: bytes.to_vec(), arrives_ns };
                self.put(self.now.saturating_add(wait), event);
            }
        }
    }

    /// An operation begins.
    pub(super) fn invoked(&mut self, entry: EntryId) {
        self.state.invoked(entry);
        let process = self.clients.session(entry).process.0 as usize;
        let timeout = self.put(self.now.saturating_add(self.timeout_ns), Event::Timeout(entry));
        if self.timeouts.len() <= process {
            self.timeouts.resize(process + 1, timeout);
        }
        self.timeouts[process] = timeout;
    }

    /// An operation came to an end.
    pub(super) fn complete(&mut self, entry: EntryId, result: Result<Reply, Failed>) {
        let process = self.clients.session(entry).process.0 as usize;
        let mut actions = Vec::new();
        // A request of the admin has no timeout here: it is given up at a turn.
        if self.state.complete(entry, result, &mut actions)
            && let Some(timeout) = self.timeouts.get(process)
        {
            self.agenda.remove(timeout);
        }
        for action in actions {
            match action {
                Action::Schedule(at, turn) => {
                    self.put(at, Event::Turn(turn));
                }
                Action::Invoke(_) | Action::Ask(_) | Action::GiveUp(_) => {
                    unreachable!("what ends begins nothing else at once")
                }
            }
        }
        if self.settled {
            self.call_conductor();
        }
    }

    /// Whether a machine takes an arrival now.
    pub(super) fn admit(&mut self, node: u32, arrival: Arrival) -> Admission<Arrival> {
        let mut turn = None;
        let admitted = self.state.admit(node, arrival, |place, at| turn = Some((at, Event::Serve(place))));
        if let Some((at, event)) = turn {
            self.put(at, event);
        }
        admitted
    }

    /// The next arrival that waits for a slow machine.
    pub(super) fn serve(&mut self, at: Place) -> Option<Arrival> {
        let now = self.now;
        let (arrival, busy_until) = self.machines[at.machine as usize].serve(now, at.incarnation)?;
        self.put(busy_until, Event::Serve(at));
        Some(arrival)
    }

    /// A process that ended by itself is down, and will be started again.
    pub(super) fn halted(&mut self, node: u32, why: &str) {
        let place = self.state.halted(node, why);
        self.put(self.now + RESTART_AFTER_NS, Event::Restart(place));
    }

    pub(super) fn finish(self) -> Execution {
        self.state.finish(self.ended.unwrap_or(End::Completed))
    }
}

/// Bytes before a datagram's payload: its two ports.
pub(super) const HEADER: usize = 4;
