//! The zoo: replicated stores, correct ones and their broken twins, to be run under the harness.
//!
//! A correct system keeps its promise under every fault it says it tolerates; a twin differs from it by one mistake, named in its
//! entry. To add a system, add a file with its `ENTRY` and a line in [`SYSTEMS`].

mod journal;
mod madsim_etcd;
mod majority_files;
mod misbehaving;
mod objects;
mod openraft_kv;
mod primary_backup;
mod primary_backup_async;
mod primary_backup_semi_sync;
mod primary_backup_sync;
mod quorum_register;
mod raft_rs_kv;
mod sessions;
mod single_copy;

use squall::catalogue::SystemEntry;

/// Every system.
pub const SYSTEMS: &[SystemEntry] = &[
    raft_rs_kv::ENTRY,
    quorum_register::ENTRY,
    primary_backup_sync::ENTRY,
    primary_backup_semi_sync::ENTRY,
    primary_backup_async::ENTRY,
    single_copy::ENTRY,
    majority_files::ENTRY,
    openraft_kv::ENTRY,
    madsim_etcd::ENTRY,
    misbehaving::ENTRY,
];

#[cfg(test)]
mod tests {
    use squall_workloads::workload::Settings;

    use super::*;

    #[test]
    fn every_system_builds_correct_and_with_each_of_its_bugs() {
        for entry in SYSTEMS {
            for bug in [None].into_iter().chain(entry.bugs.iter().map(|bug| Some(bug.name))) {
                let built = (entry.build)(bug, &Settings::new());
                let promise = built.unwrap_or_else(|e| panic!("{} with {bug:?}: {e}", entry.name)).promise();
                let expected = if is_weaker(entry.name) { "causal" } else { "linearizable" };
                assert_eq!(promise.model, expected, "{}", entry.name);
            }
        }
    }

    /// Whether sessions read where they are pinned.
    fn is_weaker(name: &str) -> bool {
        ["primary-backup-semi-sync", "primary-backup-async"].contains(&name)
    }

    #[test]
    fn a_setting_that_a_system_does_not_have_is_refused() {
        let settings = [("afterr".to_owned(), "1".to_owned())].into();
        for entry in SYSTEMS {
            let error = (entry.build)(None, &settings).err().map(|e| e.key);
            assert_eq!(error.as_deref(), Some("afterr"), "{}", entry.name);
        }
    }
}
