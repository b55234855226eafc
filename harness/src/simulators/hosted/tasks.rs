//! The tasks of a run: each is a task of the runtime, that polls a future kept here, so that a crash can drop it at once and a
//! machine that stands still runs nothing.

use std::{
    cell::RefCell,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    rc::Weak,
    task::{Context, Poll, Waker},
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
    future: Option<LocalFuture>,
    waker: Option<Waker>,
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
    Poll(LocalFuture),
}

impl Hosted {
    /// A new task; the runtime has yet to be told.
    pub(super) fn add_task(&mut self, place: Place, kind: Kind, future: LocalFuture) -> TaskKey {
        let (slot, serial) = self.tasks.insert(Task { place, kind, future: Some(future), waker: None });
        TaskKey(slot, serial)
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
        if let Some(waker) = task.waker {
            waker.wake();
        }
        task.future
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
        self.tasks.iter_mut().filter_map(|(_, _, task)| task.future.take()).collect()
    }

    /// Tasks that were woken while their machine stood still are woken again.
    pub(super) fn resume(&mut self, machine: u32) {
        for key in std::mem::take(&mut self.core.doors[machine as usize].stalled) {
            if let Some(task) = self.tasks.get_mut(key.0, key.1)
                && let Some(waker) = task.waker.take()
            {
                waker.wake();
            }
        }
    }

    fn begin_poll(&mut self, key: TaskKey, cx: &Context<'_>) -> Turn {
        self.enter();
        let Some(task) = self.tasks.get_mut(key.0, key.1) else { return Turn::Gone };
        match &task.waker {
            Some(known) if known.will_wake(cx.waker()) => {}
            _ => task.waker = Some(cx.waker().clone()),
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
        task.future.take().map_or(Turn::Later, Turn::Poll)
    }

    /// A future was polled. What is returned is dropped outside the world.
    fn end_poll(
        &mut self,
        key: TaskKey,
        future: LocalFuture,
        polled: std::thread::Result<Poll<()>>,
    ) -> (Poll<()>, Option<LocalFuture>) {
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
        let Some(task) = self.tasks.get_mut(key.0, key.1) else { return (Poll::Ready(()), Some(future)) };
        let (kind, place) = (task.kind, task.place);
        if kind != Kind::Wire {
            let finished = u64::from(polled.is_ready());
            self.core.digest(0xC << 60 | u64::from(key.0), u64::from(place.machine) << 1 | finished);
        }
        if polled.is_pending() {
            task.future = Some(future);
            return (Poll::Pending, None);
        }
        self.tasks.remove(key.0, key.1);
        if kind == Kind::Root {
            self.core.call_conductor();
        }
        (Poll::Ready(()), Some(future))
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
}

impl HostedTask {
    pub(super) fn new(world: Weak<RefCell<Hosted>>, key: TaskKey) -> Self {
        HostedTask { world, key }
    }
}

impl Future for HostedTask {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(world) = self.world.upgrade() else { return Poll::Ready(()) };
        let turn = world.borrow_mut().begin_poll(self.key, cx);
        let mut future = match turn {
            Turn::Gone => return Poll::Ready(()),
            Turn::Later => return Poll::Pending,
            Turn::Poll(future) => future,
        };
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx)));
        let (polled, left) = world.borrow_mut().end_poll(self.key, future, polled);
        // A future's destructors call the world.
        drop(left);
        polled
    }
}
