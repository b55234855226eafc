//! What the simulators use of tokio: tasks and timers inside of turmoil's hosts, the streams of all, `select!` drawn from a seed
//! under madsim, and all of it in real time.

#[cfg(feature = "turmoil")]
use std::sync::RwLockWriteGuard;
#[cfg(any(feature = "turmoil", feature = "tokio"))]
use std::time::Duration;
use std::{
    io,
    sync::{PoisonError, RwLock, RwLockReadGuard},
};

use ::tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
#[cfg(madsim)]
pub(super) use ::tokio::io::{ReadHalf as Half, WriteHalf as OtherHalf, split};
#[cfg(feature = "tokio")]
pub(super) use ::tokio::net::{
    TcpListener as Listener, UdpSocket as Socket,
    tcp::{OwnedReadHalf as Reader, OwnedWriteHalf as Writer},
};

#[cfg(any(feature = "turmoil", feature = "tokio"))]
use crate::environment::world::LocalFuture;

/// Waits by the runtime's timer.
#[cfg(any(feature = "turmoil", feature = "tokio"))]
pub(super) fn sleep(span_ns: u64) -> LocalFuture {
    Box::pin(::tokio::time::sleep(Duration::from_nanos(span_ns)))
}

/// Starts a task beside the calling one.
#[cfg(any(feature = "turmoil", feature = "tokio"))]
pub(super) fn spawn(task: LocalFuture) {
    drop(::tokio::task::spawn_local(task));
}

/// Waits until the blocking threads of the calling task's runtime have nothing to do. Without `--cfg tokio_unstable` nobody can tell.
#[cfg(feature = "turmoil")]
pub(super) fn settle() {
    #[cfg(tokio_unstable)]
    {
        let metrics = ::tokio::runtime::Handle::current().metrics();
        while metrics.blocking_queue_depth() > 0 || metrics.num_blocking_threads() > metrics.num_idle_blocking_threads()
        {
            std::thread::yield_now();
        }
    }
}

/// Whoever asks is alone with tokio in this process, or beside others.
///
/// Tokio numbers the tasks of a process, keeps those of a runtime in four lists by their numbers, and drops a runtime list by list.
/// So the order in which a crash ends a guest's tasks hangs on what else takes numbers meanwhile.
static COMPANY: RwLock<()> = RwLock::new(());

/// Holds off all other runs that use tokio, and goes on to where the lists of tasks begin: so a crash ends tasks in an order that
/// hangs neither on what this process did before nor on what squall does beside.
#[cfg(feature = "turmoil")]
pub(super) fn alone() -> RwLockWriteGuard<'static, ()> {
    /// Of a runtime of one thread.
    const LISTS: u64 = 4;
    let alone = COMPANY.write().unwrap_or_else(PoisonError::into_inner);
    let runtime = ::tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.expect("a runtime of one thread, without a reactor, needs nothing of the system");
    while runtime.spawn(async {}).id().to_string().parse::<u64>().is_ok_and(|number| number % LISTS != 0) {}
    alone
}

/// Waits until nobody is alone with tokio.
pub(super) fn beside() -> RwLockReadGuard<'static, ()> {
    COMPANY.read().unwrap_or_else(PoisonError::into_inner)
}

/// Opens a stream.
#[cfg(feature = "tokio")]
pub(super) async fn connect(to: std::net::SocketAddr) -> io::Result<(Reader, Writer)> {
    Ok(::tokio::net::TcpStream::connect(to).await?.into_split())
}

/// Runs a future with all it spawns on this thread, in real time.
#[cfg(feature = "tokio")]
pub(super) fn run<R>(future: impl Future<Output = R>) -> R {
    let runtime = ::tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a reactor needs a few file descriptors");
    let _beside = beside();
    ::tokio::task::LocalSet::new().block_on(&runtime, future)
}

/// Calls within a tokio whose `select!` draws from the seed.
#[cfg(madsim)]
pub(super) fn seeded<R>(seed: u64, call: impl FnOnce() -> R) -> R {
    let mut builder = ::tokio::runtime::Builder::new_current_thread();
    #[cfg(tokio_unstable)]
    builder.rng_seed(::tokio::runtime::RngSeed::from_bytes(&seed.to_le_bytes()));
    #[cfg(tokio_unstable)]
    builder.on_task_spawn(|_| panic!("no task of tokio's runs here"));
    #[cfg(not(tokio_unstable))]
    let _ = seed;
    // Asked for whenever a thread is about to be started.
    builder.thread_name_fn(|| panic!("no blocking thread of tokio's runs here"));
    let runtime = builder.build().expect("a runtime of one thread, without a reactor, needs nothing of the system");
    let _beside = beside();
    runtime.block_on(::tokio::task::unconstrained(async { call() }))
}

/// Reads some bytes; 0 at the end.
pub(super) async fn read(reader: &mut (impl AsyncRead + Unpin), buffer: &mut [u8]) -> io::Result<usize> {
    reader.read(buffer).await
}

/// Writes all bytes.
pub(super) async fn write(writer: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
    writer.write_all(bytes).await?;
    writer.flush().await
}
