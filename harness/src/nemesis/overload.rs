//! `overload`: more is asked than can be done. Clients ask more often, links carry little, a node needs long for everything.
//!
//! What waits grows for as long as it lasts, and the system has to get rid of it afterwards: retries that keep it busy for ever are
//! a metastable failure (Bronson, Aghayev, Charapko & Zhu, Workshop on Hot Topics in Operating Systems 2021).

use super::{
    Nemesis, Scene, Strike,
    scene::{magnitude, milliseconds},
};
use crate::plan::{FaultKind, Stream, Target};

/// Draws overload.
pub(super) struct Overload;

impl Nemesis for Overload {
    fn package(&self, scene: &Scene<'_>, stream: &mut Stream) -> Vec<Strike> {
        let lasts = milliseconds(stream, 500, 4_000);
        let burst = FaultKind::Burst { factor: stream.between(3, 20) as u32, hot_permille: 0 };
        let at = stream.between(0, 1);
        let (few, any) = (scene.few(stream), scene.any(stream));
        let narrow =
            FaultKind::Bandwidth { per_second: stream.between(10, 400) as u32, queue: stream.between(1, 64) as u32 };
        let slow = FaultKind::Slow { service_ns: magnitude(stream, 1, 40) };
        let scarce = scene.choose(stream, vec![narrow, slow]).map(|kind| {
            let target = if at == 0 { few } else { any };
            Strike::at_once(lasts + milliseconds(stream, 0, 1_000), target, kind)
        });
        // One without the other is as telling: a burst on plenty, and everyday load on little.
        let burst = scene.allows(&burst).then(|| Strike::at_once(lasts, Target::All, burst));
        match stream.below(4) {
            0 => burst.into_iter().collect(),
            1 => scarce.into_iter().collect(),
            _ => burst.into_iter().chain(scarce).collect(),
        }
    }
}
