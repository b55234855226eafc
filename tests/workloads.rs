//! Every workload on stores that serve it: correct ones are found correct, a broken twin is found broken, and its failure
//! becomes small.
//!
//! Correct stores run under the first `SQUALL_SEEDS` seeds (2 without it). For figures:
//!
//!     SQUALL_SEEDS=300 cargo test --release --test workloads -- --nocapture

use std::{collections::BTreeSet, env};

use squall::{
    engine::{
        minimise,
        run::{Class, Outcome, run_plan},
        spec::{Job, Registry, Spec, SpecError, find_system},
    },
    plan::Plan,
    simulators::Options,
};
use squall_reports::records::Signature;
use squall_systems::SYSTEMS;
use squall_workloads::{WORKLOADS, workload::WorkloadEntry};

const REGISTRY: Registry = Registry { systems: SYSTEMS, workloads: WORKLOADS };

/// Stores that serve every workload of stores.
const STORES: [&str; 2] = ["single-copy", "raft-rs-kv"];

/// Who serves a workload that is not one of stores.
const OTHERS: &[(&str, &str)] = &[("membership", "foca-members")];

/// Everyone with every workload that it serves.
fn pairs() -> impl Iterator<Item = (&'static str, &'static WorkloadEntry)> {
    let of = |workload: &'static WorkloadEntry| {
        let other = OTHERS.iter().find(|(name, _)| *name == workload.name);
        let systems = other.map_or(STORES.to_vec(), |(_, system)| vec![*system]);
        systems.into_iter().map(move |system| (system, workload))
    };
    WORKLOADS.iter().flat_map(of)
}

/// For each workload a store with a mistake that it must bring to light.
const TWINS: &[(&str, &str)] = &[
    ("register", "raft-rs-kv:leader-local-read"),
    ("causal", "raft-rs-kv:leader-local-read"),
    ("set", "raft-rs-kv:leader-local-read"),
    ("append", "raft-rs-kv:leader-local-read"),
    ("counter", "raft-rs-kv:leader-local-read"),
    ("queue", "raft-rs-kv:ack-before-fsync"),
    ("lock", "raft-rs-kv:ack-before-fsync"),
    ("unique-ids", "raft-rs-kv:ack-before-fsync"),
    ("bank", "raft-rs-kv:torn-reads"),
    ("list-append", "raft-rs-kv:torn-reads"),
    ("rw-register", "raft-rs-kv:torn-reads"),
    ("long-fork", "raft-rs-kv:leader-local-read"),
    ("membership", "foca-members:identity-kept"),
];

/// Within so many seeds a twin must show its mistake.
const SEEDS_MAX: u64 = 300;

fn job(system: &str, workload: &str) -> Job {
    let spec = Spec { workload: Some(workload.to_owned()), ..Spec::of(system) };
    spec.resolve(&REGISTRY).unwrap_or_else(|e| panic!("{system}: {e}"))
}

fn run(job: &Job, plan: &Plan) -> Outcome {
    run_plan(&job.arena.subject(), plan, Options::default()).expect("the plan can be run")
}

#[test]
fn correct_stores_are_found_correct() {
    let seeds: u64 = env::var("SQUALL_SEEDS").map_or(2, |n| n.parse().expect("SQUALL_SEEDS"));
    for (system, workload) in pairs() {
        let job = job(system, workload.name);
        let (mut asked, mut done) = (BTreeSet::new(), BTreeSet::new());
        let (mut operations, mut succeeded) = (0, 0);
        for seed in 0..seeds {
            let outcome = run(&job, &job.plan(seed));
            let name = format!("{system}, {}, seed {seed}", workload.name);
            assert_eq!(outcome.class(), Class::Valid, "{name}: {:?}", outcome.verdicts);
            // The first is the judge of the promised model.
            assert!(outcome.verdicts[0].verdict.is_valid(), "{name}: {:?}", outcome.verdicts[0]);
            for entry in &outcome.execution.expect("a run").history.entries {
                asked.insert(entry.operation.f.to_string());
                operations += 1;
                if entry.is_ok() {
                    done.insert(entry.operation.f.to_string());
                    succeeded += 1;
                }
            }
        }
        println!("{system}, {}: {seeds} seeds, {operations} operations, {succeeded} of them done", workload.name);
        assert_eq!(asked, done, "{system}, {}: some kind of operation never succeeds", workload.name);
    }
}

#[test]
fn a_broken_twin_shows_under_every_workload_and_its_failure_becomes_small() {
    for workload in WORKLOADS {
        let (_, system) = TWINS.iter().find(|(name, _)| *name == workload.name).expect("each has a twin in TWINS");
        let job = job(system, workload.name);
        let (plan, signature) = first_failure(&job);
        let subject = job.arena.subject();
        let minimised = minimise::minimise_on(&subject, &plan, &signature, minimise::DEFAULT_RUNS, &mut |_| {})
            .expect("the plan can be run")
            .expect("it fails again");
        let after = minimised.after;
        println!(
            "{}, {system}: {} at seed {}, {} faults and {} operations after {} runs",
            workload.name, signature.anomaly, plan.seed, after.faults, after.operations, minimised.runs
        );
        // Where nothing has to be asked but what is read in the end there is nothing to freeze.
        let frozen = minimised.frozen || after.operations == 0;
        assert!(minimised.minimal && frozen, "{}: {after:?}", workload.name);
        assert!(after.operations <= 12 && after.faults <= 6, "{}: {after:?}", workload.name);
        assert!(run(&job, &minimised.plan).shows(&signature), "{}", workload.name);
    }
}

/// The first seed that shows the mistake by an anomaly that it is known for.
fn first_failure(job: &Job) -> (Plan, Signature) {
    let (system, bug) = find_system(&REGISTRY, &job.spec.system).expect("the names are known");
    let known = system.bugs.iter().find(|b| Some(b.name) == bug).expect("a bug").anomalies;
    let mut others = BTreeSet::new();
    for seed in 0..SEEDS_MAX {
        let plan = job.plan(seed);
        let outcome = run(job, &plan);
        for signature in outcome.signatures {
            if known.contains(&signature.anomaly.as_str()) {
                return (plan, signature);
            }
            others.insert(signature.anomaly);
        }
    }
    panic!("{}, {:?}: nothing in {SEEDS_MAX} seeds but {others:?}", job.spec.system, job.spec.workload)
}

#[test]
fn runs_of_one_plan_are_the_same() {
    for (system, workload) in pairs() {
        let job = job(system, workload.name);
        let plan = job.plan(7);
        let digest = || run(&job, &plan).execution.expect("a run").digest;
        assert_eq!(digest(), digest(), "{system}, {}", workload.name);
    }
}

#[test]
fn a_workload_that_is_not_served_is_refused_with_what_is() {
    let spec = Spec { workload: Some("bank".to_owned()), ..Spec::of("quorum-register") };
    let Err(error @ SpecError::Interface { .. }) = spec.resolve(&REGISTRY) else { panic!("it is served") };
    assert_eq!(
        error.to_string(),
        "`quorum-register` does not serve the workload `bank`, which speaks `bank`; it serves `register`, `causal`"
    );
}
