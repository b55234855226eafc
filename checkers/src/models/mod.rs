//! The sequential specifications that come with the crate: one file and one line each.

use std::sync::Arc;

use crate::{
    budget::Budget, history::History, linearizability, model::Model, operation::Operation, verdict::Verdict, weaker,
};

mod container;
mod counter;
mod kv;
mod list_append;
mod log;
mod multi_register;
mod mutex;
mod priority_queue;
mod queue;
mod register;
mod rw_register;
mod set;
mod stack;
mod transactions;

pub use counter::Counter;
pub use kv::Kv;
pub use list_append::ListAppend;
pub use log::Log;
pub use multi_register::MultiRegister;
pub use mutex::Mutex;
pub use priority_queue::PriorityQueue;
pub use queue::Queue;
pub use register::{CasRegister, Register};
pub use rw_register::RwRegister;
pub use set::Set;
pub use stack::Stack;

/// A model in the catalogue.
#[derive(Clone, Copy)]
pub struct ModelEntry {
    /// Its name, in kebab-case.
    pub name: &'static str,
    /// What it is, in one sentence.
    pub summary: &'static str,
    /// Makes one.
    pub build: fn() -> Arc<dyn AnyModel>,
}

/// Every model, by name.
pub const MODELS: &[ModelEntry] = &[
    ModelEntry {
        name: "register",
        summary: "One register per key: read and write; nil at first.",
        build: || Arc::new(Register),
    },
    ModelEntry {
        name: "cas-register",
        summary: "One register per key: read, write and cas (compare and set, replies whether it did); nil at first.",
        build: || Arc::new(CasRegister),
    },
    ModelEntry {
        name: "multi-register",
        summary: "Registers that a txn reads and writes together; read, write and cas too; nil (or 0) at first.",
        build: || Arc::new(MultiRegister),
    },
    ModelEntry {
        name: "rw-register",
        summary: "Registers that transactions read and write, a txn of [r key nil] and [w key value]; nil at first.",
        build: || Arc::new(RwRegister),
    },
    ModelEntry {
        name: "list-append",
        summary: "Lists that transactions read and append to, a txn of [r key nil] and [append key element]; empty at first.",
        build: || Arc::new(ListAppend),
    },
    ModelEntry {
        name: "kv",
        summary: "One string per key: get, put and append; empty at first.",
        build: || Arc::new(Kv),
    },
    ModelEntry {
        name: "mutex",
        summary: "A lock per key: acquire when free, release when held; free at first.",
        build: || Arc::new(Mutex),
    },
    ModelEntry {
        name: "set",
        summary: "A set per key: add, remove and contains of an element, read all; empty at first.",
        build: || Arc::new(Set),
    },
    ModelEntry {
        name: "queue",
        summary: "A queue per key: enqueue, and dequeue (nil when empty); empty at first.",
        build: || Arc::new(Queue),
    },
    ModelEntry {
        name: "stack",
        summary: "A stack per key: push, and pop (nil when empty); empty at first.",
        build: || Arc::new(Stack),
    },
    ModelEntry {
        name: "priority-queue",
        summary: "A priority queue per key: insert, and extract-min (nil when empty); empty at first.",
        build: || Arc::new(PriorityQueue),
    },
    ModelEntry {
        name: "counter",
        summary: "A counter per key: add an integer, read; 0 at first.",
        build: || Arc::new(Counter),
    },
    ModelEntry {
        name: "log",
        summary: "An append-only log per key: append an element, read all in order; empty at first.",
        build: || Arc::new(Log),
    },
];

/// The model of this name.
pub fn model(name: &str) -> Option<&'static ModelEntry> {
    MODELS.iter().find(|m| m.name == name)
}

/// A [`Model`] whose type of state is forgotten.
pub trait AnyModel: Send + Sync {
    /// See [`Model::name`].
    fn name(&self) -> &str;
    /// Whether the history is linearizable with respect to the model.
    fn linearizable(&self, history: &History, budget: &Budget) -> Verdict;
    /// Whether the history is sequentially consistent with respect to the model.
    fn sequential(&self, history: &History, budget: &Budget) -> Verdict;
    /// What porcupine-rs says to linearizability, within a limit of real time for each key.
    #[cfg(feature = "second-opinion")]
    fn second_opinion(&self, history: &History, limit: std::time::Duration) -> Verdict;
}

impl<M: Model> AnyModel for M {
    fn name(&self) -> &str {
        Model::name(self)
    }

    fn linearizable(&self, history: &History, budget: &Budget) -> Verdict {
        linearizability::check(self, history, budget)
    }

    fn sequential(&self, history: &History, budget: &Budget) -> Verdict {
        weaker::sequential::check(self, history, budget)
    }

    #[cfg(feature = "second-opinion")]
    fn second_opinion(&self, history: &History, limit: std::time::Duration) -> Verdict {
        crate::second_opinion::check(self, history, limit)
    }
}

/// Whether the operation is one whose reply is a value it saw.
pub(crate) fn reads(operation: &Operation) -> bool {
    matches!(operation.f.as_str(), "read" | "get" | "cas" | "txn" | "dequeue" | "pop" | "extract-min")
}

/// What a model says to an operation that is not its own.
fn unknown_operation(model: &str, operation: &Operation, known: &str) -> Result<(), String> {
    Err(format!("the model {model} knows {known}, not `{operation}`"))
}
