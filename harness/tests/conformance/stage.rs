//! The stage of the suite: small casts of machines, exact faults, and what was seen, on every simulator.

use std::{
    any::Any,
    fmt::Display,
    future::Future,
    ops::Deref,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use squall::{
    Env, Failed, Promise, Reply, Result, System,
    environment::{Address, Change, Socket},
    plan::{
        Cluster, Fault, FaultKind, Latencies, Latency, NodeId, Operations, Phases, Plan, Scripted, Settings, Target,
        WorkloadPlan,
    },
    simulators::{AnySystem, End, Options, PlanError, SIMULATORS, Simulator, SimulatorEntry},
};
use squall_checkers::{
    operation::{Interface, Operation},
    value::Value,
};

use crate::{
    differences,
    run::{Run, receive},
};

/// How much later than in a perfect world things may happen: simulators go by ticks, or take time for each send.
pub(crate) const GRAIN: Duration = Duration::from_millis(12);
/// The one-way latency of messages when a scene does not say otherwise.
pub(crate) const LATENCY: Duration = Duration::from_millis(20);
/// Where machines listen when a scene does not say otherwise.
pub(crate) const PORT: u16 = 7;

/// The simulators that this binary has, and of which a plan decides every event: what runs in real time is no simulator.
pub(crate) fn simulators() -> impl Iterator<Item = &'static SimulatorEntry> {
    SIMULATORS.iter().filter(|entry| entry.deterministic && entry.simulator.is_built())
}

/// Milliseconds.
pub(crate) const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Seconds.
pub(crate) const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Nanoseconds of a span, as plans count.
pub(crate) fn ns(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).expect("spans of tests are short")
}

type Script = Arc<dyn Fn(Machine) -> Pin<Box<dyn Future<Output = Result<()>>>> + Send + Sync>;
type Asked = Arc<dyn Fn(Machine, Operation) -> Pin<Box<dyn Future<Output = Result<Reply>>>> + Send + Sync>;
type Changed = Arc<dyn Fn(Machine, Change) -> Pin<Box<dyn Future<Output = Result<()>>>> + Send + Sync>;

/// One machine during one of its lives, as its script sees it.
#[derive(Clone)]
pub(crate) struct Machine {
    env: Env,
    /// How often its process was started before.
    pub(crate) life: usize,
    /// What tells variants of a scene apart; no simulator knows of it.
    pub(crate) word: &'static str,
    sightings: Arc<AtomicI64>,
    props: Arc<Props>,
}

/// What lies about on the stage and survives every crash: no script would have it for real.
#[derive(Default)]
struct Props {
    lives: Mutex<Vec<usize>>,
    kept: Mutex<Vec<Box<dyn Any + Send>>>,
    board: Mutex<Vec<String>>,
}

impl Deref for Machine {
    type Target = Env;

    fn deref(&self) -> &Env {
        &self.env
    }
}

impl Machine {
    /// The usual port of a machine.
    #[expect(clippy::unused_self, reason = "reads as it is meant: what n0 sends goes `m.at(1)`")]
    pub(crate) fn at(&self, machine: u32) -> Address {
        Address { node: NodeId(machine), port: PORT }
    }

    /// Receives datagrams on the usual port and tells of each, for ever.
    pub(crate) async fn hear(&self) -> Result<()> {
        let socket = self.bind(PORT)?;
        self.hear_on(&socket).await
    }

    /// Receives datagrams and tells of each, for ever.
    pub(crate) async fn hear_on(&self, socket: &Socket) -> Result<()> {
        loop {
            self.saw(receive(socket).await?);
        }
    }

    /// Waits until the machine's monotonic clock shows this; where clocks are right, that is the true time.
    pub(crate) async fn until(&self, time: Duration) {
        self.sleep(time.saturating_sub(self.monotonic())).await;
    }

    /// The machine's number.
    pub(crate) fn number(&self) -> u32 {
        self.me().0
    }

    /// Shows the judge something, with the true time. Of replicas only.
    pub(crate) fn saw(&self, what: impl Display) {
        // An observation that says the same as the one before is none: the number tells them apart.
        let number = self.sightings.fetch_add(1, Ordering::Relaxed);
        self.observe("saw", Value::List(vec![Value::Int(number), what.to_string().into()]));
    }

    /// Writes on the board, which any code can do at any time, a destructor in a dead process too.
    pub(crate) fn board(&self, what: impl Display) {
        self.props.board.lock().expect("no writer panics").push(what.to_string());
    }

    /// Hides a thing from the next crash.
    pub(crate) fn keep(&self, thing: impl Any + Send) {
        self.props.kept.lock().expect("no keeper panics").push(Box::new(thing));
    }

    /// Takes back the thing of this type that was hidden last.
    pub(crate) fn kept<T: Any>(&self) -> T {
        let mut kept = self.props.kept.lock().expect("no keeper panics");
        let at = kept.iter().rposition(|thing| thing.is::<T>()).expect("it was hidden before");
        *kept.remove(at).downcast().expect("looked at above")
    }
}

/// A system whose machines follow scripts.
struct Cast {
    script: Script,
    asked: Asked,
    /// What an admin does; `None` where members stay.
    changed: Option<Changed>,
    /// Whether a process ends when its script does.
    halts: bool,
    word: &'static str,
    props: Arc<Props>,
}

impl Cast {
    fn machine(&self, env: &Env, life: usize) -> Machine {
        Machine { env: env.clone(), life, word: self.word, sightings: Arc::default(), props: self.props.clone() }
    }
}

impl System for Cast {
    type Client = Machine;

    fn promise(&self) -> Promise {
        let promise = Promise::new(Interface::REGISTER, "linearizable");
        if self.changed.is_some() { promise.changing_members() } else { promise }
    }

    async fn serve(&self, env: Env) -> Result<()> {
        let number = env.me().0 as usize;
        let life = {
            let mut lives = self.props.lives.lock().expect("no machine panics");
            if lives.len() <= number {
                lives.resize(number + 1, 0);
            }
            lives[number] += 1;
            lives[number] - 1
        };
        (self.script)(self.machine(&env, life)).await?;
        if !self.halts {
            // Who has played its part stays on the stage.
            std::future::pending::<()>().await;
        }
        Ok(())
    }

    async fn connect(&self, env: &Env) -> Result<Machine> {
        Ok(self.machine(env, 0))
    }

    async fn invoke(&self, client: &mut Machine, _: &Env, operation: &Operation) -> Result<Reply> {
        (self.asked)(client.clone(), operation.clone()).await
    }

    async fn reconfigure(&self, env: &Env, change: Change) -> Result<()> {
        let changed = self.changed.as_ref().expect("it is not asked where it promises nothing");
        changed(self.machine(env, 0), change).await
    }
}

/// One fact to be shown: the machines, their scripts, the faults.
pub(crate) struct Scene {
    fact: &'static str,
    plan: Plan,
    halts: u64,
    effects: bool,
    word: &'static str,
    asked: Asked,
    changed: Option<Changed>,
}

/// A scene that is named after its test.
macro_rules! scene {
    ($nodes:expr) => {{
        fn here() {}
        crate::stage::Scene::new(std::any::type_name_of_val(&here), $nodes)
    }};
}
pub(crate) use scene;

impl Scene {
    /// Replicas only, two seconds, one latency, no faults. `here` names a function inside the test.
    pub(crate) fn new(here: &'static str, nodes: u32) -> Self {
        let path = here.trim_end_matches("::here").trim_end_matches("::{{closure}}");
        let fact = path.split_once("::").map_or(path, |(_, inside)| inside);
        let latency = ns(LATENCY);
        Scene {
            fact,
            plan: Plan {
                seed: 1,
                system: "a-cast".to_owned(),
                settings: Settings::new(),
                cluster: Cluster { nodes, clients: 1, latency: Latency { min_ns: latency, max_ns: latency }.into() },
                workload: WorkloadPlan {
                    name: "register".to_owned(),
                    settings: Settings::new(),
                    timeout_ns: ns(secs(1)),
                    operations: Operations::Script(Vec::new()),
                },
                phases: Phases { chaos_ns: ns(secs(2)), settle_ns: 0, final_reads: false },
                faults: Vec::new(),
            },
            halts: 0,
            effects: true,
            word: "",
            asked: Arc::new(|_, _| Box::pin(async { Err(Failed::No("nobody was to ask".to_owned())) })),
            changed: None,
        }
    }

    /// How long it lasts.
    pub(crate) fn lasting(mut self, span: Duration) -> Self {
        self.plan.phases.chaos_ns = ns(span);
        self
    }

    /// Another latency.
    pub(crate) fn latency(mut self, least: Duration, most: Duration) -> Self {
        self.plan.cluster.latency = Latency { min_ns: ns(least), max_ns: ns(most) }.into();
        self
    }

    /// Zones of one latency each way, by `[from][to]`.
    pub(crate) fn zones(mut self, rows: &[&[Duration]]) -> Self {
        let latency = |span: &Duration| Latency { min_ns: ns(*span), max_ns: ns(*span) };
        let rows = rows.iter().map(|row| row.iter().map(latency).collect());
        self.plan.cluster.latency = Latencies::Zones(rows.collect());
        self
    }

    /// One more fault.
    pub(crate) fn also(mut self, fault: Fault) -> Self {
        self.plan.faults.push(fault);
        self
    }

    /// Another seed.
    pub(crate) fn seed(mut self, seed: u64) -> Self {
        self.plan.seed = seed;
        self
    }

    /// A fault on these machines.
    pub(crate) fn fault(mut self, nodes: &[u32], begins: Duration, lasts: Duration, kind: FaultKind) -> Self {
        self.plan.faults.push(Fault {
            id: self.plan.faults.len() as u32,
            begins_ns: ns(begins),
            lasts_ns: ns(lasts),
            target: Target::Nodes(nodes.iter().copied().map(NodeId).collect()),
            kind,
        });
        self
    }

    /// So many processes end by themselves; none when it is not said, and then a process whose script is over stays.
    pub(crate) fn halting(mut self, halts: u64) -> Self {
        self.halts = halts;
        self
    }

    /// Some fault shows no effect here, and need not.
    pub(crate) fn some_fault_is_inert(mut self) -> Self {
        self.effects = false;
        self
    }

    /// So many client machines, which ask (client, process, when) and are answered, or not, by `asked`. Operations are reads whose
    /// key is their number.
    pub(crate) fn clients<F>(
        mut self,
        clients: u32,
        script: &[(u32, u32, Duration)],
        asked: impl Fn(Machine, Operation) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<Reply>> + 'static,
    {
        self.plan.cluster.clients = clients;
        let scripted = script.iter().enumerate().map(|(number, &(client, process, at))| {
            // A process asks one thing after the other.
            let again = script[number + 1..].iter().any(|(_, p, _)| *p == process);
            Scripted {
                client,
                process,
                home: None,
                invoked_ns: ns(at),
                replied_ns: again.then_some(ns(at) + 1),
                operation: Operation::new("read", Value::Int(number as i64), Value::Nil),
            }
        });
        self.plan.workload.operations = Operations::Script(scripted.collect());
        self.asked = Arc::new(move |machine, operation| Box::pin(asked(machine, operation)));
        self
    }

    /// Members can be changed: what an admin does who wants that.
    pub(crate) fn members<F>(mut self, changed: impl Fn(Machine, Change) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<()>> + 'static,
    {
        self.changed = Some(Arc::new(move |machine, change| Box::pin(changed(machine, change))));
        self
    }

    /// A word for its machines.
    pub(crate) fn word(mut self, word: &'static str) -> Self {
        self.word = word;
        self
    }

    /// Plays the scene on every simulator; `judge` panics where one is wrong.
    pub(crate) fn check<F>(self, script: impl Fn(Machine) -> F + Send + Sync + 'static, judge: impl Fn(&Run) + Sync)
    where
        F: Future<Output = Result<()>> + 'static,
    {
        let script: Script = Arc::new(move |machine| Box::pin(script(machine)));
        let mut wrong = Vec::new();
        for entry in simulators() {
            let expected = differences::find(entry.name, self.fact);
            let play = || {
                let run = self.play(entry.simulator, &script, Options { trace: true });
                assert_eq!(run.execution.end, End::Completed, "how the run ended");
                assert_eq!(run.execution.statistics.halts, self.halts, "processes that ended: {:?}", run.processes());
                judge(&run);
                for fault in run.execution.faults.iter().filter(|_| self.effects) {
                    assert!(fault.effects > 0 && !fault.unresolved, "a fault without an effect: {fault:?}");
                }
            };
            let held = std::thread::scope(|scope| scope.spawn(play).join()).is_ok();
            match (held, expected) {
                (true, None) | (false, Some(_)) => {}
                (false, None) => wrong.push(format!("{}: the fact does not hold", entry.name)),
                (true, Some(difference)) => {
                    wrong.push(format!("{}: holds, though differences.rs says: {}", entry.name, difference.why));
                }
            }
        }
        assert!(wrong.is_empty(), "{}: {wrong:#?}", self.fact);
    }

    /// Plays the scene several times on every simulator, each time on a thread of its own, and lets `judge` compare.
    pub(crate) fn compare<F>(
        variants: &[Self],
        script: impl Fn(Machine) -> F + Send + Sync + 'static,
        options: &[Options],
        judge: impl Fn(&[Run]),
    ) where
        F: Future<Output = Result<()>> + 'static,
    {
        let script: Script = Arc::new(move |machine| Box::pin(script(machine)));
        for entry in simulators() {
            println!("on {}:", entry.name);
            let fact = variants[0].fact;
            let expected = differences::find(entry.name, fact);
            let script = &script;
            let runs: Vec<Run> = std::thread::scope(|scope| {
                let play = |(scene, options)| scope.spawn(move || Scene::play(scene, entry.simulator, script, options));
                let threads: Vec<_> = variants.iter().zip(options.iter().copied()).map(play).collect();
                threads.into_iter().map(|t| t.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
            });
            let held = catch_unwind(AssertUnwindSafe(|| judge(&runs))).is_ok();
            assert_eq!(held, expected.is_none(), "{fact} holds on {}, and what differences.rs says of it", entry.name);
        }
    }

    /// Plays scenes on one thread, one after the other, on every simulator.
    pub(crate) fn one_after_the_other<F>(
        scenes: &[Self],
        script: impl Fn(Machine) -> F + Send + Sync + 'static,
        judge: impl Fn(&[Run]),
    ) where
        F: Future<Output = Result<()>> + 'static,
    {
        let script: Script = Arc::new(move |machine| Box::pin(script(machine)));
        for entry in simulators() {
            println!("on {}:", entry.name);
            let play = |scene: &Scene| scene.play(entry.simulator, &script, Options { trace: true });
            let runs: Vec<Run> = std::thread::scope(|scope| {
                let thread = scope.spawn(|| scenes.iter().map(play).collect());
                thread.join().unwrap_or_else(|panic| resume_unwind(panic))
            });
            judge(&runs);
        }
    }

    /// What is said of a scene whose plan cannot be run.
    pub(crate) fn refused(&self, simulator: Simulator, options: Options) -> PlanError {
        let script: Script = Arc::new(|_| Box::pin(async { Ok(()) }));
        let workload = squall_workloads::find("register").expect("it is in the catalogue").workload;
        Arc::new(self.cast(&script, &Arc::default())).run(simulator, &self.plan, workload, options).unwrap_err()
    }

    fn cast(&self, script: &Script, props: &Arc<Props>) -> Cast {
        Cast {
            script: script.clone(),
            asked: self.asked.clone(),
            changed: self.changed.clone(),
            halts: self.halts > 0,
            word: self.word,
            props: props.clone(),
        }
    }

    fn play(&self, simulator: Simulator, script: &Script, options: Options) -> Run {
        let props = Arc::new(Props::default());
        let cast = self.cast(script, &props);
        let workload = squall_workloads::find("register").expect("it is in the catalogue").workload;
        let execution = Arc::new(cast).run(simulator, &self.plan, workload, options);
        let execution = execution.unwrap_or_else(|error| panic!("the plan cannot be run: {error}"));
        let board = std::mem::take(&mut *props.board.lock().expect("the run is over"));
        // What scripts hid from crashes has outlived its world now, and must not mind.
        drop(std::mem::take(&mut *props.kept.lock().expect("the run is over")));
        Run::new(execution, board)
    }
}
