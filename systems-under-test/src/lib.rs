//! The zoo: replicated stores, correct ones and their broken twins, to be run under the harness.
//!
//! A correct system keeps its promise under every fault it says it tolerates; a twin differs from it by one mistake, named in its
//! entry. To add a system, add a file with its `ENTRY` and a line in [`SYSTEMS`].

mod journal;
mod majority_files;
mod misbehaving;
mod quorum_register;
mod raft_rs_kv;
mod registers;
mod sessions;
mod single_copy;

use squall::catalogue::SystemEntry;

/// Every system.
pub const SYSTEMS: &[SystemEntry] =
    &[raft_rs_kv::ENTRY, quorum_register::ENTRY, single_copy::ENTRY, majority_files::ENTRY, misbehaving::ENTRY];
