//! Hosts sans-I/O nodes directly: no tasks, no encoding, messages moved by value.

mod event;
mod services;

use std::io;

use squall_checkers::history::{EntryId, ProcessId};

use self::{
    event::{NodeEvent, Sync},
    services::Services,
};
use super::core::{self, Core, Host};
use crate::{
    environment::{Change, Context, Node, RequestId},
    plan::NodeId,
    simulators::{Execution, TraceKind, layer::state::Admission},
};

/// Runs a plan on nodes.
pub(super) fn run<N: Node>(core: Core<NodeEvent<N>>, prototype: &N) -> Execution {
    let nodes = (0..core.nodes).map(|_| None).collect();
    let host = NodeHost { services: Services::new(core, prototype.retry_after()), prototype, nodes };
    core::run(host, |host| host.services.core)
}

/// The nodes of a run, stepped directly.
struct NodeHost<'a, N: Node> {
    services: Services<N>,
    prototype: &'a N,
    nodes: Vec<Option<N>>,
}

impl<N: Node> NodeHost<'_, N> {
    /// Calls a handler of a node, and sees whether the node lives on.
    #[inline]
    fn step(&mut self, at: u32, handler: impl FnOnce(&mut N, &mut Context<'_, N>)) {
        let Some(node) = self.nodes[at as usize].as_mut() else { return };
        let services = &mut self.services;
        let nodes = services.core.nodes;
        services.at = at;
        services.core.runs(Some(at));
        handler(node, &mut Context { me: NodeId(at), nodes, outbox: services });
        services.core.running = None;
        services.core.count_refused(at);
        if services.halted.is_some() {
            self.halt(at);
        }
    }

    #[cold]
    fn halt(&mut self, at: u32) {
        let why = self.services.halted.take().unwrap_or_default();
        self.nodes[at as usize] = None;
        self.services.core.halted(at, &why);
    }

    /// An event for a machine that is down, stands still or is slow.
    #[cold]
    fn own_hindered(&mut self, node: u32, event: NodeEvent<N>) {
        if !event.is_stale(&self.services.core)
            && let Admission::Enters(event) = self.services.core.admit(node, event)
        {
            self.handle_admitted(event);
        }
    }

    /// An event that its machine has let in.
    #[inline(always)]
    fn handle_admitted(&mut self, event: NodeEvent<N>) {
        if self.services.core.traces() { self.handle_traced(event) } else { self.handle::<false>(event) }
    }

    #[cold]
    fn handle_traced(&mut self, event: NodeEvent<N>) {
        self.handle::<true>(event);
    }

    /// Compiled twice: without a trace nobody looks at a message on its way, and it need not be in memory for that.
    #[inline(always)]
    fn handle<const TRACED: bool>(&mut self, event: NodeEvent<N>) {
        let Services { core, requests, timers, .. } = &mut self.services;
        match event {
            NodeEvent::Message { from, to, hash, message } => {
                core.statistics.messages += 1;
                core.digest(0x1 << 60 | u64::from(from) << 32 | u64::from(to), hash);
                if TRACED {
                    core.trace(Some(to), || TraceKind::Delivered { from: NodeId(from), text: format!("{message:?}") });
                }
                self.step(to, |node, cx| node.on_message(NodeId(from), message, cx));
            }
            NodeEvent::Request { entry, to, hash } => {
                core.statistics.messages += 1;
                core.digest(0x2 << 60 | u64::from(entry) << 32 | u64::from(to), hash);
                let id = requests[entry as usize].id;
                if TRACED {
                    let from = NodeId(core.nodes + core.clients.session(entry as usize).client);
                    let text = core.clients.operation(entry as usize).to_string();
                    core.trace(Some(to), || TraceKind::Delivered { from, text });
                }
                let operation = core.clients.operation(entry as usize).clone();
                self.step(to, |node, cx| node.on_request(id, operation, cx));
            }
            NodeEvent::Change { request, to, hash, change } => {
                core.statistics.messages += 1;
                core.digest(0x2 << 60 | u64::from(request) << 32 | u64::from(to), hash);
                let from = NodeId(core.nodes + core.clients.session(request as usize).client);
                core.trace(Some(to), || TraceKind::Delivered { from, text: format!("admin: {change}") });
                let id = RequestId { process: ProcessId(request), serial: 1 };
                self.step(to, |node, cx| node.on_reconfigure(id, change, cx));
            }
            NodeEvent::Reply { entry, from, result } => {
                core.statistics.messages += 1;
                core.digest(0x3 << 60 | u64::from(from) << 32, u64::from(entry));
                core.complete(entry as usize, result);
            }
            NodeEvent::Redirect { entry, from, to } => {
                core.statistics.messages += 1;
                core.digest(0x3 << 60 | u64::from(from) << 32 | 1, u64::from(entry));
                let open = core.clients.is_open(entry as usize) || core.clients.change(entry as usize).is_some();
                if to < core.nodes && open {
                    self.services.send_elsewhere(entry as usize, to);
                }
            }
            NodeEvent::Retry { entry, attempt } => {
                core.digest(0x3 << 60 | 2, u64::from(entry));
                let sent = requests[entry as usize];
                if sent.attempt == attempt && core.clients.is_open(entry as usize) {
                    let next = (sent.to + 1) % core.nodes;
                    self.services.send_elsewhere(entry as usize, next);
                }
            }
            event if event.is_stale(core) => {}
            NodeEvent::Timer { node, incarnation, id, deadline_ns, timer } => {
                let clock = &core.machines[node as usize].clock;
                if clock.monotonic(core.now) < deadline_ns {
                    // The clock runs slower than it did when the timer was set.
                    let due = clock.true_time(core.now, deadline_ns);
                    core.schedule(due, NodeEvent::Timer { node, incarnation, id, deadline_ns, timer });
                    return;
                }
                if !timers.remove(&id) {
                    // Cancelled.
                    return;
                }
                core.digest(0x4 << 60 | u64::from(node), id.0);
                if TRACED {
                    core.trace(Some(node), || TraceKind::Timer { text: format!("{timer:?}") });
                }
                self.step(node, |node, cx| node.on_timer(timer, cx));
            }
            NodeEvent::Synced { node, token, sync, .. } => {
                let Sync { ticket, succeeded } = *sync;
                core.digest(0x5 << 60 | u64::from(node), token << 1 | u64::from(succeeded));
                let text =
                    || TraceKind::Disk { text: format!("sync {token} {}", if succeeded { "done" } else { "failed" }) };
                core.trace(Some(node), text);
                let result = match ticket {
                    Ok(ticket) => {
                        core.machines[node as usize].disk.end_sync(&ticket, succeeded);
                        if succeeded { Ok(()) } else { Err(io::Error::other("the disk reported an I/O error")) }
                    }
                    Err(kind) => Err(kind.into()),
                };
                self.step(node, |node, cx| node.on_synced(token, result, cx));
            }
        }
    }
}

impl<N: Node> Host for NodeHost<'_, N> {
    type Own = NodeEvent<N>;

    #[inline]
    fn core<R>(&mut self, call: impl FnOnce(&mut Core<NodeEvent<N>>) -> R) -> R {
        call(&mut self.services.core)
    }

    #[inline(always)]
    fn own(&mut self, event: NodeEvent<N>, admitted: bool) {
        match event.machine() {
            Some(node) if !admitted && self.services.core.machines[node as usize].is_hindered() => {
                self.own_hindered(node, event);
            }
            _ => self.handle_admitted(event),
        }
    }

    fn start(&mut self, node: u32) {
        self.nodes[node as usize] = Some(self.prototype.clone());
        self.step(node, N::on_start);
    }

    fn stop(&mut self, node: u32) {
        self.nodes[node as usize] = None;
    }

    fn invoke(&mut self, entry: EntryId) {
        self.services.begin_request(entry);
    }

    fn reconfigure(&mut self, request: EntryId, change: Change) {
        self.services.begin_change(request, change);
    }

    fn abandon(&mut self, _: EntryId) {}

    fn resume(&mut self, _: u32) {}

    fn rearm(&mut self, node: u32) {
        let core = &mut self.services.core;
        let machine = &core.machines[node as usize];
        let (clock, current, now) = (machine.clock, machine.incarnation, core.now);
        core.reschedule(node, |event| match event {
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
