//! Several jobs at once.

use std::{panic, thread};

/// What each job gives, in their order. The first is done by this thread, each other by one of its own.
pub(super) fn all<T: Send>(jobs: impl IntoIterator<Item = impl FnOnce() -> T + Send>) -> Vec<T> {
    let mut jobs = jobs.into_iter();
    let Some(first) = jobs.next() else { return Vec::new() };
    thread::scope(|scope| {
        let others: Vec<_> = jobs.map(|job| scope.spawn(job)).collect();
        let mut done = vec![first()];
        done.extend(others.into_iter().map(|other| other.join().unwrap_or_else(|panic| panic::resume_unwind(panic))));
        done
    })
}
