//! The tasks of a run: each is a task of the runtime, that polls a future kept here, so that a crash can drop it at once and a
//! machine that stands still runs nothing.
//!
//! Whom a machine's wire wakes by what it brings is polled by the wire's own task as soon as the wire is done: the way through
//! the runtime's queue would cost as much again as the way over the wire.

use std::{
    cell::RefCell,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    rc::Weak,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, Wake, Waker},
};

use super::{machines::Command, world::Hosted};
use crate::{
    environment::world::{LocalFuture, Place, TaskKey},
    plan::{MILLISECOND, NodeId},
    simulators::{
        End,
        layer::{panics::message_of, world::Layered as _},
    },
};

/// Polls in one window of time after which a system is said to spin.
const POLLS_PER_WINDOW_MAX: u64 = 1_000_000;
/// That window. Some runtimes let a little time pass with every poll, so that one instant would never show it.
const WINDOW_NS: u64 = 100 * MILLISECOND;

/// A task.
pub(super) struct Task {
    place: Place,
    kind: Kind,
    /// Elsewhere while it is polled.
    body: Option<Body>,
    call: Arc<Call>,
}

/// A task's future, and the waker that it is polled with.
type Body = (LocalFuture, Waker);

/// How a task is called.
struct Call {
    key: TaskKey,
    machine: u32,
    /// The waker of the runtime's task, once that was polled.
    runtime: Mutex<Option<Waker>>,
}

thread_local! {
    /// The machine whose wire is being polled on this thread, and the tasks of that machine that it woke.
    static WIRED: RefCell<(Option<u32>, Vec<TaskKey>)> = const { RefCell::new((None, Vec::new())) };
}

impl Call {
    /// Has the runtime poll its task.
    fn pass_on(&self) {
        if let Some(waker) = &*self.runtime.lock().unwrap_or_else(PoisonError::into_inner) {
            waker.wake_by_ref();
        }
    }

    /// The runtime polls its task with this waker.
    fn polled_with(&self, waker: &Waker) {
        let mut known = self.runtime.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *known {
            Some(known) => known.clone_from(waker),
            None => *known = Some(waker.clone()),
        }
    }
}

impl Wake for Call {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let noted = WIRED.with_borrow_mut(|(machine, woken)| {
            let here = *machine == Some(self.machine);
            if here && !woken.contains(&self.key) {
                woken.push(self.key);
            }
            here
        });
        if !noted {
            self.pass_on();
        }
    }
}

/// Whose task it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The machine's wire: runs whatever happens to its process.
    Wire,
    /// A process's own.
    Process,
    /// A process's first, or a client's operation: the conductor wants to know when it ends.
    Root,
}

/// How often tasks were polled of late.
#[derive(Default)]
pub(super) struct Polls {
    window: u64,
    count: u64,
}

/// What a task finds when it is polled.
enum Turn {
    Gone,
    Later,
    Poll(Body),
}

impl Hosted {
    /// A new task; the runtime has yet to be told.
    pub(super) fn add_task(&mut self, place: Place, kind: Kind, future: LocalFuture) -> TaskKey {
        let (slot, serial) = self.tasks.insert_with(|slot, serial| {
            let key = TaskKey(slot, serial);
            let call = Arc::new(Call { key, machine: place.machine, runtime: Mutex::new(None) });
            Task { place, kind, body: Some((future, Waker::from(call.clone()))), call }
        });
        TaskKey(slot, serial)
    }

    /// Has a task polled.
    pub(super) fn wake(&mut self, key: TaskKey) {
        if let Some(task) = self.tasks.get_mut(key.0, key.1) {
            task.call.pass_on();
        }
    }

    /// Starts a task on its machine.
    pub(super) fn start_on(&mut self, place: Place, kind: Kind, future: LocalFuture) -> TaskKey {
        let key = self.add_task(place, kind, future);
        self.core.command(place.machine, Command::Spawn(key));
        key
    }

    /// Ends a task; returns its future, to be dropped outside the world.
    pub(super) fn end(&mut self, key: TaskKey) -> Option<LocalFuture> {
        let task = self.tasks.remove(key.0, key.1)?;
        // The runtime's task finds nothing and ends.
        task.call.pass_on();
        task.body.map(|(future, _)| future)
    }

    /// Ends all tasks of processes at such places; returns their futures, to be dropped outside the world.
    pub(super) fn end_tasks(&mut self, at: impl Fn(Place) -> bool) -> Vec<LocalFuture> {
        let keys: Vec<_> = self
            .tasks
            .iter_mut()
            .filter(|(_, _, task)| task.kind != Kind::Wire && at(task.place))
            .map(|(slot, serial, _)| TaskKey(slot, serial))
            .collect();
        keys.into_iter().filter_map(|key| self.end(key)).collect()
    }

    /// Takes out all futures at the end of a run.
    pub(super) fn take_all_tasks(&mut self) -> Vec<LocalFuture> {
        self.tasks.iter_mut().filter_map(|(_, _, task)| task.body.take()).map(|(future, _)| future).collect()
    }

    /// Tasks that were woken while their machine stood still are woken again.
    pub(super) fn resume(&mut self, machine: u32) {
        for key in std::mem::take(&mut self.core.doors[machine as usize].stalled) {
            self.wake(key);
        }
    }

    /// A task is about to be polled, by the runtime's own task with this waker or by its machine's wire.
    fn begin_poll(&mut self, key: TaskKey, waker: Option<&Waker>) -> Turn {
        self.enter();
        let Some(task) = self.tasks.get_mut(key.0, key.1) else { return Turn::Gone };
        if let Some(waker) = waker {
            task.call.polled_with(waker);
        }
        if self.core.ended.is_some() {
            return Turn::Later;
        }
        if task.kind != Kind::Wire {
            let machine = task.place.machine;
            if !self.core.machines[machine as usize].may_run() {
                self.core.pause_felt(machine);
                self.core.doors[machine as usize].stalled.push(key);
                return Turn::Later;
            }
            self.core.runs(Some(machine));
            let window = self.core.now / WINDOW_NS;
            if self.polls.window != window {
                self.polls = Polls { window, count: 0 };
            }
            self.polls.count += 1;
            if self.polls.count > POLLS_PER_WINDOW_MAX {
                let end = End::Spun { node: Some(NodeId(machine)), at_ns: self.core.now, events: self.polls.count };
                self.end_early(end);
                return Turn::Later;
            }
        }
        let turn = task.body.take().map_or(Turn::Later, Turn::Poll);
        self.core.polling = matches!(turn, Turn::Poll(_));
        turn
    }

    /// A future was polled. What is returned is dropped outside the world.
    fn end_poll(
        &mut self,
        key: TaskKey,
        body: Body,
        polled: std::thread::Result<Poll<()>>,
    ) -> (Poll<()>, Option<Body>) {
        if self.core.running.is_some() {
            self.runtime.settle();
        }
        self.core.polling = false;
        let running = self.core.running;
        self.core.runs(None);
        let polled = match polled {
            Ok(polled) => polled,
            Err(payload) => {
                let message = message_of(payload.as_ref());
                self.end_early(End::Panicked { node: running.map(NodeId), message, at_ns: self.core.now });
                Poll::Pending
            }
        };
        let Some(task) = self.tasks.get_mut(key.0, key.1) else { return (Poll::Ready(()), Some(body)) };
        let (kind, place) = (task.kind, task.place);
        if kind != Kind::Wire {
            let finished = u64::from(polled.is_ready());
            self.core.digest(0xC << 60 | u64::from(key.0), u64::from(place.machine) << 1 | finished);
        }
        if polled.is_pending() {
            task.body = Some(body);
            return (Poll::Pending, None);
        }
        self.tasks.remove(key.0, key.1);
        if kind == Kind::Root {
            self.core.call_conductor();
        }
        (Poll::Ready(()), Some(body))
    }

    /// The run ends here: nothing is polled any more.
    fn end_early(&mut self, end: End) {
        self.core.ended.get_or_insert(end);
        self.core.call_conductor();
    }
}

/// A task as the runtime has it.
pub(super) struct HostedTask {
    world: Weak<RefCell<Hosted>>,
    key: TaskKey,
    /// The machine whose wire it is, if it is one's.
    wire: Option<u32>,
}

impl HostedTask {
    pub(super) fn of_process(world: Weak<RefCell<Hosted>>, key: TaskKey) -> Self {
        HostedTask { world, key, wire: None }
    }

    pub(super) fn of_wire(world: Weak<RefCell<Hosted>>, key: TaskKey, machine: u32) -> Self {
        HostedTask { world, key, wire: Some(machine) }
    }
}

impl Future for HostedTask {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(world) = self.world.upgrade() else { return Poll::Ready(()) };
        let Some(machine) = self.wire else { return poll(&world, self.key, Some(cx.waker())) };
        WIRED.with_borrow_mut(|(wire, _)| *wire = Some(machine));
        let polled = poll(&world, self.key, Some(cx.waker()));
        // From here on whoever is woken is the runtime's to poll: a task that wakes itself must not keep the wire.
        let mut woken = WIRED.with_borrow_mut(|(wire, woken)| {
            *wire = None;
            std::mem::take(woken)
        });
        for key in woken.drain(..) {
            let call = world.borrow_mut().tasks.get_mut(key.0, key.1).map(|task| task.call.clone());
            if let Some(call) = call
                && poll(&world, key, None).is_ready()
            {
                // The runtime's task finds nothing and ends.
                call.pass_on();
            }
        }
        // The list keeps its room for the next time.
        WIRED.with_borrow_mut(|(_, empty)| *empty = woken);
        polled
    }
}

/// Polls a task.
fn poll(world: &RefCell<Hosted>, key: TaskKey, waker: Option<&Waker>) -> Poll<()> {
    let turn = world.borrow_mut().begin_poll(key, waker);
    let (mut future, own) = match turn {
        Turn::Gone => return Poll::Ready(()),
        Turn::Later => return Poll::Pending,
        Turn::Poll(body) => body,
    };
    let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(&mut Context::from_waker(&own))));
    let (polled, left) = world.borrow_mut().end_poll(key, (future, own), polled);
    // A future's destructors call the world.
    drop(left);
    polled
}
