//! Turmoil and tokio as the store's host: streams of `turmoil::net`, tokio's timers and tasks, and in place of a disk what a machine
//! keeps through crashes.

use std::{
    future::Future,
    io::{self, Cursor},
    net::Ipv4Addr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use openraft::EmptyNode;
use squall::{Result, environment::Machine, plan::NodeId};
use squall_checkers::{operation::Operation, value::Value};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use turmoil::net::{TcpListener, TcpStream};

use super::runtime::Tokio;
use crate::openraft_store::{
    host::{Disk, Frames, Host},
    storage::{Change, Files, Saved},
};

openraft::declare_raft_types!(
    /// What openraft is told of the store.
    pub(super) Types:
        D = Operation,
        R = Value,
        NodeId = u32,
        Node = EmptyNode,
        SnapshotData = Cursor<Vec<u8>>,
        AsyncRuntime = Tokio,
);

/// How long a sync takes.
const SYNC: Duration = Duration::from_millis(1);

/// A machine of turmoil.
#[derive(Clone, Debug)]
pub(super) struct OnTurmoil(pub(super) Machine);

impl Host for OnTurmoil {
    type Types = Types;
    type Stream = TcpStream;
    type Disk = Arc<Kept>;

    fn me(&self) -> NodeId {
        self.0.me()
    }

    fn node_count(&self) -> u32 {
        self.0.node_count()
    }

    fn observe(&self, key: &'static str, value: Value) {
        self.0.observe(key, value);
    }

    async fn sleep(&self, span: Duration) {
        tokio::time::sleep(span).await;
    }

    async fn timeout<F: Future + Send>(&self, span: Duration, future: F) -> Option<F::Output> {
        tokio::time::timeout(span, future).await.ok()
    }

    async fn connect(&self, to: NodeId, port: u16) -> io::Result<TcpStream> {
        TcpStream::connect((Machine::address(to), port)).await
    }

    async fn listen<F: Future<Output = io::Result<()>> + Send + 'static>(
        &self,
        port: u16,
        attend: impl Fn(TcpStream) -> F + Send + 'static,
    ) -> io::Result<()> {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await?;
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(attend(stream));
            }
        });
        Ok(())
    }

    async fn disk(&self) -> Result<(Arc<Kept>, Saved<Types>)> {
        let kept: Arc<Kept> = self.0.kept();
        let saved = kept.files().clone().into();
        Ok((kept, saved))
    }
}

impl Frames for TcpStream {
    async fn write(&mut self, frame: &[u8]) -> io::Result<()> {
        self.write_u32(u32::try_from(frame.len()).map_err(io::Error::other)?).await?;
        self.write_all(frame).await
    }

    async fn read(&mut self) -> io::Result<Vec<u8>> {
        let mut frame = vec![0; self.read_u32().await? as usize];
        self.read_exact(&mut frame).await?;
        Ok(frame)
    }
}

/// What a machine keeps.
#[derive(Debug, Default)]
pub(super) struct Kept(Mutex<Files<Types>>);

impl Kept {
    fn files(&self) -> std::sync::MutexGuard<'_, Files<Types>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until all that is saved by now is kept.
    async fn sync(&self, saved: &Saved<Types>) {
        let files = saved.files().clone();
        tokio::time::sleep(SYNC).await;
        *self.files() = files;
    }
}

impl Disk<Types> for Arc<Kept> {
    /// Each sync keeps the whole, whatever changed.
    async fn save(&self, _: Change<Types>, saved: &Arc<Saved<Types>>, late: Option<Duration>) -> io::Result<()> {
        let Some(late) = late else {
            self.sync(saved).await;
            return Ok(());
        };
        let (kept, saved) = (self.clone(), saved.clone());
        tokio::spawn(async move {
            tokio::time::sleep(late).await;
            kept.sync(&saved).await;
        });
        Ok(())
    }
}
