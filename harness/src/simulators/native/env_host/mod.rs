//! Hosts async code: one executor over the native core.

mod event;
mod executor;
mod sim;

use std::{
    cell::{Cell, RefCell},
    future::{Future, poll_fn},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use squall_checkers::{
    history::{EntryId, ProcessId},
    operation::Operation,
};

use self::{
    event::EnvEvent,
    executor::{Executor, Turn},
    sim::Sim,
};
use super::core::{self, Core, Host};
use crate::{
    environment::{
        Change, Env, Failed, Reply, System,
        world::{self, Place, TaskKey},
    },
    simulators::Execution,
};

/// Runs a plan on async code.
pub(super) fn run<S: System>(core: Core<EnvEvent>, system: &S) -> Execution {
    let sim = Rc::new(RefCell::new(Sim::new(core)));
    let entered = world::enter(sim.clone());
    let host = EnvHost { sim, system, roots: Vec::new(), done: Rc::default(), sessions: Vec::new() };
    core::run(host, |host| {
        // What is left of the system's futures goes first: their destructors call the world.
        let EnvHost { sim, roots, .. } = host;
        drop(roots);
        // Destructors may start tasks of their own.
        loop {
            let tasks = sim.borrow().executor.tasks_at(|_| true);
            let left: Vec<_> = tasks.into_iter().filter_map(|task| sim.borrow_mut().executor.end(task)).collect();
            let orphans = sim.borrow_mut().kernel.take_orphans();
            if left.is_empty() && orphans.is_empty() {
                break;
            }
        }
        drop(entered);
        let sim = Rc::into_inner(sim).expect("handles hold no world").into_inner();
        let mut core = sim.core;
        core.statistics.foreign_wakes = sim.executor.foreign_wakes();
        core
    })
}

/// A future that may borrow the system: a replica's `serve`, or a client's session.
type Root<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// What a root task has to say.
enum Done {
    /// A replica's process ended by itself.
    Served { machine: u32, why: String },
    /// An operation came to its end.
    Invoked { entry: EntryId, process: ProcessId, result: Result<Reply, Failed> },
}

/// A process and its client.
struct Session {
    task: TaskKey,
    /// What it is to do next.
    asked: Rc<Cell<Option<(EntryId, Operation)>>>,
}

struct EnvHost<'a, S: System> {
    sim: Rc<RefCell<Sim>>,
    system: &'a S,
    /// Root futures and their wakers by task number.
    roots: Vec<Option<(Root<'a>, Waker)>>,
    done: Rc<RefCell<Vec<Done>>>,
    /// By process.
    sessions: Vec<Option<Session>>,
}

impl<'a, S: System> EnvHost<'a, S> {
    fn add_root(&mut self, place: Place, future: Root<'a>) -> TaskKey {
        let (key, waker) = self.sim.borrow_mut().executor.add_root(place);
        let slot = key.0 as usize;
        if self.roots.len() <= slot {
            self.roots.resize_with(slot + 1, || None);
        }
        self.roots[slot] = Some((future, waker));
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

    /// Ends all tasks of a place, those too that their destructors start.
    fn end_all(&mut self, at: impl Fn(Place) -> bool) {
        loop {
            let tasks = self.sim.borrow().executor.tasks_at(&at);
            if tasks.is_empty() {
                return;
            }
            for key in tasks {
                self.end(key);
            }
        }
    }

    /// A process can do no more: its session, tasks and sockets go.
    fn retire(&mut self, process: ProcessId) {
        let nodes = self.sim.borrow().core.nodes;
        if let Some(session) = self.sessions.get_mut(process.0 as usize) {
            *session = None;
        }
        self.end_all(|place| place.machine >= nodes && place.incarnation == process.0);
    }

    /// What root tasks left behind.
    #[inline]
    fn collect(&mut self) {
        while !self.done.borrow().is_empty() {
            self.collect_one();
        }
    }

    fn collect_one(&mut self) {
        let done = self.done.borrow_mut().pop();
        match done {
            None => {}
            Some(Done::Served { machine, why }) => {
                self.sim.borrow_mut().core.halted(machine, &why);
                self.kill(machine, true);
            }
            Some(Done::Invoked { entry, process, result }) => {
                self.sim.borrow_mut().core.complete(entry, result);
                if self.sim.borrow().core.clients.is_retired(process) {
                    self.retire(process);
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

    #[inline(always)]
    fn own(&mut self, event: EnvEvent, admitted: bool) {
        let sim = &mut *self.sim.borrow_mut();
        match event {
            // By far the most there is.
            EnvEvent::Datagram { from, to, hash, payload }
                if admitted || !sim.core.machines[to.node.0 as usize].is_hindered() =>
            {
                sim.datagram_arrives(from, to, hash, payload);
            }
            event => sim.knock(event, admitted),
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
        let process = session.process.0 as usize;
        if self.sessions.len() <= process {
            self.sessions.resize_with(process + 1, || None);
        }
        if let Some(session) = &self.sessions[process] {
            session.asked.set(Some((entry, operation)));
            Executor::wake(session.task);
            return;
        }
        let place = Place { machine: nodes + session.client, incarnation: session.process.0 };
        let asked = Rc::new(Cell::new(Some((entry, operation))));
        let future = live(self.system, Env::at(place), session.process, asked.clone(), self.done.clone());
        let task = self.add_root(place, Box::pin(future));
        self.sessions[process] = Some(Session { task, asked });
    }

    fn reconfigure(&mut self, request: EntryId, change: Change) {
        let (session, nodes) = {
            let core = &self.sim.borrow().core;
            (core.clients.session(request), core.nodes)
        };
        let process = session.process;
        let place = Place { machine: nodes + session.client, incarnation: process.0 };
        let (system, done) = (self.system, self.done.clone());
        let future = async move {
            let result = system.reconfigure(&Env::at(place), change).await.map(|()| Reply::Nil);
            done.borrow_mut().push(Done::Invoked { entry: request, process, result });
        };
        self.add_root(place, Box::pin(future));
    }

    fn abandon(&mut self, entry: EntryId) {
        let process = self.sim.borrow().core.clients.session(entry).process;
        self.retire(process);
    }

    fn resume(&mut self, _: u32) {
        self.sim.borrow_mut().executor.resume();
    }

    fn rearm(&mut self, node: u32) {
        self.sim.borrow_mut().rearm(node);
    }

    #[inline]
    fn settle_instant(&mut self) -> bool {
        while Executor::any_woken() {
            let next = {
                let sim = &mut *self.sim.borrow_mut();
                let core = &mut sim.core;
                let next = sim.executor.next(|place| core.machines[place.machine as usize].may_run());
                core.runs(next.as_ref().map(|(_, place, _)| place.machine));
                next
            };
            let Some((key, place, turn)) = next else { break };
            let (finished, lent) = match turn {
                Turn::Spawned(mut future, waker) => {
                    let finished = future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
                    (finished, Some((future, waker)))
                }
                Turn::Root => {
                    let Some((future, waker)) = &mut self.roots[key.0 as usize] else { continue };
                    (future.as_mut().poll(&mut Context::from_waker(waker)).is_ready(), None)
                }
            };
            let (spins, left) = {
                let sim = &mut *self.sim.borrow_mut();
                let left = lent.and_then(|(future, waker)| sim.executor.put_back(key, future, waker));
                sim.core.digest(0xC << 60 | u64::from(key.0), u64::from(place.machine) << 1 | u64::from(finished));
                let spins = sim.core.count_one();
                // Who spins is who ran last.
                sim.core.running = sim.core.running.filter(|_| spins);
                (spins, left)
            };
            // A future's destructors call the world.
            drop(left);
            if finished {
                self.end(key);
            }
            self.collect();
            if spins {
                return false;
            }
        }
        true
    }
}

/// The life of a process: does what it is asked, one operation after the other.
async fn live<S: System>(
    system: &S,
    env: Env,
    process: ProcessId,
    asked: Rc<Cell<Option<(EntryId, Operation)>>>,
    done: Rc<RefCell<Vec<Done>>>,
) {
    let mut client = None;
    loop {
        let (entry, operation) = poll_fn(|_| asked.take().map_or(Poll::Pending, Poll::Ready)).await;
        let result = ask(system, &env, &mut client, &operation).await;
        done.borrow_mut().push(Done::Invoked { entry, process, result });
    }
}

async fn ask<S: System>(
    system: &S,
    env: &Env,
    client: &mut Option<S::Client>,
    operation: &Operation,
) -> Result<Reply, Failed> {
    let client = match client {
        Some(client) => client,
        None => client.insert(system.connect(env).await.map_err(certainly)?),
    };
    system.invoke(client, env, operation).await
}

/// Before a session stands nothing was asked of the store: whatever went wrong, the operation did not happen.
fn certainly(error: Failed) -> Failed {
    match error {
        Failed::No(why) | Failed::Unknown(why) => Failed::No(why),
    }
}
