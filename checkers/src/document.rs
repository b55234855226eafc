//! The JSON files that squall writes: a member names what a file is and its version, and is looked at before all else.
//!
//! ```
//! use squall_checkers::certificate::Certificate;
//!
//! let error = Certificate::from_json("{\"squall-plan\":1,\"seed\":7}").unwrap_err();
//! assert_eq!(error.to_string(), "this is no squall-certificate file, but a squall-plan file");
//! ```

use serde::de::{Deserialize, DeserializeOwned, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

/// Members that name a kind begin so.
const OURS: &str = "squall-";

pub(crate) const HISTORY: &str = "squall-history";
pub(crate) const CERTIFICATE: &str = "squall-certificate";

/// What helps where the version is not known.
pub const OTHER_SQUALL: &str = "Read it with the version of squall that wrote it, or with a later one.";

/// Why a text is no document of the kind that was asked for. Lines and columns (in characters) count from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// There is no text.
    #[error("the file is empty, and no {expected} file")]
    Empty {
        /// The member that was expected.
        expected: &'static str,
    },
    /// The text is no JSON.
    #[error("line {line}, column {column}: this is no JSON: {problem}")]
    Syntax {
        /// The member that was expected.
        expected: &'static str,
        /// The line.
        line: usize,
        /// The column.
        column: usize,
        /// What was expected there.
        problem: String,
    },
    /// The text ends too early.
    #[error("line {line}, column {column}: the text ends inside {inside}; is the file cut off?")]
    Truncated {
        /// The member that was expected.
        expected: &'static str,
        /// The line.
        line: usize,
        /// The column.
        column: usize,
        /// What was still open.
        inside: String,
    },
    /// JSON, but of another kind.
    #[error("this is no {expected} file{}", but(expected, *newest, seems.as_deref()))]
    Other {
        /// The member that was expected.
        expected: &'static str,
        /// The newest version of it.
        newest: u32,
        /// The member of another kind that it has.
        seems: Option<String>,
    },
    /// A version that this build does not read.
    #[error("this {expected} file has version {found}{}; this build reads {}", newer(*found, *newest), up_to(*newest))]
    Version {
        /// The kind.
        expected: &'static str,
        /// The file's version.
        found: u64,
        /// The newest that can be read; all before it can be, too.
        newest: u32,
    },
    /// The kind and version are right, and what is said there is not.
    #[error("line {line}, column {column}: {}{problem}", at(path))]
    Malformed {
        /// The member that was expected.
        expected: &'static str,
        /// The line.
        line: usize,
        /// The column: where the value, or what it is part of, ends.
        column: usize,
        /// The place in the document (`faults[2].target`); empty for the whole of it.
        path: String,
        /// What is there and what was expected.
        problem: String,
    },
}

fn but(expected: &str, newest: u32, seems: Option<&str>) -> String {
    match seems {
        Some(seems) => format!(", but a {seems} file"),
        None => format!(": the member `\"{expected}\": {newest}` is missing"),
    }
}

/// What is to be said of a version that is greater than all known ones.
pub(crate) fn newer(found: u64, newest: u32) -> &'static str {
    if found > u64::from(newest) { ", which a newer squall wrote" } else { "" }
}

fn up_to(newest: u32) -> String {
    if newest == 1 { "version 1".to_owned() } else { format!("versions 1 to {newest}") }
}

fn at(path: &str) -> String {
    if path.is_empty() || path == "." { String::new() } else { format!("{path}: ") }
}

/// Reads a document whose member `expected` is a version up to `newest`.
///
/// # Errors
/// What is wrong with it and where. The version is looked at alone, for nothing else can be expected of a document of another.
pub fn read<T: DeserializeOwned>(text: &str, expected: &'static str, newest: u32) -> Result<T, DocumentError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim().is_empty() {
        return Err(DocumentError::Empty { expected });
    }
    let other = |seems| DocumentError::Other { expected, newest, seems };
    let malformed = |error: &serde_json::Error, path: String| {
        let (line, column) = place(text, error);
        DocumentError::Malformed { expected, line, column, path, problem: problem(error) }
    };
    let mut reader = serde_json::Deserializer::from_str(text);
    match Head::deserialize(&mut reader) {
        // It is JSON, but no object.
        Err(error) if error.is_data() => return Err(other(None)),
        Err(error) => return Err(broken(text, expected, &error)),
        Ok(head) => match head.version(expected) {
            None => return Err(other(head.0.into_iter().next().map(|(member, _)| member))),
            // One that is no number is told with its place.
            Some(version) => {
                if let Some(found) = version.as_u64().filter(|found| *found == 0 || *found > u64::from(newest)) {
                    return Err(DocumentError::Version { expected, found, newest });
                }
            }
        },
    }
    reader.end().map_err(|error| broken(text, expected, &error))?;
    let mut reader = serde_json::Deserializer::from_str(text);
    serde_path_to_error::deserialize(&mut reader).map_err(|error| malformed(error.inner(), error.path().to_string()))
}

/// What is wrong with a text that is no JSON.
fn broken(text: &str, expected: &'static str, error: &serde_json::Error) -> DocumentError {
    let ((line, column), problem) = (place(text, error), problem(error));
    if error.is_eof() {
        let inside = problem.strip_prefix("EOF while parsing ").unwrap_or("a value").to_owned();
        return DocumentError::Truncated { expected, line, column, inside };
    }
    // A number that nobody asks for is no end of the text to who skips it.
    if problem == "invalid number" && text.ends_with(['-', '+', '.', 'e', 'E']) {
        return DocumentError::Truncated { expected, line, column, inside: "a number".to_owned() };
    }
    DocumentError::Syntax { expected, line, column, problem }
}

/// Line and column of an error, which itself counts bytes, and the last one that was taken.
fn place(text: &str, error: &serde_json::Error) -> (usize, usize) {
    let line = text.split('\n').nth(error.line().saturating_sub(1)).unwrap_or_default();
    let before = line.char_indices().take_while(|(byte, _)| *byte < error.column()).count();
    (error.line().max(1), before.max(1))
}

/// What an error says, without its place and without the words of this language.
pub(crate) fn problem(error: &serde_json::Error) -> String {
    const WORDS: [(&str, &str); 8] = [
        ("expected ident", "expected a JSON value"),
        ("expected value", "expected a JSON value"),
        ("trailing characters", "there is more after its end"),
        ("expected usize", "expected a whole number from 0 on"),
        ("expected u64", "expected a whole number from 0 on"),
        ("expected u32", "expected a whole number from 0 on"),
        ("expected internally tagged enum Verdict", "expected an object"),
        ("expected struct ", "expected an object: "),
    ];
    let text = error.to_string();
    let what = text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what);
    WORDS.iter().fold(what.to_owned(), |what, (from, to)| what.replace(from, to))
}

/// The member that names the kind of file other than a history as which a text begins.
pub(crate) fn other_than_history(beginning: &str) -> Option<&str> {
    let object = beginning.trim_start_matches('\u{feff}').trim_start().strip_prefix('{')?;
    let member = object.trim_start().strip_prefix('"')?.split('"').next()?;
    Some(member).filter(|member| member.starts_with(OURS) && *member != HISTORY)
}

/// The version by which an object, the first in this text, is of this kind; `None` where it is not, or that is no number.
pub(crate) fn version(text: &str, member: &str) -> Option<u64> {
    Head::deserialize(&mut serde_json::Deserializer::from_str(text)).ok()?.version(member)?.as_u64()
}

/// The members of an object that name its kind.
struct Head(Vec<(String, Value)>);

impl Head {
    fn version(&self, member: &str) -> Option<&Value> {
        self.0.iter().find(|(m, _)| m == member).map(|(_, version)| version)
    }
}

impl<'de> Deserialize<'de> for Head {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Head;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Head, A::Error> {
                let mut head = Head(Vec::new());
                while let Some(member) = map.next_key::<String>()? {
                    if member.starts_with(OURS) {
                        head.0.push((member, map.next_value()?));
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(head)
            }
        }

        deserializer.deserialize_map(Members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certificate::Certificate;

    const GOOD: &str = "{\"squall-certificate\":1,\"checker\":\"linearizable\",\"model\":\"register\",\"operations\":2,\
                        \"verdict\":{\"verdict\":\"valid\",\"linearization\":[0,1]}}";

    #[track_caller]
    fn check(text: &str, said: &str) {
        let error = Certificate::from_json(text).expect_err(text);
        assert_eq!(error.to_string(), said, "{text}");
    }

    #[test]
    fn a_document_is_read_with_and_without_a_mark_of_its_encoding() {
        let read = Certificate::from_json(GOOD).expect("it is one");
        assert_eq!(Certificate::from_json(&format!("\u{feff}{GOOD}\n")), Ok(read));
    }

    #[test]
    fn the_version_is_looked_at_before_all_else() {
        let said = "this squall-certificate file has version 2, which a newer squall wrote; this build reads version 1";
        check("{\"squall-certificate\":2}", said);
        check("{\"claims\":[{\"squall-certificate\":1}],\"squall-certificate\":2}", said);
        // The lines after the first need not be JSON of ours.
        check("{\"squall-certificate\":2}\n{\"claim\":1}\n??", said);
        let never = "this squall-certificate file has version 0; this build reads version 1";
        check(&GOOD.replace("e\":1", "e\":0"), never);
    }

    #[test]
    fn another_file_of_ours_is_named() {
        let said = |seems: &str| format!("this is no squall-certificate file, but a {seems} file");
        check("{\n  \"squall-case\": 1,\n  \"found\": {}\n}\n", &said("squall-case"));
        check("{\"seed\":7,\"squall-plan\":9}", &said("squall-plan"));
        check("{\"squall-history\":1}\n{\"type\":\"invoke\"}\n", &said("squall-history"));
        let missing = "this is no squall-certificate file: the member `\"squall-certificate\": 1` is missing";
        for text in ["{}", "[1,2]", "7", "0: write[x] 1", "\"squall-certificate\"", "[{:process 0, :type :invoke}]"] {
            check(text, missing);
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let check = |from: &str, to: &str, said: &str| {
            assert!(GOOD.contains(from), "{from}");
            check(&GOOD.replacen(from, to, 1), said);
        };
        let number = "expected a whole number from 0 on";
        check(
            "e\":1",
            "e\":\"one\"",
            &format!("line 1, column 27: squall-certificate: invalid type: string \"one\", {number}"),
        );
        check("\"checker\":\"linearizable\",", "", "line 1, column 110: missing field `checker`");
        check("s\":2", "s\":-2", &format!("line 1, column 83: operations: invalid value: integer `-2`, {number}"));
        check("1]", "-1]", &format!("line 1, column 136: verdict: invalid value: integer `-1`, {number}"));
        check(
            "t\":\"valid\"",
            "t\":\"fine\"",
            "line 1, column 110: verdict.verdict: unknown variant `fine`, expected one of `valid`, `unknown`, `invalid`",
        );
        check(
            "{\"verdict\":\"valid\",\"linearization\":[0,1]}",
            "\"valid\"",
            "line 1, column 100: verdict: invalid type: string \"valid\", expected an object",
        );
        check("}}", "}}}", "line 1, column 136: this is no JSON: there is more after its end");
        check("2,", "2 ", "line 1, column 84: this is no JSON: expected `,` or `}`");
        // Columns count characters.
        check("linearizable\"", "lïnéarizable\" ?", "line 1, column 50: this is no JSON: expected `,` or `}`");
    }

    #[test]
    fn a_text_that_is_cut_off_anywhere_is_said_to_be() {
        let empty = "the file is empty, and no squall-certificate file";
        for text in ["", " \n", "\u{feff}"] {
            check(text, empty);
        }
        let numbers =
            "{\"squall-certificate\":1,\"a\":-1.5e+30,\"b\":[-2E-7,{\"c\":\"\\u00e9\\n\",\"d\":[true,null]}]}";
        for text in [GOOD, numbers] {
            for end in 1..text.len() {
                let error = Certificate::from_json(&text[..end]).expect_err("it is cut off");
                assert!(matches!(error, DocumentError::Truncated { .. }), "{end}: {error}");
            }
        }
        check(&GOOD[..60], "line 1, column 60: the text ends inside a string; is the file cut off?");
    }
}
