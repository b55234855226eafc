//! What the store asks of its host: a runtime for openraft, streams, and a disk.

use std::{
    future::Future,
    io::{self, Cursor},
    sync::Arc,
    time::Duration,
};

use openraft::{EmptyNode, Entry, RaftTypeConfig, impls::OneshotResponder};
use squall::{Result, plan::NodeId};
use squall_checkers::{operation::Operation, value::Value};

use super::storage::{Change, Saved};

/// What openraft is told of the store; only the runtime is the host's.
pub(crate) trait Kind:
    RaftTypeConfig<
        D = Operation,
        R = Value,
        NodeId = u32,
        Node = EmptyNode,
        Entry = Entry<Self>,
        SnapshotData = Cursor<Vec<u8>>,
        Responder = OneshotResponder<Self>,
    >
{
}

impl<C> Kind for C where
    C: RaftTypeConfig<
            D = Operation,
            R = Value,
            NodeId = u32,
            Node = EmptyNode,
            Entry = Entry<C>,
            SnapshotData = Cursor<Vec<u8>>,
            Responder = OneshotResponder<C>,
        >
{
}

/// A machine, replica or client. Clones are of one.
pub(crate) trait Host: Clone + Send + Sync + 'static {
    /// What openraft is told.
    type Types: Kind;
    /// A stream between two machines.
    type Stream: Frames;
    /// The disk of a replica.
    type Disk: Disk<Self::Types>;

    /// This machine.
    fn me(&self) -> NodeId;
    /// Number of replicas.
    fn node_count(&self) -> u32;
    /// Shows something of the machine's state.
    fn observe(&self, key: &'static str, value: Value);
    /// Waits.
    fn sleep(&self, span: Duration) -> impl Future<Output = ()> + Send;
    /// Waits for the future at most this long.
    fn timeout<F: Future + Send>(&self, span: Duration, future: F) -> impl Future<Output = Option<F::Output>> + Send;
    /// Opens a stream.
    fn connect(&self, to: NodeId, port: u16) -> impl Future<Output = io::Result<Self::Stream>> + Send;
    /// Listens at a port, and attends to each stream in a task of its own until it breaks.
    fn listen<F: Future<Output = io::Result<()>> + Send + 'static>(
        &self,
        port: u16,
        attend: impl Fn(Self::Stream) -> F + Send + 'static,
    ) -> impl Future<Output = io::Result<()>>;
    /// Opens the disk of this replica; yields what the last life left there.
    fn disk(&self) -> impl Future<Output = Result<(Self::Disk, Saved<Self::Types>)>>;
}

/// A stream of frames.
pub(crate) trait Frames: Send + Sync + 'static {
    /// Writes one frame.
    fn write(&mut self, frame: &[u8]) -> impl Future<Output = io::Result<()>> + Send;
    /// Reads one frame. A stream that ends is an error.
    fn read(&mut self) -> impl Future<Output = io::Result<Vec<u8>>> + Send;
}

/// Where a replica saves what must survive its crashes.
pub(crate) trait Disk<C: Kind>: Clone + Send + Sync + 'static {
    /// Saves a change that `saved` holds already, and waits until it is durable; unless it may come `late`: then it is durable after
    /// that time.
    fn save(
        &self,
        change: Change<C>,
        saved: &Arc<Saved<C>>,
        late: Option<Duration>,
    ) -> impl Future<Output = io::Result<()>> + Send;
}
