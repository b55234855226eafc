//! The event queue: a monotone radix heap in base 64, which is a hierarchical timer wheel without ticks.
//!
//! The current slot of 2^17 ns (131 us) is a short sorted list. An event waits in the bucket of the highest base-64 digit
//! in which its time differs from the last time served, and moves down at most once per level: O(1) amortised, against
//! O(log n) of a binary heap, which the many operation timeouts of a run hurt most (Ahuja et al., "Faster algorithms for the
//! shortest path problem", 1990, for the radix heap). Equal times are served in the order they were pushed.

/// Bits of the current slot: the lowest level then spans 8 ms, so that most messages go straight to it.
const GRAIN_BITS: u32 = 17;
/// Bits of one digit.
const DIGIT_BITS: u32 = 6;
/// Buckets of a level.
const DIGIT: usize = 1 << DIGIT_BITS;
/// Digits in what is left of 64 bits.
const LEVELS: usize = (64 - GRAIN_BITS as usize).div_ceil(DIGIT_BITS as usize);

/// Times in nanoseconds, each with a slot number. Times never lie before the last time popped.
pub(super) struct Queue {
    /// The current slot, latest first.
    current: Vec<(u64, u32)>,
    buckets: Vec<Vec<(u64, u32)>>,
    /// Which buckets of a level are not empty.
    occupied: [u64; LEVELS],
    last: u64,
    len: usize,
}

impl Queue {
    pub(super) fn new() -> Self {
        Queue {
            current: Vec::new(),
            buckets: (0..LEVELS * DIGIT).map(|_| Vec::new()).collect(),
            occupied: [0; LEVELS],
            last: 0,
            len: 0,
        }
    }

    #[inline]
    pub(super) fn push(&mut self, time: u64, slot: u32) {
        debug_assert!(time >= self.last, "the queue is monotone");
        self.len += 1;
        self.put(time, slot);
    }

    #[inline]
    fn put(&mut self, time: u64, slot: u32) {
        let differs = (time ^ self.last) >> GRAIN_BITS;
        if differs == 0 {
            let mut i = self.current.len();
            while i > 0 && self.current[i - 1].0 <= time {
                i -= 1;
            }
            self.current.insert(i, (time, slot));
            return;
        }
        let level = differs.ilog2() / DIGIT_BITS;
        let digit = (time >> (GRAIN_BITS + DIGIT_BITS * level)) as usize & (DIGIT - 1);
        self.occupied[level as usize] |= 1 << digit;
        self.buckets[level as usize * DIGIT + digit].push((time, slot));
    }

    /// The earliest event; among equals the one pushed first.
    #[inline]
    pub(super) fn pop(&mut self) -> Option<(u64, u32)> {
        if let Some(event) = self.current.pop() {
            self.len -= 1;
            return Some(event);
        }
        self.refill()
    }

    fn refill(&mut self) -> Option<(u64, u32)> {
        let level = self.occupied.iter().position(|mask| *mask != 0)?;
        let digit = self.occupied[level].trailing_zeros() as usize;
        self.occupied[level] &= self.occupied[level] - 1;
        let index = level * DIGIT + digit;
        self.len -= 1;
        if self.buckets[index].len() == 1 {
            let event = self.buckets[index].pop().expect("it has one");
            self.last = event.0;
            return Some(event);
        }
        let mut bucket = std::mem::take(&mut self.buckets[index]);
        self.last = bucket.iter().map(|event| event.0).min().expect("occupied buckets are not empty");
        for &(time, slot) in &bucket {
            self.put(time, slot);
        }
        bucket.clear();
        // Its allocation is worth keeping: nothing can have landed in this bucket, its digit is the current one.
        self.buckets[index] = bucket;
        self.current.pop()
    }
}

#[cfg(test)]
mod tests {
    use std::{cmp::Reverse, collections::BinaryHeap};

    use squall_workloads::random::Stream;

    use super::*;

    #[test]
    fn pops_exactly_as_a_sorted_list_would() {
        let spans = [1, 10, 100_000, 5_000_000, 5_000_000_000, 1 << 40];
        let mut stream = Stream::named(7, "queue");
        let (mut queue, mut model, mut now) = (Queue::new(), BinaryHeap::new(), 0);
        for i in 0..200_000_u32 {
            if stream.chance(3, 5) || model.is_empty() {
                let span = *stream.pick(&spans);
                let time = now + stream.below(span);
                queue.push(time, i);
                model.push(Reverse((time, i)));
            } else {
                let expected = model.pop().map(|Reverse(event)| event);
                assert_eq!(queue.pop(), expected);
                now = expected.map_or(now, |event| event.0);
            }
        }
        while let Some(Reverse(event)) = model.pop() {
            assert_eq!(queue.pop(), Some(event));
        }
        assert_eq!((queue.pop(), queue.len), (None, 0));
    }

    #[test]
    fn the_end_of_time_is_a_time() {
        let mut queue = Queue::new();
        queue.push(u64::MAX, 1);
        queue.push(0, 2);
        assert_eq!((queue.pop(), queue.pop(), queue.pop()), (Some((0, 2)), Some((u64::MAX, 1)), None));
    }
}
