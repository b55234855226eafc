//! The values that operations carry: one small dynamic type that every interface, file format and model shares.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An argument or a reply of an operation.
///
/// In JSON: `null`, booleans, integers, strings and arrays are themselves; bytes are `{"bytes": "<hex>"}` and maps are
/// `{"map": [[key, value], …]}`. Compact formats (postcard) use the derived enum encoding.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    /// No value: the key of a single register, the reply of a write, a read of nothing.
    #[default]
    Nil,
    /// A truth value.
    Bool(bool),
    /// A signed integer.
    Int(i64),
    /// A string.
    Text(String),
    /// Raw bytes.
    Bytes(Vec<u8>),
    /// A sequence.
    List(Vec<Value>),
    /// An ordered map.
    Map(BTreeMap<Value, Value>),
}

impl Value {
    /// The integer inside, if this is one.
    pub fn as_int(&self) -> Option<i64> {
        if let Value::Int(i) = self { Some(*i) } else { None }
    }

    /// The string inside, if this is one.
    pub fn as_text(&self) -> Option<&str> {
        if let Value::Text(s) = self { Some(s) } else { None }
    }

    /// The elements inside, if this is a list.
    pub fn as_list(&self) -> Option<&[Value]> {
        if let Value::List(v) = self { Some(v) } else { None }
    }

    /// Whether this is `Nil`.
    pub fn is_nil(&self) -> bool {
        *self == Value::Nil
    }
}

impl From<i64> for Value {
    fn from(i: i64) -> Self {
        Value::Int(i)
    }
}

impl From<bool> for Value {
    fn from(b: bool) -> Self {
        Value::Bool(b)
    }
}

impl From<&str> for Value {
    fn from(s: &str) -> Self {
        Value::Text(s.to_owned())
    }
}

impl From<String> for Value {
    fn from(s: String) -> Self {
        Value::Text(s)
    }
}

impl From<Vec<Value>> for Value {
    fn from(v: Vec<Value>) -> Self {
        Value::List(v)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Nil => f.write_str("nil"),
            Value::Bool(b) => write!(f, "{b}"),
            Value::Int(i) => write!(f, "{i}"),
            Value::Text(s) => write!(f, "{s:?}"),
            Value::Bytes(b) => {
                f.write_str("0x")?;
                b.iter().try_for_each(|x| write!(f, "{x:02x}"))
            }
            Value::List(v) => {
                f.write_str("[")?;
                for (i, x) in v.iter().enumerate() {
                    write!(f, "{}{x}", if i == 0 { "" } else { " " })?;
                }
                f.write_str("]")
            }
            Value::Map(m) => {
                f.write_str("{")?;
                for (i, (k, v)) in m.iter().enumerate() {
                    write!(f, "{}{k} {v}", if i == 0 { "" } else { ", " })?;
                }
                f.write_str("}")
            }
        }
    }
}

/// How `Value` looks to formats that are not for people.
#[derive(Serialize, Deserialize)]
enum Compact<'a> {
    Nil,
    Bool(bool),
    Int(i64),
    Text(Cow<'a, str>),
    Bytes(Cow<'a, [u8]>),
    List(Cow<'a, [Value]>),
    Map(Cow<'a, BTreeMap<Value, Value>>),
}

/// How `Value` looks in JSON.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Readable<'a> {
    Nil,
    Bool(bool),
    Int(i64),
    Text(Cow<'a, str>),
    List(Cow<'a, [Value]>),
    Bytes { bytes: String },
    Map { map: Vec<(Value, Value)> },
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            match self {
                Value::Nil => Readable::Nil,
                Value::Bool(b) => Readable::Bool(*b),
                Value::Int(i) => Readable::Int(*i),
                Value::Text(s) => Readable::Text(Cow::Borrowed(s)),
                Value::List(v) => Readable::List(Cow::Borrowed(v)),
                Value::Bytes(b) => Readable::Bytes { bytes: to_hex(b) },
                Value::Map(m) => Readable::Map { map: m.iter().map(|(k, v)| (k.clone(), v.clone())).collect() },
            }
            .serialize(serializer)
        } else {
            match self {
                Value::Nil => Compact::Nil,
                Value::Bool(b) => Compact::Bool(*b),
                Value::Int(i) => Compact::Int(*i),
                Value::Text(s) => Compact::Text(Cow::Borrowed(s)),
                Value::Bytes(b) => Compact::Bytes(Cow::Borrowed(b)),
                Value::List(v) => Compact::List(Cow::Borrowed(v)),
                Value::Map(m) => Compact::Map(Cow::Borrowed(m)),
            }
            .serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            Ok(match Readable::deserialize(deserializer)? {
                Readable::Nil => Value::Nil,
                Readable::Bool(b) => Value::Bool(b),
                Readable::Int(i) => Value::Int(i),
                Readable::Text(s) => Value::Text(s.into_owned()),
                Readable::List(v) => Value::List(v.into_owned()),
                Readable::Bytes { bytes } => Value::Bytes(from_hex(&bytes).ok_or_else(|| {
                    serde::de::Error::custom(format!("`{bytes}` is not an even number of hexadecimal digits"))
                })?),
                Readable::Map { map } => Value::Map(map.into_iter().collect()),
            })
        } else {
            Ok(match Compact::deserialize(deserializer)? {
                Compact::Nil => Value::Nil,
                Compact::Bool(b) => Value::Bool(b),
                Compact::Int(i) => Value::Int(i),
                Compact::Text(s) => Value::Text(s.into_owned()),
                Compact::Bytes(b) => Value::Bytes(b.into_owned()),
                Compact::List(v) => Value::List(v.into_owned()),
                Compact::Map(m) => Value::Map(m.into_owned()),
            })
        }
    }
}

fn to_hex(bytes: &[u8]) -> String {
    let digit = |d: u8| char::from_digit(u32::from(d), 16).unwrap_or_default();
    bytes.iter().flat_map(|b| [digit(b >> 4), digit(b & 15)]).collect()
}

/// The bytes that an even number of hexadecimal digits stands for.
pub(crate) fn from_hex(text: &str) -> Option<Vec<u8>> {
    if !text.bytes().all(|b| b.is_ascii_hexdigit()) || !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).ok()).collect()
}
