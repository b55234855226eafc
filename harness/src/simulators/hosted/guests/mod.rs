//! Guests: stores written for a runtime's own network and tasks, on hosts of their own in it.
//!
//! The conductor conducts as always: it starts, kills and asks a system. That system is a stand-in (`stand_in`), whose tasks all
//! live on one host more, the desk (`desk`), and meet the guest's hosts in shared state (`lodge`): a replica's stand-in asks for
//! its host to be started, and for the host's end when it is killed; a client's passes its operations on to a session
//! (`session`) on the client's host. What a plan does to the network is up to the library, with [`Conductor::carry`] where single
//! messages are in its hand.

mod desk;
mod lodge;
mod session;
mod stand_in;

pub(in crate::simulators) use self::{
    desk::Desk,
    lodge::{Lodge, Order},
    stand_in::StandIn,
};
use super::conductor::Conductor;
#[cfg(madsim)]
use crate::plan::FaultKind;
use crate::plan::NodeId;
#[cfg(feature = "turmoil")]
use crate::simulators::TraceKind;
use crate::{environment::Guest, simulators::End};

/// A message between two hosts of guests, as the library shows it.
#[cfg(feature = "turmoil")]
pub(in crate::simulators) struct Message<'a> {
    pub(in crate::simulators) from: u32,
    pub(in crate::simulators) to: u32,
    /// The hash of its content, and of how often it was tried.
    pub(in crate::simulators) content: u64,
    /// What it is, for people.
    pub(in crate::simulators) text: &'a dyn Fn() -> String,
}

impl<G: Guest> Conductor<StandIn<G>> {
    /// What the guest's hosts are to do now, in this order.
    pub(in crate::simulators) fn orders(&self, lodge: &Lodge<G>) -> Vec<Order> {
        let orders = lodge.take_orders();
        for order in &orders {
            if let Order::Start(node) = order {
                // A wiped machine has lost what it kept, and this file with it.
                let marked = self.core(|core| {
                    let disk = &mut core.machines[*node as usize].disk;
                    disk.exists(MARK) || disk.append(MARK, &[1]).is_err()
                });
                if !marked {
                    lodge.forget(*node);
                }
            }
        }
        orders
    }

    /// The guest's code took the library down with it: the run ends here.
    pub(in crate::simulators) fn broke(&self, message: String) {
        self.core(|core| core.ended = Some(End::Panicked { node: None, message, at_ns: core.now }));
    }
}

/// Where single messages are in our hand, and the clock of all.
#[cfg(feature = "turmoil")]
impl<G: Guest> Conductor<StandIn<G>> {
    /// How long a message takes that is found on its way at `now`, to which all hosts have come; `None` when it is lost.
    pub(in crate::simulators) fn carry(&self, now: u64, message: &Message<'_>) -> Option<u64> {
        let Message { from, to, content, text } = *message;
        self.core(|core| {
            core.reach(now);
            core.digest(0x1 << 60 | u64::from(from) << 32 | u64::from(to), content);
            let draw = core.network.draw(from, to, content);
            let (mut delay, mut fault) = (Some(draw.delay), None);
            if draw.faulted {
                let fate = core.fate(&draw, from, to);
                delay = fate.delay;
                fault = fate.fault.map(|index| core.faults.fault(index as usize).id);
            }
            core.statistics.messages += u64::from(delay.is_some());
            let arrives_ns = delay.map(|delay| core.now.saturating_add(delay));
            core.trace(Some(from), || TraceKind::Sent { to: NodeId(to), text: text(), arrives_ns, fault });
            delay
        })
    }

    /// How fast the clock that all share runs, in parts per billion of its right rate, while a step is taken.
    pub(in crate::simulators) fn drift_ppb(&self) -> i64 {
        self.core(|core| {
            core.clock_read(0);
            core.machines[0].condition.ppb
        })
    }
}

/// Where the library's own means are all there is.
#[cfg(madsim)]
impl<G: Guest> Conductor<StandIn<G>> {
    /// The fault that cuts a link now, if one does.
    pub(in crate::simulators) fn cut(&self, from: u32, to: u32) -> Option<usize> {
        self.core(|core| core.network.cut(from, to, core.now)).map(|index| index as usize)
    }

    /// A fault did something that the library did for it.
    pub(in crate::simulators) fn touched(&self, fault: usize, count: u64) {
        self.core(|core| core.faults.touched(fault, count));
    }

    /// Whether a replica stands still now.
    pub(in crate::simulators) fn pauses(&self, node: u32) -> bool {
        self.core(|core| core.machines[node as usize].condition.paused)
    }

    /// A replica was made to stand still.
    pub(in crate::simulators) fn paused(&self, node: u32) {
        self.core(|core| core.faults.touched_on(NodeId(node), 1, |kind| matches!(kind, FaultKind::Pause)));
    }
}

/// The file on a machine's simulated disk that says that the machine keeps what it kept.
const MARK: &str = "kept";
