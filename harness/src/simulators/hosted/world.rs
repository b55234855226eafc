//! The world as code under test meets it in another runtime.

use std::{
    cell::RefCell,
    rc::{Rc, Weak},
    task::{Context, Poll},
};

use squall_checkers::history::{EntryId, ProcessId};

use super::{
    core::{Core, HEADER},
    machines::{Arrival, DiskDone},
    runtime::Runtime,
    tasks::{HostedTask, Kind, Polls, Task},
    timers::Timer,
};
use crate::{
    environment::{
        Address, Failed, Reply,
        world::{DiskKey, LocalFuture, Place, TaskKey, TimerKey},
    },
    plan::NodeId,
    simulators::{
        TraceKind,
        layer::{
            disk::Sync,
            payload::Payload,
            slots::Slots,
            sockets::{datagram_hash, datagram_text},
            state::Admission,
            streams::knocked_in_vain,
            world::{Kernel, Layered},
        },
    },
};

/// The world of a run in another runtime.
pub(super) struct Hosted {
    pub(super) core: Core,
    pub(super) runtime: Rc<dyn Runtime>,
    me: Weak<RefCell<Hosted>>,
    pub(super) tasks: Slots<Task>,
    pub(super) polls: Polls,
    pub(super) timers: Slots<Timer>,
    pub(super) kernel: Kernel,
    /// The run is over: what is left of its futures is dropped, and everybody is dead.
    pub(super) over: bool,
}

impl Hosted {
    pub(super) fn new(core: Core, runtime: Rc<dyn Runtime>) -> Rc<RefCell<Self>> {
        let machines = core.machines.len();
        Rc::new_cyclic(|me| {
            RefCell::new(Hosted {
                core,
                runtime,
                me: me.clone(),
                tasks: Slots::new(),
                polls: Polls::default(),
                timers: Slots::new(),
                kernel: Kernel::new(machines),
                over: false,
            })
        })
    }

    /// A datagram came over a machine's wire.
    pub(super) fn datagram_came(&mut self, machine: u32, from: u32, bytes: &[u8]) {
        let Some((header, payload)) = bytes.split_first_chunk::<HEADER>() else { return };
        let [a, b, c, d] = *header;
        let from = Address { node: NodeId(from), port: u16::from_be_bytes([a, b]) };
        let to = Address { node: NodeId(machine), port: u16::from_be_bytes([c, d]) };
        self.arrive(machine, Arrival::Datagram { from, to, payload: Payload::new(payload) });
    }

    /// Something comes to a machine's door.
    pub(super) fn arrive(&mut self, machine: u32, arrival: Arrival) {
        if !self.core.machines[machine as usize].up {
            if let Arrival::Stream(event) = arrival {
                knocked_in_vain(event, &mut self.core);
            }
            return;
        }
        match self.core.admit(machine, arrival) {
            Admission::Enters(arrival) => self.handle(arrival),
            Admission::Lost(Arrival::Stream(event)) => knocked_in_vain(event, &mut self.core),
            Admission::Kept | Admission::Lost(_) => {}
        }
    }

    /// A machine has let something in.
    pub(super) fn handle(&mut self, arrival: Arrival) {
        match arrival {
            Arrival::Datagram { from, to, payload } => {
                self.core.statistics.messages += 1;
                let hash = datagram_hash(from.port, to.port, &payload);
                self.core.digest(0x1 << 60 | u64::from(from.node.0) << 32 | u64::from(to.node.0), hash);
                let text = || datagram_text(from, to, &payload);
                self.core.trace(Some(to.node.0), || TraceKind::Delivered { from: from.node, text: text() });
                self.kernel.sockets.deliver(from, to, payload);
            }
            Arrival::Timer(key) => self.timer_fires(key),
            Arrival::Disk(done) => self.disk_done(&done),
            Arrival::Stream(event) => self.kernel.streams.handle(event, &mut self.core),
        }
    }

    /// A machine's process is dead: its sockets are closed, its streams' ends are no more. When `resets`, the operating system
    /// lives on and tells the peers.
    pub(super) fn close_all(&mut self, machine: u32, resets: bool) {
        self.core.doors[machine as usize].stalled.clear();
        self.kernel.close_all(machine, resets, &mut self.core);
    }

    /// A process has the outcome of its operation. False when the process can do no more.
    pub(super) fn completed(&mut self, process: ProcessId, entry: EntryId, result: Result<Reply, Failed>) -> bool {
        self.enter();
        self.core.complete(entry, result);
        !self.core.clients.is_retired(process)
    }
}

impl Layered for Hosted {
    type Core = Core;

    fn core(&self) -> &Core {
        &self.core
    }

    fn core_mut(&mut self) -> &mut Core {
        &mut self.core
    }

    fn parts(&mut self) -> (&mut Core, &mut Kernel) {
        (&mut self.core, &mut self.kernel)
    }

    fn enter(&mut self) {
        if !self.core.is_entered() {
            self.core.enter(self.runtime.now_ns());
        }
    }

    fn alive(&self, at: Place) -> bool {
        !self.over && self.core.is_alive(at)
    }

    fn send(&mut self, from: Address, to: Address, payload: Payload) {
        self.core.send(from, to, &payload);
    }

    fn start_task(&mut self, at: Place, task: LocalFuture) -> TaskKey {
        if self.core.running != Some(at.machine) {
            return self.start_on(at, Kind::Process, task);
        }
        let key = self.add_task(at, Kind::Process, task);
        self.runtime.spawn(Box::pin(HostedTask::of_process(self.me.clone(), key)));
        key
    }

    fn end_task(&mut self, task: TaskKey) -> Option<LocalFuture> {
        self.end(task)
    }

    fn set_timer(&mut self, at: Place, deadline_ns: u64) -> TimerKey {
        let (slot, serial) = self.timers.insert(Timer::new(at, deadline_ns));
        TimerKey(slot, serial)
    }

    fn timer_polled(&mut self, timer: TimerKey, cx: &mut Context<'_>) -> Poll<()> {
        self.look_at_timer(timer, cx)
    }

    fn drop_timer(&mut self, timer: TimerKey) {
        self.timers.remove(timer.0, timer.1);
    }

    fn disk_works(&mut self, at: Place, request: DiskKey, sync: Option<Sync>, span_ns: u64) {
        self.disk_busy(DiskDone { place: at, request, sync }, span_ns);
    }
}
