//! An append-only log on a node's disk that knows what of it is durable.
//!
//! Three habits keep it honest on a disk that may fail. A file is only ever appended to, and begun anew by writing a new one,
//! syncing it, renaming it and syncing the directory. What is read back at a start is written again in this way before it is
//! trusted: after a failed sync a file reads as if it had been saved. And a failed write or sync is final: the process halts.

mod file;
mod records;

use std::{collections::VecDeque, io};

use squall::environment::{Context, DiskImage, Node};

use self::records::{encode_file, encode_record, scan};
pub(crate) use self::{file::JournalFile, records::Corrupt};

const FILE: &str = "journal";
const NEW_FILE: &str = "journal.new";

/// The log of one life of one node. `A` is what waits for something to become durable.
///
/// Call [`Journal::replace`] once at the start, and [`Journal::flush`] at the end of every handler.
#[derive(Clone, Debug)]
pub(crate) struct Journal<A> {
    phase: Phase,
    opened: bool,
    /// Length of the current file in bytes, and how much of it is known to be durable.
    bytes: u64,
    durable_bytes: u64,
    /// Records given to the journal in this life, and how many of them are durable.
    appended: u64,
    durable: u64,
    /// The sync under way: its token, and the bytes and records it will have made durable.
    sync: Option<(u64, u64, u64)>,
    next_token: u64,
    waiting: VecDeque<(u64, A)>,
}

/// Where the current file stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// It has its name only in our mind: its content is being synced.
    Written,
    /// Its content is durable; its name is being synced.
    Renamed,
    /// Its name is durable; it takes records.
    Named,
}

impl<A> Journal<A> {
    /// A journal without a file.
    pub(crate) fn new() -> Self {
        Journal {
            phase: Phase::Written,
            opened: false,
            bytes: 0,
            durable_bytes: 0,
            appended: 0,
            durable: 0,
            sync: None,
            next_token: 0,
            waiting: VecDeque::new(),
        }
    }

    /// The records on the disk; none on a fresh one.
    pub(crate) fn read(disk: &DiskImage) -> Result<Vec<&[u8]>, Corrupt> {
        match disk.read(FILE) {
            Ok(file) => scan(file),
            Err(_) => Ok(Vec::new()),
        }
    }

    /// Begins a new file with these records, which say all that the old one said. Nothing becomes durable before the new file
    /// has taken the old one's place.
    pub(crate) fn replace<N: Node, R: AsRef<[u8]>>(
        &mut self,
        records: impl IntoIterator<Item = R>,
        cx: &mut Context<'_, N>,
    ) -> io::Result<()> {
        let file = encode_file(records);
        if cx.disk().exists(NEW_FILE) {
            cx.disk().remove(NEW_FILE)?;
        }
        cx.disk().write(NEW_FILE, 0, &file)?;
        self.phase = Phase::Written;
        self.bytes = file.len() as u64;
        self.durable_bytes = 0;
        let token = self.begin_sync();
        cx.sync(NEW_FILE, token);
        Ok(())
    }

    /// Whether the file of this life has its name. Before that the node is in no state to serve.
    pub(crate) fn is_open(&self) -> bool {
        self.opened
    }

    /// Whether the file may be replaced: no earlier replacement is under way.
    pub(crate) fn is_settled(&self) -> bool {
        self.phase == Phase::Named
    }

    /// Writes one record; durable some time after the next [`Journal::flush`].
    pub(crate) fn append(&mut self, record: &[u8], disk: &mut DiskImage) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(record.len() + 16);
        encode_record(record, self.durable_bytes, &mut bytes);
        let file = if self.phase == Phase::Written { NEW_FILE } else { FILE };
        disk.write(file, self.bytes, &bytes)?;
        self.bytes += bytes.len() as u64;
        self.appended += 1;
        Ok(())
    }

    /// Keeps `action` until all that has been appended so far is durable.
    pub(crate) fn when_durable(&mut self, action: A) {
        self.waiting.push_back((self.appended, action));
    }

    /// Takes the next action whose time has come, in the order in which they were given.
    pub(crate) fn next_durable(&mut self) -> Option<A> {
        let (upto, _) = self.waiting.front()?;
        if *upto <= self.durable { self.waiting.pop_front().map(|(_, action)| action) } else { None }
    }

    /// Takes the next action whether its time has come or not. No correct system may call this.
    pub(crate) fn next_undurable(&mut self) -> Option<A> {
        self.waiting.pop_front().map(|(_, action)| action)
    }

    /// Begins a sync if there is something to make durable and none is under way: what is appended meanwhile shares the next.
    pub(crate) fn flush<N: Node>(&mut self, cx: &mut Context<'_, N>) {
        if self.phase == Phase::Named && self.sync.is_none() && self.durable < self.appended {
            let token = self.begin_sync();
            cx.sync(FILE, token);
        }
    }

    /// A sync is over. After an error the node must halt.
    pub(crate) fn on_synced<N: Node>(
        &mut self,
        token: u64,
        result: io::Result<()>,
        cx: &mut Context<'_, N>,
    ) -> io::Result<()> {
        result?;
        let Some((_, bytes, records)) = self.sync.take_if(|sync| sync.0 == token) else {
            // The sync of a file that has been replaced since.
            return Ok(());
        };
        match self.phase {
            Phase::Written => {
                cx.disk().rename(NEW_FILE, FILE)?;
                self.phase = Phase::Renamed;
                // The directory's sync vouches for what this one covered, not for what was appended since.
                let token = self.next_token();
                self.sync = Some((token, bytes, records));
                cx.sync_directory(token);
            }
            Phase::Renamed | Phase::Named => {
                self.phase = Phase::Named;
                self.opened = true;
                self.durable_bytes = bytes;
                self.durable = records;
            }
        }
        Ok(())
    }

    fn begin_sync(&mut self) -> u64 {
        let token = self.next_token();
        self.sync = Some((token, self.bytes, self.appended));
        token
    }

    fn next_token(&mut self) -> u64 {
        self.next_token += 1;
        self.next_token
    }
}
