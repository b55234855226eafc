//! Consistency checkers for histories of concurrent operations.

pub mod history;
pub mod operation;
pub mod partition;
pub mod recorder;
pub mod value;
pub mod verdict;
