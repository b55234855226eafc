//! `zones`: a failure domain fails as one: it is cut off, loses power, stands still or is far away.
//!
//! Replicas are spread over zones in turn, as careful people do: no zone holds more than its share. What a store over three zones
//! is built for is the loss of one; a rolling outage takes one after the other, the next as the last comes back.

use super::{
    Nemesis, Scene, Strike,
    crash::{downtime, loss},
    scene::{milliseconds, span},
};
use crate::plan::{FaultKind, Shape, Stream, Target};

/// Draws failures of zones.
pub(super) struct Zones;

/// Replicas are spread over as many zones as this, where there are enough.
const ZONES_MAX: u32 = 3;

impl Nemesis for Zones {
    fn package(&self, scene: &Scene<'_>, stream: &mut Stream) -> Vec<Strike> {
        let of = scene.nodes.clamp(1, ZONES_MAX);
        let first = stream.below(u64::from(of)) as u32;
        let zone = |i: u32| Target::Zone { zone: (first + i) % of, of };
        let lasts = span(stream);
        let clients = stream.chance(1, 2);
        let far = FaultKind::Degrade { permille: stream.between(0, 50) as u32, factor: stream.between(5, 40) as u32 };
        let cut = FaultKind::Partition { shape: Shape::Split, flap_ns: None, clients };
        let candidates = [Some(cut), loss(scene, stream), Some(FaultKind::Pause), Some(far)];
        let Some(kind) = scene.choose(stream, candidates.into_iter().flatten().collect()) else { return Vec::new() };
        let lasts = if matches!(kind, FaultKind::Crash { .. }) { downtime(stream) } else { lasts };
        let hit = if stream.chance(1, 3) { of } else { 1 };
        let mut strikes = Vec::new();
        let mut begins = 0;
        for i in 0..hit {
            strikes.push(Strike::at_once(lasts, zone(i), kind.clone()).after(begins));
            begins += lasts + milliseconds(stream, 0, 1_500);
        }
        strikes
    }
}
