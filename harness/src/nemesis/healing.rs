//! `healing`: what broke at once heals one thing after the other, in every order.
//!
//! Which side of a partition is heard first, which node is back first, and whether it is back before its links are, decides who
//! wins the election after it, and with which log.

use super::{Nemesis, Scene, Strike, crash::loss, scene::milliseconds};
use crate::plan::{FaultKind, Shape, Stream, Target};

/// Draws outages that end in an order of their own.
pub(super) struct Healing;

impl Nemesis for Healing {
    fn package(&self, scene: &Scene<'_>, stream: &mut Stream) -> Vec<Strike> {
        let broken = milliseconds(stream, 1_000, 4_000);
        let between = milliseconds(stream, 20, 1_200);
        let crash = loss(scene, stream);
        let one_way = stream.chance(1, 2);
        let mut strikes = Vec::new();
        // In the order in which they heal.
        for node in scene.shuffled(stream) {
            let target = Target::Nodes(vec![node]);
            let cut = |shape| FaultKind::Partition { shape, flap_ns: None, clients: false };
            let mut ways =
                if one_way { vec![cut(Shape::Inbound), cut(Shape::Outbound)] } else { vec![cut(Shape::Split)] };
            if stream.chance(1, 4) {
                ways.extend(crash.clone());
            }
            stream.shuffle(&mut ways);
            strikes.extend(ways.into_iter().map(|kind| (target.clone(), kind)));
        }
        let healed = (0..).zip(strikes).map(|(i, (target, kind))| Strike::at_once(broken + i * between, target, kind));
        healed.filter(|s| scene.allows(&s.kind)).collect()
    }
}
