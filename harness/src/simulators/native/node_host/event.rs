//! The events of nodes, and how damage shows in them.

use std::io;

use super::super::core::{Core, OwnEvent};
use crate::{
    environment::{Change, Failed, Node, Reply, TimerId, content, image::SyncTicket},
    simulators::layer::{machine::Caller, physics::flip},
};

/// What happens to nodes and between them and clients.
pub(in super::super) enum NodeEvent<N: Node> {
    Message { from: u32, to: u32, hash: u64, message: N::Message },
    Request { entry: u32, to: u32, hash: u64 },
    Change { request: u32, to: u32, hash: u64, change: Change },
    Reply { entry: u32, from: u32, result: Result<Reply, Failed> },
    Redirect { entry: u32, from: u32, to: u32 },
    Retry { entry: u32, attempt: u32 },
    Timer { node: u32, incarnation: u32, id: TimerId, deadline_ns: u64, timer: N::Timer },
    Synced { node: u32, incarnation: u32, token: u64, sync: Box<Sync> },
}

/// A sync under way.
#[derive(Clone)]
pub(in super::super) struct Sync {
    pub(super) ticket: Result<SyncTicket, io::ErrorKind>,
    pub(super) succeeded: bool,
}

impl<N: Node> NodeEvent<N> {
    /// The replica it happens to; `None` when it happens to a client.
    #[inline]
    pub(super) fn machine(&self) -> Option<u32> {
        match self {
            Self::Message { to, .. } | Self::Request { to, .. } | Self::Change { to, .. } => Some(*to),
            Self::Timer { node, .. } | Self::Synced { node, .. } => Some(*node),
            Self::Reply { .. } | Self::Redirect { .. } | Self::Retry { .. } => None,
        }
    }

    /// Whether it belongs to a process that is no more.
    #[inline]
    pub(super) fn is_stale(&self, core: &Core<Self>) -> bool {
        match self {
            Self::Timer { node, incarnation, .. } | Self::Synced { node, incarnation, .. } => {
                core.machines[*node as usize].incarnation != *incarnation
            }
            _ => false,
        }
    }
}

impl<N: Node> Caller for NodeEvent<N> {
    fn may_be_lost(&self) -> bool {
        matches!(self, Self::Message { .. } | Self::Request { .. } | Self::Change { .. })
    }
}

// Derived, it would ask for `N: Clone` only and miss the associated types.
impl<N: Node> Clone for NodeEvent<N> {
    fn clone(&self) -> Self {
        match self {
            Self::Message { from, to, hash, message } => {
                Self::Message { from: *from, to: *to, hash: *hash, message: message.clone() }
            }
            Self::Request { entry, to, hash } => Self::Request { entry: *entry, to: *to, hash: *hash },
            Self::Change { request, to, hash, change } => {
                Self::Change { request: *request, to: *to, hash: *hash, change: *change }
            }
            Self::Reply { entry, from, result } => Self::Reply { entry: *entry, from: *from, result: result.clone() },
            Self::Redirect { entry, from, to } => Self::Redirect { entry: *entry, from: *from, to: *to },
            Self::Retry { entry, attempt } => Self::Retry { entry: *entry, attempt: *attempt },
            Self::Timer { node, incarnation, id, deadline_ns, timer } => Self::Timer {
                node: *node,
                incarnation: *incarnation,
                id: *id,
                deadline_ns: *deadline_ns,
                timer: timer.clone(),
            },
            Self::Synced { node, incarnation, token, sync } => {
                Self::Synced { node: *node, incarnation: *incarnation, token: *token, sync: sync.clone() }
            }
        }
    }
}

impl<N: Node> OwnEvent for NodeEvent<N> {
    fn damaged(&self, hash: u64) -> Option<Self> {
        match self {
            Self::Message { from, to, message, .. } => {
                let mut bytes = postcard::to_stdvec(message).ok()?;
                flip(&mut bytes, hash);
                let message: N::Message = postcard::from_bytes(&bytes).ok()?;
                Some(Self::Message { from: *from, to: *to, hash: content::hash(&message), message })
            }
            // What clients and replicas say to each other has a checksum: damaged, it is as good as lost.
            _ => None,
        }
    }

    fn describe(&self) -> String {
        match self {
            Self::Message { message, .. } => format!("{message:?}"),
            Self::Request { entry, .. } => format!("request {entry}"),
            Self::Change { change, .. } => format!("request to {change}"),
            Self::Reply { entry, result, .. } => match result {
                Ok(reply) => format!("reply {entry}: {reply}"),
                Err(error) => format!("reply {entry}: {error}"),
            },
            Self::Redirect { entry, to, .. } => format!("redirect {entry} to n{to}"),
            Self::Retry { entry, attempt } => format!("retry {entry}, attempt {attempt}"),
            Self::Timer { timer, .. } => format!("{timer:?}"),
            Self::Synced { token, sync, .. } if sync.succeeded => format!("sync {token} done"),
            Self::Synced { token, .. } => format!("sync {token} failed"),
        }
    }
}
