//! One replica's life: openraft with its log, its state machine and its peers, and the ports at which it is asked.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::Arc,
};

use openraft::{
    ChangeMembers, Config, EmptyNode, Raft, ServerState, SnapshotPolicy,
    error::{CheckIsLeaderError, InitializeError, RaftError},
};
use squall::{Failed, Reply, Result, environment::Change};
use squall_checkers::operation::Operation;

use super::{
    Mistake,
    host::Host,
    machine::Applied,
    storage::Storage,
    wire::{Answer, CLIENTS, PEERS, Peers, Question, answer_calls, hear_question, say},
};

/// Entries after which a snapshot is taken: runs are short, and snapshots are to be seen in them.
const SNAPSHOT_AFTER: u64 = 100;

/// Runs a replica until openraft gives up.
pub(crate) async fn run<H: Host>(host: H, mistake: Option<Mistake>) -> Result<()> {
    let (disk, saved) = host.disk().await?;
    let storage = Storage::<H>::new(disk, saved, mistake);
    let applied = Applied::open(storage.clone())?;
    let raft = Raft::new(host.me().0, Arc::new(config()), Peers(host.clone()), storage, applied.clone()).await?;
    // Each replica says who they are; the first time, one of these words becomes the log's first entry.
    #[expect(clippy::zero_sized_map_values, reason = "openraft asks for a map")]
    let members: BTreeMap<u32, EmptyNode> = (0..host.node_count()).map(|node| (node, EmptyNode {})).collect();
    match raft.initialize(members).await {
        Ok(()) | Err(RaftError::APIError(InitializeError::NotAllowed(_))) => {}
        Err(error) => return Err(error.into()),
    }
    let peers = raft.clone();
    host.listen(PEERS, move |stream| answer_calls(stream, peers.clone())).await?;
    let asked = Asked { raft: raft.clone(), applied, mistake };
    host.listen(CLIENTS, move |stream| asked.clone().attend(stream)).await?;
    let mut metrics = raft.metrics();
    loop {
        {
            let metrics = metrics.borrow_and_update();
            host.observe("role", role(metrics.state).into());
            host.observe("term", i64::try_from(metrics.current_term)?.into());
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

/// A replica, as its clients meet it.
struct Asked<H: Host> {
    raft: Raft<H::Types>,
    applied: Applied<H>,
    mistake: Option<Mistake>,
}

impl<H: Host> Clone for Asked<H> {
    fn clone(&self) -> Self {
        Asked { raft: self.raft.clone(), applied: self.applied.clone(), mistake: self.mistake }
    }
}

impl<H: Host> Asked<H> {
    async fn attend(self, mut stream: H::Stream) -> io::Result<()> {
        loop {
            let answer = match hear_question(&mut stream).await? {
                Question::Operation(operation) if operation.f == "read" => self.read(&operation).await,
                Question::Operation(operation) => self.write(operation).await,
                Question::Change(change) => self.reconfigure(change).await,
            };
            say(&mut stream, &answer).await?;
        }
    }

    /// A read that gets no answer did not happen.
    async fn read(&self, operation: &Operation) -> Answer {
        if self.mistake == Some(Mistake::LeaderLocalRead) && self.leads() {
            return Answer::Done(self.applied.read(&operation.key));
        }
        match self.raft.get_read_log_id().await {
            // `ensure_linearizable` would wait for the same, but by tokio's dice, which no seed decides everywhere.
            Ok((upto, _)) => {
                self.applied.reaches(upto).await;
                Answer::Done(self.applied.read(&operation.key))
            }
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

    /// Who leaves votes no more, but goes on learning: when it comes back, it need not be told everything.
    ///
    /// Of two members none leaves. The one that stays would have to hear of it: if only others did, it would ask these for their
    /// votes in vain, as their logs are longer, and openraft 0.9 lets nobody stand for election whom its own newest members do
    /// not name. Raft does, for this reason (Ongaro, "Consensus: Bridging Theory and Practice", 2014, section 4.2.2).
    async fn reconfigure(&self, change: Change) -> Answer {
        if !self.leads() {
            return Answer::Elsewhere(self.raft.metrics().borrow().current_leader);
        }
        let of = BTreeSet::from([change.node().0]);
        let change = match change {
            Change::Remove(_) if self.voters().len() <= 2 => {
                return Answer::Unsure("two members are the fewest".to_owned());
            }
            Change::Remove(_) => ChangeMembers::RemoveVoters(of),
            Change::Add(_) => ChangeMembers::AddVoterIds(of),
        };
        match self.raft.change_membership(change, true).await {
            Ok(_) => Answer::Done(Reply::Nil),
            Err(error) => Answer::Unsure(error.to_string()),
        }
    }

    /// All that have a vote, before or after a change that is under way.
    fn voters(&self) -> BTreeSet<u32> {
        self.raft.metrics().borrow().membership_config.membership().voter_ids().collect()
    }

    fn leads(&self) -> bool {
        self.raft.metrics().borrow().state == ServerState::Leader
    }
}
