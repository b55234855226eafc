//! The same code in real time: faults strike it, and what a busy machine does to a run is no verdict on the store.

use std::{sync::Arc, time::Duration};

use squall::{
    Env, Failed, Promise, Result, System,
    engine::{
        run::{self, Class, Outcome, Subject},
        spec::{Job, Registry, Spec},
    },
    environment::Reply,
    plan::{MILLISECOND, Plan},
    simulators::{AnySystem, Options, Simulator},
};
use squall_checkers::operation::{Interface, Operation};
use squall_systems::SYSTEMS;

fn job(system: &str) -> Job {
    let registry = Registry { systems: SYSTEMS, workloads: squall_workloads::WORKLOADS };
    let spec = Spec { simulator: Some("real".to_owned()), ..Spec::of(system) };
    spec.resolve(&registry).unwrap_or_else(|e| panic!("{system}: {e}"))
}

/// A plan of a second and a half.
fn short(job: &Job) -> Plan {
    let mut plan = job.plan(1);
    plan.phases.chaos_ns = 700 * MILLISECOND;
    plan.phases.settle_ns = 800 * MILLISECOND;
    plan.workload.timeout_ns = 200 * MILLISECOND;
    plan.faults.clear();
    plan
}

/// Whether the machine was too busy for what has to happen by a time.
fn was_late(outcome: &Outcome) -> bool {
    outcome.execution.as_ref().expect("it ran").statistics.late_ns > 50 * MILLISECOND
}

#[test]
fn a_store_that_is_well_behaved_is_well_behaved_in_real_time() {
    for system in ["single-copy", "majority-files"] {
        let job = job(system);
        let outcome = run::run_plan(&job.arena.subject(), &short(&job), Options::default()).expect("a plan to run");
        let class = outcome.class();
        assert!(class == Class::Valid || was_late(&outcome), "{system}: {outcome:?}");
        assert!(matches!(class, Class::Valid | Class::Unknown | Class::Vacuous), "{system}: {outcome:?}");
    }
}

/// A store that answers nobody, and that may keep its machine busy for a while.
struct Silent {
    busy: Duration,
}

impl System for Silent {
    type Client = ();

    fn promise(&self) -> Promise {
        Promise::new(Interface::REGISTER, "linearizable")
    }

    async fn serve(&self, env: Env) -> Result<()> {
        env.sleep(Duration::from_millis(900)).await;
        #[expect(clippy::disallowed_methods, reason = "it takes the machine's time from all others")]
        std::thread::sleep(self.busy);
        std::future::pending().await
    }

    async fn connect(&self, _: &Env) -> Result<()> {
        Ok(())
    }

    async fn invoke(&self, (): &mut (), env: &Env, operation: &Operation) -> Result<Reply, Failed> {
        // Whoever asks early is answered, else the run would prove nothing.
        match operation.f.as_str() {
            _ if env.monotonic() > Duration::from_millis(500) => std::future::pending().await,
            "read" => Ok(Reply::Nil),
            _ => Err(Failed::No("nothing is kept here".to_owned())),
        }
    }
}

#[test]
fn no_progress_is_held_against_nobody_when_the_machine_was_busy() {
    let job = job("single-copy");
    let plan = short(&job);
    let of = |busy| {
        let system: Arc<dyn AnySystem> = Arc::new(Silent { busy: Duration::from_millis(busy) });
        let subject = Subject { system: &system, simulator: Simulator::Real, workload: job.arena.subject().workload };
        run::run_plan(&subject, &plan, Options::default()).expect("a plan to run")
    };
    let stuck = of(0);
    assert_eq!(stuck.class(), if was_late(&stuck) { Class::Unknown } else { Class::Invalid }, "{stuck:?}");
    let busy = of(120);
    assert_eq!(busy.class(), Class::Unknown, "{busy:?}");
    let why = busy.inconclusive().expect("it cannot be said");
    assert!(why.starts_with("liveness: this machine was busy and the run up to "), "{why}");
}
