//! A store as a sans-I/O state machine: inputs in, effects out.

use std::{fmt::Debug, io, time::Duration};

use serde::{Serialize, de::DeserializeOwned};
use squall_checkers::{
    history::ProcessId,
    operation::{Interface, Name, Operation},
    value::Value,
};

use super::{
    failed::Failed,
    membership::{Change, not_offered},
    system::Reply,
};
use crate::{
    environment::image::DiskImage,
    plan::{NodeId, Promise},
};

/// A store written as a state machine without I/O. The fastest to simulate; it runs everywhere, because every `Node` is a
/// [`System`](super::System) too.
///
/// The registered value is the prototype: it is cloned for every start of a replica, so it holds settings, not state. Only
/// [`Context::disk`] survives a crash.
pub trait Node: Clone + Send + Sync + 'static {
    /// What replicas send each other. The native simulator moves it by value; others encode it; corruption encodes it, flips
    /// bits and decodes it.
    type Message: Clone + Debug + Serialize + DeserializeOwned + 'static;

    /// What a timer carries back.
    type Timer: Clone + Debug + 'static;

    /// What its clients are promised, and under which faults.
    fn promise(&self) -> Promise;

    /// The same store for clients that speak this interface, one of those it promises; `None` where it makes no difference. For
    /// stores that serve several, in which one name means several things: `read` of a register that nobody wrote replies `nil`, of
    /// a counter 0.
    fn speaking(&self, interface: &Interface) -> Option<Self>
    where
        Self: Sized,
    {
        let _ = interface;
        None
    }

    /// A replica starts, for the first time or after a crash.
    fn on_start(&mut self, cx: &mut Context<'_, Self>);

    /// A message arrived from another replica.
    fn on_message(&mut self, from: NodeId, message: Self::Message, cx: &mut Context<'_, Self>);

    /// A timer went off.
    fn on_timer(&mut self, timer: Self::Timer, cx: &mut Context<'_, Self>) {
        let _ = (timer, cx);
    }

    /// A client asks. The same request may arrive again, here or elsewhere, when the client saw no reply within
    /// [`Node::retry_after`]: treat `request` as a session and a serial number. Answer by [`Context::reply`].
    fn on_request(&mut self, request: RequestId, operation: Operation, cx: &mut Context<'_, Self>);

    /// An admin asks for a change of who belongs to the cluster, of a node that promises one ([`Promise::changing_members`]). Answer
    /// by [`Context::reply`], with any value once the change is in force, whoever brought it about, or pass the admin on by
    /// [`Context::redirect`]. After an error, and after a second without an answer, it asks another replica.
    fn on_reconfigure(&mut self, request: RequestId, change: Change, cx: &mut Context<'_, Self>) {
        let _ = change;
        cx.reply(request, Err(not_offered()));
    }

    /// A sync asked for by [`Context::sync`] is over. When it failed, nothing is known of the writes it covered.
    fn on_synced(&mut self, token: u64, result: io::Result<()>, cx: &mut Context<'_, Self>) {
        let _ = (token, result, cx);
    }

    /// After this long without a reply a client sends its request again, to the next replica. `None`: never.
    fn retry_after(&self) -> Option<Duration> {
        None
    }
}

/// One request of one client: `process` is its session, `serial` counts its operations from 1. Retries keep both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, serde::Deserialize)]
pub struct RequestId {
    /// The session.
    pub process: ProcessId,
    /// The operation within the session, from 1.
    pub serial: u32,
}

/// A timer that was set; for cancelling it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimerId(pub(crate) u64);

/// What a host does for the node whose handler runs.
pub(crate) trait Outbox<N: Node> {
    fn send(&mut self, to: NodeId, message: N::Message);
    fn reply(&mut self, request: RequestId, result: Result<Reply, Failed>);
    fn redirect(&mut self, request: RequestId, to: NodeId);
    fn set_timer(&mut self, after: Duration, timer: N::Timer) -> TimerId;
    fn cancel_timer(&mut self, timer: TimerId);
    /// Of a file, or of the directory.
    fn sync(&mut self, file: Option<&str>, token: u64);
    fn observe(&mut self, key: Name, value: Value);
    /// The process ends when the handler returns; what it asks for from here on is not done.
    fn halt(&mut self, why: String);
    fn monotonic_ns(&mut self) -> u64;
    fn wall_ns(&mut self) -> u64;
    fn random(&mut self) -> u64;
    fn disk(&mut self) -> &mut DiskImage;
}

/// What a node may do and see while it handles one input.
pub struct Context<'a, N: Node> {
    pub(crate) me: NodeId,
    pub(crate) nodes: u32,
    pub(crate) outbox: &'a mut dyn Outbox<N>,
}

impl<N: Node> Context<'_, N> {
    /// This replica.
    #[inline]
    pub fn me(&self) -> NodeId {
        self.me
    }

    /// Number of replicas; they are `0..count`.
    #[inline]
    pub fn node_count(&self) -> u32 {
        self.nodes
    }

    /// All replicas but this one.
    #[inline]
    pub fn peers(&self) -> impl Iterator<Item = NodeId> + use<N> {
        let me = self.me.0;
        (0..self.nodes).filter(move |i| *i != me).map(NodeId)
    }

    /// The node's monotonic clock: time since it first booted. It drifts.
    #[inline]
    pub fn monotonic(&mut self) -> Duration {
        Duration::from_nanos(self.outbox.monotonic_ns())
    }

    /// The node's wall clock: time since the Unix epoch. It drifts, is off and jumps.
    #[inline]
    pub fn wall(&mut self) -> Duration {
        Duration::from_nanos(self.outbox.wall_ns())
    }

    /// 64 random bits, the node's own.
    #[inline]
    pub fn random(&mut self) -> u64 {
        self.outbox.random()
    }

    /// A random number in `0..n`. Panics if `n` is 0.
    #[inline]
    pub fn random_below(&mut self, n: u64) -> u64 {
        assert!(n > 0, "a draw from an empty range");
        crate::plan::scale(self.random(), n)
    }

    /// Sends a message; it may be lost, late, twice, out of order or damaged. Sending to oneself is safe and quick.
    #[inline]
    pub fn send(&mut self, to: NodeId, message: N::Message) {
        assert!(to.0 < self.nodes, "a message to {to}, but there are {} replicas", self.nodes);
        self.outbox.send(to, message);
    }

    /// Sends a message to every peer.
    #[inline]
    pub fn broadcast(&mut self, message: &N::Message) {
        for peer in self.peers() {
            self.outbox.send(peer, message.clone());
        }
    }

    /// Answers a request. Only the first answer that reaches the client counts.
    #[inline]
    pub fn reply(&mut self, request: RequestId, result: Result<Reply, Failed>) {
        self.outbox.reply(request, result);
    }

    /// Tells the client to send the request again, to another replica.
    #[inline]
    pub fn redirect(&mut self, request: RequestId, to: NodeId) {
        self.outbox.redirect(request, to);
    }

    /// Sets a timer, measured on the node's monotonic clock.
    #[inline]
    pub fn set_timer(&mut self, after: Duration, timer: N::Timer) -> TimerId {
        self.outbox.set_timer(after, timer)
    }

    /// Cancels a timer. Nothing happens when it has gone off.
    #[inline]
    pub fn cancel_timer(&mut self, timer: TimerId) {
        self.outbox.cancel_timer(timer);
    }

    /// The node's disk. Writes reach it at once and survive a power loss once synced.
    #[inline]
    pub fn disk(&mut self) -> &mut DiskImage {
        self.outbox.disk()
    }

    /// Makes what has been written to `file` so far durable, then calls [`Node::on_synced`] with the token. The file's name in
    /// its directory is not covered: a new, renamed or removed file needs [`Context::sync_directory`].
    pub fn sync(&mut self, file: &str, token: u64) {
        self.outbox.sync(Some(file), token);
    }

    /// Makes all creations, renames and removals so far durable, then calls [`Node::on_synced`] with the token.
    pub fn sync_directory(&mut self, token: u64) {
        self.outbox.sync(None, token);
    }

    /// Shows something of the node's state to the harness: fault targets (`role`, `term`), reports and traces. Never
    /// influences the system.
    pub fn observe(&mut self, key: impl Into<Name>, value: impl Into<Value>) {
        self.outbox.observe(key.into(), value.into());
    }

    /// Ends this process when the handler returns, as after a failed sync; what the handler asks for from here on is not done.
    /// The process is started again after a second, as a supervisor would; the disk is as it was.
    pub fn halt(&mut self, why: impl Into<String>) {
        self.outbox.halt(why.into());
    }
}
