//! Orders of the values of a register, and what shows that there is none.

use std::mem;

use super::blocks::{Block, Blocks, NOBODY, Register};
use crate::{history::EntryId, value::Value};

/// The blocks that together are illegal.
pub(super) type Proof = [u32; 2];

/// A block that was seen, and by what it is sorted.
#[derive(Clone, Copy)]
pub(super) struct Zone {
    pub(super) first: u32,
    pub(super) last: u32,
    /// Which of the blocks of its register.
    pub(super) block: u32,
}

/// The zones of a register. Room to work in that serves one register after the other.
#[derive(Default)]
pub(super) struct Zones {
    /// In the end all, in an order that explains the register.
    pub(super) all: Vec<Zone>,
    backward: Vec<Zone>,
}

impl Zones {
    /// Puts the blocks of a register into an order that explains it, or finds those that show that there is none.
    pub(super) fn arrange(
        &mut self,
        blocks: &[Block],
        known: Register,
        index_of: impl Fn(u32) -> u32,
    ) -> Result<(), Proof> {
        self.read(blocks).map_err(|thin_air| [index_of(thin_air); 2])?;
        if known.future != NOBODY {
            return Err([known.future; 2]);
        }
        self.sort().map_err(|pair| pair.map(index_of))
    }

    /// The zones of these blocks, those that run forward apart. One of which the value came out of thin air is an error.
    fn read(&mut self, blocks: &[Block]) -> Result<(), u32> {
        self.all.clear();
        self.backward.clear();
        for (block, known) in (0..).zip(blocks).filter(|(_, known)| known.is_seen()) {
            if known.write == NOBODY && !known.is_initial() {
                return Err(block);
            }
            let zone = Zone { first: known.first_return, last: known.last_call, block };
            if zone.first < zone.last { &mut self.all } else { &mut self.backward }.push(zone);
        }
        Ok(())
    }

    fn sort(&mut self) -> Result<(), Proof> {
        let (forward, backward) = (&mut self.all, &mut self.backward);
        forward.sort_unstable_by_key(|zone| zone.first);
        if let Some(pair) = forward.windows(2).find(|pair| pair[1].first < pair[0].last) {
            return Err([pair[0].block, pair[1].block]);
        }
        backward.sort_unstable_by_key(|zone| zone.last);
        let (mut before, mut impossible) = (0, None::<Proof>);
        for zone in backward.iter_mut() {
            before += forward[before..].iter().take_while(|outer| outer.first < zone.last).count();
            // It is placed at the first point of it that no forward zone covers.
            let first = mem::replace(&mut zone.first, zone.last);
            if let Some(outer) = forward[..before].last().filter(|outer| zone.last < outer.last) {
                if first < outer.last && impossible.is_none_or(|[_, earlier]| zone.block < earlier) {
                    impossible = Some([outer.block, zone.block]);
                }
                zone.first = outer.last;
            }
        }
        if let Some(pair) = impossible {
            return Err(pair);
        }
        let ahead = forward.len();
        forward.extend_from_slice(backward);
        merge(forward, ahead, backward);
        Ok(())
    }
}

impl<'h> Blocks<'h> {
    /// All operations of the only register, those of a block one after the other.
    pub(super) fn one_after_the_other(mut self, zones: Zones) -> Vec<EntryId> {
        let mut placed = 0;
        for zone in zones.all {
            placed += mem::replace(&mut self.all[zone.block as usize].place, placed);
        }
        let mut order = vec![0; placed as usize];
        let mut put = |block: &mut Block, entry: u32| {
            order[block.place as usize] = entry as EntryId;
            block.place += 1;
        };
        for block in self.all.iter_mut().filter(|block| block.write != NOBODY && block.is_seen()) {
            put(block, block.write);
        }
        for (entry, &block) in (0..).zip(&self.of) {
            if block == NOBODY {
                continue;
            }
            let block = &mut self.all[block as usize];
            if block.write != entry && block.is_seen() {
                put(block, entry);
            }
        }
        order
    }

    /// A register with what is left of it to look at.
    pub(super) fn left(&self, register: usize, proof: Option<Proof>) -> (&'h Value, Vec<EntryId>) {
        (self.keys[register], self.evidence(register as u32, proof))
    }

    /// All operations of the register if there is no proof; else of the blocks of the proof, and of those by which one can tell
    /// whether their writes were ever seen.
    fn evidence(&self, register: u32, proof: Option<Proof>) -> Vec<EntryId> {
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

/// Merges the zones up to `left` with the others, both of which are sorted by their first points; from the end, in place.
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
