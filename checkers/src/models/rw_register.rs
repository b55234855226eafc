//! `txn([[r x nil] [w y 2] …]) -> the same with what was read`: registers that transactions read and write.

use super::transactions;
use crate::model::Model;

/// Registers that one `txn` reads and writes together; `nil` at first. Linearizable with respect to this is strict
/// serializable, decided by search; the checkers of isolation levels are faster and know the weaker levels.
#[derive(Clone, Copy, Debug)]
pub struct RwRegister;

impl Model for RwRegister {
    transactions::model!("rw-register", "w");
}
