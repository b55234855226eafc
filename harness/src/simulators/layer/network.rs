//! The fate of every message: how late it is, whether it is lost, doubled or damaged.
//!
//! Fates come from a hash of the seed, the link, the message's content and how often that content went over that link, not
//! from a stream of draws: taking one fault away does not reshuffle the rest of the run. Each fault hashes its own id in, so
//! faults do not disturb each other either.

use crate::plan::{Cluster, Fault, FaultKind, Latencies, Latency, NodeId, SECOND, Shape, fold, mix, scale};

/// Latency of a message to oneself, in nanoseconds.
const LOOPBACK_NS: u64 = 10_000;
/// Entries of the table that counts contents: enough for what is in flight, small enough for a cache.
const SEEN: usize = 1 << 14;
/// How much later than the original a duplicate arrives at most, in nanoseconds.
const DUPLICATE_LAG_NS: u64 = 10_000_000;

/// All links of a run.
pub(crate) struct Network {
    seed: u64,
    machines: u32,
    distances: Distances,
    /// How many active faults cover a link, by `from * machines + to`.
    covered: Vec<u16>,
    active: Vec<Active>,
    /// How often a content went over a link: a direct-mapped table of (tag, count), where another tag starts again at 1.
    seen: Vec<(u32, u32)>,
}

/// How late messages are where no fault strikes.
struct Distances {
    latencies: Latencies,
    /// The zone of each machine.
    zones: Vec<usize>,
}

impl Distances {
    fn new(cluster: &Cluster) -> Self {
        let Cluster { nodes, clients, latency } = cluster;
        Distances { latencies: latency.clone(), zones: latency.zones(*nodes, *clients) }
    }

    #[inline]
    fn between(&self, from: u32, to: u32) -> Latency {
        match &self.latencies {
            Latencies::Alike(latency) => *latency,
            Latencies::Zones(rows) => rows[self.zones[from as usize]][self.zones[to as usize]],
        }
    }
}

/// A fault that strikes links at the moment.
struct Active {
    /// Its index in the plan.
    index: u32,
    id: u32,
    kind: FaultKind,
    began: u64,
    links: Vec<bool>,
    /// With [`FaultKind::Bandwidth`], by link: when what waits there will have been carried. Empty otherwise.
    carried: Vec<u64>,
}

impl Active {
    /// Whether it cuts its links now: a flapping partition does so half of the time.
    fn cuts(&self, now: u64) -> bool {
        match self.kind {
            FaultKind::Partition { flap_ns, .. } => {
                flap_ns.is_none_or(|half| ((now - self.began) / half.max(1)).is_multiple_of(2))
            }
            _ => false,
        }
    }

    /// When a link of little bandwidth has carried one more message, which comes now; `None` when its queue is full.
    fn carry(&mut self, link: usize, now: u64) -> Option<u64> {
        let FaultKind::Bandwidth { per_second, queue } = self.kind else { return Some(now) };
        let each = SECOND / u64::from(per_second.max(1));
        let waiting = self.carried[link].saturating_sub(now);
        if waiting > each.saturating_mul(u64::from(queue)) {
            return None;
        }
        self.carried[link] = now + waiting + each;
        Some(self.carried[link])
    }
}

/// What becomes of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fate {
    /// How long it takes, in nanoseconds; `None` when it is lost.
    pub(crate) delay: Option<u64>,
    /// How long its duplicate takes.
    pub(crate) duplicate: Option<u64>,
    /// When it is damaged: where, as a hash.
    pub(crate) damage: Option<u64>,
    /// Index of the last fault that touched it.
    pub(crate) fault: Option<u32>,
}

/// The part of a fate that needs no fault.
pub(crate) struct Draw {
    hash: u64,
    pub(crate) delay: u64,
    /// Whether faults have a say.
    pub(crate) faulted: bool,
}

impl Network {
    pub(crate) fn new(seed: u64, cluster: &Cluster) -> Self {
        let machines = cluster.nodes + cluster.clients;
        let links = machines as usize * machines as usize;
        let distances = Distances::new(cluster);
        Network { seed, machines, distances, covered: vec![0; links], active: Vec::new(), seen: vec![(0, 0); SEEN] }
    }

    #[inline]
    fn link(&self, from: u32, to: u32) -> usize {
        from as usize * self.machines as usize + to as usize
    }

    /// The latency of a message with this content, and whether more has to be asked.
    #[inline]
    pub(crate) fn draw(&mut self, from: u32, to: u32, content: u64) -> Draw {
        let link = self.link(from, to);
        // Not by the link's place in the tables: with another machine in the plan it is another one.
        let ends = u64::from(from) << 48 | u64::from(to) << 32;
        let content = fold(content ^ ends, 0x9E37_79B9_7F4A_7C15);
        let seen = &mut self.seen[(content >> 50) as usize];
        if seen.0 == content as u32 {
            seen.1 += 1;
        } else {
            *seen = (content as u32, 1);
        }
        let hash = mix(self.seed ^ content, u64::from(seen.1));
        let delay = if from == to {
            LOOPBACK_NS
        } else {
            let Latency { min_ns, max_ns } = self.distances.between(from, to);
            min_ns + scale(hash, max_ns - min_ns + 1)
        };
        Draw { hash, delay, faulted: self.covered[link] != 0 }
    }

    /// The whole fate of a message that faults have a say in. `touched` is called with the index of each fault that did
    /// something.
    #[cold]
    pub(crate) fn fate(&mut self, draw: &Draw, from: u32, to: u32, now: u64, mut touched: impl FnMut(u32)) -> Fate {
        let link = self.link(from, to);
        let mut fate = Fate { delay: Some(draw.delay), duplicate: None, damage: None, fault: None };
        for active in self.active.iter_mut().filter(|a| a.links[link]) {
            let own = mix(draw.hash, u64::from(active.id));
            let hit = |permille: u32| scale(own, 1000) < u64::from(permille);
            let extra = mix(own, 1);
            let did = match active.kind {
                FaultKind::Partition { .. } => {
                    let cut = active.cuts(now);
                    if cut {
                        fate.delay = None;
                    }
                    cut
                }
                FaultKind::Drop { permille } if hit(permille) => {
                    fate.delay = None;
                    true
                }
                FaultKind::Delay { max_ns } => {
                    fate.delay = fate.delay.map(|d| d.saturating_add(scale(extra, max_ns)));
                    true
                }
                FaultKind::Duplicate { permille } if hit(permille) => {
                    fate.duplicate = Some(draw.delay + scale(extra, DUPLICATE_LAG_NS));
                    true
                }
                FaultKind::Reorder { permille, max_ns } if hit(permille) => {
                    fate.delay = fate.delay.map(|d| d.saturating_add(scale(extra, max_ns)));
                    true
                }
                FaultKind::Corrupt { permille } if hit(permille) => {
                    fate.damage = Some(extra);
                    true
                }
                FaultKind::Degrade { permille, factor } => {
                    fate.delay = (!hit(permille)).then(|| draw.delay.saturating_mul(u64::from(factor)));
                    true
                }
                FaultKind::Bandwidth { .. } => {
                    // What is lost on the way takes its room all the same.
                    let carried = active.carry(link, now);
                    fate.delay = fate.delay.zip(carried).map(|(delay, at)| delay.saturating_add(at - now));
                    true
                }
                _ => false,
            };
            if did {
                fate.fault = Some(active.index);
                touched(active.index);
            }
        }
        // A lost message has no duplicate either: what cuts the link cuts it for both.
        if fate.delay.is_none() {
            fate.duplicate = None;
        }
        fate
    }

    /// Index of the fault that cuts a link now, if one does.
    #[cfg(madsim)]
    pub(crate) fn cut(&self, from: u32, to: u32, now: u64) -> Option<u32> {
        let link = self.link(from, to);
        self.active.iter().find(|a| a.links[link] && a.cuts(now)).map(|a| a.index)
    }

    /// A link fault begins to strike around these replicas. `nodes` is the number of all replicas, `hash` the fault's own.
    pub(crate) fn begin(&mut self, index: u32, fault: &Fault, target: &[NodeId], nodes: u32, now: u64, hash: u64) {
        let kind = &fault.kind;
        let cover = Cover::new(kind, target, nodes, hash);
        let machines = self.machines;
        let links = (0..machines).flat_map(|from| {
            let cover = &cover;
            (0..machines).map(move |to| from != to && cover.covers(from, to))
        });
        let links: Vec<bool> = links.collect();
        for (count, covered) in self.covered.iter_mut().zip(&links) {
            *count += u16::from(*covered);
        }
        let carried = if matches!(kind, FaultKind::Bandwidth { .. }) { vec![0; links.len()] } else { Vec::new() };
        self.active.push(Active { index, id: fault.id, kind: kind.clone(), began: now, links, carried });
        // The order in which faults touch a message is the plan's, whenever they began.
        self.active.sort_by_key(|a| a.index);
    }

    /// A link fault ends.
    pub(crate) fn end(&mut self, index: u32) {
        let covered = &mut self.covered;
        self.active.retain(|active| {
            if active.index != index {
                return true;
            }
            for (count, was) in covered.iter_mut().zip(&active.links) {
                *count -= u16::from(*was);
            }
            false
        });
    }
}

/// Which links a fault covers. Machines from `nodes` on are clients.
struct Cover {
    nodes: u32,
    inside: Vec<bool>,
    shape: Option<Shape>,
    clients: bool,
    /// For rings and bridges: each replica's place.
    place: Vec<u32>,
}

impl Cover {
    fn new(kind: &FaultKind, target: &[NodeId], nodes: u32, hash: u64) -> Self {
        let inside = (0..nodes).map(|n| target.contains(&NodeId(n))).collect();
        let (shape, clients) = match kind {
            FaultKind::Partition { shape, clients, .. } => (Some(*shape), *clients),
            _ => (None, true),
        };
        // A random order of the replicas.
        let mut order: Vec<u32> = (0..nodes).collect();
        order.sort_by_key(|n| mix(hash, u64::from(*n)));
        let mut place = vec![0; nodes as usize];
        for (i, n) in (0..).zip(order) {
            place[n as usize] = i;
        }
        Cover { nodes, inside, shape, clients, place }
    }

    fn covers(&self, from: u32, to: u32) -> bool {
        let inside = |n: u32| self.inside.get(n as usize).copied();
        let (from_in, to_in) = match (inside(from), inside(to)) {
            (None, None) => return false,
            (Some(_), None) | (None, Some(_)) if !self.clients => return false,
            (from_in, to_in) => (from_in.unwrap_or(false), to_in.unwrap_or(false)),
        };
        let between_replicas = from < self.nodes && to < self.nodes;
        match self.shape {
            None => from_in || to_in,
            Some(Shape::Split) => from_in != to_in,
            Some(Shape::Inbound) => !from_in && to_in,
            Some(Shape::Outbound) => from_in && !to_in,
            Some(Shape::Ring) if between_replicas => {
                // Each reaches its neighbours on the ring, as many as make a majority with itself.
                let reach = (self.nodes / 2).div_ceil(2);
                let apart = self.place[from as usize].abs_diff(self.place[to as usize]);
                apart.min(self.nodes - apart) > reach
            }
            Some(Shape::Bridge) if between_replicas => {
                let half = |n: u32| self.place[n as usize] % 2;
                !from_in && !to_in && half(from) != half(to)
            }
            Some(Shape::Ring | Shape::Bridge) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{MILLISECOND, Target};

    fn fault(id: u32, kind: FaultKind) -> Fault {
        Fault { id, begins_ns: 0, lasts_ns: 1, target: Target::All, kind }
    }

    const NEAR: Latency = Latency { min_ns: MILLISECOND, max_ns: 5 * MILLISECOND };

    fn network() -> Network {
        Network::new(1, &Cluster { nodes: 5, clients: 2, latency: NEAR.into() })
    }

    fn cut(network: &mut Network, from: u32, to: u32) -> bool {
        let draw = network.draw(from, to, 0);
        draw.faulted && network.fate(&draw, from, to, 0, |_| {}).delay.is_none()
    }

    fn partition(shape: Shape, target: &[u32], clients: bool) -> Network {
        let mut n = network();
        let target: Vec<NodeId> = target.iter().map(|n| NodeId(*n)).collect();
        n.begin(0, &fault(0, FaultKind::Partition { shape, flap_ns: None, clients }), &target, 5, 0, 3);
        n
    }

    #[test]
    fn a_split_cuts_both_ways_and_leaves_clients_alone() {
        let mut n = partition(Shape::Split, &[0, 1], false);
        assert!(cut(&mut n, 0, 2) && cut(&mut n, 4, 1));
        assert!(!cut(&mut n, 0, 1) && !cut(&mut n, 3, 4) && !cut(&mut n, 5, 0) && !cut(&mut n, 0, 5));
        let mut n = partition(Shape::Split, &[0, 1], true);
        assert!(cut(&mut n, 5, 0) && cut(&mut n, 0, 6) && !cut(&mut n, 5, 3) && !cut(&mut n, 5, 6));
    }

    #[test]
    fn one_way_partitions_cut_one_way() {
        let mut n = partition(Shape::Inbound, &[0], false);
        assert!(cut(&mut n, 1, 0) && !cut(&mut n, 0, 1));
        let mut n = partition(Shape::Outbound, &[0], false);
        assert!(cut(&mut n, 0, 1) && !cut(&mut n, 1, 0));
    }

    #[test]
    fn in_a_ring_every_node_reaches_a_majority_and_none_reaches_all() {
        let mut n = partition(Shape::Ring, &[], false);
        for from in 0..5 {
            assert_eq!((0..5).filter(|to| !cut(&mut n, from, *to)).count(), 3);
        }
    }

    #[test]
    fn a_bridge_is_the_only_way_across() {
        let mut n = partition(Shape::Bridge, &[2], false);
        for other in [0, 1, 3, 4] {
            assert!(!cut(&mut n, 2, other) && !cut(&mut n, other, 2));
            let reached = [0, 1, 3, 4].into_iter().filter(|to| !cut(&mut n, other, *to)).count();
            assert!((1..4).contains(&reached), "{other} reaches {reached} of the others and itself");
        }
    }

    #[test]
    fn an_ended_fault_leaves_nothing_behind() {
        let mut n = partition(Shape::Split, &[0], true);
        n.end(0);
        assert!(n.covered.iter().all(|c| *c == 0));
        assert!(!cut(&mut n, 0, 1));
    }

    #[test]
    fn taking_a_fault_away_leaves_other_messages_alone() {
        let (mut with, mut without) = (network(), network());
        with.begin(0, &fault(9, FaultKind::Drop { permille: 500 }), &[NodeId(0)], 5, 0, 3);
        for content in 0..100 {
            with.draw(0, 1, content);
            without.draw(0, 1, content);
            assert_eq!(with.draw(2, 3, content).delay, without.draw(2, 3, content).delay);
        }
    }

    #[test]
    fn taking_a_machine_away_leaves_other_messages_alone() {
        let (mut with, mut without) = (network(), Network { machines: 6, ..network() });
        for content in 0..100 {
            assert_eq!(with.draw(2, 3, content).delay, without.draw(2, 3, content).delay);
        }
    }

    #[test]
    fn a_narrow_link_carries_one_message_after_the_other_and_loses_what_does_not_fit_its_queue() {
        let mut n = network();
        n.begin(0, &fault(9, FaultKind::Bandwidth { per_second: 100, queue: 3 }), &[NodeId(0)], 5, 0, 3);
        let mut late = |from, to, now| {
            let draw = n.draw(from, to, now);
            let fate = n.fate(&draw, from, to, now, |_| {});
            fate.delay.map(|delay| (delay - draw.delay) / 1_000_000)
        };
        let ms = 1_000_000;
        let sent: Vec<_> = (0..6).map(|_| late(0, 1, 5 * ms)).collect();
        assert_eq!(sent, [Some(10), Some(20), Some(30), Some(40), None, None], "one goes, three wait");
        assert_eq!(late(1, 0, 5 * ms), Some(10), "the way back is a link of its own");
        assert_eq!(late(0, 1, 30 * ms), Some(25), "half of them have gone by then");
        assert_eq!(late(0, 1, 900 * ms), Some(10), "and all in the end");
        assert_eq!(late(2, 3, 5 * ms), Some(0));
    }

    #[test]
    fn latencies_are_those_of_the_zones() {
        let ms = |n| Latency { min_ns: n * MILLISECOND, max_ns: n * MILLISECOND };
        let latency = Latencies::Zones(vec![vec![ms(1), ms(20)], vec![ms(30), ms(2)]]);
        let mut n = Network::new(1, &Cluster { nodes: 3, clients: 2, latency });
        let mut late = |from, to| n.draw(from, to, 0).delay / MILLISECOND;
        assert_eq!([late(0, 2), late(0, 1), late(1, 0), late(2, 1)], [1, 20, 30, 20]);
        assert_eq!(
            [late(3, 0), late(4, 1), late(4, 0), late(0, 4), late(4, 3)],
            [1, 2, 30, 20, 30],
            "clients are at home"
        );
    }

    #[test]
    fn losses_come_in_the_share_asked_for() {
        let mut n = network();
        n.begin(0, &fault(9, FaultKind::Drop { permille: 250 }), &[NodeId(0)], 5, 0, 3);
        let lost = (0..10_000).filter(|content| {
            let draw = n.draw(0, 1, *content);
            n.fate(&draw, 0, 1, 0, |_| {}).delay.is_none()
        });
        assert!((2_300..2_700).contains(&lost.count()));
    }
}
