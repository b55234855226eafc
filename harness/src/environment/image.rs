//! The state of one machine's disk, and what a power loss makes of it.
//!
//! The model is POSIX at its strictest: a write is seen at once by later reads; it survives a power loss once its file is
//! synced; a file's name survives once the directory is synced. What is not synced may be lost, torn or kept out of order. After
//! a failed sync the writes it covered are marked clean and are lost with the next power loss, even if a later sync succeeds
//! (Rebello et al., "Can Applications Recover from fsync Failures?", ATC 2020).

use std::{collections::BTreeMap, io};

use crate::plan::{Loss, mix, scale};

/// One machine's disk: files by name in one directory.
#[derive(Clone, Debug, Default)]
pub struct DiskImage {
    inodes: BTreeMap<u32, Inode>,
    next_inode: u32,
    names: BTreeMap<String, u32>,
    durable_names: BTreeMap<String, u32>,
    /// Changes of the directory since it was last synced, in order; each is one atomic step.
    pending_names: Vec<NameChange>,
    names_dropped: u64,
    full: bool,
    refused: u64,
}

/// Files that one step of the directory sets (`Some`) or removes (`None`).
#[derive(Clone, Debug)]
struct NameChange(Vec<(String, Option<u32>)>);

#[derive(Clone, Debug, Default)]
struct Inode {
    /// What reads see.
    content: Vec<u8>,
    /// What a power loss leaves for certain.
    durable: Vec<u8>,
    /// Changes since the last sync, in order.
    pending: Vec<Change>,
    /// Number of changes that left `pending` so far; tickets count from the start of the file.
    retired: u64,
}

#[derive(Clone, Debug)]
struct Change {
    kind: ChangeKind,
    /// A failed sync marked it clean: no later sync saves it.
    doomed: bool,
}

#[derive(Clone, Debug)]
enum ChangeKind {
    Write { offset: usize, bytes: Vec<u8> },
    SetLength(usize),
}

impl ChangeKind {
    fn apply(&self, to: &mut Vec<u8>) {
        match self {
            ChangeKind::Write { offset, bytes } => write_into(to, *offset, bytes),
            ChangeKind::SetLength(length) => to.resize(*length, 0),
        }
    }
}

fn write_into(content: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[offset..end].copy_from_slice(bytes);
}

/// A sync under way: it covers what had been written when it began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SyncTicket {
    File { inode: u32, upto: u64 },
    Directory { upto: u64 },
}

/// The most a file may grow to, in bytes: a store that writes without end is stopped by an error it can show.
const FILE_BYTES_MAX: usize = 1 << 30;

impl DiskImage {
    /// The content of a file; `NotFound` when there is none of this name.
    pub fn read(&self, file: &str) -> io::Result<&[u8]> {
        self.inode(file).map(|i| &i.content[..])
    }

    /// Writes at `offset`; gaps are zeros. Creates the file. Fails with `StorageFull` when the disk is full.
    pub fn write(&mut self, file: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.writable()?;
        let offset = usize::try_from(offset).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
        if offset.saturating_add(bytes.len()) > FILE_BYTES_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let inode = self.inode_or_new(file);
        write_into(&mut inode.content, offset, bytes);
        inode.pending.push(Change { kind: ChangeKind::Write { offset, bytes: bytes.to_vec() }, doomed: false });
        Ok(())
    }

    /// Writes at the end. Creates the file. Fails with `StorageFull` when the disk is full.
    pub fn append(&mut self, file: &str, bytes: &[u8]) -> io::Result<()> {
        let offset = self.inode(file).map_or(0, |i| i.content.len());
        self.write(file, offset as u64, bytes)
    }

    /// Cuts the file, or fills it up with zeros. Creates it.
    pub fn set_length(&mut self, file: &str, length: u64) -> io::Result<()> {
        let length = usize::try_from(length).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
        if length > FILE_BYTES_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        if self.inode(file).map_or(0, |i| i.content.len()) < length {
            self.writable()?;
        }
        let inode = self.inode_or_new(file);
        inode.content.resize(length, 0);
        inode.pending.push(Change { kind: ChangeKind::SetLength(length), doomed: false });
        Ok(())
    }

    /// Renames a file, replacing what has the new name, in one atomic step.
    pub fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        let Some(inode) = self.names.get(from).copied() else { return Err(not_found(from)) };
        if from == to {
            return Ok(());
        }
        self.change_names(vec![(from.to_owned(), None), (to.to_owned(), Some(inode))]);
        Ok(())
    }

    /// Removes a file.
    pub fn remove(&mut self, file: &str) -> io::Result<()> {
        if !self.names.contains_key(file) {
            return Err(not_found(file));
        }
        self.change_names(vec![(file.to_owned(), None)]);
        Ok(())
    }

    /// The names of all files, in order.
    pub fn list(&self) -> impl Iterator<Item = &str> {
        self.names.keys().map(String::as_str)
    }

    /// Whether there is a file of this name.
    pub fn exists(&self, file: &str) -> bool {
        self.names.contains_key(file)
    }

    /// The length of a file in bytes.
    pub fn length(&self, file: &str) -> io::Result<u64> {
        self.inode(file).map(|i| i.content.len() as u64)
    }

    fn writable(&mut self) -> io::Result<()> {
        if self.full {
            self.refused += 1;
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    fn inode(&self, file: &str) -> io::Result<&Inode> {
        self.names.get(file).map(|i| &self.inodes[i]).ok_or_else(|| not_found(file))
    }

    fn inode_or_new(&mut self, file: &str) -> &mut Inode {
        let id = match self.names.get(file) {
            Some(id) => *id,
            None => {
                let id = self.next_inode;
                self.next_inode += 1;
                self.inodes.insert(id, Inode::default());
                self.change_names(vec![(file.to_owned(), Some(id))]);
                id
            }
        };
        self.inodes.get_mut(&id).expect("every name has its inode")
    }

    fn change_names(&mut self, change: Vec<(String, Option<u32>)>) {
        apply_names(&change, &mut self.names);
        self.pending_names.push(NameChange(change));
    }

    fn collect_garbage(&mut self) {
        let Self { inodes, names, durable_names, pending_names, .. } = self;
        inodes.retain(|id, _| {
            names.values().any(|i| i == id)
                || durable_names.values().any(|i| i == id)
                || pending_names.iter().any(|c| c.0.iter().any(|(_, i)| *i == Some(*id)))
        });
    }
}

fn apply_names(change: &[(String, Option<u32>)], names: &mut BTreeMap<String, u32>) {
    for (name, inode) in change {
        match inode {
            Some(inode) => names.insert(name.clone(), *inode),
            None => names.remove(name),
        };
    }
}

fn not_found(file: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("no file `{file}`"))
}

/// What simulators do to a disk.
impl DiskImage {
    /// Begins a sync of a file's content, or of the directory when there is no file.
    pub(crate) fn begin_sync(&self, file: Option<&str>) -> io::Result<SyncTicket> {
        Ok(match file {
            Some(file) => {
                let inode = self.inode(file)?;
                SyncTicket::File { inode: self.names[file], upto: inode.retired + inode.pending.len() as u64 }
            }
            None => SyncTicket::Directory { upto: self.names_dropped + self.pending_names.len() as u64 },
        })
    }

    /// Ends a sync: what it covers is durable, or, when it failed, doomed.
    pub(crate) fn end_sync(&mut self, ticket: &SyncTicket, succeeded: bool) {
        match *ticket {
            SyncTicket::File { inode, upto } => {
                // The file may have been removed and collected meanwhile.
                let Some(inode) = self.inodes.get_mut(&inode) else { return };
                let covered = upto.saturating_sub(inode.retired) as usize;
                if !succeeded {
                    inode.pending[..covered].iter_mut().for_each(|c| c.doomed = true);
                    return;
                }
                let mut kept = Vec::new();
                for (i, change) in inode.pending.drain(..).enumerate() {
                    if i < covered && !change.doomed {
                        change.kind.apply(&mut inode.durable);
                        inode.retired += 1;
                    } else {
                        kept.push(change);
                    }
                }
                inode.pending = kept;
            }
            SyncTicket::Directory { upto } => {
                // A directory is a journal: a failed sync leaves its changes pending.
                if !succeeded {
                    return;
                }
                let covered = upto.saturating_sub(self.names_dropped) as usize;
                for change in self.pending_names.drain(..covered) {
                    apply_names(&change.0, &mut self.durable_names);
                }
                self.names_dropped += covered as u64;
                self.collect_garbage();
            }
        }
    }

    /// The power goes: unsynced writes and names meet their fate, drawn from `hash`. Returns how many changes were lost or
    /// torn.
    pub(crate) fn lose_power(&mut self, loss: Loss, hash: u64) -> u64 {
        if loss == Loss::Kept {
            return 0;
        }
        let mut touched = 0;
        for (id, inode) in &mut self.inodes {
            let fate = mix(hash, u64::from(*id));
            let pending = std::mem::take(&mut inode.pending);
            inode.retired += pending.len() as u64;
            let keep = scale(fate, pending.len() as u64 + 1) as usize;
            for (i, change) in pending.iter().enumerate() {
                let draw = mix(fate, i as u64);
                let kept = !change.doomed
                    && match loss {
                        Loss::Kept => true,
                        Loss::Lost => false,
                        Loss::Torn => i < keep,
                        Loss::Reordered => draw & 1 == 0,
                    };
                if kept {
                    change.kind.apply(&mut inode.durable);
                    continue;
                }
                touched += 1;
                if let (Loss::Torn, ChangeKind::Write { offset, bytes }) = (loss, &change.kind)
                    && i == keep
                    && !change.doomed
                {
                    let length = scale(draw, bytes.len() as u64) as usize;
                    write_into(&mut inode.durable, *offset, &bytes[..length]);
                }
            }
            inode.content.clone_from(&inode.durable);
        }
        let fate = mix(hash, u64::MAX);
        let pending = std::mem::take(&mut self.pending_names);
        self.names_dropped += pending.len() as u64;
        let keep = scale(fate, pending.len() as u64 + 1) as usize;
        for (i, change) in pending.iter().enumerate() {
            let kept = match loss {
                Loss::Kept => true,
                Loss::Lost => false,
                Loss::Torn => i < keep,
                Loss::Reordered => mix(fate, i as u64) & 1 == 0,
            };
            if kept {
                apply_names(&change.0, &mut self.durable_names);
            } else {
                touched += 1;
            }
        }
        self.names.clone_from(&self.durable_names);
        self.collect_garbage();
        touched
    }

    /// Flips one stored bit, chosen by `hash` over all bytes of all files. Returns the file and the byte, if there is one.
    pub(crate) fn rot(&mut self, hash: u64) -> Option<(String, usize)> {
        let total: u64 = self.names.values().map(|i| self.inodes[i].content.len() as u64).sum();
        let mut at = scale(hash, total) as usize;
        let (name, id) = self.names.iter().find(|(_, i)| {
            let length = self.inodes[i].content.len();
            let here = at < length;
            if !here {
                at -= length;
            }
            here
        })?;
        let inode = self.inodes.get_mut(id).expect("every name has its inode");
        let bit = 1 << (hash & 7);
        inode.content[at] ^= bit;
        if let Some(byte) = inode.durable.get_mut(at) {
            *byte ^= bit;
        }
        Some((name.clone(), at))
    }

    /// Empties the disk.
    pub(crate) fn wipe(&mut self) {
        *self = DiskImage { full: self.full, ..DiskImage::default() };
    }

    /// Fills the disk up, or frees it.
    pub(crate) fn set_full(&mut self, full: bool) {
        self.full = full;
    }

    /// Number of writes refused because the disk was full, since the last call.
    pub(crate) fn take_refused(&mut self) -> u64 {
        std::mem::take(&mut self.refused)
    }
}
