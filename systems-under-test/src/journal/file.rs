//! The journal's file as async code writes it: one caller, who waits for each sync.

use squall::{Env, Result, environment::File};

use super::{
    FILE, NEW_FILE,
    records::{encode_file, encode_record, scan},
};

/// A journal that is open. After an error nothing is known of the last records: let the process end.
#[derive(Debug)]
pub(crate) struct JournalFile {
    file: File,
    /// Its length in bytes, all of it durable.
    bytes: u64,
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
        let whole = encode_file(&records);
        let new = disk.file(NEW_FILE);
        new.set_length(0).await?;
        new.write_at(0, &whole).await?;
        new.sync().await?;
        disk.rename(NEW_FILE, FILE).await?;
        disk.sync_directory().await?;
        Ok((JournalFile { file: disk.file(FILE), bytes: whole.len() as u64 }, records))
    }

    /// Writes a record and waits until it is durable.
    pub(crate) async fn append(&mut self, record: &[u8]) -> Result<()> {
        let mut bytes = Vec::with_capacity(record.len() + 16);
        encode_record(record, self.bytes, &mut bytes);
        self.file.write_at(self.bytes, &bytes).await?;
        self.file.sync().await?;
        self.bytes += bytes.len() as u64;
        Ok(())
    }
}
