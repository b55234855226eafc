//! Every sans-I/O node is a system: it runs wherever async code runs, over datagrams.

use std::{
    collections::BTreeMap,
    future::{Future, poll_fn},
    io,
    pin::Pin,
    task::Poll,
    time::Duration,
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use squall_checkers::{
    history::ProcessId,
    operation::{Interface, Name, Operation},
    value::Value,
};

use super::{
    checked::Checked,
    env::{Elapsed, Env, Sleep},
    failed::{Failed, Result},
    image::DiskImage,
    membership::Change,
    net::{Address, Socket},
    node::{Context, Node, Outbox, RequestId, TimerId},
    system::{Hosting, Reply, System},
    world::{Place, World, with_world},
};
use crate::plan::{NodeId, Promise, next_random};

/// Where replicas listen.
const PORT: u16 = 7_000;
/// Room for the largest datagram.
const BUFFER: usize = 65_536;

/// What travels between machines.
#[derive(Serialize, Deserialize)]
enum Wire<M> {
    /// Between replicas. Damage is the node's own affair.
    Peer(M),
    /// Between clients and replicas. Damaged, it is as good as lost.
    Client(Checked<ClientWire>),
}

#[derive(Clone, Serialize, Deserialize)]
enum ClientWire {
    Request(RequestId, Operation),
    Reply(RequestId, Result<Reply>),
    Redirect(RequestId, NodeId),
    Reconfigure(RequestId, Change),
}

/// One process of a node's clients.
pub struct NodeClient {
    socket: Socket,
    process: ProcessId,
    serial: u32,
    /// The replica it talks to: its home, or where it was redirected to.
    preferred: NodeId,
}

impl<N: Node> System for N {
    type Client = NodeClient;

    fn promise(&self) -> Promise {
        Node::promise(self)
    }

    fn speaking(&self, interface: &Interface) -> Option<Self> {
        Node::speaking(self, interface)
    }

    async fn serve(&self, env: Env) -> Result<()> {
        Replica {
            node: self.clone(),
            socket: env.bind(PORT)?,
            random: env.random(),
            env,
            next_timer: 0,
            timers: BTreeMap::new(),
            syncs: Vec::new(),
            askers: BTreeMap::new(),
        }
        .run()
        .await
    }

    async fn connect(&self, env: &Env) -> Result<NodeClient> {
        // A client machine's lives are its processes.
        let process = ProcessId(env.place().incarnation);
        Ok(NodeClient { socket: env.bind(0)?, process, serial: 0, preferred: env.home() })
    }

    async fn invoke(&self, client: &mut NodeClient, env: &Env, operation: &Operation) -> Result<Reply> {
        let id = client.next_request();
        let patience = self.retry_after();
        client.ask::<N::Message>(env, id, ClientWire::Request(id, operation.clone()), patience).await
    }

    async fn reconfigure(&self, env: &Env, change: Change) -> Result<()> {
        let mut admin = self.connect(env).await?;
        let id = admin.next_request();
        admin.ask::<N::Message>(env, id, ClientWire::Reconfigure(id, change), None).await.map(|_| ())
    }

    fn host<H: Hosting>(&self, hosting: H) -> H::Output {
        hosting.node(self)
    }
}

impl NodeClient {
    fn next_request(&mut self) -> RequestId {
        self.serial += 1;
        RequestId { process: self.process, serial: self.serial }
    }

    /// Sends a request where it is to go until it is answered.
    async fn ask<M: Serialize + DeserializeOwned>(
        &mut self,
        env: &Env,
        id: RequestId,
        request: ClientWire,
        retry_after: Option<Duration>,
    ) -> Result<Reply> {
        let request = encode::<M>(&Wire::Client(Checked(request)))?;
        let mut buffer = vec![0; BUFFER];
        loop {
            self.socket.send_to(Address { node: self.preferred, port: PORT }, &request)?;
            let answer = receive::<M>(&self.socket, id, &mut buffer);
            let answer = match retry_after {
                Some(patience) => env.timeout(patience, answer).await,
                None => Ok(answer.await),
            };
            match answer {
                Ok(Ok(Answer::Reply(result))) => return result,
                Ok(Ok(Answer::Redirect(to))) => self.preferred = to,
                Ok(Err(error)) => return Err(error.into()),
                Err(Elapsed) => self.preferred = NodeId((self.preferred.0 + 1) % env.node_count()),
            }
        }
    }
}

/// What a client is told.
enum Answer {
    Reply(Result<Reply>),
    Redirect(NodeId),
}

/// The first answer to a request; others are dropped.
async fn receive<M: DeserializeOwned>(socket: &Socket, id: RequestId, buffer: &mut [u8]) -> io::Result<Answer> {
    loop {
        let (length, _) = socket.recv_from(buffer).await?;
        match postcard::from_bytes::<Wire<M>>(&buffer[..length]) {
            Ok(Wire::Client(Checked(ClientWire::Reply(of, result)))) if of == id => return Ok(Answer::Reply(result)),
            Ok(Wire::Client(Checked(ClientWire::Redirect(of, to)))) if of == id => return Ok(Answer::Redirect(to)),
            _ => {}
        }
    }
}

fn encode<M: Serialize>(wire: &Wire<M>) -> Result<Vec<u8>> {
    Ok(postcard::to_stdvec(wire)?)
}

/// A sync under way.
type PendingSync = Pin<Box<dyn Future<Output = (u64, io::Result<()>)>>>;

/// One replica.
struct Replica<N: Node> {
    node: N,
    env: Env,
    socket: Socket,
    random: u64,
    next_timer: u64,
    /// By deadline on the monotonic clock.
    timers: BTreeMap<(Duration, TimerId), N::Timer>,
    syncs: Vec<PendingSync>,
    /// Where each process last asked from.
    askers: BTreeMap<ProcessId, (u32, Address)>,
}

enum Input<N: Node> {
    Start,
    Message(NodeId, N::Message),
    Request(RequestId, Operation),
    Reconfigure(RequestId, Change),
    Timer(N::Timer),
    Synced(u64, io::Result<()>),
}

/// What a handler asked for: done in order when it has returned, for the world is in its hands until then.
enum Effect<N: Node> {
    Send(NodeId, N::Message),
    Reply(RequestId, Result<Reply>),
    Redirect(RequestId, NodeId),
    SetTimer(TimerId, Duration, N::Timer),
    CancelTimer(TimerId),
    Sync(Option<String>, u64),
    Halt(String),
}

/// One handler at work.
struct Step<'a, N: Node> {
    world: &'a mut dyn World,
    place: Place,
    random: &'a mut u64,
    next_timer: &'a mut u64,
    effects: &'a mut Vec<Effect<N>>,
}

impl<N: Node> Outbox<N> for Step<'_, N> {
    fn send(&mut self, to: NodeId, message: N::Message) {
        self.effects.push(Effect::Send(to, message));
    }

    fn reply(&mut self, request: RequestId, result: Result<Reply>) {
        self.effects.push(Effect::Reply(request, result));
    }

    fn redirect(&mut self, request: RequestId, to: NodeId) {
        self.effects.push(Effect::Redirect(request, to));
    }

    fn set_timer(&mut self, after: Duration, timer: N::Timer) -> TimerId {
        *self.next_timer += 1;
        let id = TimerId(*self.next_timer);
        self.effects.push(Effect::SetTimer(id, after, timer));
        id
    }

    fn cancel_timer(&mut self, timer: TimerId) {
        self.effects.push(Effect::CancelTimer(timer));
    }

    fn sync(&mut self, file: Option<&str>, token: u64) {
        self.effects.push(Effect::Sync(file.map(str::to_owned), token));
    }

    fn observe(&mut self, key: Name, value: Value) {
        self.world.observe(self.place, key, value);
    }

    fn halt(&mut self, why: String) {
        self.effects.push(Effect::Halt(why));
    }

    fn monotonic_ns(&mut self) -> u64 {
        self.world.monotonic_ns(self.place)
    }

    fn wall_ns(&mut self) -> u64 {
        self.world.wall_ns(self.place)
    }

    fn random(&mut self) -> u64 {
        next_random(self.random)
    }

    fn disk(&mut self) -> &mut DiskImage {
        self.world.disk_image(self.place)
    }
}

impl<N: Node> Replica<N> {
    async fn run(mut self) -> Result<()> {
        let mut buffer = vec![0; BUFFER];
        let mut alarm: Option<(Duration, Sleep)> = None;
        self.step(Input::Start)?;
        loop {
            let due = self.timers.keys().next().map(|(deadline, _)| *deadline);
            if due != alarm.as_ref().map(|(deadline, _)| *deadline) {
                alarm = due.map(|deadline| (deadline, self.env.sleep(deadline.saturating_sub(self.env.monotonic()))));
            }
            let input = poll_fn(|cx| {
                for i in 0..self.syncs.len() {
                    if let Poll::Ready((token, result)) = self.syncs[i].as_mut().poll(cx) {
                        drop(self.syncs.remove(i));
                        return Poll::Ready(Ok(Some(Input::Synced(token, result))));
                    }
                }
                if let Some((_, sleep)) = &mut alarm
                    && Pin::new(sleep).poll(cx).is_ready()
                {
                    alarm = None;
                    return Poll::Ready(Ok(self.timers.pop_first().map(|(_, timer)| Input::Timer(timer))));
                }
                self.socket.poll_recv_from(cx, &mut buffer).map(|received| {
                    received.map(|(length, from)| Self::decode(&mut self.askers, &buffer[..length], from))
                })
            })
            .await?;
            if let Some(input) = input {
                self.step(input)?;
            }
        }
    }

    /// What a datagram says; nothing when it does not decode.
    fn decode(askers: &mut BTreeMap<ProcessId, (u32, Address)>, bytes: &[u8], from: Address) -> Option<Input<N>> {
        match postcard::from_bytes(bytes).ok()? {
            Wire::Peer(message) => Some(Input::Message(from.node, message)),
            Wire::Client(Checked(ClientWire::Request(id, operation))) => {
                askers.insert(id.process, (id.serial, from));
                Some(Input::Request(id, operation))
            }
            Wire::Client(Checked(ClientWire::Reconfigure(id, change))) => {
                askers.insert(id.process, (id.serial, from));
                Some(Input::Reconfigure(id, change))
            }
            Wire::Client(_) => None,
        }
    }

    /// Gives the node one input, and does what it asks for.
    fn step(&mut self, input: Input<N>) -> Result<()> {
        let place = self.env.place();
        let mut effects = Vec::new();
        with_world(|world| {
            let nodes = world.node_count();
            let (random, next_timer) = (&mut self.random, &mut self.next_timer);
            let mut outbox = Step { world, place, random, next_timer, effects: &mut effects };
            let mut cx = Context { me: NodeId(place.machine), nodes, outbox: &mut outbox };
            match input {
                Input::Start => self.node.on_start(&mut cx),
                Input::Message(from, message) => self.node.on_message(from, message, &mut cx),
                Input::Request(id, operation) => self.node.on_request(id, operation, &mut cx),
                Input::Reconfigure(id, change) => self.node.on_reconfigure(id, change, &mut cx),
                Input::Timer(timer) => self.node.on_timer(timer, &mut cx),
                Input::Synced(token, result) => self.node.on_synced(token, result, &mut cx),
            }
        });
        effects.into_iter().try_for_each(|effect| self.apply(effect))
    }

    fn apply(&mut self, effect: Effect<N>) -> Result<()> {
        match effect {
            Effect::Send(to, message) => {
                let bytes = encode(&Wire::Peer(message))?;
                self.socket.send_to(Address { node: to, port: PORT }, &bytes)?;
            }
            Effect::Reply(id, result) => self.answer(id, ClientWire::Reply(id, result))?,
            Effect::Redirect(id, to) => self.answer(id, ClientWire::Redirect(id, to))?,
            Effect::SetTimer(id, after, timer) => {
                self.timers.insert((self.env.monotonic() + after, id), timer);
            }
            Effect::CancelTimer(id) => self.timers.retain(|(_, set), _| *set != id),
            Effect::Sync(file, token) => {
                let disk = self.env.disk();
                let mut sync = Box::pin(async move {
                    let result = match file {
                        Some(file) => disk.file(file).sync().await,
                        None => disk.sync_directory().await,
                    };
                    (token, result)
                });
                // The first poll hands the request to the disk: what it covers is what was written by now.
                let mut idle = std::task::Context::from_waker(std::task::Waker::noop());
                let _ = sync.as_mut().poll(&mut idle).map(|_| unreachable!("a disk takes time"));
                self.syncs.push(sync);
            }
            Effect::Halt(why) => return Err(Failed::Unknown(why)),
        }
        Ok(())
    }

    fn answer(&self, id: RequestId, answer: ClientWire) -> Result<()> {
        // A process that has gone on to its next request no longer cares.
        if let Some((serial, to)) = self.askers.get(&id.process)
            && *serial == id.serial
        {
            let bytes = encode::<N::Message>(&Wire::Client(Checked(answer)))?;
            self.socket.send_to(*to, &bytes)?;
        }
        Ok(())
    }
}
