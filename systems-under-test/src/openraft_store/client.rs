//! The store's clients and admins: each asks the leader, which it learns from whom it asked.

use std::time::Duration;

use serde::Serialize;
use squall::{Failed, Reply, Result, plan::NodeId};

use super::{
    host::Host,
    wire::{Answer, CLIENTS, exchange},
};

/// What a client remembers between its operations.
pub(crate) struct Session<H: Host> {
    host: H,
    /// Whom to ask next.
    asks: NodeId,
    /// The stream to it, if there is one.
    stream: Option<H::Stream>,
}

/// How long a client waits for a replica to take its call.
const PATIENCE: Duration = Duration::from_millis(150);
/// How long a client waits before it asks again, where nobody leads.
const PAUSE: Duration = Duration::from_millis(50);

impl<H: Host> Session<H> {
    /// A client on this machine, which asks `home` first.
    pub(crate) fn new(host: H, home: NodeId) -> Self {
        Session { host, asks: home, stream: None }
    }

    /// Asks for an operation, or a change of members. It goes on to the next replica only while it certainly did not happen; it ends with the client's
    /// patience.
    pub(crate) async fn ask(&mut self, question: &(impl Serialize + Sync)) -> Result<Reply> {
        loop {
            let Some(mut stream) = self.call().await else {
                self.turn_away();
                continue;
            };
            let leader = match exchange(&mut stream, question).await? {
                Answer::Done(reply) => {
                    self.stream = Some(stream);
                    return Ok(reply);
                }
                Answer::Unsure(why) => return Err(Failed::Unknown(why)),
                Answer::Elsewhere(leader) => leader,
            };
            match leader.map(NodeId) {
                Some(leader) if leader != self.asks => self.asks = leader,
                _ => {
                    self.host.sleep(PAUSE).await;
                    self.turn_away();
                }
            }
        }
    }

    /// The stream to whom it asks, open since the last time or new.
    async fn call(&mut self) -> Option<H::Stream> {
        if let Some(open) = self.stream.take() {
            return Some(open);
        }
        self.host.timeout(PATIENCE, self.host.connect(self.asks, CLIENTS)).await?.ok()
    }

    /// The next replica is asked.
    fn turn_away(&mut self) {
        self.asks = NodeId((self.asks.0 + 1) % self.host.node_count());
    }
}
