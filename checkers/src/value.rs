//! The values that operations carry: one small dynamic type that every interface, file format and model shares.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, Visitor},
};

use crate::text::Text;

/// An argument or a reply of an operation. Three words long, as a history holds millions.
///
/// In JSON: `null`, booleans, integers, strings and arrays are themselves; bytes are `{"bytes": "<hex>"}` and maps are
/// `{"map": [[key, value], …]}`. Compact formats (postcard) use the derived enum encoding.
#[derive(Clone, Debug, Default, Eq, PartialOrd, Ord, Hash)]
#[expect(
    clippy::derived_hash_with_manual_eq,
    reason = "what is equal is what a derived `eq` says, and is hashed alike"
)]
pub enum Value {
    /// No value: the key of a single register, the reply of a write, a read of nothing.
    #[default]
    Nil,
    /// A truth value.
    Bool(bool),
    /// A signed integer.
    Int(i64),
    /// A string.
    Text(Text),
    /// Raw bytes.
    Bytes(Box<[u8]>),
    /// A sequence.
    List(Vec<Value>),
    /// An ordered map.
    Map(Box<BTreeMap<Value, Value>>),
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
    #[inline]
    pub fn is_nil(&self) -> bool {
        matches!(self, Value::Nil)
    }

    /// Equality of those that are compared less often.
    fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Value::Nil, Value::Nil) => true,
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::Int(a), Value::Int(b)) => a == b,
            (Value::Text(a), Value::Text(b)) => a == b,
            (Value::Bytes(a), Value::Bytes(b)) => a == b,
            (Value::List(a), Value::List(b)) => a == b,
            (Value::Map(a), Value::Map(b)) => a == b,
            _ => false,
        }
    }
}

impl PartialEq for Value {
    /// Without a call for those that are most common.
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Value::Int(a), Value::Int(b)) => a == b,
            (Value::Nil | Value::Int(_), _) => other.is_nil() && self.is_nil(),
            _ => self.equals(other),
        }
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
        Value::Text(s.into())
    }
}

impl From<String> for Value {
    fn from(s: String) -> Self {
        Value::Text(s.into())
    }
}

impl From<Vec<Value>> for Value {
    fn from(v: Vec<Value>) -> Self {
        Value::List(v)
    }
}

impl From<BTreeMap<Value, Value>> for Value {
    fn from(m: BTreeMap<Value, Value>) -> Self {
        Value::Map(Box::new(m))
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

/// Reads what `Value` looks like in JSON, in one pass.
struct ReadableVisitor;

impl<'de> Visitor<'de> for ReadableVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("null, true, false, an integer of 64 bits, a string, a list, {\"bytes\": …} or {\"map\": …}")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Nil)
    }

    fn visit_bool<E: de::Error>(self, b: bool) -> Result<Value, E> {
        Ok(Value::Bool(b))
    }

    fn visit_i64<E: de::Error>(self, i: i64) -> Result<Value, E> {
        Ok(Value::Int(i))
    }

    fn visit_u64<E: de::Error>(self, i: u64) -> Result<Value, E> {
        i64::try_from(i).map(Value::Int).map_err(|_| E::invalid_value(de::Unexpected::Unsigned(i), &self))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let name = fields.next_key::<String>()?.unwrap_or_default();
        let value = match name.as_str() {
            "bytes" => {
                let digits: String = fields.next_value()?;
                let bytes = from_hex(&digits);
                Value::Bytes(bytes.map(Vec::into_boxed_slice).ok_or_else(|| {
                    de::Error::custom(format!("`{digits}` is not an even number of hexadecimal digits"))
                })?)
            }
            "map" => fields.next_value::<Vec<(Value, Value)>>()?.into_iter().collect::<BTreeMap<_, _>>().into(),
            _ => return Err(de::Error::unknown_field(&name, &["bytes", "map"])),
        };
        match fields.next_key::<String>()? {
            None => Ok(value),
            Some(more) => Err(de::Error::custom(format!("`{more}` beside `{name}`"))),
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            match self {
                Value::Nil => serializer.serialize_unit(),
                Value::Bool(b) => serializer.serialize_bool(*b),
                Value::Int(i) => serializer.serialize_i64(*i),
                Value::Text(s) => serializer.serialize_str(s),
                Value::List(v) => serializer.collect_seq(v),
                Value::Bytes(b) => serializer.collect_map([("bytes", to_hex(b))]),
                Value::Map(m) => serializer.collect_map([("map", m.iter().collect::<Vec<_>>())]),
            }
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
            deserializer.deserialize_any(ReadableVisitor)
        } else {
            Ok(match Compact::deserialize(deserializer)? {
                Compact::Nil => Value::Nil,
                Compact::Bool(b) => Value::Bool(b),
                Compact::Int(i) => Value::Int(i),
                Compact::Text(s) => s.into_owned().into(),
                Compact::Bytes(b) => Value::Bytes(b.into_owned().into()),
                Compact::List(v) => Value::List(v.into_owned()),
                Compact::Map(m) => m.into_owned().into(),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_read_as_it_was_written() {
        let map = BTreeMap::from([(Value::Int(1), Value::Nil), ("k".into(), Value::Bool(true))]);
        let value = Value::List(vec![
            Value::Nil,
            Value::Int(i64::MIN),
            Value::Bytes([0, 255].into()),
            map.into(),
            Value::List(vec![]),
            "a \"b\"".into(),
        ]);
        let json = serde_json::to_string(&value).unwrap();
        assert_eq!(json, r#"[null,-9223372036854775808,{"bytes":"00ff"},{"map":[[1,null],["k",true]]},[],"a \"b\""]"#);
        assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), value);
    }

    #[test]
    fn json_that_is_no_value_is_refused() {
        let deep = format!("{}1.5{}", "[".repeat(120), "]".repeat(120));
        let wrong = ["1.5", "1e400", "18446744073709551615", r#"{"bytes":"+f"}"#, r#"{"map":[],"x":1}"#, "{}", &deep];
        for json in wrong {
            assert!(serde_json::from_str::<Value>(json).is_err(), "{json}");
        }
        assert!(serde_json::from_str::<Value>(&"[".repeat(100_000)).is_err());
    }
}
