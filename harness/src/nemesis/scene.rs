//! What a nemesis knows of the run it draws faults for, and the draws that all nemeses share.

use crate::plan::{FaultKind, MILLISECOND, NodeId, Reach, Reaches, SECOND, Stream, Target, Tolerates};

/// One fault of a package, before the schedule has given it its place and its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strike {
    /// When it begins, in nanoseconds since the beginning of the package.
    pub begins_ns: u64,
    /// How long it lasts, in nanoseconds.
    pub lasts_ns: u64,
    /// Whom it strikes.
    pub target: Target,
    /// What it does.
    pub kind: FaultKind,
}

impl Strike {
    /// A strike that begins with its package.
    pub fn at_once(lasts_ns: u64, target: Target, kind: FaultKind) -> Self {
        Strike { begins_ns: 0, lasts_ns, target, kind }
    }

    /// The same strike, so much later.
    #[must_use]
    pub fn after(mut self, ns: u64) -> Self {
        self.begins_ns += ns;
        self
    }

    /// When it ends, in nanoseconds since the beginning of the package.
    pub fn ends_ns(&self) -> u64 {
        self.begins_ns.saturating_add(self.lasts_ns)
    }
}

/// The run that faults are drawn for.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// Number of replicas.
    pub nodes: u32,
    /// Length of the chaos phase, in nanoseconds.
    pub chaos_ns: u64,
    /// What the system promises to survive.
    pub tolerates: &'a Tolerates,
    /// Whom faults can strike where the plan will run.
    pub reaches: Reaches,
    /// Whether faults outside the promise are wanted too.
    pub beyond: bool,
}

impl Scene<'_> {
    /// Whether this fault may be drawn.
    pub fn allows(&self, kind: &FaultKind) -> bool {
        let wanted = self.beyond || self.tolerates.fault(kind);
        wanted && self.tolerates.offers(kind) && (self.reaches)(kind) != Reach::Nobody
    }

    /// Whom a fault strikes that was drawn for this target: the whole cluster, where no part of it can be struck.
    pub(super) fn reached(&self, kind: &FaultKind, target: Target) -> Target {
        if (self.reaches)(kind) == Reach::Cluster { Target::All } else { target }
    }

    /// One of the kinds that may be drawn, if any.
    pub fn choose(&self, stream: &mut Stream, kinds: Vec<FaultKind>) -> Option<FaultKind> {
        let mut allowed: Vec<FaultKind> = kinds.into_iter().filter(|k| self.allows(k)).collect();
        (!allowed.is_empty()).then(|| allowed.swap_remove(stream.below(allowed.len() as u64) as usize))
    }

    /// One short of a majority.
    pub fn minority(&self) -> u32 {
        self.nodes.saturating_sub(1) / 2
    }

    /// One node by name.
    pub fn node(&self, stream: &mut Stream) -> NodeId {
        NodeId(stream.below(u64::from(self.nodes.max(1))) as u32)
    }

    /// All nodes in random order.
    pub fn shuffled(&self, stream: &mut Stream) -> Vec<NodeId> {
        let mut nodes: Vec<NodeId> = (0..self.nodes).map(NodeId).collect();
        stream.shuffle(&mut nodes);
        nodes
    }

    /// A target of one node, often the leader: whoever holds most power is the most telling victim.
    pub fn one(&self, stream: &mut Stream) -> Target {
        let node = self.node(stream);
        match stream.below(10) {
            0..5 if self.nodes > 1 => Target::Leader,
            _ => Target::Nodes(vec![node]),
        }
    }

    /// A target of one node or of a minority.
    pub fn few(&self, stream: &mut Stream) -> Target {
        let one = self.one(stream);
        if stream.chance(1, 3) && self.minority() > 1 { Target::Minority } else { one }
    }

    /// A target of any size.
    pub fn any(&self, stream: &mut Stream) -> Target {
        let few = self.few(stream);
        match stream.below(10) {
            0..5 => few,
            5..7 => Target::Majority,
            _ => Target::All,
        }
    }
}

/// A length of time for a fault, in nanoseconds: short ones shake, those of a second or more make others take over.
pub(super) fn span(stream: &mut Stream) -> u64 {
    match stream.below(10) {
        0..2 => milliseconds(stream, 50, 500),
        2..7 => milliseconds(stream, 500, 2_500),
        _ => milliseconds(stream, 2_500, 7_000),
    }
}

/// A number of nanoseconds from `low` to `high` milliseconds.
pub(super) fn milliseconds(stream: &mut Stream, low: u64, high: u64) -> u64 {
    stream.between(low, high) * MILLISECOND
}

/// A number of nanoseconds from `low` to `high` milliseconds, small ones as likely as large ones: each doubling has the same
/// chance.
pub(super) fn magnitude(stream: &mut Stream, low: u64, high: u64) -> u64 {
    let doublings = u64::from((high / low.max(1)).max(1).ilog2());
    let bottom = low << stream.below(doublings + 1);
    milliseconds(stream, bottom, (2 * bottom).min(high).max(bottom))
}

/// `ns` with a random sign.
pub(super) fn signed(stream: &mut Stream, ns: u64) -> i64 {
    let ns = i64::try_from(ns).unwrap_or(i64::MAX);
    if stream.chance(1, 2) { ns } else { -ns }
}

/// How long a scene's first incident waits for the system to come up, in nanoseconds.
pub(super) fn warm_up(chaos_ns: u64) -> u64 {
    (chaos_ns / 10).min(SECOND)
}
