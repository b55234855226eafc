//! Sets of slots: which of the operations now pending are already linearized. Small ones are one machine word.

use std::hash::Hash;

/// A set of small numbers that is cheap to copy and to hash.
pub(super) trait Mask: Clone + Eq + Hash {
    /// The empty set with room for the numbers below `slots`.
    fn empty(slots: usize) -> Self;
    fn has(&self, slot: u32) -> bool;
    fn insert(&mut self, slot: u32);
    fn remove(&mut self, slot: u32);
    /// Memory outside of the value itself, in bytes.
    fn heap_bytes(&self) -> usize;
}

macro_rules! word {
    ($word:ty) => {
        impl Mask for $word {
            fn empty(slots: usize) -> Self {
                assert!(slots <= <$word>::BITS as usize, "the caller picks a word that is wide enough");
                0
            }

            fn has(&self, slot: u32) -> bool {
                self >> slot & 1 == 1
            }

            fn insert(&mut self, slot: u32) {
                *self |= 1 << slot;
            }

            fn remove(&mut self, slot: u32) {
                *self &= !(1 << slot);
            }

            fn heap_bytes(&self) -> usize {
                0
            }
        }
    };
}

word!(u64);
word!(u128);

/// For any number of slots.
impl Mask for Box<[u64]> {
    fn empty(slots: usize) -> Self {
        vec![0; slots.div_ceil(64)].into()
    }

    fn has(&self, slot: u32) -> bool {
        self[slot as usize / 64] >> (slot % 64) & 1 == 1
    }

    fn insert(&mut self, slot: u32) {
        self[slot as usize / 64] |= 1 << (slot % 64);
    }

    fn remove(&mut self, slot: u32) {
        self[slot as usize / 64] &= !(1 << (slot % 64));
    }

    fn heap_bytes(&self) -> usize {
        size_of_val::<[u64]>(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<M: Mask>(slots: usize) {
        let mut mask = M::empty(slots);
        let last = slots as u32 - 1;
        mask.insert(0);
        mask.insert(last);
        assert!(mask.has(0) && mask.has(last) && !mask.has(1));
        mask.remove(last);
        assert!(mask.has(0) && !mask.has(last));
        mask.remove(0);
        assert!(mask == M::empty(slots));
    }

    #[test]
    fn every_width_holds_its_last_slot() {
        check::<u64>(64);
        check::<u128>(128);
        check::<Box<[u64]>>(1000);
    }
}
