//! The yardstick: the same register in a hand-written loop over one binary heap. No faults, digest, history or timeouts; typed
//! messages by value, one hash per message for its latency, no allocation per event.

use std::{cmp::Ordering, collections::BinaryHeap};

use squall::plan::{Operations, Plan, mix, scale};

/// Ordered for a max-heap: the earliest is the greatest.
struct Event {
    time: u64,
    sequence: u64,
    from: u32,
    to: u32,
    message: Message,
}

#[derive(Clone, Copy)]
enum Message {
    Tick,
    Request { operation: u64, value: i64 },
    Put { slot: u32, serial: u32, value: i64 },
    Ack { slot: u32, serial: u32, value: i64 },
    Reply { operation: u64 },
}

impl PartialEq for Event {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Event {}

impl PartialOrd for Event {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Event {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.time, other.sequence).cmp(&(self.time, self.sequence))
    }
}

#[derive(Default)]
struct Replica {
    value: i64,
    pending: Vec<Pending>,
    free: Vec<u32>,
}

#[derive(Clone, Copy, Default)]
struct Pending {
    serial: u32,
    client: u32,
    operation: u64,
    acks: u32,
}

struct Loop {
    heap: BinaryHeap<Event>,
    sequence: u64,
    now: u64,
    seed: u64,
    low: u64,
    span: u64,
}

impl Loop {
    #[inline]
    fn at(&mut self, time: u64, from: u32, to: u32, message: Message) {
        self.sequence += 1;
        self.heap.push(Event { time, sequence: self.sequence, from, to, message });
    }

    #[inline]
    fn send(&mut self, from: u32, to: u32, message: Message) {
        let hash = mix(self.seed ^ u64::from(from) << 32 ^ u64::from(to), self.sequence);
        self.at(self.now + self.low + scale(hash, self.span), from, to, message);
    }
}

/// Returns the messages delivered and the operations completed.
pub(crate) fn run(plan: &Plan) -> (u64, u64) {
    let nodes = plan.cluster.nodes;
    let Operations::Generated { interval_ns, .. } = plan.workload.operations else {
        unreachable!("bench plans are generated")
    };
    let end = plan.phases.chaos_ns + plan.phases.settle_ns;
    let latency = plan.cluster.latency.alike().expect("all links are alike");
    let mut l = Loop {
        heap: BinaryHeap::new(),
        sequence: 0,
        now: 0,
        seed: plan.seed,
        low: latency.min_ns,
        span: latency.max_ns - latency.min_ns + 1,
    };
    let mut replicas: Vec<Replica> = (0..nodes).map(|_| Replica::default()).collect();
    let (mut messages, mut completed, mut operations) = (0, 0, 0);
    for client in nodes..nodes + plan.cluster.clients {
        l.at(interval_ns, client, client, Message::Tick);
    }
    while let Some(Event { time, from, to, message, .. }) = l.heap.pop() {
        l.now = time;
        if !matches!(message, Message::Tick) {
            messages += 1;
        }
        match message {
            Message::Tick => {
                if time < end {
                    operations += 1;
                    let home = (to - nodes) % nodes;
                    l.send(to, home, Message::Request { operation: operations, value: operations as i64 });
                    let jitter = scale(mix(l.seed, operations), interval_ns);
                    l.at(time + interval_ns / 2 + jitter, to, to, Message::Tick);
                }
            }
            Message::Request { operation, value } => {
                let replica = &mut replicas[to as usize];
                replica.value = replica.value.max(value);
                let slot = replica.free.pop().unwrap_or_else(|| {
                    replica.pending.push(Pending::default());
                    replica.pending.len() as u32 - 1
                });
                let pending = &mut replica.pending[slot as usize];
                *pending = Pending { serial: pending.serial, client: from, operation, acks: 0 };
                let (serial, value) = (pending.serial, replica.value);
                for peer in (0..nodes).filter(|n| *n != to) {
                    l.send(to, peer, Message::Put { slot, serial, value });
                }
            }
            Message::Put { slot, serial, value } => {
                let replica = &mut replicas[to as usize];
                replica.value = replica.value.max(value);
                let value = replica.value;
                l.send(to, from, Message::Ack { slot, serial, value });
            }
            Message::Ack { slot, serial, value } => {
                let replica = &mut replicas[to as usize];
                replica.value = replica.value.max(value);
                let pending = &mut replica.pending[slot as usize];
                if pending.serial == serial {
                    pending.acks += 1;
                    let Pending { client, operation, acks, .. } = *pending;
                    if acks == nodes - 1 {
                        pending.serial += 1;
                        replica.free.push(slot);
                    }
                    if acks == nodes / 2 {
                        l.send(to, client, Message::Reply { operation });
                    }
                }
            }
            Message::Reply { operation } => completed += u64::from(operation != 0),
        }
    }
    (messages, completed)
}
