//! The main loop of a run: one event after the other, to the end of the plan.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{Core, EVENTS_PER_INSTANT_MAX, Event, Host, faults};
use crate::{
    environment::Failed,
    plan::NodeId,
    simulators::{End, Execution, TraceKind, layer::clients::Action},
};

/// Runs a host to the end of its plan. Panics of user code end the run, with all that was seen so far.
pub(in super::super) fn run<H: Host>(mut host: H, into_core: impl FnOnce(H) -> Core<H::Own>) -> Execution {
    let looped = catch_unwind(AssertUnwindSafe(|| main_loop(&mut host)));
    let (node, at_ns, events) = host.core(|c| (c.running.map(NodeId), c.now, c.at_instant));
    let end = match looped {
        Ok(true) => End::Completed,
        Ok(false) => End::Spun { node, at_ns, events },
        Err(payload) => End::Panicked { node, message: message_of(payload.as_ref()), at_ns },
    };
    into_core(host).finish(end)
}

/// What a panic said.
fn message_of(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|s| (*s).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without a message".to_owned())
}

/// True when the plan came to its end, false when the system span.
fn main_loop<H: Host>(host: &mut H) -> bool {
    for node in 0..host.core(|c| c.nodes) {
        start(host, node);
    }
    let actions = host.core(|c| c.clients.start());
    perform(host, actions);
    loop {
        if !host.settle_instant() {
            return false;
        }
        let Some((time, event)) = host.core(|c| if c.is_quiet() { None } else { c.queue.pop() }) else {
            if host.core(|c| c.is_quiet()) && final_reads(host) {
                continue;
            }
            return true;
        };
        if host.core(|c| c.arrive(time)) > EVENTS_PER_INSTANT_MAX {
            return false;
        }
        match event {
            Event::Own(own) => host.own(own, false),
            Event::Serve { node, incarnation } => {
                if let Some(own) = host.core(|c| c.serve(node, incarnation)) {
                    host.own(own, true);
                }
            }
            other => {
                if !shared(host, &other) {
                    return true;
                }
            }
        }
    }
}

/// An event of the core's own. False when the run is over.
fn shared<H: Host>(host: &mut H, event: &Event<H::Own>) -> bool {
    match *event {
        Event::Turn(turn) => {
            let actions = host.core(|c| {
                let mut actions = std::mem::take(&mut c.actions);
                c.clients.turn(turn, c.now, &mut actions);
                actions
            });
            let actions = perform(host, actions);
            host.core(|c| c.actions = actions);
        }
        Event::Timeout => {
            while let Some(entry) = host.core(Core::next_timeout) {
                host.core(|c| c.digest(0x6 << 60, entry as u64));
                host.abandon(entry);
                host.core(|c| c.complete(entry, Err(Failed::Unknown("timed out".to_owned()))));
            }
        }
        Event::FaultBegins(index) => faults::begin(host, index as usize),
        Event::FaultBeats(index) => faults::beat(host, index as usize),
        Event::FaultEnds(index) => faults::end(host, index as usize),
        Event::Settle => host.core(|c| {
            c.digest(0x9 << 60, 1);
            c.clients.settle(c.now);
        }),
        Event::FinalReads => host.core(|c| c.settled = true),
        Event::Restart { node, incarnation } => {
            let due = host.core(|c| {
                let machine = &c.machines[node as usize];
                machine.incarnation == incarnation && !machine.up && !machine.condition.down
            });
            if due {
                start(host, node);
            }
        }
        Event::Overtime => host.core(|c| c.overtime = true),
        Event::Own(..) | Event::Serve { .. } => unreachable!("handled by the loop"),
    }
    host.core(|c| !c.overtime)
}

/// Every replica is read once the phases are over and all operations are complete: what is still under way would otherwise be
/// concurrent with the final reads, and they would prove nothing. False when that was done, and the run is over.
fn final_reads<H: Host>(host: &mut H) -> bool {
    let actions = host.core(|c| {
        c.digest(0x9 << 60, 2);
        c.clients.next_final_reads(c.now)
    });
    let Some(actions) = actions else { return false };
    perform(host, actions);
    true
}

/// Does what the clients ask for; returns the emptied list for reuse.
fn perform<H: Host>(host: &mut H, mut actions: Vec<Action>) -> Vec<Action> {
    for action in actions.drain(..) {
        match action {
            Action::Schedule(at, turn) => {
                host.core(|c| c.put(at, Event::Turn(turn)));
            }
            Action::Invoke(entry) => {
                host.core(|c| {
                    c.digest(0x7 << 60, entry as u64);
                    if c.trace.is_some() {
                        let text = c.clients.operation(entry).to_string();
                        let client = c.nodes + c.clients.session(entry).client;
                        c.trace(Some(client), || TraceKind::Client { text });
                    }
                    c.begin_timeout(entry);
                });
                host.invoke(entry);
            }
        }
    }
    actions
}

pub(super) fn start<H: Host>(host: &mut H, node: u32) {
    host.core(|c| {
        c.bring_up(node);
        let incarnation = c.machines[node as usize].incarnation;
        c.digest(0xA << 60 | u64::from(node), u64::from(incarnation));
        c.trace(Some(node), || TraceKind::Process { text: "starts".to_owned() });
    });
    host.start(node);
}
