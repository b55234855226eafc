//! The world as code under test meets it, wherever it runs: what does not hang on who polls tasks and keeps time.

use std::{
    io,
    task::{Context, Poll},
};

use squall_checkers::{operation::Name, value::Value};

use super::{
    disk::{Requests, Sync},
    payload::Payload,
    ports::Ephemeral,
    sockets::Sockets,
    state::{State, gone},
    streams::{Carrier, Streams},
};
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
};

/// What the operating systems of a run's machines keep for their processes.
pub(crate) struct Kernel {
    pub(crate) sockets: Sockets,
    pub(crate) streams: Streams,
    pub(crate) requests: Requests,
    ports: Ephemeral,
    /// Tasks that dead processes started. They never run, and are dropped where their destructors may call the world.
    orphans: Vec<LocalFuture>,
}

impl Kernel {
    pub(crate) fn new(machines: usize) -> Self {
        Kernel {
            sockets: Sockets::new(machines),
            streams: Streams::new(machines),
            requests: Requests::new(),
            ports: Ephemeral::new(machines),
            orphans: Vec::new(),
        }
    }

    /// A machine's process is dead: its sockets are closed, its streams' ends are no more. When `resets`, the operating system
    /// lives on and tells the peers.
    pub(crate) fn close_all(&mut self, machine: u32, resets: bool, carrier: &mut impl Carrier) {
        self.sockets.close_all(machine);
        self.streams.close_all(machine, resets, carrier);
    }

    /// Takes out the tasks that dead processes started; their destructors may start more.
    pub(crate) fn take_orphans(&mut self) -> Vec<LocalFuture> {
        std::mem::take(&mut self.orphans)
    }
}

/// A world that stands on the shared layer: what it adds is time, tasks, and the way of what was sent.
pub(crate) trait Layered {
    /// What carries the words of streams; it has the run's state.
    type Core: Carrier;

    fn core(&self) -> &Self::Core;
    fn core_mut(&mut self) -> &mut Self::Core;
    /// Both at once.
    fn parts(&mut self) -> (&mut Self::Core, &mut Kernel);
    /// A process calls: the time is that of its machine.
    fn enter(&mut self) {}
    /// Whether a place is alive.
    fn alive(&self, at: Place) -> bool;

    /// Sends a datagram to a machine that there is.
    fn send(&mut self, from: Address, to: Address, payload: Payload);
    /// Starts a task of a place that is alive.
    fn start_task(&mut self, at: Place, task: LocalFuture) -> TaskKey;
    /// Ends a task and returns its future, to be dropped outside the world.
    fn end_task(&mut self, task: TaskKey) -> Option<LocalFuture>;
    /// A timer by the machine's monotonic clock, in nanoseconds.
    fn set_timer(&mut self, at: Place, deadline_ns: u64) -> TimerKey;
    fn timer_polled(&mut self, timer: TimerKey, cx: &mut Context<'_>) -> Poll<()>;
    fn drop_timer(&mut self, timer: TimerKey);
    /// A disk works on a request, and on the sync that ends with it, for so long.
    fn disk_works(&mut self, at: Place, request: DiskKey, sync: Option<Sync>, span_ns: u64);
}

/// The state of a run.
fn state<L: Layered>(world: &mut L) -> &mut State<<L::Core as Carrier>::Waiting> {
    world.core_mut().state_mut()
}

fn check_machine<L: Layered>(world: &L, to: Address) -> io::Result<()> {
    if (to.node.0 as usize) < world.core().state().machines.len() {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::NetworkUnreachable, format!("there is no machine {}", to.node)))
}

impl<L: Layered> World for L {
    fn node_count(&self) -> u32 {
        self.core().state().nodes
    }

    fn home(&self, at: Place) -> NodeId {
        self.core().state().home(at)
    }

    fn monotonic_ns(&mut self, at: Place) -> u64 {
        self.enter();
        let state = state(self);
        state.clock_read(at.machine);
        state.machines[at.machine as usize].clock.monotonic(state.now)
    }

    fn wall_ns(&mut self, at: Place) -> u64 {
        self.enter();
        let state = state(self);
        state.clock_read(at.machine);
        state.machines[at.machine as usize].clock.wall(state.now)
    }

    fn random(&mut self, at: Place) -> u64 {
        next_random(&mut state(self).machines[at.machine as usize].random)
    }

    fn choice(&mut self) -> u64 {
        self.enter();
        state(self).choice()
    }

    fn observe(&mut self, at: Place, key: Name, value: Value) {
        if self.alive(at) {
            self.enter();
            state(self).observe(at.machine, key, value);
        }
    }

    fn spawn(&mut self, at: Place, task: LocalFuture) -> TaskKey {
        if self.alive(at) {
            return self.start_task(at, task);
        }
        self.parts().1.orphans.push(task);
        TaskKey(u32::MAX, 0)
    }

    fn abort(&mut self, task: TaskKey) -> Option<LocalFuture> {
        self.end_task(task)
    }

    fn start_timer(&mut self, at: Place, deadline_ns: u64) -> TimerKey {
        self.set_timer(at, deadline_ns)
    }

    fn poll_timer(&mut self, timer: TimerKey, cx: &mut Context<'_>) -> Poll<()> {
        self.enter();
        self.timer_polled(timer, cx)
    }

    fn cancel_timer(&mut self, timer: TimerKey) {
        self.drop_timer(timer);
    }

    fn start_compute(&mut self, at: Place, span_ns: u64) -> TimerKey {
        self.enter();
        let state = state(self);
        let now = state.machines[at.machine as usize].clock.monotonic(state.now);
        self.set_timer(at, now.saturating_add(span_ns))
    }

    fn bind(&mut self, at: Place, port: u16) -> io::Result<(SocketKey, u16)> {
        if !self.alive(at) {
            return Err(gone());
        }
        let Kernel { sockets, ports, .. } = self.parts().1;
        let port = ports.pick(at.machine, port, |port| sockets.is_taken(at.machine, port))?;
        Ok((sockets.bind(at.machine, port), port))
    }

    fn send_to(&mut self, socket: SocketKey, to: Address, bytes: &[u8]) -> io::Result<()> {
        self.enter();
        let from = self.parts().1.sockets.sender(socket, bytes.len())?;
        check_machine(self, to)?;
        self.send(from, to, Payload::new(bytes));
        Ok(())
    }

    fn poll_recv_from(
        &mut self,
        socket: SocketKey,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<(usize, Address)>> {
        self.parts().1.sockets.receive(socket, cx, buffer)
    }

    fn close_socket(&mut self, socket: SocketKey) {
        self.parts().1.sockets.close(socket);
    }

    fn listen(&mut self, at: Place, port: u16) -> io::Result<(ListenerKey, u16)> {
        if !self.alive(at) {
            return Err(gone());
        }
        let Kernel { streams, ports, .. } = self.parts().1;
        let port = ports.pick(at.machine, port, |port| streams.is_taken(at.machine, port))?;
        Ok((streams.listen(at.machine, port), port))
    }

    fn poll_accept(&mut self, listener: ListenerKey, cx: &mut Context<'_>) -> Poll<io::Result<(StreamKey, Address)>> {
        self.parts().1.streams.accept(listener, cx)
    }

    fn close_listener(&mut self, listener: ListenerKey) {
        self.enter();
        let (core, kernel) = self.parts();
        kernel.streams.stop_listening(listener, core);
    }

    fn connect(&mut self, at: Place, to: Address) -> io::Result<StreamKey> {
        self.enter();
        if !self.alive(at) {
            return Err(gone());
        }
        check_machine(self, to)?;
        let (core, Kernel { streams, ports, .. }) = self.parts();
        let port = ports.pick(at.machine, 0, |_| false)?;
        Ok(streams.connect(Address { node: NodeId(at.machine), port }, to, core))
    }

    fn poll_connect(&mut self, stream: StreamKey, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.parts().1.streams.connected(stream, cx)
    }

    fn poll_read(&mut self, stream: StreamKey, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.parts().1.streams.read(stream, cx, buffer)
    }

    fn poll_write(&mut self, stream: StreamKey, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.enter();
        let (core, kernel) = self.parts();
        kernel.streams.write(stream, cx, bytes, core)
    }

    fn shutdown(&mut self, stream: StreamKey) -> io::Result<()> {
        self.enter();
        let (core, kernel) = self.parts();
        kernel.streams.shutdown(stream, core)
    }

    fn close_stream(&mut self, stream: StreamKey) {
        self.enter();
        let (core, kernel) = self.parts();
        kernel.streams.close(stream, core);
    }

    fn disk_image(&mut self, at: Place) -> &mut DiskImage {
        &mut state(self).machines[at.machine as usize].disk
    }

    fn submit_disk(&mut self, at: Place, request: DiskRequest) -> io::Result<DiskKey> {
        self.enter();
        if !self.alive(at) {
            return Err(gone());
        }
        let (core, kernel) = self.parts();
        let mut asked = core.state_mut().ask_disk(at, &request);
        let (span_ns, sync) = (asked.span_ns, asked.sync.take());
        let request = kernel.requests.begin(asked);
        self.disk_works(at, request, sync, span_ns);
        Ok(request)
    }

    fn poll_disk(&mut self, request: DiskKey, cx: &mut Context<'_>) -> Poll<io::Result<DiskReply>> {
        self.parts().1.requests.poll(request, cx)
    }

    fn forget_disk(&mut self, request: DiskKey) {
        self.parts().1.requests.forget(request);
    }
}
