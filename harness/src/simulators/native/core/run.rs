//! The main loop of a run: one event after the other, to the end of the plan.

use std::panic::{AssertUnwindSafe, catch_unwind};

use squall_checkers::history::EntryId;

use super::{Core, Event, Host, faults::Blow};
use crate::{
    environment::Failed,
    plan::NodeId,
    simulators::{
        End, Execution,
        layer::{clients::Action, panics::message_of, state::Due, strikes},
    },
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

/// True when the plan came to its end, false when the system span.
#[expect(
    clippy::redundant_closure_for_method_calls,
    reason = "the next event's own name would be called as a function, and the event be moved once more"
)]
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
        let Some(event) = host.core(|c| c.next()) else {
            if host.core(|c| c.spins()) {
                return false;
            }
            if host.core(|c| c.is_quiet()) && final_reads(host) {
                continue;
            }
            return true;
        };
        match event {
            Event::Own(own) => host.own(own, false),
            Event::Serve(place) => {
                if let Some(own) = host.core(|c| c.serve(place)) {
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
                let now = c.now;
                c.client_turn(turn, now, &mut actions);
                actions
            });
            let actions = perform(host, actions);
            host.core(|c| c.actions = actions);
        }
        Event::Timeout => {
            while let Some(entry) = host.core(Core::next_timeout) {
                give_up(host, entry);
            }
        }
        Event::Restart(place) => {
            if host.core(|c| c.may_restart(place)) {
                start(host, place.machine);
            }
        }
        Event::Due(Due::FaultBegins(index)) => strikes::begin(&mut Blow(host), index),
        Event::Due(Due::FaultBeats(index)) => strikes::beat(&mut Blow(host), index),
        Event::Due(Due::FaultEnds(index)) => strikes::end(&mut Blow(host), index),
        Event::Due(Due::Settle) => host.core(|c| c.settle()),
        Event::Due(Due::FinalReads) => host.core(|c| c.settled = true),
        Event::Due(Due::Overtime) => host.core(|c| c.overtime = true),
        Event::Own(..) | Event::Serve(..) => unreachable!("handled by the loop"),
    }
    host.core(|c| !c.overtime)
}

/// Begins the next final reads. False when all were done, and the run is over.
fn final_reads<H: Host>(host: &mut H) -> bool {
    let Some(actions) = host.core(|c| c.final_reads()) else { return false };
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
                    c.invoked(entry);
                    c.begin_timeout(entry);
                });
                host.invoke(entry);
            }
            Action::Ask(request) => {
                host.core(|c| c.asked(request));
                if let Some(change) = host.core(|c| c.clients.change(request)) {
                    host.reconfigure(request, change);
                }
            }
            Action::GiveUp(request) => give_up(host, request),
        }
    }
    actions
}

/// What a client or the admin asked has waited long enough.
fn give_up<H: Host>(host: &mut H, entry: EntryId) {
    host.core(|c| c.digest(0x6 << 60, entry as u64));
    host.abandon(entry);
    host.core(|c| c.complete(entry, Err(Failed::Unknown("timed out".to_owned()))));
}

pub(super) fn start<H: Host>(host: &mut H, node: u32) {
    host.core(|c| c.started(node));
    host.start(node);
}
