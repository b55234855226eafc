//! What every simulator shares: faults are decided here, so that a plan means the same on all of them.

pub(crate) mod clients;
pub(crate) mod clock;
#[cfg(any(feature = "turmoil", feature = "tokio", madsim))]
pub(crate) mod disk;
pub(crate) mod faults;
pub(crate) mod network;
#[cfg(any(feature = "turmoil", feature = "tokio", madsim))]
pub(crate) mod panics;
#[cfg(any(feature = "turmoil", feature = "tokio", madsim))]
pub(crate) mod payload;
#[cfg(any(feature = "turmoil", feature = "tokio", madsim))]
pub(crate) mod physics;
mod script;
#[cfg(any(feature = "turmoil", feature = "tokio", madsim))]
pub(crate) mod slots;
#[cfg(any(feature = "turmoil", feature = "tokio", madsim))]
pub(crate) mod streams;
