//! The journal's file as async code writes it: one task at a time, and whoever wants a sync waits for it.

use std::io;

use squall::{
    Env, Result,
    environment::{Disk, File},
};

use super::{
    FILE, NEW_FILE,
    records::{encode_file, encode_record, scan},
};

/// A journal that is open. After an error nothing is known of the last records, and it takes no more: let the process end.
#[derive(Debug)]
pub(crate) struct JournalFile {
    disk: Disk,
    file: File,
    /// `None` while something is under way, and for ever after that failed or was given up.
    length: Option<Length>,
}

/// In bytes.
#[derive(Clone, Copy, Debug)]
struct Length {
    written: u64,
    durable: u64,
}

impl JournalFile {
    /// Opens the journal of this machine and returns the records it holds, none on a fresh disk. What is read is written again
    /// before it is trusted.
    pub(crate) async fn open(env: &Env) -> Result<(Self, Vec<Vec<u8>>)> {
        let disk = env.disk();
        let names = disk.list().await?;
        let read = if names.iter().any(|name| name == FILE) { Some(disk.file(FILE).read().await?) } else { None };
        let records: Vec<Vec<u8>> = match &read {
            Some(file) => scan(file)?.into_iter().map(<[u8]>::to_vec).collect(),
            None => Vec::new(),
        };
        let file = disk.file(FILE);
        let mut journal = JournalFile { disk, file, length: Some(Length { written: 0, durable: 0 }) };
        journal.replace(&records).await?;
        Ok((journal, records))
    }

    /// Begins a new file with these records, which say all that the old one said, and waits until it has taken its place.
    pub(crate) async fn replace(&mut self, records: &[Vec<u8>]) -> io::Result<()> {
        self.begin()?;
        let whole = encode_file(records);
        let new = self.disk.file(NEW_FILE);
        new.set_length(0).await?;
        new.write_at(0, &whole).await?;
        new.sync().await?;
        self.disk.rename(NEW_FILE, FILE).await?;
        self.disk.sync_directory().await?;
        let bytes = whole.len() as u64;
        self.length = Some(Length { written: bytes, durable: bytes });
        Ok(())
    }

    /// Writes a record and waits until it is durable.
    pub(crate) async fn append(&mut self, record: &[u8]) -> io::Result<()> {
        self.write(record).await?;
        self.sync().await
    }

    /// Writes a record; durable after the next sync.
    pub(crate) async fn write(&mut self, record: &[u8]) -> io::Result<()> {
        let Length { written, durable } = self.begin()?;
        let mut bytes = Vec::with_capacity(record.len() + 16);
        encode_record(record, durable, &mut bytes);
        self.file.write_at(written, &bytes).await?;
        self.length = Some(Length { written: written + bytes.len() as u64, durable });
        Ok(())
    }

    /// Waits until all that was written is durable.
    pub(crate) async fn sync(&mut self) -> io::Result<()> {
        let Length { written, .. } = self.begin()?;
        self.file.sync().await?;
        self.length = Some(Length { written, durable: written });
        Ok(())
    }

    fn begin(&mut self) -> io::Result<Length> {
        self.length.take().ok_or_else(|| io::Error::other("the journal failed before"))
    }
}
