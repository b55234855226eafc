//! The bytes of a journal: records with checksums, and how a torn tail is told from corruption.
//!
//! A file begins with a header that says how much of it was durable before the file got its name. Each record says how much of
//! the file was durable when it was written. A record that does not read inside what is known to be durable is corrupt; outside
//! of it, it is the torn tail of writes that a power loss caught unsynced, and so is all that follows.

const MAGIC: &[u8; 8] = b"squall-j";

/// Bytes of a file's header: magic, durable length, checksum.
pub(super) const HEADER_BYTES: usize = 8 + 8 + 4;

/// Bytes before a record's payload: length, durable length, checksum.
const PREFIX_BYTES: usize = 4 + 8 + 4;

/// A journal that lost or changed something which had been durable. Nothing it holds can be trusted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the journal is corrupt at byte {at}")]
pub(crate) struct Corrupt {
    /// The first byte that does not read.
    pub(crate) at: usize,
}

/// A whole file that holds these records, all of them durable by the time the file gets its name.
pub(super) fn encode_file<R: AsRef<[u8]>>(records: impl IntoIterator<Item = R>) -> Vec<u8> {
    let mut file = vec![0; HEADER_BYTES];
    for record in records {
        encode_record(record.as_ref(), 0, &mut file);
    }
    let length = file.len() as u64;
    file[..8].copy_from_slice(MAGIC);
    file[8..16].copy_from_slice(&length.to_le_bytes());
    let sum = crc32fast::hash(&file[..16]);
    file[16..HEADER_BYTES].copy_from_slice(&sum.to_le_bytes());
    file
}

/// Appends one record to `out`. `durable` is the length of the file known to be durable.
pub(super) fn encode_record(payload: &[u8], durable: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    out.extend_from_slice(&durable.to_le_bytes());
    out.extend_from_slice(&checksum(payload, durable).to_le_bytes());
    out.extend_from_slice(payload);
}

/// The records of a file up to its torn tail, if it has one.
pub(super) fn scan(file: &[u8]) -> Result<Vec<&[u8]>, Corrupt> {
    let header = file.get(..HEADER_BYTES).ok_or(Corrupt { at: 0 })?;
    let sum = u32::from_le_bytes(header[16..].try_into().expect("four bytes"));
    if &header[..8] != MAGIC || crc32fast::hash(&header[..16]) != sum {
        return Err(Corrupt { at: 0 });
    }
    let mut durable = u64::from_le_bytes(header[8..16].try_into().expect("eight bytes"));
    let mut records = Vec::new();
    let mut at = HEADER_BYTES;
    while let Some(record) = Record::at(file, at) {
        records.push(record.payload);
        durable = durable.max(record.durable);
        at += PREFIX_BYTES + record.payload.len();
    }
    // A later record that reads may know that what does not read here had been durable.
    for later in at + 1..file.len() {
        if let Some(record) = Record::at(file, later) {
            durable = durable.max(record.durable);
        }
    }
    if (at as u64) < durable { Err(Corrupt { at }) } else { Ok(records) }
}

struct Record<'a> {
    payload: &'a [u8],
    durable: u64,
}

impl<'a> Record<'a> {
    fn at(file: &'a [u8], at: usize) -> Option<Self> {
        let prefix = file.get(at..at + PREFIX_BYTES)?;
        let length = u32::from_le_bytes(prefix[..4].try_into().expect("four bytes")) as usize;
        let durable = u64::from_le_bytes(prefix[4..12].try_into().expect("eight bytes"));
        let sum = u32::from_le_bytes(prefix[12..].try_into().expect("four bytes"));
        let payload = file[at + PREFIX_BYTES..].get(..length)?;
        (checksum(payload, durable) == sum).then_some(Record { payload, durable })
    }
}

fn checksum(payload: &[u8], durable: u64) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    // The length is part of it, so that zeros do not read as an empty record.
    hasher.update(&(payload.len() as u64 + 1).to_le_bytes());
    hasher.update(&durable.to_le_bytes());
    hasher.update(payload);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of two records that were there from the start, and two appended later, the second after a sync of the first.
    fn file() -> (Vec<u8>, [usize; 5]) {
        let mut file = encode_file(["alpha", "beta"]);
        let first = file.len();
        encode_record(b"gamma", first as u64, &mut file);
        let second = file.len();
        encode_record(b"delta", second as u64, &mut file);
        let beta = HEADER_BYTES + PREFIX_BYTES + 5;
        let ends = [HEADER_BYTES, beta, first, second, file.len()];
        (file, ends)
    }

    fn read(file: &[u8]) -> Result<Vec<String>, Corrupt> {
        Ok(scan(file)?.into_iter().map(|r| String::from_utf8(r.to_vec()).expect("text")).collect())
    }

    #[test]
    fn what_was_written_is_read() {
        assert_eq!(read(&file().0).unwrap(), ["alpha", "beta", "gamma", "delta"]);
        assert_eq!(read(&encode_file::<&[u8]>([])).unwrap(), [""; 0]);
    }

    #[test]
    fn a_tail_torn_anywhere_is_dropped() {
        let (file, ends) = file();
        for length in ends[2]..file.len() {
            let kept = ends[1..].iter().filter(|end| **end <= length).count();
            assert_eq!(read(&file[..length]).unwrap().len(), kept, "cut to {length} bytes");
        }
    }

    #[test]
    fn a_file_cut_below_its_durable_length_is_corrupt() {
        let (file, ends) = file();
        for length in 0..ends[2] {
            assert!(read(&file[..length]).is_err(), "cut to {length} bytes");
        }
    }

    #[test]
    fn a_flipped_bit_is_corruption_where_it_was_known_durable_and_a_torn_tail_elsewhere() {
        let (file, ends) = file();
        for bit in 0..file.len() * 8 {
            let mut file = file.clone();
            file[bit / 8] ^= 1 << (bit % 8);
            let read = read(&file);
            if bit / 8 < ends[3] {
                assert!(matches!(read, Err(Corrupt { at }) if at <= bit / 8), "bit {bit}: {read:?}");
            } else {
                assert_eq!(read.unwrap().len(), 3, "bit {bit}");
            }
        }
    }

    #[test]
    fn a_hole_left_by_reordered_writes_is_a_torn_tail() {
        let (mut file, _) = file();
        let hole = file.len();
        // Neither of these two was synced when the power went; the second reached the disk, the first did not.
        encode_record(b"epsilon", hole as u64, &mut file);
        let end = file.len();
        encode_record(b"zeta", hole as u64, &mut file);
        file[hole..end].fill(0);
        assert_eq!(read(&file).unwrap(), ["alpha", "beta", "gamma", "delta"]);
    }
}
