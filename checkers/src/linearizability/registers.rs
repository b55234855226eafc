//! Registers that are only read and written, each value once: decided in one pass over the history.
//!
//! What [`zones`](super::zones) looks at needs of each value only its earliest return and its latest call, so of an operation
//! nothing is kept but its value. Where a register is illegal, the operations of the values that prove it are handed on, and
//! the slower path says why.

use std::mem;

use super::timeline::{Happens, Timeline};
use crate::{
    history::{EntryId, History, Order},
    model::{Effect, Model},
    partition::FixedMap,
    value::Value,
};

/// What was found out about a history of registers.
pub(super) enum Registers<'h> {
    /// One order of all operations explains it.
    Legal(Vec<EntryId>),
    /// It is illegal, as some of these show; the other registers are legal. By key: all operations on a register with a value
    /// that is written twice, or all with some values, which are illegal by themselves.
    Left(Vec<(&'h Value, Vec<EntryId>)>),
}

/// Decides every object of the history. `None` where one is something else, where an operation is none that the model admits,
/// or where nothing is illegal but not all is known. O(n log n), and where it is something else most often at once.
pub(super) fn check<'h, M: Model>(model: &'h M, history: &'h History) -> Option<Registers<'h>> {
    if history.order == Order::Processes || model.discipline().is_some() {
        return None;
    }
    let mut pass = Pass::new(history, model.initial_value());
    pass.read(model)?;
    (pass.small, pass.others) = (Vec::new(), FixedMap::default());
    let (blocks, ends) = pass.by_register();
    let (mut found, mut any_illegal) = (Vec::new(), false);
    let mut starts = Vec::with_capacity(ends.len());
    let mut placed = 0;
    let mut start = 0;
    for (register, end) in (0..).zip(ends) {
        let blocks = &blocks[mem::replace(&mut start, end as usize)..end as usize];
        let Register { is_unique, future, .. } = pass.registers[register as usize];
        match if is_unique { pass.arrange(blocks, future).map_err(Some) } else { Err(None) } {
            Ok(zones) => {
                starts.push(placed as usize);
                for zone in &zones {
                    let place = &mut pass.blocks[zone.block as usize].place;
                    placed += mem::replace(place, placed);
                }
            }
            Err(proof) => {
                any_illegal |= proof.is_some();
                found.push((register, proof));
            }
        }
    }
    if any_illegal {
        let left = |(register, proof): (u32, Option<Proof>)| {
            (pass.keys.all[register as usize], pass.evidence(register, proof))
        };
        return Some(Registers::Left(found.into_iter().map(left).collect()));
    }
    if !found.is_empty() {
        return None;
    }
    drop(blocks);
    let placed = placed as usize;
    if starts.len() == 1 {
        let mut order = vec![0; placed];
        pass.place(|place, happens| order[place] = happens.entry as EntryId);
        return Some(Registers::Legal(order));
    }
    let mut timeline = Timeline { operations: vec![Happens { at: 0, entry: 0 }; placed], starts };
    pass.place(|place, happens| timeline.operations[place] = happens);
    drop(pass);
    Some(Registers::Legal(timeline.merged()))
}

/// No operation or block.
const NOBODY: u32 = u32::MAX;

/// A value of one register: its write and its reads. Positions are counted from 1, so that 0 is before all events.
#[derive(Clone, Copy)]
struct Block {
    register: u32,
    write: u32,
    first_return: u32,
    last_call: u32,
    /// How many operations; in the end, where the next one is placed.
    place: u32,
}

/// A block, and by what it is sorted.
#[derive(Clone, Copy)]
struct Zone {
    first: u32,
    last: u32,
    block: u32,
}

/// What the values of a register are like.
#[derive(Clone, Copy)]
struct Register {
    is_unique: bool,
    /// The block of the initial value.
    initial: u32,
    /// The first block of which a read returned before the write was called.
    future: u32,
}

/// The blocks that together are illegal.
type Proof = [u32; 2];

struct Pass<'h> {
    history: &'h History,
    initial: Value,
    keys: Keys<'h>,
    registers: Vec<Register>,
    blocks: Vec<Block>,
    /// By entry: its block, and when it was called.
    of: Vec<(u32, u32)>,
    /// By value: its block. Small integers, which most values are, are looked up without hashing.
    small: Vec<u32>,
    others: FixedMap<(u32, &'h Value), u32>,
}

/// Keys as numbers, by their first operation.
#[derive(Default)]
struct Keys<'h> {
    all: Vec<&'h Value>,
    small: Vec<u32>,
    others: FixedMap<&'h Value, u32>,
}

/// Integers from 0 to a few times this are looked up without hashing.
fn small(value: &Value, operations: usize) -> Option<usize> {
    value.as_int().and_then(|i| usize::try_from(i).ok()).filter(|i| *i < 4 * operations)
}

impl<'h> Keys<'h> {
    fn of(&mut self, key: &'h Value, operations: usize) -> u32 {
        // Many histories are about one key.
        if let [only] = self.all[..]
            && only == key
        {
            return 0;
        }
        let place = match small(key, operations) {
            Some(i) => {
                if self.small.len() <= i {
                    self.small.resize(i + 1, NOBODY);
                }
                &mut self.small[i]
            }
            None => self.others.entry(key).or_insert(NOBODY),
        };
        if *place == NOBODY {
            *place = self.all.len() as u32;
            self.all.push(key);
        }
        *place
    }
}

impl<'h> Pass<'h> {
    fn new(history: &'h History, initial: Value) -> Self {
        Pass {
            history,
            initial,
            keys: Keys::default(),
            registers: Vec::new(),
            blocks: Vec::with_capacity(history.entries.len()),
            of: Vec::with_capacity(history.entries.len()),
            small: Vec::new(),
            others: FixedMap::default(),
        }
    }

    /// Gathers the blocks. `None` where this is not about registers, and where no operation took effect.
    fn read<M: Model>(&mut self, model: &'h M) -> Option<()> {
        let history = self.history;
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
            let register = self.keys.of(&operation.key, history.entries.len());
            if register as usize == self.registers.len() {
                self.registers.push(Register { is_unique: true, initial: NOBODY, future: NOBODY });
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
                    let block = &mut self.blocks[index as usize];
                    let register = &mut self.registers[register as usize];
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
        self.of.push((NOBODY, 0));
    }

    /// The next entry is one of this block.
    fn add(&mut self, index: u32, call: u32, returned: u32) {
        let block = &mut self.blocks[index as usize];
        block.first_return = block.first_return.min(returned.saturating_add(1));
        block.last_call = block.last_call.max(call);
        block.place += 1;
        self.of.push((index, call));
    }

    fn block_of(&mut self, register: u32, value: &'h Value) -> u32 {
        let next = self.blocks.len() as u32;
        let mut block = Block { register, write: NOBODY, first_return: NOBODY, last_call: 0, place: 0 };
        let place = if *value == self.initial {
            block.first_return = 0;
            &mut self.registers[register as usize].initial
        } else if let Some(i) = small(value, self.history.entries.len()) {
            if self.small.len() <= i {
                self.small.resize(i + 1, NOBODY);
            }
            let place = &mut self.small[i];
            // The same number may be a value of several registers.
            if *place == NOBODY || self.blocks[*place as usize].register == register {
                place
            } else {
                self.others.entry((register, value)).or_insert(NOBODY)
            }
        } else {
            self.others.entry((register, value)).or_insert(NOBODY)
        };
        if *place == NOBODY {
            *place = next;
            self.blocks.push(block);
        }
        *place
    }

    fn block(&self, index: u32) -> &Block {
        &self.blocks[index as usize]
    }

    /// All blocks, those of a register together and by their first operation; and where each register ends.
    fn by_register(&self) -> (Vec<u32>, Vec<u32>) {
        let all = self.blocks.len() as u32;
        if self.registers.len() == 1 {
            return ((0..all).collect(), vec![all]);
        }
        let mut places = vec![0_u32; self.registers.len() + 1];
        self.blocks.iter().for_each(|block| places[block.register as usize + 1] += 1);
        for register in 0..self.registers.len() {
            places[register + 1] += places[register];
        }
        let mut order = vec![0; self.blocks.len()];
        for (index, block) in (0..all).zip(&self.blocks) {
            let place = &mut places[block.register as usize];
            order[*place as usize] = index;
            *place += 1;
        }
        places.pop();
        (order, places)
    }

    /// The blocks of a register in an order that explains it, those that nobody can have seen left out; or the blocks that show
    /// that there is none. `future` is one that a read saw too early.
    fn arrange(&self, blocks: &[u32], future: u32) -> Result<Vec<Zone>, Proof> {
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
    fn place(&mut self, mut put: impl FnMut(usize, Happens)) {
        for block in self.blocks.iter_mut().filter(|block| block.write != NOBODY && block.first_return != NOBODY) {
            let (_, call) = self.of[block.write as usize];
            put(block.place as usize, Happens { at: call - 1, entry: block.write });
            block.place += 1;
        }
        for (entry, &(block, call)) in (0..).zip(&self.of) {
            if block == NOBODY {
                continue;
            }
            let block = &mut self.blocks[block as usize];
            if block.write != entry && block.first_return != NOBODY {
                put(block.place as usize, Happens { at: call - 1, entry });
                block.place += 1;
            }
        }
    }

    /// All operations of the register if there is no proof; else of the blocks of the proof, and of those by which one can tell
    /// whether their writes were ever seen.
    fn evidence(&self, register: u32, proof: Option<Proof>) -> Vec<EntryId> {
        let of = |keep: &dyn Fn(u32) -> bool| {
            let ids = (0..).zip(&self.of).filter(|(_, (block, _))| *block != NOBODY && keep(*block));
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
        let is_newer = |&&(other, call): &&(u32, u32)| {
            other != NOBODY && other != block && call - 1 > write.returned() && {
                let other = self.block(other);
                other.register == register && other.first_return > write.invoked.position
            }
        };
        let reads = (0..).zip(&self.of).filter(|(id, (other, _))| *other != NOBODY && self.block(*other).write != *id);
        // The newest, so that few others are newer than this.
        let newest = reads.map(|(_, of)| of).filter(is_newer).max_by_key(|(other, _)| self.block(*other).first_return);
        newest.map(|(other, _)| *other)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        budget::{Budget, Meter},
        certificate::Certificate,
        history::{Outcome, ProcessId},
        linearizability::{self, Decision},
        models,
        operation::Operation,
        recorder::HistoryBuilder,
        verdict::Verdict,
        verify::{self, Verification},
    };

    /// A linear congruential generator.
    struct Random(u64);

    impl Random {
        fn below(&mut self, n: usize) -> usize {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) as usize % n
        }
    }

    /// Operations on these registers. Each counts its values for itself, so that they are the same in all; one of `again` writes
    /// is of a value that may have been written before.
    fn random(seed: u64, keys: &[Value], again: usize) -> History {
        let mut random = Random(seed);
        let mut recorder = HistoryBuilder::new();
        let mut open = Vec::new();
        let mut written = vec![0; keys.len()];
        let operations = 2 + random.below(7);
        while recorder.len() < operations || !open.is_empty() {
            if recorder.len() < operations && random.below(2) == 0 {
                let key = random.below(keys.len());
                let write = random.below(2) == 0;
                let operation = if write {
                    written[key] += 1;
                    let is_again = again > 0 && random.below(again) == 0;
                    let value = if is_again { 1 + random.below(written[key]) } else { written[key] };
                    Operation::write(keys[key].clone(), value as i64)
                } else {
                    Operation::read(keys[key].clone())
                };
                open.push((recorder.invoke(ProcessId(recorder.len() as u32), operation, 0), key, write));
            } else if !open.is_empty() {
                let (entry, key, write) = open.swap_remove(random.below(open.len()));
                let value = random.below(written[key] + 1) as i64;
                let reply = if write || value == 0 { Value::Nil } else { Value::Int(value) };
                let is_known = random.below(5) > 0;
                recorder.complete(
                    entry,
                    if is_known { Outcome::Ok(reply) } else { Outcome::Unknown(String::new()) },
                    0,
                );
            }
        }
        recorder.finish()
    }

    /// What the slower path says of one key.
    fn slowly(history: &History, key: &Value) -> Verdict {
        let of_key: Vec<EntryId> =
            (0..history.entries.len()).filter(|&id| history.entries[id].operation.key == *key).collect();
        let meter = &mut Meter::new(Budget::default());
        match linearizability::decide(&models::Register, history, key, &of_key, meter) {
            Decision::Legal(order) => Verdict::Valid { linearization: Some(order) },
            Decision::Illegal(anomaly) => Verdict::of(vec![anomaly]),
            Decision::GaveUp { .. } => panic!("{history:?}"),
        }
    }

    #[test]
    fn one_pass_finds_what_the_slower_path_finds() {
        let mut counts = [0; 2];
        for seed in 0..20_000 {
            let history = random(seed, &["x".into()], 0);
            if !history.entries.iter().any(crate::history::Entry::is_ok) {
                continue;
            }
            let slow = slowly(&history, &"x".into());
            let passes = matches!(check(&models::Register, &history), Some(Registers::Legal(_)));
            assert_eq!(passes, slow.is_valid(), "seed {seed}");
            assert_eq!(linearizability::check(&models::Register, &history, &Budget::default()), slow, "seed {seed}");
            counts[usize::from(passes)] += 1;
        }
        assert!(counts.iter().all(|count| *count > 4_000), "{counts:?}");
    }

    #[test]
    fn registers_with_the_same_values_are_told_apart() {
        // Legal in one pass, legal on another way, illegal.
        let mut counts = [0; 3];
        for seed in 0..20_000 {
            let names: [Value; 3] =
                if seed % 2 == 0 { [0, 1, 1 << 40].map(Value::Int) } else { ["x", "", "z"].map(Value::from) };
            let keys = &names[..2 + seed as usize / 2 % 2];
            let history = random(seed, keys, [0, 8][seed as usize / 4 % 2]);
            if !history.entries.iter().any(crate::history::Entry::is_ok) {
                continue;
            }
            let mut expected: Vec<_> = keys.iter().flat_map(|key| slowly(&history, key).anomalies().to_vec()).collect();
            let verdict = linearizability::check(&models::Register, &history, &Budget::default());
            let mut found = verdict.anomalies().to_vec();
            expected.sort_by(|a, b| a.operations.cmp(&b.operations));
            found.sort_by(|a, b| a.operations.cmp(&b.operations));
            assert_eq!(found, expected, "seed {seed}");
            let passes = matches!(check(&models::Register, &history), Some(Registers::Legal(_)));
            assert!(!passes || expected.is_empty(), "seed {seed}");
            if verdict.is_valid() {
                let certificate = Certificate::new("linearizable", Some("register"), history.entries.len(), verdict);
                let verification = verify::verify(&history, &certificate, &Budget::default());
                assert_eq!(verification, Verification::Verified, "seed {seed}");
            }
            counts[if passes { 0 } else { 1 + usize::from(!expected.is_empty()) }] += 1;
        }
        assert!(counts.iter().all(|count| *count > 300), "{counts:?}");
    }
}
