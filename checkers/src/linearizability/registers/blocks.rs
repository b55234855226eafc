//! The values of registers, each with its write and its reads.

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
}

/// What the values of a register are like.
#[derive(Clone, Copy)]
pub(super) struct Register {
    pub(super) is_unique: bool,
    /// The block of the initial value.
    pub(super) initial: u32,
    /// The first block of which a read returned before the write was called.
    pub(super) future: u32,
}

impl Register {
    /// A register that has no block yet.
    pub(super) const NEW: Register = Register { is_unique: true, initial: NOBODY, future: NOBODY };
}

/// A block that was seen, and by what it is sorted.
#[derive(Clone, Copy)]
pub(super) struct Zone {
    pub(super) first: u32,
    pub(super) last: u32,
    pub(super) block: u32,
}

/// All values of all registers.
pub(super) struct Blocks<'h> {
    pub(super) history: &'h History,
    /// By register.
    pub(super) keys: Vec<&'h Value>,
    pub(super) registers: Vec<Register>,
    /// In the order of their first operations.
    pub(super) all: Vec<Block>,
    /// By entry: its block.
    pub(super) of: Vec<u32>,
}

impl Blocks<'_> {
    pub(super) fn block(&self, index: u32) -> &Block {
        &self.all[index as usize]
    }

    /// When an operation was called.
    pub(super) fn call(&self, id: u32) -> u32 {
        self.history.entries[id as usize].invoked.position.saturating_add(1)
    }

    /// The zones of all blocks that were seen, those of a register together; and where each register ends.
    pub(super) fn zones(&self) -> (Vec<Zone>, Vec<u32>) {
        let zone = |(block, b): (u32, &Block)| Zone { first: b.first_return, last: b.last_call, block };
        let seen = || (0..).zip(&self.all).filter(|(_, block)| block.is_seen());
        if self.registers.len() == 1 {
            let zones: Vec<Zone> = seen().map(zone).collect();
            let end = zones.len() as u32;
            return (zones, vec![end]);
        }
        let mut places = vec![0_u32; self.registers.len() + 1];
        seen().for_each(|(_, block)| places[block.register as usize + 1] += 1);
        for register in 0..self.registers.len() {
            places[register + 1] += places[register];
        }
        let mut zones = vec![Zone { first: 0, last: 0, block: 0 }; places[self.registers.len()] as usize];
        for (index, block) in seen() {
            let place = &mut places[block.register as usize];
            zones[*place as usize] = zone((index, block));
            *place += 1;
        }
        places.pop();
        (zones, places)
    }
}
