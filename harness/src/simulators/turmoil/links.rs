//! Turmoil's links between the hosts of a guest: they hold every message, and our layer says when each is let go.
//!
//! A datagram that is lost is held for ever. A segment of a stream is tried again, as its sender's TCP would send it again, so a
//! partition stalls streams and does not break them.

use std::{collections::BTreeMap, net::IpAddr};

use ::turmoil::{Datagram, Protocol, Segment, SentRef, Sim};

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

/// Every link, by its ends: what is held on it, in turmoil's order. What was let go has left the link by the next step, and what is
/// sent comes last.
pub(super) struct Links(BTreeMap<(IpAddr, IpAddr), Vec<Held>>);

/// A message on a link.
enum Held {
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
        let pairs = (0..machines).flat_map(|a| (a + 1..machines).map(move |b| [a, b]));
        let pairs = pairs.map(|ends| ends.map(|machine| Machine::address(NodeId(machine))));
        let links = pairs.map(|[a, b]| {
            sim.hold(a, b);
            ((a, b), Vec::new())
        });
        Links(links.collect())
    }

    /// Decides about what was sent within the last step, and lets go what is due.
    pub(super) fn carry<G: Guest>(&mut self, sim: &Sim<'_>, conductor: &Conductor<StandIn<G>>) {
        let now = sim.elapsed().as_nanos() as u64;
        sim.links(|links| {
            for link in links {
                // The desk has links too, on which there is nothing.
                let Some(held) = self.0.get_mut(&link.pair()) else { continue };
                let mut before = std::mem::take(held).into_iter();
                for sent in link {
                    let one = match before.next() {
                        None => decide(&sent, 0, now, conductor),
                        Some(Held::Again(at, time)) if at <= now => decide(&sent, time, now, conductor),
                        Some(other) => other,
                    };
                    if matches!(one, Held::Until(at) if at <= now) {
                        sent.deliver();
                    } else {
                        held.push(one);
                    }
                }
            }
        });
    }
}

/// What becomes of a message that is sent for this time.
fn decide<G: Guest>(sent: &SentRef<'_>, time: u32, now: u64, conductor: &Conductor<StandIn<G>>) -> Held {
    let (from, to) = sent.pair();
    let [from_machine, to_machine] =
        [from, to].map(|at| Machine::at(at.ip()).expect("a held link has a machine at each end").0);
    // Of two ports of a stream, the one that was asked for: the other counts how many there were before.
    let port = u64::from(from.port().min(to.port()));
    let content = mix(hash(sent.protocol()) ^ port, u64::from(time));
    let text = || format!("{} {}->{}", describe(sent.protocol()), from.port(), to.port());
    let message = Message { from: from_machine, to: to_machine, content, text: &text };
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
