//! One replica's life: openraft with its log, its state machine and its peers, and the ports at which it is asked.

use std::{collections::BTreeMap, future::Future, io, net::Ipv4Addr, sync::Arc};

use openraft::{
    Config, EmptyNode, Raft, ServerState, SnapshotPolicy,
    error::{CheckIsLeaderError, InitializeError, RaftError},
};
use squall::{Failed, Result, environment::Machine};
use squall_checkers::operation::Operation;
use turmoil::net::{TcpListener, TcpStream};

use super::{
    Mistake,
    disk::{Disk, Journal},
    machine::{Applied, Types},
    wire::{Answer, CLIENTS, PEERS, Peers, answer_calls, hear, say},
};

/// Entries after which a snapshot is taken: runs are short, and snapshots are to be seen in them.
const SNAPSHOT_AFTER: u64 = 100;

/// Runs a replica until openraft gives up.
pub(super) async fn run(machine: Machine, mistake: Option<Mistake>) -> Result<()> {
    let disk: Arc<Disk> = machine.kept();
    let applied = Applied::open(disk.clone())?;
    let journal = Journal::open(disk, mistake);
    let me = machine.me().0;
    let raft = Raft::new(me, Arc::new(config()), Peers, journal, applied.clone()).await?;
    // Each replica says who they are; the first time, one of these words becomes the log's first entry.
    #[expect(clippy::zero_sized_map_values, reason = "openraft asks for a map")]
    let members: BTreeMap<u32, EmptyNode> = machine.nodes().map(|node| (node.0, EmptyNode {})).collect();
    match raft.initialize(members).await {
        Ok(()) | Err(RaftError::APIError(InitializeError::NotAllowed(_))) => {}
        Err(error) => return Err(error.into()),
    }
    let peers = raft.clone();
    serve(PEERS, move |stream| answer_calls(stream, peers.clone())).await?;
    let asked = Asked { raft: raft.clone(), applied, mistake };
    serve(CLIENTS, move |stream| asked.clone().attend(stream)).await?;
    let mut metrics = raft.metrics();
    loop {
        {
            let metrics = metrics.borrow_and_update();
            machine.observe("role", role(metrics.state));
            machine.observe("term", i64::try_from(metrics.current_term)?);
            if let Err(fatal) = &metrics.running_state {
                return Err(Failed::Unknown(fatal.to_string()));
            }
        }
        metrics.changed().await?;
    }
}

fn config() -> Config {
    Config {
        heartbeat_interval: 60,
        election_timeout_min: 300,
        election_timeout_max: 600,
        snapshot_policy: SnapshotPolicy::LogsSinceLast(SNAPSHOT_AFTER),
        replication_lag_threshold: SNAPSHOT_AFTER + SNAPSHOT_AFTER / 2,
        max_in_snapshot_log_to_keep: SNAPSHOT_AFTER / 2,
        ..Config::default()
    }
}

fn role(state: ServerState) -> &'static str {
    match state {
        ServerState::Leader => "leader",
        ServerState::Candidate => "candidate",
        _ => "follower",
    }
}

/// Listens at a port, and attends to each stream in a task of its own until it breaks.
async fn serve<F>(port: u16, attend: impl Fn(TcpStream) -> F + Send + 'static) -> io::Result<()>
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(attend(stream));
        }
    });
    Ok(())
}

/// A replica, as its clients meet it.
#[derive(Clone)]
struct Asked {
    raft: Raft<Types>,
    applied: Applied,
    mistake: Option<Mistake>,
}

impl Asked {
    async fn attend(self, mut stream: TcpStream) -> io::Result<()> {
        loop {
            let operation: Operation = hear(&mut stream).await?;
            let answer = if operation.f == "read" { self.read(&operation).await } else { self.write(operation).await };
            say(&mut stream, &answer).await?;
        }
    }

    /// A read that gets no answer did not happen.
    async fn read(&self, operation: &Operation) -> Answer {
        if self.mistake == Some(Mistake::LeaderLocalRead) && self.leads() {
            return Answer::Done(self.applied.read(&operation.key));
        }
        match self.raft.ensure_linearizable().await {
            Ok(_) => Answer::Done(self.applied.read(&operation.key)),
            Err(RaftError::APIError(CheckIsLeaderError::ForwardToLeader(to))) => Answer::Elsewhere(to.leader_id),
            Err(_) => Answer::Elsewhere(None),
        }
    }

    /// Who does not lead proposes nothing. Once proposed, an entry may still be committed by the next leader, also when openraft
    /// says to ask that one: it says so when the entry is gone from this replica's log alone.
    async fn write(&self, operation: Operation) -> Answer {
        if !self.leads() {
            return Answer::Elsewhere(self.raft.metrics().borrow().current_leader);
        }
        match self.raft.client_write(operation).await {
            Ok(done) => Answer::Done(done.data),
            Err(error) => Answer::Unsure(error.to_string()),
        }
    }

    fn leads(&self) -> bool {
        self.raft.metrics().borrow().state == ServerState::Leader
    }
}
