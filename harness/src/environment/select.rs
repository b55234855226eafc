//! `select!`: waits for the first of several futures; of those that are ready at one time the seed chooses.

use super::world::choice;

/// Waits for several futures at once, and goes on with the one that is ready first; the others are dropped.
///
/// ```
/// # use squall::{Env, Result, environment::Socket};
/// # use std::time::Duration;
/// # async fn serve(env: Env, socket: Socket, hasty: bool) -> Result<()> {
/// let mut buffer = [0; 1500];
/// let mut heartbeat = env.interval(Duration::from_millis(100));
/// loop {
///     squall::select! {
///         received = socket.recv_from(&mut buffer) => {
///             let (length, from) = received?;
///             socket.send_to(from, &buffer[..length])?;
///         }
///         () = heartbeat.tick() => env.observe("alive", true),
///         () = env.sleep(Duration::from_secs(5)), if hasty => return Ok(()),
///     }
/// }
/// # }
/// ```
///
/// A branch is `PATTERN = FUTURE => HANDLER`, with `, if CONDITION` after the future where it should be looked at only at times. A
/// comma follows each branch; after a block it may be left out. `else => HANDLER` at the end is for when every condition is false;
/// without it, that is a panic. All futures are made, then polled in turn until one is ready; then all are dropped, and only
/// then the handler runs, so it may use what the futures had borrowed, and `?`, `return`, `break` and `continue` as any code.
/// The handlers' values have one type: that of the whole.
///
/// # Which one
/// When several are ready at one time, none has precedence: where the polling begins is drawn anew at each poll, from the run's
/// seed, so that a run is the same on every thread and another seed tries another choice. `tokio::select!` draws from the
/// thread, and every run differs: do not use it in a system. With `biased;` before the branches the polling begins at the first
/// one each time, so earlier ones have precedence.
///
/// # Cancel safety
/// What is dropped may have done a part of its work. These lose nothing, and may be begun again in the next round of a loop:
/// `Socket::recv_from`, `Listener::accept`, `Stream::read`, `Env::sleep`, `Interval::tick`. These do, since they keep what
/// they did so far in the future that is dropped: `Stream::read_exact`, `Stream::read_frame`, `Stream::write_all`,
/// `Stream::write_frame`. Keep such a one alive over the rounds (`let mut frame = pin!(stream.read_frame());`, then
/// `frame = &mut frame => …`), or give it a task of its own. A disk request is carried out once it has been polled, also when
/// its future is dropped.
///
/// # Patterns
/// They must fit whatever comes: a pattern that may fail (`Some(message) = …`) does not compile. Match in the handler instead.
#[macro_export]
macro_rules! select {
    (@parse $first:tt [$($branch:tt)*] [$($n:tt)*] else => $handler:expr $(,)?) => {
        $crate::select!(@run $first [$($branch)*] [$($n)*] { $handler })
    };
    (@parse $first:tt [$($branch:tt)*] [$($n:tt)*]) => {
        $crate::select!(@run $first [$($branch)*] [$($n)*] {
            ::core::panic!("no branch of a `select!` is enabled, and it has no `else`")
        })
    };
    (@parse $f:tt [$($b:tt)*] [$($n:tt)*] $p:pat = $future:expr, if $c:expr => $h:block, $($rest:tt)*) => {
        $crate::select!(@parse $f [$($b)* (future, output, [$($n)*], $p, $future, $c, $h)] [$($n)* 1] $($rest)*)
    };
    (@parse $f:tt [$($b:tt)*] [$($n:tt)*] $p:pat = $future:expr, if $c:expr => $h:block $($rest:tt)*) => {
        $crate::select!(@parse $f [$($b)* (future, output, [$($n)*], $p, $future, $c, $h)] [$($n)* 1] $($rest)*)
    };
    (@parse $f:tt [$($b:tt)*] [$($n:tt)*] $p:pat = $future:expr, if $c:expr => $h:expr, $($rest:tt)*) => {
        $crate::select!(@parse $f [$($b)* (future, output, [$($n)*], $p, $future, $c, $h)] [$($n)* 1] $($rest)*)
    };
    (@parse $f:tt [$($b:tt)*] [$($n:tt)*] $p:pat = $future:expr, if $c:expr => $h:expr) => {
        $crate::select!(@parse $f [$($b)* (future, output, [$($n)*], $p, $future, $c, $h)] [$($n)* 1])
    };
    (@parse $f:tt [$($b:tt)*] [$($n:tt)*] $p:pat = $future:expr => $($rest:tt)*) => {
        $crate::select!(@parse $f [$($b)*] [$($n)*] $p = $future, if true => $($rest)*)
    };

    // `future` and `output` of each branch are names of their own, for each stems from an expansion of its own.
    (@run [$first:expr] [$(($future:ident, $output:ident, [$($n:tt)*], $p:pat, $make:expr, $c:expr, $h:expr))+]
        [$($count:tt)*] $otherwise:block) => {{
        $(let mut $output = ::core::option::Option::None;)+
        {
            $(let mut $future = ($c, ::core::pin::pin!($make));)+
            if $($future.0)||+ {
                ::core::future::poll_fn(|cx| {
                    let count: usize = 0 $(+ $count)*;
                    let first: usize = $first(count);
                    for turn in first..first + count {
                        let turn = turn % count;
                        $(if turn == 0 $(+ $n)*
                            && $future.0
                            && let ::core::task::Poll::Ready(ready) =
                                ::core::future::Future::poll($future.1.as_mut(), cx)
                        {
                            $output = ::core::option::Option::Some(ready);
                            return ::core::task::Poll::Ready(());
                        })+
                    }
                    ::core::task::Poll::Pending
                })
                .await;
            }
        }
        $crate::select!(@handle [$(($output, $p, $h))+] $otherwise)
    }};

    (@handle [($output:ident, $p:pat, $h:expr) $($rest:tt)*] $otherwise:block) => {
        if let ::core::option::Option::Some(ready) = $output {
            let $p = ready;
            $h
        } else {
            $crate::select!(@handle [$($rest)*] $otherwise)
        }
    };
    (@handle [] $otherwise:block) => { $otherwise };

    (biased; $($branches:tt)+) => {
        $crate::select!(@parse [$crate::environment::select::at_the_first] [] [] $($branches)+)
    };
    ($($branches:tt)+) => {
        $crate::select!(@parse [$crate::environment::select::anywhere] [] [] $($branches)+)
    };
}

/// Where the polling of so many branches begins. For `select!` alone.
#[doc(hidden)]
pub fn anywhere(branches: usize) -> usize {
    (choice() % branches as u64) as usize
}

/// The polling begins at the first branch. For `select!` alone.
#[doc(hidden)]
pub fn at_the_first(_: usize) -> usize {
    0
}
