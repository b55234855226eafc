//! Transactions over registers or lists that take effect one after the other.

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
pub(crate) struct Mix {
    pub(crate) transactions: usize,
    pub(crate) sessions: usize,
    /// Reads and writes, or appends, of each.
    pub(crate) operations: usize,
    /// Of lists, how many are in use at a time; each is left when it has grown.
    pub(crate) keys: usize,
    pub(crate) lists: bool,
    /// Transactions that are in flight at a time.
    pub(crate) concurrent: usize,
}

/// Elements of a list after which another one is used.
const LIST_MAX: usize = 32;

/// Every value is written once, half of the operations read.
pub(crate) fn history(mix: Mix, seed: u64) -> History {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut below = |n: usize| (random.next_u64() % n as u64) as usize;
    let mut recorder = HistoryBuilder::new();
    // What each key in use is called and holds.
    let mut keys: Vec<(i64, Vec<Value>)> = (0..mix.keys as i64).map(|key| (key, Vec::new())).collect();
    let mut next_key = mix.keys as i64;
    let mut written = 0;
    let mut open: Vec<(EntryId, Value)> = Vec::new();
    let mut busy = vec![false; mix.sessions];
    let mut sessions: Vec<usize> = Vec::new();
    while recorder.len() < mix.transactions || !open.is_empty() {
        if recorder.len() == mix.transactions || open.len() == mix.concurrent.min(mix.sessions) {
            let at = below(open.len());
            let (entry, reply) = open.swap_remove(at);
            busy[sessions.swap_remove(at)] = false;
            recorder.complete(entry, Outcome::Ok(reply), 0);
            continue;
        }
        let session = below(mix.sessions);
        if std::mem::replace(&mut busy[session], true) {
            continue;
        }
        let (mut asked, mut replied) = (Vec::new(), Vec::new());
        for _ in 0..mix.operations {
            let place = below(mix.keys);
            let (key, held) = &mut keys[place];
            let name = Value::Int(*key);
            let (f, argument, reply) = if below(2) == 0 {
                let shown =
                    if mix.lists { Value::List(held.clone()) } else { held.last().cloned().unwrap_or_default() };
                ("r", Value::Nil, shown)
            } else {
                written += 1;
                let value = Value::Int(written);
                if !mix.lists {
                    held.clear();
                }
                held.push(value.clone());
                (if mix.lists { "append" } else { "w" }, value.clone(), value)
            };
            if held.len() == LIST_MAX {
                keys[place] = (next_key, Vec::new());
                next_key += 1;
            }
            asked.push(Value::List(vec![Value::from(f), name.clone(), argument]));
            replied.push(Value::List(vec![Value::from(f), name, reply]));
        }
        let operation = Operation::new("txn", Value::Nil, Value::List(asked));
        open.push((recorder.invoke(ProcessId(session as u32), operation, 0), Value::List(replied)));
        sessions.push(session);
    }
    recorder.finish()
}
