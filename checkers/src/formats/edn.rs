//! Just enough EDN for Jepsen's histories: every form is read, what a history does not need becomes text; values are written.

use std::collections::BTreeMap;

use super::{
    ParseError, Place,
    cursor::{Cursor, DEPTH_MAX},
};
use crate::value::Value;

/// A form and where it begins.
#[derive(Clone, Debug)]
pub(super) struct Form {
    pub(super) at: Place,
    pub(super) edn: Edn,
}

#[derive(Clone, Debug)]
pub(super) enum Edn {
    Nil,
    Bool(bool),
    Int(i64),
    Text(String),
    Keyword(String),
    /// Symbols, characters and numbers that are no integers of 64 bits.
    Other(String),
    /// Vectors, lists and sets.
    Sequence(Vec<Form>),
    Map(Vec<(Form, Form)>),
}

impl Form {
    /// What the map says of the keyword.
    pub(super) fn get(&self, name: &str) -> Option<&Form> {
        let Edn::Map(pairs) = &self.edn else { return None };
        pairs.iter().find(|(k, _)| matches!(&k.edn, Edn::Keyword(word) if word == name)).map(|(_, value)| value)
    }

    /// Whether it is a number of any kind.
    pub(super) fn is_number(&self) -> bool {
        match &self.edn {
            Edn::Int(_) => true,
            Edn::Other(word) => word.trim_start_matches(['+', '-']).starts_with(|c: char| c.is_ascii_digit()),
            _ => false,
        }
    }

    /// The form in a few words, for people.
    pub(super) fn shown(&self) -> String {
        match &self.edn {
            Edn::Nil => "nil".to_owned(),
            Edn::Bool(b) => b.to_string(),
            Edn::Int(i) => i.to_string(),
            Edn::Text(text) => format!("the text {text:?}"),
            Edn::Keyword(word) => format!("`:{word}`"),
            Edn::Other(word) => format!("`{word}`"),
            Edn::Sequence(_) => "a list".to_owned(),
            Edn::Map(_) => "a map".to_owned(),
        }
    }

    /// The form as a value: keywords and symbols become text, sequences lists.
    pub(super) fn value(&self) -> Value {
        match &self.edn {
            Edn::Nil => Value::Nil,
            Edn::Bool(b) => Value::Bool(*b),
            Edn::Int(i) => Value::Int(*i),
            Edn::Text(text) | Edn::Keyword(text) | Edn::Other(text) => text.as_str().into(),
            Edn::Sequence(forms) => Value::List(forms.iter().map(Form::value).collect()),
            Edn::Map(pairs) => pairs.iter().map(|(k, v)| (k.value(), v.value())).collect::<BTreeMap<_, _>>().into(),
        }
    }
}

/// The next form, within so many others; `None` at the end.
pub(super) fn next(cursor: &mut Cursor<'_>, depth: usize) -> Result<Option<Form>, ParseError> {
    form(cursor, depth)
}

/// Passes over spaces, comments and forms to be discarded.
pub(super) fn skip(cursor: &mut Cursor<'_>) -> Result<(), ParseError> {
    skip_to(cursor, 0)
}

fn skip_to(cursor: &mut Cursor<'_>, depth: usize) -> Result<(), ParseError> {
    loop {
        cursor.take_while(|c| c.is_whitespace() || c == ',');
        if cursor.peek() == Some(';') {
            cursor.take_while(|c| c != '\n');
        } else if cursor.eat("#_") {
            if form(cursor, depth + 1)?.is_none() {
                return Err(cursor.expected("the form to discard"));
            }
        } else {
            return Ok(());
        }
    }
}

/// Reads one form; `None` at the end of the text or before a closing bracket.
fn form(cursor: &mut Cursor<'_>, depth: usize) -> Result<Option<Form>, ParseError> {
    if depth > DEPTH_MAX {
        return Err(cursor.expected("forms nested at most 64 deep"));
    }
    skip_to(cursor, depth)?;
    let at = cursor.place();
    let edn = match cursor.peek() {
        None | Some(')' | ']' | '}') => return Ok(None),
        Some('(') => Edn::Sequence(sequence(cursor, "(", ")", depth)?),
        Some('[') => Edn::Sequence(sequence(cursor, "[", "]", depth)?),
        Some('{') => Edn::Map(map(cursor, depth)?),
        Some('"') => Edn::Text(cursor.string()?),
        Some(':') => {
            cursor.next();
            match cursor.take_while(is_symbol) {
                "" => return Err(cursor.expected("the name of a keyword")),
                name => Edn::Keyword(name.to_owned()),
            }
        }
        Some('\\') => {
            cursor.next();
            let first = cursor.next().ok_or_else(|| cursor.expected("a character"))?;
            Edn::Other(format!("{first}{}", cursor.take_while(char::is_alphanumeric)))
        }
        Some('#') if cursor.starts_with("#{") => {
            cursor.next();
            Edn::Sequence(sequence(cursor, "{", "}", depth)?)
        }
        Some('#') => {
            // A tag says how to read the next form, which is enough as it is.
            cursor.next();
            cursor.take_while(is_symbol);
            return match form(cursor, depth + 1)? {
                Some(form) => Ok(Some(form)),
                None => Err(cursor.expected("the form after a tag")),
            };
        }
        Some(c) if is_symbol(c) => atom(cursor.take_while(is_symbol)),
        Some(_) => return Err(cursor.expected("a form of EDN")),
    };
    Ok(Some(Form { at, edn }))
}

fn atom(word: &str) -> Edn {
    match word {
        "nil" => Edn::Nil,
        "true" => Edn::Bool(true),
        "false" => Edn::Bool(false),
        _ => word.trim_end_matches('N').parse().map_or_else(|_| Edn::Other(word.to_owned()), Edn::Int),
    }
}

fn is_symbol(c: char) -> bool {
    !c.is_whitespace() && !matches!(c, ',' | ';' | '"' | '(' | ')' | '[' | ']' | '{' | '}' | '\\')
}

/// How deep a value nests; 0 for one that holds no other.
pub(super) fn depth(value: &Value) -> usize {
    let inside = match value {
        Value::List(values) => values.iter().map(depth).max(),
        Value::Map(pairs) => pairs.iter().map(|(key, value)| depth(key).max(depth(value))).max(),
        _ => return 0,
    };
    1 + inside.unwrap_or_default()
}

/// Writes a value; texts are strings. Nothing for bytes, which EDN has no form for.
pub(super) fn write(out: &mut String, value: &Value) -> Option<()> {
    match value {
        Value::Nil | Value::Bool(_) | Value::Int(_) => out.push_str(&value.to_string()),
        Value::Text(text) => out.push_str(&serde_json::Value::from(text.as_str()).to_string()),
        Value::Bytes(_) => return None,
        Value::List(values) => {
            out.push('[');
            for (i, value) in values.iter().enumerate() {
                out.push_str(if i == 0 { "" } else { " " });
                write(out, value)?;
            }
            out.push(']');
        }
        Value::Map(pairs) => {
            out.push('{');
            for (i, (key, value)) in pairs.iter().enumerate() {
                out.push_str(if i == 0 { "" } else { ", " });
                write(out, key)?;
                out.push(' ');
                write(out, value)?;
            }
            out.push('}');
        }
    }
    Some(())
}

/// Writes a name: a keyword if it can be one, else a string.
pub(super) fn write_word(out: &mut String, word: &str) {
    if !word.is_empty() && word.chars().all(is_symbol) {
        out.push(':');
        out.push_str(word);
    } else {
        out.push_str(&serde_json::Value::from(word).to_string());
    }
}

fn sequence(cursor: &mut Cursor<'_>, open: &str, close: &str, depth: usize) -> Result<Vec<Form>, ParseError> {
    cursor.eat(open);
    let mut forms = Vec::new();
    while let Some(form) = form(cursor, depth + 1)? {
        forms.push(form);
    }
    if cursor.eat(close) { Ok(forms) } else { Err(cursor.expected(&format!("a form or `{close}`"))) }
}

fn map(cursor: &mut Cursor<'_>, depth: usize) -> Result<Vec<(Form, Form)>, ParseError> {
    cursor.eat("{");
    let mut pairs = Vec::new();
    while let Some(key) = form(cursor, depth + 1)? {
        match form(cursor, depth + 1)? {
            Some(value) => pairs.push((key, value)),
            None => return Err(cursor.expected("the value that belongs to a key")),
        }
    }
    if cursor.eat("}") { Ok(pairs) } else { Err(cursor.expected("a key or `}`")) }
}
