//! Random histories of queues, stacks and priority queues, valid by construction.

use std::collections::{BTreeSet, VecDeque};

use squall_checkers::{history::History, operation::Operation, value::Value};

use crate::objects::{self, Load};

/// The names of what a queue, a stack or a priority queue does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Container {
    Queue,
    Stack,
    PriorityQueue,
}

impl Container {
    pub(crate) fn put(self, element: i64) -> Operation {
        let f = match self {
            Container::Queue => "enqueue",
            Container::Stack => "push",
            Container::PriorityQueue => "insert",
        };
        Operation::new(f, Value::Nil, element)
    }

    pub(crate) fn take(self) -> Operation {
        let f = match self {
            Container::Queue => "dequeue",
            Container::Stack => "pop",
            Container::PriorityQueue => "extract-min",
        };
        Operation::new(f, Value::Nil, Value::Nil)
    }

    /// A history in which every element is put in once, `put_per_mille` of the operations put one in.
    pub(crate) fn history(self, load: Load, put_per_mille: u64, seed: u64) -> History {
        let mut line: VecDeque<Value> = VecDeque::new();
        let mut sorted: BTreeSet<Value> = BTreeSet::new();
        // Small and great elements come in turns.
        let element = |random: u64, n: usize| (random % 100) as i64 * 10_000_000 + n as i64;
        let ask = |random: u64, n: usize| {
            if random % 1000 < put_per_mille { self.put(element(random / 1000, n)) } else { self.take() }
        };
        let apply = |operation: &Operation| {
            let put = (!operation.args.is_nil()).then(|| operation.args.clone());
            let took = match (self, put) {
                (Container::PriorityQueue, Some(element)) => {
                    sorted.insert(element);
                    None
                }
                (_, Some(element)) => {
                    line.push_back(element);
                    None
                }
                (Container::PriorityQueue, None) => sorted.pop_first(),
                (Container::Queue, None) => line.pop_front(),
                (Container::Stack, None) => line.pop_back(),
            };
            took.unwrap_or_default()
        };
        objects::history(load, seed, ask, apply)
    }
}
