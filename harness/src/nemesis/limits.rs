//! `limits`: what a node has room for runs out. It is slow and its inbox is full, so that messages are lost at its door; or it
//! takes no more connections while others break.

use super::{
    Nemesis, Scene, Strike,
    scene::{magnitude, milliseconds},
};
use crate::plan::{FaultKind, Loss, Stream};

/// Draws limits.
pub(super) struct Limits;

impl Nemesis for Limits {
    fn package(&self, scene: &Scene<'_>, stream: &mut Stream) -> Vec<Strike> {
        let lasts = milliseconds(stream, 500, 4_000);
        let inbox = FaultKind::Inbox { service_ns: magnitude(stream, 1, 40), room: 1 << stream.below(7) };
        let connections = FaultKind::Connections { limit: stream.below(6) as u32 };
        let (few, any) = (scene.few(stream), scene.any(stream));
        // Either alone is telling, but more so with what fills it: clients who ask more, or processes that come back and connect.
        let burst = FaultKind::Burst { factor: stream.between(2, 10) as u32, hot_permille: 0 };
        let burst = Strike::at_once(lasts, any.clone(), burst);
        let crash = Strike::at_once(milliseconds(stream, 20, 400), few, FaultKind::Crash { loss: Loss::Kept });
        let crash = crash.after(milliseconds(stream, 0, 100));
        let filled = stream.chance(2, 3);
        let Some(limit) = scene.choose(stream, vec![inbox, connections]) else { return Vec::new() };
        let fills = if matches!(limit, FaultKind::Inbox { .. }) { burst } else { crash };
        let fills = Some(fills).filter(|fills| filled && scene.allows(&fills.kind));
        std::iter::once(Strike::at_once(lasts, any, limit)).chain(fills).collect()
    }
}
