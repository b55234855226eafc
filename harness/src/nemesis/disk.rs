//! `disk`: syncs fail, disks are full or slow, bits rot, and the power goes while they do.

use super::{
    Nemesis, Scene, Strike,
    crash::downtime,
    scene::{magnitude, milliseconds, span},
};
use crate::plan::{FaultKind, Loss, Stream};

/// Draws disk trouble.
pub(super) struct Disk;

impl Nemesis for Disk {
    fn package(&self, scene: &Scene<'_>, stream: &mut Stream) -> Vec<Strike> {
        let target = scene.any(stream);
        let lasts = span(stream);
        let candidates = vec![
            FaultKind::SyncError { permille: if stream.chance(1, 3) { 1000 } else { stream.between(50, 900) as u32 } },
            FaultKind::DiskFull,
            FaultKind::DiskSlow { ns: magnitude(stream, 5, 500) },
            FaultKind::BitRot { bits: stream.between(1, 64) as u32 },
        ];
        let Some(kind) = scene.choose(stream, candidates) else { return Vec::new() };
        let mut strikes = vec![Strike::at_once(lasts, target.clone(), kind)];
        // What a failed or slow sync left behind is told by the next power loss.
        let losses = [Loss::Lost, Loss::Torn, Loss::Reordered].map(|loss| FaultKind::Crash { loss });
        let power = scene.choose(stream, losses.into());
        let (moment, down) = (milliseconds(stream, 50, 2_000).min(lasts), downtime(stream));
        if let (true, Some(kind)) = (stream.chance(3, 5), power) {
            strikes.push(Strike::at_once(down, target, kind).after(moment));
        }
        strikes
    }
}
