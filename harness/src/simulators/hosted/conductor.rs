//! Conducts a run in another runtime: clients' turns, timeouts, faults, phases and final reads, each when it is due.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    future::poll_fn,
    rc::Rc,
    sync::Arc,
    task::Poll,
};

use squall_checkers::{
    history::{EntryId, ProcessId},
    operation::Operation,
};
use squall_workloads::workload::Workload;

use super::{
    core::{Core, Event},
    host::Host,
    machines::{Arrival, Command},
    runtime::Library,
    tasks::Kind,
    world::Hosted,
};
use crate::{
    environment::{
        Env, Failed, Reply, System,
        world::{self, Entered, Place, TaskKey, World},
    },
    plan::Plan,
    simulators::{
        Execution, Options, PlanError,
        layer::{
            clients::{Action, Session},
            state::Due,
            strikes,
            world::Layered as _,
        },
    },
};

/// A run of a system in another runtime.
pub(in crate::simulators) struct Conductor<S: System> {
    pub(super) world: Rc<RefCell<Hosted>>,
    system: Arc<S>,
    done: Rc<RefCell<Vec<Done>>>,
    /// Processes of clients that can do more.
    processes: BTreeMap<ProcessId, Process>,
    entered: Entered,
}

/// A client's process: a task that has its session and does one operation after the other.
struct Process {
    task: TaskKey,
    asked: Rc<Asked>,
}

/// The operation that a process is to do next.
type Asked = Cell<Option<(EntryId, Operation)>>;

/// What a root task leaves behind when it ends.
enum Done {
    /// A replica's process ended by itself.
    Served { place: Place, why: String },
    /// A client's process can do no more.
    Retired(ProcessId),
}

impl<S: System> Conductor<S> {
    /// A run that is about to begin, and its machines.
    pub(in crate::simulators) fn new<L: Library>(
        system: Arc<S>,
        plan: &Plan,
        workload: &'static dyn Workload,
        options: Options,
        library: L,
    ) -> Result<(Self, Host<L>), PlanError> {
        let core = Core::new::<L>(plan, workload, options)?;
        let library = Rc::new(library);
        let world = Hosted::new(core, library.clone());
        let host = Host { world: Rc::downgrade(&world), library };
        let entered = world::enter(world.clone());
        let mut conductor = Conductor { world, system, done: Rc::default(), processes: BTreeMap::new(), entered };
        for node in 0..plan.cluster.nodes {
            conductor.launch(node);
        }
        let actions = conductor.core(|core| core.clients.start());
        conductor.perform(actions);
        Ok((conductor, host))
    }

    /// Number of machines, replicas and clients.
    pub(in crate::simulators) fn machines(&self) -> u32 {
        self.core(|core| core.machines.len() as u32)
    }

    /// Does what is due by `now`, to which all hosts have come. False when the run is over.
    pub(in crate::simulators) fn advance(&mut self, now: u64) -> bool {
        self.core(|core| core.reach(now));
        self.collect();
        loop {
            if self.core(|core| core.ended.is_some()) {
                return false;
            }
            if self.core(|core| core.settled && core.clients.idle()) && !self.final_reads() {
                return false;
            }
            let Some(event) = self.core(|core| core.take_due(now)) else { return true };
            if !self.happens(event) {
                return false;
            }
        }
    }

    /// The run is over: what came of it.
    pub(in crate::simulators) fn finish(self) -> Execution {
        let Conductor { world, done, processes, entered, .. } = self;
        // What is left of the system's futures goes first: their destructors call the world.
        drop(processes);
        done.borrow_mut().clear();
        world.borrow_mut().over = true;
        let left = world.borrow_mut().take_all_tasks();
        drop(left);
        drop_orphans(&world);
        drop(entered);
        Rc::into_inner(world).expect("tasks hold the world weakly").into_inner().core.finish()
    }

    pub(super) fn core<R>(&self, call: impl FnOnce(&mut Core) -> R) -> R {
        call(&mut self.world.borrow_mut().core)
    }

    /// What root tasks left behind.
    fn collect(&mut self) {
        loop {
            let next = self.done.borrow_mut().pop();
            match next {
                None => return,
                Some(Done::Served { place, why }) => {
                    if self.world.borrow().alive(place) {
                        self.core(|core| core.halted(place.machine, &why));
                        self.kill(place.machine, true);
                    }
                }
                Some(Done::Retired(process)) => self.retire(process),
            }
        }
    }

    /// False when the run is over.
    fn happens(&mut self, event: Event) -> bool {
        match event {
            Event::Turn(turn) => {
                let mut actions = Vec::new();
                self.core(|core| {
                    let stamp = core.stamp;
                    core.client_turn(turn, stamp, &mut actions);
                });
                self.perform(actions);
            }
            Event::Timeout(entry) => {
                let open = self.core(|core| {
                    core.digest(0x6 << 60, entry as u64);
                    core.clients.is_open(entry)
                });
                if open {
                    self.abandon(entry);
                }
            }
            Event::Due(Due::FaultBegins(index)) => strikes::begin(self, index),
            Event::Due(Due::FaultBeats(index)) => strikes::beat(self, index),
            Event::Due(Due::FaultEnds(index)) => strikes::end(self, index),
            Event::Due(Due::Settle) => self.core(|core| core.settle()),
            Event::Due(Due::FinalReads) => self.core(|core| core.settled = true),
            Event::Due(Due::Overtime) => return false,
            Event::Restart(place) => {
                if self.core(|core| core.may_restart(place)) {
                    self.launch(place.machine);
                }
            }
            Event::Serve(place) => {
                let world = &mut *self.world.borrow_mut();
                if let Some(arrival) = world.core.serve(place) {
                    world.handle(arrival);
                }
            }
            Event::Departs { from, to, bytes, arrives_ns } => {
                self.core(|core| core.command(from, Command::Send { to, bytes, arrives_ns }));
            }
            Event::Disk(done) => {
                let world = &mut *self.world.borrow_mut();
                if world.alive(done.place) {
                    world.arrive(done.place.machine, Arrival::Disk(done));
                }
            }
            Event::Stream(event) => self.world.borrow_mut().stream_due(event),
        }
        true
    }

    /// Begins the next final reads. False when all were done, and the run is over.
    fn final_reads(&mut self) -> bool {
        let Some(actions) = self.core(|core| core.final_reads()) else { return false };
        self.perform(actions);
        true
    }

    fn perform(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Schedule(at, turn) => {
                    self.core(|core| core.put(at, Event::Turn(turn)));
                }
                Action::Invoke(entry) => self.invoke(entry),
                Action::Ask(request) => self.reconfigure(request),
                Action::GiveUp(request) => {
                    self.core(|core| core.digest(0x6 << 60, request as u64));
                    self.abandon(request);
                }
            }
        }
    }

    /// A replica's process starts.
    pub(super) fn launch(&mut self, node: u32) {
        let place = self.core(|core| core.started(node));
        let (system, done) = (self.system.clone(), self.done.clone());
        let future = async move {
            let why = match system.serve(Env::at(place)).await {
                Ok(()) => "serve returned".to_owned(),
                Err(error) => error.to_string(),
            };
            done.borrow_mut().push(Done::Served { place, why });
        };
        self.world.borrow_mut().start_on(place, Kind::Root, Box::pin(future));
    }

    /// A replica's process dies. When `resets`, the operating system lives on and tells its peers.
    pub(super) fn kill(&mut self, machine: u32, resets: bool) {
        // Forgotten first, so that destructors do not close streams in good order.
        self.world.borrow_mut().close_all(machine, resets);
        let left = self.world.borrow_mut().end_tasks(|place| place.machine == machine);
        drop(left);
        drop_orphans(&self.world);
    }

    /// A client does an operation.
    fn invoke(&mut self, entry: EntryId) {
        let (operation, session, nodes) = self.core(|core| {
            core.invoked(entry);
            (core.clients.operation(entry).clone(), core.clients.session(entry), core.nodes)
        });
        let process = session.process;
        if let Some(known) = self.processes.get(&process) {
            known.asked.set(Some((entry, operation)));
            self.world.borrow_mut().wake(known.task);
            return;
        }
        let asked = Rc::new(Cell::new(Some((entry, operation))));
        let place = Place { machine: nodes + session.client, incarnation: process.0 };
        let future = self.session(place, process, asked.clone());
        let task = self.world.borrow_mut().start_on(place, Kind::Root, Box::pin(future));
        self.processes.insert(process, Process { task, asked });
    }

    /// The admin asks for a change of members: a process that does nothing else.
    fn reconfigure(&mut self, request: EntryId) {
        let asked = self.core(|core| {
            core.asked(request);
            Some((core.clients.change(request)?, core.clients.session(request), core.nodes))
        });
        let Some((change, Session { process, client, .. }, nodes)) = asked else { return };
        let place = Place { machine: nodes + client, incarnation: process.0 };
        let (system, done, world) = (self.system.clone(), self.done.clone(), Rc::downgrade(&self.world));
        let future = async move {
            let result = system.reconfigure(&Env::at(place), change).await.map(|()| Reply::Nil);
            let Some(world) = world.upgrade() else { return };
            world.borrow_mut().completed(process, request, result);
            done.borrow_mut().push(Done::Retired(process));
        };
        let task = self.world.borrow_mut().start_on(place, Kind::Root, Box::pin(future));
        self.processes.insert(process, Process { task, asked: Rc::default() });
    }

    /// A process's session, for as long as it can do more.
    fn session(&self, place: Place, process: ProcessId, asked: Rc<Asked>) -> impl Future<Output = ()> + use<S> {
        let (system, done, world) = (self.system.clone(), self.done.clone(), Rc::downgrade(&self.world));
        async move {
            let (env, mut client) = (Env::at(place), None);
            loop {
                let (entry, operation) = poll_fn(|_| asked.take().map_or(Poll::Pending, Poll::Ready)).await;
                let result = async {
                    let client = match &mut client {
                        Some(client) => client,
                        None => {
                            // Nothing was asked of the store yet.
                            let connected = system.connect(&env).await;
                            client
                                .insert(connected.map_err(|(Failed::No(why) | Failed::Unknown(why))| Failed::No(why))?)
                        }
                    };
                    system.invoke(client, &env, &operation).await
                };
                let result = result.await;
                let Some(world) = world.upgrade() else { return };
                if !world.borrow_mut().completed(process, entry, result) {
                    done.borrow_mut().push(Done::Retired(process));
                    return;
                }
            }
        }
    }

    /// A client gives an operation up: its process can do no more.
    fn abandon(&mut self, entry: EntryId) {
        let process = self.core(|core| core.clients.session(entry).process);
        if let Some(known) = self.processes.remove(&process) {
            let left = self.world.borrow_mut().end(known.task);
            drop(left);
        }
        self.core(|core| core.complete(entry, Err(Failed::Unknown("timed out".to_owned()))));
        self.retire(process);
    }

    /// A process can do no more: its session, tasks and sockets go.
    fn retire(&mut self, process: ProcessId) {
        let nodes = self.world.borrow().node_count();
        self.processes.remove(&process);
        let left = self.world.borrow_mut().end_tasks(|place| place.machine >= nodes && place.incarnation == process.0);
        drop(left);
        drop_orphans(&self.world);
    }
}

/// Drops tasks that dead processes started; their destructors may start more.
fn drop_orphans(world: &RefCell<Hosted>) {
    loop {
        let orphans = world.borrow_mut().kernel.take_orphans();
        if orphans.is_empty() {
            return;
        }
        drop(orphans);
    }
}
