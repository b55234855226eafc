//! `clock`: clocks are off, run fast or slow, jump, or flip to and fro.

use super::{
    Nemesis, Scene, Strike,
    scene::{magnitude, milliseconds, signed, span},
};
use crate::plan::{FaultKind, Stream};

/// Draws wrong clocks.
pub(super) struct Clock;

/// A wall clock is off by at most this many milliseconds: a day.
const OFFSET_MS_MAX: u64 = 86_400_000;

impl Nemesis for Clock {
    fn package(&self, scene: &Scene<'_>, stream: &mut Stream) -> Vec<Strike> {
        let target = if stream.chance(1, 4) { scene.any(stream) } else { scene.few(stream) };
        let lasts = span(stream);
        let offset = magnitude(stream, 10, OFFSET_MS_MAX);
        let jump = magnitude(stream, 10, 10_000);
        let strobe = magnitude(stream, 10, 60_000);
        let candidates = vec![
            FaultKind::ClockOffset { ns: signed(stream, offset) },
            drift(stream),
            FaultKind::ClockJumps { ns: jump, period_ns: milliseconds(stream, 20, 1_000) },
            FaultKind::ClockStrobe { ns: signed(stream, strobe), period_ns: milliseconds(stream, 5, 500) },
        ];
        scene.choose(stream, candidates).map(|kind| Strike::at_once(lasts, target, kind)).into_iter().collect()
    }
}

/// A clock that runs at half to three times its rate, or nearly right.
pub(super) fn drift(stream: &mut Stream) -> FaultKind {
    const PERMILLE_PPB: u64 = 1_000_000;
    let fast = stream.chance(1, 2);
    let permille = magnitude(stream, 1, if fast { 2_000 } else { 500 }) / crate::plan::MILLISECOND;
    let ppb = (permille * PERMILLE_PPB) as i64;
    FaultKind::ClockDrift { ppb: if fast { ppb } else { -ppb } }
}
