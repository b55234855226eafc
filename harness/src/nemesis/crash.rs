//! `crash`: processes die or machines lose power, once, again and again, or one after the other.

use super::{Nemesis, Scene, Strike, scene::milliseconds};
use crate::plan::{FaultKind, Loss, Stream, Target};

/// Draws crashes.
pub(super) struct Crash;

impl Nemesis for Crash {
    fn package(&self, scene: &Scene<'_>, stream: &mut Stream) -> Vec<Strike> {
        let Some(kind) = loss(scene, stream) else { return Vec::new() };
        match stream.below(10) {
            0..5 => vec![Strike::at_once(downtime(stream), scene.any(stream), kind)],
            5..8 => {
                let target = scene.any(stream);
                let targets = vec![target; stream.between(2, 5) as usize];
                one_after_the_other(stream, targets, &kind)
            }
            _ => {
                let targets = scene.shuffled(stream).into_iter().map(|n| Target::Nodes(vec![n])).collect();
                one_after_the_other(stream, targets, &kind)
            }
        }
    }
}

/// A crash with one of the losses that may be drawn.
pub(super) fn loss(scene: &Scene<'_>, stream: &mut Stream) -> Option<FaultKind> {
    let losses = [Loss::Kept, Loss::Lost, Loss::Torn, Loss::Reordered];
    scene.choose(stream, losses.map(|loss| FaultKind::Crash { loss }).into())
}

/// How long a crashed node stays down, in nanoseconds: often so short that nobody takes over.
pub(super) fn downtime(stream: &mut Stream) -> u64 {
    match stream.below(10) {
        0..4 => milliseconds(stream, 10, 200),
        4..8 => milliseconds(stream, 200, 1_500),
        _ => milliseconds(stream, 1_500, 4_000),
    }
}

fn one_after_the_other(stream: &mut Stream, targets: Vec<Target>, kind: &FaultKind) -> Vec<Strike> {
    let gap = milliseconds(stream, 100, 1_000);
    let down = downtime(stream);
    let mut begins = 0;
    let mut strikes = Vec::new();
    for target in targets {
        let strike = Strike::at_once(down, target, kind.clone()).after(begins);
        begins = strike.ends_ns() + gap;
        strikes.push(strike);
    }
    strikes
}
