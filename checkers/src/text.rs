//! The text inside a [`Value`](crate::value::Value): in two words, and without memory of its own where it is short.

use std::{
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
    ops::Deref,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes that fit in place.
const SHORT_MAX: usize = 14;

/// A text. It is read as a `str`, and made from one or from a `String`.
#[derive(Clone)]
pub struct Text(Held);

/// A text is never both: equal texts are held alike.
#[derive(Clone)]
enum Held {
    Short {
        length: u8,
        /// Zero behind the text.
        bytes: [u8; SHORT_MAX],
    },
    #[expect(clippy::box_collection, reason = "a boxed `str` would be a word longer")]
    Long(Box<String>),
}

impl Text {
    /// The text.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Held::Short { .. } => std::str::from_utf8(self.as_bytes()).expect("it was made from a text"),
            Held::Long(text) => text,
        }
    }

    /// Its UTF-8; cheaper than the text.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Held::Short { length, bytes } => &bytes[..usize::from(*length)],
            Held::Long(text) => text.as_bytes(),
        }
    }

    /// Adds a text at the end.
    pub fn push_str(&mut self, more: &str) {
        match &mut self.0 {
            Held::Long(text) => text.push_str(more),
            Held::Short { .. } => *self = [self.as_str(), more].concat().into(),
        }
    }

    fn short(text: &str) -> Option<Text> {
        let mut bytes = [0; SHORT_MAX];
        bytes.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        Some(Text(Held::Short { length: text.len() as u8, bytes }))
    }
}

impl From<&str> for Text {
    #[inline]
    fn from(text: &str) -> Self {
        Text::short(text).unwrap_or_else(|| Text(Held::Long(Box::new(text.to_owned()))))
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Text::short(&text).unwrap_or_else(|| Text(Held::Long(Box::new(text))))
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.as_str(), f)
    }
}

impl PartialEq for Text {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Held::Short { length: n, bytes: a }, Held::Short { length: m, bytes: b }) => n == m && a == b,
            (Held::Long(a), Held::Long(b)) => a == b,
            _ => false,
        }
    }
}

impl Eq for Text {}

impl PartialEq<str> for Text {
    #[inline]
    fn eq(&self, other: &str) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Text {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Text::from)
    }
}

impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_what_they_were_made_from() {
        let texts = ["", "r", "fourteen bytes", "fifteen bytes!!", "ä", "äöüäöüä", "äöüäöüäö", "\0", "\0\0"];
        for a in texts {
            let text = Text::from(a);
            assert_eq!((text.as_str(), text.as_bytes(), &*text), (a, a.as_bytes(), a));
            assert_eq!(Text::from(a.to_owned()), text);
            assert_eq!(format!("{text} {text:?}"), format!("{a} {a:?}"));
            for b in texts {
                assert_eq!(text.cmp(&Text::from(b)), a.cmp(b), "{a:?} {b:?}");
                let other = Text::from(b);
                assert_eq!(text == other, a == b, "{a:?} {b:?}");
                assert_eq!(text == *b, a == b, "{a:?} {b:?}");
            }
        }
    }

    #[test]
    fn texts_grow() {
        let (mut text, mut expected) = (Text::from(""), String::new());
        for more in ["", "ab", "äöü", "", "123456", "7", "8"] {
            text.push_str(more);
            expected.push_str(more);
            assert_eq!(text, Text::from(expected.as_str()), "{expected}");
        }
    }

    #[test]
    fn values_are_three_words() {
        assert_eq!((size_of::<Text>(), size_of::<crate::value::Value>()), (16, 24));
    }
}
