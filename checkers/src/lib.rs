//! Consistency checkers for histories of concurrent operations.

pub mod history;
pub mod operation;
pub mod value;
pub mod verdict;
