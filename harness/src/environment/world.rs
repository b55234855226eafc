//! What a simulator offers to code under test: an object-safe trait of poll functions, one world per thread.

use std::{
    cell::RefCell,
    future::Future,
    io,
    mem::ManuallyDrop,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use squall_checkers::{operation::Name, value::Value};

use super::{image::DiskImage, net::Address};
use crate::plan::NodeId;

/// A machine during one of its lives: `incarnation` counts its starts, so that handles of a dead process do nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The machine, replica or client.
    pub machine: u32,
    /// Which of its lives.
    pub incarnation: u32,
}

/// A socket of a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketKey(pub u32, /** Guards reuse. */ pub u32);
/// A listener of a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenerKey(pub u32, /** Guards reuse. */ pub u32);
/// One end of a stream of a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamKey(pub u32, /** Guards reuse. */ pub u32, /** Which end. */ pub u8);
/// A timer of a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimerKey(pub u32, /** Guards reuse. */ pub u32);
/// A task of a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskKey(pub u32, /** Guards reuse. */ pub u32);
/// A disk request under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskKey(pub u32, /** Guards reuse. */ pub u32);

/// A task as a world keeps it.
pub type LocalFuture = Pin<Box<dyn Future<Output = ()>>>;

/// One request to a disk.
#[derive(Clone, Debug)]
pub enum DiskRequest {
    /// Reads `length` bytes at `offset`; fewer at the end of the file.
    Read {
        /** Name. */
        file: String,
        /** In bytes. */
        offset: u64,
        /** In bytes. */
        length: usize,
    },
    /// Writes at `offset`; the file grows as needed, gaps are zeros. Creates the file.
    Write {
        /** Name. */
        file: String,
        /** In bytes. */
        offset: u64,
        /** What. */
        bytes: Vec<u8>,
    },
    /// Writes at the end. Creates the file.
    Append {
        /** Name. */
        file: String,
        /** What. */
        bytes: Vec<u8>,
    },
    /// Cuts the file, or fills it up with zeros.
    SetLength {
        /** Name. */
        file: String,
        /** In bytes. */
        length: u64,
    },
    /// Makes the content of the file durable.
    Sync {
        /** Name. */
        file: String,
    },
    /// Makes creations, renames and removals durable.
    SyncDirectory,
    /// Renames, replacing what has the new name.
    Rename {
        /** Old name. */
        from: String,
        /** New name. */
        to: String,
    },
    /// Removes.
    Remove {
        /** Name. */
        file: String,
    },
    /// Names of all files, in order.
    List,
    /// Length of the file in bytes.
    Length {
        /** Name. */
        file: String,
    },
}

/// What a disk answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DiskReply {
    /// Done.
    Done,
    /// Bytes read.
    Bytes(Vec<u8>),
    /// Names of files.
    Names(Vec<String>),
    /// A length in bytes.
    Length(u64),
}

/// A simulator, as code under test meets it. Every call names the place it comes from; calls of a dead incarnation fail with
/// `BrokenPipe`, its polls stay pending.
pub trait World {
    /// Number of replicas; machines after them are clients.
    fn node_count(&self) -> u32;
    /// The replica a client machine should prefer.
    fn home(&self, at: Place) -> NodeId;
    /// The machine's monotonic clock, in nanoseconds.
    fn monotonic_ns(&mut self, at: Place) -> u64;
    /// The machine's wall clock, in nanoseconds since the Unix epoch.
    fn wall_ns(&mut self, at: Place) -> u64;
    /// 64 random bits, the machine's own.
    fn random(&mut self, at: Place) -> u64;
    /// 64 bits that decide between what is ready at one time, as the branches of a `select!` are.
    fn choice(&mut self) -> u64;
    /// Records an observation.
    fn observe(&mut self, at: Place, key: Name, value: Value);

    /// Starts a task; it dies with the incarnation.
    fn spawn(&mut self, at: Place, task: LocalFuture) -> TaskKey;
    /// Ends a task and returns its future, to be dropped by the caller outside the world.
    fn abort(&mut self, task: TaskKey) -> Option<LocalFuture>;

    /// Starts a timer that is due when the machine's monotonic clock shows `deadline_ns`.
    fn start_timer(&mut self, at: Place, deadline_ns: u64) -> TimerKey;
    /// Polls a timer.
    fn poll_timer(&mut self, timer: TimerKey, cx: &mut Context<'_>) -> Poll<()>;
    /// Forgets a timer.
    fn cancel_timer(&mut self, timer: TimerKey);
    /// Keeps the machine's processor busy for this long: a timer, and under the resource model all that waits behind it.
    fn start_compute(&mut self, at: Place, span_ns: u64) -> TimerKey;

    /// Binds a datagram socket; port 0 picks a free one.
    fn bind(&mut self, at: Place, port: u16) -> io::Result<(SocketKey, u16)>;
    /// Sends a datagram.
    fn send_to(&mut self, socket: SocketKey, to: Address, bytes: &[u8]) -> io::Result<()>;
    /// Polls for a datagram.
    fn poll_recv_from(
        &mut self,
        socket: SocketKey,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<(usize, Address)>>;
    /// Closes a socket.
    fn close_socket(&mut self, socket: SocketKey);

    /// Listens for streams; port 0 picks a free one.
    fn listen(&mut self, at: Place, port: u16) -> io::Result<(ListenerKey, u16)>;
    /// Polls for a stream.
    fn poll_accept(&mut self, listener: ListenerKey, cx: &mut Context<'_>) -> Poll<io::Result<(StreamKey, Address)>>;
    /// Closes a listener; streams that nobody accepted are reset.
    fn close_listener(&mut self, listener: ListenerKey);
    /// Begins to connect.
    fn connect(&mut self, at: Place, to: Address) -> io::Result<StreamKey>;
    /// Polls for the end of connecting.
    fn poll_connect(&mut self, stream: StreamKey, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
    /// Polls for bytes.
    fn poll_read(&mut self, stream: StreamKey, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>>;
    /// Polls to write some bytes.
    fn poll_write(&mut self, stream: StreamKey, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>>;
    /// Closes the writing side.
    fn shutdown(&mut self, stream: StreamKey) -> io::Result<()>;
    /// Closes an end.
    fn close_stream(&mut self, stream: StreamKey);

    /// The machine's disk, for code that never waits for it.
    fn disk_image(&mut self, at: Place) -> &mut DiskImage;
    /// Begins a disk request.
    fn submit_disk(&mut self, at: Place, request: DiskRequest) -> io::Result<DiskKey>;
    /// Polls a disk request.
    fn poll_disk(&mut self, request: DiskKey, cx: &mut Context<'_>) -> Poll<io::Result<DiskReply>>;
    /// Forgets a disk request; it is carried out all the same.
    fn forget_disk(&mut self, request: DiskKey);
}

/// A world in charge of a thread.
type Current = ManuallyDrop<Rc<RefCell<dyn World>>>;

thread_local! {
    /// The world of the run on this thread. Handles reach it from here, so they stay small and `Send`. What needs no destructor
    /// is reached without a look at whether it still lives; `Entered` drops it.
    static CURRENT: RefCell<Option<Current>> = const { RefCell::new(None) };
}

/// Puts a world in charge of this thread until the guard is dropped. Panics when there is one already.
pub fn enter(world: Rc<RefCell<dyn World>>) -> Entered {
    CURRENT.with_borrow_mut(|current| {
        assert!(current.is_none(), "one world per thread");
        *current = Some(ManuallyDrop::new(world));
    });
    Entered(())
}

/// While it lives, a world is in charge of this thread.
pub struct Entered(());

impl Drop for Entered {
    fn drop(&mut self) {
        drop(CURRENT.take().map(ManuallyDrop::into_inner));
    }
}

/// Calls the world of this thread. Panics when there is none: an `Env` was used outside the run it belongs to.
#[expect(clippy::inline_always, reason = "on the way of every datagram: left to the compiler, it is a call of its own")]
#[inline(always)]
pub(super) fn with_world<R>(call: impl FnOnce(&mut dyn World) -> R) -> R {
    // Fetched, then called: what `call` returns need not come through the thread-local's own closure.
    let world = CURRENT.with_borrow(|current| current.as_deref().cloned());
    call(&mut *world.unwrap_or_else(|| no_world()).borrow_mut())
}

#[cold]
fn no_world() -> ! {
    panic!("an `Env` of squall was used on a thread that runs no simulation; keep it on the run's own thread")
}

/// 64 bits that decide between what is ready at one time. Where there is no world, nothing is drawn.
pub(super) fn choice() -> u64 {
    CURRENT.with_borrow(|current| current.as_ref().map_or(0, |world| world.borrow_mut().choice()))
}

/// Calls the world of this thread if there is one; for destructors.
pub(super) fn with_world_if_any(call: impl FnOnce(&mut dyn World)) {
    CURRENT.with(|current| {
        // A destructor may run inside a world that is being taken down.
        if let Ok(current) = current.try_borrow()
            && let Some(world) = &*current
            && let Ok(mut world) = world.try_borrow_mut()
        {
            call(&mut *world);
        }
    });
}
