//! Events in numbered slots, so that the queue moves numbers only and an event can be cancelled where it lies.

/// Slots that are reused.
pub(super) struct Slab<T> {
    slots: Vec<Slot<T>>,
    free: u32,
}

enum Slot<T> {
    /// The next free slot.
    Free(u32),
    Busy(T),
}

/// The end of the list of free slots.
const NONE: u32 = u32::MAX;

impl<T> Slab<T> {
    pub(super) fn new() -> Self {
        Slab { slots: Vec::new(), free: NONE }
    }

    #[inline]
    pub(super) fn insert(&mut self, value: T) -> u32 {
        if self.free == NONE {
            self.slots.push(Slot::Busy(value));
            return self.slots.len() as u32 - 1;
        }
        let slot = self.free;
        match std::mem::replace(&mut self.slots[slot as usize], Slot::Busy(value)) {
            Slot::Free(next) => self.free = next,
            Slot::Busy(_) => unreachable!("the list of free slots holds free slots"),
        }
        slot
    }

    #[inline]
    pub(super) fn remove(&mut self, slot: u32) -> T {
        match std::mem::replace(&mut self.slots[slot as usize], Slot::Free(self.free)) {
            Slot::Busy(value) => {
                self.free = slot;
                value
            }
            Slot::Free(_) => unreachable!("slot {slot} is removed twice"),
        }
    }

    #[inline]
    pub(super) fn get_mut(&mut self, slot: u32) -> Option<&mut T> {
        match self.slots.get_mut(slot as usize) {
            Some(Slot::Busy(value)) => Some(value),
            _ => None,
        }
    }

    /// All values, by slot.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (u32, &mut T)> {
        (0..).zip(&mut self.slots).filter_map(|(i, slot)| match slot {
            Slot::Busy(value) => Some((i, value)),
            Slot::Free(_) => None,
        })
    }
}
