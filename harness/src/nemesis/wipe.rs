//! `wipe`: nodes lose their disks and start afresh.

use super::{Nemesis, Scene, Strike, crash::downtime};
use crate::plan::{FaultKind, Stream};

/// Draws wiped disks.
pub(super) struct Wipe;

impl Nemesis for Wipe {
    fn package(&self, scene: &Scene<'_>, stream: &mut Stream) -> Vec<Strike> {
        let target = scene.few(stream);
        let lasts = downtime(stream);
        scene
            .choose(stream, vec![FaultKind::Wipe])
            .map(|kind| Strike::at_once(lasts, target, kind))
            .into_iter()
            .collect()
    }
}
