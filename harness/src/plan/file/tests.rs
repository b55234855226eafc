//! Plans survive their files, and bad files say what is wrong.

use proptest::{collection::vec, option, prelude::*};
use squall_checkers::{operation::Operation, value::Value};

use super::*;
use crate::plan::{
    FaultKind, Latencies, Latency, Load, Loss, NodeId, Operations, Promise, SECOND, Scripted, Shape, Target,
    draw::PlanRequest,
};

const NODES: u32 = 5;
const CLIENTS: u32 = 3;
const CHAOS_NS: u64 = 20 * SECOND;

fn shapes() -> impl Strategy<Value = Shape> {
    prop::sample::select(vec![Shape::Split, Shape::Inbound, Shape::Outbound, Shape::Ring, Shape::Bridge])
}

fn losses() -> impl Strategy<Value = Loss> {
    prop::sample::select(vec![Loss::Kept, Loss::Lost, Loss::Torn, Loss::Reordered])
}

fn targets() -> impl Strategy<Value = Target> {
    prop_oneof![
        Just(Target::All),
        prop::sample::subsequence((0..NODES).map(NodeId).collect::<Vec<_>>(), 1..=5).prop_map(Target::Nodes),
        Just(Target::Leader),
        (1..=NODES).prop_map(Target::Random),
        Just(Target::Minority),
        Just(Target::Majority),
    ]
}

/// Every kind of fault, in the order of the type.
fn kinds() -> impl Strategy<Value = FaultKind> {
    let network = prop_oneof![
        (shapes(), option::of(1_u64..), any::<bool>()).prop_map(|(shape, flap_ns, clients)| FaultKind::Partition {
            shape,
            flap_ns,
            clients
        }),
        (0..=1000_u32).prop_map(|permille| FaultKind::Drop { permille }),
        any::<u64>().prop_map(|max_ns| FaultKind::Delay { max_ns }),
        (0..=1000_u32).prop_map(|permille| FaultKind::Duplicate { permille }),
        (0..=1000_u32, any::<u64>()).prop_map(|(permille, max_ns)| FaultKind::Reorder { permille, max_ns }),
        (0..=1000_u32).prop_map(|permille| FaultKind::Corrupt { permille }),
        (0..=1000_u32, 1_u32..).prop_map(|(permille, factor)| FaultKind::Degrade { permille, factor }),
        (1_u32.., any::<u32>()).prop_map(|(per_second, queue)| FaultKind::Bandwidth { per_second, queue }),
        (1_u32.., 0..=1000_u32).prop_map(|(factor, hot_permille)| FaultKind::Burst { factor, hot_permille }),
    ];
    let machine = prop_oneof![
        losses().prop_map(|loss| FaultKind::Crash { loss }),
        Just(FaultKind::Pause),
        any::<u64>().prop_map(|service_ns| FaultKind::Slow { service_ns }),
        (1_u64.., any::<u32>()).prop_map(|(service_ns, room)| FaultKind::Inbox { service_ns, room }),
        any::<u32>().prop_map(|limit| FaultKind::Connections { limit }),
        any::<i64>().prop_map(|ns| FaultKind::ClockOffset { ns }),
        (-999_999_999_i64..).prop_map(|ppb| FaultKind::ClockDrift { ppb }),
        (any::<u64>(), 1_u64..).prop_map(|(ns, period_ns)| FaultKind::ClockJumps { ns, period_ns }),
        (any::<i64>(), 1_u64..).prop_map(|(ns, period_ns)| FaultKind::ClockStrobe { ns, period_ns }),
    ];
    let disk = prop_oneof![
        (0..=1000_u32).prop_map(|permille| FaultKind::SyncError { permille }),
        Just(FaultKind::DiskFull),
        any::<u64>().prop_map(|ns| FaultKind::DiskSlow { ns }),
        any::<u32>().prop_map(|bits| FaultKind::BitRot { bits }),
        Just(FaultKind::Wipe),
    ];
    prop_oneof![network, machine, disk]
}

fn faults() -> impl Strategy<Value = Vec<Fault>> {
    let one = (0..CHAOS_NS / 2, 1..=CHAOS_NS / 2, targets(), kinds());
    vec(one, 0..12).prop_map(|all| {
        (1..)
            .zip(all)
            .map(|(id, (begins_ns, lasts_ns, target, kind))| Fault { id, begins_ns, lasts_ns, target, kind })
            .collect()
    })
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Nil),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        ".{0,5}".prop_map(Value::from),
        vec(any::<u8>(), 0..5).prop_map(|bytes| Value::Bytes(bytes.into())),
    ];
    leaf.prop_recursive(2, 8, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::List),
            prop::collection::btree_map(inner.clone(), inner, 0..3).prop_map(Value::from)
        ]
    })
}

/// Client, home, pause before it, how long it takes, key and arguments of one operation.
type Drawn = (u32, Option<u32>, u64, Option<u64>, Value, Value);

fn scripts() -> impl Strategy<Value = Operations> {
    let one = (0..CLIENTS, option::of(0..NODES), 0..SECOND, option::of(0..SECOND), values(), values());
    vec(one, 0..10).prop_map(|all| {
        let mut now = 0;
        let entry = |(process, (client, home, pause, takes, key, args)): (u32, Drawn)| {
            now += pause;
            let operation = Operation { f: "f".into(), key, args };
            Scripted { client, process, home, invoked_ns: now, replied_ns: takes.map(|t| now + t), operation }
        };
        Operations::Script((0..).zip(all).map(entry).collect())
    })
}

const fn late(min_ns: u64, max_ns: u64) -> Latency {
    Latency { min_ns, max_ns }
}

fn latencies() -> impl Strategy<Value = Latencies> {
    let latency = || (0..SECOND).prop_map(|ns| late(ns, 2 * ns));
    let zones = (1..4_usize).prop_flat_map(move |zones| vec(vec(latency(), zones), zones));
    prop_oneof![latency().prop_map(Latencies::Alike), zones.prop_map(Latencies::Zones)]
}

fn plans() -> impl Strategy<Value = Plan> {
    let generated = (1_u64.., any::<bool>(), any::<u32>()).prop_map(|(interval_ns, open, limit)| {
        Operations::Generated { interval_ns, load: if open { Load::Open } else { Load::Closed }, limit }
    });
    let settings = || prop::collection::btree_map("[a-z]{1,4}", ".{0,4}", 0..3);
    let operations = prop_oneof![generated, scripts()];
    (any::<u64>(), "[a-z:-]{1,9}", settings(), settings(), operations, faults(), any::<bool>(), latencies(), 0..SECOND)
        .prop_map(|(seed, system, settings, workload_settings, operations, faults, final_reads, latency, small)| Plan {
            seed,
            system,
            settings,
            cluster: Cluster { nodes: NODES, clients: CLIENTS, latency },
            workload: WorkloadPlan {
                name: "register".to_owned(),
                settings: workload_settings,
                timeout_ns: small + 1,
                operations,
            },
            phases: Phases { chaos_ns: CHAOS_NS, settle_ns: small, final_reads },
            faults,
        })
}

proptest! {
    #[test]
    fn a_plan_survives_its_file(plan in plans()) {
        prop_assert_eq!(from_text(&to_text(&plan)), Ok(plan));
    }

    #[test]
    fn a_file_cut_off_anywhere_is_an_error(plan in plans(), cut in any::<prop::sample::Index>()) {
        let text = to_text(&plan);
        let whole = text.trim_end().len();
        let mut end = cut.index(whole);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        prop_assert!(matches!(from_text(&text[..end]), Err(FileError::Document(DocumentError::Truncated { .. } | DocumentError::Empty { .. }))), "cut at {}", end);
    }

    #[test]
    fn any_fault_and_any_operation_can_be_taken_away(plan in plans(), which in any::<prop::sample::Index>()) {
        let mut smaller = plan.clone();
        if !plan.faults.is_empty() {
            smaller.faults.remove(which.index(plan.faults.len()));
        }
        if let Operations::Script(script) = &mut smaller.workload.operations && !script.is_empty() {
            script.remove(which.index(script.len()));
        }
        prop_assert_eq!(smaller.validate(), Ok(()));
    }
}

fn small_plan() -> Plan {
    let promise = Promise::new(squall_checkers::operation::Interface::REGISTER, "linearizable");
    PlanRequest::new("toy", promise, "register").draw(4)
}

/// What reading a plan file says after `from` has been replaced by `to`.
fn error(from: &str, to: &str) -> String {
    let text = to_text(&small_plan());
    assert!(text.contains(from), "{from} is not in\n{text}");
    from_text(&text.replacen(from, to, 1)).unwrap_err().to_string()
}

#[test]
fn the_plan_of_a_seed_is_the_same_for_ever() {
    insta::assert_snapshot!(to_text(&small_plan()));
}

#[test]
fn a_broken_file_says_where_and_what_was_expected() {
    let errors = [
        error("\"seed\": 4", "\"seed\": four"),
        error("\"seed\": 4", "\"seed\": \"four\""),
        error("\"seed\": 4,", ""),
        error("\"seed\": 4", "\"sed\": 4"),
        error("\"nodes\": 3", "\"nodes\": -3"),
        error("\"load\": \"closed\"", "\"load\": \"shut\""),
        error("\"target\": \"leader\"", "\"target\": \"boss\""),
        error("\"fault\": \"delay\"", "\"fault\": \"late\""),
        error("\"squall-plan\": 1", "\"squall-plan\": 3"),
        error("\"squall-plan\": 1,", ""),
        error("\"squall-plan\"", "\"squall-case\""),
        from_text("").unwrap_err().to_string(),
        from_text("not json").unwrap_err().to_string(),
        from_text("[1, 2]").unwrap_err().to_string(),
    ];
    insta::assert_snapshot!(errors.join("\n"));
}

#[test]
fn a_plan_that_makes_no_sense_says_what_and_where() {
    let fault = |change: fn(&mut Fault)| {
        let mut plan = small_plan();
        change(&mut plan.faults[0]);
        plan
    };
    let plan = |change: fn(&mut Plan)| {
        let mut plan = small_plan();
        change(&mut plan);
        plan
    };
    let asked = |client, process, invoked_ns, replied_ns| Scripted {
        client,
        process,
        home: None,
        invoked_ns,
        replied_ns,
        operation: Operation::read(0),
    };
    let script = |entries: Vec<Scripted>| {
        let mut plan = small_plan();
        plan.workload.operations = Operations::Script(entries);
        plan
    };
    let wrong = [
        plan(|p| p.cluster.nodes = 0),
        plan(|p| p.cluster.clients = 0),
        plan(|p| p.cluster.nodes = u32::MAX),
        plan(|p| p.cluster.latency = late(SECOND, 1).into()),
        plan(|p| p.cluster.latency = Latencies::Zones(vec![])),
        plan(|p| p.cluster.latency = Latencies::Zones(vec![vec![late(0, 1); 2], vec![late(0, 1)]])),
        plan(|p| p.cluster.latency = Latencies::Zones(vec![vec![late(2, 1)]])),
        plan(|p| p.workload.timeout_ns = 0),
        plan(|p| p.phases.settle_ns = u64::MAX),
        plan(|p| {
            p.workload.operations = Operations::Generated { interval_ns: 0, load: Load::Open, limit: 1 };
        }),
        plan(|p| p.faults[1].id = p.faults[0].id),
        fault(|f| f.lasts_ns = 0),
        fault(|f| f.lasts_ns = 60 * SECOND),
        fault(|f| f.begins_ns = u64::MAX),
        fault(|f| f.target = Target::Nodes(vec![])),
        fault(|f| f.target = Target::Nodes(vec![NodeId(3)])),
        fault(|f| f.target = Target::Nodes(vec![NodeId(1), NodeId(1)])),
        fault(|f| f.target = Target::Random(0)),
        fault(|f| f.kind = FaultKind::Drop { permille: 1001 }),
        fault(|f| f.kind = FaultKind::Degrade { permille: 1, factor: 0 }),
        fault(|f| f.kind = FaultKind::Bandwidth { per_second: 0, queue: 1 }),
        fault(|f| f.kind = FaultKind::Burst { factor: 0, hot_permille: 0 }),
        fault(|f| f.kind = FaultKind::Inbox { service_ns: 0, room: 1 }),
        fault(|f| f.target = Target::Zone { zone: 3, of: 3 }),
        fault(|f| f.target = Target::Zone { zone: 0, of: 0 }),
        fault(|f| f.kind = FaultKind::ClockDrift { ppb: -1_000_000_000 }),
        fault(|f| f.kind = FaultKind::ClockStrobe { ns: 1, period_ns: 0 }),
        fault(|f| f.kind = FaultKind::Partition { shape: Shape::Split, flap_ns: Some(0), clients: false }),
        script(vec![asked(5, 0, 0, None)]),
        script(vec![Scripted { home: Some(3), ..asked(0, 0, 0, None) }]),
        script(vec![asked(0, 0, 9, Some(8))]),
        script(vec![asked(0, 0, 9, None), asked(0, 1, 8, None)]),
        script(vec![asked(0, 0, 1, Some(2)), asked(1, 0, 3, None)]),
        script(vec![asked(0, 0, 1, Some(5)), asked(0, 0, 3, None)]),
        script(vec![asked(0, 0, 1, None), asked(0, 0, 3, None)]),
    ];
    let errors: Vec<String> = wrong.iter().map(|p| p.validate().unwrap_err().to_string()).collect();
    insta::assert_snapshot!(errors.join("\n"));
}
