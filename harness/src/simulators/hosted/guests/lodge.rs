//! What stand-ins and the guest's hosts share: which replicas run, what they show and keep, and the sessions to be opened.

use std::{
    any::{Any, TypeId},
    collections::{BTreeMap, VecDeque},
    future::{Future, pending, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Poll, Waker},
};

use squall_checkers::{operation::Name, value::Value};

use super::session::{Errand, Mailbox};
use crate::{
    environment::{
        Guest, Machine, Result,
        guest::{Anything, Landlord},
    },
    plan::NodeId,
    simulators::layer::streams::{wait, wake},
};

/// All that is shared. Everything happens on the run's thread: the locks are there because the library asks for `Send`.
pub(in crate::simulators) struct Lodge<G> {
    pub(super) guest: Arc<G>,
    pub(super) nodes: u32,
    state: Mutex<State>,
}

struct State {
    replicas: Vec<Replica>,
    /// Sessions that clients' hosts have yet to open.
    arriving: Vec<Arriving>,
    orders: Vec<Order>,
}

/// What a guest's host is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::simulators) enum Order {
    /// A replica's process starts.
    Start(u32),
    /// A replica's process dies with all its tasks.
    Stop(u32),
}

#[derive(Default)]
struct Replica {
    /// Counts its starts.
    life: u32,
    happened: VecDeque<Happened>,
    stand_in: Option<Waker>,
    kept: BTreeMap<TypeId, Anything>,
}

/// What a replica's stand-in learns of it.
pub(super) enum Happened {
    Observed(Name, Value),
    /// Its process ended by itself.
    Ended(Result<()>),
    /// Its main task panicked.
    Panicked(Box<dyn Any + Send>),
}

#[derive(Default)]
struct Arriving {
    mailboxes: VecDeque<(Arc<Mailbox>, Machine, Errand)>,
    host: Option<Waker>,
}

impl<G: Guest> Lodge<G> {
    pub(in crate::simulators) fn new(guest: Arc<G>, nodes: u32, clients: u32) -> Arc<Self> {
        let replicas = (0..nodes).map(|_| Replica::default()).collect();
        let arriving = (0..clients).map(|_| Arriving::default()).collect();
        Arc::new(Lodge { guest, nodes, state: Mutex::new(State { replicas, arriving, orders: Vec::new() }) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The main task of a machine's host: a replica's process once it is started, or a client's sessions. `spawn` starts a task
    /// there.
    pub(in crate::simulators) async fn main(self: Arc<Self>, machine: u32, spawn: impl Fn(Session)) {
        let Some(client) = machine.checked_sub(self.nodes) else { return self.live(machine).await };
        loop {
            let (mailbox, at, errand) = poll_fn(|cx| {
                let arriving = &mut self.state().arriving[client as usize];
                let next = arriving.mailboxes.pop_front();
                if next.is_none() {
                    wait(&mut arriving.host, cx);
                }
                next.map_or(Poll::Pending, Poll::Ready)
            })
            .await;
            spawn(Box::pin(mailbox.attend(self.guest.clone(), at, errand)));
        }
    }

    /// A replica's process, as long as it lives.
    async fn live(self: &Arc<Self>, node: u32) {
        let life = self.state().replicas[node as usize].life;
        if life > 0 {
            let me = NodeId(node);
            let mut process = pin!(self.guest.serve(Machine::new(me, me, self.nodes, life, self.clone())));
            let ended = poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| process.as_mut().poll(cx))) {
                Ok(polled) => polled.map(Happened::Ended),
                Err(payload) => Poll::Ready(Happened::Panicked(payload)),
            })
            .await;
            self.happens(node, life, ended);
        }
        // Its other tasks live on until the host is told to end them.
        pending::<()>().await;
    }

    fn happens(&self, node: u32, life: u32, what: Happened) {
        if let Some(replica) = self.state().replicas.get_mut(node as usize)
            && replica.life == life
        {
            replica.happened.push_back(what);
            wake(&mut replica.stand_in);
        }
    }

    /// A replica's process starts; returns which life it is.
    pub(super) fn start(&self, node: u32) -> u32 {
        let mut state = self.state();
        state.orders.push(Order::Start(node));
        let replica = &mut state.replicas[node as usize];
        replica.life += 1;
        replica.happened.clear();
        replica.life
    }

    /// A replica's process dies.
    pub(super) fn stop(&self, node: u32) {
        self.state().orders.push(Order::Stop(node));
    }

    /// What happened to a replica next.
    pub(super) fn next(&self, node: u32) -> impl Future<Output = Happened> {
        poll_fn(move |cx| {
            let replica = &mut self.state().replicas[node as usize];
            let next = replica.happened.pop_front();
            if next.is_none() {
                wait(&mut replica.stand_in, cx);
            }
            next.map_or(Poll::Pending, Poll::Ready)
        })
    }

    pub(super) fn take_orders(&self) -> Vec<Order> {
        std::mem::take(&mut self.state().orders)
    }

    /// A replica loses what it kept.
    pub(super) fn forget(&self, node: u32) {
        let kept = std::mem::take(&mut self.state().replicas[node as usize].kept);
        // Its destructors may be the guest's.
        drop(kept);
    }

    /// A process has an errand on its client's host.
    pub(super) fn open(self: &Arc<Self>, machine: NodeId, home: NodeId, errand: Errand) -> Arc<Mailbox> {
        let mailbox = Arc::new(Mailbox::default());
        let at = Machine::new(machine, home, self.nodes, 0, self.clone());
        let arriving = &mut self.state().arriving[(machine.0 - self.nodes) as usize];
        arriving.mailboxes.push_back((mailbox.clone(), at, errand));
        wake(&mut arriving.host);
        mailbox
    }
}

/// A session's task.
pub(in crate::simulators) type Session = crate::environment::world::LocalFuture;

impl<G: Guest> Landlord for Lodge<G> {
    fn observe(&self, node: NodeId, life: u32, key: Name, value: Value) {
        self.happens(node.0, life, Happened::Observed(key, value));
    }

    fn kept(&self, node: NodeId, of: TypeId, make: &dyn Fn() -> Anything) -> Anything {
        let kept = self.state().replicas.get(node.0 as usize).and_then(|replica| replica.kept.get(&of).cloned());
        kept.unwrap_or_else(|| {
            // Made outside of the lock: it is the guest's code.
            let made = make();
            if let Some(replica) = self.state().replicas.get_mut(node.0 as usize) {
                replica.kept.insert(of, made.clone());
            }
            made
        })
    }
}
