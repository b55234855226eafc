//! The native world as async code meets it.

use std::{
    io,
    task::{Context, Poll, Waker},
};

use squall_checkers::{operation::Name, value::Value};

use super::{event::EnvEvent, executor::Executor};
use crate::{
    environment::{
        Address,
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
            state::{State, gone},
            streams::{Carrier, StreamEvent, Streams, knocked_in_vain, wait, wake},
        },
        native::core::Core,
    },
};

/// The world of a run of async code.
pub(super) struct Sim {
    pub(super) core: Core<EnvEvent>,
    pub(super) executor: Executor,
    sockets: Sockets,
    streams: Streams,
    timers: Slots<Timer>,
    disk: Requests,
    ports: Ephemeral,
    /// Tasks that dead processes started. They never run, and are dropped where their destructors may call the world.
    pub(super) orphans: Vec<LocalFuture>,
}

struct Timer {
    fired: bool,
    waker: Option<Waker>,
}

impl Sim {
    pub(super) fn new(core: Core<EnvEvent>) -> Self {
        let machines = core.machines.len();
        Sim {
            core,
            executor: Executor::new(),
            sockets: Sockets::new(machines),
            streams: Streams::new(machines),
            timers: Slots::new(),
            disk: Requests::new(),
            ports: Ephemeral::new(machines),
            orphans: Vec::new(),
        }
    }

    fn check_machine(&self, to: Address) -> io::Result<()> {
        if (to.node.0 as usize) < self.core.machines.len() {
            return Ok(());
        }
        Err(io::Error::new(io::ErrorKind::NetworkUnreachable, format!("there is no machine {}", to.node)))
    }

    /// An event comes to its machine's door; `admitted` when the machine has let it in already.
    #[inline(never)]
    pub(super) fn knock(&mut self, event: EnvEvent, admitted: bool) {
        let machine = match &event {
            EnvEvent::Datagram { to, .. } => Some(to.node.0),
            EnvEvent::Timer { machine, incarnation, .. } | EnvEvent::Disk { machine, incarnation, .. } => {
                if !self.core.is_alive(Place { machine: *machine, incarnation: *incarnation }) {
                    return;
                }
                Some(*machine)
            }
            EnvEvent::Stream(event) => self.streams.door(event),
        };
        let Some(machine) = machine else { return self.handle(event) };
        if !self.core.machines[machine as usize].up {
            return self.knocked_in_vain(event);
        }
        let event = if admitted || !self.core.machines[machine as usize].is_hindered() {
            Some(event)
        } else if self.is_cancelled(&event) {
            None
        } else {
            self.core.admit(machine, event)
        };
        if let Some(event) = event {
            self.handle(event);
        }
    }

    /// A datagram has come, and its machine has let it in.
    #[inline(always)]
    pub(super) fn datagram_arrives(&mut self, from: Address, to: Address, hash: u64, payload: Payload) {
        self.core.statistics.messages += 1;
        self.core.digest(0x1 << 60 | u64::from(from.node.0) << 32 | u64::from(to.node.0), hash);
        if self.core.traces() {
            let text = datagram_text(from, to, &payload);
            self.core.trace(Some(to.node.0), || TraceKind::Delivered { from: from.node, text });
        }
        self.sockets.deliver(from, to, payload);
    }

    /// An event has come, and its machine has let it in.
    fn handle(&mut self, event: EnvEvent) {
        match event {
            EnvEvent::Datagram { from, to, hash, payload } => self.datagram_arrives(from, to, hash, payload),
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
            EnvEvent::Disk { machine, request, sync, .. } => {
                self.core.disk_done(machine, sync.as_ref());
                self.disk.done(request);
            }
            EnvEvent::Stream(event) => self.streams.handle(event, &mut self.core),
        }
    }

    /// An event came to a machine that is down.
    #[cold]
    fn knocked_in_vain(&mut self, event: EnvEvent) {
        if let EnvEvent::Stream(event) = event {
            knocked_in_vain(event, &mut self.core);
        }
    }

    /// A machine's process is dead: its sockets are closed, its streams' ends are no more. When `resets`, the operating system
    /// lives on and tells the peers.
    pub(super) fn close_all(&mut self, machine: u32, resets: bool) {
        self.sockets.close_all(machine);
        self.streams.close_all(machine, resets, &mut self.core);
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
    fn is_cancelled(&mut self, event: &EnvEvent) -> bool {
        matches!(event, EnvEvent::Timer { timer, serial, .. } if self.timers.get_mut(*timer, *serial).is_none())
    }
}

impl Carrier for Core<EnvEvent> {
    type Waiting = EnvEvent;

    fn state(&mut self) -> &mut State<EnvEvent> {
        self
    }

    fn schedule(&mut self, at: u64, event: StreamEvent) {
        Core::schedule(self, at, EnvEvent::Stream(event));
    }
}

impl World for Sim {
    fn node_count(&self) -> u32 {
        self.core.nodes
    }

    fn home(&self, at: Place) -> NodeId {
        self.core.home(at)
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
        self.core.choice()
    }

    fn observe(&mut self, at: Place, key: Name, value: Value) {
        if self.core.is_alive(at) {
            self.core.observe(at.machine, key, value);
        }
    }

    fn spawn(&mut self, at: Place, task: LocalFuture) -> TaskKey {
        if !self.core.is_alive(at) {
            self.orphans.push(task);
            return TaskKey(u32::MAX, 0);
        }
        self.executor.spawn(at, task)
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
        if !self.core.is_alive(at) {
            return Err(gone());
        }
        let port = self.ports.pick(at.machine, port, |port| self.sockets.is_taken(at.machine, port))?;
        Ok((self.sockets.bind(at.machine, port), port))
    }

    fn send_to(&mut self, socket: SocketKey, to: Address, bytes: &[u8]) -> io::Result<()> {
        let from = self.sockets.sender(socket, bytes.len())?;
        self.check_machine(to)?;
        let payload = Payload::new(bytes);
        let hash = datagram_hash(from.port, to.port, &payload);
        self.core.send(from.node.0, to.node.0, hash, || EnvEvent::Datagram { from, to, hash, payload });
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
        if !self.core.is_alive(at) {
            return Err(gone());
        }
        let port = self.ports.pick(at.machine, port, |port| self.streams.is_taken(at.machine, port))?;
        Ok((self.streams.listen(at.machine, port), port))
    }

    fn poll_accept(&mut self, listener: ListenerKey, cx: &mut Context<'_>) -> Poll<io::Result<(StreamKey, Address)>> {
        self.streams.accept(listener, cx)
    }

    fn close_listener(&mut self, listener: ListenerKey) {
        self.streams.stop_listening(listener, &mut self.core);
    }

    fn connect(&mut self, at: Place, to: Address) -> io::Result<StreamKey> {
        if !self.core.is_alive(at) {
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
        self.streams.write(stream, cx, bytes, &mut self.core)
    }

    fn shutdown(&mut self, stream: StreamKey) -> io::Result<()> {
        self.streams.shutdown(stream, &mut self.core)
    }

    fn close_stream(&mut self, stream: StreamKey) {
        self.streams.close(stream, &mut self.core);
    }

    fn disk_image(&mut self, at: Place) -> &mut DiskImage {
        &mut self.core.machines[at.machine as usize].disk
    }

    fn submit_disk(&mut self, at: Place, request: DiskRequest) -> io::Result<DiskKey> {
        let mut asked = self.core.ask_disk(at, &request)?;
        let (due, sync) = (self.core.now.saturating_add(asked.span_ns), asked.sync.take());
        let request = self.disk.begin(asked);
        let (machine, incarnation) = (at.machine, at.incarnation);
        self.core.schedule(due, EnvEvent::Disk { machine, incarnation, request, sync });
        Ok(request)
    }

    fn poll_disk(&mut self, request: DiskKey, cx: &mut Context<'_>) -> Poll<io::Result<DiskReply>> {
        self.disk.poll(request, cx)
    }

    fn forget_disk(&mut self, request: DiskKey) {
        self.disk.forget(request);
    }
}
