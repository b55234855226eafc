//! The world as code under test meets it in another runtime.

use std::{
    cell::RefCell,
    io,
    rc::{Rc, Weak},
    task::{Context, Poll},
};

use squall_checkers::{history::EntryId, operation::Name, value::Value};

use super::{
    core::{Core, HEADER},
    machines::Arrival,
    runtime::Runtime,
    tasks::{HostedTask, Kind, Polls, Task},
    timers::Timer,
};
use crate::{
    environment::{
        Address, Failed, Reply,
        image::DiskImage,
        world::{
            DiskKey, DiskReply, DiskRequest, ListenerKey, LocalFuture, Place, SocketKey, StreamKey, TaskKey, TimerKey,
            World,
        },
    },
    plan::{NodeId, next_random},
    simulators::{
        TraceKind,
        layer::{
            disk::Requests,
            payload::Payload,
            ports::Ephemeral,
            slots::Slots,
            sockets::{Sockets, datagram_hash, datagram_text},
            state::gone,
            streams::{Streams, knocked_in_vain},
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
    sockets: Sockets,
    pub(super) timers: Slots<Timer>,
    pub(super) requests: Requests,
    pub(super) streams: Streams,
    ports: Ephemeral,
    /// Tasks that dead processes started. They never run, and are dropped where their destructors may call the world.
    pub(super) orphans: Vec<LocalFuture>,
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
                sockets: Sockets::new(machines),
                timers: Slots::new(),
                requests: Requests::new(),
                streams: Streams::new(machines),
                ports: Ephemeral::new(machines),
                orphans: Vec::new(),
                over: false,
            })
        })
    }

    /// A task of the runtime calls.
    pub(super) fn enter(&mut self) {
        self.core.enter(self.runtime.now_ns());
    }

    /// Whether a place is alive.
    pub(super) fn alive(&self, at: Place) -> bool {
        !self.over && self.core.is_alive(at)
    }

    fn check_machine(&self, to: Address) -> io::Result<()> {
        if (to.node.0 as usize) < self.core.machines.len() {
            return Ok(());
        }
        Err(io::Error::new(io::ErrorKind::NetworkUnreachable, format!("there is no machine {}", to.node)))
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
        if let Some(arrival) = self.core.admit(machine, arrival) {
            self.handle(arrival);
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
                self.sockets.deliver(from, to, payload);
            }
            Arrival::Timer(key) => self.timer_fires(key),
            Arrival::Disk(done) => self.disk_done(&done),
            Arrival::Stream(event) => self.streams.handle(event, &mut self.core),
        }
    }

    /// A machine's process is dead: its sockets are closed, its streams' ends are no more. When `resets`, the operating system
    /// lives on and tells the peers.
    pub(super) fn close_all(&mut self, machine: u32, resets: bool) {
        self.sockets.close_all(machine);
        self.core.doors[machine as usize].stalled.clear();
        self.streams.close_all(machine, resets, &mut self.core);
    }

    /// An operation's own task has its outcome.
    pub(super) fn completed(&mut self, entry: EntryId, result: Result<Reply, Failed>) {
        self.enter();
        self.core.complete(entry, result);
    }
}

impl World for Hosted {
    fn node_count(&self) -> u32 {
        self.core.nodes
    }

    fn home(&self, at: Place) -> NodeId {
        self.core.home(at)
    }

    fn monotonic_ns(&mut self, at: Place) -> u64 {
        self.enter();
        self.core.clock_read(at.machine);
        self.core.machines[at.machine as usize].clock.monotonic(self.core.now)
    }

    fn wall_ns(&mut self, at: Place) -> u64 {
        self.enter();
        self.core.clock_read(at.machine);
        self.core.machines[at.machine as usize].clock.wall(self.core.now)
    }

    fn random(&mut self, at: Place) -> u64 {
        next_random(&mut self.core.machines[at.machine as usize].random)
    }

    fn choice(&mut self) -> u64 {
        self.enter();
        self.core.choice()
    }

    fn observe(&mut self, at: Place, key: Name, value: Value) {
        if self.alive(at) {
            self.enter();
            self.core.observe(at.machine, key, value);
        }
    }

    fn spawn(&mut self, at: Place, task: LocalFuture) -> TaskKey {
        if !self.alive(at) {
            self.orphans.push(task);
            return TaskKey(u32::MAX, 0);
        }
        if self.core.running != Some(at.machine) {
            return self.start_task(at, Kind::Process, task);
        }
        let key = self.add_task(at, Kind::Process, task);
        self.runtime.spawn(Box::pin(HostedTask::new(self.me.clone(), key)));
        key
    }

    fn abort(&mut self, task: TaskKey) -> Option<LocalFuture> {
        self.end_task(task)
    }

    fn start_timer(&mut self, at: Place, deadline_ns: u64) -> TimerKey {
        let (slot, serial) = self.timers.insert(Timer::new(at, deadline_ns));
        TimerKey(slot, serial)
    }

    fn poll_timer(&mut self, timer: TimerKey, cx: &mut Context<'_>) -> Poll<()> {
        self.enter();
        self.timer_polled(timer, cx)
    }

    fn cancel_timer(&mut self, timer: TimerKey) {
        self.timers.remove(timer.0, timer.1);
    }

    fn start_compute(&mut self, at: Place, span_ns: u64) -> TimerKey {
        self.enter();
        let now = self.core.machines[at.machine as usize].clock.monotonic(self.core.now);
        self.start_timer(at, now.saturating_add(span_ns))
    }

    fn bind(&mut self, at: Place, port: u16) -> io::Result<(SocketKey, u16)> {
        if !self.alive(at) {
            return Err(gone());
        }
        let port = self.ports.pick(at.machine, port, |port| self.sockets.is_taken(at.machine, port))?;
        Ok((self.sockets.bind(at.machine, port), port))
    }

    fn send_to(&mut self, socket: SocketKey, to: Address, bytes: &[u8]) -> io::Result<()> {
        self.enter();
        let from = self.sockets.sender(socket, bytes.len())?;
        self.check_machine(to)?;
        self.core.send(from, to, &Payload::new(bytes));
        Ok(())
    }

    fn poll_recv_from(
        &mut self,
        socket: SocketKey,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<(usize, Address)>> {
        self.sockets.receive(socket, cx, buffer)
    }

    fn close_socket(&mut self, socket: SocketKey) {
        self.sockets.close(socket);
    }

    fn listen(&mut self, at: Place, port: u16) -> io::Result<(ListenerKey, u16)> {
        if !self.alive(at) {
            return Err(gone());
        }
        let port = self.ports.pick(at.machine, port, |port| self.streams.is_taken(at.machine, port))?;
        Ok((self.streams.listen(at.machine, port), port))
    }

    fn poll_accept(&mut self, listener: ListenerKey, cx: &mut Context<'_>) -> Poll<io::Result<(StreamKey, Address)>> {
        self.streams.accept(listener, cx)
    }

    fn close_listener(&mut self, listener: ListenerKey) {
        self.enter();
        self.streams.stop_listening(listener, &mut self.core);
    }

    fn connect(&mut self, at: Place, to: Address) -> io::Result<StreamKey> {
        self.enter();
        if !self.alive(at) {
            return Err(gone());
        }
        self.check_machine(to)?;
        let port = self.ports.pick(at.machine, 0, |_| false)?;
        let from = Address { node: NodeId(at.machine), port };
        Ok(self.streams.connect(from, to, &mut self.core))
    }

    fn poll_connect(&mut self, stream: StreamKey, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.streams.connected(stream, cx)
    }

    fn poll_read(&mut self, stream: StreamKey, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.streams.read(stream, cx, buffer)
    }

    fn poll_write(&mut self, stream: StreamKey, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.enter();
        self.streams.write(stream, cx, bytes, &mut self.core)
    }

    fn shutdown(&mut self, stream: StreamKey) -> io::Result<()> {
        self.enter();
        self.streams.shutdown(stream, &mut self.core)
    }

    fn close_stream(&mut self, stream: StreamKey) {
        self.enter();
        self.streams.close(stream, &mut self.core);
    }

    fn disk_image(&mut self, at: Place) -> &mut DiskImage {
        &mut self.core.machines[at.machine as usize].disk
    }

    fn submit_disk(&mut self, at: Place, request: DiskRequest) -> io::Result<DiskKey> {
        self.enter();
        self.disk_asked(at, &request)
    }

    fn poll_disk(&mut self, request: DiskKey, cx: &mut Context<'_>) -> Poll<io::Result<DiskReply>> {
        self.requests.poll(request, cx)
    }

    fn forget_disk(&mut self, request: DiskKey) {
        self.requests.forget(request);
    }
}
