//! A single-thread executor for futures that need not be `Send`.
//!
//! Tasks run in the order in which they were woken. A waker names its task by number and generation; a wake for an earlier
//! generation does nothing, and a wake from another thread is ignored and counted, for it is entropy.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    mem::ManuallyDrop,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Wake, Waker},
};

use crate::environment::world::{LocalFuture, Place, TaskKey};

thread_local! {
    /// The tasks of this thread's run that were woken. Apart from the world, so that waking never needs the world.
    /// Needs no destructor, so that it is reached without a look at whether it still lives; the executor clears it.
    static WOKEN: RefCell<ManuallyDrop<Woken>> = const { RefCell::new(ManuallyDrop::new(Woken::new(false))) };
    /// Whether there are any: a quick look.
    static ANY: Cell<bool> = const { Cell::new(false) };
}

struct Woken {
    queue: VecDeque<u32>,
    /// Generation of each task, and whether it is queued.
    flags: Vec<(u32, bool)>,
    active: bool,
}

/// One task.
struct Task {
    place: Place,
    generation: u32,
    /// Where its future is.
    body: Body,
    /// `None` while it is lent out, the host keeps it, or there is no task.
    waker: Option<Waker>,
}

enum Body {
    /// No task: the number is free.
    Free,
    /// Being polled, or kept by the host: a replica's `serve` or a client's operation, which may borrow the system.
    Elsewhere,
    /// Here.
    Spawned(LocalFuture),
}

/// The tasks of a run.
pub(super) struct Executor {
    tasks: Vec<Task>,
    free: Vec<u32>,
    foreign_wakes: Arc<AtomicU64>,
    /// Woken tasks of machines that stand still.
    stalled: Vec<u32>,
}

/// What a task's number stands for when its turn has come.
pub(super) enum Turn {
    /// Poll this future with this waker, then give both back.
    Spawned(LocalFuture, Waker),
    /// Poll the future that the host keeps under this number.
    Root,
}

impl Task {
    /// Lent, not cloned: no counting of references for each poll.
    fn lend(&mut self) -> Turn {
        match (std::mem::replace(&mut self.body, Body::Elsewhere), self.waker.take()) {
            (Body::Spawned(future), Some(waker)) => Turn::Spawned(future, waker),
            _ => unreachable!("a task that was spawned and is not being polled has both"),
        }
    }
}

struct TaskWaker {
    task: u32,
    generation: u32,
    thread: std::thread::ThreadId,
    foreign_wakes: Arc<AtomicU64>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let known = WOKEN.with_borrow_mut(|woken| woken.wake(self.task, self.generation));
        if !known && std::thread::current().id() != self.thread {
            self.foreign_wakes.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Woken {
    const fn new(active: bool) -> Self {
        Woken { queue: VecDeque::new(), flags: Vec::new(), active }
    }

    /// Takes the place of what was there.
    fn install(self) {
        drop(ManuallyDrop::into_inner(WOKEN.replace(ManuallyDrop::new(self))));
        ANY.set(false);
    }

    /// False when this thread has no run.
    #[inline]
    fn wake(&mut self, task: u32, generation: u32) -> bool {
        if self.active
            && let Some(flag) = self.flags.get_mut(task as usize)
            && *flag == (generation, false)
        {
            flag.1 = true;
            self.queue.push_back(task);
            ANY.set(true);
        }
        self.active
    }

    /// The task that was woken first. From here on it can be woken again.
    #[inline]
    fn pop(&mut self) -> Option<u32> {
        let task = self.queue.pop_front()?;
        self.flags[task as usize].1 = false;
        if self.queue.is_empty() {
            ANY.set(false);
        }
        Some(task)
    }
}

impl Executor {
    pub(super) fn new() -> Self {
        Woken::new(true).install();
        Executor { tasks: Vec::new(), free: Vec::new(), foreign_wakes: Arc::default(), stalled: Vec::new() }
    }

    /// A new task, woken.
    pub(super) fn spawn(&mut self, place: Place, future: LocalFuture) -> TaskKey {
        let (key, waker) = self.add(place, Body::Spawned(future));
        self.tasks[key.0 as usize].waker = Some(waker);
        key
    }

    /// A new task, woken, whose future the host keeps, with its waker.
    pub(super) fn add_root(&mut self, place: Place) -> (TaskKey, Waker) {
        self.add(place, Body::Elsewhere)
    }

    fn add(&mut self, place: Place, body: Body) -> (TaskKey, Waker) {
        let task = self.free.pop().unwrap_or_else(|| {
            self.tasks.push(Task { place, generation: 0, body: Body::Free, waker: None });
            self.tasks.len() as u32 - 1
        });
        let slot = &mut self.tasks[task as usize];
        let generation = slot.generation;
        slot.place = place;
        slot.body = body;
        let waker = Waker::from(Arc::new(TaskWaker {
            task,
            generation,
            thread: std::thread::current().id(),
            foreign_wakes: self.foreign_wakes.clone(),
        }));
        WOKEN.with_borrow_mut(|woken| {
            if woken.flags.len() <= task as usize {
                woken.flags.resize(task as usize + 1, (0, false));
            }
            woken.flags[task as usize] = (generation, false);
            woken.wake(task, generation);
        });
        (TaskKey(task, generation), waker)
    }

    /// Whether any task of this thread's run was woken.
    #[inline]
    pub(super) fn any_woken() -> bool {
        ANY.get()
    }

    /// Wakes a task from inside its run.
    pub(super) fn wake(key: TaskKey) {
        WOKEN.with_borrow_mut(|woken| woken.wake(key.0, key.1));
    }

    /// The next woken task whose machine may run. What is lent of it comes back by [`Self::put_back`].
    #[inline(always)]
    pub(super) fn next(&mut self, may_run: impl Fn(Place) -> bool) -> Option<(TaskKey, Place, Turn)> {
        loop {
            let task = WOKEN.with_borrow_mut(|woken| woken.pop())?;
            let slot = &mut self.tasks[task as usize];
            if matches!(slot.body, Body::Free) {
                continue;
            }
            let (key, place) = (TaskKey(task, slot.generation), slot.place);
            if may_run(place) {
                let turn = if matches!(slot.body, Body::Elsewhere) { Turn::Root } else { slot.lend() };
                return Some((key, place, turn));
            }
            if !self.stalled.contains(&task) {
                self.stalled.push(task);
            }
        }
    }

    /// A polled task's future and waker come back. The future is returned again, to be dropped outside the world, when the task
    /// was ended meanwhile.
    pub(super) fn put_back(&mut self, key: TaskKey, future: LocalFuture, waker: Waker) -> Option<LocalFuture> {
        let slot = &mut self.tasks[key.0 as usize];
        if slot.generation != key.1 {
            return Some(future);
        }
        slot.waker = Some(waker);
        slot.body = Body::Spawned(future);
        None
    }

    /// Whether a task is still this task.
    pub(super) fn is_live(&self, key: TaskKey) -> bool {
        self.tasks.get(key.0 as usize).is_some_and(|t| t.generation == key.1 && !matches!(t.body, Body::Free))
    }

    /// Ends a task; returns its future, if it is here, to be dropped outside the world.
    pub(super) fn end(&mut self, key: TaskKey) -> Option<LocalFuture> {
        if !self.is_live(key) {
            return None;
        }
        let slot = &mut self.tasks[key.0 as usize];
        slot.generation += 1;
        let generation = slot.generation;
        let body = std::mem::replace(&mut slot.body, Body::Free);
        WOKEN.with_borrow_mut(|woken| woken.flags[key.0 as usize] = (generation, false));
        self.stalled.retain(|t| *t != key.0);
        self.free.push(key.0);
        if let Body::Spawned(future) = body { Some(future) } else { None }
    }

    /// All tasks of a place.
    pub(super) fn tasks_at(&self, at: impl Fn(Place) -> bool) -> Vec<TaskKey> {
        (0..)
            .zip(&self.tasks)
            .filter(|(_, t)| !matches!(t.body, Body::Free) && at(t.place))
            .map(|(i, t)| TaskKey(i, t.generation))
            .collect()
    }

    /// Woken tasks of machines that stood still are woken again.
    pub(super) fn resume(&mut self) {
        let stalled = std::mem::take(&mut self.stalled);
        WOKEN.with_borrow_mut(|woken| {
            for task in stalled {
                woken.wake(task, self.tasks[task as usize].generation);
            }
        });
    }

    pub(super) fn foreign_wakes(&self) -> u64 {
        self.foreign_wakes.load(Ordering::Relaxed)
    }
}

impl Drop for Executor {
    fn drop(&mut self) {
        Woken::new(false).install();
    }
}
