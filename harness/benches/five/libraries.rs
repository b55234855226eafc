//! The same scenario hosted in the libraries' simulators, against the native hosts; and written for the libraries by hand, which
//! shows what our layer costs there. All in one loop.

use squall::simulators::Simulator;

use super::{Datagrams, Plan, Register, by_hand, figures, median, run, run_on, timed};

/// Runs of each; they take seconds.
const REPETITIONS: usize = 3;

/// The messages delivered and the operations completed.
type Figures = (u64, u64);

/// The scenario as written for a library by hand, where that library is in this build.
fn hand_written(simulator: Simulator) -> Option<fn(&Plan) -> Figures> {
    match simulator {
        #[cfg(feature = "turmoil")]
        Simulator::Turmoil => Some(by_hand::in_turmoil::run),
        #[cfg(madsim)]
        Simulator::Madsim => Some(by_hand::in_madsim::run),
        _ => None,
    }
}

/// Prints what turmoil and madsim take, beside what the native hosts take.
pub(super) fn compare(five: &Plan) {
    for simulator in [Simulator::Turmoil, Simulator::Madsim] {
        let entry = simulator.entry();
        let Some(hand_written) = hand_written(simulator) else {
            println!("{:10} not in this build; it needs {}", entry.name, entry.needs);
            continue;
        };
        let (mut node, mut env) = (vec![], vec![]);
        let (mut nodes, mut systems, mut hands) = (vec![], vec![], vec![]);
        let (mut counts, mut hand_counts) = ((0, 0), (0, 0));
        for _ in 0..REPETITIONS {
            node.push(timed(|| run(Register::default(), five)).0);
            env.push(timed(|| run(Datagrams, five)).0);
            nodes.push(timed(|| run_on(simulator, Register::default(), five)).0);
            let (time, execution) = timed(|| run_on(simulator, Datagrams, five));
            systems.push(time);
            counts = figures(&execution);
            let (time, figures) = timed(|| hand_written(five));
            hands.push(time);
            hand_counts = figures;
        }
        let (node, env) = (median(&mut nodes) / median(&mut node), median(&mut systems) / median(&mut env));
        let (system, hand) = (median(&mut systems), median(&mut hands));
        println!(
            "{:10} median {system:7.1} ms as a system, {env:4.1}x the Env host; {:7.1} ms as nodes, {node:4.1}x the Node host  \
             ({} messages, {} operations ok)",
            entry.name,
            median(&mut nodes),
            counts.0,
            counts.1,
        );
        println!(
            "{:10} median {hand:7.1} ms by hand: our layer costs {:+.0}% for each message  ({} messages, {} operations ok)",
            "",
            100.0 * (system / counts.0 as f64 / (hand / hand_counts.0 as f64) - 1.0),
            hand_counts.0,
            hand_counts.1,
        );
    }
}
