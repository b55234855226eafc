//! Entropy that code asks the machine for, not its `Env`: with both cfgs it is the seed's own on turmoil and on madsim.

#![expect(clippy::disallowed_types, reason = "the test asks what is disallowed whether the seed rules it")]
#![cfg(all(madsim, tokio_unstable))]

use std::{collections::HashMap, sync::Arc, time::SystemTime};

use squall::{
    Env, Failed, Promise, Result, System,
    environment::Reply,
    plan::{Cluster, Latency, Load, MILLISECOND, Operations, Phases, Plan, SECOND, Settings, WorkloadPlan},
    simulators::{AnySystem, Execution, Options, Simulator},
};
use squall_checkers::operation::{Interface, Operation};

/// A store of nothing, whose clients are told what they would rather not depend on.
struct Entropic;

impl System for Entropic {
    type Client = ();

    fn promise(&self) -> Promise {
        Promise::new(Interface::REGISTER, "linearizable")
    }

    async fn serve(&self, _: Env) -> Result<()> {
        std::future::pending().await
    }

    async fn connect(&self, _: &Env) -> Result<()> {
        Ok(())
    }

    async fn invoke(&self, (): &mut (), env: &Env, _: &Operation) -> Result<Reply> {
        env.sleep(std::time::Duration::from_millis(3)).await;
        let branch = tokio::select! {
            () = async {} => 0,
            () = async {} => 1,
            () = async {} => 2,
        };
        let order: HashMap<i64, ()> = (0..8).map(|n| (n, ())).collect();
        let order = order.into_keys().fold(0_i64, |all, n| all * 8 + n);
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_nanos();
        let mut drawn = [0; 8];
        getrandom::fill(&mut drawn)?;
        Err(Failed::No(format!("{branch} {order} {wall} {drawn:?}")))
    }
}

fn plan(seed: u64) -> Plan {
    Plan {
        seed,
        system: "entropic".to_owned(),
        settings: Settings::new(),
        cluster: Cluster {
            nodes: 1,
            clients: 2,
            latency: Latency { min_ns: MILLISECOND, max_ns: 5 * MILLISECOND }.into(),
        },
        workload: WorkloadPlan {
            name: "register".to_owned(),
            settings: Settings::new(),
            timeout_ns: SECOND,
            operations: Operations::Generated { interval_ns: 100 * MILLISECOND, load: Load::Open, limit: 20 },
        },
        phases: Phases { chaos_ns: SECOND, settle_ns: SECOND, final_reads: false },
        faults: vec![],
    }
}

fn run(simulator: Simulator, seed: u64) -> Execution {
    let register = squall_workloads::WORKLOADS.iter().find(|w| w.name == "register").expect("it comes with squall");
    let run = move || {
        Arc::new(Entropic).run(simulator, &plan(seed), register.workload, Options::default()).expect("a plan to run")
    };
    std::thread::spawn(run).join().expect("a run catches panics")
}

#[test]
fn select_hash_maps_getrandom_and_the_system_clock_are_the_seeds_own() {
    for simulator in [Simulator::Turmoil, Simulator::Madsim] {
        for seed in 0..20 {
            let (one, other) = (run(simulator, seed), run(simulator, seed));
            assert_eq!(one.history.entries.len(), 20);
            assert_eq!(one.history, other.history, "{simulator:?}, seed {seed}");
        }
        assert_ne!(run(simulator, 1).history, run(simulator, 2).history, "{simulator:?}");
    }
}
