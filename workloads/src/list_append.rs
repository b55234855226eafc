//! `list-append`: transactions read a few lists and append unique elements to them.
//!
//! ```text
//! txn([["r" 1 nil] ["append" 2 17]]) -> [["r" 1 [3 8]] ["append" 2 17]]
//! ```
//!
//! Single reads at the end show each key as it is.

use squall_checkers::operation::Interface;

use crate::transactions::TransactionWorkload;

/// Transactions read a few lists and append unique elements to them.
pub static LIST_APPEND: TransactionWorkload =
    TransactionWorkload { name: "list-append", interface: Interface::LIST_APPEND, write: "append" };

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{parts::testing, transactions::testing::store, workload::Workload as _};

    #[test]
    fn transactions_are_judged() {
        let good = testing::run(&LIST_APPEND, &[], 200, store(usize::MAX, |_| true));
        let golden = r#"txn([["append" 0 1] ["append" 3 4] ["r" 0 nil] ["r" 3 nil]]) txn([["r" 3 nil]]) txn([["append" 0 3] ["append" 3 6] ["r" 1 nil]])"#;
        assert_eq!(testing::first(&good, 3), golden, "changing the draws breaks every stored plan");
        for promised in ["linearizable", "serializable", "snapshot-isolation", "read-committed"] {
            assert!(testing::complaints(&LIST_APPEND, promised, &good).is_empty(), "{promised}");
        }
        let bad = testing::run(&LIST_APPEND, &[], 200, store(50, |key| key.as_int().is_some_and(|k| k % 2 == 0)));
        for (promised, checker) in
            [("linearizable", "strict-serializable"), ("serializable", "serializable"), ("read-atomic", "read-atomic")]
        {
            assert_eq!(testing::complaints(&LIST_APPEND, promised, &bad), [checker]);
        }
        assert!(LIST_APPEND.judges("sequential").is_empty(), "that is about single objects");
    }
}
