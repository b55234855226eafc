//! `membership`: nodes leave the cluster and come back, because an admin says so: one, one after the other, or all but one; alone, or
//! while something else breaks.
//!
//! A change of members is the moment at which two majorities may be apart: who knows of it counts other votes than who does not.
//! Thus a leader that is cut off may be asked to go on without the others, or the ones that go on crash as they have forgotten those
//! who left.

use super::{
    Nemesis, Scene, Strike,
    crash::{downtime, loss},
    scene::milliseconds,
};
use crate::plan::{FaultKind, NodeId, Shape, Stream, Target};

/// A cut that clients do not feel.
const CUT: FaultKind = FaultKind::Partition { shape: Shape::Split, flap_ns: None, clients: false };

/// Draws changes of members.
pub(super) struct Membership;

impl Nemesis for Membership {
    fn package(&self, scene: &Scene<'_>, stream: &mut Stream) -> Vec<Strike> {
        // Somebody has to stay.
        if scene.nodes < 2 || !scene.allows(&FaultKind::Removal) {
            return Vec::new();
        }
        let leave = match stream.below(10) {
            0..2 => one(scene, stream),
            2..4 => churn(scene, stream),
            4..7 => most(scene, stream).1,
            _ => return apart(scene, stream),
        };
        let until = leave.iter().map(Strike::ends_ns).max().unwrap_or(0);
        let other = if stream.chance(2, 3) { breakage(scene, stream, until) } else { Vec::new() };
        leave.into_iter().chain(other).collect()
    }
}

/// One node leaves, often the leader, and returns.
fn one(scene: &Scene<'_>, stream: &mut Stream) -> Vec<Strike> {
    vec![Strike::at_once(absence(stream), scene.few(stream), FaultKind::Removal)]
}

/// One node after the other leaves and returns; the next may leave as the last one comes back.
fn churn(scene: &Scene<'_>, stream: &mut Stream) -> Vec<Strike> {
    let (lasts, gap) = (absence(stream), milliseconds(stream, 0, 1_500));
    let leaders = stream.chance(1, 3);
    let nodes = scene.shuffled(stream).into_iter().map(|node| Target::Nodes(vec![node]));
    let targets = nodes.map(|node| if leaders { Target::Leader } else { node });
    (0..).zip(targets).map(|(i, to)| Strike::at_once(lasts, to, FaultKind::Removal).after(i * (lasts + gap))).collect()
}

/// Most nodes leave, the next before the last one is back, so that few are left, or one; and who stays.
fn most(scene: &Scene<'_>, stream: &mut Stream) -> (Vec<NodeId>, Vec<Strike>) {
    let gap = milliseconds(stream, 0, 800);
    let mut stay = scene.shuffled(stream);
    let leave = stay.split_off(stream.between(1, u64::from(scene.minority().max(1))) as usize);
    let lasts = absence(stream);
    let leave = leave.into_iter().map(|node| Target::Nodes(vec![node]));
    (stay, (0..).zip(leave).map(|(i, to)| Strike::at_once(lasts, to, FaultKind::Removal).after(i * gap)).collect())
}

/// Those who are to leave are cut off from those who stay, and clients reach both.
fn apart(scene: &Scene<'_>, stream: &mut Stream) -> Vec<Strike> {
    let (stay, leave) = most(scene, stream);
    let (before, after) = (milliseconds(stream, 0, 400), milliseconds(stream, 0, 1_500));
    let until = leave.iter().map(Strike::ends_ns).max().unwrap_or(0);
    let cut = Strike::at_once(before + until + after, Target::Nodes(stay), CUT);
    let cut = Some(cut).filter(|cut| scene.allows(&cut.kind));
    let leave = leave.into_iter().map(|strike| strike.after(before));
    cut.into_iter().chain(leave).collect()
}

/// How long a node is no member, in nanoseconds.
fn absence(stream: &mut Stream) -> u64 {
    milliseconds(stream, 500, 5_000)
}

/// What else breaks, at any time before all are back or just before the first one leaves.
fn breakage(scene: &Scene<'_>, stream: &mut Stream, until: u64) -> Vec<Strike> {
    let crash = loss(scene, stream);
    let lasts = milliseconds(stream, 500, 4_000);
    let (down, begins) = (downtime(stream), if stream.chance(1, 2) { 0 } else { stream.between(0, until) });
    let target = scene.one(stream);
    let kinds = [Some(CUT), crash, Some(FaultKind::Pause)].into_iter().flatten().collect();
    let Some(kind) = scene.choose(stream, kinds) else { return Vec::new() };
    let lasts = if matches!(kind, FaultKind::Crash { .. }) { down } else { lasts };
    vec![Strike::at_once(lasts, target, kind).after(begins)]
}
