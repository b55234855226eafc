//! The values of registers, each with its write and its reads, as one pass over a history finds them.

use std::mem;

use crate::{
    history::History,
    model::{Effect, Model},
    numbered::{Keys, NONE, Values},
    value::Value,
};

/// No operation or block.
pub(super) const NOBODY: u32 = NONE;

/// A value of one register: its write and its reads. Positions are counted from 1, so that 0 is before all events.
#[derive(Clone, Copy)]
pub(super) struct Block {
    pub(super) register: u32,
    pub(super) write: u32,
    pub(super) first_return: u32,
    pub(super) last_call: u32,
    /// How many operations; in the end, where the next one is placed.
    pub(super) place: u32,
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

/// All values of all registers.
pub(super) struct Blocks<'h> {
    pub(super) history: &'h History,
    /// By register.
    pub(super) keys: Vec<&'h Value>,
    pub(super) registers: Vec<Register>,
    pub(super) all: Vec<Block>,
    /// By entry: its block.
    pub(super) of: Vec<u32>,
}

impl<'h> Blocks<'h> {
    /// Reads the history. `None` where it is not about registers, and where no operation took effect.
    pub(super) fn read<M: Model>(model: &'h M, history: &'h History) -> Option<Self> {
        let entries = history.entries.len();
        let found = Blocks {
            history,
            keys: Vec::new(),
            registers: Vec::new(),
            all: Vec::with_capacity(entries),
            of: Vec::with_capacity(entries),
        };
        let small_max = SMALL_EACH * entries;
        let (keys, values) = (Keys::new(small_max), Values::new(small_max));
        let mut pass = Pass { initial: model.initial_value(), keys, values, found };
        pass.gather(model)?;
        Some(Blocks { keys: pass.keys.all, ..pass.found })
    }

    pub(super) fn block(&self, index: u32) -> &Block {
        &self.all[index as usize]
    }

    /// All blocks, those of a register together and by their first operation; and where each register ends.
    pub(super) fn by_register(&self) -> (Vec<u32>, Vec<u32>) {
        let all = self.all.len() as u32;
        if self.registers.len() == 1 {
            return ((0..all).collect(), vec![all]);
        }
        let mut places = vec![0_u32; self.registers.len() + 1];
        self.all.iter().for_each(|block| places[block.register as usize + 1] += 1);
        for register in 0..self.registers.len() {
            places[register + 1] += places[register];
        }
        let mut order = vec![0; self.all.len()];
        for (index, block) in (0..all).zip(&self.all) {
            let place = &mut places[block.register as usize];
            order[*place as usize] = index;
            *place += 1;
        }
        places.pop();
        (order, places)
    }
}

/// Integers up to so many times the number of operations are not hashed.
const SMALL_EACH: usize = 4;

/// The blocks so far, and how the next ones find theirs.
struct Pass<'h> {
    initial: Value,
    keys: Keys<'h>,
    values: Values<'h>,
    found: Blocks<'h>,
}

impl<'h> Pass<'h> {
    fn gather<M: Model>(&mut self, model: &'h M) -> Option<()> {
        let history = self.found.history;
        let mut any_ok = false;
        for (id, entry) in (0..).zip(&history.entries) {
            let operation = &entry.operation;
            if !model.is_keyed(operation) {
                return None;
            }
            let reply = entry.reply();
            if reply.is_none() && !entry.is_unknown() {
                self.skip();
                continue;
            }
            if model.admits(operation, reply).is_err() || model.part(operation).is_some() {
                return None;
            }
            any_ok |= reply.is_some();
            let register = self.keys.of(&operation.key);
            if register as usize == self.found.registers.len() {
                self.found.registers.push(Register { is_unique: true, initial: NOBODY, future: NOBODY });
            }
            let call = entry.invoked.position.saturating_add(1);
            match model.effect(operation, reply) {
                Effect::Reads(_) | Effect::Observes if reply.is_none() => self.skip(),
                Effect::Reads(value) => {
                    let block = self.block_of(register, value);
                    self.add(block, call, entry.returned());
                }
                Effect::Writes(value) => {
                    let index = self.block_of(register, value);
                    let block = &mut self.found.all[index as usize];
                    let register = &mut self.found.registers[register as usize];
                    if mem::replace(&mut block.write, id) != NOBODY || index == register.initial {
                        if self.keys.all.len() == 1 {
                            return None;
                        }
                        register.is_unique = false;
                    }
                    if block.first_return < call {
                        register.future = register.future.min(index);
                    }
                    self.add(index, call, entry.returned());
                }
                _ => return None,
            }
        }
        any_ok.then_some(())
    }

    /// The entry says nothing.
    fn skip(&mut self) {
        self.found.of.push(NOBODY);
    }

    /// The next entry is one of this block.
    fn add(&mut self, index: u32, call: u32, returned: u32) {
        let block = &mut self.found.all[index as usize];
        block.first_return = block.first_return.min(returned.saturating_add(1));
        block.last_call = call;
        block.place += 1;
        self.found.of.push(index);
    }

    fn block_of(&mut self, register: u32, value: &'h Value) -> u32 {
        let next = self.found.all.len() as u32;
        let mut block = Block { register, write: NOBODY, first_return: NOBODY, last_call: 0, place: 0 };
        let place = if *value == self.initial {
            block.first_return = 0;
            &mut self.found.registers[register as usize].initial
        } else {
            let blocks = &self.found.all;
            self.values.place(register, value, |block| blocks[block as usize].register)
        };
        if *place == NOBODY {
            *place = next;
            self.found.all.push(block);
        }
        *place
    }
}
