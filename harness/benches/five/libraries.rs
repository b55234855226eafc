//! The same scenario hosted in the libraries' simulators, against the native hosts.

use squall::simulators::Simulator;

use super::{Datagrams, Plan, Register, figures, median, run_on, timed};

/// Runs of each; they take seconds.
const REPETITIONS: usize = 3;

/// Prints what turmoil and madsim take, `node_ms` and `env_ms` being what the native hosts took.
pub(super) fn compare(five: &Plan, node_ms: f64, env_ms: f64) {
    for simulator in [Simulator::Turmoil, Simulator::Madsim] {
        let entry = simulator.entry();
        if !simulator.is_built() {
            println!("{:10} not in this build; it needs {}", entry.name, entry.needs);
            continue;
        }
        let mut nodes = Vec::new();
        let mut systems = Vec::new();
        let mut counts = (0, 0);
        for _ in 0..REPETITIONS {
            nodes.push(timed(|| run_on(simulator, Register::default(), five)).0);
            let (time, execution) = timed(|| run_on(simulator, Datagrams, five));
            systems.push(time);
            counts = figures(&execution);
        }
        let (node, system) = (median(&mut nodes), median(&mut systems));
        let (messages, operations) = counts;
        println!(
            "{:10} median {system:7.1} ms as a system, {:4.1}x the Env host; {node:7.1} ms as nodes, {:4.1}x the Node host  \
             ({messages} messages, {operations} operations ok)",
            entry.name,
            system / env_ms,
            node / node_ms,
        );
    }
}
