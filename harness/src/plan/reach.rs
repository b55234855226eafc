//! Whom a kind of fault can strike where a plan is run.

use super::{fault::FaultKind, target::Target};

/// Whom faults of one kind can strike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Any machine by itself.
    Each,
    /// The whole cluster at once, and no part of it.
    Cluster,
    /// Nobody.
    Nobody,
}

/// Whom each kind of fault can strike.
pub type Reaches = fn(&FaultKind) -> Reach;

impl Reach {
    /// Everything strikes everybody.
    pub fn everywhere(_: &FaultKind) -> Reach {
        Reach::Each
    }

    /// Whether a fault with this target can be done in a cluster of so many.
    pub fn meets(self, target: &Target, nodes: u32) -> bool {
        match self {
            Reach::Each => true,
            Reach::Cluster => matches!(target, Target::All | Target::Nodes(_)) && target.most(nodes) == nodes,
            Reach::Nobody => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::NodeId;

    #[test]
    fn what_strikes_the_cluster_alone_needs_a_target_that_is_all_of_it() {
        let named = |nodes: &[u32]| Target::Nodes(nodes.iter().map(|n| NodeId(*n)).collect());
        for whole in [Target::All, named(&[0, 1, 2])] {
            assert!(Reach::Cluster.meets(&whole, 3) && Reach::Each.meets(&whole, 3) && !Reach::Nobody.meets(&whole, 3));
        }
        for part in [Target::Leader, Target::Majority, Target::Random(3), named(&[0, 1])] {
            assert!(!Reach::Cluster.meets(&part, 3) && Reach::Each.meets(&part, 3) && !Reach::Nobody.meets(&part, 3));
        }
    }
}
