//! Hosts async code: one executor over the native core.

mod event;
mod executor;
mod sim;
mod slots;
mod streams;

use std::{cell::RefCell, collections::BTreeMap, future::Future, pin::Pin, rc::Rc, task::Context};

use squall_checkers::history::{EntryId, ProcessId};

use self::{event::EnvEvent, executor::Turn, sim::Sim};
use super::core::{self, Core, EVENTS_PER_INSTANT_MAX, Host};
use crate::{
    environment::{
        Env, Failed, Reply, System,
        world::{self, Place, TaskKey},
    },
    simulators::Execution,
};

/// Runs a plan on async code.
pub(super) fn run<S: System>(core: Core<EnvEvent>, system: &S) -> Execution {
    let sim = Rc::new(RefCell::new(Sim::new(core)));
    let entered = world::enter(sim.clone());
    let host = EnvHost {
        sim,
        system,
        roots: Vec::new(),
        done: Rc::default(),
        sessions: BTreeMap::new(),
        operations: BTreeMap::new(),
        polls_at: (0, 0),
    };
    core::run(host, |host| {
        // What is left of the system's futures goes first: their destructors call the world.
        let EnvHost { sim, roots, sessions, .. } = host;
        drop(roots);
        drop(sessions);
        let left = sim.borrow().executor.tasks_at(|_| true);
        for task in left {
            let future = sim.borrow_mut().executor.end(task);
            drop(future);
        }
        drop(entered);
        let sim = Rc::into_inner(sim).expect("handles hold no world").into_inner();
        let mut core = sim.core;
        core.statistics.foreign_wakes = sim.executor.foreign_wakes();
        core
    })
}

/// A future that may borrow the system: a replica's `serve`, or a client's operation.
type Root<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// What a root task leaves behind when it ends.
enum Done<C> {
    /// A replica's process ended by itself.
    Served { machine: u32, why: String },
    /// An operation came to its end; the process's session goes on.
    Invoked { entry: EntryId, process: ProcessId, session: Option<C>, result: Result<Reply, Failed> },
}

struct EnvHost<'a, S: System> {
    sim: Rc<RefCell<Sim>>,
    system: &'a S,
    /// Root futures by task number.
    roots: Vec<Option<Root<'a>>>,
    done: Rc<RefCell<Vec<Done<S::Client>>>>,
    /// Sessions of processes that have no operation open.
    sessions: BTreeMap<ProcessId, S::Client>,
    /// Tasks of operations that are open.
    operations: BTreeMap<EntryId, TaskKey>,
    /// An instant, and the polls at it.
    polls_at: (u64, u64),
}

impl<'a, S: System> EnvHost<'a, S> {
    fn add_root(&mut self, place: Place, future: Root<'a>) -> TaskKey {
        let key = self.sim.borrow_mut().executor.add(place, None);
        let slot = key.0 as usize;
        if self.roots.len() <= slot {
            self.roots.resize_with(slot + 1, || None);
        }
        self.roots[slot] = Some(future);
        key
    }

    /// Ends a task and drops its future, which calls the world.
    fn end(&mut self, key: TaskKey) {
        if !self.sim.borrow().executor.is_live(key) {
            return;
        }
        let spawned = self.sim.borrow_mut().executor.end(key);
        drop(spawned);
        if let Some(root) = self.roots.get_mut(key.0 as usize) {
            drop(root.take());
        }
    }

    /// Ends all tasks of a place.
    fn end_all(&mut self, at: impl Fn(Place) -> bool) {
        let tasks = self.sim.borrow().executor.tasks_at(at);
        for key in tasks {
            self.end(key);
        }
    }

    /// A process can do no more: its session, tasks and sockets go.
    fn retire(&mut self, process: ProcessId) {
        let nodes = self.sim.borrow().core.nodes;
        self.sessions.remove(&process);
        self.end_all(|place| place.machine >= nodes && place.incarnation == process.0);
    }

    /// What root tasks left behind.
    fn collect(&mut self) {
        loop {
            let done = self.done.borrow_mut().pop();
            match done {
                None => return,
                Some(Done::Served { machine, why }) => {
                    self.sim.borrow_mut().core.halted(machine, &why);
                    self.kill(machine, true);
                }
                Some(Done::Invoked { entry, process, session, result }) => {
                    self.operations.remove(&entry);
                    if let Some(session) = session {
                        self.sessions.insert(process, session);
                    }
                    self.sim.borrow_mut().core.complete(entry, result);
                    if self.sim.borrow().core.clients.is_retired(process) {
                        self.retire(process);
                    }
                }
            }
        }
    }

    fn kill(&mut self, machine: u32, resets: bool) {
        // Forgotten first, so that destructors do not close streams in good order.
        self.sim.borrow_mut().close_all(machine, resets);
        self.end_all(|place| place.machine == machine);
    }
}

impl<S: System> Host for EnvHost<'_, S> {
    type Own = EnvEvent;

    fn core<R>(&mut self, call: impl FnOnce(&mut Core<EnvEvent>) -> R) -> R {
        call(&mut self.sim.borrow_mut().core)
    }

    fn own(&mut self, event: EnvEvent, admitted: bool) {
        let sim = &mut *self.sim.borrow_mut();
        let machine = match &event {
            EnvEvent::Datagram { to, .. } => Some(to.node.0),
            EnvEvent::Timer { machine, incarnation, .. } | EnvEvent::Disk { machine, incarnation, .. } => {
                if !sim.alive(Place { machine: *machine, incarnation: *incarnation }) {
                    return;
                }
                Some(*machine)
            }
            stream => sim.door(stream),
        };
        let Some(machine) = machine else { return sim.handle(event) };
        if !sim.core.machines[machine as usize].up {
            return sim.knocked_in_vain(event);
        }
        let event =
            if admitted || !sim.core.is_hindered(machine) { Some(event) } else { sim.core.admit(machine, event) };
        if let Some(event) = event {
            sim.handle(event);
        }
    }

    fn start(&mut self, node: u32) {
        let incarnation = self.sim.borrow().core.machines[node as usize].incarnation;
        let place = Place { machine: node, incarnation };
        let (system, done) = (self.system, self.done.clone());
        let future = async move {
            let why = match system.serve(Env::at(place)).await {
                Ok(()) => "serve returned".to_owned(),
                Err(error) => error.to_string(),
            };
            done.borrow_mut().push(Done::Served { machine: node, why });
        };
        self.add_root(place, Box::pin(future));
    }

    fn stop(&mut self, node: u32) {
        self.kill(node, false);
    }

    fn invoke(&mut self, entry: EntryId) {
        let (operation, session, nodes) = {
            let core = &self.sim.borrow().core;
            (core.clients.operation(entry).clone(), core.clients.session(entry), core.nodes)
        };
        let process = session.process;
        let place = Place { machine: nodes + session.client, incarnation: process.0 };
        let mut client = self.sessions.remove(&process);
        let (system, done) = (self.system, self.done.clone());
        let future = async move {
            let env = Env::at(place);
            let result = async {
                if client.is_none() {
                    // Nothing was asked of the store yet.
                    client = Some(system.connect(&env).await.map_err(certainly)?);
                }
                match &mut client {
                    Some(client) => system.invoke(client, &env, &operation).await,
                    None => unreachable!("connected above"),
                }
            }
            .await;
            done.borrow_mut().push(Done::Invoked { entry, process, session: client, result });
        };
        let key = self.add_root(place, Box::pin(future));
        self.operations.insert(entry, key);
    }

    fn abandon(&mut self, entry: EntryId) {
        if let Some(key) = self.operations.remove(&entry) {
            self.end(key);
        }
        let process = self.sim.borrow().core.clients.session(entry).process;
        self.retire(process);
    }

    fn resume(&mut self, _: u32) {
        self.sim.borrow_mut().executor.resume();
    }

    fn rearm(&mut self, node: u32) {
        self.sim.borrow_mut().rearm(node);
    }

    fn settle_instant(&mut self) -> bool {
        loop {
            let next = {
                let sim = &mut *self.sim.borrow_mut();
                let core = &mut sim.core;
                let next = sim.executor.next(|place| core.may_run(place.machine));
                core.running = next.as_ref().map(|(_, place, ..)| place.machine);
                next
            };
            let Some((key, place, waker, turn)) = next else { return true };
            let mut cx = Context::from_waker(&waker);
            let (finished, future) = match turn {
                Turn::Poll(mut future) => (future.as_mut().poll(&mut cx).is_ready(), Some(future)),
                Turn::Root => {
                    let Some(mut future) = self.roots[key.0 as usize].take() else { continue };
                    let finished = future.as_mut().poll(&mut cx).is_ready();
                    if !finished {
                        self.roots[key.0 as usize] = Some(future);
                    }
                    (finished, None)
                }
            };
            let (spins, left) = {
                let sim = &mut *self.sim.borrow_mut();
                let left = sim.executor.put_back(key, waker, future);
                sim.core.digest(0xC << 60 | u64::from(key.0), u64::from(place.machine) << 1 | u64::from(finished));
                let polls = if self.polls_at.0 == sim.core.now { self.polls_at.1 + 1 } else { 1 };
                self.polls_at = (sim.core.now, polls);
                let spins = polls > EVENTS_PER_INSTANT_MAX;
                // Who spins is who ran last.
                sim.core.running = sim.core.running.filter(|_| spins);
                (spins, left)
            };
            // A future's destructors call the world.
            drop(left);
            if finished {
                self.end(key);
                self.collect();
            }
            if spins {
                return false;
            }
        }
    }
}

/// Before a session stands nothing was asked of the store: whatever went wrong, the operation did not happen.
fn certainly(error: Failed) -> Failed {
    match error {
        Failed::No(why) | Failed::Unknown(why) => Failed::No(why),
    }
}
