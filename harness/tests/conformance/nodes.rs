//! Sans-I/O nodes: messages, timers, disks and lives, whether a simulator steps them directly or by the adapter.

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use squall::{
    Node, Promise,
    environment::{Change, Context, RequestId},
    plan::{
        Cluster, Fault, FaultKind, Latency, Loss, NodeId, Operations, Phases, Plan, Scripted, Settings, Shape, Target,
        WorkloadPlan,
    },
    simulators::{AnySystem, End, Execution, Options},
};
use squall_checkers::{
    history::Outcome,
    operation::{Interface, Operation},
    value::Value,
};

use crate::{
    differences,
    run::near,
    stage::{LATENCY, ms, ns, secs, simulators},
};

/// A node that tells of all that befalls it, and does what requests ask for.
#[derive(Clone)]
struct Teller {
    /// What all nodes of the run saw: (node, monotonic time, what).
    told: Arc<Mutex<Vec<(u32, Duration, String)>>>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Word(String);

impl Teller {
    fn tell(&self, cx: &mut Context<Self>, what: impl Into<String>) {
        let told = (cx.me().0, cx.monotonic(), what.into());
        self.told.lock().expect("no node panics").push(told);
    }
}

impl Node for Teller {
    type Message = Word;
    type Timer = u32;

    fn promise(&self) -> Promise {
        Promise::new(Interface::REGISTER, "linearizable").changing_members()
    }

    fn on_start(&mut self, cx: &mut Context<Self>) {
        let kept = cx.disk().read("f").map(<[u8]>::to_vec);
        let kept = kept.map_or_else(|e| format!("{:?}", e.kind()), |b| String::from_utf8_lossy(&b).into_owned());
        self.tell(cx, format!("starts with {kept}"));
    }

    fn on_message(&mut self, from: NodeId, message: Word, cx: &mut Context<Self>) {
        self.tell(cx, format!("{} from {from}", message.0));
    }

    fn on_request(&mut self, id: RequestId, operation: Operation, cx: &mut Context<Self>) {
        let words: Vec<&str> = operation.f.as_str().split(' ').collect();
        match words[..] {
            ["send", word] => cx.broadcast(&Word(word.to_owned())),
            ["send-to-self", word] => cx.send(cx.me(), Word(word.to_owned())),
            ["timer", millis] => {
                cx.set_timer(ms(millis.parse().expect("a number")), 1);
            }
            ["cancel", millis] => {
                let timer = cx.set_timer(ms(millis.parse().expect("a number")), 2);
                cx.cancel_timer(timer);
            }
            ["write", text] => cx.disk().write("f", 0, text.as_bytes()).expect("there is room"),
            ["sync"] => {
                cx.sync("f", 1);
                cx.sync_directory(2);
            }
            ["redirect"] if cx.me() == NodeId(0) => return cx.redirect(id, NodeId(1)),
            ["redirect"] => {}
            ["halt"] => return cx.halt("asked to"),
            ["silence"] => return,
            _ => unreachable!("no test asks {operation}"),
        }
        cx.reply(id, Ok(Value::Int(i64::from(cx.me().0))));
    }

    fn on_reconfigure(&mut self, id: RequestId, change: Change, cx: &mut Context<Self>) {
        self.tell(cx, change.to_string());
        match cx.me() {
            NodeId(0) => cx.reply(id, Ok(Value::Nil)),
            _ => cx.redirect(id, NodeId(0)),
        }
    }

    fn on_timer(&mut self, timer: u32, cx: &mut Context<Self>) {
        self.tell(cx, format!("timer {timer}"));
    }

    fn on_synced(&mut self, token: u64, result: io::Result<()>, cx: &mut Context<Self>) {
        self.tell(cx, format!("synced {token}: {}", result.is_ok()));
    }
}

/// What came of a run of three tellers.
struct Told {
    told: Vec<(u32, Duration, String)>,
    execution: Execution,
}

impl Told {
    /// What a node saw.
    fn of(&self, node: u32) -> Vec<&str> {
        self.told.iter().filter(|(n, ..)| *n == node).map(|(.., what)| what.as_str()).collect()
    }

    /// When it saw it, by its own clock.
    #[track_caller]
    fn time(&self, node: u32, what: &str) -> Duration {
        let mut times = self.told.iter().filter(|(n, _, w)| *n == node && w == what).map(|(_, at, _)| *at);
        let time = times.next().unwrap_or_else(|| panic!("n{node} saw {:?}", self.of(node)));
        assert!(times.next().is_none(), "n{node} saw {what} more than once");
        time
    }

    fn outcome(&self, number: usize) -> &Outcome {
        &self.execution.history.entries[number].outcome
    }
}

/// n0 is asked these things at these times, under these faults; three seconds on every simulator.
fn check(fact: &str, asked: &[(u64, &str)], faults: &[(u32, u64, u64, FaultKind)], judge: impl Fn(&Told) + Sync) {
    let script = (0..).zip(asked).map(|(process, (at, what))| Scripted {
        client: 0,
        process,
        home: Some(0),
        invoked_ns: ns(ms(*at)),
        replied_ns: None,
        operation: Operation::new((*what).to_owned(), Value::Nil, Value::Nil),
    });
    let faults = (0..).zip(faults).map(|(id, (node, begins, lasts, kind))| Fault {
        id,
        begins_ns: ns(ms(*begins)),
        lasts_ns: ns(ms(*lasts)),
        target: Target::Nodes(vec![NodeId(*node)]),
        kind: kind.clone(),
    });
    let latency = Latency { min_ns: ns(LATENCY), max_ns: ns(LATENCY) }.into();
    let plan = Plan {
        seed: 1,
        system: "tellers".to_owned(),
        settings: Settings::new(),
        cluster: Cluster { nodes: 3, clients: 1, latency },
        workload: WorkloadPlan {
            name: "register".to_owned(),
            settings: Settings::new(),
            timeout_ns: ns(secs(2)),
            operations: Operations::Script(script.collect()),
        },
        phases: Phases { chaos_ns: ns(secs(3)), settle_ns: 0, final_reads: false },
        faults: faults.collect(),
    };
    let mut wrong = Vec::new();
    for entry in simulators() {
        let play = || {
            let told = Arc::new(Mutex::new(Vec::new()));
            let teller = Teller { told: told.clone() };
            let workload = squall_workloads::find("register").expect("it is in the catalogue").workload;
            let execution = Arc::new(teller).run(entry.simulator, &plan, workload, Options::default());
            let execution = execution.unwrap_or_else(|error| panic!("the plan cannot be run: {error}"));
            assert_eq!(execution.end, End::Completed);
            let told = std::mem::take(&mut *told.lock().expect("the run is over"));
            judge(&Told { told, execution });
        };
        let held = std::thread::scope(|scope| scope.spawn(play).join()).is_ok();
        let listed = differences::find(entry.name, fact).is_some();
        if held == listed {
            wrong.push(format!("{}: holds: {held}, listed in differences.rs: {listed}", entry.name));
        }
    }
    assert!(wrong.is_empty(), "{fact}: {wrong:#?}");
}

const STARTS: &str = "starts with NotFound";

#[test]
fn messages_and_replies_take_the_links_latency() {
    check("nodes::messages_and_replies_take_the_links_latency", &[(100, "send hello")], &[], |told| {
        for n in [1, 2] {
            near(told.time(n, "hello from n0"), ms(100) + 2 * LATENCY);
        }
        assert_eq!(told.of(0), [STARTS]);
        assert_eq!(*told.outcome(0), Outcome::Ok(Value::Int(0)));
        let replied = told.execution.history.entries[0].completed.expect("it has a reply").time();
        near(Duration::from_nanos(replied), ms(100) + 2 * LATENCY);
    });
}

#[test]
fn a_message_to_oneself_arrives_at_once() {
    check("nodes::a_message_to_oneself_arrives_at_once", &[(100, "send-to-self me")], &[], |told| {
        near(told.time(0, "me from n0"), ms(100) + LATENCY);
    });
}

#[test]
fn a_redirected_request_is_done_by_the_other_node() {
    check("nodes::a_redirected_request_is_done_by_the_other_node", &[(100, "redirect")], &[], |told| {
        assert_eq!(*told.outcome(0), Outcome::Ok(Value::Int(1)));
    });
}

#[test]
fn a_request_that_is_not_answered_is_unknown() {
    check("nodes::a_request_that_is_not_answered_is_unknown", &[(100, "silence")], &[], |told| {
        assert!(matches!(told.outcome(0), Outcome::Unknown(_)));
    });
}

#[test]
fn timers_go_off_by_the_nodes_own_clock_unless_they_are_cancelled() {
    let fast = FaultKind::ClockDrift { ppb: 1_000_000_000 };
    let asked = [(100, "timer 500"), (100, "cancel 500")];
    let fact = "nodes::timers_go_off_by_the_nodes_own_clock_unless_they_are_cancelled";
    check(fact, &asked, &[], |told| {
        assert_eq!(told.of(0), [STARTS, "timer 1"]);
        near(told.time(0, "timer 1"), ms(600) + LATENCY);
    });
    // From 320 ms on twice as fast: due at 470 ms of true time, when the message is sent that follows it.
    let asked = [(100, "timer 500"), (460, "send-to-self true-480-ms")];
    check(fact, &asked, &[(0, 320, 2_000, fast)], |told| {
        near(told.time(0, "timer 1"), ms(600) + LATENCY);
        assert_eq!(told.of(0), [STARTS, "timer 1", "true-480-ms from n0"]);
    });
}

#[test]
fn a_partition_cuts_nodes_apart() {
    let cut = FaultKind::Partition { shape: Shape::Split, flap_ns: None, clients: false };
    let asked = [(200, "send cut"), (800, "send healed")];
    check("nodes::a_partition_cuts_nodes_apart", &asked, &[(1, 100, 500, cut)], |told| {
        assert_eq!(told.of(1), [STARTS, "healed from n0"]);
        assert_eq!(told.of(2), [STARTS, "cut from n0", "healed from n0"]);
    });
}

#[test]
fn a_paused_node_gets_everything_late_and_in_order() {
    let asked = [(100, "timer 300"), (200, "send a"), (300, "send b")];
    let faults = [(1, 150, 850, FaultKind::Pause), (0, 380, 500, FaultKind::Pause)];
    check("nodes::a_paused_node_gets_everything_late_and_in_order", &asked, &faults, |told| {
        near(told.time(1, "a from n0"), secs(1));
        near(told.time(1, "b from n0"), secs(1));
        assert_eq!(told.of(1), [STARTS, "a from n0", "b from n0"]);
        near(told.time(0, "timer 1"), ms(880));
    });
}

#[test]
fn after_a_power_loss_a_node_starts_anew_with_what_it_had_synced() {
    let power = || (0, 1_000, 200, FaultKind::Crash { loss: Loss::Lost });
    let asked = [(100, "write durable"), (200, "sync"), (300, "write lost!!!"), (300, "timer 1500")];
    let fact = "nodes::after_a_power_loss_a_node_starts_anew_with_what_it_had_synced";
    check(fact, &asked, &[power()], |told| {
        let [first, synced, directory, second] = told.of(0)[..] else { panic!("{:?}", told.of(0)) };
        assert_eq!((first, second), (STARTS, "starts with durable"));
        let mut synced = [synced, directory];
        synced.sort_unstable();
        assert_eq!(synced, ["synced 1: true", "synced 2: true"]);
        near(told.time(0, "starts with durable"), ms(1_200));
    });
}

#[test]
fn a_failed_sync_is_told_and_saves_nothing() {
    let faults =
        [(0, 50, 500, FaultKind::SyncError { permille: 1000 }), (0, 1_000, 200, FaultKind::Crash { loss: Loss::Lost })];
    let asked = [(100, "write doomed"), (200, "sync")];
    check("nodes::a_failed_sync_is_told_and_saves_nothing", &asked, &faults, |told| {
        assert!(told.of(0).contains(&"synced 1: false") && told.of(0).contains(&"synced 2: false"));
        assert_eq!(told.of(0).last(), Some(&STARTS));
    });
}

#[test]
fn a_node_that_halts_is_started_again_after_a_second_with_its_disk_as_it_was() {
    let asked = [(100, "write kept"), (200, "halt")];
    let fact = "nodes::a_node_that_halts_is_started_again_after_a_second_with_its_disk_as_it_was";
    check(fact, &asked, &[], |told| {
        near(told.time(0, "starts with kept"), ms(1_200) + LATENCY);
        assert_eq!(told.execution.statistics.halts, 1);
        assert!(matches!(told.outcome(1), Outcome::Unknown(_)));
    });
}

#[test]
fn an_admin_is_passed_on_and_answered() {
    let faults = [(1, 500, 700, FaultKind::Removal)];
    check("nodes::an_admin_is_passed_on_and_answered", &[], &faults, |told| {
        near(told.time(2, "remove n1"), ms(500) + LATENCY);
        near(told.time(0, "remove n1"), ms(500) + 3 * LATENCY);
        assert!(!told.of(1).contains(&"remove n1"), "who leaves is asked last");
        assert_eq!(told.execution.faults[0].effects, 1);
        assert!(told.execution.history.entries.is_empty());
    });
}

#[test]
fn a_damaged_message_does_not_decode_or_is_another_and_never_breaks_the_node() {
    let asked: Vec<_> = (0..20).map(|i| (200 + 20 * i, "send aaaaaaaaaaaaaaaa")).collect();
    let faults = [(1, 100, 1_000, FaultKind::Corrupt { permille: 1000 })];
    let fact = "nodes::a_damaged_message_does_not_decode_or_is_another_and_never_breaks_the_node";
    check(fact, &asked, &faults, |told| {
        assert!(told.of(1).iter().all(|what| *what != "aaaaaaaaaaaaaaaa from n0"), "{:?}", told.of(1));
        assert_eq!(told.of(2).len(), 21);
    });
}
