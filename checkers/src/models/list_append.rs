//! `txn([[r x nil] [append y 2] …]) -> the same with what was read`: lists that transactions read and append to.

use super::transactions;
use crate::model::Model;

/// Lists that one `txn` reads and appends to together; empty at first. Linearizable with respect to this is strict
/// serializable, decided by search; the checkers of isolation levels are faster and know the weaker levels.
#[derive(Clone, Copy, Debug)]
pub struct ListAppend;

impl Model for ListAppend {
    transactions::model!("list-append", "append");
}
