//! How machines behave where no fault strikes: the times of a healthy disk, a supervisor's patience, ports, and what damage does.

use crate::plan::{SECOND, mix, scale};

/// Time of the fastest sync of a healthy disk, in nanoseconds.
const SYNC_NS_MIN: u64 = 100_000;
/// How much slower the slowest sync of a healthy disk is, in nanoseconds.
const SYNC_NS_SPREAD: u64 = 900_000;
/// Time of a disk request that stays in the page cache, in nanoseconds.
pub(crate) const CACHED_NS: u64 = 5_000;
/// A process that ended by itself is started again after this long, as a supervisor would.
pub(crate) const RESTART_AFTER_NS: u64 = SECOND;
/// How long after the phases open operations, final reads and the rest of a script may take.
pub(crate) const OVERTIME_NS: u64 = 60 * SECOND;
/// The first port that is given to those who do not ask for one.
pub(crate) const EPHEMERAL: u16 = 49_152;
/// The most bytes of a datagram.
pub(crate) const DATAGRAM_MAX: usize = 65_507;
/// Datagrams that wait in a socket; more are dropped, as a full receive buffer does.
pub(crate) const INBOX_MAX: usize = 1 << 16;

/// How long a sync of a healthy disk takes, in nanoseconds, by 64 random bits.
pub(crate) fn sync_span_ns(draw: u64) -> u64 {
    SYNC_NS_MIN + scale(draw, SYNC_NS_SPREAD)
}

/// Flips one to three bits, chosen by `hash`, none of them back.
pub(crate) fn flip(bytes: &mut [u8], hash: u64) {
    if bytes.is_empty() {
        return;
    }
    let mut flipped = [None; 3];
    for i in 0..=hash % 3 {
        let draw = mix(hash, i);
        let bit = (scale(draw, bytes.len() as u64) as usize, draw & 7);
        if !flipped.contains(&Some(bit)) {
            bytes[bit.0] ^= 1 << bit.1;
            flipped[i as usize] = Some(bit);
        }
    }
}
