//! Madsim's simulated etcd under both its workloads: silent as it is, and found out where its clients make a mistake.

use squall::{
    engine::{
        run::Class,
        spec::{Job, Registry, Spec},
    },
    plan::Plan,
};
use squall_systems::SYSTEMS;

use crate::outcome;

fn job(system: &str, workload: &str) -> Job {
    let registry = Registry { systems: SYSTEMS, workloads: squall_workloads::WORKLOADS };
    let spec = Spec { workload: Some(workload.to_owned()), ..Spec::of(system) };
    spec.resolve(&registry).unwrap_or_else(|e| panic!("{system} with {workload}: {e}"))
}

fn class(job: &Job, plan: &Plan) -> Class {
    outcome(job, plan).class()
}

#[test]
fn it_is_a_register_and_a_lock() {
    for workload in ["register", "lock"] {
        let job = job("madsim-etcd", workload);
        for seed in 0..10 {
            assert_eq!(class(&job, &job.plan(seed)), Class::Valid, "{workload}, seed {seed}");
        }
    }
}

#[test]
fn the_mistakes_of_its_clients_are_found() {
    for (system, workload) in [("madsim-etcd:cas-by-hand", "register"), ("madsim-etcd:short-lease", "lock")] {
        let job = job(system, workload);
        let found = (0..40).any(|seed| class(&job, &job.plan(seed)) == Class::Invalid);
        assert!(found, "{system} was not found with {workload}");
    }
}
