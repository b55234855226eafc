//! What a client asks of a store: an operation by name, on a key, with arguments; and the interfaces that group them.

use std::{
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, ser::SerializeStruct as _};

use crate::value::Value;

/// The name of an operation, interface, anomaly or setting. Cheap to clone when it is a literal.
#[derive(Clone)]
pub struct Name(Text);

/// Two words, as there is one in each operation of a history.
#[derive(Clone)]
enum Text {
    Literal(&'static str),
    #[expect(clippy::box_collection, reason = "a boxed `str` would be a word longer")]
    Made(Box<String>),
}

impl Name {
    /// A name known when the program is compiled.
    pub const fn new(name: &'static str) -> Self {
        Name(Text::Literal(name))
    }

    /// The text of the name.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Text::Literal(name) => name,
            Text::Made(name) => name,
        }
    }
}

impl From<&'static str> for Name {
    fn from(name: &'static str) -> Self {
        Name::new(name)
    }
}

impl From<String> for Name {
    fn from(name: String) -> Self {
        Name(Text::Made(Box::new(name)))
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Name").field(&self.as_str()).finish()
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Name {}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Name::from)
    }
}

impl PartialEq<str> for Name {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Name {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One request of a client, before anything is known of its outcome.
///
/// Formats that name their fields (JSON) leave out a `Nil` key and `Nil` arguments; compact ones (postcard) need every
/// field in its place.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
pub struct Operation {
    /// What to do: `read`, `write`, `cas`, …
    pub f: Name,
    /// The object it is done to; `Nil` where the interface has one object only.
    #[serde(default)]
    pub key: Value,
    /// Its arguments: `Nil` for a read, the value for a write, `[expected new]` for a cas.
    #[serde(default)]
    pub args: Value,
}

impl Serialize for Operation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let every = !serializer.is_human_readable();
        let (key, args) = (every || !self.key.is_nil(), every || !self.args.is_nil());
        let mut operation = serializer.serialize_struct("Operation", 1 + usize::from(key) + usize::from(args))?;
        operation.serialize_field("f", &self.f)?;
        if key {
            operation.serialize_field("key", &self.key)?;
        }
        if args {
            operation.serialize_field("args", &self.args)?;
        }
        operation.end()
    }
}

impl Operation {
    /// An operation on `key`.
    pub fn new(f: impl Into<Name>, key: impl Into<Value>, args: impl Into<Value>) -> Self {
        Operation { f: f.into(), key: key.into(), args: args.into() }
    }

    /// `read` of `key`; its reply is the value, `Nil` when never written.
    pub fn read(key: impl Into<Value>) -> Self {
        Operation::new("read", key, Value::Nil)
    }

    /// `write` of `value` to `key`; its reply is `Nil`.
    pub fn write(key: impl Into<Value>, value: impl Into<Value>) -> Self {
        Operation::new("write", key, value)
    }

    /// `cas` on `key`: replies `true` when it replaced `expected` by `new`, `false` when the comparison failed.
    pub fn cas(key: impl Into<Value>, expected: impl Into<Value>, new: impl Into<Value>) -> Self {
        Operation::new("cas", key, Value::List(vec![expected.into(), new.into()]))
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.f)?;
        let mut separator = "";
        if !self.key.is_nil() {
            write!(f, "{}", self.key)?;
            separator = ", ";
        }
        match &self.args {
            Value::Nil => {}
            Value::List(args) if self.f == "cas" => {
                for x in args {
                    write!(f, "{separator}{x}")?;
                    separator = ", ";
                }
            }
            args => write!(f, "{separator}{args}")?,
        }
        f.write_str(")")
    }
}

/// A vocabulary of operations that a system serves and a workload speaks. Open: users name their own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Interface(pub Name);

impl Interface {
    /// Keyed registers: `read(k) -> v | nil`, `write(k, v) -> nil`, `cas(k, expected, new) -> bool`.
    pub const REGISTER: Interface = Interface(Name::new("register"));
    /// Keyed strings: `get(k) -> text`, `put(k, text)`, `append(k, text)`.
    pub const KV: Interface = Interface(Name::new("kv"));
    /// `add(element) -> nil`, `remove(element) -> nil`, `contains(element) -> bool`, `read() -> [elements]`.
    pub const SET: Interface = Interface(Name::new("set"));
    /// `acquire([owner n]) -> token | nil`, `release([owner n]) -> nil`: an owner counts its attempts, and an acquire that is
    /// refused fails. Who owns the lock gets it again by a later attempt: that is how one goes on who does not know what became
    /// of the last. Where nobody has to, arguments may be left out.
    pub const MUTEX: Interface = Interface(Name::new("mutex"));
    /// `add(n) -> nil`, `read() -> n`; 0 at first.
    pub const COUNTER: Interface = Interface(Name::new("counter"));
    /// `append(element) -> nil`, `read() -> [elements]`.
    pub const LOG: Interface = Interface(Name::new("log"));
    /// `enqueue(element) -> nil`, `dequeue() -> element | nil`.
    pub const QUEUE: Interface = Interface(Name::new("queue"));
    /// `generate() -> id`.
    pub const IDS: Interface = Interface(Name::new("ids"));
    /// `transfer({amount n, from account, to account}) -> nil`, `read() -> {account balance}`; every account has 0 at first
    /// and may be overdrawn, a read shows those that were touched.
    pub const BANK: Interface = Interface(Name::new("bank"));
    /// `txn([[r key nil] [append key element] …]) -> the same with what was read`, `read(k) -> [elements] | nil`: keyed lists.
    pub const LIST_APPEND: Interface = Interface(Name::new("list-append"));
    /// `txn([[r key nil] [w key value] …]) -> the same with what was read`, `read(k) -> v | nil`: keyed registers.
    pub const RW_REGISTER: Interface = Interface(Name::new("rw-register"));
    /// `read(member) -> bool`: whether the replica that is asked holds the member alive. Members are counted from 0.
    pub const MEMBERSHIP: Interface = Interface(Name::new("membership"));
}

impl fmt::Display for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_two_words() {
        assert_eq!(size_of::<Name>(), 2 * size_of::<usize>());
        assert_eq!(Name::new("read"), Name::from("read".to_owned()));
    }

    #[test]
    fn operations_are_read_as_they_were_written() {
        let json = r#"[{"f":"acquire"},{"f":"read","key":1},{"f":"write","key":1,"args":"v"}]"#;
        let operations = [
            Operation::new("acquire", Value::Nil, Value::Nil),
            Operation::read(1),
            Operation::write(1, Value::from("v")),
        ];
        assert_eq!(serde_json::to_string(&operations).unwrap(), json);
        assert_eq!(serde_json::from_str::<[Operation; 3]>(json).unwrap(), operations);
        let compact = postcard::to_stdvec(&operations).unwrap();
        assert_eq!(postcard::from_bytes::<[Operation; 3]>(&compact).unwrap(), operations);
    }
}
