//! What replicas, clients and the view service say to each other.

use serde::{Deserialize, Serialize};
use squall::{
    Failed, Reply,
    environment::{Address, RequestId},
    plan::NodeId,
};
use squall_checkers::operation::Operation;

/// An entry's place in a log and the epoch of the primary that wrote it: two logs that agree on both are the same up to there.
/// The greater is the newer; index 0 is before the first entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Position {
    pub(super) epoch: u64,
    pub(super) index: u64,
}

/// One entry of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// Of the primary that wrote it.
    pub(super) epoch: u64,
    /// What to do, and for whom; `None` is the first entry of a primary.
    pub(super) request: Option<(RequestId, Operation)>,
}

/// A round of messages of a primary. One that comes back in its own epoch after a crash counts anew, and an answer to its earlier
/// life must confirm nothing in this one: its first entry lies further on, for what it has sent was on its disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Round {
    /// Index of the primary's first entry.
    pub(super) first: u64,
    pub(super) number: u64,
}

/// Who is primary from an epoch on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct View {
    pub(super) epoch: u64,
    pub(super) primary: u32,
    /// The replicas that must have an update before it is acknowledged, where all must.
    pub(super) members: Vec<u32>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Message {
    /// A client asks; `seen` is what its session has seen.
    Request { id: RequestId, seen: Position, operation: Operation },
    /// A session begins where the primary is.
    Open { id: RequestId },
    /// The answer; `at` is the state it comes from.
    Reply { id: RequestId, result: Result<Reply, Failed>, at: Position },
    /// Another replica knows better.
    Redirect { id: RequestId, to: u32 },
    /// A replica to the view service, every tick. A primary says more.
    Alive { primary: Option<PrimaryState> },
    /// The view service to all: promise to follow no older epoch.
    Prepare { epoch: u64 },
    /// The promise, and how far the log goes.
    Prepared { epoch: u64, last: Position },
    /// The view service to a replica that is alive. A primary serves once its view is confirmed.
    Announce { view: View, confirmed: bool },
    /// A primary to a replica: the entries after `prev`.
    Append { epoch: u64, prev: Position, entries: Vec<Entry>, commit: u64, round: Round },
    /// Its log is the primary's up to `matched`; `None` when it did not have `prev`, and the primary should go back to `length`.
    Appended { epoch: u64, matched: Option<u64>, length: u64, round: Round },
}

/// What a primary tells the view service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PrimaryState {
    pub(super) epoch: u64,
    /// Whether all members have what it began with.
    pub(super) synced: bool,
    /// Replicas outside of the view that have caught up.
    pub(super) ready: Vec<u32>,
    /// Members that do not answer.
    pub(super) suspects: Vec<u32>,
}

/// Where replicas and the view service listen.
pub(super) const PORT: u16 = 1;

/// The address of a replica or of the view service.
pub(super) fn address(node: u32) -> Address {
    Address { node: NodeId(node), port: PORT }
}
