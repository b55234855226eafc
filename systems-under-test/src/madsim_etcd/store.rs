//! The server as a guest of madsim, and its clients.

use std::{io::ErrorKind, net::SocketAddr, time::Duration};

use madsim::time::timeout;
use madsim_etcd_client::{Client, Compare, CompareOp, Error, SimServer, Txn, TxnOp};
use squall::{
    Failed, Promise, Reply, Result,
    environment::{CertainlyFailed, Guest, Machine},
    plan::NodeId,
};
use squall_checkers::{operation::Operation, value::Value};

use super::{Mistake, promise};

/// The server, and what its clients do.
pub(super) struct Etcd {
    pub(super) mistake: Option<Mistake>,
}

/// A client's process.
pub(super) struct Session {
    etcd: Client,
    /// The lease of the lock that it holds.
    lease: Option<i64>,
}

const PORT: u16 = 2379;
/// The key of the lock.
const LOCK: &str = "lock/";
/// How long a lease lasts, in seconds: longer than any run. Whoever holds a lock on a lease has lost it when the lease runs out,
/// and where a partition is longer than that, without knowing it; fencing tokens are the remedy, not leases.
const LEASE: i64 = 600;
/// The same, where it is the mistake.
const SHORT_LEASE: i64 = 1;
/// How long a client stands in line for the lock.
const PATIENCE: Duration = Duration::from_millis(300);

impl Guest for Etcd {
    type Client = Session;

    fn promise(&self) -> Promise {
        promise()
    }

    async fn serve(&self, _: Machine) -> Result<()> {
        Ok(SimServer::builder().serve(server()).await?)
    }

    async fn connect(&self, _: &Machine) -> Result<Session> {
        let etcd = Client::connect([server().to_string()], None).await.certainly_failed()?;
        Ok(Session { etcd, lease: None })
    }

    async fn invoke(&self, session: &mut Session, machine: &Machine, operation: &Operation) -> Result<Reply> {
        let key = operation.key.to_string();
        match (operation.f.as_str(), &operation.args) {
            ("read", _) => session.read(key).await,
            ("write", value) => session.write(key, value).await,
            ("cas", Value::List(args)) if let [expected, new] = &args[..] => match self.mistake {
                Some(Mistake::CasByHand) => {
                    let holds = session.read(key.clone()).await? == *expected;
                    if holds {
                        session.write(key, new).await?;
                    }
                    Ok(Value::Bool(holds))
                }
                _ => session.cas(key, expected, new).await,
            },
            ("acquire", _) => {
                let lease = if self.mistake == Some(Mistake::ShortLease) { SHORT_LEASE } else { LEASE };
                session.acquire(machine.me(), lease).await
            }
            ("release", _) => session.release().await,
            (other, _) => Err(Failed::No(format!("etcd has no {other} here"))),
        }
    }
}

impl Session {
    async fn read(&mut self, key: String) -> Result<Reply> {
        let got = self.etcd.kv_client().get(key, None).await.map_err(failed)?;
        got.kvs().first().map_or(Ok(Value::Nil), |kv| Ok(serde_json::from_slice(kv.value())?))
    }

    async fn write(&mut self, key: String, value: &Value) -> Result<Reply> {
        self.etcd.kv_client().put(key, serde_json::to_vec(value)?, None).await.map_err(failed)?;
        Ok(Value::Nil)
    }

    async fn cas(&mut self, key: String, expected: &Value, new: &Value) -> Result<Reply> {
        let compare = Compare::value(&*key, CompareOp::Equal, serde_json::to_vec(expected)?);
        let put = TxnOp::put(key, serde_json::to_vec(new)?, None);
        let txn = Txn::new().when(vec![compare]).and_then(vec![put]);
        Ok(Value::Bool(self.etcd.kv_client().txn(txn).await.map_err(failed)?.succeeded()))
    }

    /// Takes the lock if it is free. A lease of its own goes with it; who gives up lets its lease, and its place in line, run out.
    async fn acquire(&mut self, me: NodeId, seconds: i64) -> Result<Reply> {
        let mut election = self.etcd.election_client();
        if election.leader(LOCK).await.map_err(failed)?.kv().is_some() {
            return Err(Failed::No("it is held".to_owned()));
        }
        let mut leases = self.etcd.lease_client();
        let lease = leases.grant(seconds, None).await.map_err(failed)?.id();
        match timeout(PATIENCE, election.campaign(LOCK, me.to_string(), lease)).await {
            Ok(elected) => {
                elected.map_err(failed)?;
                self.lease = Some(lease);
                Ok(Value::Nil)
            }
            Err(_) => {
                // Once the lease is revoked, nobody is elected by it.
                leases.revoke(lease).await.map_err(failed)?;
                Err(Failed::No("another one was faster".to_owned()))
            }
        }
    }

    async fn release(&mut self) -> Result<Reply> {
        let lease = self.lease.ok_or(Failed::No("it is not held".to_owned()))?;
        let revoked = self.etcd.lease_client().revoke(lease).await.map_err(failed);
        // What was never asked for is asked for again.
        if !matches!(revoked, Err(Failed::No(_))) {
            self.lease = None;
        }
        revoked.map(|_| Value::Nil)
    }
}

/// A call that was refused was never made. Of all others nobody knows.
fn failed(error: Error) -> Failed {
    match error {
        Error::IoError(refused) if refused.kind() == ErrorKind::ConnectionRefused => Failed::No(refused.to_string()),
        other => Failed::Unknown(other.to_string()),
    }
}

fn server() -> SocketAddr {
    SocketAddr::new(Machine::address(NodeId(0)), PORT)
}
