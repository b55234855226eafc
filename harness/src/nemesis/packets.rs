//! `packets`: messages are lost, late, twice, out of order or corrupt.

use super::{
    Nemesis, Scene, Strike,
    scene::{magnitude, milliseconds, span},
};
use crate::plan::{FaultKind, Stream, Target};

/// Draws what happens to single messages.
pub(super) struct Packets;

impl Nemesis for Packets {
    fn package(&self, scene: &Scene<'_>, stream: &mut Stream) -> Vec<Strike> {
        let kinds = if stream.chance(1, 3) { 2 } else { 1 };
        let mut strikes = Vec::new();
        for _ in 0..kinds {
            let target = match stream.below(5) {
                0..3 => Target::All,
                _ => scene.few(stream),
            };
            let lasts = span(stream);
            let begins = milliseconds(stream, 0, 500);
            let candidates = candidates(stream);
            if let Some(kind) = scene.choose(stream, candidates) {
                strikes.push(Strike::at_once(lasts, target, kind).after(begins));
            }
        }
        strikes
    }
}

/// One fault of each kind.
fn candidates(stream: &mut Stream) -> Vec<FaultKind> {
    vec![
        FaultKind::Drop { permille: permille(stream, 20, 700) },
        FaultKind::Delay { max_ns: magnitude(stream, 10, 1_500) },
        FaultKind::Duplicate { permille: permille(stream, 50, 900) },
        FaultKind::Reorder { permille: permille(stream, 50, 700), max_ns: magnitude(stream, 10, 1_500) },
        FaultKind::Corrupt { permille: permille(stream, 10, 400) },
        FaultKind::Degrade { permille: permille(stream, 20, 400), factor: stream.between(3, 40) as u32 },
    ]
}

fn permille(stream: &mut Stream, low: u64, high: u64) -> u32 {
    stream.between(low, high) as u32
}
