//! Random histories of any object that does one operation after the other: linearizable by construction.

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

/// How much is done, and by how many at a time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) operations: usize,
    /// Operations in flight at a time.
    pub(crate) processes: usize,
    /// Of a thousand operations, how many have an unknown outcome.
    pub(crate) unknown_per_mille: u64,
}

enum State {
    Idle,
    Invoked(EntryId),
    Applied(EntryId, Value),
}

/// A history in which overlapping operations, made by `ask` from a random number and their own, take effect one after the
/// other by `apply`, which replies.
pub(crate) fn history(
    load: Load,
    seed: u64,
    mut ask: impl FnMut(u64, usize) -> Operation,
    mut apply: impl FnMut(&Operation) -> Value,
) -> History {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut recorder = HistoryBuilder::new();
    let mut states: Vec<(u32, State)> = (0..load.processes as u32).map(|p| (p, State::Idle)).collect();
    let mut asked: Vec<Operation> = Vec::new();
    let mut next_process = load.processes as u32;
    while recorder.len() < load.operations || states.iter().any(|(_, s)| !matches!(s, State::Idle)) {
        let index = random.next_u64() as usize % states.len();
        let (process, state) = &mut states[index];
        *state = match std::mem::replace(state, State::Idle) {
            State::Idle if recorder.len() == load.operations => State::Idle,
            State::Idle => {
                let operation = ask(random.next_u64() >> 8, recorder.len());
                asked.push(operation.clone());
                State::Invoked(recorder.invoke(ProcessId(*process), operation, 0))
            }
            State::Invoked(entry) => State::Applied(entry, apply(&asked[entry])),
            State::Applied(entry, _) if random.next_u64() % 1000 < load.unknown_per_mille => {
                recorder.complete(entry, Outcome::Unknown("timeout".into()), 0);
                *process = next_process;
                next_process += 1;
                State::Idle
            }
            State::Applied(entry, reply) => {
                recorder.complete(entry, Outcome::Ok(reply), 0);
                State::Idle
            }
        };
    }
    recorder.finish()
}
