//! What every simulator shares: faults are decided here, so that a plan means the same on all of them.

pub(crate) mod clients;
pub(crate) mod clock;
pub(crate) mod disk;
pub(crate) mod faults;
pub(crate) mod machine;
pub(crate) mod network;
pub(crate) mod panics;
pub(crate) mod payload;
pub(crate) mod physics;
pub(crate) mod ports;
mod script;
pub(crate) mod slots;
pub(crate) mod sockets;
pub(crate) mod state;
pub(crate) mod streams;
pub(crate) mod strikes;
pub(crate) mod waiters;
pub(crate) mod world;
