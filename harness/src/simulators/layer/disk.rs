//! What a disk answers to a request, times and faults apart.

use std::io;

use crate::environment::{
    image::DiskImage,
    world::{DiskReply, DiskRequest},
};

/// Carries a request out. A sync is done here by doing nothing: when it ends, and how, is the simulator's.
pub(crate) fn answer(disk: &mut DiskImage, request: &DiskRequest) -> io::Result<DiskReply> {
    Ok(match request {
        DiskRequest::Read { file, offset, length } => {
            let content = disk.read(file)?;
            let start = usize::try_from(*offset).unwrap_or(usize::MAX).min(content.len());
            let end = start.saturating_add(*length).min(content.len());
            DiskReply::Bytes(content[start..end].to_vec())
        }
        DiskRequest::Write { file, offset, bytes } => {
            disk.write(file, *offset, bytes)?;
            DiskReply::Done
        }
        DiskRequest::Append { file, bytes } => {
            disk.append(file, bytes)?;
            DiskReply::Done
        }
        DiskRequest::SetLength { file, length } => {
            disk.set_length(file, *length)?;
            DiskReply::Done
        }
        DiskRequest::Rename { from, to } => {
            disk.rename(from, to)?;
            DiskReply::Done
        }
        DiskRequest::Remove { file } => {
            disk.remove(file)?;
            DiskReply::Done
        }
        DiskRequest::List => DiskReply::Names(disk.list().map(str::to_owned).collect()),
        DiskRequest::Length { file } => DiskReply::Length(disk.length(file)?),
        DiskRequest::Sync { .. } | DiskRequest::SyncDirectory => DiskReply::Done,
    })
}
