//! The clients of a run: who asks what when, and the history of what they saw.

mod admin;

use squall_checkers::{
    history::{EntryId, History, MarkKind, Outcome, Phase, ProcessId, Provenance},
    operation::Operation,
    recorder::HistoryBuilder,
};
use squall_workloads::{
    random::Stream,
    workload::{Client, Settings, Workload},
};

use self::admin::{Admin, Removed};
use super::script::Script;
use crate::{
    environment::{Change, Failed, Reply},
    plan::{Load, NodeId, Operations, Plan},
    simulators::{PlanError, execution::ProcessInfo},
};

/// Something a client does at a certain time. Simulators schedule it and give it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// A client's next operation is due.
    Client(u32),
    /// The script's next operation may be due.
    Script,
    /// A process goes on with its final reads.
    FinalRead(ProcessId),
    /// The admin looks after a replica's membership.
    Admin(NodeId),
}

/// What a simulator has to do after something happened to the clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Give the turn back at this time.
    Schedule(u64, Turn),
    /// Do this operation.
    Invoke(EntryId),
    /// Ask for this change of members.
    Ask(EntryId),
    /// This request for a change was not answered in time.
    GiveUp(EntryId),
}

/// The clients of a run.
pub(crate) struct Clients {
    recorder: HistoryBuilder,
    processes: Vec<Process>,
    source: Source,
    nodes: u32,
    machines: u32,
    /// No generated operation is invoked from here on.
    settled_ns: u64,
    /// Gives the final reads when their time has come, if they are asked for.
    final_source: Option<(&'static dyn Workload, Settings)>,
    final_reads: Vec<Operation>,
    /// Final reads still to be done, by replica.
    reading: Vec<Reading>,
    /// Rounds of final reads begun so far.
    rounds: u32,
    /// Operations that are open.
    open: u32,
    /// By replica, what burst its clients are in.
    bursts: Vec<Burst>,
    admin: Admin,
}

/// Clients ask more often, or for a hot key.
#[derive(Clone, Copy, Default)]
struct Burst {
    /// How many times as often; 0 in calm.
    factor: u32,
    /// Whether they ask otherwise than in calm.
    felt: bool,
}

/// Every replica is read twice: the first round settles writes whose outcome is unknown (a reader may be the first to carry one
/// further), the second is the one that must agree.
const ROUNDS: u32 = 2;

/// A session.
struct Process {
    info: ProcessInfo,
    serial: u32,
    open: Option<EntryId>,
    retired: bool,
}

struct Reading {
    process: ProcessId,
    next: usize,
}

enum Source {
    Generated { clients: Vec<Generator>, interval_ns: u64, load: Load, left: u32 },
    Script(Script),
}

/// One client of a generated load.
struct Generator {
    client: Box<dyn Client>,
    pace: Stream,
    /// Its processes that have nothing open.
    idle: Vec<ProcessId>,
    /// How many of its processes have something open; at most one under a closed load.
    busy: u32,
    /// A closed load's client whose turn came while its operation was open.
    waiting: bool,
    done: bool,
}

impl Clients {
    pub(crate) fn new(plan: &Plan, workload: &'static dyn Workload) -> Result<Self, PlanError> {
        let machines = plan.cluster.clients;
        let source = match &plan.workload.operations {
            Operations::Generated { interval_ns, load, limit } => {
                let clients = (0..machines).map(|i| {
                    let draws = Stream::named(plan.seed, &format!("workload/client/{i}"));
                    Ok(Generator {
                        client: workload.client(&plan.workload.settings, i, machines, draws)?,
                        pace: Stream::named(plan.seed, &format!("pace/client/{i}")),
                        idle: Vec::new(),
                        busy: 0,
                        waiting: false,
                        done: false,
                    })
                });
                let clients = clients.collect::<Result<_, PlanError>>()?;
                Source::Generated { clients, interval_ns: *interval_ns, load: *load, left: *limit }
            }
            Operations::Script(operations) => Source::Script(Script::new(operations)),
        };
        // Settings that final reads cannot use are an error now, not at the end.
        workload.final_reads(&plan.workload.settings, &[])?;
        let mut recorder = HistoryBuilder::new();
        recorder.set_provenance(Provenance {
            system: plan.system.clone(),
            workload: plan.workload.name.clone(),
            seed: Some(plan.seed),
            promised: None,
        });
        recorder.mark(MarkKind::Phase(Phase::Chaos), 0);
        let settled_ns = plan.phases.chaos_ns + plan.phases.settle_ns;
        Ok(Clients {
            recorder,
            processes: Vec::new(),
            source,
            nodes: plan.cluster.nodes,
            machines,
            settled_ns,
            final_source: plan.phases.final_reads.then(|| (workload, plan.workload.settings.clone())),
            final_reads: Vec::new(),
            reading: Vec::new(),
            rounds: 0,
            open: 0,
            bursts: vec![Burst::default(); plan.cluster.nodes as usize],
            admin: Admin::new(plan.cluster.nodes, machines, settled_ns),
        })
    }

    /// The first turns.
    pub(crate) fn start(&mut self) -> Vec<Action> {
        match &mut self.source {
            Source::Generated { clients, interval_ns, .. } => (0..)
                .zip(clients)
                .map(|(i, g)| Action::Schedule(g.pace.between(0, *interval_ns), Turn::Client(i)))
                .collect(),
            Source::Script(script) => {
                script.next_due().map(|at| Action::Schedule(at, Turn::Script)).into_iter().collect()
            }
        }
    }

    /// A turn has come.
    pub(crate) fn turn(&mut self, turn: Turn, now: u64, actions: &mut Vec<Action>) {
        match turn {
            Turn::Client(client) => self.client_turn(client, now, actions),
            Turn::Script => self.script_turn(now, actions),
            Turn::FinalRead(process) => self.final_read(process, now, actions),
            Turn::Admin(node) => self.admin.turn(node, now, actions),
        }
    }

    fn client_turn(&mut self, client: u32, now: u64, actions: &mut Vec<Action>) {
        if now >= self.settled_ns {
            return;
        }
        let Source::Generated { clients, interval_ns, load, left } = &mut self.source else { return };
        let generator = &mut clients[client as usize];
        if *left == 0 || generator.done {
            return;
        }
        if *load == Load::Closed && generator.busy > 0 {
            generator.waiting = true;
            return;
        }
        let process = generator.idle.pop().unwrap_or_else(|| {
            self.processes.push(Process::new(client, NodeId(client % self.nodes)));
            ProcessId(self.processes.len() as u32 - 1)
        });
        let Some(operation) = generator.client.next(process) else {
            generator.done = true;
            return;
        };
        let burst = self.bursts[(client % self.nodes) as usize].factor;
        if burst == 0 {
            *left -= 1;
        }
        generator.busy += 1;
        // Uniform around the mean, so that clients do not march in step.
        let interval_ns = (load.interval_ns(*interval_ns, now) / u64::from(burst.max(1))).max(1);
        let pause = interval_ns / 2 + generator.pace.between(0, interval_ns);
        actions.push(Action::Invoke(self.invoke(process, operation, now)));
        actions.push(Action::Schedule(now + pause.max(1), Turn::Client(client)));
    }

    /// The replica whose clients ask more often or for a hot key, when this turn is one of theirs.
    pub(crate) fn bursting(&self, turn: Turn) -> Option<NodeId> {
        let Turn::Client(client) = turn else { return None };
        let home = client % self.nodes;
        self.bursts[home as usize].felt.then_some(NodeId(home))
    }

    /// From now on the clients of this replica ask so many times as often (0 in calm), and for one key so often.
    pub(crate) fn set_burst(&mut self, home: u32, factor: u32, heat_permille: u32) {
        let Source::Generated { clients, .. } = &mut self.source else { return };
        let mut keyed = false;
        for generator in clients.iter_mut().skip(home as usize).step_by(self.nodes as usize) {
            keyed |= generator.client.heat(heat_permille);
        }
        self.bursts[home as usize] = Burst { factor, felt: factor > 1 || (heat_permille > 0 && keyed) };
    }

    /// The admin wants a change of members from now on; its turn is due.
    pub(crate) fn want(&mut self, change: Change, now: u64) {
        self.admin.want(change, now);
    }

    /// What the admin asks for in a request that is open; `None` where it is none of its.
    pub(crate) fn change(&self, request: EntryId) -> Option<Change> {
        self.admin.change(request).filter(|_| self.admin.is_open(request))
    }

    /// An open request of the admin came to its end. Whom the system says to have removed, if it had not said so before.
    pub(crate) fn changed(
        &mut self,
        request: EntryId,
        done: bool,
        now: u64,
        actions: &mut Vec<Action>,
    ) -> Option<Removed> {
        self.admin.completed(request, done, now, actions)
    }

    fn script_turn(&mut self, now: u64, actions: &mut Vec<Action>) {
        let Source::Script(script) = &mut self.source else { return };
        while let Some((index, scripted)) = script.take_due(now) {
            let process = script.process_of(index, |retired| self.processes[retired.0 as usize].retired);
            let process = process.unwrap_or_else(|| {
                let process = ProcessId(self.processes.len() as u32);
                let home = scripted.home.unwrap_or(scripted.client % self.nodes);
                self.processes.push(Process::new(scripted.client, NodeId(home)));
                script.bind(index, process);
                process
            });
            let entry = self.recorder.invoke(process, scripted.operation.clone(), now);
            script.invoked(index, entry);
            let session = &mut self.processes[process.0 as usize];
            session.serial += 1;
            session.open = Some(entry);
            self.open += 1;
            actions.push(Action::Invoke(entry));
        }
        if let Some(at) = script.next_due() {
            actions.push(Action::Schedule(at.max(now), Turn::Script));
        }
    }

    fn final_read(&mut self, process: ProcessId, now: u64, actions: &mut Vec<Action>) {
        let Some(reading) = self.reading.iter_mut().find(|r| r.process == process) else { return };
        let Some(operation) = self.final_reads.get(reading.next).cloned() else { return };
        reading.next += 1;
        actions.push(Action::Invoke(self.invoke(process, operation, now)));
    }

    #[inline]
    fn invoke(&mut self, process: ProcessId, operation: Operation, now: u64) -> EntryId {
        let entry = self.recorder.invoke(process, operation, now);
        let session = &mut self.processes[process.0 as usize];
        session.serial += 1;
        session.open = Some(entry);
        self.open += 1;
        entry
    }

    /// An operation came to an end. Nothing happens when it had ended before (a late or second reply): false.
    pub(crate) fn complete(
        &mut self,
        entry: EntryId,
        result: Result<Reply, Failed>,
        now: u64,
        actions: &mut Vec<Action>,
    ) -> bool {
        let Some(process) = self.recorder.entry(entry).map(|e| e.process) else { return false };
        let session = &mut self.processes[process.0 as usize];
        if session.open != Some(entry) {
            return false;
        }
        session.open = None;
        self.open -= 1;
        let outcome = match result {
            Ok(reply) => Outcome::Ok(reply),
            Err(Failed::No(why)) => Outcome::Failed(why.into()),
            Err(Failed::Unknown(why)) => Outcome::Unknown(why.into()),
        };
        session.retired = matches!(outcome, Outcome::Unknown(_));
        let (retired, client) = (session.retired, session.info.client);
        let reading = self.reading.iter().any(|r| r.process == process);
        if reading && !retired {
            actions.push(Action::Schedule(now, Turn::FinalRead(process)));
        }
        match &mut self.source {
            Source::Generated { clients, .. } if !reading => {
                let generator = &mut clients[client as usize];
                if let Some(recorded) = self.recorder.entry(entry) {
                    generator.client.completed(process, &recorded.operation, &outcome);
                }
                generator.busy -= 1;
                if !retired {
                    generator.idle.push(process);
                }
                if std::mem::take(&mut generator.waiting) {
                    actions.push(Action::Schedule(now, Turn::Client(client)));
                }
            }
            Source::Generated { .. } => {}
            Source::Script(script) => {
                if script.completed(entry) {
                    actions.push(Action::Schedule(now, Turn::Script));
                }
            }
        }
        self.recorder.complete(entry, outcome, now);
        true
    }

    /// The chaos is over.
    pub(crate) fn settle(&mut self, now: u64) {
        self.recorder.mark(MarkKind::Phase(Phase::Settle), now);
    }

    /// The settling is over, or the last round of final reads: every replica is read (again). Nothing when that was done.
    pub(crate) fn next_final_reads(&mut self, now: u64) -> Option<Vec<Action>> {
        let (workload, settings) = self.final_source.as_ref()?;
        if self.rounds == ROUNDS || self.machines == 0 {
            return None;
        }
        if self.rounds == 0 {
            let asked: Vec<Operation> = self.recorder.entries().iter().map(|e| e.operation.clone()).collect();
            self.final_reads =
                workload.final_reads(settings, &asked).expect("the settings were looked at before the run");
        }
        self.rounds += 1;
        let last = self.rounds == ROUNDS;
        if last {
            self.recorder.mark(MarkKind::Phase(Phase::FinalReads), now);
        }
        self.reading.clear();
        let mut actions = Vec::new();
        for replica in 0..self.nodes {
            let process = ProcessId(self.processes.len() as u32);
            self.processes.push(Process::new(replica % self.machines, NodeId(replica)));
            if last {
                self.recorder.mark(MarkKind::FinalReads(process, replica), now);
            }
            self.reading.push(Reading { process, next: 0 });
            actions.push(Action::Schedule(now, Turn::FinalRead(process)));
        }
        Some(actions)
    }

    /// Whether nothing is open, and neither the script, if there is one, nor a final read is still to be asked.
    #[inline]
    pub(crate) fn idle(&self) -> bool {
        let reading = |r: &Reading| !self.processes[r.process.0 as usize].retired && r.next < self.final_reads.len();
        self.open == 0
            && !matches!(&self.source, Source::Script(script) if !script.done())
            && !self.reading.iter().any(reading)
    }

    pub(crate) fn mark(&mut self, kind: MarkKind, now: u64) {
        self.recorder.mark(kind, now);
    }

    /// The operation of an entry.
    #[inline]
    pub(crate) fn operation(&self, entry: EntryId) -> &Operation {
        &self.recorder.entry(entry).expect("entries are never taken back").operation
    }

    /// Whose entry it is, or request of the admin: the process, its client's index, its preferred replica and the operation's serial
    /// number.
    #[inline]
    pub(crate) fn session(&self, entry: EntryId) -> Session {
        let Some(process) = self.recorder.entry(entry).map(|e| e.process) else { return self.admin.session(entry) };
        let p = &self.processes[process.0 as usize];
        Session { process, client: p.info.client, home: p.info.home, serial: p.serial }
    }

    /// Whether the entry is still open.
    #[inline]
    pub(crate) fn is_open(&self, entry: EntryId) -> bool {
        self.recorder.entry(entry).is_some_and(|e| self.processes[e.process.0 as usize].open == Some(entry))
    }

    /// The replica a process prefers.
    pub(crate) fn home(&self, process: ProcessId) -> NodeId {
        let index = process.0 as usize;
        self.processes.get(index).map_or_else(|| self.admin.session(index).home, |p| p.info.home)
    }

    /// Whether a process can invoke no more.
    pub(crate) fn is_retired(&self, process: ProcessId) -> bool {
        let index = process.0 as usize;
        self.processes.get(index).map_or_else(|| !self.admin.is_open(index), |p| p.retired)
    }

    /// The history, and where each process lived.
    pub(crate) fn finish(self) -> (History, Vec<ProcessInfo>) {
        (self.recorder.finish(), self.processes.into_iter().map(|p| p.info).collect())
    }
}

impl Process {
    fn new(client: u32, home: NodeId) -> Self {
        Process { info: ProcessInfo { client, home }, serial: 0, open: None, retired: false }
    }
}

/// Where an operation comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Session {
    pub(crate) process: ProcessId,
    /// Index of the client machine among the clients.
    pub(crate) client: u32,
    pub(crate) home: NodeId,
    pub(crate) serial: u32,
}
