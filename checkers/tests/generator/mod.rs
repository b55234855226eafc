//! Random histories of registers: linearizable by construction, or with one read made stale.

use rand_xoshiro::{
    Xoshiro256PlusPlus,
    rand_core::{Rng, SeedableRng},
};
use squall_checkers::{
    history::{EntryId, History, Outcome, ProcessId},
    operation::Operation,
    recorder::HistoryBuilder,
    value::Value,
};

/// What to generate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) operations: usize,
    /// Operations in flight at a time.
    pub(crate) processes: usize,
    /// How many registers there are.
    pub(crate) keys: usize,
    /// Written values are drawn from 1 to this; 0: each is written once.
    pub(crate) values: u64,
    pub(crate) cas: bool,
    /// Of a thousand operations, how many have an unknown outcome.
    pub(crate) unknown_per_mille: u64,
    /// Whether one read at 95% of the history returns an old value.
    pub(crate) stale: bool,
}

enum State {
    Idle,
    Invoked(EntryId),
    Applied(EntryId, Value),
}

/// A history of registers in which operations overlap as `shape` says.
pub(crate) fn history(shape: Shape, seed: u64) -> History {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut below = |n: u64| random.next_u64() % n;
    let mut recorder = HistoryBuilder::new();
    let mut states: Vec<(u32, State)> = (0..shape.processes as u32).map(|p| (p, State::Idle)).collect();
    // By key, the values that it held.
    let mut pasts = vec![vec![Value::Nil]; shape.keys];
    let mut next_process = shape.processes as u32;
    let mut is_stale_due = shape.stale;
    while recorder.len() < shape.operations || states.iter().any(|(_, s)| !matches!(s, State::Idle)) {
        let index = below(states.len() as u64) as usize;
        let (process, state) = &mut states[index];
        *state = match std::mem::replace(state, State::Idle) {
            State::Idle if recorder.len() == shape.operations => State::Idle,
            State::Idle => {
                let mut value = || match shape.values {
                    0 => recorder.len() as i64 + 1,
                    n => below(n) as i64 + 1,
                };
                let (new, old) = (value(), value());
                let key = if shape.keys > 1 { Value::Int(below(shape.keys as u64) as i64) } else { Value::Nil };
                let operation = match below(if shape.cas { 3 } else { 2 }) {
                    0 => Operation::read(key),
                    1 => Operation::write(key, new),
                    _ => Operation::cas(key, old, new),
                };
                State::Invoked(recorder.invoke(ProcessId(*process), operation, 0))
            }
            State::Invoked(entry) => {
                let asked = &recorder.entries()[entry].operation;
                let reply = apply(asked, past_of(&mut pasts, asked));
                State::Applied(entry, reply)
            }
            State::Applied(entry, reply) => {
                if below(1000) < shape.unknown_per_mille {
                    recorder.complete(entry, Outcome::Unknown("timeout".into()), 0);
                    *process = next_process;
                    next_process += 1;
                } else {
                    let asked = &recorder.entries()[entry].operation;
                    let is_due = is_stale_due && entry * 20 > shape.operations * 19 && asked.f == "read";
                    let past = past_of(&mut pasts, asked);
                    let old = past.len().checked_sub(4 * shape.processes).filter(|_| is_due);
                    is_stale_due &= old.is_none();
                    let reply = old.map_or(reply, |old| past[old].clone());
                    recorder.complete(entry, Outcome::Ok(reply), 0);
                }
                State::Idle
            }
        };
    }
    recorder.finish()
}

fn past_of<'p>(pasts: &'p mut [Vec<Value>], operation: &Operation) -> &'p mut Vec<Value> {
    &mut pasts[operation.key.as_int().unwrap_or(0) as usize]
}

fn apply(operation: &Operation, past: &mut Vec<Value>) -> Value {
    let held = past[past.len() - 1].clone();
    match (operation.f.as_str(), &operation.args) {
        ("read", _) => held,
        ("cas", Value::List(args)) if args[0] != held => Value::Bool(false),
        ("cas", Value::List(args)) => {
            past.push(args[1].clone());
            Value::Bool(true)
        }
        (_, value) => {
            past.push(value.clone());
            Value::Nil
        }
    }
}
