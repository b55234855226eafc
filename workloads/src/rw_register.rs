//! `rw-register`: transactions read a few registers and write unique values to them.
//!
//! ```text
//! txn([["r" 1 nil] ["w" 2 17]]) -> [["r" 1 8] ["w" 2 17]]
//! ```
//!
//! Single reads at the end show each key as it is.

use squall_checkers::operation::Interface;

use crate::transactions::TransactionWorkload;

/// Transactions read a few registers and write unique values to them.
pub static RW_REGISTER: TransactionWorkload =
    TransactionWorkload { name: "rw-register", interface: Interface::RW_REGISTER, write: "w" };

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{parts::testing, transactions::testing::store, workload::Workload as _};

    #[test]
    fn transactions_are_judged() {
        let good = testing::run(&RW_REGISTER, &[], 200, store(usize::MAX, |_| true));
        let golden = r#"txn([["w" 0 1] ["w" 3 4] ["r" 0 nil] ["r" 3 nil]]) txn([["r" 3 nil]]) txn([["w" 0 3] ["w" 3 6] ["r" 1 nil]])"#;
        assert_eq!(testing::first(&good, 3), golden, "changing the draws breaks every stored plan");
        for promised in ["linearizable", "serializable", "snapshot-isolation", "read-committed"] {
            assert!(testing::complaints(&RW_REGISTER, promised, &good).is_empty(), "{promised}");
        }
        let bad = testing::run(&RW_REGISTER, &[], 200, store(50, |key| key.as_int().is_some_and(|k| k % 2 == 0)));
        for (promised, checker) in
            [("linearizable", "strict-serializable"), ("serializable", "serializable"), ("read-atomic", "read-atomic")]
        {
            assert_eq!(testing::complaints(&RW_REGISTER, promised, &bad), [checker]);
        }
        assert!(RW_REGISTER.judges("sequential").is_empty(), "that is about single objects");
    }
}
