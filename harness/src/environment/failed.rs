//! Why an operation has no reply: it certainly did not happen, or nobody knows.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The result of everything a system does. `?` works on every error and turns it into [`Failed::Unknown`].
pub type Result<T, E = Failed> = std::result::Result<T, E>;

/// Why an operation has no reply.
///
/// It is deliberately not an `Error`: so every error converts into it, as `Unknown`. A timeout recorded as "did not happen" is
/// the commonest false alarm of this field; saying [`Failed::No`] takes an explicit word ([`CertainlyFailed`]).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Failed {
    /// It certainly did not happen and never will.
    No(String),
    /// It may have happened, or may still happen.
    Unknown(String),
}

impl<E: std::error::Error> From<E> for Failed {
    fn from(error: E) -> Self {
        Failed::Unknown(error.to_string())
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failed::No(why) => write!(f, "failed: {why}"),
            Failed::Unknown(why) => write!(f, "unknown: {why}"),
        }
    }
}

/// The author's word that an error means "did not happen": `connect(…).await.certainly_failed()?`.
pub trait CertainlyFailed<T> {
    /// Turns the error into [`Failed::No`].
    fn certainly_failed(self) -> Result<T>;

    /// Turns the error into [`Failed::Unknown`]; for error types that are no `Error` themselves (`anyhow`, `Box<dyn Error>`).
    fn perhaps_failed(self) -> Result<T>;
}

impl<T, E: fmt::Display> CertainlyFailed<T> for std::result::Result<T, E> {
    fn certainly_failed(self) -> Result<T> {
        self.map_err(|e| Failed::No(e.to_string()))
    }

    fn perhaps_failed(self) -> Result<T> {
        self.map_err(|e| Failed::Unknown(e.to_string()))
    }
}
