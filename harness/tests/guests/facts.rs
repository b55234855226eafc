//! The facts, each for any library.

use std::sync::Arc;

use squall::{
    engine::run::{self, Subject},
    plan::{
        Cluster, Fault, FaultKind, Latency, Loss, MILLISECOND, NodeId, Operations, Phases, Plan, SECOND, Scripted,
        Settings, Shape, Target, WorkloadPlan,
    },
    simulators::{AnySystem, End, Execution, Options, PlanError, SIMULATORS, Simulator},
};
use squall_checkers::{history::Entry, operation::Operation, value::Value};

/// Where the facts are looked at.
pub(crate) struct Stage {
    pub(crate) simulator: Simulator,
    pub(crate) system: fn() -> Arc<dyn AnySystem>,
}

/// An operation: when in milliseconds, by which process, what. A process prefers the replica of its number's last digit.
type Asked = (u64, u32, &'static str, i64);

const NODES: u32 = 3;
const LATENCY_MS: u64 = 20;
/// What a message may take beyond its latency: libraries go by ticks, or take their time for each send.
const GRAIN_MS: u64 = 8;

impl Stage {
    pub(crate) fn plan(asked: &[Asked], faults: Vec<Fault>) -> Plan {
        let scripted = asked.iter().enumerate().map(|(i, &(at_ms, process, f, arg))| {
            let goes_on = asked[i + 1..].iter().any(|later| later.1 == process);
            Scripted {
                client: process % 10,
                process,
                home: Some(process % 10),
                invoked_ns: at_ms * MILLISECOND,
                replied_ns: goes_on.then_some(at_ms * MILLISECOND + 1),
                operation: Operation::new(f, 1, arg),
            }
        });
        let latency_ns = LATENCY_MS * MILLISECOND;
        Plan {
            seed: 7,
            system: "keeper".to_owned(),
            settings: Settings::new(),
            cluster: Cluster {
                nodes: NODES,
                clients: NODES,
                latency: Latency { min_ns: latency_ns, max_ns: latency_ns }.into(),
            },
            workload: WorkloadPlan {
                name: "register".to_owned(),
                settings: Settings::new(),
                timeout_ns: 5 * SECOND,
                operations: Operations::Script(scripted.collect()),
            },
            phases: Phases { chaos_ns: 10 * SECOND, settle_ns: SECOND, final_reads: false },
            faults,
        }
    }

    fn execute(&self, plan: &Plan, simulator: Simulator) -> Result<Execution, PlanError> {
        let workload = squall_workloads::find("register").expect("it is there").workload;
        let subject = Subject { system: &(self.system)(), simulator, workload };
        run::execute(&subject, plan, Options::default()).map(|ran| ran.expect("panics are caught in the run"))
    }

    fn run(&self, asked: &[Asked], faults: Vec<Fault>) -> Seen {
        Seen(self.execute(&Self::plan(asked, faults), self.simulator).expect("the plan can be run"))
    }
}

/// What came of a run.
struct Seen(Execution);

impl Seen {
    #[track_caller]
    fn entry(&self, index: usize) -> &Entry {
        self.0.history.entries.get(index).unwrap_or_else(|| panic!("there is none; the run {:?}", self.0.end))
    }

    /// What an operation was answered; `None` when it was not.
    #[track_caller]
    fn reply(&self, index: usize) -> Option<Value> {
        self.entry(index).reply().cloned()
    }

    #[track_caller]
    fn number(&self, index: usize) -> i64 {
        let entry = self.entry(index);
        entry.reply().and_then(Value::as_int).unwrap_or_else(|| panic!("{entry:?}"))
    }

    /// How long an operation took, in milliseconds.
    #[track_caller]
    fn took_ms(&self, index: usize) -> u64 {
        let entry = self.entry(index);
        (entry.completed.expect("it came to an end").time() - entry.invoked.time()) / MILLISECOND
    }

    fn effects(&self) -> Vec<u64> {
        self.0.faults.iter().map(|f| f.effects).collect()
    }
}

fn nodes(nodes: &[u32]) -> Target {
    Target::Nodes(nodes.iter().map(|n| NodeId(*n)).collect())
}

pub(crate) fn fault(id: u32, from_ms: u64, to_ms: u64, target: Target, kind: FaultKind) -> Fault {
    Fault { id, begins_ns: from_ms * MILLISECOND, lasts_ns: (to_ms - from_ms) * MILLISECOND, target, kind }
}

fn cut(shape: Shape) -> FaultKind {
    FaultKind::Partition { shape, flap_ns: None, clients: true }
}

const CRASH: FaultKind = FaultKind::Crash { loss: Loss::Kept };

pub(crate) fn operations_take_the_latency_of_the_plan(stage: &Stage) {
    let seen = stage.run(&[(1000, 0, "write", 5), (2000, 0, "read", 0), (3000, 1, "read", 0)], vec![]);
    assert_eq!([0, 1, 2].map(|i| seen.reply(i)), [Some(Value::Nil), Some(Value::Int(5)), Some(Value::Nil)]);
    // There and back. A new process connects before.
    let there_and_back = 2 * LATENCY_MS..2 * (LATENCY_MS + GRAIN_MS);
    assert!(there_and_back.contains(&seen.took_ms(1)), "{} ms", seen.took_ms(1));
    assert!(seen.took_ms(0) > seen.took_ms(1), "{} ms", seen.took_ms(0));
    assert_eq!(seen.0.end, End::Completed);
}

pub(crate) fn a_crash_takes_what_is_not_kept(stage: &Stage) {
    let asked = [(500, 0, "write", 1), (600, 0, "remember", 2), (700, 0, "recall", 0)];
    let after = [(3000, 10, "read", 0), (3500, 10, "recall", 0), (4000, 21, "ping", 0)];
    let crash = fault(1, 1000, 2000, nodes(&[0]), CRASH);
    let seen = stage.run(&[&asked[..], &after].concat(), vec![crash]);
    assert_eq!(seen.reply(2), Some(Value::Int(2)), "remembered before");
    assert_eq!([3, 4].map(|i| seen.reply(i)), [Some(Value::Int(1)), Some(Value::Nil)]);
    assert_eq!(seen.reply(5), Some(Value::from("ping")));
    assert_eq!(seen.effects(), [1]);
    assert_eq!(seen.0.statistics.halts, 0, "killed, not ended by itself");
}

pub(crate) fn while_a_machine_is_down_nobody_answers_there(stage: &Stage) {
    let crash = fault(1, 1000, 9000, nodes(&[0]), CRASH);
    let seen = stage.run(&[(500, 0, "hang", 0), (1500, 10, "read", 0), (2000, 1, "read", 0)], vec![crash]);
    assert_eq!([0, 1, 2].map(|i| seen.reply(i).is_some()), [false, false, true]);
    // The machine's own system lives on and tells that the process is gone.
    assert!(seen.took_ms(0) < 700, "an open stream ends with the process: {} ms", seen.took_ms(0));
}

pub(crate) fn a_wipe_takes_what_is_kept(stage: &Stage) {
    let wipe = fault(1, 1000, 2000, nodes(&[0]), FaultKind::Wipe);
    let seen = stage
        .run(&[(400, 0, "write", 1), (500, 1, "write", 2), (3000, 10, "read", 0), (3500, 11, "read", 0)], vec![wipe]);
    assert_eq!([2, 3].map(|i| seen.reply(i)), [Some(Value::Nil), Some(Value::Int(2))]);
    assert!(seen.effects()[0] > 0);
}

pub(crate) fn a_stream_stalls_in_a_partition_and_goes_on(stage: &Stage) {
    let asked = [(400, 0, "write", 1), (1000, 0, "read", 0), (1100, 2, "read", 0)];
    for shape in [Shape::Split, Shape::Inbound, Shape::Outbound] {
        let seen = stage.run(&asked, vec![fault(1, 900, 3000, nodes(&[0]), cut(shape))]);
        assert_eq!(seen.reply(1), Some(Value::Int(1)), "{shape:?}: {:?}", seen.entry(1));
        assert!(seen.took_ms(1) > 2000 && seen.took_ms(2) < 200, "{shape:?}: {} ms", seen.took_ms(1));
        assert!(seen.effects()[0] > 0, "{shape:?}");
    }
}

pub(crate) fn what_is_late_takes_longer(stage: &Stage) {
    let late = fault(1, 900, 9000, Target::All, FaultKind::Delay { max_ns: 2 * SECOND });
    let asked = [(400, 0, "write", 1), (1000, 0, "read", 0), (2000, 0, "read", 0), (3000, 0, "read", 0)];
    let seen = stage.run(&asked, vec![late]);
    let took: u64 = (1..4).map(|i| seen.took_ms(i)).sum();
    assert!(took > 1000 && seen.took_ms(0) < 150, "{took} ms");
    assert!(seen.effects()[0] >= 6, "{:?}", seen.effects());
}

/// In six pings there and back.
pub(crate) fn a_lost_datagram_is_lost(stage: &Stage) {
    let pings: Vec<Asked> = (0..6).map(|i| (1000 + 100 * i, 10 * (i as u32 + 1), "ping", 0)).collect();
    let answered = |permille| {
        let seen = stage.run(&pings, vec![fault(1, 1, 9000, Target::All, FaultKind::Drop { permille })]);
        assert_eq!(seen.effects()[0] > 0, permille > 0);
        (0..6).filter(|i| seen.reply(*i).is_some()).count()
    };
    assert_eq!([0, 1000].map(answered), [6, 0]);
    assert!((1..6).contains(&answered(400)), "{}", answered(400));
}

/// Returns how long the longest operation took, in milliseconds.
pub(crate) fn a_stream_loses_nothing(stage: &Stage) -> u64 {
    let asked: Vec<Asked> = (0..20).map(|i| (400 + 50 * i, 0, "write", i as i64)).collect();
    let seen = stage.run(&asked, vec![fault(1, 1, 9000, Target::All, FaultKind::Drop { permille: 200 })]);
    let replies: Vec<i64> = (1..20).map(|i| seen.number(i)).collect();
    assert_eq!(replies, (0..19).collect::<Vec<_>>(), "each write is answered with what was there before");
    assert!(seen.effects()[0] > 0);
    (0..20).map(|i| seen.took_ms(i)).max().unwrap_or_default()
}

#[cfg(madsim)]
pub(crate) fn a_paused_machine_stands_still_and_goes_on(stage: &Stage) {
    let asked = [(400, 0, "remember", 1), (1000, 0, "recall", 0), (1100, 1, "recall", 0)];
    let seen = stage.run(&asked, vec![fault(1, 900, 3000, nodes(&[0]), FaultKind::Pause)]);
    assert_eq!(seen.reply(1), Some(Value::Int(1)), "nothing is forgotten");
    assert!(seen.took_ms(1) > 1900 && seen.took_ms(2) < 200, "{} ms", seen.took_ms(1));
    assert!(seen.effects()[0] > 0);
}

pub(crate) fn links_of_clients_are_cut_only_where_the_plan_says_so(stage: &Stage) {
    let kind = FaultKind::Partition { shape: Shape::Split, flap_ns: None, clients: false };
    let seen = stage.run(&[(400, 0, "write", 1), (1000, 0, "read", 0)], vec![fault(1, 900, 3000, nodes(&[0]), kind)]);
    assert!(seen.took_ms(1) < 200, "{} ms", seen.took_ms(1));
}

pub(crate) fn an_admin_asks_on_a_machine_of_the_clients(stage: &Stage) {
    let asked = [(1500, 2, "read", 0), (2800, 0, "read", 0)];
    let seen = stage.run(&asked, vec![fault(1, 1000, 1900, nodes(&[1]), FaultKind::Removal)]);
    assert_eq!([0, 1].map(|i| seen.number(i)), [-2, 2]);
    assert_eq!(seen.effects(), [1]);
}

pub(crate) fn a_process_that_ends_by_itself_is_started_again(stage: &Stage) {
    let asked = [(400, 0, "remember", 1), (500, 0, "end", 0), (2500, 10, "recall", 0), (3000, 1, "end", 0)];
    let seen = stage.run(&asked, vec![]);
    assert_eq!(seen.reply(2), Some(Value::Nil), "{:?}", seen.entry(2));
    assert_eq!(seen.0.statistics.halts, 2);
}

pub(crate) fn a_session_that_was_given_up_is_closed(stage: &Stage) {
    let asked = [(400, 0, "hang", 0), (500, 10, "sessions", 0), (6000, 10, "sessions", 0)];
    let seen = stage.run(&asked, vec![]);
    assert_eq!([1, 2].map(|i| seen.number(i)), [2, 1]);
}

pub(crate) fn a_role_is_struck_where_it_was_shown(stage: &Stage) {
    let asked = [(400, 1, "show", 0), (3000, 11, "recall", 0)];
    let mut plan = Stage::plan(&asked, vec![fault(1, 1000, 2000, Target::Leader, CRASH)]);
    let Operations::Script(script) = &mut plan.workload.operations else { unreachable!("it is one") };
    script[0].operation.args = Value::from("leader");
    let ran = stage.execute(&plan, stage.simulator).expect("the plan can be run");
    assert_eq!(ran.faults[0].nodes, [NodeId(1)]);
}

pub(crate) fn panics_end_the_run_and_say_what_they_said(stage: &Stage) {
    let found = |f| match stage.run(&[(400, 0, f, 0)], vec![]).0.end {
        End::Panicked { node, message, .. } => (node, message),
        other => panic!("{f}: {other:?}"),
    };
    let (node, message) = found("panic");
    assert!(message.contains("panic in serve"), "{message}");
    assert_eq!(node, Some(NodeId(0)));
    let (node, message) = found("panic-in-invoke");
    assert!(message.contains("panic in invoke"), "{message}");
    assert_eq!(node, Some(NodeId(NODES)));
    if cfg!(tokio_unstable) {
        let (_, message) = found("panic-in-task");
        assert!(message.contains("panic in a task") && message.contains("keeper.rs"), "{message}");
    }
}

pub(crate) fn what_cannot_be_done_is_refused_before_the_run(stage: &Stage, kinds: &[FaultKind]) {
    for kind in kinds {
        let plan = Stage::plan(&[], vec![fault(3, 1000, 2000, nodes(&[1]), kind.clone())]);
        let error = stage.execute(&plan, stage.simulator).expect_err("it cannot be run").to_string();
        for part in [stage.simulator.entry().name, "fault 3", &kind.to_string(), "native"] {
            assert!(error.contains(part), "`{part}` is not in: {error}");
        }
    }
}

pub(crate) fn other_simulators_say_where_it_runs(stage: &Stage) {
    for other in SIMULATORS.iter().filter(|other| other.simulator != stage.simulator) {
        let error = stage.execute(&Stage::plan(&[], vec![]), other.simulator).expect_err("it runs elsewhere");
        let home = stage.simulator.entry().name;
        assert_eq!(error, PlanError::Elsewhere { simulator: other.name, home });
        assert!(error.to_string().contains(&format!("`--simulator {home}`")), "{error}");
    }
}

pub(crate) fn the_same_plan_runs_the_same_in_another_thread(stage: &Stage) {
    let asked = [(400, 0, "entropy", 0), (450, 1, "write", 0), (1500, 2, "entropy", 0), (2500, 10, "ping", 0)];
    let run = |seed| {
        let faults = vec![
            fault(1, 300, 2000, Target::Leader, CRASH),
            fault(2, 400, 3000, Target::Random(1), cut(Shape::Inbound)),
        ];
        stage.execute(&Plan { seed, ..Stage::plan(&asked, faults) }, stage.simulator).expect("the plan can be run")
    };
    for seed in 0..5 {
        let [one, other] = [(); 2].map(|()| run(seed));
        assert_eq!(one.history, other.history, "seed {seed}");
        assert_eq!(one.digest, other.digest, "seed {seed}");
    }
    assert_ne!(run(0).digest, run(1).digest);
}

#[cfg(madsim)]
pub(crate) fn the_clock_of_all_drifts(stage: &Stage) {
    let drift = fault(1, 1000, 9000, Target::All, FaultKind::ClockDrift { ppb: 1_000_000_000 });
    let asked = [(400, 0, "wall", 0), (900, 0, "wall", 0), (2000, 1, "wall", 0), (4000, 1, "wall", 0)];
    let seen = stage.run(&asked, vec![drift]);
    let spans = [0, 2].map(|i| seen.number(i + 1) - seen.number(i));
    assert!((450..550).contains(&spans[0]) && (3900..4100).contains(&spans[1]), "{spans:?} ms");
    assert!(seen.effects()[0] > 0);
}
