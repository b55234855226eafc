//! Orders of the values of a register, and what shows that there is none.

use super::blocks::{Block, Blocks, NOBODY};
use crate::history::EntryId;

/// A block, and by what it is sorted.
#[derive(Clone, Copy)]
pub(super) struct Zone {
    first: u32,
    last: u32,
    pub(super) block: u32,
}

/// The blocks that together are illegal.
pub(super) type Proof = [u32; 2];

impl Blocks<'_> {
    /// The blocks of a register in an order that explains it, those that nobody can have seen left out; or the blocks that show
    /// that there is none. `future` is one that a read saw too early.
    pub(super) fn arrange(&self, blocks: &[u32], future: u32) -> Result<Vec<Zone>, Proof> {
        let mut forward = Vec::with_capacity(blocks.len());
        let mut backward = Vec::new();
        let mut thin_air: Option<u32> = None;
        for &index in blocks {
            let block = self.block(index);
            let is_initial = block.first_return == 0;
            if block.write == NOBODY && !is_initial {
                thin_air.get_or_insert(index);
            }
            // A write of unknown outcome that nobody read.
            if block.first_return == NOBODY {
                continue;
            }
            let zone = Zone { first: block.first_return, last: block.last_call, block: index };
            if zone.first < zone.last { forward.push(zone) } else { backward.push(zone) }
        }
        if let Some(block) = thin_air.or((future != NOBODY).then_some(future)) {
            return Err([block, block]);
        }
        forward.sort_unstable_by_key(|zone| zone.first);
        if let Some(pair) = forward.windows(2).find(|pair| pair[1].first < pair[0].last) {
            return Err([pair[0].block, pair[1].block]);
        }
        for zone in &mut backward {
            let before = forward.partition_point(|outer| outer.first < zone.last);
            // It is placed at the first point of it that no forward zone covers.
            zone.first = zone.last;
            if let Some(outer) = forward[..before].last().filter(|outer| zone.last < outer.last) {
                if self.block(zone.block).first_return < outer.last {
                    return Err([outer.block, zone.block]);
                }
                zone.first = outer.last;
            }
        }
        backward.sort_unstable_by_key(|zone| (zone.first, zone.last));
        Ok(merged(forward, &backward))
    }

    /// Puts all operations in the places that the blocks say.
    pub(super) fn place(&mut self, mut put: impl FnMut(usize, u32)) {
        for block in self.all.iter_mut().filter(|block| block.write != NOBODY && block.first_return != NOBODY) {
            put(block.place as usize, block.write);
            block.place += 1;
        }
        for (entry, &block) in (0..).zip(&self.of) {
            if block == NOBODY {
                continue;
            }
            let block = &mut self.all[block as usize];
            if block.write != entry && block.first_return != NOBODY {
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

/// Both, each of which is sorted; merged from the end, in place.
fn merged(mut forward: Vec<Zone>, backward: &[Zone]) -> Vec<Zone> {
    let (mut left, mut new) = (forward.len(), backward.len());
    forward.extend_from_slice(backward);
    while new > 0 {
        let zone = if left > 0 && forward[left - 1].first > backward[new - 1].first {
            left -= 1;
            forward[left]
        } else {
            new -= 1;
            backward[new]
        };
        forward[left + new] = zone;
    }
    forward
}
