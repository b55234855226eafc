//! The boundary behind which every checker stands, and the catalogue of checkers.
//!
#![doc = include_str!("../EXAMPLES.md")]

use crate::{
    budget::Budget, convergence, durability, history::History, invariants, isolation, linearizable, liveness,
    models::ModelEntry, sessions, staleness, verdict::Verdict, weaker,
};

/// Decides whether a history is one that a consistency model allows. Implement this to ask something of your own.
///
/// ```
/// use squall_checkers::{anomaly, budget::Budget, checker::Checker, formats::text, history::History, value::Value};
/// use squall_checkers::verdict::{Anomaly, Verdict};
///
/// /// No operation fails.
/// struct NoFailure;
///
/// impl Checker for NoFailure {
///     fn name(&self) -> &str {
///         "no-failure"
///     }
///
///     fn check(&self, history: &History, _: &Budget) -> Verdict {
///         let failed = (0..history.entries.len()).find(|&id| !history.entries[id].is_ok());
///         let anomaly = |id: usize| {
///             let sentence = format!("{} failed.", anomaly::describe(&history.entries[id]));
///             Anomaly::new("failure".into(), Value::Nil, vec![id], sentence)
///         };
///         Verdict::of(failed.map(anomaly).into_iter().collect())
///     }
/// }
///
/// let history = text::read("0: write[x] 1; 1: write[x] 2 ! full").unwrap();
/// assert_eq!(NoFailure.check(&history, &Budget::default()).anomalies()[0].operations, [1]);
/// ```
pub trait Checker: Send + Sync {
    /// Its name, in kebab-case.
    fn name(&self) -> &str;

    /// The verdict on a history that [`History::validate`] accepts. It depends on the history and the budget alone, not on
    /// the machine. A history that has nothing to judge, and a budget that is spent, are unknown.
    fn check(&self, history: &History, budget: &Budget) -> Verdict;
}

/// A checker in the catalogue.
#[derive(Clone, Copy)]
pub struct CheckerEntry {
    /// Its name, in kebab-case.
    pub name: &'static str,
    /// What it decides, in one sentence.
    pub summary: &'static str,
    /// Whether it judges by a model.
    pub needs_model: bool,
    /// Makes one; `None` when it needs a model and is given none.
    pub build: fn(Option<&ModelEntry>) -> Option<Box<dyn Checker>>,
}

/// Every checker, by name.
pub const CHECKERS: &[CheckerEntry] = &[
    linearizable::ENTRY,
    weaker::sequential::ENTRY,
    isolation::CAUSAL,
    weaker::CAUSAL_MEMORY,
    weaker::CAUSAL_WEAK,
    weaker::PRAM,
    sessions::SESSIONS,
    sessions::MONOTONIC_READS,
    sessions::MONOTONIC_WRITES,
    sessions::READ_YOUR_WRITES,
    sessions::WRITES_FOLLOW_READS,
    isolation::READ_UNCOMMITTED,
    isolation::PL_2,
    isolation::READ_COMMITTED,
    isolation::READ_ATOMIC,
    isolation::REPEATABLE_READ,
    isolation::SNAPSHOT_ISOLATION,
    isolation::STRONG_SESSION_SNAPSHOT_ISOLATION,
    isolation::STRONG_SNAPSHOT_ISOLATION,
    isolation::SERIALIZABLE,
    isolation::STRONG_SESSION_SERIALIZABLE,
    isolation::STRICT_SERIALIZABLE,
    durability::ENTRY,
    staleness::ENTRY,
    convergence::ENTRY,
    convergence::EVENTUAL,
    convergence::STRONG_EVENTUAL,
    liveness::ENTRY,
    invariants::bank::ENTRY,
    invariants::bank::WITH_OVERDRAFT,
    invariants::set_full::ENTRY,
    invariants::counter_bounds::ENTRY,
    invariants::total_queue::TOTAL_QUEUE,
    invariants::total_queue::AT_MOST_ONCE,
    invariants::total_queue::AT_LEAST_ONCE,
    invariants::unique_ids::ENTRY,
    invariants::mutual_exclusion::ENTRY,
    invariants::mutual_exclusion::FENCING_TOKENS,
    invariants::log_order::ENTRY,
    invariants::eventual_accuracy::ENTRY,
];

/// The checker of this name.
pub fn checker(name: &str) -> Option<&'static CheckerEntry> {
    CHECKERS.iter().find(|c| c.name == name)
}
