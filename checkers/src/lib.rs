//! Consistency checkers for histories of concurrent operations.
//!
//! A [`History`](history::History) is what clients saw of a store. A [`Checker`](checker::Checker) decides whether a consistency
//! model allows it, and shows why not in terms of a few operations. Nothing here depends on how the history came about.
//!
//! ```
//! use squall_checkers::{budget::Budget, linearizability, models::Register};
//! use squall_checkers::{history::{Outcome, ProcessId}, operation::Operation, recorder::HistoryBuilder, value::Value};
//!
//! let mut recorder = HistoryBuilder::new();
//! let write = recorder.invoke(ProcessId(0), Operation::write("x", 1), 0);
//! recorder.complete(write, Outcome::Ok(Value::Nil), 1);
//! let read = recorder.invoke(ProcessId(1), Operation::read("x"), 2);
//! recorder.complete(read, Outcome::Ok(Value::Nil), 3);
//!
//! let verdict = linearizability::check(&Register, &recorder.finish(), &Budget::default());
//! assert_eq!(verdict.anomalies()[0].kind, "lost-write");
//! ```

//!
//! Threads that share a store record what they do by a [`Recorder`](recorder::Recorder), and a test ends with
//! [`assert_valid`](verdict::Verdict::assert_valid). Objects of your own implement [`Model`](model::Model), questions of your own
//! [`Checker`](checker::Checker), which has an [example of each](checker#an-example-of-each-checker).

mod alone;
pub mod anomaly;
pub mod budget;
pub mod certificate;
pub mod checker;
mod clocks;
mod convergence;
pub mod document;
mod durability;
mod first_values;
pub mod formats;
mod graph;
pub mod history;
pub mod invariants;
mod isolation;
pub mod lattice;
pub mod linearizability;
pub mod linearizable;
mod liveness;
pub mod model;
pub mod models;
mod numbered;
mod observations;
pub mod operation;
pub mod partition;
pub mod recorder;
#[cfg(feature = "second-opinion")]
pub mod second_opinion;
mod sessions;
pub mod staleness;
pub mod strongest;
pub mod text;
mod transactions;
pub mod value;
pub mod verdict;
pub mod verify;
mod weaker;
