//! The hash of a message's content, through its `Serialize` alone.

use serde::{Serialize, ser};

use crate::plan::fold;

/// Hashes what a value serializes to. Equal values hash equal in every process; no buffer is filled, so small messages cost a
/// few multiplications.
#[inline]
pub fn hash(value: &impl Serialize) -> u64 {
    let mut hasher = Hasher(0x9E37_79B9_7F4A_7C15);
    // A value whose `Serialize` fails still has the hash of what came before; the failure shows where it is encoded.
    let _ = value.serialize(&mut hasher);
    hasher.0
}

struct Hasher(u64);

impl Hasher {
    #[inline]
    fn word(&mut self, word: u64) {
        self.0 = fold(self.0 ^ word, 0xE703_7ED1_A0B4_28DB);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.word(bytes.len() as u64);
        let mut chunks = bytes.chunks_exact(8);
        for chunk in &mut chunks {
            self.word(u64::from_le_bytes(chunk.try_into().expect("chunks of eight")));
        }
        let rest = chunks.remainder();
        if !rest.is_empty() {
            let mut last = [0; 8];
            last[..rest.len()].copy_from_slice(rest);
            self.word(u64::from_le_bytes(last));
        }
    }
}

/// The hash of bytes on a wire.
#[inline]
pub fn hash_bytes(bytes: &[u8]) -> u64 {
    let mut hasher = Hasher(0x9E37_79B9_7F4A_7C15);
    hasher.bytes(bytes);
    hasher.0
}

/// A value's own `Serialize` gave up.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct GaveUp(String);

impl ser::Error for GaveUp {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        GaveUp(message.to_string())
    }
}

macro_rules! words {
    ($($method:ident: $type:ty),*) => {
        $(#[inline]
        fn $method(self, v: $type) -> Result<(), GaveUp> {
            self.word(u64::from(v));
            Ok(())
        })*
    };
}

macro_rules! signed {
    ($($method:ident: $type:ty),*) => {
        $(#[inline]
        fn $method(self, v: $type) -> Result<(), GaveUp> {
            self.word(i64::from(v).cast_unsigned());
            Ok(())
        })*
    };
}

impl ser::Serializer for &mut Hasher {
    type Ok = ();
    type Error = GaveUp;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    words!(serialize_bool: bool, serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64);
    signed!(serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64);

    fn serialize_char(self, v: char) -> Result<(), GaveUp> {
        self.word(u64::from(u32::from(v)));
        Ok(())
    }

    fn serialize_i128(self, v: i128) -> Result<(), GaveUp> {
        self.bytes(&v.to_le_bytes());
        Ok(())
    }

    fn serialize_u128(self, v: u128) -> Result<(), GaveUp> {
        self.bytes(&v.to_le_bytes());
        Ok(())
    }

    fn serialize_f32(self, v: f32) -> Result<(), GaveUp> {
        self.word(u64::from(v.to_bits()));
        Ok(())
    }

    fn serialize_f64(self, v: f64) -> Result<(), GaveUp> {
        self.word(v.to_bits());
        Ok(())
    }

    fn serialize_str(self, v: &str) -> Result<(), GaveUp> {
        self.bytes(v.as_bytes());
        Ok(())
    }

    fn serialize_bytes(self, v: &[u8]) -> Result<(), GaveUp> {
        self.bytes(v);
        Ok(())
    }

    fn serialize_none(self) -> Result<(), GaveUp> {
        self.word(0);
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), GaveUp> {
        self.word(1);
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), GaveUp> {
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), GaveUp> {
        Ok(())
    }

    #[inline]
    fn serialize_unit_variant(self, _: &'static str, index: u32, _: &'static str) -> Result<(), GaveUp> {
        self.word(u64::from(index));
        Ok(())
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), GaveUp> {
        value.serialize(self)
    }

    #[inline]
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        value: &T,
    ) -> Result<(), GaveUp> {
        self.word(u64::from(index));
        value.serialize(self)
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Self, GaveUp> {
        self.word(len.unwrap_or(usize::MAX) as u64);
        Ok(self)
    }

    fn serialize_tuple(self, _: usize) -> Result<Self, GaveUp> {
        Ok(self)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self, GaveUp> {
        Ok(self)
    }

    #[inline]
    fn serialize_tuple_variant(self, _: &'static str, index: u32, _: &'static str, _: usize) -> Result<Self, GaveUp> {
        self.word(u64::from(index));
        Ok(self)
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Self, GaveUp> {
        self.word(len.unwrap_or(usize::MAX) as u64);
        Ok(self)
    }

    #[inline]
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, GaveUp> {
        Ok(self)
    }

    #[inline]
    fn serialize_struct_variant(self, _: &'static str, index: u32, _: &'static str, _: usize) -> Result<Self, GaveUp> {
        self.word(u64::from(index));
        Ok(self)
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

macro_rules! elements {
    ($($trait:ident :: $method:ident),*) => {
        $(impl ser::$trait for &mut Hasher {
            type Ok = ();
            type Error = GaveUp;

            #[inline]
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), GaveUp> {
                value.serialize(&mut **self)
            }

            #[inline]
            fn end(self) -> Result<(), GaveUp> {
                Ok(())
            }
        })*
    };
}

elements!(
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field
);

macro_rules! fields {
    ($($trait:ident),*) => {
        $(impl ser::$trait for &mut Hasher {
            type Ok = ();
            type Error = GaveUp;

            #[inline]
            fn serialize_field<T: Serialize + ?Sized>(&mut self, _: &'static str, value: &T) -> Result<(), GaveUp> {
                value.serialize(&mut **self)
            }

            #[inline]
            fn end(self) -> Result<(), GaveUp> {
                Ok(())
            }
        })*
    };
}

fields!(SerializeStruct, SerializeStructVariant);

impl ser::SerializeMap for &mut Hasher {
    type Ok = ();
    type Error = GaveUp;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), GaveUp> {
        key.serialize(&mut **self)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), GaveUp> {
        value.serialize(&mut **self)
    }

    fn end(self) -> Result<(), GaveUp> {
        Ok(())
    }
}
