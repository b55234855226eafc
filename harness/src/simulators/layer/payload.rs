//! Bytes on a wire.

/// Bytes on a wire. Small ones travel inside their event.
#[derive(Clone, Debug)]
pub(crate) enum Payload {
    Small(u8, [u8; SMALL]),
    Large(Box<[u8]>),
}

/// The most bytes that travel inside an event.
const SMALL: usize = 30;

impl Payload {
    #[inline]
    pub(crate) fn new(bytes: &[u8]) -> Self {
        if bytes.len() > SMALL {
            return Payload::Large(bytes.into());
        }
        let mut small = [0; SMALL];
        small[..bytes.len()].copy_from_slice(bytes);
        Payload::Small(bytes.len() as u8, small)
    }

    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Payload::Small(length, bytes) => &bytes[..usize::from(*length)],
            Payload::Large(bytes) => bytes,
        }
    }
}

/// The first bytes, for people.
pub(crate) fn shown(bytes: &[u8]) -> String {
    const SHOWN: usize = 32;
    let head: String = bytes.iter().take(SHOWN).flat_map(|b| std::ascii::escape_default(*b)).map(char::from).collect();
    format!("{} bytes \"{head}\"{}", bytes.len(), if bytes.len() > SHOWN { "…" } else { "" })
}
