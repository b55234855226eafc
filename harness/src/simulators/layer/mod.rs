//! What every simulator shares: faults are decided here, so that a plan means the same on all of them.

pub(crate) mod clients;
pub(crate) mod clock;
pub(crate) mod faults;
pub(crate) mod network;
mod script;
