//! Primary and backups under a view service: what the three systems of this kind have in common.
//!
//! The last replica is the view service, which keeps no data; all others keep a log. The primary of a view adds updates to its log
//! and ships it to the others; who must have an entry before its client hears of it is the [`Mode`]. When the primary is silent,
//! the view service begins a view of another epoch ([`views`]), and replicas that have promised an epoch follow no older one:
//! that fences the old primary off. A message may say only what is on disk.
//!
//! Logs are as in Raft (Ongaro & Ousterhout 2014): entries carry their primary's epoch, a backup takes entries after one that it
//! has, and a primary counts copies of older entries by those of its own first one. They are never compacted.

mod log;
mod message;
mod replica;
mod views;

use std::time::Duration;

use serde::Serialize;
use squall::{
    Env, Failed, Promise, Reply, Result, System,
    environment::{Address, Checked, RequestId, Socket},
};
use squall_checkers::{
    history::ProcessId,
    operation::{Interface, Operation},
};

use self::{
    log::Saved,
    message::{Message, PORT, Position, address},
    replica::Replica,
    views::{Memory, Views},
};
use crate::{journal::JournalFile, objects::Objects};

/// Who must have an update on disk before its client hears of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// The primary.
    Async,
    /// The primary and one backup.
    SemiSync,
    /// All members of the view.
    Sync,
}

/// What can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mistake {
    /// Of the replicas that answer, the view service makes the one with the shortest log primary.
    LaggingPromoted,
    /// A primary goes on without members that do not answer, and asks nobody.
    NotFenced,
    /// Reads are answered by any replica.
    ReadsAtBackups,
    /// Sessions are not pinned, and replicas do not look at what they have seen.
    SessionForgotten,
}

/// The system: settings only.
#[derive(Clone, Debug)]
pub(crate) struct PrimaryBackup {
    setup: Setup,
    promise: Promise,
}

#[derive(Clone, Debug)]
struct Setup {
    mode: Mode,
    mistake: Option<Mistake>,
    objects: Objects,
}

impl Setup {
    fn is(&self, mistake: Mistake) -> bool {
        self.mistake == Some(mistake)
    }

    /// Whether reads are answered where the session is pinned, and not by the primary alone.
    fn reads_anywhere(&self) -> bool {
        self.mode != Mode::Sync || self.is(Mistake::ReadsAtBackups)
    }
}

/// A process's session.
#[derive(Debug)]
pub(crate) struct Session {
    socket: Socket,
    id: RequestId,
    /// Where it reads, if reads are answered anywhere.
    pinned: u32,
    primary: u32,
    /// The newest state it has seen.
    seen: Position,
}

/// The unit of all timeouts.
const TICK: Duration = Duration::from_millis(50);
/// How long a client waits for one replica.
const PATIENCE: Duration = Duration::from_millis(250);
/// How long it waits before it goes where it was sent.
const BEFORE_REDIRECT: Duration = Duration::from_millis(10);
/// Room for the largest datagram.
const BUFFER: usize = 65_536;

impl PrimaryBackup {
    /// A system of this kind with this promise.
    pub(crate) fn new(mode: Mode, mistake: Option<Mistake>, promise: Promise) -> Self {
        let setup = Setup { mode, mistake, objects: Objects::default() };
        PrimaryBackup { setup, promise: promise.on(4) }
    }
}

impl System for PrimaryBackup {
    type Client = Session;

    fn promise(&self) -> Promise {
        self.promise.clone()
    }

    fn speaking(&self, interface: &Interface) -> Option<Self> {
        let setup = Setup { objects: Objects::of(interface), ..self.setup.clone() };
        Some(PrimaryBackup { setup, promise: self.promise.clone() })
    }

    async fn serve(&self, env: Env) -> Result<()> {
        let data = data_replicas(&env);
        let socket = env.bind(PORT)?;
        let (journal, records) = JournalFile::open(&env).await?;
        if env.me().0 == data {
            let memory: Option<Memory> = records.last().map(|record| postcard::from_bytes(record)).transpose()?;
            env.observe("role", "view-service");
            return keep(&env, &socket, journal, Views::new(self.setup.clone(), data, memory)).await;
        }
        let saved = records.iter().map(|record| postcard::from_bytes(record)).collect::<Result<Vec<Saved>, _>>()?;
        keep(&env, &socket, journal, Replica::new(self.setup.clone(), env.me().0, data, saved)).await
    }

    async fn connect(&self, env: &Env) -> Result<Session> {
        // Together as good as unique.
        let id = RequestId { process: ProcessId(env.random() as u32), serial: env.random() as u32 / 2 };
        let pinned = env.home().0 % data_replicas(env);
        let mut session = Session { socket: env.bind(0)?, id, pinned, primary: pinned, seen: Position::default() };
        if self.setup.mode != Mode::Sync {
            // It sees all that is committed by now; out of the primary's reach it begins with nothing, and reads what there is.
            drop(env.timeout(2 * PATIENCE, session.ask(env, Ask::ThePrimary, Message::Open { id })).await);
        }
        Ok(session)
    }

    async fn invoke(&self, session: &mut Session, env: &Env, operation: &Operation) -> Result<Reply> {
        session.id.serial += 1;
        let here = self.setup.reads_anywhere() && self.setup.objects.look(operation).is_some();
        if here && self.setup.is(Mistake::SessionForgotten) {
            session.pinned = env.random_below(u64::from(data_replicas(env))) as u32;
        }
        let request = Message::Request { id: session.id, seen: session.seen, operation: operation.clone() };
        let ask = match self.setup.mode {
            _ if here => Ask::WherePinned,
            Mode::Async => Ask::ThePrimaryOnce,
            Mode::SemiSync | Mode::Sync => Ask::ThePrimary,
        };
        session.ask(env, ask, request).await
    }
}

/// Whom a session asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ask {
    WherePinned,
    ThePrimary,
    /// What one primary may have done is not asked of another: where a failover loses updates it would be done in both views, among
    /// others in another order.
    ThePrimaryOnce,
}

impl Session {
    /// Asks until there is an answer.
    async fn ask(&mut self, env: &Env, ask: Ask, request: Message) -> Result<Reply> {
        let request = encode(request)?;
        loop {
            let to = if ask == Ask::WherePinned { self.pinned } else { self.primary };
            self.socket.send_to(address(to), &request)?;
            match env.timeout(PATIENCE, answer(&self.socket, self.id)).await {
                Ok(Ok(Message::Reply { result, at, .. })) => {
                    self.seen = self.seen.max(at);
                    return result;
                }
                Ok(Ok(Message::Redirect { to, .. })) => {
                    self.primary = to;
                    env.sleep(BEFORE_REDIRECT).await;
                }
                Err(_) if ask == Ask::ThePrimaryOnce => return Err(Failed::Unknown("the primary is silent".into())),
                Ok(Ok(_)) | Err(_) => self.primary = (self.primary + 1) % data_replicas(env),
                Ok(Err(error)) => return Err(error),
            }
        }
    }
}

/// The data replicas come first; the view service is the last one.
fn data_replicas(env: &Env) -> u32 {
    (env.node_count() - 1).max(1)
}

/// Waits for the answer to a request.
async fn answer(socket: &Socket, wanted: RequestId) -> Result<Message> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let (length, _) = socket.recv_from(&mut buffer).await?;
        match decode(&buffer[..length]) {
            Some(message @ (Message::Reply { id, .. } | Message::Redirect { id, .. })) if id == wanted => {
                return Ok(message);
            }
            _ => {}
        }
    }
}

/// What a replica does with what it hears: the part that keeps data, and the view service.
trait Part {
    /// What it must not forget.
    type Saved: Serialize;

    fn on_message(&mut self, from: Address, message: Message);

    fn on_tick(&mut self);

    /// What is to be on disk before anything is sent.
    fn unsaved(&mut self) -> Option<Self::Saved>;

    /// What there is to send. All that was [unsaved](Self::unsaved) is on disk now.
    fn take_out(&mut self) -> Vec<(Address, Message)>;

    /// Shows what has changed.
    fn observe(&mut self, _: &Env) {}
}

async fn keep(env: &Env, socket: &Socket, mut journal: JournalFile, mut part: impl Part) -> Result<()> {
    let mut tick = env.interval(TICK);
    let mut buffer = vec![0; BUFFER];
    loop {
        squall::select! {
            received = socket.recv_from(&mut buffer) => {
                let (length, from) = received?;
                if let Some(message) = decode(&buffer[..length]) {
                    part.on_message(from, message);
                }
            }
            () = tick.tick() => part.on_tick(),
        }
        if let Some(saved) = part.unsaved() {
            journal.append(&postcard::to_stdvec(&saved)?).await?;
        }
        for (to, message) in part.take_out() {
            socket.send_to(to, &encode(message)?)?;
        }
        part.observe(env);
    }
}

fn encode(message: Message) -> Result<Vec<u8>> {
    Ok(postcard::to_stdvec(&Checked(message))?)
}

/// The message; `None` when it was damaged on the way.
fn decode(bytes: &[u8]) -> Option<Message> {
    postcard::from_bytes::<Checked<Message>>(bytes).ok().map(|Checked(message)| message)
}
