//! Hash maps and sets that every run walks in the same order.

use foldhash::fast::FixedState;

/// A hash map whose order hangs on its keys and its past alone.
///
/// The standard library's own is walked in an order that differs from thread to thread and from process to process: a store
/// that sends in that order, or takes what comes first, runs another way each time, and `squall doctor` says so. This one takes
/// its place (`use squall::collections::HashMap`), but for `new` and `with_capacity`, which the standard library has for its
/// own hasher only: begin with `HashMap::default()`, or collect. A `BTreeMap` does as well, and is sorted.
///
/// Its hasher is quick and its keys are known, so who chooses what is hashed can make it collide. In a simulation that is of no
/// weight; a server that strangers reach wants another.
///
/// Another version of Rust or of this crate may walk it in another order.
pub type HashMap<K, V> = std::collections::HashMap<K, V, FixedState>;

/// A hash set whose order hangs on its members and its past alone; see [`HashMap`].
pub type HashSet<T> = std::collections::HashSet<T, FixedState>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_thread_walks_maps_and_sets_in_one_order() {
        let walk = || {
            let map: HashMap<String, u32> = (0..100).map(|i| (format!("key {i}"), i)).collect();
            let set: HashSet<u32> = (0..100).collect();
            (map.into_iter().collect::<Vec<_>>(), set.into_iter().collect::<Vec<_>>())
        };
        let here = walk();
        assert!(!here.0.is_sorted(), "a hash map that keeps its keys in order proves nothing here");
        for _ in 0..8 {
            assert_eq!(std::thread::spawn(walk).join().expect("walking does not panic"), here);
        }
    }
}
