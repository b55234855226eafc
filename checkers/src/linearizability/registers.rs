//! Registers that are only read and written, each value once: decided in one pass over the history.
//!
//! What [`zones`](super::zones) looks at needs of each value only its earliest return and its latest call, so of an operation
//! nothing is kept but its value. Where a register is illegal, the operations of the values that prove it are handed on, and
//! the slower path says why.

mod arrange;
mod blocks;
mod gather;
mod instants;

use std::{mem, ops::Range};

use self::{
    arrange::{Proof, Zones},
    blocks::{Block, Blocks, Register},
    gather::PARTS_MAX,
    instants::Begins,
};
use super::together;
use crate::{
    history::{EntryId, History, Order},
    model::Model,
    value::Value,
};

/// A part of a history that is worth a thread has at least so many operations.
const PART: usize = 25_000;

/// What was found out about a history of registers.
pub(super) enum Registers<'h> {
    /// One order of all operations explains it.
    Legal(Vec<EntryId>),
    /// It is illegal, as some of these show; the other registers are legal. By key: all operations on a register with a value
    /// that is written twice, or all with some values, which are illegal by themselves.
    Left(Vec<(&'h Value, Vec<EntryId>)>),
}

/// Decides every object of the history, by at most so many threads, which changes nothing of what is found. `None` where one is
/// something else, where an operation is none that the model admits, or where nothing is illegal but not all is known.
/// O(n log n), and where it is something else most often at once.
pub(super) fn check<'h, M: Model>(model: &'h M, history: &'h History, threads: usize) -> Option<Registers<'h>> {
    if history.order == Order::Processes || model.discipline().is_some() {
        return None;
    }
    in_parts(model, history, threads.min(history.entries.len() / PART).clamp(1, PARTS_MAX))
}

fn in_parts<'h, M: Model>(model: &'h M, history: &'h History, parts: usize) -> Option<Registers<'h>> {
    let values = Blocks::read(model, history, parts)?;
    if let [known] = values.registers[..] {
        let mut zones = Zones::default();
        let found = arrange(&mut zones, &values.all, known, |block| block);
        return match found {
            Ok(()) => Some(Registers::Legal(values.one_after_the_other(zones))),
            Err(None) => None,
            Err(proof) => Some(Registers::Left(vec![values.left(0, proof)])),
        };
    }
    let begins = Begins::new(values.len());
    let jobs = values.ranges(parts).into_iter().map(|range| || arrange_some(&values, range, &begins));
    let found = together::all(jobs).concat();
    if found.iter().any(|(_, proof)| proof.is_some()) {
        return Some(Registers::Left(
            found.into_iter().map(|(register, proof)| values.left(register, proof)).collect(),
        ));
    }
    found.is_empty().then(|| Registers::Legal(values.at_instants(&begins, parts)))
}

/// Puts the zones of each of these registers into an order, and says when each block begins. Gives the registers that have none,
/// with proofs, and those of which values are not unique.
fn arrange_some(values: &Blocks<'_>, range: Range<usize>, begins: &Begins) -> Vec<(usize, Option<Proof>)> {
    let (blocks, ends) = values.grouped(range.clone());
    let (mut zones, mut found, mut start) = (Zones::default(), Vec::new(), 0);
    for (register, end) in range.zip(ends) {
        let own = &blocks[mem::replace(&mut start, end as usize)..end as usize];
        match arrange(&mut zones, own, values.registers[register], |block| own[block as usize].register) {
            Ok(()) => begins.say(own, &zones.all),
            Err(proof) => found.push((register, proof)),
        }
    }
    found
}

/// Puts the blocks of a register into an order. An error is why there is none, or nothing if its values are not unique.
fn arrange(
    zones: &mut Zones,
    blocks: &[Block],
    known: Register,
    index_of: impl Fn(u32) -> u32,
) -> Result<(), Option<Proof>> {
    if known.is_unique { zones.arrange(blocks, known, index_of).map_err(Some) } else { Err(None) }
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
    /// is of a value that may have been written before. Some are integers, small or large, some are not.
    fn random(seed: u64, keys: &[Value], again: usize) -> History {
        let mut random = Random(seed);
        let mut recorder = HistoryBuilder::new();
        let mut open = Vec::new();
        let mut written = vec![0; keys.len()];
        let value = |i: usize| match seed / 16 % 4 {
            0 | 1 => Value::Int(i as i64),
            2 => Value::Int((i as i64 - 2) << 20),
            _ => Value::from(format!("{i}")),
        };
        let operations = 2 + random.below(7);
        while recorder.len() < operations || !open.is_empty() {
            if recorder.len() < operations && random.below(2) == 0 {
                let key = random.below(keys.len());
                let write = random.below(2) == 0;
                let operation = if write {
                    written[key] += 1;
                    let is_again = again > 0 && random.below(again) == 0;
                    let which = if is_again { 1 + random.below(written[key]) } else { written[key] };
                    Operation::write(keys[key].clone(), value(which))
                } else {
                    Operation::read(keys[key].clone())
                };
                open.push((recorder.invoke(ProcessId(recorder.len() as u32), operation, 0), key, write));
            } else if !open.is_empty() {
                let (entry, key, write) = open.swap_remove(random.below(open.len()));
                // Now and then it is one that is written later, or never.
                let most = written[key] + usize::from(random.below(10) == 0);
                let which = random.below(most + 1);
                let reply = if write || which == 0 { Value::Nil } else { value(which) };
                let is_known = random.below(5) > 0;
                recorder.complete(entry, if is_known { Outcome::Ok(reply) } else { Outcome::Unknown("".into()) }, 0);
            }
        }
        recorder.finish()
    }

    /// What is found is the same in any number of parts.
    fn found_in_parts(history: &History, seed: u64) {
        let found = |parts: usize| match in_parts(&models::Register, history, parts) {
            None => "nothing".to_owned(),
            Some(Registers::Legal(order)) => format!("{order:?}"),
            Some(Registers::Left(left)) => format!("{left:?}"),
        };
        let whole = found(1);
        for parts in 2..=4 {
            assert_eq!(found(parts), whole, "seed {seed}, {parts} parts: {history:?}");
        }
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
            if seed % 5 == 0 {
                found_in_parts(&history, seed);
            }
            let slow = slowly(&history, &"x".into());
            let passes = matches!(check(&models::Register, &history, 1), Some(Registers::Legal(_)));
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
            if seed % 5 == 0 {
                found_in_parts(&history, seed);
            }
            let mut expected: Vec<_> = keys.iter().flat_map(|key| slowly(&history, key).anomalies().to_vec()).collect();
            let verdict = linearizability::check(&models::Register, &history, &Budget::default());
            let mut found = verdict.anomalies().to_vec();
            expected.sort_by(|a, b| a.operations.cmp(&b.operations));
            found.sort_by(|a, b| a.operations.cmp(&b.operations));
            assert_eq!(found, expected, "seed {seed}");
            let passes = matches!(check(&models::Register, &history, 1), Some(Registers::Legal(_)));
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
