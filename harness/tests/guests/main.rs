//! Code that is written for the simulator of a library, hosted there as it is: what the harness does to it, it feels.

mod facts;
mod keeper;
#[cfg(madsim)]
mod madsim;
mod turmoil;
