//! Invariants: what must hold of a history whatever consistency was promised, each a checker of its own.
//!
//! They look for one kind of damage (money that vanished, an element that came out twice), run in O(n log n), and say less than
//! a model does: a history that an invariant accepts may still be wrong.

use crate::{
    budget::Budget,
    checker::Checker,
    history::{EntryId, History, Order},
    operation::Name,
    value::Value,
    verdict::{Anomaly, Verdict},
};

pub(crate) mod bank;
pub(crate) mod counter_bounds;
pub(crate) mod eventual_accuracy;
pub(crate) mod log_order;
pub(crate) mod mutual_exclusion;
pub(crate) mod set_full;
pub(crate) mod total_queue;
pub(crate) mod unique_ids;

pub use set_full::{Visibility, visibility};
pub use total_queue::{Deliveries, deliveries};

/// A checker that is one function of the history.
struct Invariant {
    name: &'static str,
    /// Whether it rests on what happened before what.
    real_time: bool,
    judge: fn(&History) -> Verdict,
}

impl Checker for Invariant {
    fn name(&self) -> &str {
        self.name
    }

    fn check(&self, history: &History, _: &Budget) -> Verdict {
        if self.real_time && history.order == Order::Processes {
            return Verdict::precondition(Order::NO_REAL_TIME);
        }
        (self.judge)(history)
    }
}

/// Of many operations that show the same, how many are named.
const SHOWN_MAX: usize = 8;

/// Characters of an operation that a sentence quotes.
const SAID_MAX: usize = 120;

/// Operations of a history, as anomalies name them.
#[derive(Clone, Copy)]
struct Scene<'h> {
    history: &'h History,
    key: &'h Value,
}

impl Scene<'_> {
    /// The operation in words; of a long one (a read of a large set) the middle is left out.
    fn say(&self, id: EntryId) -> String {
        let said = crate::anomaly::describe(&self.history.entries[id]);
        match (said.char_indices().nth(SAID_MAX), said.rfind(" of process")) {
            (Some((cut, _)), Some(process)) if cut < process => format!("{}…{}", &said[..cut], &said[process..]),
            _ => said,
        }
    }

    fn anomaly(&self, kind: Name, operations: impl IntoIterator<Item = EntryId>, sentence: String) -> Anomaly {
        Anomaly::new(kind, self.key.clone(), operations.into_iter().collect(), sentence)
    }
}

/// That nothing can be said, as nobody knows what an operation replied.
fn unintelligible(history: &History, id: EntryId, what: &str) -> Verdict {
    let entry = &history.entries[id];
    let reply = entry.reply().map(ToString::to_string).unwrap_or_default();
    Verdict::precondition(format!("operation {id}, `{}`, replied {reply}, which is {what}", entry.operation))
}

/// How the sentence about the first of several goes on.
fn and_more(several: usize) -> String {
    match several {
        0 | 1 => String::new(),
        2 => " So it is with one other.".to_owned(),
        n => format!(" So it is with {} others.", n - 1),
    }
}
