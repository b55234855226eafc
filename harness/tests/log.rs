//! What code under test says through `tracing` is heard with the machine whose code said it and the virtual time, on every
//! simulator.

use std::time::Duration;

use squall::{
    Env, Promise, Reply, Result, System,
    checkers::operation::{Interface, Operation},
    engine::{
        run,
        source::Store,
        spec::{Job, Spec},
    },
    environment::{Context, Node, RequestId},
    plan::NodeId,
    simulators::{
        Options, SIMULATORS,
        log::{Level, LogLine},
    },
    workloads::WORKLOADS,
};

/// Async code that says who it is, at once and a second later.
struct Talker;

impl System for Talker {
    type Client = ();

    fn promise(&self) -> Promise {
        Promise::new(Interface::REGISTER, "linearizable")
    }

    async fn serve(&self, env: Env) -> Result<()> {
        tracing::info!(me = env.me().0, "up");
        let task = env.clone();
        env.spawn(async move {
            task.sleep(Duration::from_secs(1)).await;
            tracing::info!(me = task.me().0, "a second later");
        });
        std::future::pending().await
    }

    async fn connect(&self, _: &Env) -> Result<()> {
        Ok(())
    }

    async fn invoke(&self, (): &mut (), env: &Env, _: &Operation) -> Result<Reply> {
        tracing::debug!(me = env.me().0, "asked");
        Ok(Reply::Nil)
    }
}

/// The same as a state machine.
#[derive(Clone)]
struct TalkingNode;

impl Node for TalkingNode {
    type Message = ();
    type Timer = ();

    fn promise(&self) -> Promise {
        System::promise(&Talker)
    }

    fn on_start(&mut self, cx: &mut Context<'_, Self>) {
        tracing::info!(me = cx.me().0, "up");
        cx.set_timer(Duration::from_secs(1), ());
    }

    fn on_message(&mut self, _: NodeId, (): (), _: &mut Context<'_, Self>) {}

    fn on_timer(&mut self, (): (), cx: &mut Context<'_, Self>) {
        tracing::info!(me = cx.me().0, "a second later");
    }

    fn on_request(&mut self, request: RequestId, _: Operation, cx: &mut Context<'_, Self>) {
        cx.reply(request, Ok(Reply::Nil));
    }
}

fn job(store: impl Store, simulator: &str) -> Job {
    let nemeses = vec!["none".to_owned()];
    let (clients, duration_ns) = (Some(1), Some(3_000_000_000));
    let spec = Spec { simulator: Some(simulator.to_owned()), nemeses, clients, duration_ns, ..Spec::of("talker") };
    spec.resolve_from(&store.source(), WORKLOADS).expect("the names are known")
}

fn heard(job: &Job, level: Level) -> Vec<LogLine> {
    let (ran, lines) =
        run::execute_heard(&job.arena.subject(), &job.plan(3), Options::default(), level).expect("it runs");
    // To be listened to changes nothing.
    let alone = run::execute(&job.arena.subject(), &job.plan(3), Options::default()).expect("it runs");
    assert_eq!(ran.expect("no panic").digest, alone.expect("no panic").digest);
    lines
}

/// All that is said is said by the machine that says it is, and what is said late comes late.
#[track_caller]
fn check(simulator: &str, lines: &[LogLine]) {
    for what in ["up", "a second later"] {
        let said: Vec<&LogLine> = lines.iter().filter(|l| l.text.starts_with(what)).collect();
        // Which of them comes first at one time is the simulator's affair.
        let mut machines: Vec<_> = said.iter().map(|l| l.machine).collect();
        machines.sort_unstable();
        assert_eq!(machines, [Some(0), Some(1), Some(2)], "{simulator}: {what}");
        for line in said {
            let seconds = u64::from(what != "up");
            let about = seconds * 1_000_000_000..(seconds * 10 + 1) * 100_000_000;
            assert!(about.contains(&line.time_ns), "{simulator}: {line:?}");
        }
    }
    for line in lines {
        let me = line.text.split("me=").nth(1).expect("it says who it is");
        assert_eq!(line.machine.map(|m| m.to_string()).as_deref(), Some(me), "{simulator}: {line:?}");
        assert_eq!(line.target, "log", "{simulator}");
    }
}

#[test]
fn events_know_their_machine_and_time_on_every_simulator() {
    let mut heard_on = 0;
    for entry in SIMULATORS.iter().filter(|e| e.simulator.is_built() && e.deterministic) {
        check(entry.name, &heard(&job(Talker, entry.name), Level::Info));
        check(entry.name, &heard(&job(TalkingNode, entry.name), Level::Info));
        // Clients are machines after the replicas.
        let all = heard(&job(Talker, entry.name), Level::Debug);
        check(entry.name, &all);
        assert!(all.iter().any(|l| l.machine >= Some(3) && l.text.starts_with("asked")), "{}", entry.name);
        heard_on += 1;
    }
    assert!(heard_on >= 2, "the native simulators are always there");
}
