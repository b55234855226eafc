//! What goes over the streams: the questions of clients and admins and their answers, and openraft's calls between replicas.

use std::{io, time::Duration};

use openraft::{
    EmptyNode, Raft, RaftNetwork, RaftNetworkFactory,
    error::{InstallSnapshotError, NetworkError, RPCError, RaftError, RemoteError},
    network::RPCOption,
    raft::{
        AppendEntriesRequest, AppendEntriesResponse, InstallSnapshotRequest, InstallSnapshotResponse, VoteRequest,
        VoteResponse,
    },
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use squall::{environment::Change, plan::NodeId};
use squall_checkers::{operation::Operation, value::Value};

use super::host::{Frames, Host, Kind};

/// Where clients are served.
pub(super) const CLIENTS: u16 = 80;
/// Where replicas hear one another.
pub(super) const PEERS: u16 = 81;

/// How long a replica that cannot be reached is left alone. Not by openraft's own backoff, which chooses between its timer and its
/// next task by tokio's dice where both are ready, and those no seed decides everywhere.
const BACKOFF: Duration = Duration::from_millis(100);

/// What a client or an admin asks.
pub(super) enum Question {
    /// Do this.
    Operation(Operation),
    /// Change the members.
    Change(Change),
}

/// What a client is told.
#[derive(Serialize, Deserialize)]
pub(super) enum Answer {
    /// It happened.
    Done(Value),
    /// It did not happen here and never will; perhaps this one leads.
    Elsewhere(Option<u32>),
    /// It may have happened.
    Unsure(String),
}

/// A call from one replica to another.
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
pub(super) enum Call<C: Kind> {
    Append(AppendEntriesRequest<C>),
    Vote(VoteRequest<u32>),
    Install(InstallSnapshotRequest<C>),
}

/// Says one thing and hears the answer.
pub(super) async fn exchange<T: DeserializeOwned>(
    stream: &mut impl Frames,
    said: &(impl Serialize + Sync),
) -> io::Result<T> {
    say(stream, said).await?;
    hear(stream).await
}

/// Says one thing, in JSON.
pub(super) async fn say(stream: &mut impl Frames, said: &(impl Serialize + Sync)) -> io::Result<()> {
    stream.write(&serde_json::to_vec(said)?).await
}

/// Hears one thing.
pub(super) async fn hear<T: DeserializeOwned>(stream: &mut impl Frames) -> io::Result<T> {
    Ok(serde_json::from_slice(&stream.read().await?)?)
}

/// Hears what a client or an admin asks: an operation or a change, as it is.
pub(super) async fn hear_question(stream: &mut impl Frames) -> io::Result<Question> {
    let said = stream.read().await?;
    match serde_json::from_slice(&said) {
        Ok(operation) => Ok(Question::Operation(operation)),
        Err(_) => Ok(Question::Change(serde_json::from_slice(&said)?)),
    }
}

/// Answers the calls that come over a stream.
pub(super) async fn answer_calls<C: Kind>(mut stream: impl Frames, raft: Raft<C>) -> io::Result<()> {
    loop {
        match hear(&mut stream).await? {
            Call::Append(rpc) => say(&mut stream, &raft.append_entries(rpc).await).await?,
            Call::Vote(rpc) => say(&mut stream, &raft.vote(rpc).await).await?,
            Call::Install(rpc) => say(&mut stream, &raft.install_snapshot(rpc).await).await?,
        }
    }
}

/// Opens ways to other replicas.
pub(super) struct Peers<H>(pub(super) H);

/// The way to another replica.
pub(super) struct Peer<H: Host> {
    host: H,
    target: u32,
    /// Open, and with nothing under way on it: openraft drops calls that take too long.
    stream: Option<H::Stream>,
}

impl<H: Host> RaftNetworkFactory<H::Types> for Peers<H> {
    type Network = Peer<H>;

    async fn new_client(&mut self, target: u32, _: &EmptyNode) -> Peer<H> {
        Peer { host: self.0.clone(), target, stream: None }
    }
}

impl<H: Host> Peer<H> {
    async fn call<T: DeserializeOwned, E: std::error::Error + DeserializeOwned>(
        &mut self,
        call: Call<H::Types>,
    ) -> Result<T, RPCError<u32, EmptyNode, E>> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => match self.host.connect(NodeId(self.target), PEERS).await {
                Ok(stream) => stream,
                Err(error) => {
                    self.host.sleep(BACKOFF).await;
                    return Err(NetworkError::new(&error).into());
                }
            },
        };
        let answer: Result<T, E> = exchange(&mut stream, &call).await.map_err(|error| NetworkError::new(&error))?;
        self.stream = Some(stream);
        answer.map_err(|error| RemoteError::new(self.target, error).into())
    }
}

impl<H: Host> RaftNetwork<H::Types> for Peer<H> {
    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<H::Types>,
        _: RPCOption,
    ) -> Result<AppendEntriesResponse<u32>, RPCError<u32, EmptyNode, RaftError<u32>>> {
        self.call(Call::Append(rpc)).await
    }

    async fn vote(
        &mut self,
        rpc: VoteRequest<u32>,
        _: RPCOption,
    ) -> Result<VoteResponse<u32>, RPCError<u32, EmptyNode, RaftError<u32>>> {
        self.call(Call::Vote(rpc)).await
    }

    async fn install_snapshot(
        &mut self,
        rpc: InstallSnapshotRequest<H::Types>,
        _: RPCOption,
    ) -> Result<InstallSnapshotResponse<u32>, RPCError<u32, EmptyNode, RaftError<u32, InstallSnapshotError>>> {
        self.call(Call::Install(rpc)).await
    }
}
