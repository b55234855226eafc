//! Waiting for code that may never come to an end.

use std::{
    sync::mpsc::{RecvTimeoutError, channel},
    thread,
    time::Duration,
};

/// Runs `f` on a thread of its own and waits so long for it. `None` when it has not come to its end by then: its thread is left
/// behind, for there is no way to end one. A panic of `f` goes on here.
pub(super) fn within<T: Send + 'static>(span: Duration, f: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (sender, result) = channel();
    let thread = thread::spawn(move || drop(sender.send(f())));
    match result.recv_timeout(span) {
        Ok(value) => Some(value),
        Err(RecvTimeoutError::Timeout) => None,
        Err(RecvTimeoutError::Disconnected) => match thread.join() {
            Err(payload) => std::panic::resume_unwind(payload),
            Ok(()) => unreachable!("what has come to its end has sent its result"),
        },
    }
}
