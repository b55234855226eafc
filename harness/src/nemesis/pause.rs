//! `pause`: nodes stand still and go on, not knowing that time has passed.

use super::{Nemesis, Scene, Strike, scene::span};
use crate::plan::{FaultKind, Stream};

/// Draws pauses.
pub(super) struct Pause;

impl Nemesis for Pause {
    fn package(&self, scene: &Scene<'_>, stream: &mut Stream) -> Vec<Strike> {
        let target = if stream.chance(1, 5) { scene.any(stream) } else { scene.few(stream) };
        let lasts = span(stream);
        scene
            .choose(stream, vec![FaultKind::Pause])
            .map(|kind| Strike::at_once(lasts, target, kind))
            .into_iter()
            .collect()
    }
}
