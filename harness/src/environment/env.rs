//! The handle through which async code under test meets the world.

use std::{
    fmt,
    future::Future,
    io,
    pin::{Pin, pin},
    task::{Context, Poll},
    time::Duration,
};

use squall_checkers::{operation::Name, value::Value};

use super::{
    disk::Disk,
    net::{Address, Listener, Socket, Stream},
    world::{Place, TaskKey, TimerKey, with_world, with_world_if_any},
};
use crate::plan::{NodeId, scale};

/// One machine's view of the world: time, network, disk, tasks, randomness. Small, `Clone`, `Send` and `Sync`; the world
/// itself belongs to the run's thread, and an `Env` used on another thread panics.
#[derive(Clone, Debug)]
pub struct Env {
    place: Place,
}

impl Env {
    /// The handle of a machine; for simulators.
    pub fn at(place: Place) -> Self {
        Env { place }
    }

    /// The machine and its life.
    pub(super) fn place(&self) -> Place {
        self.place
    }

    /// This machine. Replicas are `0..node_count()`, clients come after them.
    pub fn me(&self) -> NodeId {
        NodeId(self.place.machine)
    }

    /// Number of replicas.
    pub fn node_count(&self) -> u32 {
        with_world(|w| w.node_count())
    }

    /// All replicas.
    pub fn nodes(&self) -> impl Iterator<Item = NodeId> + use<> {
        (0..self.node_count()).map(NodeId)
    }

    /// All replicas but this machine.
    pub fn peers(&self) -> impl Iterator<Item = NodeId> + use<> {
        let me = self.me();
        self.nodes().filter(move |n| *n != me)
    }

    /// The replica this client should prefer, as a client has a nearest data centre. Final reads ask each replica in this way.
    pub fn home(&self) -> NodeId {
        with_world(|w| w.home(self.place))
    }

    /// The machine's monotonic clock: time since it first booted. It drifts.
    pub fn monotonic(&self) -> Duration {
        Duration::from_nanos(with_world(|w| w.monotonic_ns(self.place)))
    }

    /// The machine's wall clock: time since the Unix epoch. It drifts, is off and jumps.
    pub fn wall(&self) -> Duration {
        Duration::from_nanos(with_world(|w| w.wall_ns(self.place)))
    }

    /// 64 random bits, the machine's own.
    pub fn random(&self) -> u64 {
        with_world(|w| w.random(self.place))
    }

    /// A random number in `0..n`. Panics if `n` is 0.
    pub fn random_below(&self, n: u64) -> u64 {
        assert!(n > 0, "a draw from an empty range");
        scale(self.random(), n)
    }

    /// Waits, measured on the machine's monotonic clock.
    pub fn sleep(&self, span: Duration) -> Sleep {
        let deadline_ns = with_world(|w| w.monotonic_ns(self.place)).saturating_add(nanos(span));
        Sleep { place: self.place, start: Start::Deadline(deadline_ns), timer: None }
    }

    /// Keeps the machine's processor busy for this long.
    pub fn compute(&self, span: Duration) -> Sleep {
        Sleep { place: self.place, start: Start::Compute(nanos(span)), timer: None }
    }

    /// Waits for the future at most this long.
    pub async fn timeout<F: Future>(&self, span: Duration, future: F) -> Result<F::Output, Elapsed> {
        let mut sleep = self.sleep(span);
        let mut future = pin!(future);
        std::future::poll_fn(move |cx| {
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready(Ok(output));
            }
            Pin::new(&mut sleep).poll(cx).map(|()| Err(Elapsed))
        })
        .await
    }

    /// Ticks at a steady rate; the first tick comes after one period. Ticks that were missed come at once.
    pub fn interval(&self, period: Duration) -> Interval {
        Interval { env: self.clone(), period, next: self.monotonic() + period }
    }

    /// Starts a task on this machine. It dies with the process; dropping the handle lets it run on.
    pub fn spawn(&self, task: impl Future<Output = ()> + 'static) -> JoinHandle {
        JoinHandle { task: with_world(|w| w.spawn(self.place, Box::pin(task))) }
    }

    /// Binds a datagram socket; port 0 picks a free one.
    pub fn bind(&self, port: u16) -> io::Result<Socket> {
        let (key, port) = with_world(|w| w.bind(self.place, port))?;
        Ok(Socket { key, address: Address { node: self.me(), port } })
    }

    /// Listens for streams; port 0 picks a free one.
    pub fn listen(&self, port: u16) -> io::Result<Listener> {
        let (key, port) = with_world(|w| w.listen(self.place, port))?;
        Ok(Listener { key, address: Address { node: self.me(), port } })
    }

    /// Connects a stream. To a live machine without a listener it is refused; to a dead or unreachable one it times out.
    pub async fn connect(&self, to: NodeId, port: u16) -> io::Result<Stream> {
        let peer = Address { node: to, port };
        // The stream exists from here on, so that a connect that is given up closes it.
        let stream = Stream { key: with_world(|w| w.connect(self.place, peer))?, peer };
        std::future::poll_fn(|cx| with_world(|w| w.poll_connect(stream.key, cx))).await?;
        Ok(stream)
    }

    /// The machine's disk: all that survives a crash.
    pub fn disk(&self) -> Disk {
        Disk { place: self.place }
    }

    /// Shows something of the machine's state to the harness: fault targets (`role`, `term`), reports and traces. Never
    /// influences the system.
    pub fn observe(&self, key: impl Into<Name>, value: impl Into<Value>) {
        with_world(|w| w.observe(self.place, key.into(), value.into()));
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

/// Waits for a point of the machine's monotonic clock.
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Sleep {
    place: Place,
    start: Start,
    timer: Option<TimerKey>,
}

#[derive(Debug)]
enum Start {
    Deadline(u64),
    Compute(u64),
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        with_world(|w| {
            let timer = *match &self.timer {
                Some(timer) => timer,
                None => {
                    let timer = match self.start {
                        Start::Deadline(ns) => w.start_timer(self.place, ns),
                        Start::Compute(ns) => w.start_compute(self.place, ns),
                    };
                    self.timer.insert(timer)
                }
            };
            w.poll_timer(timer, cx)
        })
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(timer) = self.timer {
            with_world_if_any(|w| w.cancel_timer(timer));
        }
    }
}

/// A timeout ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elapsed;

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("timed out")
    }
}

impl std::error::Error for Elapsed {}

/// Ticks at a steady rate.
#[derive(Debug)]
pub struct Interval {
    env: Env,
    period: Duration,
    next: Duration,
}

impl Interval {
    /// Waits for the next tick.
    pub async fn tick(&mut self) {
        let wait = self.next.saturating_sub(self.env.monotonic());
        self.env.sleep(wait).await;
        self.next += self.period;
    }
}

/// A task that was started.
#[derive(Debug)]
pub struct JoinHandle {
    task: TaskKey,
}

impl JoinHandle {
    /// Ends the task; nothing happens when it has ended.
    pub fn abort(self) {
        // The future's destructors call the world, so it is dropped after the world is free again.
        drop(with_world(|w| w.abort(self.task)));
    }
}
