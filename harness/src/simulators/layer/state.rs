//! What a run is at one time, whoever moves it on: machines, network, faults, clients, digest and trace.

use std::io;

use squall_checkers::{
    history::{EntryId, ProcessId},
    operation::Name,
    value::Value,
};
use squall_workloads::workload::Workload;

use super::{
    clients::{Action, Clients, Turn},
    faults::{Faults, Observed},
    machine::{Caller, Knock, Machine},
    network::{Draw, Fate, Network},
    physics::OVERTIME_NS,
};
use crate::{
    environment::{Failed, Reply, world::Place},
    plan::{FaultKind, NodeId, Plan, fold, mix},
    simulators::{End, Execution, Options, PlanError, Statistics, Trace, TraceEvent, TraceKind, log},
};

/// Whether a hindered machine takes something.
pub(crate) enum Admission<W> {
    /// It does, now.
    Enters(W),
    /// It is kept for later, or gone with the machine.
    Kept,
    /// It is lost: as much waits as has room.
    Lost(W),
}

/// The state of a run. `W` is what can wait at a machine's door.
pub(crate) struct State<W> {
    /// True time as the caller has it, in nanoseconds.
    pub(crate) now: u64,
    /// The time under which things are recorded, in nanoseconds: where machines run one after the other through the same span of
    /// time, the latest of any, so that what is recorded is in the order in which it happened.
    pub(crate) stamp: u64,
    pub(crate) nodes: u32,
    pub(crate) machines: Vec<Machine<W>>,
    pub(crate) network: Network,
    pub(crate) faults: Faults,
    pub(crate) clients: Clients,
    pub(crate) observed: Vec<Observed>,
    pub(crate) timeout_ns: u64,
    digest: u64,
    pub(crate) statistics: Statistics,
    trace: Option<Trace>,
    /// Whether somebody listens to what the code under test says.
    listened: bool,
    /// The machine whose code runs, for panics and choices.
    pub(crate) running: Option<u32>,
    /// What choices hang on beside their machine and their time.
    dice: u64,
    /// An instant, and the choices at it.
    choices: (u64, u64),
}

/// What a handle of a dead process gets.
pub(crate) fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "this process is no more")
}

/// What a plan has happen at a certain time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    FaultBegins(u32),
    FaultBeats(u32),
    FaultEnds(u32),
    /// No more faults.
    Settle,
    /// No more operations but the final reads.
    FinalReads,
    /// Whatever is still open has had its time.
    Overtime,
}

impl<W> State<W> {
    pub(crate) fn new(plan: &Plan, workload: &'static dyn Workload, options: Options) -> Result<Self, PlanError> {
        plan.validate().map_err(|error| PlanError::Invalid { what: error.to_string() })?;
        let nodes = plan.cluster.nodes;
        let machines = nodes + plan.cluster.clients;
        let all: Vec<_> = (0..machines).map(|i| Machine::new(plan.seed, i, nodes)).collect();
        Ok(State {
            now: 0,
            stamp: 0,
            nodes,
            // Another source than the machine's own draws: those begin one step further.
            dice: all[0].random,
            choices: (0, 0),
            machines: all,
            network: Network::new(plan.seed, &plan.cluster),
            faults: Faults::new(plan.seed, nodes, &plan.faults),
            clients: Clients::new(plan, workload)?,
            observed: vec![Observed::new(); nodes as usize],
            timeout_ns: plan.workload.timeout_ns,
            digest: plan.seed,
            statistics: Statistics::default(),
            trace: options.trace.then(Trace::default),
            listened: log::listening(),
            running: None,
        })
    }

    /// 64 bits that decide between what is ready at one time. By time and machine, and not from a stream: what a fault moves does
    /// not reshuffle all choices after it.
    pub(crate) fn choice(&mut self) -> u64 {
        let now = self.now;
        self.choices = (now, if self.choices.0 == now { self.choices.1 + 1 } else { 0 });
        let machine = self.running.map_or(0, |machine| u64::from(machine) + 1);
        mix(self.dice ^ mix(now, machine), self.choices.1)
    }

    /// The code of this machine runs now; of none, after it has.
    #[inline]
    pub(crate) fn runs(&mut self, machine: Option<u32>) {
        self.running = machine;
        self.tell_place();
    }

    /// Tells who listens at what time which machine's code runs.
    #[inline]
    pub(crate) fn tell_place(&self) {
        if self.listened {
            log::runs(self.stamp, self.running);
        }
    }

    /// What the plan has happen, and when, in nanoseconds.
    pub(crate) fn timetable(&self, plan: &Plan) -> Vec<(u64, Due)> {
        let faults = self.faults.schedule().flat_map(|(index, begins, ends)| {
            [(begins, Due::FaultBegins(index as u32)), (ends, Due::FaultEnds(index as u32))]
        });
        let settled = plan.phases.chaos_ns + plan.phases.settle_ns;
        let phases = [
            (plan.phases.chaos_ns, Due::Settle),
            (settled, Due::FinalReads),
            (settled.saturating_add(OVERTIME_NS), Due::Overtime),
        ];
        faults.chain(phases).collect()
    }

    /// Folds an event into the digest. `what` tells its kind and place, `content` the rest.
    #[inline]
    pub(crate) fn digest(&mut self, what: u64, content: u64) {
        self.statistics.events += 1;
        self.digest = fold(self.digest ^ what ^ self.stamp.rotate_left(17), content ^ 0x9E37_79B9_7F4A_7C15) ^ what;
    }

    /// Keeps an event for the trace, if there is one.
    #[inline]
    pub(crate) fn trace(&mut self, node: Option<u32>, what: impl FnOnce() -> TraceKind) {
        if let Some(trace) = &mut self.trace {
            let node = node.map(NodeId);
            trace.events.push(TraceEvent { time_ns: self.stamp, digest: self.digest, node, what: what() });
        }
    }

    /// Whether there is a trace.
    #[inline]
    pub(crate) fn traces(&self) -> bool {
        self.trace.is_some()
    }

    /// The whole fate of a message that faults have a say in.
    #[cold]
    pub(crate) fn fate(&mut self, draw: &Draw, from: u32, to: u32) -> Fate {
        let Self { network, faults, now, .. } = self;
        network.fate(draw, from, to, *now, |index| faults.touched(index as usize, 1))
    }

    /// Whether a place is alive. A client machine's lives are its processes.
    #[inline]
    pub(crate) fn is_alive(&self, at: Place) -> bool {
        if at.machine < self.nodes {
            let machine = &self.machines[at.machine as usize];
            machine.up && machine.incarnation == at.incarnation
        } else {
            !self.clients.is_retired(ProcessId(at.incarnation))
        }
    }

    /// The replica that a place belongs to or, for a client, prefers.
    pub(crate) fn home(&self, at: Place) -> NodeId {
        if at.machine < self.nodes {
            return NodeId(at.machine);
        }
        self.clients.home(ProcessId(at.incarnation))
    }

    /// Whether a hindered machine takes something now. `serve` is called with the place and the time of the next turn of a slow
    /// one.
    pub(crate) fn admit(&mut self, node: u32, what: W, serve: impl FnOnce(Place, u64)) -> Admission<W>
    where
        W: Caller,
    {
        let machine = &mut self.machines[node as usize];
        let place = Place { machine: node, incarnation: machine.incarnation };
        let admission = match machine.knock(self.now, what) {
            Knock::Gone => return Admission::Kept,
            Knock::WaitsForPause => {
                self.pause_felt(node);
                return Admission::Kept;
            }
            Knock::Enters(what, None) => return Admission::Enters(what),
            Knock::Enters(what, Some(busy_until)) => {
                serve(place, busy_until);
                Admission::Enters(what)
            }
            Knock::WaitsItsTurn => Admission::Kept,
            Knock::NoRoom(what) => {
                self.trace(Some(node), || TraceKind::Process { text: "has no room for one more message".to_owned() });
                Admission::Lost(what)
            }
        };
        self.faults
            .touched_on(NodeId(node), 1, |kind| matches!(kind, FaultKind::Slow { .. } | FaultKind::Inbox { .. }));
        admission
    }

    /// How many streams others may have opened to a machine, if that is limited.
    pub(crate) fn connections_max(&self, machine: u32) -> Option<u32> {
        self.machines[machine as usize].condition.connections
    }

    /// A stream was refused because a machine has all that it takes.
    pub(crate) fn connection_refused(&mut self, machine: u32) {
        self.faults.touched_on(NodeId(machine), 1, |kind| matches!(kind, FaultKind::Connections { .. }));
        self.trace(Some(machine), || TraceKind::Process { text: "takes no more connections".to_owned() });
    }

    /// A client's turn comes.
    pub(crate) fn client_turn(&mut self, turn: Turn, at: u64, actions: &mut Vec<Action>) {
        if let Some(home) = self.clients.bursting(turn) {
            self.faults.touched_on(home, 1, |kind| matches!(kind, FaultKind::Burst { .. }));
        }
        self.clients.turn(turn, at, actions);
    }

    /// A pause held something up.
    pub(crate) fn pause_felt(&mut self, node: u32) {
        self.faults.touched_on(NodeId(node), 1, |kind| matches!(kind, FaultKind::Pause));
    }

    /// A machine's clock was read, or a timer was set on it: clock faults on it have an effect.
    #[inline]
    pub(crate) fn clock_read(&mut self, node: u32) {
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
    pub(crate) fn disk_latency_ns(&mut self, node: u32, base_ns: u64) -> u64 {
        let delay = self.machines[node as usize].condition.disk_delay_ns;
        if delay > 0 {
            self.faults.touched_on(NodeId(node), 1, |kind| matches!(kind, FaultKind::DiskSlow { .. }));
        }
        base_ns + delay
    }

    /// Whether the next sync on this machine fails.
    pub(crate) fn sync_fails(&mut self, node: u32) -> bool {
        let machine = &mut self.machines[node as usize];
        let number = machine.next_sync();
        machine.condition.sync_error && self.faults.sync_fails(NodeId(node), number)
    }

    /// Counts writes that a full disk refused.
    #[inline]
    pub(crate) fn count_refused(&mut self, node: u32) {
        if !self.machines[node as usize].condition.disk_full {
            return;
        }
        let refused = self.machines[node as usize].disk.take_refused();
        if refused > 0 {
            self.faults.touched_on(NodeId(node), refused, |kind| matches!(kind, FaultKind::DiskFull));
        }
    }

    /// A node showed something of its state.
    pub(crate) fn observe(&mut self, node: u32, key: Name, value: Value) {
        let Some(observed) = self.observed.get_mut(node as usize) else { return };
        if observed.get(&key) == Some(&value) {
            return;
        }
        observed.insert(key.clone(), value.clone());
        self.trace(Some(node), || TraceKind::Observed { key, value });
    }

    /// A process starts; returns its place.
    pub(crate) fn started(&mut self, node: u32) -> Place {
        let machine = &mut self.machines[node as usize];
        machine.bring_up();
        let place = Place { machine: node, incarnation: machine.incarnation };
        self.digest(0xA << 60 | u64::from(node), u64::from(place.incarnation));
        self.trace(Some(node), || TraceKind::Process { text: "starts".to_owned() });
        place
    }

    /// A process ended by itself; returns the place of its next life.
    pub(crate) fn halted(&mut self, node: u32, why: &str) -> Place {
        self.statistics.halts += 1;
        self.digest(0xB << 60 | u64::from(node), 0);
        self.trace(Some(node), || TraceKind::Process { text: format!("ended by itself: {why}") });
        self.take_down(node);
        Place { machine: node, incarnation: self.machines[node as usize].incarnation }
    }

    /// Whether a supervisor starts this place's process now: no fault holds it down, nor has it lived since.
    pub(crate) fn may_restart(&self, at: Place) -> bool {
        let machine = &self.machines[at.machine as usize];
        machine.incarnation == at.incarnation && !machine.up && !machine.condition.down
    }

    /// A machine's process is dead.
    pub(crate) fn take_down(&mut self, node: u32) {
        self.machines[node as usize].take_down();
        self.observed[node as usize].clear();
    }

    /// An operation begins.
    pub(crate) fn invoked(&mut self, entry: EntryId) {
        self.digest(0x7 << 60, entry as u64);
        if self.trace.is_some() {
            let text = self.clients.operation(entry).to_string();
            let client = self.nodes + self.clients.session(entry).client;
            self.trace(Some(client), || TraceKind::Client { text });
        }
    }

    /// An operation came to an end. False when it had ended before, or its process is at its end. What is to be done next is
    /// appended to `actions`, turns only.
    #[inline]
    pub(crate) fn complete(
        &mut self,
        entry: EntryId,
        result: Result<Reply, Failed>,
        actions: &mut Vec<Action>,
    ) -> bool {
        if !self.clients.is_open(entry) {
            return self.changed(entry, result, actions);
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
        self.clients.complete(entry, result, self.stamp, actions)
    }

    /// The admin asks for a change of members.
    #[cold]
    pub(crate) fn asked(&mut self, request: EntryId) {
        self.digest(0x7 << 60 | 1 << 32, request as u64);
        if let Some(change) = self.clients.change(request) {
            let client = self.nodes + self.clients.session(request).client;
            self.trace(Some(client), || TraceKind::Client { text: format!("admin: {change}") });
        }
    }

    /// A request of the admin came to an end, if this is one that is open.
    #[cold]
    fn changed(&mut self, request: EntryId, result: Result<Reply, Failed>, actions: &mut Vec<Action>) -> bool {
        let Some(change) = self.clients.change(request) else { return false };
        let client = self.nodes + self.clients.session(request).client;
        let said = result.map(|_| ());
        self.trace(Some(client), || {
            let said = said.as_ref().map_or_else(ToString::to_string, |()| "done".to_owned());
            TraceKind::Client { text: format!("admin: {change} -> {said}") }
        });
        if let Some(removed) = self.clients.changed(request, said.is_ok(), self.stamp, actions) {
            self.faults.removed(removed.node, removed.since_ns);
        }
        true
    }

    /// The faults are over.
    pub(crate) fn settle(&mut self) {
        self.digest(0x9 << 60, 1);
        self.clients.settle(self.stamp);
    }

    /// The next round of final reads: every replica is read once the phases are over and all operations are complete, for what
    /// is still under way would otherwise be concurrent with them, and they would prove nothing. `None` when all are done.
    pub(crate) fn final_reads(&mut self) -> Option<Vec<Action>> {
        self.digest(0x9 << 60, 2);
        self.clients.next_final_reads(self.stamp)
    }

    pub(crate) fn finish(mut self, end: End) -> Execution {
        self.statistics.simulated_ns = self.stamp;
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
