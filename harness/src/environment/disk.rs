//! The disk as async code sees it.

use std::{
    future::{Future, poll_fn},
    io,
};

use super::world::{DiskKey, DiskReply, DiskRequest, Place, with_world, with_world_if_any};

/// A machine's disk: files by name in one directory. Writes are seen at once by later reads; they survive a power loss once
/// the file is synced, and its name once the directory is.
#[derive(Clone, Debug)]
pub struct Disk {
    pub(super) place: Place,
}

impl Disk {
    /// The file of this name, whether it exists or not. Writing creates it.
    pub fn file(&self, name: impl Into<String>) -> File {
        File { disk: self.clone(), name: name.into() }
    }

    /// Makes creations, renames and removals durable.
    pub async fn sync_directory(&self) -> io::Result<()> {
        self.request(DiskRequest::SyncDirectory).await.map(drop)
    }

    /// Renames a file, replacing what has the new name.
    pub async fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.request(DiskRequest::Rename { from: from.to_owned(), to: to.to_owned() }).await.map(drop)
    }

    /// Removes a file.
    pub async fn remove(&self, name: &str) -> io::Result<()> {
        self.request(DiskRequest::Remove { file: name.to_owned() }).await.map(drop)
    }

    /// The names of all files, in order.
    pub async fn list(&self) -> io::Result<Vec<String>> {
        match self.request(DiskRequest::List).await? {
            DiskReply::Names(names) => Ok(names),
            reply => unreachable!("a list is answered by names, not {reply:?}"),
        }
    }

    fn request(&self, request: DiskRequest) -> impl Future<Output = io::Result<DiskReply>> + use<> {
        let mut state = Pending { place: self.place, request: Some(request), key: None };
        poll_fn(move |cx| {
            with_world(|w| {
                let key = match (state.key, state.request.take()) {
                    (Some(key), _) => key,
                    (None, Some(request)) => w.submit_disk(state.place, request)?,
                    (None, None) => unreachable!("polled after it was done"),
                };
                state.key = Some(key);
                let polled = w.poll_disk(key, cx);
                if polled.is_ready() {
                    state.key = None;
                }
                polled
            })
        })
    }
}

/// A disk request under way. When it is given up, the disk carries it out all the same.
struct Pending {
    place: Place,
    request: Option<DiskRequest>,
    key: Option<DiskKey>,
}

impl Drop for Pending {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            with_world_if_any(|w| w.forget_disk(key));
        }
    }
}

/// A file by its name.
#[derive(Clone, Debug)]
pub struct File {
    disk: Disk,
    name: String,
}

impl File {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole content; `NotFound` when there is no such file.
    pub async fn read(&self) -> io::Result<Vec<u8>> {
        self.read_at(0, usize::MAX).await
    }

    /// At most `length` bytes from `offset` on.
    pub async fn read_at(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        match self.disk.request(DiskRequest::Read { file: self.name.clone(), offset, length }).await? {
            DiskReply::Bytes(bytes) => Ok(bytes),
            reply => unreachable!("a read is answered by bytes, not {reply:?}"),
        }
    }

    /// Writes at `offset`; gaps are zeros.
    pub async fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let request = DiskRequest::Write { file: self.name.clone(), offset, bytes: bytes.to_vec() };
        self.disk.request(request).await.map(drop)
    }

    /// Writes at the end.
    pub async fn append(&self, bytes: &[u8]) -> io::Result<()> {
        let request = DiskRequest::Append { file: self.name.clone(), bytes: bytes.to_vec() };
        self.disk.request(request).await.map(drop)
    }

    /// Cuts the file, or fills it up with zeros.
    pub async fn set_length(&self, length: u64) -> io::Result<()> {
        self.disk.request(DiskRequest::SetLength { file: self.name.clone(), length }).await.map(drop)
    }

    /// Its length in bytes; `NotFound` when there is no such file.
    pub async fn length(&self) -> io::Result<u64> {
        match self.disk.request(DiskRequest::Length { file: self.name.clone() }).await? {
            DiskReply::Length(length) => Ok(length),
            reply => unreachable!("a length is answered by a length, not {reply:?}"),
        }
    }

    /// Makes its content durable. After an error nothing is known of what was written since the last sync, and a later sync
    /// that succeeds does not cover it.
    pub async fn sync(&self) -> io::Result<()> {
        self.disk.request(DiskRequest::Sync { file: self.name.clone() }).await.map(drop)
    }
}
