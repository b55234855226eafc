//! The store as a guest of turmoil, and its clients: each asks the leader, which it learns from whom it asked.

use std::time::Duration;

use squall::{
    Failed, Promise, Reply, Result,
    environment::{Guest, Machine},
    plan::NodeId,
};
use squall_checkers::operation::Operation;
use tokio::time::{sleep, timeout};
use turmoil::net::TcpStream;

use super::{
    Mistake, promise, replica,
    wire::{Answer, CLIENTS, exchange},
};

/// The store.
pub(super) struct OpenraftKv {
    pub(super) mistake: Option<Mistake>,
}

/// What a client remembers between its operations.
pub(super) struct Session {
    /// Whom to ask next.
    asks: NodeId,
    /// The stream to it, if there is one.
    stream: Option<TcpStream>,
}

/// How long a client waits for a replica to take its call.
const PATIENCE: Duration = Duration::from_millis(150);
/// How long a client waits before it asks again, where nobody leads.
const PAUSE: Duration = Duration::from_millis(50);

impl Guest for OpenraftKv {
    type Client = Session;

    fn promise(&self) -> Promise {
        promise()
    }

    async fn serve(&self, machine: Machine) -> Result<()> {
        replica::run(machine, self.mistake).await
    }

    async fn connect(&self, machine: &Machine) -> Result<Session> {
        Ok(Session { asks: machine.home(), stream: None })
    }

    // An operation goes on to the next replica only while it certainly did not happen; it ends with the client's patience.
    async fn invoke(&self, session: &mut Session, machine: &Machine, operation: &Operation) -> Result<Reply> {
        loop {
            let Some(mut stream) = session.call().await else {
                session.asks = next(session.asks, machine);
                continue;
            };
            let leader = match exchange(&mut stream, operation).await? {
                Answer::Done(reply) => {
                    session.stream = Some(stream);
                    return Ok(reply);
                }
                Answer::Unsure(why) => return Err(Failed::Unknown(why)),
                Answer::Elsewhere(leader) => leader,
            };
            match leader.map(NodeId) {
                Some(leader) if leader != session.asks => session.asks = leader,
                _ => {
                    sleep(PAUSE).await;
                    session.asks = next(session.asks, machine);
                }
            }
        }
    }
}

impl Session {
    /// The stream to whom it asks, open since the last time or new.
    async fn call(&mut self) -> Option<TcpStream> {
        if let Some(open) = self.stream.take() {
            return Some(open);
        }
        timeout(PATIENCE, TcpStream::connect((Machine::address(self.asks), CLIENTS))).await.ok()?.ok()
    }
}

fn next(node: NodeId, machine: &Machine) -> NodeId {
    NodeId((node.0 + 1) % machine.node_count())
}
