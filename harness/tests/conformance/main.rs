//! The conformance suite: what every simulator does alike, as facts that hold on each line of `SIMULATORS`.
//!
//! It lies beside the harness, not with the tests of the whole: it needs no system of the zoo and no command line, so whoever
//! builds a simulator runs it alone (`cargo test -p squall --test conformance`). It speaks to simulators through the public
//! interface only (`AnySystem::run` with a plan whose faults are exact), and a new simulator is covered by its line in the list.
//! Where one has to differ, `differences.rs` says so.

#![expect(clippy::unchecked_time_subtraction, reason = "what comes before its cause shall fail")]

mod addressing;
mod afterlife;
mod clients;
mod closing;
mod crash;
mod datagrams;
mod differences;
mod digest;
mod disk;
mod faulty_disk;
#[cfg(feature = "tokio")]
mod foreign;
mod membership;
mod nodes;
mod pause;
mod run;
mod select;
mod stage;
mod streams;
mod tasks;
mod timers;
mod torn_streams;
