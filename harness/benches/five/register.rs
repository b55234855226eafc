//! The register of the scenario, as a node and as async code, and the workload that writes to it.

use serde::{Deserialize, Serialize};
use squall::{
    Env, Failed, Node, Reply, System,
    environment::{Address, Context, RequestId},
    plan::{NodeId, Promise, Settings, Stream},
};
use squall_checkers::{
    history::ProcessId,
    operation::{Interface, Operation},
    value::Value,
};
use squall_workloads::workload::{Client, Judge, SettingError, Workload};

/// A write to a majority, as the bare loop does it.
#[derive(Clone, Default)]
pub(crate) struct Register {
    value: i64,
    pending: Vec<Pending>,
    free: Vec<u32>,
}

#[derive(Clone, Copy)]
struct Pending {
    serial: u32,
    request: RequestId,
    acks: u32,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Message {
    Put { slot: u32, serial: u32, value: i64 },
    Ack { slot: u32, serial: u32, value: i64 },
}

fn promise() -> Promise {
    Promise::new(Interface::REGISTER, "linearizable")
}

impl Node for Register {
    type Message = Message;
    type Timer = ();

    fn promise(&self) -> Promise {
        promise()
    }

    fn on_start(&mut self, _: &mut Context<'_, Self>) {}

    fn on_request(&mut self, request: RequestId, operation: Operation, cx: &mut Context<'_, Self>) {
        self.value = self.value.max(operation.args.as_int().unwrap_or(0));
        let slot = self.free.pop().unwrap_or_else(|| {
            self.pending.push(Pending { serial: 0, request, acks: 0 });
            self.pending.len() as u32 - 1
        });
        let pending = &mut self.pending[slot as usize];
        *pending = Pending { serial: pending.serial, request, acks: 0 };
        cx.broadcast(&Message::Put { slot, serial: pending.serial, value: self.value });
    }

    fn on_message(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, Self>) {
        match message {
            Message::Put { slot, serial, value } => {
                self.value = self.value.max(value);
                cx.send(from, Message::Ack { slot, serial, value: self.value });
            }
            Message::Ack { slot, serial, value } => {
                self.value = self.value.max(value);
                let pending = &mut self.pending[slot as usize];
                if pending.serial == serial {
                    pending.acks += 1;
                    let Pending { request, acks, .. } = *pending;
                    if acks == cx.node_count() - 1 {
                        pending.serial += 1;
                        self.free.push(slot);
                    }
                    if acks == cx.node_count() / 2 {
                        cx.reply(request, Ok(Value::Nil));
                    }
                }
            }
        }
    }
}

/// Where a replica's message goes.
pub(crate) enum To<A> {
    Peers,
    One(A),
}

/// A replica of the same register as whoever carries datagrams keeps it; `A` is an address.
pub(crate) struct Replica<A> {
    value: i64,
    pending: Vec<(u32, A, u32)>,
    free: Vec<u32>,
}

/// The bytes of every datagram.
pub(crate) type Datagram = [u8; 17];

impl<A: Copy> Replica<A> {
    pub(crate) fn new() -> Self {
        Replica { value: 0, pending: Vec::new(), free: Vec::new() }
    }

    /// A datagram came; returns what is to be said.
    #[inline]
    pub(crate) fn take(&mut self, from: A, datagram: &Datagram, count: u32) -> Option<(To<A>, Datagram)> {
        let (kind, slot, serial, value) = decode(datagram);
        self.value = self.value.max(value);
        match kind {
            0 => {
                let slot = self.free.pop().unwrap_or_else(|| {
                    self.pending.push((0, from, 0));
                    self.pending.len() as u32 - 1
                });
                let entry = &mut self.pending[slot as usize];
                *entry = (entry.0, from, 0);
                Some((To::Peers, encode(1, slot, entry.0, self.value)))
            }
            1 => Some((To::One(from), encode(2, slot, serial, self.value))),
            _ => {
                let entry = &mut self.pending[slot as usize];
                if entry.0 != serial {
                    return None;
                }
                entry.2 += 1;
                let (_, client, acks) = *entry;
                if acks == count - 1 {
                    entry.0 += 1;
                    self.free.push(slot);
                }
                (acks == count / 2).then(|| (To::One(client), encode(3, 0, 0, self.value)))
            }
        }
    }
}

/// A client's request.
pub(crate) fn request(value: i64) -> Datagram {
    encode(0, 0, 0, value)
}

fn encode(kind: u8, slot: u32, serial: u32, value: i64) -> Datagram {
    let mut bytes = [kind; 17];
    bytes[1..5].copy_from_slice(&slot.to_le_bytes());
    bytes[5..9].copy_from_slice(&serial.to_le_bytes());
    bytes[9..].copy_from_slice(&value.to_le_bytes());
    bytes
}

fn decode(bytes: &Datagram) -> (u8, u32, u32, i64) {
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
    (bytes[0], word(1), word(5), i64::from_le_bytes(bytes[9..].try_into().expect("eight bytes")))
}

/// The same as ordinary async code over datagrams.
pub(crate) struct Datagrams;

const PORT: u16 = 7_000;

impl System for Datagrams {
    type Client = squall::environment::Socket;

    fn promise(&self) -> Promise {
        promise()
    }

    async fn serve(&self, env: Env) -> Result<(), Failed> {
        let socket = env.bind(PORT)?;
        let (count, mut buffer, mut replica) = (env.node_count(), [0; 17], Replica::new());
        loop {
            let (_, from) = socket.recv_from(&mut buffer).await?;
            match replica.take(from, &buffer, count) {
                Some((To::Peers, datagram)) => {
                    for node in env.peers() {
                        socket.send_to(Address { node, port: PORT }, &datagram)?;
                    }
                }
                Some((To::One(to), datagram)) => socket.send_to(to, &datagram)?,
                None => {}
            }
        }
    }

    async fn connect(&self, env: &Env) -> Result<Self::Client, Failed> {
        Ok(env.bind(0)?)
    }

    async fn invoke(&self, socket: &mut Self::Client, env: &Env, operation: &Operation) -> Result<Reply, Failed> {
        let value = operation.args.as_int().unwrap_or(0);
        socket.send_to(Address { node: env.home(), port: PORT }, &request(value))?;
        socket.recv_from(&mut [0; 17]).await?;
        Ok(Value::Nil)
    }
}

/// Writes of ever greater numbers.
pub(crate) struct Writes;

pub(crate) static WORKLOAD: Writes = Writes;

impl Workload for Writes {
    fn interface(&self) -> Interface {
        Interface::REGISTER
    }

    fn client(&self, _: &Settings, client: u32, clients: u32, _: Stream) -> Result<Box<dyn Client>, SettingError> {
        Ok(Box::new(Writer { next: i64::from(client), step: i64::from(clients) }))
    }

    fn final_reads(&self, _: &Settings, _: &[Operation]) -> Result<Vec<Operation>, SettingError> {
        Ok(Vec::new())
    }

    fn judges(&self, _: &str) -> Vec<Judge> {
        Vec::new()
    }
}

struct Writer {
    next: i64,
    step: i64,
}

impl Client for Writer {
    fn next(&mut self, _: ProcessId) -> Option<Operation> {
        self.next += self.step;
        Some(Operation::write(Value::Nil, self.next))
    }
}
