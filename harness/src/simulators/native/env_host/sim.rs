//! The native world as async code meets it.

use std::{
    collections::VecDeque,
    io,
    task::{Context, Poll, Waker},
};

use squall_checkers::{history::ProcessId, operation::Name, value::Value};

use super::{
    event::{EnvEvent, datagram_hash},
    executor::Executor,
    payload::Payload,
    ports::Ports,
    slots::Slots,
    streams::{Accepting, Connection},
    waiters::Waiters,
};
use crate::{
    environment::{
        Address, content,
        image::DiskImage,
        world::{
            DiskKey, DiskReply, DiskRequest, ListenerKey, LocalFuture, Place, SocketKey, StreamKey, TaskKey, TimerKey,
            World,
        },
    },
    plan::{NodeId, mix, next_random},
    simulators::{
        TraceKind,
        native::{
            core::{Core, OwnEvent as _},
            node_host::sync_span_ns,
        },
    },
};

/// The first port that is given to those who do not ask for one.
const EPHEMERAL: u16 = 49_152;
/// The most bytes of a datagram.
const DATAGRAM_MAX: usize = 65_507;
/// Datagrams that wait in a socket; more are dropped, as a full receive buffer does.
const INBOX_MAX: usize = 1 << 16;
/// Time of a disk request that stays in the page cache, in nanoseconds.
const CACHED_NS: u64 = 5_000;

/// The world of a run of async code.
pub(super) struct Sim {
    pub(super) core: Core<EnvEvent>,
    pub(super) executor: Executor,
    sockets: Slots<Inbox>,
    timers: Slots<Timer>,
    disk: Slots<Request>,
    pub(super) connections: Slots<Connection>,
    pub(super) listeners: Slots<Accepting>,
    /// Sockets and listeners by port, per machine.
    udp: Vec<Ports>,
    pub(super) tcp: Vec<Ports>,
    next_port: Vec<u16>,
    /// What choices hang on beside their machine and their time.
    dice: u64,
    /// An instant, and the choices at it.
    choices: (u64, u64),
    /// Tasks that dead processes started. They never run, and are dropped where their destructors may call the world.
    pub(super) orphans: Vec<LocalFuture>,
}

struct Inbox {
    place: Place,
    port: u16,
    datagrams: VecDeque<(Address, Payload)>,
    waiters: Waiters,
}

struct Timer {
    fired: bool,
    waker: Option<Waker>,
}

struct Request {
    reply: Option<io::Result<DiskReply>>,
    done: bool,
    forgotten: bool,
    waker: Option<Waker>,
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "this process is no more")
}

impl Sim {
    pub(super) fn new(core: Core<EnvEvent>) -> Self {
        let machines = core.machines.len();
        // Another source than the machine's own draws: those begin one step further.
        let dice = core.machines[0].random;
        Sim {
            core,
            executor: Executor::new(),
            sockets: Slots::new(),
            timers: Slots::new(),
            disk: Slots::new(),
            connections: Slots::new(),
            listeners: Slots::new(),
            udp: vec![Ports::default(); machines],
            tcp: vec![Ports::default(); machines],
            next_port: vec![EPHEMERAL; machines],
            dice,
            choices: (0, 0),
            orphans: Vec::new(),
        }
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

    /// An event has come, and its machine has let it in.
    pub(super) fn handle(&mut self, event: EnvEvent) {
        match event {
            EnvEvent::Datagram { from, to, hash, payload } => {
                self.core.statistics.messages += 1;
                self.core.digest(0x1 << 60 | u64::from(from.node.0) << 32 | u64::from(to.node.0), hash);
                if self.core.traces() {
                    let text = EnvEvent::Datagram { from, to, hash, payload: payload.clone() }.describe();
                    self.core.trace(Some(to.node.0), || TraceKind::Delivered { from: from.node, text });
                }
                if let Some((slot, serial)) = self.udp[to.node.0 as usize].get(to.port)
                    && let Some(inbox) = self.sockets.get_mut(slot, serial)
                    && inbox.datagrams.len() < INBOX_MAX
                {
                    inbox.datagrams.push_back((from, payload));
                    inbox.waiters.wake();
                }
            }
            EnvEvent::Timer { machine, incarnation, timer, serial, deadline_ns } => {
                let clock = &self.core.machines[machine as usize].clock;
                if clock.monotonic(self.core.now) < deadline_ns {
                    // The clock runs slower than it did when the timer was set.
                    let due = clock.true_time(self.core.now, deadline_ns);
                    self.core.schedule(due, EnvEvent::Timer { machine, incarnation, timer, serial, deadline_ns });
                    return;
                }
                if let Some(t) = self.timers.get_mut(timer, serial) {
                    t.fired = true;
                    wake(&mut t.waker);
                    self.core.digest(0x4 << 60 | u64::from(machine), 0);
                    self.core.trace(Some(machine), || TraceKind::Timer { text: format!("timer {timer}") });
                }
            }
            EnvEvent::Disk { machine, request, serial, sync, .. } => {
                self.core.digest(0x5 << 60 | u64::from(machine), u64::from(sync.is_some()));
                if let Some((ticket, succeeded)) = sync {
                    self.core.machines[machine as usize].disk.end_sync(&ticket, succeeded);
                    let text =
                        || TraceKind::Disk { text: format!("sync {}", if succeeded { "done" } else { "failed" }) };
                    self.core.trace(Some(machine), text);
                }
                if let Some(r) = self.disk.get_mut(request, serial) {
                    r.done = true;
                    wake(&mut r.waker);
                    if r.forgotten {
                        self.disk.remove(request, serial);
                    }
                }
            }
            stream => self.handle_stream(stream),
        }
    }

    /// A machine's process is dead: its sockets are closed, its streams' ends are no more. When `resets`, the operating system
    /// lives on and tells the peers.
    pub(super) fn close_all(&mut self, machine: u32, resets: bool) {
        for (slot, serial) in self.udp[machine as usize].take() {
            self.sockets.remove(slot, serial);
        }
        self.close_streams(machine, resets);
    }

    /// Timers of a machine are due at other times.
    pub(super) fn rearm(&mut self, machine: u32) {
        let clock = self.core.machines[machine as usize].clock;
        let now = self.core.now;
        self.core.reschedule(machine, |event| match event {
            EnvEvent::Timer { machine: m, deadline_ns, .. } if *m == machine => {
                Some(clock.true_time(now, *deadline_ns))
            }
            _ => None,
        });
    }

    /// Whether it is the event of a timer that was cancelled: a slow machine loses no time over it.
    pub(super) fn is_cancelled(&mut self, event: &EnvEvent) -> bool {
        matches!(event, EnvEvent::Timer { timer, serial, .. } if self.timers.get_mut(*timer, *serial).is_none())
    }

    fn do_disk(&mut self, at: Place, request: &DiskRequest) -> io::Result<DiskReply> {
        let disk = &mut self.core.machines[at.machine as usize].disk;
        Ok(match request {
            DiskRequest::Read { file, offset, length } => {
                let content = disk.read(file)?;
                let start = usize::try_from(*offset).unwrap_or(usize::MAX).min(content.len());
                let end = start.saturating_add(*length).min(content.len());
                DiskReply::Bytes(content[start..end].to_vec())
            }
            DiskRequest::Write { file, offset, bytes } => {
                disk.write(file, *offset, bytes)?;
                DiskReply::Done
            }
            DiskRequest::Append { file, bytes } => {
                disk.append(file, bytes)?;
                DiskReply::Done
            }
            DiskRequest::SetLength { file, length } => {
                disk.set_length(file, *length)?;
                DiskReply::Done
            }
            DiskRequest::Rename { from, to } => {
                disk.rename(from, to)?;
                DiskReply::Done
            }
            DiskRequest::Remove { file } => {
                disk.remove(file)?;
                DiskReply::Done
            }
            DiskRequest::List => DiskReply::Names(disk.list().map(str::to_owned).collect()),
            DiskRequest::Length { file } => DiskReply::Length(disk.length(file)?),
            DiskRequest::Sync { .. } | DiskRequest::SyncDirectory => DiskReply::Done,
        })
    }
}

/// Wakes who waits, once.
pub(super) fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

/// Remembers who waits.
pub(super) fn wait(waker: &mut Option<Waker>, cx: &Context<'_>) {
    match waker {
        Some(known) if known.will_wake(cx.waker()) => {}
        _ => *waker = Some(cx.waker().clone()),
    }
}

impl World for Sim {
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
        self.core.clock_read(at.machine);
        self.core.machines[at.machine as usize].clock.monotonic(self.core.now)
    }

    fn wall_ns(&mut self, at: Place) -> u64 {
        self.core.clock_read(at.machine);
        self.core.machines[at.machine as usize].clock.wall(self.core.now)
    }

    fn random(&mut self, at: Place) -> u64 {
        next_random(&mut self.core.machines[at.machine as usize].random)
    }

    fn choice(&mut self) -> u64 {
        // By time and machine, and not from a stream: what a fault moves does not reshuffle all choices after it.
        let now = self.core.now;
        self.choices = (now, if self.choices.0 == now { self.choices.1 + 1 } else { 0 });
        let machine = self.core.running.map_or(0, |machine| u64::from(machine) + 1);
        mix(self.dice ^ mix(now, machine), self.choices.1)
    }

    fn observe(&mut self, at: Place, key: Name, value: Value) {
        if self.alive(at) {
            self.core.observe(at.machine, key, value);
        }
    }

    fn spawn(&mut self, at: Place, task: LocalFuture) -> TaskKey {
        if !self.alive(at) {
            self.orphans.push(task);
            return TaskKey(u32::MAX, 0);
        }
        self.executor.add(at, Some(task))
    }

    fn abort(&mut self, task: TaskKey) -> Option<LocalFuture> {
        self.executor.end(task)
    }

    fn start_timer(&mut self, at: Place, deadline_ns: u64) -> TimerKey {
        let clock = &self.core.machines[at.machine as usize].clock;
        let due = clock.true_time(self.core.now, deadline_ns);
        let (timer, serial) = self.timers.insert(Timer { fired: false, waker: None });
        let incarnation = at.incarnation;
        let event = EnvEvent::Timer { machine: at.machine, incarnation, timer, serial, deadline_ns };
        self.core.schedule(due, event);
        TimerKey(timer, serial)
    }

    fn poll_timer(&mut self, timer: TimerKey, cx: &mut Context<'_>) -> Poll<()> {
        match self.timers.get_mut(timer.0, timer.1) {
            Some(t) if t.fired => Poll::Ready(()),
            Some(t) => {
                wait(&mut t.waker, cx);
                Poll::Pending
            }
            None => Poll::Pending,
        }
    }

    fn cancel_timer(&mut self, timer: TimerKey) {
        // Its event, if it is still under way, finds nothing.
        self.timers.remove(timer.0, timer.1);
    }

    fn start_compute(&mut self, at: Place, span_ns: u64) -> TimerKey {
        let now = self.core.machines[at.machine as usize].clock.monotonic(self.core.now);
        self.start_timer(at, now.saturating_add(span_ns))
    }

    fn bind(&mut self, at: Place, port: u16) -> io::Result<(SocketKey, u16)> {
        if !self.alive(at) {
            return Err(gone());
        }
        let machine = at.machine;
        let port = match port {
            0 => self.free_port(machine, |s, port| s.udp[machine as usize].get(port).is_some())?,
            port if self.udp[machine as usize].get(port).is_some() => {
                return Err(io::Error::new(io::ErrorKind::AddrInUse, format!("port {port} is taken")));
            }
            port => port,
        };
        let (slot, serial) =
            self.sockets.insert(Inbox { place: at, port, datagrams: VecDeque::new(), waiters: Waiters::default() });
        self.udp[machine as usize].insert(port, (slot, serial));
        Ok((SocketKey(slot, serial), port))
    }

    fn send_to(&mut self, socket: SocketKey, to: Address, bytes: &[u8]) -> io::Result<()> {
        let (from, port) = match self.sockets.get_mut(socket.0, socket.1) {
            Some(inbox) => (inbox.place.machine, inbox.port),
            None => return Err(gone()),
        };
        if bytes.len() > DATAGRAM_MAX {
            let text = format!("a datagram of {} bytes; at most {DATAGRAM_MAX} fit", bytes.len());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        if to.node.0 as usize >= self.core.machines.len() {
            return Err(io::Error::new(io::ErrorKind::NetworkUnreachable, format!("there is no machine {}", to.node)));
        }
        let payload = Payload::new(bytes);
        let hash = datagram_hash(port, to.port, &payload);
        let from_address = Address { node: NodeId(from), port };
        let event = || EnvEvent::Datagram { from: from_address, to, hash, payload };
        self.core.send(from, to.node.0, hash, event);
        Ok(())
    }

    fn poll_recv_from(
        &mut self,
        socket: SocketKey,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<(usize, Address)>> {
        let Some(inbox) = self.sockets.get_mut(socket.0, socket.1) else { return Poll::Ready(Err(gone())) };
        let Some((from, payload)) = inbox.datagrams.front() else {
            inbox.waiters.wait(cx);
            return Poll::Pending;
        };
        let received = (payload.copy_to(buffer), *from);
        inbox.datagrams.pop_front();
        Poll::Ready(Ok(received))
    }

    fn close_socket(&mut self, socket: SocketKey) {
        if let Some(inbox) = self.sockets.remove(socket.0, socket.1) {
            self.udp[inbox.place.machine as usize].remove(inbox.port);
        }
    }

    fn listen(&mut self, at: Place, port: u16) -> io::Result<(ListenerKey, u16)> {
        if !self.alive(at) {
            return Err(gone());
        }
        let machine = at.machine;
        let port = match port {
            0 => self.free_port(machine, |s, port| s.tcp[machine as usize].get(port).is_some())?,
            port if self.tcp[machine as usize].get(port).is_some() => {
                return Err(io::Error::new(io::ErrorKind::AddrInUse, format!("port {port} is taken")));
            }
            port => port,
        };
        let (slot, serial) = self.listeners.insert(Accepting::new(machine, port));
        self.tcp[machine as usize].insert(port, (slot, serial));
        Ok((ListenerKey(slot, serial), port))
    }

    fn poll_accept(&mut self, listener: ListenerKey, cx: &mut Context<'_>) -> Poll<io::Result<(StreamKey, Address)>> {
        self.accept(listener, cx)
    }

    fn close_listener(&mut self, listener: ListenerKey) {
        self.stop_listening(listener);
    }

    fn connect(&mut self, at: Place, to: Address) -> io::Result<StreamKey> {
        if !self.alive(at) {
            return Err(gone());
        }
        if to.node.0 as usize >= self.core.machines.len() {
            return Err(io::Error::new(io::ErrorKind::NetworkUnreachable, format!("there is no machine {}", to.node)));
        }
        let machine = at.machine;
        let port = self.free_port(machine, |_, _| false)?;
        Ok(self.begin_connecting(Address { node: NodeId(machine), port }, to))
    }

    fn poll_connect(&mut self, stream: StreamKey, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.connected(stream, cx)
    }

    fn poll_read(&mut self, stream: StreamKey, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.read(stream, cx, buffer)
    }

    fn poll_write(&mut self, stream: StreamKey, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.write(stream, cx, bytes)
    }

    fn shutdown(&mut self, stream: StreamKey) -> io::Result<()> {
        self.finish_writing(stream)
    }

    fn close_stream(&mut self, stream: StreamKey) {
        self.close_end(stream);
    }

    fn disk_image(&mut self, at: Place) -> &mut DiskImage {
        &mut self.core.machines[at.machine as usize].disk
    }

    fn submit_disk(&mut self, at: Place, request: DiskRequest) -> io::Result<DiskKey> {
        if !self.alive(at) {
            return Err(gone());
        }
        let file = match &request {
            DiskRequest::Sync { file } => Some(Some(file.as_str())),
            DiskRequest::SyncDirectory => Some(None),
            _ => None,
        };
        let mut sync = None;
        let mut reply = self.do_disk(at, &request);
        let mut span = CACHED_NS;
        if let Some(file) = file {
            let succeeded = !self.core.sync_fails(at.machine);
            match self.core.machines[at.machine as usize].disk.begin_sync(file) {
                Ok(ticket) => sync = Some((ticket, succeeded)),
                Err(error) => reply = Err(error),
            }
            if !succeeded {
                reply = Err(io::Error::other("the disk reported an I/O error"));
            }
            let draw = content::hash(&(at.machine, at.incarnation, self.core.now));
            span = sync_span_ns(draw);
        }
        self.core.count_refused(at.machine);
        let span = self.core.disk_latency_ns(at.machine, span);
        let (slot, serial) =
            self.disk.insert(Request { reply: Some(reply), done: false, forgotten: false, waker: None });
        let (machine, incarnation) = (at.machine, at.incarnation);
        let event = EnvEvent::Disk { machine, incarnation, request: slot, serial, sync };
        self.core.schedule(self.core.now.saturating_add(span), event);
        Ok(DiskKey(slot, serial))
    }

    fn poll_disk(&mut self, request: DiskKey, cx: &mut Context<'_>) -> Poll<io::Result<DiskReply>> {
        match self.disk.get_mut(request.0, request.1) {
            Some(r) if r.done => {
                let reply = self.disk.remove(request.0, request.1).and_then(|r| r.reply);
                Poll::Ready(reply.unwrap_or_else(|| Err(gone())))
            }
            Some(r) => {
                wait(&mut r.waker, cx);
                Poll::Pending
            }
            None => Poll::Pending,
        }
    }

    fn forget_disk(&mut self, request: DiskKey) {
        if let Some(r) = self.disk.get_mut(request.0, request.1) {
            r.forgotten = true;
        }
    }
}
