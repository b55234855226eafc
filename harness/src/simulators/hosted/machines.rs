//! The machines of a run in another runtime: what waits at their doors, what each is asked to do, and how healthy it is.

use std::{collections::VecDeque, task::Waker};

use super::core::{Core, Event};
use crate::{
    environment::{
        Address,
        image::{DiskImage, SyncTicket},
        world::{DiskKey, Place, TaskKey, TimerKey},
    },
    plan::{FaultKind, NodeId, mix},
    simulators::{
        TraceKind,
        layer::{clock::Clock, faults::Condition, physics::RESTART_AFTER_NS, streams::StreamEvent},
    },
};

/// Something that reaches a machine, and waits at its door while the machine stands still or is slow.
#[derive(Clone)]
pub(super) enum Arrival {
    Datagram { from: Address, to: Address, payload: Vec<u8> },
    Timer(TimerKey),
    Disk(DiskDone),
    Stream(StreamEvent),
}

/// A disk request that came to its end.
#[derive(Clone)]
pub(super) struct DiskDone {
    pub(super) place: Place,
    pub(super) request: DiskKey,
    pub(super) sync: Option<(SyncTicket, bool)>,
}

/// What a machine's main task is asked to do.
pub(super) enum Command {
    Spawn(TaskKey),
    Send { to: u32, bytes: Vec<u8> },
    Connect { stream: u32, serial: u32, to: u32 },
}

/// One machine, replica or client.
pub(super) struct Machine {
    pub(super) incarnation: u32,
    /// Whether its process runs.
    pub(super) up: bool,
    pub(super) condition: Condition,
    pub(super) clock: Clock,
    pub(super) disk: DiskImage,
    pub(super) random: u64,
    /// Arrivals that wait for a machine that stands still or is slow.
    pub(super) backlog: VecDeque<Arrival>,
    busy_until: u64,
    syncs: u64,
    /// Tasks that were woken while it stood still.
    pub(super) stalled: Vec<TaskKey>,
    commands: VecDeque<Command>,
    /// Its main task.
    main: Option<Waker>,
}

impl Machine {
    /// Machine `i` of a run: a client, or one of `nodes` replicas.
    pub(super) fn new(seed: u64, i: u32, nodes: u32) -> Self {
        Machine {
            incarnation: 0,
            up: i >= nodes,
            condition: Condition::default(),
            clock: Clock::default(),
            disk: DiskImage::default(),
            random: mix(seed, 0x4D41_4348 ^ u64::from(i) << 32),
            backlog: VecDeque::new(),
            busy_until: 0,
            syncs: 0,
            stalled: Vec::new(),
            commands: VecDeque::new(),
            main: None,
        }
    }
}

impl Core {
    /// Asks a machine's main task for something.
    pub(super) fn command(&mut self, machine: u32, command: Command) {
        let machine = &mut self.machines[machine as usize];
        machine.commands.push_back(command);
        if let Some(main) = machine.main.take() {
            main.wake();
        }
    }

    /// A datagram sets out: its machine's wire sends it.
    pub(super) fn departs(&mut self, from: u32, to: u32, bytes: Vec<u8>) {
        self.command(from, Command::Send { to, bytes });
    }

    /// What a machine's main task does next; it is woken when there is something.
    pub(super) fn next_command(&mut self, machine: u32, waker: &Waker) -> Option<Command> {
        let machine = &mut self.machines[machine as usize];
        let command = machine.commands.pop_front();
        if command.is_none() {
            machine.main = Some(waker.clone());
        }
        command
    }

    /// Whether a machine takes an arrival now. Otherwise it is kept for later, or gone with the machine.
    pub(super) fn admit(&mut self, node: u32, arrival: Arrival) -> Option<Arrival> {
        let machine = &mut self.machines[node as usize];
        if !machine.up {
            return None;
        }
        if machine.condition.paused {
            machine.backlog.push_back(arrival);
            self.faults.touched_on(NodeId(node), 1, |kind| matches!(kind, FaultKind::Pause));
            return None;
        }
        if machine.condition.service_ns > 0 {
            self.faults.touched_on(NodeId(node), 1, |kind| matches!(kind, FaultKind::Slow { .. }));
            if machine.busy_until > self.now || !machine.backlog.is_empty() {
                machine.backlog.push_back(arrival);
                return None;
            }
            self.take_turn(node);
        }
        Some(arrival)
    }

    /// A slow machine takes an arrival: it is busy for a while, then takes the next.
    fn take_turn(&mut self, node: u32) {
        let machine = &mut self.machines[node as usize];
        machine.busy_until = self.now + machine.condition.service_ns;
        let (at, incarnation) = (machine.busy_until, machine.incarnation);
        self.put(at, Event::Serve(Place { machine: node, incarnation }));
    }

    /// The next arrival that waits for a slow machine.
    pub(super) fn serve(&mut self, at: Place) -> Option<Arrival> {
        let now = self.now;
        let machine = &mut self.machines[at.machine as usize];
        let over = machine.incarnation != at.incarnation || machine.condition.service_ns == 0;
        if over || machine.condition.paused || machine.busy_until > now {
            return None;
        }
        let arrival = machine.backlog.pop_front()?;
        self.take_turn(at.machine);
        Some(arrival)
    }

    pub(super) fn take_backlog(&mut self, node: u32) -> VecDeque<Arrival> {
        let machine = &mut self.machines[node as usize];
        machine.busy_until = 0;
        std::mem::take(&mut machine.backlog)
    }

    /// Whether a machine's tasks may run.
    pub(super) fn may_run(&self, node: u32) -> bool {
        let machine = &self.machines[node as usize];
        machine.up && !machine.condition.paused
    }

    /// A machine's clock was read, or a timer was set on it: clock faults on it have an effect.
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
    pub(super) fn count_refused(&mut self, node: u32) {
        if !self.machines[node as usize].condition.disk_full {
            return;
        }
        let refused = self.machines[node as usize].disk.take_refused();
        if refused > 0 {
            self.faults.touched_on(NodeId(node), refused, |kind| matches!(kind, FaultKind::DiskFull));
        }
    }

    /// A process starts; returns its place.
    pub(super) fn started(&mut self, node: u32) -> Place {
        let machine = &mut self.machines[node as usize];
        machine.up = true;
        let place = Place { machine: node, incarnation: machine.incarnation };
        self.digest(0xA << 60 | u64::from(node), u64::from(place.incarnation));
        self.trace(Some(node), || TraceKind::Process { text: "starts".to_owned() });
        place
    }

    /// A process that ended by itself is down, and will be started again.
    pub(super) fn halted(&mut self, node: u32, why: &str) {
        self.statistics.halts += 1;
        self.digest(0xB << 60 | u64::from(node), 0);
        self.trace(Some(node), || TraceKind::Process { text: format!("ended by itself: {why}") });
        self.take_down(node);
        let place = Place { machine: node, incarnation: self.machines[node as usize].incarnation };
        self.put(self.now + RESTART_AFTER_NS, Event::Restart(place));
    }

    pub(super) fn take_down(&mut self, node: u32) {
        let machine = &mut self.machines[node as usize];
        machine.up = false;
        machine.incarnation += 1;
        machine.backlog.clear();
        machine.stalled.clear();
        machine.busy_until = 0;
        self.observed[node as usize].clear();
    }
}
