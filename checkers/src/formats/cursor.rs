//! Walking over a text character by character, knowing line and column.

use super::{ParseError, Place};

/// How deep values may nest.
pub(super) const DEPTH_MAX: usize = 64;

/// A place in a text that moves forward.
#[derive(Clone, Debug)]
pub(super) struct Cursor<'t> {
    rest: &'t str,
    at: Place,
}

impl<'t> Cursor<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Cursor { rest: text.trim_start_matches('\u{feff}'), at: Place { line: 1, column: 1 } }
    }

    /// The part of a text that begins at this place.
    pub(super) fn at(text: &'t str, at: Place) -> Self {
        Cursor { rest: text, at }
    }

    /// What is left of the text.
    pub(super) fn rest(&self) -> &'t str {
        self.rest
    }

    pub(super) fn place(&self) -> Place {
        self.at
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    pub(super) fn starts_with(&self, prefix: &str) -> bool {
        self.rest.starts_with(prefix)
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.rest = &self.rest[c.len_utf8()..];
        if c == '\n' {
            self.at = Place { line: self.at.line + 1, column: 1 };
        } else {
            self.at.column += 1;
        }
        Some(c)
    }

    /// Takes `text` if it comes next.
    pub(super) fn eat(&mut self, text: &str) -> bool {
        let comes = self.starts_with(text);
        if comes {
            text.chars().for_each(|_| {
                self.next();
            });
        }
        comes
    }

    /// Takes all characters that fit.
    pub(super) fn take_while(&mut self, fits: impl Fn(char) -> bool) -> &'t str {
        let start = self.rest;
        while self.peek().is_some_and(&fits) {
            self.next();
        }
        &start[..start.len() - self.rest.len()]
    }

    /// The error that something else should be here.
    pub(super) fn expected(&self, expected: &str) -> ParseError {
        let shown: String = self.rest.chars().take_while(|c| !c.is_whitespace()).take(24).collect();
        let found = match self.peek() {
            None => "the end".to_owned(),
            Some('\n') => "the end of the line".to_owned(),
            Some(c) if c.is_whitespace() => "a space".to_owned(),
            Some(_) => format!("`{shown}`"),
        };
        ParseError::new(self.at, expected, found)
    }

    /// A string in double quotes, with the escapes of JSON.
    pub(super) fn string(&mut self) -> Result<String, ParseError> {
        self.string_of("a string that ends with `\"`", |_| true)
    }

    /// One that may not go on in the next line.
    pub(super) fn string_in_line(&mut self) -> Result<String, ParseError> {
        self.string_of("a string that ends with `\"` in its line", |c| c != '\n')
    }

    fn string_of(&mut self, expected: &str, fits: impl Fn(char) -> bool) -> Result<String, ParseError> {
        let start = self.clone();
        if !self.eat("\"") {
            return Err(self.expected("a string in double quotes"));
        }
        let mut text = String::new();
        loop {
            let before = self.clone();
            match self.next().filter(|c| fits(*c)) {
                // Where it should have ended nobody knows.
                None => return Err(start.expected(expected)),
                Some('"') => return Ok(text),
                Some('\\') => match self.escape() {
                    Some(c) => text.push(c),
                    None => return Err(before.expected("one of the escapes \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX")),
                },
                Some(c) => text.push(c),
            }
        }
    }

    fn escape(&mut self) -> Option<char> {
        Some(match self.next()? {
            c @ ('"' | '\\' | '/') => c,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let mut code = 0;
                for _ in 0..4 {
                    code = code * 16 + self.next()?.to_digit(16)?;
                }
                char::from_u32(code)?
            }
            _ => return None,
        })
    }
}
