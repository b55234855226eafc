//! Hosts sans-I/O nodes directly: no tasks, no encoding, messages moved by value.

use std::{cell::Cell, collections::BTreeSet, io};

use squall_checkers::history::EntryId;

use super::core::{Core, Host, OwnEvent};
use crate::{
    environment::{Context, Failed, Node, Reply, RequestId, TimerId, content, image::SyncTicket, node::Effect},
    plan::{NodeId, fold, mix, scale},
    simulators::TraceKind,
};

/// The quickest sync, in nanoseconds.
pub(super) const SYNC_NS_MIN: u64 = 100_000;
/// How much slower the slowest sync of a healthy disk is, in nanoseconds.
pub(super) const SYNC_NS_SPREAD: u64 = 900_000;

/// What happens to nodes and between them and clients.
pub(super) enum NodeEvent<N: Node> {
    Message { from: u32, to: u32, hash: u64, message: N::Message },
    Request { entry: u32, to: u32, hash: u64 },
    Reply { entry: u32, from: u32, result: Result<Reply, Failed> },
    Redirect { entry: u32, from: u32, to: u32 },
    Retry { entry: u32, attempt: u32 },
    Timer { node: u32, incarnation: u32, id: TimerId, deadline_ns: u64, timer: N::Timer },
    Synced { node: u32, incarnation: u32, token: u64, sync: Box<Sync> },
}

/// A sync under way.
#[derive(Clone)]
pub(super) struct Sync {
    ticket: Result<SyncTicket, io::ErrorKind>,
    succeeded: bool,
}

// Derived, it would ask for `N: Clone` only and miss the associated types.
impl<N: Node> Clone for NodeEvent<N> {
    fn clone(&self) -> Self {
        match self {
            Self::Message { from, to, hash, message } => {
                Self::Message { from: *from, to: *to, hash: *hash, message: message.clone() }
            }
            Self::Request { entry, to, hash } => Self::Request { entry: *entry, to: *to, hash: *hash },
            Self::Reply { entry, from, result } => Self::Reply { entry: *entry, from: *from, result: result.clone() },
            Self::Redirect { entry, from, to } => Self::Redirect { entry: *entry, from: *from, to: *to },
            Self::Retry { entry, attempt } => Self::Retry { entry: *entry, attempt: *attempt },
            Self::Timer { node, incarnation, id, deadline_ns, timer } => Self::Timer {
                node: *node,
                incarnation: *incarnation,
                id: *id,
                deadline_ns: *deadline_ns,
                timer: timer.clone(),
            },
            Self::Synced { node, incarnation, token, sync } => {
                Self::Synced { node: *node, incarnation: *incarnation, token: *token, sync: sync.clone() }
            }
        }
    }
}

impl<N: Node> OwnEvent for NodeEvent<N> {
    fn damaged(&self, hash: u64) -> Option<Self> {
        match self {
            Self::Message { from, to, message, .. } => {
                let mut bytes = postcard::to_stdvec(message).ok()?;
                flip(&mut bytes, hash);
                let message: N::Message = postcard::from_bytes(&bytes).ok()?;
                Some(Self::Message { from: *from, to: *to, hash: content::hash(&message), message })
            }
            // What clients and replicas say to each other has a checksum: damaged, it is as good as lost.
            _ => None,
        }
    }

    fn describe(&self) -> String {
        match self {
            Self::Message { message, .. } => format!("{message:?}"),
            Self::Request { entry, .. } => format!("request {entry}"),
            Self::Reply { entry, result, .. } => match result {
                Ok(reply) => format!("reply {entry}: {reply}"),
                Err(error) => format!("reply {entry}: {error}"),
            },
            Self::Redirect { entry, to, .. } => format!("redirect {entry} to n{to}"),
            Self::Retry { entry, attempt } => format!("retry {entry}, attempt {attempt}"),
            Self::Timer { timer, .. } => format!("{timer:?}"),
            Self::Synced { token, sync, .. } if sync.succeeded => format!("sync {token} done"),
            Self::Synced { token, .. } => format!("sync {token} failed"),
        }
    }
}

/// Flips one to three bits.
pub(super) fn flip(bytes: &mut [u8], hash: u64) {
    if bytes.is_empty() {
        return;
    }
    for i in 0..=hash % 3 {
        let draw = mix(hash, i);
        let at = scale(draw, bytes.len() as u64) as usize;
        bytes[at] ^= 1 << (draw & 7);
    }
}

/// What a node is given.
enum Input<N: Node> {
    Start,
    Message(NodeId, N::Message),
    Request(RequestId, u32),
    Timer(N::Timer),
    Synced(u64, io::Result<()>),
}

/// The nodes of a run, stepped directly.
pub(super) struct NodeHost<'a, N: Node> {
    pub(super) core: Core<NodeEvent<N>>,
    prototype: &'a N,
    nodes: Vec<Option<N>>,
    effects: Vec<Effect<N>>,
    next_timer: u64,
    /// Timers that were set and neither went off nor were cancelled.
    timers: BTreeSet<TimerId>,
    /// Where each process sends its requests: its home, or where it was redirected to.
    preferred: Vec<u32>,
    /// Requests by entry: where it was sent last, and how often.
    requests: Vec<Sent>,
    /// The entry behind each process's last request.
    entries: Vec<(u32, u32)>,
}

#[derive(Clone, Copy)]
struct Sent {
    id: RequestId,
    to: u32,
    attempt: u32,
}

impl<'a, N: Node> NodeHost<'a, N> {
    pub(super) fn new(core: Core<NodeEvent<N>>, prototype: &'a N) -> Self {
        let nodes = (0..core.nodes).map(|_| None).collect();
        NodeHost {
            core,
            prototype,
            nodes,
            effects: Vec::new(),
            next_timer: 0,
            timers: BTreeSet::new(),
            preferred: Vec::new(),
            requests: Vec::new(),
            entries: Vec::new(),
        }
    }

    /// Sends an operation's request to where it is to go now.
    fn send_request(&mut self, entry: EntryId) {
        let session = self.core.clients.session(entry);
        let sent = self.requests[entry];
        let operation = content::hash(self.core.clients.operation(entry));
        let hash = fold(operation ^ u64::from(sent.attempt), 0x5245_5155);
        let event = NodeEvent::Request { entry: entry as u32, to: sent.to, hash };
        self.core.send(self.core.nodes + session.client, sent.to, hash, event);
    }

    fn schedule_retry(&mut self, entry: EntryId) {
        if let Some(after) = self.prototype.retry_after() {
            let attempt = self.requests[entry].attempt;
            let at = self.core.now + after.as_nanos() as u64;
            self.core.schedule(at, NodeEvent::Retry { entry: entry as u32, attempt });
        }
    }

    /// Gives a node one input, and does what it asks for.
    #[inline]
    fn step(&mut self, at: u32, input: Input<N>) {
        let Some(node) = self.nodes[at as usize].as_mut() else { return };
        let machine = &mut self.core.machines[at as usize];
        let now = self.core.now;
        let mut cx = Context {
            me: NodeId(at),
            nodes: self.core.nodes,
            monotonic_ns: machine.clock.monotonic(now),
            wall_ns: machine.clock.wall(now),
            clock_read: Cell::new(false),
            random: &mut machine.random,
            next_timer: &mut self.next_timer,
            disk: &mut machine.disk,
            effects: &mut self.effects,
        };
        self.core.running = Some(at);
        match input {
            Input::Start => node.on_start(&mut cx),
            Input::Message(from, message) => node.on_message(from, message, &mut cx),
            Input::Request(id, entry) => {
                let operation = self.core.clients.operation(entry as usize).clone();
                node.on_request(id, operation, &mut cx);
            }
            Input::Timer(timer) => node.on_timer(timer, &mut cx),
            Input::Synced(token, result) => node.on_synced(token, result, &mut cx),
        }
        let clock_read = cx.clock_read.get();
        self.core.running = None;
        self.core.count_refused(at);
        if clock_read {
            self.core.clock_read(at);
        }
        if self.effects.is_empty() {
            return;
        }
        let mut effects = std::mem::take(&mut self.effects);
        for effect in effects.drain(..) {
            if !self.apply(at, effect) {
                break;
            }
        }
        effects.clear();
        self.effects = effects;
    }

    /// Does what a node asked for. False when the node is no more.
    #[inline]
    fn apply(&mut self, at: u32, effect: Effect<N>) -> bool {
        match effect {
            Effect::Send(to, message) => {
                assert!(to.0 < self.core.nodes, "a message to {to}, but there are {} replicas", self.core.nodes);
                let hash = content::hash(&message);
                self.core.send(at, to.0, hash, NodeEvent::Message { from: at, to: to.0, hash, message });
            }
            Effect::Reply(id, result) => {
                if let Some(entry) = self.entry_of(id) {
                    let client = self.core.nodes + self.core.clients.session(entry as usize).client;
                    let hash = fold(content::hash(&id) ^ u64::from(at), 0x5245_504C);
                    self.core.send(at, client, hash, NodeEvent::Reply { entry, from: at, result });
                }
            }
            Effect::Redirect(id, to) => {
                if let Some(entry) = self.entry_of(id) {
                    let client = self.core.nodes + self.core.clients.session(entry as usize).client;
                    let hash = fold(content::hash(&id) ^ u64::from(at), 0x5245_4449);
                    self.core.send(at, client, hash, NodeEvent::Redirect { entry, from: at, to: to.0 });
                }
            }
            Effect::SetTimer(id, after, timer) => {
                let machine = &self.core.machines[at as usize];
                let after = u64::try_from(after.as_nanos()).unwrap_or(u64::MAX);
                let deadline_ns = machine.clock.monotonic(self.core.now).saturating_add(after);
                let due = machine.clock.true_time(self.core.now, deadline_ns);
                let incarnation = machine.incarnation;
                self.core.schedule(due, NodeEvent::Timer { node: at, incarnation, id, deadline_ns, timer });
                self.timers.insert(id);
            }
            Effect::CancelTimer(id) => {
                self.timers.remove(&id);
            }
            Effect::Sync(what) => self.begin_sync(at, what.0.as_deref(), what.1),
            Effect::Observe(seen) => self.core.observe(at, seen.0, seen.1),
            Effect::Halt(why) => {
                self.nodes[at as usize] = None;
                self.core.halted(at, &why);
                return false;
            }
        }
        true
    }

    fn begin_sync(&mut self, at: u32, file: Option<&str>, token: u64) {
        let succeeded = !self.core.sync_fails(at);
        let machine = &mut self.core.machines[at as usize];
        let ticket = machine.disk.begin_sync(file).map_err(|error| error.kind());
        let incarnation = machine.incarnation;
        let draw = content::hash(&(at, incarnation, token, self.core.now));
        let span = self.core.disk_latency_ns(at, SYNC_NS_MIN + scale(draw, SYNC_NS_SPREAD));
        let sync = Box::new(Sync { ticket, succeeded });
        let event = NodeEvent::Synced { node: at, incarnation, token, sync };
        self.core.schedule(self.core.now + span, event);
    }

    /// The entry of a request, if the process has not gone on to another.
    fn entry_of(&self, id: RequestId) -> Option<u32> {
        let (serial, entry) = *self.entries.get(id.process.0 as usize)?;
        (serial == id.serial).then_some(entry)
    }
}

impl<N: Node> Host for NodeHost<'_, N> {
    type Own = NodeEvent<N>;

    #[inline]
    fn core<R>(&mut self, call: impl FnOnce(&mut Core<NodeEvent<N>>) -> R) -> R {
        call(&mut self.core)
    }

    #[inline]
    fn own(&mut self, event: NodeEvent<N>, admitted: bool) {
        let node = match &event {
            NodeEvent::Message { to, .. } | NodeEvent::Request { to, .. } => Some(*to),
            NodeEvent::Timer { node, incarnation, .. } | NodeEvent::Synced { node, incarnation, .. } => {
                if self.core.machines[*node as usize].incarnation != *incarnation {
                    return;
                }
                Some(*node)
            }
            NodeEvent::Reply { .. } | NodeEvent::Redirect { .. } | NodeEvent::Retry { .. } => None,
        };
        let event = match node {
            Some(_) if admitted => Some(event),
            Some(node) => self.core.admit(node, event),
            None => Some(event),
        };
        if let Some(event) = event {
            self.handle(event);
        }
    }

    fn start(&mut self, node: u32) {
        self.nodes[node as usize] = Some(self.prototype.clone());
        self.step(node, Input::Start);
    }

    fn stop(&mut self, node: u32) {
        self.nodes[node as usize] = None;
    }

    fn invoke(&mut self, entry: EntryId) {
        let session = self.core.clients.session(entry);
        let process = session.process.0 as usize;
        while self.preferred.len() <= process {
            self.preferred.push(session.home.0);
            self.entries.push((0, 0));
        }
        self.entries[process] = (session.serial, entry as u32);
        debug_assert_eq!(entry, self.requests.len());
        let id = RequestId { process: session.process, serial: session.serial };
        self.requests.push(Sent { id, to: self.preferred[process], attempt: 0 });
        self.send_request(entry);
        self.schedule_retry(entry);
    }

    fn abandon(&mut self, _: EntryId) {}

    fn resume(&mut self, _: u32) {}

    fn rearm(&mut self, node: u32) {
        let machine = &self.core.machines[node as usize];
        let (clock, current, now) = (machine.clock, machine.incarnation, self.core.now);
        self.core.reschedule(|event| match event {
            NodeEvent::Timer { node: n, incarnation, deadline_ns, .. } if *n == node && *incarnation == current => {
                Some(clock.true_time(now, *deadline_ns))
            }
            _ => None,
        });
    }

    #[inline]
    fn settle_instant(&mut self) -> bool {
        true
    }
}

impl<N: Node> NodeHost<'_, N> {
    /// An event that its machine has let in.
    #[inline]
    fn handle(&mut self, event: NodeEvent<N>) {
        match event {
            NodeEvent::Message { from, to, hash, message } => {
                self.core.statistics.messages += 1;
                self.core.digest(0x1 << 60 | u64::from(from) << 32 | u64::from(to), hash);
                self.core.trace(Some(to), || TraceKind::Delivered { from: NodeId(from), text: format!("{message:?}") });
                self.step(to, Input::Message(NodeId(from), message));
            }
            NodeEvent::Request { entry, to, hash } => {
                self.core.statistics.messages += 1;
                self.core.digest(0x2 << 60 | u64::from(entry) << 32 | u64::from(to), hash);
                let (core, id) = (&mut self.core, self.requests[entry as usize].id);
                let from = NodeId(core.nodes + core.clients.session(entry as usize).client);
                if core.traces() {
                    let text = core.clients.operation(entry as usize).to_string();
                    core.trace(Some(to), || TraceKind::Delivered { from, text });
                }
                self.step(to, Input::Request(id, entry));
            }
            NodeEvent::Reply { entry, from, result } => {
                self.core.statistics.messages += 1;
                self.core.digest(0x3 << 60 | u64::from(from) << 32, u64::from(entry));
                self.core.complete(entry as usize, result);
            }
            NodeEvent::Redirect { entry, from, to } => {
                self.core.statistics.messages += 1;
                self.core.digest(0x3 << 60 | u64::from(from) << 32 | 1, u64::from(entry));
                if to < self.core.nodes && self.core.clients.is_open(entry as usize) {
                    let process = self.core.clients.session(entry as usize).process;
                    self.preferred[process.0 as usize] = to;
                    let sent = &mut self.requests[entry as usize];
                    sent.to = to;
                    sent.attempt += 1;
                    self.send_request(entry as usize);
                    self.schedule_retry(entry as usize);
                }
            }
            NodeEvent::Retry { entry, attempt } => {
                self.core.digest(0x3 << 60 | 2, u64::from(entry));
                let sent = &mut self.requests[entry as usize];
                if sent.attempt == attempt && self.core.clients.is_open(entry as usize) {
                    sent.to = (sent.to + 1) % self.core.nodes;
                    sent.attempt += 1;
                    let process = self.core.clients.session(entry as usize).process;
                    self.preferred[process.0 as usize] = sent.to;
                    self.send_request(entry as usize);
                    self.schedule_retry(entry as usize);
                }
            }
            NodeEvent::Timer { node, incarnation, id, deadline_ns, timer } => {
                let clock = &self.core.machines[node as usize].clock;
                if clock.monotonic(self.core.now) < deadline_ns {
                    // The clock runs slower than it did when the timer was set.
                    let due = clock.true_time(self.core.now, deadline_ns);
                    self.core.schedule(due, NodeEvent::Timer { node, incarnation, id, deadline_ns, timer });
                    return;
                }
                if !self.timers.remove(&id) {
                    // Cancelled.
                    return;
                }
                self.core.digest(0x4 << 60 | u64::from(node), id.0);
                self.core.trace(Some(node), || TraceKind::Timer { text: format!("{timer:?}") });
                self.step(node, Input::Timer(timer));
            }
            NodeEvent::Synced { node, token, sync, .. } => {
                let Sync { ticket, succeeded } = *sync;
                self.core.digest(0x5 << 60 | u64::from(node), token << 1 | u64::from(succeeded));
                let text =
                    || TraceKind::Disk { text: format!("sync {token} {}", if succeeded { "done" } else { "failed" }) };
                self.core.trace(Some(node), text);
                let result = match ticket {
                    Ok(ticket) => {
                        self.core.machines[node as usize].disk.end_sync(&ticket, succeeded);
                        if succeeded { Ok(()) } else { Err(io::Error::other("the disk reported an I/O error")) }
                    }
                    Err(kind) => Err(kind.into()),
                };
                self.step(node, Input::Synced(token, result));
            }
        }
    }
}
