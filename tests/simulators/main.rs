//! Every simulator of this binary runs every system of the zoo, under the default faults, and the same run twice is the same.

mod entropy;
#[cfg(all(feature = "etcd", madsim))]
mod etcd;
mod real;

use squall::{
    catalogue::SystemEntry,
    engine::{
        run::{self, Class, Outcome},
        spec::{Job, Registry, Spec},
    },
    plan::{Plan, Settings},
    simulators::{Options, SIMULATORS, SimulatorEntry},
};
use squall_systems::SYSTEMS;

/// The system whose mistakes are those of a program, not of a store.
const MISBEHAVING: &str = "misbehaving";

fn deterministic() -> impl Iterator<Item = &'static SimulatorEntry> {
    SIMULATORS.iter().filter(|entry| entry.deterministic && entry.simulator.is_built())
}

fn job(system: &str, simulator: &str) -> Job {
    let registry = Registry { systems: SYSTEMS, workloads: squall_workloads::WORKLOADS };
    let spec = Spec { simulator: Some(simulator.to_owned()), ..Spec::of(system) };
    spec.resolve(&registry).unwrap_or_else(|e| panic!("{system} on {simulator}: {e}"))
}

/// What is written for one simulator's library runs there alone, and is not there at all in a binary that lacks it.
fn runs_on(system: &SystemEntry, simulator: &SimulatorEntry) -> bool {
    let built = (system.build)(None, &Settings::new()).expect("it can be built with its defaults");
    built.check(simulator.simulator).is_ok()
}

fn outcome(job: &Job, plan: &Plan) -> Outcome {
    run::run_plan(&job.arena.subject(), plan, Options::default()).expect("a drawn plan can be run")
}

#[test]
fn every_simulator_runs_every_correct_system() {
    for simulator in deterministic() {
        for system in SYSTEMS.iter().filter(|system| system.name != MISBEHAVING && runs_on(system, simulator)) {
            let job = job(system.name, simulator.name);
            for seed in 0..3 {
                let outcome = outcome(&job, &job.plan(seed));
                let class = outcome.class();
                assert_eq!(class, Class::Valid, "{} on {}, seed {seed}: {outcome:?}", system.name, simulator.name);
            }
        }
    }
}

#[test]
fn a_plan_strikes_the_same_nodes_at_the_same_times_on_every_simulator() {
    for system in ["quorum-register", "majority-files"] {
        for seed in 0..3 {
            let faults = deterministic().map(|simulator| {
                let job = job(system, simulator.name);
                let execution = outcome(&job, &job.plan(seed)).execution.expect("it ran");
                let struck: Vec<_> = execution.faults.iter().map(|f| (f.id, f.nodes.clone(), f.unresolved)).collect();
                (simulator.name, struck)
            });
            let faults: Vec<_> = faults.collect();
            for (name, struck) in &faults {
                assert_eq!(struck, &faults[0].1, "{system}, seed {seed}: {name} against {}", faults[0].0);
            }
        }
    }
}

#[test]
fn the_same_run_in_two_threads_is_the_same() {
    for simulator in deterministic() {
        let systems = ["quorum-register", "majority-files", "openraft-env", "openraft-kv"];
        for system in SYSTEMS.iter().filter(|s| systems.contains(&s.name) && runs_on(s, simulator)).map(|s| s.name) {
            let job = job(system, simulator.name);
            for seed in 0..3 {
                let plan = job.plan(seed);
                let [one, other] = [(); 2].map(|()| outcome(&job, &plan).execution.expect("it ran"));
                assert_eq!(one.digest, other.digest, "{system} on {}, seed {seed}", simulator.name);
                assert_eq!(one.history, other.history, "{system} on {}, seed {seed}", simulator.name);
            }
        }
    }
}

#[test]
fn what_code_does_to_its_process_is_caught_everywhere() {
    for simulator in deterministic() {
        for (bug, kind) in [("panics", "panic"), ("spins", "step-limit")] {
            let job = job(&format!("{MISBEHAVING}:{bug}"), simulator.name);
            let outcome = outcome(&job, &job.plan(10));
            let found = outcome.failure.map(|failure| failure.kind.to_string());
            assert_eq!(found.as_deref(), Some(kind), "{bug} on {}", simulator.name);
        }
    }
}
