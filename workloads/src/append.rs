//! `append`: elements are appended to a few logs, which are read whole.
//!
//! ```text
//! append(2, 17) -> nil      read(2) -> [3 17 8]
//! ```

use squall_checkers::operation::Interface;

use crate::{
    growing::GrowingWorkload,
    parts::{DISTRIBUTION, keys_setting, per_key_setting},
    workload::Setting,
};

/// Unique elements appended to logs, and reads of whole logs.
pub static APPEND: GrowingWorkload = GrowingWorkload {
    name: "append",
    interface: Interface::LOG,
    grow: "append",
    settings: &[
        keys_setting("3"),
        DISTRIBUTION,
        per_key_setting("60", "elements after which a log is replaced by a fresh one; 0: never"),
        Setting { key: "appends", default: "3", summary: "weight of appends in the mix" },
        Setting { key: "reads", default: "2", summary: "weight of reads in the mix" },
    ],
    weights: &["appends", "reads"],
    model: "log",
    invariants: &[],
    weaker: &[],
};

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use squall_checkers::{operation::Operation, value::Value};

    use super::*;
    use crate::parts::testing;

    /// A store that puts this element before the one that was there.
    fn store(overtakes: i64) -> impl FnMut(&Operation) -> Option<Value> {
        let mut logs: BTreeMap<Value, Vec<Value>> = BTreeMap::new();
        move |operation| {
            let log = logs.entry(operation.key.clone()).or_default();
            match operation.args.as_int() {
                None => return Some(log.clone().into()),
                Some(element) if element == overtakes => log.insert(log.len() - 1, operation.args.clone()),
                Some(_) => log.push(operation.args.clone()),
            }
            Some(Value::Nil)
        }
    }

    #[test]
    fn a_log_is_judged() {
        let good = testing::run(&APPEND, &[], 200, store(0));
        let golden = "append(2, 1) read(0) append(2, 3) read(1) read(2) read(0) append(1, 4) append(2, 2)";
        assert_eq!(testing::first(&good, 8), golden, "changing the draws breaks every stored plan");
        assert!(testing::complaints(&APPEND, "linearizable", &good).is_empty());
        let bad = testing::run(&APPEND, &[], 200, store(100));
        assert_eq!(testing::complaints(&APPEND, "linearizable", &bad), ["linearizable"]);
    }
}
