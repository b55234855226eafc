//! Hosts systems in another runtime: a library's simulator, or tokio in real time.
//!
//! The runtime gives tasks, timers, datagrams and streams (`runtime`). All that a plan decides is decided here, over the
//! shared layer, so that it means the same on each: the fate and the delay of every message, clocks, disks, crashes and pauses
//! (`world`, `core`, `streams`), the clients and the faults (`conductor`). Each machine of a plan is a host of the runtime, whose
//! main task carries messages between its wire and the machine (`host`); a crash ends the machine's process, not its wire, so
//! that what was sent before the crash still arrives.

mod conductor;
mod core;
mod disk;
#[cfg(any(feature = "tokio", madsim))]
mod drive;
mod faults;
#[cfg(any(feature = "turmoil", madsim))]
pub(super) mod guests;
mod host;
mod machines;
mod runtime;
mod streams;
mod tasks;
mod timers;
mod world;

#[cfg(madsim)]
pub(super) use self::host::Host;
pub(super) use self::{
    conductor::Conductor,
    runtime::{Library, Runtime},
};
