//! Orders of the values of a register, and what shows that there is none.

use std::mem;

use super::blocks::{Block, Blocks, NOBODY, Register, Zone};
use crate::history::EntryId;

/// The blocks that together are illegal.
pub(super) type Proof = [u32; 2];

impl Blocks<'_> {
    /// Puts the zones of a register into an order that explains it, or finds the blocks that show that there is none. `backward`
    /// is room to work in.
    pub(super) fn arrange(
        &self,
        zones: &mut [Zone],
        register: Register,
        backward: &mut Vec<Zone>,
    ) -> Result<(), Proof> {
        backward.clear();
        let mut ahead = 0;
        for i in 0..zones.len() {
            let zone = zones[i];
            let Block { write, .. } = *self.block(zone.block);
            if write == NOBODY && zone.block != register.initial {
                // Out of thin air.
                return Err([zone.block; 2]);
            }
            if zone.first < zone.last {
                zones[ahead] = zone;
                ahead += 1;
            } else {
                backward.push(zone);
            }
        }
        if register.future != NOBODY {
            return Err([register.future; 2]);
        }
        let forward = &mut zones[..ahead];
        forward.sort_unstable_by_key(|zone| zone.first);
        if let Some(pair) = forward.windows(2).find(|pair| pair[1].first < pair[0].last) {
            return Err([pair[0].block, pair[1].block]);
        }
        for zone in backward.iter_mut() {
            let before = forward.partition_point(|outer| outer.first < zone.last);
            // It is placed at the first point of it that no forward zone covers.
            let first = mem::replace(&mut zone.first, zone.last);
            if let Some(outer) = forward[..before].last().filter(|outer| zone.last < outer.last) {
                if first < outer.last {
                    return Err([outer.block, zone.block]);
                }
                zone.first = outer.last;
            }
        }
        backward.sort_unstable_by_key(|zone| (zone.first, zone.last));
        merge(zones, ahead, backward);
        Ok(())
    }

    /// Puts all operations in the places that their blocks say, those of a block one after the other.
    pub(super) fn place(&mut self, mut put: impl FnMut(usize, u32)) {
        for block in self.all.iter_mut().filter(|block| block.write != NOBODY && block.is_seen()) {
            put(block.place as usize, block.write);
            block.place += 1;
        }
        for (entry, &block) in (0..).zip(&self.of) {
            if block == NOBODY {
                continue;
            }
            let block = &mut self.all[block as usize];
            if block.write != entry && block.is_seen() {
                put(block.place as usize, entry);
                block.place += 1;
            }
        }
    }

    /// All operations of the register if there is no proof; else of the blocks of the proof, and of those by which one can tell
    /// whether their writes were ever seen.
    pub(super) fn evidence(&self, register: u32, proof: Option<Proof>) -> Vec<EntryId> {
        let of = |keep: &dyn Fn(u32) -> bool| {
            let ids = (0..).zip(&self.of).filter(|(_, block)| **block != NOBODY && keep(**block));
            ids.map(|(id, _)| id).collect()
        };
        let Some(proof) = proof else { return of(&|block| self.block(block).register == register) };
        let mut kept = proof.to_vec();
        let mut next = 0;
        while let Some(&block) = kept.get(next) {
            next += 1;
            kept.extend(self.newer(block).filter(|newer| !kept.contains(newer)));
        }
        of(&|block| kept.contains(&block))
    }

    /// A block that was not there when the write of this one was called, and was read after that had returned.
    fn newer(&self, block: u32) -> Option<u32> {
        let Block { register, write, .. } = *self.block(block);
        let write = self.history.entries.get(write as usize).filter(|write| write.is_ok())?;
        let is_newer = |&other: &u32| {
            let other = self.block(other);
            other.register == register && other.first_return > write.invoked.position
        };
        let later = self.history.entries.partition_point(|entry| entry.invoked.position <= write.returned());
        let others = (later as u32..).zip(&self.of[later..]).filter(|(_, other)| ![NOBODY, block].contains(other));
        let reads = others.filter(|(id, other)| self.block(**other).write != *id).map(|(_, other)| *other);
        // The newest, so that few others are newer than this.
        reads.filter(is_newer).max_by_key(|other| self.block(*other).first_return)
    }
}

/// Merges the zones up to `left` with the others, both of which are sorted; from the end, in place.
fn merge(zones: &mut [Zone], mut left: usize, backward: &[Zone]) {
    let mut new = backward.len();
    while new > 0 {
        let zone = if left > 0 && zones[left - 1].first > backward[new - 1].first {
            left -= 1;
            zones[left]
        } else {
            new -= 1;
            backward[new]
        };
        zones[left + new] = zone;
    }
}
