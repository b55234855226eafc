//! `set`: elements are added to a few sets, which are read.
//!
//! ```text
//! add(2, 17) -> nil      remove(2, 3) -> true | false      read(2) -> [3 17 8]
//! ```
//!
//! A client removes what it has seen in a set. The reply says whether it was still there.

use squall_checkers::operation::Interface;

use crate::{
    growing::GrowingWorkload,
    parts::{DISTRIBUTION, EVENTUAL, keys_setting, per_key_setting},
    workload::Setting,
};

/// Additions of unique elements to sets, removals, and reads of all elements.
pub static SET: GrowingWorkload = GrowingWorkload {
    name: "set",
    interface: Interface::SET,
    grow: "add",
    settings: &[
        keys_setting("3"),
        DISTRIBUTION,
        per_key_setting("60", "elements after which a set is replaced by a fresh one; 0: never"),
        Setting { key: "adds", default: "3", summary: "weight of additions in the mix" },
        Setting { key: "reads", default: "2", summary: "weight of reads in the mix" },
        Setting { key: "removes", default: "0", summary: "weight of removals in the mix; 0 for sets that only grow" },
    ],
    weights: &["adds", "reads", "removes"],
    model: "set",
    invariants: &["set-full"],
    weaker: &EVENTUAL,
};

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use squall_checkers::{operation::Operation, value::Value};

    use super::*;
    use crate::parts::testing;

    /// A store that forgets each element which `forgets` says it does.
    fn store(forgets: impl Fn(i64) -> bool) -> impl FnMut(&Operation) -> Option<Value> {
        let mut sets: BTreeMap<Value, Vec<Value>> = BTreeMap::new();
        move |operation| {
            let set = sets.entry(operation.key.clone()).or_default();
            match operation.args.as_int() {
                None => return Some(set.clone().into()),
                Some(_) if operation.f == "remove" => {
                    let before = set.len();
                    set.retain(|element| *element != operation.args);
                    return Some((set.len() < before).into());
                }
                Some(element) if forgets(element) => {}
                Some(_) => set.push(operation.args.clone()),
            }
            Some(Value::Nil)
        }
    }

    #[test]
    fn a_set_is_judged() {
        let good = testing::run(&SET, &[], 200, store(|_| false));
        let golden = "add(2, 1) read(0) add(2, 3) read(1) read(2) read(0) add(1, 4) add(2, 2)";
        assert_eq!(testing::first(&good, 8), golden, "changing the draws breaks every stored plan");
        assert!(testing::complaints(&SET, "linearizable", &good).is_empty());
        let bad = testing::run(&SET, &[], 200, store(|element| element == 100));
        assert_eq!(testing::complaints(&SET, "linearizable", &bad), ["linearizable", "set-full"]);
    }

    #[test]
    fn what_a_client_has_seen_it_may_remove() {
        let good = testing::run(&SET, &[("removes", "2")], 200, store(|_| false));
        let removed = good.entries.iter().filter(|e| e.operation.f == "remove").filter_map(|e| e.reply());
        let said: std::collections::BTreeSet<&Value> = removed.collect();
        assert_eq!(said.len(), 2, "some are there, some are gone");
        assert!(testing::complaints(&SET, "linearizable", &good).is_empty());
    }
}
