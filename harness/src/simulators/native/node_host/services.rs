//! What a node's handlers ask for, done at once; and the requests of clients on their way.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use squall_checkers::{history::EntryId, operation::Name, value::Value};

use super::{
    super::core::Core,
    event::{NodeEvent, Sync},
};
use crate::{
    environment::{Change, Failed, Node, Reply, RequestId, TimerId, content, image::DiskImage, node::Outbox},
    plan::{NodeId, fold, next_random},
    simulators::layer::physics::sync_span_ns,
};

/// The world as nodes meet it.
pub(super) struct Services<N: Node> {
    pub(super) core: Core<NodeEvent<N>>,
    /// The node whose handler runs.
    pub(super) at: u32,
    /// Why it asked to be ended.
    pub(super) halted: Option<String>,
    next_timer: u64,
    /// Timers that were set and neither went off nor were cancelled.
    pub(super) timers: BTreeSet<TimerId>,
    /// Where each process sends its requests: its home, or where it was redirected to.
    preferred: Vec<u32>,
    /// Requests by entry.
    pub(super) requests: Vec<Sent>,
    /// The serial number and entry of each process's last request.
    entries: Vec<(u32, u32)>,
    /// Requests of the admin, by number: how often each was redirected.
    admin: BTreeMap<u32, u32>,
    retry_after: Option<Duration>,
}

/// A request on its way.
#[derive(Clone, Copy)]
pub(super) struct Sent {
    pub(super) id: RequestId,
    /// Where it was sent last.
    pub(super) to: u32,
    /// How often it was sent before.
    pub(super) attempt: u32,
}

impl<N: Node> Services<N> {
    pub(super) fn new(core: Core<NodeEvent<N>>, retry_after: Option<Duration>) -> Self {
        Services {
            core,
            at: 0,
            halted: None,
            next_timer: 0,
            timers: BTreeSet::new(),
            preferred: Vec::new(),
            requests: Vec::new(),
            entries: Vec::new(),
            admin: BTreeMap::new(),
            retry_after,
        }
    }

    /// A client's operation begins.
    pub(super) fn begin_request(&mut self, entry: EntryId) {
        let session = self.core.clients.session(entry);
        let process = session.process.0 as usize;
        while self.preferred.len() <= process {
            self.preferred.push(session.home.0);
            self.entries.push((0, 0));
        }
        self.entries[process] = (session.serial, entry as u32);
        debug_assert_eq!(entry, self.requests.len(), "entries are numbered in order");
        let id = RequestId { process: session.process, serial: session.serial };
        self.requests.push(Sent { id, to: self.preferred[process], attempt: 0 });
        self.send_request(entry);
    }

    /// The admin asks for a change of members.
    pub(super) fn begin_change(&mut self, request: EntryId, change: Change) {
        let home = self.core.clients.session(request).home;
        self.admin.insert(request as u32, 0);
        self.send_change(request, change, home.0);
    }

    /// Sends what the admin asks to where it is to go now.
    fn send_change(&mut self, request: EntryId, change: Change, to: u32) {
        let client = self.core.clients.session(request).client;
        let request = request as u32;
        let hash = fold(content::hash(&change) ^ u64::from(self.admin[&request]), 0x4348_4E47);
        let from = self.core.nodes + client;
        self.core.send(from, to, hash, || NodeEvent::Change { request, to, hash, change });
    }

    /// Sends an operation's request again, to another replica, or what the admin asks.
    pub(super) fn send_elsewhere(&mut self, entry: EntryId, to: u32) {
        if let Some(redirected) = self.admin.get_mut(&(entry as u32)) {
            *redirected += 1;
            if let Some(change) = self.core.clients.change(entry) {
                self.send_change(entry, change, to);
            }
            return;
        }
        let sent = &mut self.requests[entry];
        sent.to = to;
        sent.attempt += 1;
        self.preferred[sent.id.process.0 as usize] = to;
        self.send_request(entry);
    }

    /// Sends an operation's request to where it is to go now.
    fn send_request(&mut self, entry: EntryId) {
        let session = self.core.clients.session(entry);
        let Sent { to, attempt, .. } = self.requests[entry];
        let operation = content::hash(self.core.clients.operation(entry));
        let hash = fold(operation ^ u64::from(attempt), 0x5245_5155);
        let entry = entry as u32;
        self.core.send(self.core.nodes + session.client, to, hash, || NodeEvent::Request { entry, to, hash });
        if let Some(after) = self.retry_after {
            let at = self.core.now.saturating_add(after.as_nanos() as u64);
            self.core.schedule(at, NodeEvent::Retry { entry, attempt });
        }
    }

    /// Sends the answer to a request that its process still waits for.
    fn answer(&mut self, id: RequestId, salt: u64, event: impl FnOnce(u32) -> NodeEvent<N>) {
        let client = self.entries.get(id.process.0 as usize).copied();
        // Each request of the admin is a process of its own.
        let admin = || self.admin.contains_key(&id.process.0).then_some((1, id.process.0));
        let Some((serial, entry)) = client.or_else(admin) else { return };
        if serial != id.serial || self.halted.is_some() {
            return;
        }
        let client = self.core.nodes + self.core.clients.session(entry as usize).client;
        let hash = fold(content::hash(&id) ^ u64::from(self.at), salt);
        self.core.send(self.at, client, hash, || event(entry));
    }
}

impl<N: Node> Outbox<N> for Services<N> {
    fn send(&mut self, to: NodeId, message: N::Message) {
        if self.halted.is_none() {
            let (from, to, hash) = (self.at, to.0, content::hash(&message));
            self.core.send(from, to, hash, || NodeEvent::Message { from, to, hash, message });
        }
    }

    fn reply(&mut self, request: RequestId, result: Result<Reply, Failed>) {
        let from = self.at;
        self.answer(request, 0x5245_504C, |entry| NodeEvent::Reply { entry, from, result });
    }

    fn redirect(&mut self, request: RequestId, to: NodeId) {
        let from = self.at;
        self.answer(request, 0x5245_4449, |entry| NodeEvent::Redirect { entry, from, to: to.0 });
    }

    fn set_timer(&mut self, after: Duration, timer: N::Timer) -> TimerId {
        self.next_timer += 1;
        let id = TimerId(self.next_timer);
        if self.halted.is_none() {
            let node = self.at;
            self.core.clock_read(node);
            let machine = &self.core.machines[node as usize];
            let after = u64::try_from(after.as_nanos()).unwrap_or(u64::MAX);
            let deadline_ns = machine.clock.monotonic(self.core.now).saturating_add(after);
            let due = machine.clock.true_time(self.core.now, deadline_ns);
            let incarnation = machine.incarnation;
            self.timers.insert(id);
            self.core.schedule(due, NodeEvent::Timer { node, incarnation, id, deadline_ns, timer });
        }
        id
    }

    fn cancel_timer(&mut self, timer: TimerId) {
        self.timers.remove(&timer);
    }

    fn sync(&mut self, file: Option<&str>, token: u64) {
        if self.halted.is_some() {
            return;
        }
        let node = self.at;
        let succeeded = !self.core.sync_fails(node);
        let machine = &mut self.core.machines[node as usize];
        let ticket = machine.disk.begin_sync(file).map_err(|error| error.kind());
        let incarnation = machine.incarnation;
        let draw = content::hash(&(node, incarnation, token, self.core.now));
        let span = self.core.disk_latency_ns(node, sync_span_ns(draw));
        let sync = Box::new(Sync { ticket, succeeded });
        self.core.schedule(self.core.now.saturating_add(span), NodeEvent::Synced { node, incarnation, token, sync });
    }

    fn observe(&mut self, key: Name, value: Value) {
        if self.halted.is_none() {
            self.core.observe(self.at, key, value);
        }
    }

    fn halt(&mut self, why: String) {
        self.halted.get_or_insert(why);
    }

    fn monotonic_ns(&mut self) -> u64 {
        self.core.clock_read(self.at);
        self.core.machines[self.at as usize].clock.monotonic(self.core.now)
    }

    fn wall_ns(&mut self) -> u64 {
        self.core.clock_read(self.at);
        self.core.machines[self.at as usize].clock.wall(self.core.now)
    }

    fn random(&mut self) -> u64 {
        next_random(&mut self.core.machines[self.at as usize].random)
    }

    fn disk(&mut self) -> &mut DiskImage {
        &mut self.core.machines[self.at as usize].disk
    }
}
