//! `hot-key`: clients ask for one key more than for all others, and perhaps more often too, while the nodes that serve it are slow
//! or cut off from some.

use super::{
    Nemesis, Scene, Strike,
    scene::{magnitude, milliseconds},
};
use crate::plan::{FaultKind, Shape, Stream, Target};

/// Draws hot keys.
pub(super) struct HotKey;

impl Nemesis for HotKey {
    fn package(&self, scene: &Scene<'_>, stream: &mut Stream) -> Vec<Strike> {
        let lasts = milliseconds(stream, 500, 4_000);
        let hot_permille = stream.between(500, 1_000) as u32;
        let factor = if stream.chance(1, 2) { stream.between(2, 10) as u32 } else { 1 };
        let hot = FaultKind::Burst { factor, hot_permille };
        let slow = FaultKind::Slow { service_ns: magnitude(stream, 1, 20) };
        let cut = FaultKind::Partition { shape: Shape::Split, flap_ns: None, clients: stream.chance(1, 2) };
        let (few, alone) = (scene.few(stream), stream.chance(1, 3));
        let beside = scene.choose(stream, vec![slow, cut]).filter(|_| !alone);
        let beside = beside.map(|kind| Strike::at_once(lasts, few, kind).after(milliseconds(stream, 0, 200)));
        let hot = scene.allows(&hot).then(|| Strike::at_once(lasts, Target::All, hot));
        hot.into_iter().chain(beside).collect()
    }
}
