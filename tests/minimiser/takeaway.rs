//! Plans with one part less, written from what a plan says and without the minimiser's own code, which is what is tested here.

use squall::plan::{NodeId, Operations, Plan, Target};

/// A plan with one part less, and which part that is.
pub(crate) struct Less {
    pub(crate) part: String,
    pub(crate) plan: Plan,
}

/// The plan without each of its faults, operations, clients and nodes in turn. The last client and the last node stay: without
/// them there is nothing to run.
pub(crate) fn one_less(plan: &Plan) -> Vec<Less> {
    let faults = plan.faults.iter().map(|f| less(format!("fault {}", f.id), without_fault(plan, f.id)));
    let operations = (0..script_length(plan)).map(|i| less(format!("operation {i}"), without_operation(plan, i)));
    let of = |count: u32| (0..count).filter(move |_| count > 1);
    let clients = of(plan.cluster.clients).map(|c| less(format!("client {c}"), without_client(plan, c)));
    let nodes = of(plan.cluster.nodes).map(|n| less(format!("node {n}"), without_node(plan, n)));
    faults.chain(operations).chain(clients).chain(nodes).collect()
}

fn less(part: String, plan: Plan) -> Less {
    assert_eq!(plan.validate(), Ok(()), "without {part}");
    Less { part, plan }
}

fn script_length(plan: &Plan) -> usize {
    match &plan.workload.operations {
        Operations::Script(script) => script.len(),
        Operations::Generated { .. } => 0,
    }
}

fn without_fault(plan: &Plan, id: u32) -> Plan {
    let faults = plan.faults.iter().filter(|f| f.id != id).cloned().collect();
    Plan { faults, ..plan.clone() }
}

fn without_operation(plan: &Plan, index: usize) -> Plan {
    let mut plan = plan.clone();
    if let Operations::Script(script) = &mut plan.workload.operations {
        script.remove(index);
    }
    plan
}

/// Machines are numbered without gaps: those after the one that goes move up.
fn moved_up(number: u32, gone: u32) -> u32 {
    if number > gone { number - 1 } else { number }
}

/// With a client goes all that it asked.
fn without_client(plan: &Plan, gone: u32) -> Plan {
    let mut plan = plan.clone();
    plan.cluster.clients -= 1;
    if let Operations::Script(script) = &mut plan.workload.operations {
        script.retain(|o| o.client != gone);
        for operation in script {
            operation.client = moved_up(operation.client, gone);
        }
    }
    plan
}

/// With a node go the faults that struck it alone; those who preferred it prefer the one that moved up to its place, or the first.
fn without_node(plan: &Plan, gone: u32) -> Plan {
    let mut plan = plan.clone();
    plan.cluster.nodes -= 1;
    plan.faults.retain(|f| f.target != Target::Nodes(vec![NodeId(gone)]));
    for fault in &mut plan.faults {
        if let Target::Nodes(nodes) = &mut fault.target {
            *nodes = nodes.iter().filter(|n| n.0 != gone).map(|n| NodeId(moved_up(n.0, gone))).collect();
        }
    }
    if let Operations::Script(script) = &mut plan.workload.operations {
        for home in script.iter_mut().filter_map(|o| o.home.as_mut()) {
            *home = if *home == gone { gone % plan.cluster.nodes } else { moved_up(*home, gone) };
        }
    }
    plan
}
