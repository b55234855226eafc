//! `partition`: links are cut, in every shape the literature names.

use super::{
    Nemesis, Scene, Strike,
    scene::{magnitude, milliseconds, span},
};
use crate::plan::{FaultKind, Shape, Stream, Target};

/// Draws cuts.
pub(super) struct Partition;

impl Nemesis for Partition {
    fn package(&self, scene: &Scene<'_>, stream: &mut Stream) -> Vec<Strike> {
        let (target, kind) = cut(scene, stream);
        let repeats = if stream.chance(1, 4) { stream.between(2, 3) } else { 1 };
        let mut begins = 0;
        let mut strikes = Vec::new();
        for _ in 0..repeats {
            let strike = Strike::at_once(span(stream), target.clone(), kind.clone()).after(begins);
            begins = strike.ends_ns() + milliseconds(stream, 50, 1_000);
            strikes.push(strike);
        }
        strikes.retain(|s| scene.allows(&s.kind));
        strikes
    }
}

/// Below this number of nodes every ring of overlapping majorities is the whole cluster.
const RING_NODES_MIN: u32 = 4;
/// Below this number of nodes nobody is left to be bridged.
const BRIDGE_NODES_MIN: u32 = 3;

fn cut(scene: &Scene<'_>, stream: &mut Stream) -> (Target, FaultKind) {
    let one = scene.one(stream);
    // Flaps as quick as messages leave broadcasts half done; slow ones depose leaders.
    let flap_ns = stream.chance(1, 4).then(|| magnitude(stream, 5, 800));
    let clients = stream.chance(1, 6);
    if scene.nodes < 2 {
        // there are no links but those of the clients
        return (one, FaultKind::Partition { shape: Shape::Split, flap_ns, clients: true });
    }
    let (target, shape) = match stream.below(12) {
        0..2 if scene.minority() > 0 => (Target::Minority, Shape::Split),
        2..4 => (one, Shape::Inbound),
        4..6 => (one, Shape::Outbound),
        6 if scene.nodes >= RING_NODES_MIN => (Target::All, Shape::Ring),
        6..8 if scene.nodes >= BRIDGE_NODES_MIN => (one, Shape::Bridge),
        _ => (one, Shape::Split),
    };
    // A ring cuts no links of clients: nobody is its target.
    let clients = clients && shape != Shape::Ring;
    (target, FaultKind::Partition { shape, flap_ns, clients })
}
