//! The version that every record carries.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// The version of the records that this build writes.
pub const VERSION: u32 = 1;

/// The versions of the records that this build reads. In memory a record always has the shape of [`VERSION`].
pub const UNDERSTOOD_VERSIONS: &[u32] = &[VERSION];

/// The `"version"` of a record: written as [`VERSION`], refused on reading when it is none of [`UNDERSTOOD_VERSIONS`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Version;

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(VERSION)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let found = u64::deserialize(deserializer)?;
        if UNDERSTOOD_VERSIONS.iter().any(|&v| u64::from(v) == found) {
            Ok(Version)
        } else {
            Err(D::Error::custom(format_args!("version {found} of the record; understood: {}", understood())))
        }
    }
}

/// The understood versions, for people.
pub(super) fn understood() -> String {
    UNDERSTOOD_VERSIONS.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")
}
