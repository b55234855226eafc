//! A file for redb: an image in memory, and the changes that the simulated disk has yet to make.
//!
//! redb asks for its file in plain calls, the simulated disk answers in its own time. So redb works on an image; what it writes
//! and syncs is written down in order, and made on the disk in the same order before anybody hears of it. A power loss between two
//! changes is one in the midst of redb's commit.

use std::{
    fmt, io,
    mem::take,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use redb::StorageBackend;
use squall::{Env, Result, environment::File};

const FILE: &str = "database";
const NEW_FILE: &str = "database.new";

/// The file of this machine.
#[derive(Clone)]
pub(super) struct Backend {
    file: File,
    image: Arc<Mutex<Image>>,
}

#[derive(Default)]
struct Image {
    bytes: Vec<u8>,
    changes: Vec<Change>,
}

/// What redb did to its file.
enum Change {
    Write { offset: u64, bytes: Vec<u8> },
    SetLength(u64),
    Sync,
}

impl Backend {
    /// Opens the file. With `rewritten` its content is saved anew before it is trusted: after a failed sync a file reads as if it
    /// had been saved.
    pub(super) async fn open(env: &Env, rewritten: bool) -> Result<Self> {
        let disk = env.disk();
        let exists = disk.list().await?.iter().any(|name| name == FILE);
        let bytes = if exists { disk.file(FILE).read().await? } else { Vec::new() };
        if rewritten || !exists {
            let new = disk.file(NEW_FILE);
            new.set_length(0).await?;
            new.write_at(0, &bytes).await?;
            new.sync().await?;
            disk.rename(NEW_FILE, FILE).await?;
            disk.sync_directory().await?;
        }
        Ok(Backend { file: disk.file(FILE), image: Arc::new(Mutex::new(Image { bytes, changes: Vec::new() })) })
    }

    /// Makes on the disk what redb did since the last time. After an error the process must end.
    pub(super) async fn carry_out(&self) -> Result<()> {
        let changes = take(&mut self.image().changes);
        for change in changes {
            match change {
                Change::Write { offset, bytes } => self.file.write_at(offset, &bytes).await?,
                Change::SetLength(length) => self.file.set_length(length).await?,
                Change::Sync => self.file.sync().await?,
            }
        }
        Ok(())
    }

    fn image(&self) -> MutexGuard<'_, Image> {
        self.image.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StorageBackend for Backend {
    fn len(&self) -> Result<u64, io::Error> {
        Ok(self.image().bytes.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        let image = self.image();
        let range = offset as usize..(offset as usize).saturating_add(out.len());
        let bytes = image.bytes.get(range).ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?;
        out.copy_from_slice(bytes);
        Ok(())
    }

    fn set_len(&self, length: u64) -> Result<(), io::Error> {
        let mut image = self.image();
        image.bytes.resize(length as usize, 0);
        image.changes.push(Change::SetLength(length));
        Ok(())
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        self.image().changes.push(Change::Sync);
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        let mut image = self.image();
        let from = offset as usize;
        let to = image.bytes.get_mut(from..from.saturating_add(data.len()));
        to.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?.copy_from_slice(data);
        image.changes.push(Change::Write { offset, bytes: data.to_vec() });
        Ok(())
    }
}

impl fmt::Debug for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let image = self.image();
        write!(f, "a file of {} bytes, {} changes to be made", image.bytes.len(), image.changes.len())
    }
}
