//! A machine's `Env` as openraft asks for a runtime.
//!
//! openraft calls functions that name no machine, so each task says whose it is: while it is polled, its machine is the current one.

use std::{
    cell::RefCell,
    fmt,
    future::{Future, poll_fn},
    ops::{Add, AddAssign, Sub, SubAssign},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use openraft::{AsyncRuntime, OptionalSend, TokioRuntime};
use rand_08::{Error, RngCore};
use squall::{
    Env,
    environment::{Elapsed, Sleep},
};
use tokio::sync::oneshot;

thread_local! {
    /// Whose task is polled. Nothing of it outlives the poll, so no crash does either.
    static CURRENT: RefCell<Option<Env>> = const { RefCell::new(None) };
}

/// The runtime of the machine whose task is polled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct OverEnv;

/// A future of this machine's.
pub(super) fn on<F: Future>(env: Env, future: F) -> impl Future<Output = F::Output> {
    let mut future = Box::pin(future);
    poll_fn(move |cx| {
        let _leave = Enter(CURRENT.replace(Some(env.clone())));
        future.as_mut().poll(cx)
    })
}

/// Gives the machine back that was the current one before.
struct Enter(Option<Env>);

impl Drop for Enter {
    fn drop(&mut self) {
        CURRENT.set(self.0.take());
    }
}

fn current() -> Env {
    CURRENT.with_borrow(Clone::clone).expect("openraft runs in tasks of machines alone")
}

/// A point of the machine's monotonic clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Instant(Duration);

impl openraft::Instant for Instant {
    fn now() -> Self {
        Instant(current().monotonic())
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        Instant(self.0.saturating_add(span))
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, span: Duration) {
        *self = *self + span;
    }
}

/// Not before the machine first booted, where its clock begins.
impl Sub<Duration> for Instant {
    type Output = Self;

    fn sub(self, span: Duration) -> Self {
        Instant(self.0.saturating_sub(span))
    }
}

impl SubAssign<Duration> for Instant {
    fn sub_assign(&mut self, span: Duration) {
        *self = *self - span;
    }
}

impl Sub for Instant {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// The machine's randomness.
pub(super) struct Dice(Env);

impl RngCore for Dice {
    fn next_u32(&mut self) -> u32 {
        (self.next_u64() >> 32) as u32
    }

    fn next_u64(&mut self) -> u64 {
        self.0.random()
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.next_u64().to_le_bytes()[..chunk.len()]);
        }
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

/// A task that was started, and what comes of it.
pub(super) struct Task<T>(oneshot::Receiver<T>);

/// A task's future was dropped before it was done.
#[derive(Debug)]
pub(super) struct Dropped;

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the task was dropped")
    }
}

impl<T> Future for Task<T> {
    type Output = Result<T, Dropped>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map_err(|_| Dropped)
    }
}

/// A future that is waited for only so long.
pub(super) struct Timeout<F> {
    future: Pin<Box<F>>,
    sleep: Sleep,
}

impl<F: Future> Future for Timeout<F> {
    type Output = Result<F::Output, Elapsed>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Poll::Ready(output) = self.future.as_mut().poll(cx) {
            return Poll::Ready(Ok(output));
        }
        Pin::new(&mut self.sleep).poll(cx).map(|()| Err(Elapsed))
    }
}

impl AsyncRuntime for OverEnv {
    type JoinError = Dropped;
    type JoinHandle<T: OptionalSend + 'static> = Task<T>;
    type Sleep = Sleep;
    type Instant = Instant;
    type TimeoutError = Elapsed;
    type Timeout<R, T: Future<Output = R> + OptionalSend> = Timeout<T>;
    type ThreadLocalRng = Dice;
    // Tokio's channels need nothing of its runtime.
    type OneshotSender<T: OptionalSend> = <TokioRuntime as AsyncRuntime>::OneshotSender<T>;
    type OneshotReceiverError = <TokioRuntime as AsyncRuntime>::OneshotReceiverError;
    type OneshotReceiver<T: OptionalSend> = <TokioRuntime as AsyncRuntime>::OneshotReceiver<T>;

    fn spawn<T>(future: T) -> Task<T::Output>
    where
        T: Future + OptionalSend + 'static,
        T::Output: OptionalSend + 'static,
    {
        let (done, task) = oneshot::channel();
        let env = current();
        // Nobody need wait for it.
        env.spawn(on(env.clone(), async { drop(done.send(future.await)) }));
        Task(task)
    }

    fn sleep(duration: Duration) -> Sleep {
        current().sleep(duration)
    }

    fn sleep_until(deadline: Instant) -> Sleep {
        let env = current();
        env.sleep(deadline.0.saturating_sub(env.monotonic()))
    }

    fn timeout<R, F: Future<Output = R> + OptionalSend>(duration: Duration, future: F) -> Timeout<F> {
        Timeout { future: Box::pin(future), sleep: Self::sleep(duration) }
    }

    fn timeout_at<R, F: Future<Output = R> + OptionalSend>(deadline: Instant, future: F) -> Timeout<F> {
        Timeout { future: Box::pin(future), sleep: Self::sleep_until(deadline) }
    }

    // A panic ends the run, and is its verdict.
    fn is_panic(_: &Dropped) -> bool {
        false
    }

    fn thread_rng() -> Dice {
        Dice(current())
    }

    fn oneshot<T: OptionalSend>() -> (Self::OneshotSender<T>, Self::OneshotReceiver<T>) {
        TokioRuntime::oneshot()
    }
}
