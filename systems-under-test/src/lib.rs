//! The zoo: replicated stores, correct ones and their broken twins, to be run under the harness.
//!
//! A correct system keeps its promise under every fault it says it tolerates; a twin differs from it by one mistake, named in its
//! entry. To add a system, add a file with its `ENTRY` and a line in [`SYSTEMS`].

mod crdt_gossip;
mod desk;
mod foca_members;
mod journal;
mod madsim_etcd;
mod majority_files;
mod misbehaving;
mod objects;
mod openraft_env;
mod openraft_kv;
mod openraft_store;
mod primary_backup;
mod primary_backup_async;
mod primary_backup_semi_sync;
mod primary_backup_sync;
mod quorum_register;
mod raft_rs_kv;
mod redb_store;
mod sessions;
mod single_copy;

use squall::catalogue::SystemEntry;

/// Every system. A static, so that what is made of them on each simulator is compiled here, and not in every program that names them.
pub static SYSTEMS: &[SystemEntry] = &[
    raft_rs_kv::ENTRY,
    quorum_register::ENTRY,
    primary_backup_sync::ENTRY,
    primary_backup_semi_sync::ENTRY,
    primary_backup_async::ENTRY,
    single_copy::ENTRY,
    majority_files::ENTRY,
    crdt_gossip::ENTRY,
    redb_store::ENTRY,
    foca_members::ENTRY,
    openraft_env::ENTRY,
    openraft_kv::ENTRY,
    madsim_etcd::ENTRY,
    misbehaving::ENTRY,
];

#[cfg(test)]
mod tests {
    use squall::{
        engine::{
            run::run_plan,
            spec::{Registry, Spec},
        },
        plan::{Fault, FaultKind, Plan, SECOND, Target},
        simulators::Options,
    };
    use squall_workloads::{WORKLOADS, workload::Settings};

    use super::*;

    #[test]
    fn every_system_builds_correct_and_with_each_of_its_bugs() {
        for entry in SYSTEMS {
            for bug in [None].into_iter().chain(entry.bugs.iter().map(|bug| Some(bug.name))) {
                let built = (entry.build)(bug, &Settings::new());
                let promise = built.unwrap_or_else(|e| panic!("{} with {bug:?}: {e}", entry.name)).promise();
                let expected = match entry.name {
                    "primary-backup-semi-sync" | "primary-backup-async" => "causal",
                    "crdt-gossip" => "strong-eventual",
                    "foca-members" => "eventual-accuracy",
                    _ => "linearizable",
                };
                assert_eq!(promise.model, expected, "{}", entry.name);
            }
        }
    }

    #[test]
    fn in_a_burst_clients_ask_more_often_and_what_they_ask_more_does_not_count() {
        let registry = Registry { systems: SYSTEMS, workloads: WORKLOADS };
        let spec = Spec { nemeses: vec!["none".to_owned()], ..Spec::of("single-copy") };
        let job = spec.resolve(&registry).expect("the names are known");
        let mut plan = job.plan(1);
        let run = |plan: &Plan| {
            let outcome = run_plan(&job.arena.subject(), plan, Options::default()).expect("the plan can be run");
            let execution = outcome.execution.expect("a run");
            let asked = |from: u64, to: u64| {
                let invoked = execution.history.entries.iter().map(|e| e.invoked.time());
                invoked.filter(|at| (from * SECOND..to * SECOND).contains(at)).count()
            };
            (asked(0, 5), asked(5, 8), asked(8, 20), execution.faults.iter().map(|f| f.effects).sum::<u64>())
        };
        let calm = run(&plan);
        let kind = FaultKind::Burst { factor: 4, hot_permille: 0 };
        plan.faults = vec![Fault { id: 1, begins_ns: 5 * SECOND, lasts_ns: 3 * SECOND, target: Target::All, kind }];
        let burst = run(&plan);
        assert_eq!(calm.0, burst.0, "nothing changes before it");
        assert!((3 * calm.1..5 * calm.1).contains(&burst.1), "{calm:?}, {burst:?}");
        assert!(burst.2 > calm.2 * 9 / 10, "there is enough left to ask: {calm:?}, {burst:?}");
        assert!(calm.3 == 0 && burst.3 >= burst.1 as u64, "each operation is an effect");
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
