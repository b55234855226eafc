//! The rows of the table, and the histories that they are about.

use std::{env, fs, path::Path};

use squall_checkers::{
    formats,
    history::{EntryId, History, Outcome},
};

use crate::{
    containers::Container,
    objects::Load,
    registers::{self, Shape},
    transactions::{self, Mix},
};

/// A history and who judges it.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) model: &'static str,
    /// Empty for `linearizable`.
    pub(crate) checker: &'static str,
    input: Input,
}

enum Input {
    Registers(Shape),
    Container(Container, usize, bool),
    Transactions(Mix),
    /// A file of the corpus, and whether it is invalid.
    File(&'static str, bool),
}

const UNIQ: Shape =
    Shape { operations: 100_000, processes: 5, keys: 1, values: 0, cas: false, unknown_per_mille: 0, stale: false };
const CAS: Shape = Shape { values: 5, cas: true, ..UNIQ };
const TXNS: Mix = Mix { transactions: 20_700, sessions: 318, operations: 5, keys: 1_000, lists: false, concurrent: 1 };

fn all() -> Vec<Row> {
    let register = |name, shape| Row { name, model: "cas-register", checker: "", input: Input::Registers(shape) };
    let container = |name, model, container, operations, bad| Row {
        name,
        model,
        checker: "",
        input: Input::Container(container, operations, bad),
    };
    let txns = |name, checker, mix| Row { name, model: "rw-register", checker, input: Input::Transactions(mix) };
    let file = |name, model, path, bad| Row { name, model, checker: "", input: Input::File(path, bad) };
    let million = 1_000_000;
    vec![
        register("uniq p5 10k ok", Shape { operations: 10_000, ..UNIQ }),
        register("uniq p5 10k bad", Shape { operations: 10_000, stale: true, ..UNIQ }),
        register("uniq p5 100k ok", UNIQ),
        register("uniq p5 1M ok", Shape { operations: million, ..UNIQ }),
        register("uniq p20 1k ok", Shape { operations: 1_000, processes: 20, ..UNIQ }),
        register("uniq p20 1k bad", Shape { operations: 1_000, processes: 20, stale: true, ..UNIQ }),
        register("uniq p20 1M bad", Shape { operations: million, processes: 20, stale: true, ..UNIQ }),
        register("uniq p50 1M ok", Shape { operations: million, processes: 50, ..UNIQ }),
        register("uniq p50 1M bad", Shape { operations: million, processes: 50, stale: true, ..UNIQ }),
        register("uniq p20 100k ? bad", Shape { processes: 20, unknown_per_mille: 1, stale: true, ..UNIQ }),
        register("cas p5 1k ok", Shape { operations: 1_000, ..CAS }),
        register("cas p5 10k ok", Shape { operations: 10_000, ..CAS }),
        register("cas p5 100k ok", CAS),
        register("cas p10 10k ok", Shape { operations: 10_000, processes: 10, ..CAS }),
        register("cas p20 10k ok", Shape { operations: 10_000, processes: 20, ..CAS }),
        register("cas p20 100k ok", Shape { processes: 20, ..CAS }),
        register("kv10 p20 100k ok", Shape { processes: 20, keys: 10, ..UNIQ }),
        register("kv1000 p50 1M ok", Shape { operations: million, processes: 50, keys: 1_000, ..UNIQ }),
        file("kv c50-ok", "kv", "porcupine/kv/c50-ok.txt", false),
        file("kv c50-bad", "kv", "porcupine/kv/c50-bad.txt", true),
        container("queue p20 100k ok", "queue", Container::Queue, 100_000, false),
        container("queue p20 1M ok", "queue", Container::Queue, million, false),
        container("queue p20 1M bad", "queue", Container::Queue, million, true),
        container("stack p20 1M ok", "stack", Container::Stack, million, false),
        container("stack p20 1M bad", "stack", Container::Stack, million, true),
        container("priority p20 1M ok", "priority-queue", Container::PriorityQueue, million, false),
        container("priority p20 1M bad", "priority-queue", Container::PriorityQueue, million, true),
        txns("txn rc 205k", "read-committed", Mix { transactions: 205_000, sessions: 1_001, keys: 10_000, ..TXNS }),
        txns("txn ra 205k", "read-atomic", Mix { transactions: 205_000, sessions: 1_001, keys: 10_000, ..TXNS }),
        txns("txn cc 20.7k s318", "causal", TXNS),
        txns(
            "txn ser 1600x8",
            "serializable",
            Mix { transactions: 12_800, sessions: 8, keys: 1_000, concurrent: 4, ..TXNS },
        ),
        txns("txn si 1600x8", "snapshot-isolation", Mix { transactions: 12_800, sessions: 8, keys: 1_000, ..TXNS }),
        txns(
            "list-append 100k",
            "strict-serializable",
            Mix { transactions: 100_000, sessions: 20, operations: 4, lists: true, concurrent: 4, ..TXNS },
        ),
        txns(
            "list-append 1M",
            "strict-serializable",
            Mix { transactions: million, sessions: 20, operations: 4, lists: true, concurrent: 4, ..TXNS },
        ),
    ]
}

/// The rows whose names begin with one of these; all if there are none.
pub(crate) fn chosen(names: &[&str]) -> Vec<Row> {
    let is_chosen = |row: &Row| names.is_empty() || names.iter().any(|name| row.name.starts_with(name));
    all().into_iter().filter(is_chosen).collect()
}

impl Row {
    /// The history and whether it is invalid; nothing where its file is not there.
    pub(crate) fn history(&self) -> Option<(History, bool)> {
        match &self.input {
            Input::Registers(shape) => Some((registers::history(*shape, 1), shape.stale)),
            Input::Container(container, operations, bad) => {
                let load = Load { operations: *operations, processes: 20, unknown_per_mille: 0 };
                let mut history = container.history(load, 520, 1);
                if *bad {
                    exchange(&mut history, 100);
                }
                Some((history, *bad))
            }
            Input::Transactions(mix) => Some((transactions::history(*mix, 1), false)),
            Input::File(path, bad) => {
                let corpus = env::var_os("SQUALL_CORPUS")?;
                let content = fs::read(Path::new(&corpus).join(path)).ok()?;
                Some((formats::read(&content, None).expect("a history"), *bad))
            }
        }
    }
}

/// Exchanges what two removals replied that lie `apart` from each other, at 95% of the history.
fn exchange(history: &mut History, apart: usize) {
    let took = |id: &EntryId| history.entries[*id].reply().is_some_and(|reply| !reply.is_nil());
    let takes: Vec<EntryId> = (history.entries.len() * 19 / 20..history.entries.len()).filter(took).collect();
    let (first, second) = (takes[0], takes[apart]);
    let reply = std::mem::replace(&mut history.entries[first].outcome, Outcome::Failed("".into()));
    history.entries[first].outcome = std::mem::replace(&mut history.entries[second].outcome, reply);
}
