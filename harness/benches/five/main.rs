//! Scenario "5+5": five replicas, five clients, 100 operations a second each for 60 simulated seconds: 30,000 operations and
//! 300,000 messages, 1-5 ms latency, one core. Both native hosts against a bare heap, interleaved, medians compared; then
//! gossip among 500 nodes, and two campaigns' jobs against one.
//!
//! `cargo bench -p squall --bench five [-- REPETITIONS [DRIVER]]`; with a name, that driver
//! alone, for a profiler.

#![expect(clippy::disallowed_types, reason = "a benchmark measures real time")]

mod bare;
#[cfg_attr(not(any(feature = "turmoil", madsim)), expect(dead_code, reason = "neither library is in this build"))]
mod by_hand;
mod gossip;
mod libraries;
mod register;

use std::{sync::Arc, time::Instant};

use squall::{
    System,
    plan::{Cluster, Latency, Load, MILLISECOND, Operations, Phases, Plan, SECOND, WorkloadPlan},
    simulators::{AnySystem, Execution, Options, Simulator},
};

use self::{
    gossip::Gossip,
    register::{Datagrams, Register, WORKLOAD},
};

fn plan(seed: u64, nodes: u32, clients: u32, interval_ns: u64) -> Plan {
    Plan {
        seed,
        system: "bench".to_owned(),
        settings: squall::plan::Settings::new(),
        cluster: Cluster { nodes, clients, latency: Latency { min_ns: MILLISECOND, max_ns: 5 * MILLISECOND }.into() },
        workload: WorkloadPlan {
            name: "bench".to_owned(),
            settings: squall::plan::Settings::new(),
            timeout_ns: SECOND,
            operations: Operations::Generated { interval_ns, load: Load::Open, limit: u32::MAX },
        },
        phases: Phases { chaos_ns: 59 * SECOND, settle_ns: SECOND, final_reads: false },
        faults: vec![],
    }
}

fn run(system: impl System, plan: &Plan) -> Execution {
    run_on(Simulator::Native, system, plan)
}

fn run_on(simulator: Simulator, system: impl System, plan: &Plan) -> Execution {
    Arc::new(system).run(simulator, plan, &WORKLOAD, Options::default()).expect("the plan is valid")
}

/// Runs on a fresh thread, as campaigns do; returns the time on it in milliseconds.
fn timed<T: Send>(work: impl FnOnce() -> T + Send) -> (f64, T) {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let start = Instant::now();
            let result = work();
            (start.elapsed().as_secs_f64() * 1e3, result)
        });
        thread.join().expect("no benchmark panics")
    })
}

/// One driver alone, for a profiler.
fn alone(driver: &str, plan: &Plan) {
    match driver {
        "bare" => drop(bare::run(plan)),
        "node" => drop(run(Register::default(), plan)),
        "env" => drop(run(Datagrams, plan)),
        "turmoil" => drop(run_on(Simulator::Turmoil, Datagrams, plan)),
        "madsim" => drop(run_on(Simulator::Madsim, Datagrams, plan)),
        #[cfg(feature = "turmoil")]
        "turmoil-by-hand" => drop(by_hand::in_turmoil::run(plan)),
        #[cfg(madsim)]
        "madsim-by-hand" => drop(by_hand::in_madsim::run(plan)),
        _ => panic!("no driver `{driver}`: bare, node, env, turmoil, madsim, turmoil-by-hand, madsim-by-hand"),
    }
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn main() {
    let repetitions = std::env::args().skip(1).find_map(|a| a.parse().ok()).unwrap_or(15);
    let five = plan(1, 5, 5, 10 * MILLISECOND);
    if let Some(only) = std::env::args().skip(1).find(|a| a.parse::<u32>().is_err() && !a.starts_with('-')) {
        return (0..repetitions).for_each(|_| alone(&only, &five));
    }

    let (mut bare, mut node, mut env) = (vec![], vec![], vec![]);
    let mut counts = [(0, 0); 3];
    for _ in 0..repetitions {
        let (time, (messages, operations)) = timed(|| bare::run(&five));
        bare.push(time);
        counts[0] = (messages, operations);
        let (time, execution) = timed(|| run(Register::default(), &five));
        node.push(time);
        counts[1] = figures(&execution);
        let (time, execution) = timed(|| run(Datagrams, &five));
        env.push(time);
        counts[2] = figures(&execution);
    }
    let base = median(&mut bare);
    for (name, times, (messages, operations)) in
        [("bare heap", &mut bare, counts[0]), ("Node host", &mut node, counts[1]), ("Env host", &mut env, counts[2])]
    {
        let time = median(times);
        println!(
            "{name:10} median {time:7.1} ms  {:5.2}x bare heap  (best {:.1} ms; {messages} messages, {operations} operations ok)",
            time / base,
            times[0]
        );
    }

    libraries::compare(&five);

    let gossip = plan(1, 500, 5, SECOND);
    let mut times: Vec<f64> = (0..3).map(|_| timed(|| run(Gossip::default(), &gossip)).0).collect();
    let execution = run(Gossip::default(), &gossip);
    println!(
        "gossip, 500 nodes, 60 simulated s: median {:.0} ms ({} messages, {} events)",
        median(&mut times),
        execution.statistics.messages,
        execution.statistics.events
    );

    let mut rates = [0.0, 0.0];
    for (jobs, rate) in [1_u64, 2].into_iter().zip(&mut rates) {
        const SEEDS: u64 = 40;
        let start = Instant::now();
        std::thread::scope(|scope| {
            for job in 0..jobs {
                scope.spawn(move || {
                    for seed in 0..SEEDS {
                        let plan = plan(job * SEEDS + seed, 5, 5, 10 * MILLISECOND);
                        // What a run leaves goes on its own thread, as in a worker.
                        timed(|| run(Register::default(), &plan).statistics);
                    }
                });
            }
        });
        *rate = (jobs * SEEDS) as f64 / start.elapsed().as_secs_f64();
        println!("{jobs} job(s), a fresh thread per seed: {rate:.1} seeds/s");
    }
    println!("two jobs give {:.2}x the seeds/s of one", rates[1] / rates[0]);
}

fn figures(execution: &Execution) -> (u64, u64) {
    (execution.statistics.messages, execution.history.entries.iter().filter(|e| e.is_ok()).count() as u64)
}
