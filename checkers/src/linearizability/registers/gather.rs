//! One pass over a history that finds the values of its registers. Parts of a long history are gone through at once, and joined
//! so that what is found is the same.

use std::{mem, ops::Range};

use super::{
    super::together,
    blocks::{Block, Blocks, NOBODY, Register},
};
use crate::{
    history::History,
    model::{Effect, Model},
    numbered::{Keys, Values},
    value::Value,
};

/// A history is read in at most so many parts. What is decided by the first of them is decided by as much of a whole.
pub(super) const PARTS_MAX: usize = 8;

/// Integers up to so many times the number of operations are not hashed.
const SMALL_EACH: usize = 4;

impl<'h> Blocks<'h> {
    /// Reads the history in so many parts at once. `None` where it is not about registers, where no operation took effect, and
    /// where a value is soon written again before a second register appears.
    pub(super) fn read<M: Model>(model: &'h M, history: &'h History, parts: usize) -> Option<Self> {
        let entries = history.entries.len();
        let ends = (0..=parts).map(|part| entries * part / parts).collect::<Vec<_>>();
        let mut of = vec![0; entries];
        let mut rest = of.as_mut_slice();
        let mut jobs = Vec::new();
        for range in ends.windows(2).map(|ends| ends[0]..ends[1]) {
            let (part, others) = rest.split_at_mut(range.len());
            rest = others;
            jobs.push(move || {
                let mut pass = Pass::new(model, history, range.clone());
                pass.gather(model, range, part).map(|()| pass)
            });
        }
        let mut passes = together::all(jobs).into_iter();
        let mut whole = passes.next()??;
        for (pass, ends) in passes.zip(ends[1..].windows(2)) {
            whole.absorb(pass?, &mut of[ends[0]..ends[1]], ends[1] == entries);
        }
        let mut found = whole.found;
        if found.registers.len() == 1 {
            found.later.drain(..).for_each(|mut part| found.all.append(&mut part));
        }
        whole.any_ok.then_some(Blocks { keys: whole.keys.all, of, ..found })
    }
}

/// The blocks so far, and how the next ones find theirs.
struct Pass<'h> {
    initial: Value,
    keys: Keys<'h>,
    values: Values<'h>,
    found: Blocks<'h>,
    any_ok: bool,
}

impl<'h> Pass<'h> {
    /// A pass over this part. What is found of the later parts is added to that of the first.
    fn new<M: Model>(model: &M, history: &'h History, range: Range<usize>) -> Self {
        let most = if range.start == 0 { history.entries.len() } else { range.len() };
        let all = Vec::with_capacity(most);
        let small_max = SMALL_EACH * history.entries.len();
        Pass {
            initial: model.initial_value(),
            keys: Keys::new(small_max),
            values: Values::new(small_max),
            found: Blocks { history, keys: Vec::new(), registers: Vec::new(), all, later: Vec::new(), of: Vec::new() },
            any_ok: false,
        }
    }

    /// Reads this part, and says of which block each entry of it is.
    fn gather<M: Model>(&mut self, model: &'h M, range: Range<usize>, of: &mut [u32]) -> Option<()> {
        let history = self.found.history;
        let soon = (history.entries.len() / PARTS_MAX) as u32;
        for ((id, entry), of) in (range.start as u32..).zip(&history.entries[range]).zip(of) {
            *of = NOBODY;
            let operation = &entry.operation;
            if !model.is_keyed(operation) {
                return None;
            }
            let reply = entry.reply();
            if reply.is_none() && !entry.is_unknown() {
                continue;
            }
            if model.admits(operation, reply).is_err() || model.part(operation).is_some() {
                return None;
            }
            self.any_ok |= reply.is_some();
            let register = self.keys.of(&operation.key);
            if register as usize == self.found.registers.len() {
                self.found.registers.push(Register::NEW);
            }
            let call = entry.invoked.position.saturating_add(1);
            match model.effect(operation, reply) {
                Effect::Reads(_) | Effect::Observes if reply.is_none() => {}
                Effect::Reads(value) => {
                    *of = self.block_of(register, value);
                    self.add(*of, id, call, entry.returned());
                }
                Effect::Writes(value) => {
                    let index = self.block_of(register, value);
                    let block = &mut self.found.all[index as usize];
                    let register = &mut self.found.registers[register as usize];
                    if mem::replace(&mut block.write, id) != NOBODY || index == register.initial {
                        if self.keys.all.len() == 1 && id < soon {
                            return None;
                        }
                        register.is_unique = false;
                    }
                    if block.first_return < call {
                        register.future = register.future.min(index);
                    }
                    *of = index;
                    self.add(index, id, call, entry.returned());
                }
                _ => return None,
            }
        }
        Some(())
    }

    /// The next entry is one of this block.
    fn add(&mut self, index: u32, id: u32, call: u32, returned: u32) {
        let block = &mut self.found.all[index as usize];
        block.first_return = block.first_return.min(returned.saturating_add(1));
        block.last_call = call;
        block.last = id;
        block.place += 1;
    }

    fn block_of(&mut self, register: u32, value: &'h Value) -> u32 {
        let next = self.found.all.len() as u32;
        let mut block = Block::new(register);
        let place = if *value == self.initial {
            block.first_return = 0;
            &mut self.found.registers[register as usize].initial
        } else {
            let blocks = &self.found.all;
            self.values.place(register, value, |block| blocks[block as usize].register)
        };
        if *place == NOBODY {
            *place = next;
            self.found.push(block);
            return next;
        }
        *place
    }

    /// Adds what was found of the part that follows, of which `of` says the blocks. If it is the last one, its values need not be
    /// known.
    fn absorb(&mut self, next: Pass<'h>, of: &mut [u32], is_last: bool) {
        let mut theirs = next.found.all;
        let registers: Vec<u32> = next.keys.all.iter().map(|key| self.keys.of(key)).collect();
        self.found.registers.resize(self.keys.all.len(), Register::NEW);
        self.any_ok |= next.any_ok;
        for block in &mut theirs {
            block.register = registers[block.register as usize];
        }

        // Where each of their blocks is.
        let before = self.found.len() as u32;
        let mut places: Vec<u32> = (before..).take(theirs.len()).collect();
        let register_of = |block: u32| theirs[block as usize].register;
        let own_register_of = |block: u32| self.found.block(block).register;
        let mut known = Vec::new();
        self.values.common(own_register_of, &next.values, register_of, |own, block| known.push((block, own)));
        if !is_last {
            next.values.each(register_of, |register, value, block| {
                let register_of = |own: u32| own.checked_sub(before).map_or_else(|| own_register_of(own), register_of);
                let place = self.values.place_of(register, value, register_of);
                if *place == NOBODY {
                    *place = before + block;
                }
            });
        }
        let mut any_future = false;
        for (&register, new) in registers.iter().zip(&next.found.registers) {
            let old = &mut self.found.registers[register as usize];
            old.is_unique &= new.is_unique;
            old.blocks += new.blocks;
            any_future |= new.future != NOBODY;
            if new.initial != NOBODY {
                if old.initial == NOBODY {
                    old.initial = before + new.initial;
                } else {
                    known.push((new.initial, old.initial));
                }
            }
        }
        for (block, own) in known {
            let later = &mut theirs[block as usize];
            let emptied = Block::new(later.register);
            any_future |= self.join(own, mem::replace(later, emptied));
            places[block as usize] = own;
        }
        for of in of.iter_mut().filter(|of| **of != NOBODY) {
            *of = places[*of as usize];
        }
        self.found.later.push(theirs);
        if any_future {
            self.found.find_future();
        }
    }

    /// Adds the later operations of a block. Whether a read returned before the write was called.
    fn join(&mut self, index: u32, later: Block) -> bool {
        let called = if later.write == NOBODY { 0 } else { self.found.call(later.write) };
        let block = self.found.block_mut(index);
        let is_future = block.first_return < called;
        block.first_return = block.first_return.min(later.first_return);
        (block.last_call, block.last) = (later.last_call, later.last);
        block.place += later.place;
        if later.write != NOBODY && mem::replace(&mut block.write, later.write) != NOBODY {
            self.found.registers[later.register as usize].is_unique = false;
        }
        is_future
    }
}

impl Blocks<'_> {
    /// Adds a block.
    fn push(&mut self, block: Block) {
        self.registers[block.register as usize].blocks += 1;
        self.all.push(block);
    }

    /// Looks anew for blocks of which a read returned before the write was called.
    fn find_future(&mut self) {
        self.registers.iter_mut().for_each(|register| register.future = NOBODY);
        for index in (0..self.len() as u32).rev() {
            let Block { register, write, first_return, .. } = *self.block(index);
            if write != NOBODY && first_return < self.call(write) {
                self.registers[register as usize].future = index;
            }
        }
    }
}
