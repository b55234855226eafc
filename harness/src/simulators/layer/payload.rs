//! Bytes on a wire.

use std::collections::VecDeque;

use crate::{environment::content, plan::fold};

/// The most words that travel inside an event.
const WORDS: usize = 3;
/// The most bytes that travel inside an event.
const SMALL: usize = 8 * WORDS;

/// Bytes on a wire. Small ones travel inside their event, as words: moved and hashed as such, they stay in registers.
#[derive(Clone, Debug)]
#[repr(u32)]
pub(crate) enum Payload {
    /// Their number, and they.
    Small(u32, [u64; WORDS]),
    Large(Box<[u8]>),
}

impl Payload {
    #[inline]
    pub(crate) fn new(bytes: &[u8]) -> Self {
        if bytes.len() > SMALL {
            return Payload::Large(bytes.into());
        }
        let (whole, rest) = bytes.as_chunks::<8>();
        let last = rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
        let word = |chunk: &[u8; 8]| u64::from_le_bytes(*chunk);
        let words = match whole {
            [] => [last, 0, 0],
            [a] => [word(a), last, 0],
            [a, b] => [word(a), word(b), last],
            [a, b, c, ..] => [word(a), word(b), word(c)],
        };
        Payload::Small(bytes.len() as u32, words)
    }

    /// Hash of the content.
    #[inline]
    pub(crate) fn hash(&self) -> u64 {
        match self {
            Payload::Small(length, words) => {
                words.iter().fold(fold(u64::from(*length) + 1, MIX), |hash, word| fold(hash ^ word, MIX))
            }
            Payload::Large(bytes) => content::hash_bytes(bytes),
        }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        match self {
            Payload::Small(length, _) => *length as usize,
            Payload::Large(bytes) => bytes.len(),
        }
    }

    /// Copies as much as fits; returns how much.
    #[inline]
    pub(crate) fn copy_to(&self, buffer: &mut [u8]) -> usize {
        let length = self.len().min(buffer.len());
        let buffer = &mut buffer[..length];
        match self {
            Payload::Small(_, words) => {
                let (whole, rest) = buffer.as_chunks_mut::<8>();
                for (chunk, word) in whole.iter_mut().zip(words) {
                    *chunk = word.to_le_bytes();
                }
                if let Some(last) = words.get(whole.len()) {
                    for (byte, at) in rest.iter_mut().zip((0..).step_by(8)) {
                        *byte = (*last >> at) as u8;
                    }
                }
            }
            Payload::Large(bytes) => buffer.copy_from_slice(&bytes[..length]),
        }
        length
    }

    pub(crate) fn to_vec(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.len()];
        self.copy_to(&mut bytes);
        bytes
    }

    /// The first bytes, for people.
    pub(crate) fn shown(&self) -> String {
        shown(&self.to_vec())
    }

    /// Appends the bytes to what a stream has received.
    pub(crate) fn append_to(&self, inbox: &mut VecDeque<u8>) {
        match self {
            Payload::Small(length, words) => {
                inbox.extend(words.iter().flat_map(|word| word.to_le_bytes()).take(*length as usize));
            }
            Payload::Large(bytes) => inbox.extend(bytes),
        }
    }
}

/// The first bytes, for people.
pub(crate) fn shown(bytes: &[u8]) -> String {
    const SHOWN: usize = 32;
    let head: String = bytes.iter().take(SHOWN).flat_map(|b| std::ascii::escape_default(*b)).map(char::from).collect();
    format!("{} bytes \"{head}\"{}", bytes.len(), if bytes.len() > SHOWN { "…" } else { "" })
}

/// Any odd number with many bits.
const MIX: u64 = 0xE703_7ED1_A0B4_28DB;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_out_as_they_went_in() {
        let bytes: Vec<u8> = (1..=60).collect();
        let mut hashes = Vec::new();
        for length in 0..bytes.len() {
            let payload = Payload::new(&bytes[..length]);
            assert_eq!((payload.len(), payload.to_vec()), (length, bytes[..length].to_vec()));
            let mut inbox = VecDeque::new();
            payload.append_to(&mut inbox);
            assert!(inbox.iter().eq(&bytes[..length]));
            for fits in 0..length {
                let mut buffer = vec![0xFF; fits];
                assert_eq!(payload.copy_to(&mut buffer), fits);
                assert_eq!(buffer, bytes[..fits]);
            }
            hashes.push(payload.hash());
            hashes.push(Payload::new(&vec![0; length]).hash());
        }
        hashes.sort_unstable();
        hashes.dedup();
        // No bytes and no zeros are the same.
        assert_eq!(hashes.len(), 2 * bytes.len() - 1);
    }
}
