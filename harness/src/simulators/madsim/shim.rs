//! Makes `SystemTime`, `Instant`, `getrandom` and the keys of a `HashMap` the seed's own, for code under another simulator:
//! within the context of one of madsim's runtimes these ask madsim. Without `--cfg madsim` they stay the machine's.

use std::time::Duration;

/// Calls within madsim's context. The thread must be a fresh one: the keys of its maps are drawn once.
#[cfg(madsim)]
pub(in crate::simulators) fn within<R>(seed: u64, call: impl FnOnce() -> R) -> R {
    let mut runtime = ::madsim::runtime::Runtime::with_seed_and_config(seed, ::madsim::Config::default());
    // Tokio's own, for what blocks: a tokio that may start none waits for them for ever when it ends.
    runtime.set_allow_system_thread(true);
    runtime.block_on(async { call() })
}

/// Lets time pass for those who ask the system for it.
#[cfg(madsim)]
pub(in crate::simulators) fn advance(span: Duration) {
    ::madsim::time::advance(span);
}

#[cfg(not(madsim))]
pub(in crate::simulators) fn within<R>(_: u64, call: impl FnOnce() -> R) -> R {
    call()
}

#[cfg(not(madsim))]
pub(in crate::simulators) fn advance(_: Duration) {}
