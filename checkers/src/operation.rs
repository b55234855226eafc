//! What a client asks of a store: an operation by name, on a key, with arguments; and the interfaces that group them.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Serialize};

use crate::value::Value;

/// The name of an operation, interface, anomaly or setting. Cheap to clone when it is a literal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Name(Cow<'static, str>);

impl Name {
    /// A name known when the program is compiled.
    pub const fn new(name: &'static str) -> Self {
        Name(Cow::Borrowed(name))
    }

    /// The text of the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&'static str> for Name {
    fn from(name: &'static str) -> Self {
        Name::new(name)
    }
}

impl From<String> for Name {
    fn from(name: String) -> Self {
        Name(Cow::Owned(name))
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
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Operation {
    /// What to do: `read`, `write`, `cas`, …
    pub f: Name,
    /// The object it is done to; `Nil` where the interface has one object only.
    #[serde(default, skip_serializing_if = "Value::is_nil")]
    pub key: Value,
    /// Its arguments: `Nil` for a read, the value for a write, `[expected new]` for a cas.
    #[serde(default, skip_serializing_if = "Value::is_nil")]
    pub args: Value,
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
    /// `add(element) -> nil`, `read() -> [elements]`.
    pub const SET: Interface = Interface(Name::new("set"));
    /// `acquire() -> nil`, `release() -> nil`.
    pub const MUTEX: Interface = Interface(Name::new("mutex"));
}

impl fmt::Display for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
