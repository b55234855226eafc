//! `slow`: nodes need time for every event.

use super::{
    Nemesis, Scene, Strike,
    scene::{magnitude, span},
};
use crate::plan::{FaultKind, Stream};

/// Draws slowness.
pub(super) struct Slow;

impl Nemesis for Slow {
    fn package(&self, scene: &Scene<'_>, stream: &mut Stream) -> Vec<Strike> {
        let target = if stream.chance(1, 5) { scene.any(stream) } else { scene.few(stream) };
        let lasts = span(stream);
        let kind = FaultKind::Slow { service_ns: magnitude(stream, 1, 150) };
        scene.choose(stream, vec![kind]).map(|kind| Strike::at_once(lasts, target, kind)).into_iter().collect()
    }
}
