//! What goes over turmoil's streams: frames, the questions of clients and their answers, and openraft's calls between replicas.

use std::io;

use openraft::{
    EmptyNode, Raft, RaftNetwork, RaftNetworkFactory,
    error::{InstallSnapshotError, NetworkError, RPCError, RaftError, RemoteError, Unreachable},
    network::RPCOption,
    raft::{
        AppendEntriesRequest, AppendEntriesResponse, InstallSnapshotRequest, InstallSnapshotResponse, VoteRequest,
        VoteResponse,
    },
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use squall::{environment::Machine, plan::NodeId};
use squall_checkers::value::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use turmoil::net::TcpStream;

use super::machine::Types;

/// Where clients are served.
pub(super) const CLIENTS: u16 = 80;
/// Where replicas hear one another.
pub(super) const PEERS: u16 = 81;

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
pub(super) enum Call {
    Append(AppendEntriesRequest<Types>),
    Vote(VoteRequest<u32>),
    Install(InstallSnapshotRequest<Types>),
}

/// Says one thing and hears the answer.
pub(super) async fn exchange<T: DeserializeOwned>(stream: &mut TcpStream, said: &impl Serialize) -> io::Result<T> {
    say(stream, said).await?;
    hear(stream).await
}

/// Writes a frame: its length, then what is said, in JSON.
pub(super) async fn say(stream: &mut TcpStream, said: &impl Serialize) -> io::Result<()> {
    let bytes = serde_json::to_vec(said)?;
    stream.write_u32(u32::try_from(bytes.len()).map_err(io::Error::other)?).await?;
    stream.write_all(&bytes).await
}

/// Reads a frame.
pub(super) async fn hear<T: DeserializeOwned>(stream: &mut TcpStream) -> io::Result<T> {
    let mut bytes = vec![0; stream.read_u32().await? as usize];
    stream.read_exact(&mut bytes).await?;
    Ok(serde_json::from_slice(&bytes)?)
}

/// Answers the calls that come over a stream.
pub(super) async fn answer_calls(mut stream: TcpStream, raft: Raft<Types>) -> io::Result<()> {
    loop {
        match hear(&mut stream).await? {
            Call::Append(rpc) => say(&mut stream, &raft.append_entries(rpc).await).await?,
            Call::Vote(rpc) => say(&mut stream, &raft.vote(rpc).await).await?,
            Call::Install(rpc) => say(&mut stream, &raft.install_snapshot(rpc).await).await?,
        }
    }
}

/// Opens ways to other replicas.
pub(super) struct Peers;

/// The way to another replica.
pub(super) struct Peer {
    target: u32,
    /// Open, and with nothing under way on it: openraft drops calls that take too long.
    stream: Option<TcpStream>,
}

impl RaftNetworkFactory<Types> for Peers {
    type Network = Peer;

    async fn new_client(&mut self, target: u32, _: &EmptyNode) -> Peer {
        Peer { target, stream: None }
    }
}

impl Peer {
    async fn call<T: DeserializeOwned, E: std::error::Error + DeserializeOwned>(
        &mut self,
        call: Call,
    ) -> Result<T, RPCError<u32, EmptyNode, E>> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => TcpStream::connect((Machine::address(NodeId(self.target)), PEERS))
                .await
                .map_err(|error| Unreachable::new(&error))?,
        };
        let answer: Result<T, E> = exchange(&mut stream, &call).await.map_err(|error| NetworkError::new(&error))?;
        self.stream = Some(stream);
        answer.map_err(|error| RemoteError::new(self.target, error).into())
    }
}

impl RaftNetwork<Types> for Peer {
    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<Types>,
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
        rpc: InstallSnapshotRequest<Types>,
        _: RPCOption,
    ) -> Result<InstallSnapshotResponse<u32>, RPCError<u32, EmptyNode, RaftError<u32, InstallSnapshotError>>> {
        self.call(Call::Install(rpc)).await
    }
}
