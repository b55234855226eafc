//! The faults of a run under way: whom they strike, what they do to each machine, and what they touched.

use std::collections::BTreeMap;

use squall_checkers::{operation::Name, value::Value};

use crate::{
    plan::{Fault, FaultKind, NodeId, Target, mix, scale, target::zone_of},
    simulators::execution::FaultEffect,
};

/// What a node last showed of its state.
pub(crate) type Observed = BTreeMap<Name, Value>;

/// The faults of a run.
pub(crate) struct Faults {
    seed: u64,
    nodes: u32,
    plan: Vec<Fault>,
    effects: Vec<FaultEffect>,
    /// Those that strike at the moment, by index, in the plan's order.
    active: Vec<Active>,
    /// Whether some replica has shown a role so far: the system knows leaders.
    has_roles: bool,
}

struct Active {
    index: usize,
    /// How far the wall clocks of its target are off because of it.
    offset_ns: i64,
    /// How often it beat.
    beats: u64,
}

/// What all active faults together do to one machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "faults add up independently")]
pub(crate) struct Condition {
    pub(crate) down: bool,
    pub(crate) paused: bool,
    /// Time each event keeps it busy; 0 when it is not slow.
    pub(crate) service_ns: u64,
    /// How much may wait at its door; messages that find no room are lost.
    pub(crate) room: Option<u32>,
    /// How many streams others may have opened to it.
    pub(crate) connections: Option<u32>,
    pub(crate) offset_ns: i64,
    pub(crate) ppb: i64,
    pub(crate) disk_full: bool,
    pub(crate) disk_delay_ns: u64,
    /// Whether some fault concerns its clocks.
    pub(crate) clock: bool,
    /// Whether syncs may fail.
    pub(crate) sync_error: bool,
    /// How many times as often its clients ask; 0 when no burst is on.
    pub(crate) burst: u32,
    /// Whether it shall be no member.
    pub(crate) removed: bool,
    /// How many of a thousand operations of its clients are for one key.
    pub(crate) heat_permille: u32,
}

/// The slowest a drifting clock may run: half speed below keeps arithmetic and timers sane when faults add up.
const PPB_MIN: i64 = -900_000_000;

impl Faults {
    pub(crate) fn new(seed: u64, nodes: u32, faults: &[Fault]) -> Self {
        let effects = faults.iter().map(|f| FaultEffect { id: f.id, nodes: vec![], unresolved: false, effects: 0 });
        Faults { seed, nodes, plan: faults.to_vec(), effects: effects.collect(), active: Vec::new(), has_roles: false }
    }

    /// When each fault begins and ends, by index.
    pub(crate) fn schedule(&self) -> impl Iterator<Item = (usize, u64, u64)> + '_ {
        self.plan.iter().enumerate().map(|(i, f)| (i, f.begins_ns, f.ends_ns()))
    }

    pub(crate) fn fault(&self, index: usize) -> &Fault {
        &self.plan[index]
    }

    /// The nodes that a fault which has begun strikes.
    pub(crate) fn struck(&self, index: usize) -> &[NodeId] {
        &self.effects[index].nodes
    }

    /// The fault's own hash: all its draws hang on it.
    pub(crate) fn hash(&self, index: usize) -> u64 {
        mix(self.seed, 0xFA17 ^ u64::from(self.plan[index].id) << 32)
    }

    /// A fault begins: its target is resolved.
    pub(crate) fn begin(&mut self, index: usize, observed: &[Observed]) {
        // What a replica has shown is gone when it dies. That takes a fault, which saw it begin, or all of them at once.
        self.has_roles |= observed.iter().any(|o| o.contains_key(&ROLE));
        let nodes = self.resolve(index, observed);
        let needs_target =
            !matches!(self.plan[index].kind, FaultKind::Partition { shape: crate::plan::Shape::Ring, .. });
        self.effects[index].unresolved = nodes.is_empty() && needs_target;
        self.effects[index].nodes = nodes;
        let offset_ns = match self.plan[index].kind {
            FaultKind::ClockOffset { ns } | FaultKind::ClockStrobe { ns, .. } => ns,
            _ => 0,
        };
        self.active.push(Active { index, offset_ns, beats: 0 });
        self.active.sort_by_key(|a| a.index);
    }

    /// A fault ends.
    pub(crate) fn end(&mut self, index: usize) {
        self.active.retain(|a| a.index != index);
    }

    /// Time between the beats of a fault that has any.
    pub(crate) fn beat_ns(&self, index: usize) -> Option<u64> {
        match self.plan[index].kind {
            FaultKind::ClockStrobe { period_ns, .. } | FaultKind::ClockJumps { period_ns, .. } => {
                Some(period_ns.max(1))
            }
            _ => None,
        }
    }

    /// A fault beats. Returns how far the monotonic clocks of its target jump forward; `None` when it has ended.
    pub(crate) fn beat(&mut self, index: usize) -> Option<u64> {
        let hash = self.hash(index);
        let active = self.active.iter_mut().find(|a| a.index == index)?;
        active.beats += 1;
        match self.plan[index].kind {
            FaultKind::ClockStrobe { ns, .. } => {
                active.offset_ns = if active.beats.is_multiple_of(2) { ns } else { 0 };
                Some(0)
            }
            FaultKind::ClockJumps { ns, .. } => {
                let draw = mix(hash, active.beats);
                let jump = scale(draw, ns.saturating_mul(2).saturating_add(1)) as i64 - ns as i64;
                // A forward jump moves both clocks, so the wall clock needs no offset for it.
                if jump < 0 {
                    active.offset_ns = active.offset_ns.saturating_add(jump);
                }
                Some(jump.max(0) as u64)
            }
            _ => None,
        }
    }

    /// What all active faults together do to a machine.
    pub(crate) fn condition(&self, node: NodeId) -> Condition {
        let mut c = Condition::default();
        for active in &self.active {
            if !self.effects[active.index].nodes.contains(&node) {
                continue;
            }
            match self.plan[active.index].kind {
                FaultKind::Crash { .. } | FaultKind::Wipe => c.down = true,
                FaultKind::Pause => c.paused = true,
                FaultKind::Slow { service_ns } => c.service_ns = c.service_ns.max(service_ns),
                FaultKind::Inbox { service_ns, room } => {
                    c.service_ns = c.service_ns.max(service_ns);
                    c.room = Some(least(c.room, room));
                }
                FaultKind::Connections { limit } => c.connections = Some(least(c.connections, limit)),
                FaultKind::Burst { factor, hot_permille } => {
                    c.burst = c.burst.max(factor);
                    c.heat_permille = c.heat_permille.max(hot_permille);
                }
                FaultKind::ClockOffset { .. } | FaultKind::ClockStrobe { .. } | FaultKind::ClockJumps { .. } => {
                    c.offset_ns = c.offset_ns.saturating_add(active.offset_ns);
                    c.clock = true;
                }
                FaultKind::ClockDrift { ppb } => {
                    c.ppb = c.ppb.saturating_add(ppb).max(PPB_MIN);
                    c.clock = true;
                }
                FaultKind::DiskFull => c.disk_full = true,
                FaultKind::DiskSlow { ns } => c.disk_delay_ns = c.disk_delay_ns.saturating_add(ns),
                FaultKind::SyncError { .. } => c.sync_error = true,
                FaultKind::Removal => c.removed = true,
                FaultKind::Partition { .. }
                | FaultKind::Drop { .. }
                | FaultKind::Delay { .. }
                | FaultKind::Duplicate { .. }
                | FaultKind::Reorder { .. }
                | FaultKind::Corrupt { .. }
                | FaultKind::Degrade { .. }
                | FaultKind::Bandwidth { .. }
                | FaultKind::BitRot { .. } => {}
            }
        }
        c
    }

    /// Whether the `number`th sync of a machine fails.
    pub(crate) fn sync_fails(&mut self, node: NodeId, number: u64) -> bool {
        let mut fails = false;
        for i in 0..self.active.len() {
            let index = self.active[i].index;
            if let FaultKind::SyncError { permille } = self.plan[index].kind
                && self.effects[index].nodes.contains(&node)
                && scale(mix(self.hash(index), u64::from(node.0) << 32 ^ number), 1000) < u64::from(permille)
            {
                self.touched(index, 1);
                fails = true;
            }
        }
        fails
    }

    /// A fault did something.
    #[inline]
    pub(crate) fn touched(&mut self, index: usize, count: u64) {
        self.effects[index].effects += count;
    }

    /// Every active fault of these kinds on the machine did something.
    pub(crate) fn touched_on(&mut self, node: NodeId, count: u64, kinds: impl Fn(&FaultKind) -> bool) {
        for active in &self.active {
            let effect = &mut self.effects[active.index];
            if kinds(&self.plan[active.index].kind) && effect.nodes.contains(&node) {
                effect.effects += count;
            }
        }
    }

    /// The system said that it removed a machine, which was wanted since then: the removals that have struck it by now did that, be
    /// they over or not.
    pub(crate) fn removed(&mut self, node: NodeId, since_ns: u64) {
        for (fault, effect) in self.plan.iter().zip(&mut self.effects) {
            if fault.kind == FaultKind::Removal && fault.ends_ns() > since_ns && effect.nodes.contains(&node) {
                effect.effects += 1;
            }
        }
    }

    pub(crate) fn finish(self) -> Vec<FaultEffect> {
        self.effects
    }

    /// Whom a fault's target means now.
    fn resolve(&self, index: usize, observed: &[Observed]) -> Vec<NodeId> {
        let random = |count: u32| {
            let hash = self.hash(index);
            let mut nodes: Vec<NodeId> = (0..self.nodes).map(NodeId).collect();
            nodes.sort_by_key(|n| mix(hash, u64::from(n.0)));
            nodes.truncate(count as usize);
            nodes.sort_unstable();
            nodes
        };
        match &self.plan[index].target {
            Target::All => (0..self.nodes).map(NodeId).collect(),
            Target::Nodes(nodes) => nodes.iter().copied().filter(|n| n.0 < self.nodes).collect(),
            Target::Leader if !self.has_roles => random(1),
            Target::Leader => leader(observed).into_iter().collect(),
            Target::Random(count) => random(*count),
            Target::Minority => random(self.nodes.saturating_sub(1) / 2),
            Target::Majority => random(self.nodes / 2 + 1),
            Target::Zone { zone, of } => zone_of(*zone, *of, self.nodes).collect(),
        }
    }
}

/// The tighter of two limits.
fn least(limit: Option<u32>, other: u32) -> u32 {
    limit.map_or(other, |limit| limit.min(other))
}

/// The keys under which replicas show what they are.
const ROLE: Name = Name::new("role");
const TERM: Name = Name::new("term");

/// The node that last observed itself as leader; of several the one in the highest term.
fn leader(observed: &[Observed]) -> Option<NodeId> {
    (0..)
        .zip(observed)
        .filter(|(_, o)| o.get(&ROLE).and_then(Value::as_text) == Some("leader"))
        .max_by_key(|(_, o)| o.get(&TERM).and_then(Value::as_int))
        .map(|(n, _)| NodeId(n))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whom a pause of the leader strikes, for each of these states of a run of three replicas; one fault begins after the other.
    fn struck(seed: u64, states: &[[Option<(&'static str, i64)>; 3]]) -> Vec<Vec<NodeId>> {
        let fault = |id| Fault { id, begins_ns: 0, lasts_ns: 1, target: Target::Leader, kind: FaultKind::Pause };
        let plan: Vec<Fault> = (0..states.len() as u32).map(fault).collect();
        let mut faults = Faults::new(seed, 3, &plan);
        let shows = |state: Option<(&'static str, i64)>| -> Observed {
            state.into_iter().flat_map(|(role, term)| [(ROLE, role.into()), (TERM, term.into())]).collect()
        };
        for (index, state) in states.iter().enumerate() {
            faults.begin(index, &state.map(shows));
        }
        let effects = faults.finish();
        assert!(effects.iter().all(|e| e.unresolved == e.nodes.is_empty()));
        effects.into_iter().map(|e| e.nodes).collect()
    }

    const FOLLOWER: Option<(&'static str, i64)> = Some(("follower", 3));

    #[test]
    fn of_several_leaders_the_one_in_the_highest_term_is_meant() {
        let states = [[Some(("leader", 2)), Some(("leader", 3)), FOLLOWER], [FOLLOWER, FOLLOWER, Some(("leader", 4))]];
        assert_eq!(struck(1, &states), [[NodeId(1)], [NodeId(2)]]);
    }

    #[test]
    fn where_leaders_are_known_and_there_is_none_nobody_is_meant() {
        let states = [[FOLLOWER; 3], [None; 3]];
        assert_eq!(struck(1, &states), [[], []], "the second time all are dead, and what they had shown is gone");
    }

    #[test]
    fn where_no_leader_is_known_one_of_all_is_drawn_by_seed_and_fault() {
        let nobody = [[None; 3]; 20];
        let drawn = struck(1, &nobody);
        assert!(drawn.iter().all(|nodes| nodes.len() == 1));
        for node in 0..3 {
            assert!(drawn.contains(&vec![NodeId(node)]), "n{node} is never drawn: {drawn:?}");
        }
        assert_eq!(drawn, struck(1, &nobody));
        assert_ne!(drawn, struck(2, &nobody));
    }
}
