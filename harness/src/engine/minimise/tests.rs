//! The minimiser against toy systems whose smallest failures are known.

use std::collections::BTreeSet;

use proptest::prelude::*;
use squall_checkers::operation::Operation;
use squall_reports::records::Signature;

use super::*;
use crate::plan::{
    Cluster, Fault, FaultClass, FaultKind, Latency, Load, Loss, MILLISECOND, NodeId, Phases, SECOND, Scripted,
    Settings, Shape, Target, Tolerates, WorkloadPlan,
};

fn signature(checker: &str) -> Signature {
    Signature { system: "toy".to_owned(), checker: checker.to_owned(), anomaly: "stale-read".to_owned() }
}

fn rules(plan: &Plan) -> Rules {
    Rules::new(plan, &signature("linearizable"), &Tolerates::all_but(&[]))
}

/// Fault `id` is a crash of the leader for a second from second `id` on.
fn fault(id: u32) -> Fault {
    Fault {
        id,
        begins_ns: u64::from(id) * SECOND,
        lasts_ns: SECOND,
        target: Target::Leader,
        kind: FaultKind::Crash { loss: Loss::Torn },
    }
}

/// Clients ask in turn, each operation half a second after the one before; the value written is the operation's number.
fn operation(number: u32) -> Scripted {
    let at = u64::from(number) * SECOND / 2;
    Scripted {
        client: number % 5,
        process: number % 5,
        home: Some(number % 3),
        invoked_ns: at,
        replied_ns: Some(at + 10 * MILLISECOND),
        operation: Operation::write(i64::from(number % 3), i64::from(number)),
    }
}

fn plan(faults: u32, operations: u32) -> Plan {
    Plan {
        seed: 1,
        system: "toy".to_owned(),
        settings: Settings::new(),
        cluster: Cluster { nodes: 5, clients: 5, latency: Latency { min_ns: 1, max_ns: 2 }.into() },
        workload: WorkloadPlan {
            name: "register".to_owned(),
            settings: Settings::new(),
            timeout_ns: SECOND,
            operations: Operations::Generated { interval_ns: SECOND, load: Load::Closed, limit: operations },
        },
        phases: Phases { chaos_ns: 40 * SECOND, settle_ns: 5 * SECOND, final_reads: true },
        faults: (1..=faults).map(fault).collect(),
    }
}

/// What a toy run shows: it does exactly what the script says, or asks `limit` operations.
fn shown(plan: &Plan, culprits: impl Fn(&Scripted) -> bool) -> Seen {
    let operations = match &plan.workload.operations {
        Operations::Generated { limit, .. } => (0..*limit).map(operation).collect(),
        Operations::Script(script) => script.clone(),
    };
    let whom = |f: &Fault| match &f.target {
        Target::Nodes(nodes) => nodes.clone(),
        _ => vec![NodeId(f.id % plan.cluster.nodes)],
    };
    Seen {
        culprits: (0..operations.len()).filter(|i| culprits(&operations[*i])).collect(),
        operations,
        final_reads: Vec::new(),
        struck: plan.faults.iter().map(|f| (f.id, whom(f))).collect(),
    }
}

/// A toy that fails when these faults and these operations are there, and so many nodes.
fn needs(
    faults: impl IntoIterator<Item = u32>,
    operations: impl IntoIterator<Item = u32>,
    nodes: u32,
) -> impl Fn(&Plan) -> Option<Seen> {
    let faults: BTreeSet<u32> = faults.into_iter().collect();
    let operations: BTreeSet<i64> = operations.into_iter().map(i64::from).collect();
    move |plan| {
        let needed = |o: &Scripted| o.operation.args.as_int().is_some_and(|n| operations.contains(&n));
        // The anomaly speaks of some of the operations it needs only.
        let seen = shown(plan, |o| needed(o) && o.operation.args.as_int().is_some_and(|n| n % 2 == 0));
        let fails = faults.iter().all(|id| plan.faults.iter().any(|f| f.id == *id))
            && seen.operations.iter().filter(|o| needed(o)).count() == operations.len()
            && plan.cluster.nodes >= nodes;
        fails.then_some(seen)
    }
}

fn run(plan: &Plan, rules: Rules, toy: impl Fn(&Plan) -> Option<Seen>, runs: u64) -> Minimised {
    let seen = toy(plan).expect("the first plan fails");
    let mut trial = |p: &Plan| toy(p);
    let mut last = 0;
    let mut progress = |p: Progress| {
        assert_eq!(p.runs, last + 1, "each run is told of");
        last = p.runs;
    };
    minimise(plan, seen, rules, &mut trial, runs.into(), &mut progress)
}

#[test]
fn when_the_time_is_up_no_other_run_begins_and_what_there_is_is_kept() {
    let (first, fails) = (plan(12, 60), needs([3, 7], [10, 11, 40], 2));
    let seen = fails(&first).expect("it fails");
    let effort = Effort { runs: 2_000, span: Some(Duration::ZERO) };
    let small = minimise(&first, seen, rules(&first), &mut |p| fails(p), effort, &mut |_| {});
    assert_eq!((small.plan, small.runs, small.minimal), (first, 0, false));
}

/// A toy whose runs are slow: what is scripted early happens a second later, and then the last two nodes are needed.
fn slow(plan: &Plan) -> Option<Seen> {
    let mut seen = needs([], [10, 11], 1)(plan)?;
    let begins = seen.operations.first().map_or(0, |o| o.invoked_ns);
    for operation in &mut seen.operations {
        operation.invoked_ns += SECOND;
        operation.replied_ns = operation.replied_ns.map(|ns| ns + SECOND);
    }
    (plan.cluster.nodes > 3 || begins < SECOND).then_some(seen)
}

#[test]
fn what_a_pass_undoes_at_its_end_leaves_nothing_untried() {
    let small = run(&plan(0, 60), rules(&plan(0, 60)), slow, 2_000);
    assert_eq!(small.after, Counts { faults: 0, operations: 2, clients: 1, nodes: 1 });
}

fn script(plan: &Plan) -> &[Scripted] {
    let Operations::Script(script) = &plan.workload.operations else { panic!("no script") };
    script
}

#[test]
fn what_is_needed_stays_and_nothing_else() {
    let first = plan(12, 60);
    let small = run(&first, rules(&first), needs([3, 7], [10, 11, 40], 2), 2_000);
    assert!(small.minimal && small.frozen);
    assert_eq!(small.plan.faults.iter().map(|f| f.id).collect::<Vec<_>>(), [3, 7]);
    let numbers: Vec<_> = script(&small.plan).iter().map(|o| o.operation.args.as_int()).collect();
    assert_eq!(numbers, [Some(10), Some(11), Some(40)]);
    assert_eq!(small.before, Counts { faults: 12, operations: 60, clients: 5, nodes: 5 });
    assert_eq!(small.after, Counts { faults: 2, operations: 3, clients: 1, nodes: 2 });
}

#[test]
fn what_remains_is_short_and_plain() {
    let first = plan(12, 60);
    let small = run(&first, rules(&first), needs([3, 7], [10, 40], 3), 2_000).plan;
    for fault in &small.faults {
        assert_eq!(fault.kind, FaultKind::Crash { loss: Loss::Kept });
        assert!(fault.lasts_ns <= 25 * MILLISECOND, "{} ns", fault.lasts_ns);
        assert!(matches!(&fault.target, Target::Nodes(nodes) if nodes.len() == 1), "roles are named");
    }
    assert!(small.phases.chaos_ns < SECOND, "{:?}", small.phases);
    assert_eq!((small.phases.settle_ns, small.phases.final_reads), (0, false));
    assert!(script(&small).iter().all(|o| o.invoked_ns < SECOND), "idle time is gone");
}

#[test]
fn what_only_chance_needs_goes_under_another_seed() {
    let first = plan(4, 60);
    let needed = needs([2], [10], 1);
    // Under the first seed many more operations must be there for the right node to be elected; a culprit alone is not enough.
    let toy = |plan: &Plan| {
        let seen = needed(plan)?;
        (plan.seed != first.seed || seen.operations.len() >= 20).then_some(seen)
    };
    let small = run(&first, rules(&first), toy, 2_000);
    assert!(small.minimal && toy(&small.plan).is_some());
    assert_eq!((small.after.faults, small.after.operations), (1, 1));
    assert_ne!(small.plan.seed, first.seed);
}

#[test]
fn a_failure_that_no_script_shows_keeps_its_generated_operations() {
    let toy = |plan: &Plan| {
        let Operations::Generated { limit, .. } = plan.workload.operations else { return None };
        (limit >= 10 && plan.faults.iter().any(|f| f.id == 2)).then(|| shown(plan, |_| false))
    };
    let first = plan(6, 60);
    let small = run(&first, rules(&first), toy, 500);
    assert!(!small.frozen && small.minimal);
    assert_eq!(small.after.faults, 1);
    assert_eq!(small.after.operations, 15, "the limit is halved while it fails");
}

#[test]
fn a_run_that_took_the_simulator_with_it_can_be_made_smaller_too() {
    let first = plan(6, 60);
    let toy = |plan: &Plan| plan.faults.iter().any(|f| f.id == 2).then(Seen::default);
    let small = run(&first, Rules::new(&first, &signature("execution"), &Tolerates::all_but(&[])), toy, 500);
    assert_eq!(small.after.faults, 1, "although nothing is known of whom it struck");
}

#[test]
fn what_was_found_is_kept_when_the_runs_are_spent() {
    let first = plan(12, 60);
    let toy = needs([3, 7], [10, 11, 40], 2);
    for runs in [0, 1, 2, 5, 10, 20, 40] {
        let small = run(&first, rules(&first), &toy, runs);
        assert!(small.runs <= runs && !small.minimal);
        assert!(toy(&small.plan).is_some(), "after {runs} runs");
    }
}

#[test]
fn a_smaller_cluster_does_not_leave_the_promise() {
    let first = plan(1, 20);
    let few = Tolerates::these(&[FaultClass::Crash, FaultClass::PowerLoss]).in_a_minority();
    let small = run(&first, Rules::new(&first, &signature("linearizable"), &few), needs([1], [4], 1), 500);
    assert_eq!(small.after.nodes, 3, "of two nodes one is no minority");
}

#[test]
fn a_kind_outside_the_promise_is_no_simplification() {
    let mut first = plan(1, 20);
    first.faults[0].kind = FaultKind::Drop { permille: 500 };
    let kind = |classes: &[FaultClass]| {
        let rules = Rules::new(&first, &signature("linearizable"), &Tolerates::these(classes));
        run(&first, rules, needs([1], [4], 1), 500).plan.faults[0].kind.name()
    };
    assert_eq!(kind(&[FaultClass::Drop]), "drop");
    assert_eq!(kind(&[FaultClass::Drop, FaultClass::Partition]), "partition");
}

#[test]
fn divergence_keeps_peace_and_final_reads() {
    let first = plan(3, 20);
    let rules = Rules::new(&first, &signature("convergence"), &Tolerates::all_but(&[]));
    let small = run(&first, rules, needs([2], [4], 1), 500).plan;
    assert_eq!((small.phases.settle_ns, small.phases.final_reads), (5 * SECOND, true));
    assert_eq!(script(&small).len(), 1);
}

#[test]
fn no_progress_keeps_peace_and_an_operation_late_in_it() {
    let mut first = plan(3, 90);
    first.phases.chaos_ns = 40 * SECOND;
    let rules = Rules::new(&first, &signature("liveness"), &Tolerates::all_but(&[]));
    let small = run(&first, rules, needs([2], [], 1), 2_000).plan;
    assert_eq!(small.phases.settle_ns, 5 * SECOND);
    assert!(!small.phases.final_reads);
    let late = small.phases.chaos_ns + small.phases.settle_ns / 2;
    assert_eq!(script(&small).len(), 1);
    assert!(script(&small)[0].invoked_ns >= late, "{small:?}");
}

/// The plan without each of its faults, operations, clients and nodes in turn.
fn one_less(plan: &Plan) -> Vec<Plan> {
    let changed = |change: &dyn Fn(&mut Plan)| {
        let mut less = plan.clone();
        change(&mut less);
        less
    };
    let fault = |i| changed(&|p| drop(p.faults.remove(i)));
    let operation = |i| {
        changed(&|p| {
            let Operations::Script(script) = &mut p.workload.operations else { panic!("no script") };
            script.remove(i);
        })
    };
    let more_than_one = |count: u32| (0..count).filter(move |_| count > 1);
    let faults = (0..plan.faults.len()).map(fault);
    let operations = (0..script(plan).len()).map(operation);
    let clients = more_than_one(plan.cluster.clients).map(|c| parts::without_client(plan, c));
    let nodes = more_than_one(plan.cluster.nodes).map(|n| parts::without_node(plan, n));
    faults.chain(operations).chain(clients).chain(nodes).collect()
}

#[test]
fn a_part_is_taken_away_as_a_whole() {
    let mut whole = plan(2, 0);
    whole.workload.operations = Operations::Script((0..10).map(operation).collect());
    whole.faults[0].target = Target::Nodes(vec![NodeId(1)]);
    whole.faults[1].target = Target::Nodes(vec![NodeId(0), NodeId(1), NodeId(3)]);
    whole.faults[1].kind = FaultKind::Partition { shape: Shape::Split, flap_ns: None, clients: false };
    let node = parts::without_node(&whole, 1);
    assert_eq!(node.faults.len(), 1, "a fault that strikes nobody goes");
    assert_eq!(node.faults[0].target, Target::Nodes(vec![NodeId(0), NodeId(2)]));
    let homes: Vec<_> = script(&node).iter().take(3).map(|o| o.home).collect();
    assert_eq!(homes, [Some(0), Some(1), Some(1)], "who preferred it prefers another one");
    let client = parts::without_client(&whole, 1);
    assert_eq!(client.cluster.clients, 4);
    assert_eq!(script(&client).len(), 8);
    assert!(script(&client).iter().all(|o| o.client < 4));
    let less = one_less(&whole);
    assert_eq!(less.len(), 2 + 10 + 5 + 5);
    for plan in less {
        assert_eq!(plan.validate(), Ok(()), "{plan:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_single_part_can_be_taken_away(
        faults in prop::collection::btree_set(1_u32..13, 0..4),
        operations in prop::collection::btree_set(0_u32..50, 0..6),
        nodes in 1_u32..6,
    ) {
        let first = plan(12, 50);
        let toy = needs(faults, operations, nodes);
        let small = run(&first, rules(&first), &toy, 5_000);
        prop_assert!(small.minimal);
        prop_assert!(toy(&small.plan).is_some());
        for less in one_less(&small.plan) {
            prop_assert!(toy(&less).is_none(), "of {:?} this is enough: {:?}", small.plan, less);
        }
        let again = run(&first, rules(&first), &toy, 5_000);
        prop_assert_eq!(small, again);
    }
}
