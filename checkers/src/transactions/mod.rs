//! Transactions over registers and lists that grow: who saw whose writes, and what that says of their isolation.
//!
//! `ingest` reads the operations of a history as transactions; a single read, write or cas is a transaction of its own.
//! `inference` finds out which transaction read what another one wrote, and in what order writes of a key took effect as far
//! as that is certain. From there three roads lead on:
//!
//! * `cycles`: cycles of dependencies, named after Adya (1999) and found in the manner of Elle (Kingsbury & Alvaro 2020);
//! * `weak`: read committed, read atomic and causal consistency by saturation, after AWDIT (Møldrup & Pavlogiannis 2025);
//! * `arrange`: the orders of writes that are not certain (Cobra, Tan et al. 2020; `PolySI`, Huang et al. 2023), for
//!   serializability and snapshot isolation: what is `forced`, and a `search` where there are too many for that.
//!
//! Written values must be unique per key where they are read; else nobody knows who read from whom.

pub(crate) mod arrange;
mod beginnings;
mod causal;
pub(crate) mod cycles;
mod forced;
pub(crate) mod graph;
pub(crate) mod inference;
pub(crate) mod ingest;
pub(crate) mod instead;
mod line;
mod lists;
pub(crate) mod observers;
mod reach;
pub(crate) mod refused;
mod registers;
mod search;
mod successors;
mod visible;
pub(crate) mod weak;
mod words;
