//! A machine's own clocks: how its monotonic and wall time run against true virtual time.

/// Nanoseconds of a run's first instant on every wall clock: 2024-01-01T00:00:00Z.
pub(crate) const WALL_EPOCH_NS: u64 = 1_704_067_200_000_000_000;

/// Parts of a rate.
const BILLION: i128 = 1_000_000_000;

/// A machine's monotonic and wall clock. Integers only: the same on every platform.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Clock {
    /// True time at which the rate last changed.
    anchor: u64,
    /// Monotonic time at the anchor.
    monotonic: u64,
    /// How much faster than true time, in parts per billion.
    ppb: i64,
    /// Wall against monotonic time, beside the epoch.
    offset: i64,
}

impl Clock {
    /// The monotonic clock at true time `now`, in nanoseconds.
    #[inline]
    pub(crate) fn monotonic(&self, now: u64) -> u64 {
        let elapsed = now - self.anchor;
        if self.ppb == 0 {
            self.monotonic + elapsed
        } else {
            self.monotonic + (i128::from(elapsed) * (BILLION + i128::from(self.ppb)) / BILLION) as u64
        }
    }

    /// The wall clock at true time `now`, in nanoseconds since the Unix epoch. Never before it.
    #[inline]
    pub(crate) fn wall(&self, now: u64) -> u64 {
        (WALL_EPOCH_NS + self.monotonic(now)).saturating_add_signed(self.offset)
    }

    /// The first true time at which the monotonic clock shows `deadline` or more, if the rate stays. Never before `now`.
    #[inline]
    pub(crate) fn true_time(&self, now: u64, deadline: u64) -> u64 {
        if self.ppb == 0 {
            // The fast path of every timer.
            return (self.anchor + deadline.saturating_sub(self.monotonic)).max(now);
        }
        let ahead = i128::from(deadline.saturating_sub(self.monotonic));
        let rate = BILLION + i128::from(self.ppb);
        let span = (ahead * BILLION + rate - 1) / rate;
        self.anchor.saturating_add(u64::try_from(span).unwrap_or(u64::MAX)).max(now)
    }

    /// From `now` on the clock runs at another rate. `ppb` is greater than -1,000,000,000.
    pub(crate) fn set_rate(&mut self, now: u64, ppb: i64) {
        assert!(i128::from(ppb) > -BILLION, "a clock must go forward");
        self.monotonic = self.monotonic(now);
        self.anchor = now;
        self.ppb = ppb;
    }

    /// Sets how far the wall clock is off.
    pub(crate) fn set_offset(&mut self, offset_ns: i64) {
        self.offset = offset_ns;
    }

    /// The monotonic clock jumps forward, as after a suspended machine.
    pub(crate) fn skip(&mut self, now: u64, ns: u64) {
        self.monotonic = self.monotonic(now) + ns;
        self.anchor = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_met_at_its_true_time_and_not_before() {
        for ppb in [0, 1, -1, 50_000_000, -500_000_000, 999_999_999, -999_999_999, 3_000_000_000] {
            let mut clock = Clock::default();
            clock.set_rate(1_000, ppb);
            clock.skip(5_000, 17);
            for deadline in [5_017, 5_018, 1_000_000, 123_456_789] {
                let at = clock.true_time(5_000, deadline);
                assert!(clock.monotonic(at) >= deadline, "{ppb} {deadline}");
                assert!(at == 5_000 || clock.monotonic(at - 1) < deadline, "{ppb} {deadline}");
            }
        }
    }

    #[test]
    fn changing_the_rate_keeps_time_continuous() {
        let mut clock = Clock::default();
        clock.set_rate(100, 500_000_000);
        assert_eq!(clock.monotonic(300), 400);
        clock.set_rate(300, 0);
        assert_eq!(clock.monotonic(300), 400);
        assert_eq!(clock.monotonic(400), 500);
    }

    #[test]
    fn only_the_wall_clock_is_off() {
        let mut clock = Clock::default();
        clock.set_offset(-40);
        assert_eq!((clock.monotonic(100), clock.wall(100)), (100, WALL_EPOCH_NS + 60));
        clock.set_offset(i64::MIN);
        assert_eq!(clock.wall(100), 0);
    }
}
