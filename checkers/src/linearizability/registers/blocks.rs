//! The values of registers, each with its write and its reads.

use std::ops::Range;

use crate::{history::History, numbered::NONE, value::Value};

/// No operation or block.
pub(super) const NOBODY: u32 = NONE;

/// A value of one register: its write and its reads. Positions are counted from 1, so that 0 is before all events.
#[derive(Clone, Copy)]
pub(super) struct Block {
    pub(super) register: u32,
    pub(super) write: u32,
    pub(super) first_return: u32,
    pub(super) last_call: u32,
    /// The operation that was called last.
    pub(super) last: u32,
    /// How many operations; in the end, where the next one is placed.
    pub(super) place: u32,
}

impl Block {
    /// A block that has no operation yet.
    pub(super) fn new(register: u32) -> Self {
        Block { register, write: NOBODY, first_return: NOBODY, last_call: 0, last: 0, place: 0 }
    }

    /// Whether it is certain that it was there: it was read, or its write returned.
    pub(super) fn is_seen(&self) -> bool {
        self.first_return != NOBODY
    }

    /// Whether it is that of the initial value, which was there before all events.
    pub(super) fn is_initial(&self) -> bool {
        self.first_return == 0
    }
}

/// What the values of a register are like.
#[derive(Clone, Copy)]
pub(super) struct Register {
    pub(super) is_unique: bool,
    /// The block of the initial value.
    pub(super) initial: u32,
    /// The first block of which a read returned before the write was called.
    pub(super) future: u32,
    /// How many blocks.
    pub(super) blocks: u32,
}

impl Register {
    /// A register that has no block yet.
    pub(super) const NEW: Register = Register { is_unique: true, initial: NOBODY, future: NOBODY, blocks: 0 };
}

/// All values of all registers.
pub(super) struct Blocks<'h> {
    pub(super) history: &'h History,
    /// By register.
    pub(super) keys: Vec<&'h Value>,
    pub(super) registers: Vec<Register>,
    /// In the order of their first operations.
    pub(super) all: Vec<Block>,
    /// Those that follow, as they were found in parts. Some are empty, as their operations belong to an earlier block. None where
    /// there is one register.
    pub(super) later: Vec<Vec<Block>>,
    /// By entry: its block.
    pub(super) of: Vec<u32>,
}

impl Blocks<'_> {
    fn parts(&self) -> impl Iterator<Item = &[Block]> {
        [&self.all].into_iter().chain(&self.later).map(Vec::as_slice)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.parts().map(<[Block]>::len).sum()
    }

    pub(super) fn block(&self, index: u32) -> &Block {
        let mut index = index as usize;
        for part in self.parts() {
            match part.get(index) {
                Some(block) => return block,
                None => index -= part.len(),
            }
        }
        unreachable!("there is no such block")
    }

    pub(super) fn block_mut(&mut self, index: u32) -> &mut Block {
        let mut index = index as usize;
        for part in [&mut self.all].into_iter().chain(&mut self.later) {
            if index < part.len() {
                return &mut part[index];
            }
            index -= part.len();
        }
        unreachable!("there is no such block")
    }

    /// When an operation was called.
    pub(super) fn call(&self, id: u32) -> u32 {
        self.history.entries[id as usize].invoked.position.saturating_add(1)
    }

    /// The registers in so many ranges that about as many blocks are in each.
    pub(super) fn ranges(&self, parts: usize) -> Vec<Range<usize>> {
        let each = self.len().div_ceil(parts).max(1);
        let (mut ranges, mut start, mut blocks) = (Vec::new(), 0, 0);
        for (register, known) in self.registers.iter().enumerate() {
            blocks += known.blocks as usize;
            if blocks >= each || register + 1 == self.registers.len() {
                ranges.push(start..register + 1);
                (start, blocks) = (register + 1, 0);
            }
        }
        ranges
    }

    /// The blocks of these registers, those of each together and in their order, which say what each is among all in place of its
    /// register; and where those of each end.
    pub(super) fn grouped(&self, registers: Range<usize>) -> (Vec<Block>, Vec<u32>) {
        let mut places = Vec::with_capacity(registers.len());
        let mut next = 0;
        for known in &self.registers[registers.clone()] {
            places.push(next);
            next += known.blocks;
        }
        let mut grouped = vec![Block::new(0); next as usize];
        let mut start = 0;
        for part in self.parts() {
            for (index, block) in (start..).zip(part) {
                // Of an earlier register this is far too large.
                if let Some(place) = places.get_mut((block.register as usize).wrapping_sub(registers.start)) {
                    grouped[*place as usize] = Block { register: index, ..*block };
                    *place += 1;
                }
            }
            start += part.len() as u32;
        }
        (grouped, places)
    }
}
