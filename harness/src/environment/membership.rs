//! Changes of who belongs to the cluster, as an admin asks for them.

use std::{fmt, future::Future};

use serde::{Deserialize, Serialize};

use super::failed::{Failed, Result};
use crate::plan::NodeId;

/// What an admin wants of the cluster's members. All replicas are members at first.
///
/// Whoever asks wants a state, not a step: what is so already is done. The same change may be asked again after it was done, and a
/// late request for the opposite may come in between; the admin looks again until all is as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Change {
    /// This replica shall be no member: it votes for nothing, and no quorum counts it. Its machine goes on.
    Remove(NodeId),
    /// This replica shall be a member. It has the disk that it had when it left, and may have missed much.
    Add(NodeId),
}

impl Change {
    /// Whose membership it is about.
    pub fn node(self) -> NodeId {
        match self {
            Change::Remove(node) | Change::Add(node) => node,
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::Remove(node) => write!(f, "remove {node}"),
            Change::Add(node) => write!(f, "add {node}"),
        }
    }
}

/// What a system says that offers no change of members. Nobody asks it, unless it promises one.
pub(super) fn not_offered() -> Failed {
    Failed::No("it offers no change of members".to_owned())
}

/// The same, of systems that are asked and do not answer at once.
pub(super) fn refusal() -> impl Future<Output = Result<()>> {
    std::future::ready(Err(not_offered()))
}
