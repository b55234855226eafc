//! The world as code under test meets it in another runtime.

use std::{
    cell::RefCell,
    collections::{BTreeMap, VecDeque},
    io,
    rc::{Rc, Weak},
    task::{Context, Poll, Waker},
};

use squall_checkers::{
    history::{EntryId, ProcessId},
    operation::Name,
    value::Value,
};

use super::{
    core::{Core, HEADER, datagram_text},
    disk::Request,
    machines::Arrival,
    runtime::Runtime,
    tasks::{HostedTask, Kind, Polls, Task},
    timers::Timer,
};
use crate::{
    environment::{
        Address, Failed, Reply, content,
        image::DiskImage,
        world::{
            DiskKey, DiskReply, DiskRequest, ListenerKey, LocalFuture, Place, SocketKey, StreamKey, TaskKey, TimerKey,
            World,
        },
    },
    plan::{NodeId, fold},
    simulators::{
        TraceKind,
        layer::{
            physics::{DATAGRAM_MAX, EPHEMERAL, INBOX_MAX},
            slots::Slots,
            streams::{Streams, knocked_in_vain, wait, wake},
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
    sockets: Slots<Inbox>,
    pub(super) timers: Slots<Timer>,
    pub(super) requests: Slots<Request>,
    pub(super) streams: Streams,
    /// Sockets by port, per machine.
    udp: Vec<BTreeMap<u16, (u32, u32)>>,
    next_port: Vec<u16>,
}

struct Inbox {
    place: Place,
    port: u16,
    datagrams: VecDeque<(Address, Vec<u8>)>,
    waker: Option<Waker>,
}

pub(super) fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "this process is no more")
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
                sockets: Slots::new(),
                timers: Slots::new(),
                requests: Slots::new(),
                streams: Streams::new(machines),
                udp: vec![BTreeMap::new(); machines],
                next_port: vec![EPHEMERAL; machines],
            })
        })
    }

    /// A task of the runtime calls.
    pub(super) fn enter(&mut self) {
        self.core.enter(self.runtime.now_ns());
    }

    /// Whether a place is alive. A client machine's lives are its processes.
    pub(super) fn alive(&self, at: Place) -> bool {
        if at.machine < self.core.nodes {
            let machine = &self.core.machines[at.machine as usize];
            machine.up && machine.incarnation == at.incarnation
        } else {
            !self.core.clients.is_retired(ProcessId(at.incarnation))
        }
    }

    fn free_port(&mut self, machine: u32, taken: impl Fn(&Self, u16) -> bool) -> io::Result<u16> {
        for _ in EPHEMERAL..=u16::MAX {
            let port = self.next_port[machine as usize];
            self.next_port[machine as usize] = port.checked_add(1).unwrap_or(EPHEMERAL);
            if !taken(self, port) {
                return Ok(port);
            }
        }
        Err(io::Error::new(io::ErrorKind::AddrInUse, "every port is taken"))
    }

    /// The port asked for, or a free one.
    fn pick_port(&mut self, at: Place, port: u16, taken: impl Fn(&Self, u16) -> bool) -> io::Result<u16> {
        if !self.alive(at) {
            return Err(gone());
        }
        match port {
            0 => self.free_port(at.machine, taken),
            port if taken(self, port) => Err(io::Error::new(io::ErrorKind::AddrInUse, format!("port {port} is taken"))),
            port => Ok(port),
        }
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
        self.arrive(machine, Arrival::Datagram { from, to, payload: payload.to_vec() });
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
                if let Some(&(slot, serial)) = self.udp[to.node.0 as usize].get(&to.port)
                    && let Some(inbox) = self.sockets.get_mut(slot, serial)
                    && inbox.datagrams.len() < INBOX_MAX
                {
                    inbox.datagrams.push_back((from, payload));
                    wake(&mut inbox.waker);
                }
            }
            Arrival::Timer(key) => self.timer_fires(key),
            Arrival::Disk(done) => self.disk_done(&done),
            Arrival::Stream(event) => self.streams.handle(event, &mut self.core),
        }
    }

    /// A machine's process is dead: its sockets are closed, its streams' ends are no more. When `resets`, the operating system
    /// lives on and tells the peers.
    pub(super) fn close_all(&mut self, machine: u32, resets: bool) {
        for (slot, serial) in std::mem::take(&mut self.udp[machine as usize]).into_values() {
            self.sockets.remove(slot, serial);
        }
        self.streams.close_all(machine, resets, &mut self.core);
    }

    /// An operation's own task has its outcome.
    pub(super) fn completed(&mut self, entry: EntryId, result: Result<Reply, Failed>) {
        self.enter();
        self.core.complete(entry, result);
    }
}

/// The content hash of a datagram between two ports.
fn datagram_hash(from: u16, to: u16, bytes: &[u8]) -> u64 {
    content::hash_bytes(bytes) ^ (u64::from(from) << 16 | u64::from(to))
}

impl World for Hosted {
    fn node_count(&self) -> u32 {
        self.core.nodes
    }

    fn home(&self, at: Place) -> NodeId {
        if at.machine < self.core.nodes {
            return NodeId(at.machine);
        }
        self.core.clients.home(ProcessId(at.incarnation))
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
        let random = &mut self.core.machines[at.machine as usize].random;
        *random = random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        fold(*random, 0xE703_7ED1_A0B4_28DB ^ *random)
    }

    fn observe(&mut self, at: Place, key: Name, value: Value) {
        if self.alive(at) {
            self.enter();
            self.core.observe(at.machine, key, value);
        }
    }

    fn spawn(&mut self, at: Place, task: LocalFuture) -> TaskKey {
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
        let machine = at.machine as usize;
        let port = self.pick_port(at, port, |world, port| world.udp[machine].contains_key(&port))?;
        let (slot, serial) = self.sockets.insert(Inbox { place: at, port, datagrams: VecDeque::new(), waker: None });
        self.udp[machine].insert(port, (slot, serial));
        Ok((SocketKey(slot, serial), port))
    }

    fn send_to(&mut self, socket: SocketKey, to: Address, bytes: &[u8]) -> io::Result<()> {
        self.enter();
        let from = match self.sockets.get_mut(socket.0, socket.1) {
            Some(inbox) => Address { node: NodeId(inbox.place.machine), port: inbox.port },
            None => return Err(gone()),
        };
        if bytes.len() > DATAGRAM_MAX {
            let text = format!("a datagram of {} bytes; at most {DATAGRAM_MAX} fit", bytes.len());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        self.check_machine(to)?;
        self.core.send(from, to, bytes, datagram_hash(from.port, to.port, bytes));
        Ok(())
    }

    fn poll_recv_from(
        &mut self,
        socket: SocketKey,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<(usize, Address)>> {
        let Some(inbox) = self.sockets.get_mut(socket.0, socket.1) else { return Poll::Ready(Err(gone())) };
        let Some((from, bytes)) = inbox.datagrams.pop_front() else {
            wait(&mut inbox.waker, cx);
            return Poll::Pending;
        };
        let length = bytes.len().min(buffer.len());
        buffer[..length].copy_from_slice(&bytes[..length]);
        Poll::Ready(Ok((length, from)))
    }

    fn close_socket(&mut self, socket: SocketKey) {
        if let Some(inbox) = self.sockets.remove(socket.0, socket.1) {
            self.udp[inbox.place.machine as usize].remove(&inbox.port);
        }
    }

    fn listen(&mut self, at: Place, port: u16) -> io::Result<(ListenerKey, u16)> {
        let port = self.pick_port(at, port, |world, port| world.streams.is_taken(at.machine, port))?;
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
        self.check_machine(to)?;
        let port = self.pick_port(at, 0, |_, _| false)?;
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
        self.disk_answered(request, cx)
    }

    fn forget_disk(&mut self, request: DiskKey) {
        self.disk_forgotten(request);
    }
}
