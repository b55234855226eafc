//! Whom a fault strikes: named nodes, or a role that is resolved when the fault begins.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::NodeId;

/// Whom a fault strikes. Roles are resolved when the fault begins, from what the nodes observe of themselves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// Every replica.
    All,
    /// These.
    Nodes(Vec<NodeId>),
    /// The replica that last observed `role` as `leader`, in the highest `term` where it observes one.
    ///
    /// Nobody when there is none. But where no replica has observed any `role` so far in the run, the system knows no leaders:
    /// all replicas are equal, and one is drawn by the plan's seed and the fault's id.
    Leader,
    /// So many random replicas. More than there are means all.
    Random(u32),
    /// A random set of replicas, one short of a majority.
    Minority,
    /// A random set of replicas, as small as a majority can be.
    Majority,
    /// The replicas of one zone, where all are spread over `of` zones in turn: replica `n` is in zone `n % of`.
    Zone {
        /// Which, from 0.
        zone: u32,
        /// How many zones there are.
        of: u32,
    },
}

impl Target {
    /// The most nodes this can turn out to be in a cluster of so many.
    pub fn most(&self, nodes: u32) -> u32 {
        match self {
            Target::All => nodes,
            Target::Nodes(named) => u32::try_from(named.len()).map_or(nodes, |n| n.min(nodes)),
            Target::Leader => nodes.min(1),
            Target::Random(n) => nodes.min(*n),
            Target::Minority => nodes.saturating_sub(1) / 2,
            Target::Majority => nodes.min(nodes / 2 + 1),
            Target::Zone { zone, of } => zone_of(*zone, *of, nodes).count() as u32,
        }
    }
}

/// The replicas of a zone; none when there is no such zone.
pub fn zone_of(zone: u32, of: u32, nodes: u32) -> impl Iterator<Item = NodeId> {
    (0..nodes).filter(move |n| n.checked_rem(of) == Some(zone)).map(NodeId)
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::All => f.write_str("all nodes"),
            Target::Nodes(nodes) if nodes.is_empty() => f.write_str("nobody"),
            Target::Nodes(nodes) => {
                for (i, node) in nodes.iter().enumerate() {
                    write!(f, "{}{node}", if i == 0 { "" } else { "+" })?;
                }
                Ok(())
            }
            Target::Leader => f.write_str("the leader"),
            Target::Random(1) => f.write_str("a random node"),
            Target::Random(n) => write!(f, "{n} random nodes"),
            Target::Minority => f.write_str("a minority"),
            Target::Majority => f.write_str("a majority"),
            Target::Zone { zone, of } => write!(f, "zone {zone} of {of}"),
        }
    }
}
