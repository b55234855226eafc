//! A message with a checksum, for nodes whose messages may be damaged on the way.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Carries a checksum beside a message: what was damaged on the way does not decode, so it is as good as lost.
///
/// Protocols of this kind are specified over links that lose messages but do not forge them; a checksum turns the real link
/// into the specified one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked<M>(pub M);

impl<M: Serialize> Serialize for Checked<M> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (checksum(&self.0), &self.0).serialize(serializer)
    }
}

impl<'de, M: Serialize + Deserialize<'de>> Deserialize<'de> for Checked<M> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (sum, message) = <(u64, M)>::deserialize(deserializer)?;
        if sum == checksum(&message) {
            Ok(Checked(message))
        } else {
            Err(de::Error::custom("the checksum does not fit"))
        }
    }
}

fn checksum(message: &impl Serialize) -> u64 {
    super::content::hash(message)
}
