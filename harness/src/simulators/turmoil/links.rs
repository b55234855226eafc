//! Turmoil's links between machines: they hold every message, and our layer says when each is let go.
//!
//! How long a datagram of a hosted system takes was decided as it was sent ([`Dues`]), and the words of its streams wait before
//! they set out, so both are let go when it is their time. What becomes of a guest's message is decided when it is found on a link
//! ([`decide`]): a datagram that is lost is held for ever; a segment of a stream is tried again, as its sender's TCP would send it
//! again, so a partition stalls streams and does not break them.

use std::{cell::RefCell, collections::VecDeque, net::IpAddr};

use ::turmoil::{Datagram, Protocol, Segment, SentRef, Sim};

use super::machine;
use crate::{
    environment::{Guest, Machine, content},
    plan::{MILLISECOND, NodeId, mix},
    simulators::{
        hosted::{
            Conductor,
            guests::{Message, StandIn},
        },
        layer::payload::shown,
    },
};

/// Time until a segment that was lost is first sent again, in nanoseconds. It doubles with each time.
const AGAIN_NS: u64 = 200 * MILLISECOND;
/// How often that time doubles: then a segment is sent again every 3 seconds.
const DOUBLINGS: u32 = 4;

/// Every link in turmoil's order: what is held on it, in turmoil's order too. What was let go has left the link by the next step,
/// and what is sent comes last. `None` for links of others than machines.
pub(super) struct Links(Vec<Option<VecDeque<Held>>>);

/// A message on a link.
pub(super) enum Held {
    /// Arrives at this time.
    Until(u64),
    /// Was lost, and is sent again at this time, for which time.
    Again(u64, u32),
    /// Was lost.
    Forever,
}

impl Links {
    /// Holds everything between these machines.
    pub(super) fn held(sim: &Sim<'_>, machines: u32) -> Self {
        let addresses: Vec<IpAddr> = (0..machines).map(|machine| Machine::address(NodeId(machine))).collect();
        for (i, a) in addresses.iter().enumerate() {
            addresses[i + 1..].iter().for_each(|b| sim.hold(*a, *b));
        }
        let mut links = Vec::new();
        sim.links(|all| {
            links.extend(all.map(|link| {
                let (a, b) = link.pair();
                (addresses.contains(&a) && addresses.contains(&b)).then(VecDeque::new)
            }));
        });
        Links(links)
    }

    /// Asks what becomes of each message that was sent within the last step, or for which time it is sent again at which time, and
    /// lets go what is due.
    pub(super) fn carry(&mut self, sim: &Sim<'_>, mut decide: impl FnMut(&SentRef<'_>, u32, u64) -> Held) {
        let now = sim.elapsed().as_nanos() as u64;
        sim.links(|links| {
            for (link, held) in links.zip(&mut self.0) {
                let Some(held) = held else { continue };
                // Round once: what stays comes to the end again.
                let mut before = held.len();
                for sent in link {
                    let known = (before > 0).then(|| held.pop_front()).flatten();
                    before = before.saturating_sub(1);
                    let one = match known {
                        None => decide(&sent, 0, now),
                        Some(Held::Again(at, time)) if at <= now => decide(&sent, time, now),
                        Some(other) => other,
                    };
                    if matches!(one, Held::Until(at) if at <= now) {
                        sent.deliver();
                    } else {
                        held.push_back(one);
                    }
                }
            }
        });
    }
}

/// When the datagrams that hosted systems have sent arrive, until they are found on their links.
#[derive(Default)]
pub(super) struct Dues {
    machines: u32,
    /// By `from * machines + to`.
    times: RefCell<Vec<VecDeque<u64>>>,
}

impl Dues {
    pub(super) fn new(machines: u32) -> Self {
        Dues { machines, times: RefCell::new(vec![VecDeque::new(); machines.pow(2) as usize]) }
    }

    fn times<R>(&self, from: u32, to: u32, call: impl FnOnce(&mut VecDeque<u64>) -> R) -> R {
        call(&mut self.times.borrow_mut()[(from * self.machines + to) as usize])
    }

    /// A datagram is about to enter its link.
    pub(super) fn sends(&self, from: u32, to: u32, arrives_ns: u64) {
        // What a machine sends to itself goes over no link.
        if from != to {
            self.times(from, to, |times| times.push_back(arrives_ns));
        }
    }

    /// What becomes of a message found on a link.
    pub(super) fn of(&self, sent: &SentRef<'_>) -> Held {
        match sent.protocol() {
            Protocol::Tcp(_) => Held::Until(0),
            Protocol::Udp(_) => {
                let (from, to) = sent.pair();
                let due = self.times(machine(from), machine(to), VecDeque::pop_front);
                Held::Until(due.expect("every datagram's time was noted as it was sent"))
            }
        }
    }
}

/// What becomes of a guest's message that is sent for this time.
pub(super) fn decide<G: Guest>(conductor: &Conductor<StandIn<G>>, sent: &SentRef<'_>, time: u32, now: u64) -> Held {
    let (from, to) = sent.pair();
    // Of two ports of a stream, the one that was asked for: the other counts how many there were before.
    let port = u64::from(from.port().min(to.port()));
    let content = mix(hash(sent.protocol()) ^ port, u64::from(time));
    let text = || format!("{} {}->{}", describe(sent.protocol()), from.port(), to.port());
    let message = Message { from: machine(from), to: machine(to), content, text: &text };
    match (conductor.carry(now, &message), sent.protocol()) {
        (Some(delay), _) => Held::Until(now.saturating_add(delay)),
        (None, Protocol::Tcp(_)) => Held::Again(now + (AGAIN_NS << time.min(DOUBLINGS)), time + 1),
        (None, Protocol::Udp(_)) => Held::Forever,
    }
}

fn hash(protocol: &Protocol) -> u64 {
    match protocol {
        Protocol::Udp(Datagram(bytes)) => content::hash_bytes(bytes),
        Protocol::Tcp(Segment::Syn(_)) => 1,
        Protocol::Tcp(Segment::Data(number, bytes)) => mix(content::hash_bytes(bytes), *number),
        Protocol::Tcp(Segment::Fin(number)) => mix(2, *number),
        Protocol::Tcp(Segment::Rst) => 3,
    }
}

fn describe(protocol: &Protocol) -> String {
    match protocol {
        Protocol::Udp(Datagram(bytes)) => format!("datagram, {}", shown(bytes)),
        Protocol::Tcp(Segment::Syn(_)) => "connect".to_owned(),
        Protocol::Tcp(Segment::Data(_, bytes)) => shown(bytes),
        Protocol::Tcp(Segment::Fin(_)) => "end".to_owned(),
        Protocol::Tcp(Segment::Rst) => "reset".to_owned(),
    }
}
