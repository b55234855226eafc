//! The event queue: a calendar of the near future before a heap of the far one.
//!
//! Messages are milliseconds away, so nearly every event goes straight to its place: one of 64 slots of 2^18 ns (262 us) that
//! lie ahead of the current one, 16.8 ms in all (Brown, "Calendar queues", 1988). A slot is sorted when its turn comes; it
//! then holds few events. What lies further ahead waits in a binary heap. Events are moved, not referred to: once into their
//! slot, once out. Equal times are served in the order they were pushed.

use std::{
    cmp::Ordering,
    collections::{BinaryHeap, VecDeque},
};

/// Bits of a slot.
const GRAIN_BITS: u32 = 18;
/// Slots of the calendar; as many as a word has bits.
const SLOTS: u64 = 64;

/// Events by their time in nanoseconds. Times never lie before the last time popped.
pub(super) struct Queue<E> {
    /// The last time popped.
    now: u64,
    /// Events at `now` that were pushed since it came.
    instant: VecDeque<E>,
    /// The rest of the current slot, latest first.
    current: Vec<(u64, E)>,
    /// Number of the current slot.
    slot: u64,
    /// The slots ahead, by their number modulo [`SLOTS`]; in the order of pushing.
    near: Vec<Vec<(u64, E)>>,
    /// Which of them are not empty.
    occupied: u64,
    /// Events that were pushed when their slot was beyond the calendar. They come before all others of the same time: time
    /// only goes forward, so those were pushed later.
    far: BinaryHeap<Far<E>>,
    /// Slot of the first of them; `u64::MAX` when there is none.
    far_slot: u64,
    /// Number of events that went to `far` so far.
    pushed: u64,
}

struct Far<E> {
    time: u64,
    number: u64,
    event: E,
}

/// Ordered for a max-heap: the earliest is the greatest.
impl<E> Ord for Far<E> {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.time, other.number).cmp(&(self.time, self.number))
    }
}

impl<E> PartialOrd for Far<E> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> PartialEq for Far<E> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<E> Eq for Far<E> {}

impl<E> Queue<E> {
    pub(super) fn new() -> Self {
        Queue {
            now: 0,
            instant: VecDeque::new(),
            current: Vec::new(),
            slot: 0,
            near: (0..SLOTS).map(|_| Vec::new()).collect(),
            occupied: 0,
            far: BinaryHeap::new(),
            far_slot: u64::MAX,
            pushed: 0,
        }
    }

    /// O(1) within the calendar, O(log n) beyond it.
    #[inline(always)]
    pub(super) fn push(&mut self, time: u64, event: E) {
        self.push_with(time, || event);
    }

    /// Pushes an event that is made where it goes: one that exists before would be moved once more.
    #[inline(always)]
    pub(super) fn push_with(&mut self, time: u64, event: impl FnOnce() -> E) {
        debug_assert!(time >= self.now, "the queue is monotone");
        let ahead = (time >> GRAIN_BITS) - self.slot;
        if ahead.wrapping_sub(1) < SLOTS - 1 {
            let place = (time >> GRAIN_BITS) % SLOTS;
            self.occupied |= 1 << place;
            self.near[place as usize].push((time, event()));
        } else {
            self.push_aside(time, event(), ahead == 0);
        }
    }

    fn push_aside(&mut self, time: u64, event: E, soon: bool) {
        if time == self.now {
            self.instant.push_back(event);
        } else if soon {
            let place = self.current.partition_point(|later| later.0 > time);
            self.current.insert(place, (time, event));
        } else {
            self.pushed += 1;
            self.far_slot = self.far_slot.min(time >> GRAIN_BITS);
            self.far.push(Far { time, number: self.pushed, event });
        }
    }

    /// The earliest event; among equals the one pushed first.
    #[inline(always)]
    pub(super) fn pop(&mut self) -> Option<(u64, E)> {
        if !self.instant.is_empty() && self.current.last().is_none_or(|next| next.0 > self.now) {
            return self.instant.pop_front().map(|event| (self.now, event));
        }
        if self.current.is_empty() && !self.turn() {
            return None;
        }
        let next = self.current.pop();
        if let Some((time, _)) = next {
            self.now = time;
        }
        next
    }

    /// Goes on to the next slot that has events. False when there is none.
    fn turn(&mut self) -> bool {
        if self.occupied == 0 && self.far_slot == u64::MAX {
            return false;
        }
        let ahead = self.occupied.rotate_right((self.slot % SLOTS) as u32).trailing_zeros();
        let near = if self.occupied == 0 { u64::MAX } else { self.slot + u64::from(ahead) };
        self.slot = near.min(self.far_slot);
        if self.far_slot == self.slot {
            self.take_far();
        }
        if near == self.slot {
            let place = near % SLOTS;
            self.occupied &= !(1 << place);
            if self.current.is_empty() {
                std::mem::swap(&mut self.current, &mut self.near[place as usize]);
            } else {
                self.current.append(&mut self.near[place as usize]);
            }
        }
        if self.current.len() > 1 {
            sort(&mut self.current);
        }
        true
    }

    /// The far events of the current slot are near.
    fn take_far(&mut self) {
        while self.far.peek().is_some_and(|far| far.time >> GRAIN_BITS == self.slot) {
            self.current.extend(self.far.pop().map(|far| (far.time, far.event)));
        }
        self.far_slot = self.first_far_slot();
    }

    fn first_far_slot(&self) -> u64 {
        self.far.peek().map_or(u64::MAX, |far| far.time >> GRAIN_BITS)
    }

    /// Takes out the events that `wanted` names, but for those of this very instant. O(n).
    pub(super) fn extract(&mut self, wanted: impl Fn(&E) -> bool) -> Vec<E> {
        let mut taken: Vec<E> = self.current.extract_if(.., |(_, e)| wanted(e)).map(|(_, e)| e).collect();
        for (place, slot) in (0..).zip(&mut self.near) {
            taken.extend(slot.extract_if(.., |(_, e)| wanted(e)).map(|(_, e)| e));
            if slot.is_empty() {
                self.occupied &= !(1_u64 << place);
            }
        }
        // A heap's own order is no order.
        let far = std::mem::take(&mut self.far).into_sorted_vec().into_iter().rev();
        let (those, left): (Vec<_>, Vec<_>) = far.partition(|far| wanted(&far.event));
        self.far = left.into();
        self.far_slot = self.first_far_slot();
        taken.extend(those.into_iter().map(|far| far.event));
        taken
    }
}

/// From the order of pushing to latest first; among equals the one pushed first comes last.
fn sort<E>(events: &mut [(u64, E)]) {
    /// Up to this length, moving each to its place is quickest.
    const FEW: usize = 12;
    if events.len() > FEW {
        events.reverse();
        events.sort_by_key(|event| std::cmp::Reverse(event.0));
        return;
    }
    for next in 1..events.len() {
        let mut place = next;
        while place > 0 && events[place - 1].0 <= events[place].0 {
            events.swap(place - 1, place);
            place -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cmp::Reverse;

    use squall_workloads::random::Stream;

    use super::*;

    /// The queue and a sorted list beside it.
    struct Pair {
        queue: Queue<u32>,
        model: BinaryHeap<Reverse<(u64, u32)>>,
        now: u64,
    }

    impl Pair {
        fn new() -> Self {
            Pair { queue: Queue::new(), model: BinaryHeap::new(), now: 0 }
        }

        fn push(&mut self, time: u64, event: u32) {
            self.queue.push(time, event);
            self.model.push(Reverse((time, event)));
        }

        fn pop(&mut self) -> bool {
            let expected = self.model.pop().map(|Reverse(event)| event);
            assert_eq!(self.queue.pop(), expected);
            self.now = expected.map_or(self.now, |event| event.0);
            expected.is_some()
        }
    }

    #[test]
    fn pops_exactly_as_a_sorted_list_would() {
        let spans = [1, 2, 10, 100_000, 5_000_000, 16_777_216, 20_000_000, 5_000_000_000, 1 << 40];
        let mut stream = Stream::named(7, "queue");
        let mut pair = Pair::new();
        for i in 0..200_000_u32 {
            if stream.chance(3, 5) || pair.model.is_empty() {
                // Round times, so that many are equal.
                let grain = *stream.pick(&[1, 1 << 18, 1_000_000]);
                let span = *stream.pick(&spans);
                let time = pair.now + stream.below(span) / grain * grain;
                pair.push(time, i);
            } else {
                pair.pop();
            }
        }
        while pair.pop() {}
    }

    #[test]
    fn the_end_of_time_is_a_time() {
        let mut pair = Pair::new();
        pair.push(u64::MAX, 1);
        pair.push(0, 2);
        while pair.pop() {}
        pair.push(u64::MAX, 3);
        while pair.pop() {}
    }

    #[test]
    fn what_is_taken_out_is_gone_and_the_rest_stays_in_order() {
        let mut stream = Stream::named(8, "queue");
        let mut pair = Pair::new();
        for i in 0..1_000 {
            let span = *stream.pick(&[300_000, 10_000_000, 1 << 40]);
            pair.push(stream.below(span), i);
        }
        for _ in 0..100 {
            pair.pop();
        }
        let mut taken = pair.queue.extract(|event| event % 3 == 0);
        taken.sort_unstable();
        let mut expected: Vec<u32> = pair.model.iter().map(|Reverse(e)| e.1).filter(|e| e % 3 == 0).collect();
        expected.sort_unstable();
        assert!(!taken.is_empty());
        assert_eq!(taken, expected);
        pair.model.retain(|Reverse(event)| event.1 % 3 != 0);
        while pair.pop() {}
    }
}
