//! Reading and writing the files of a campaign's folder, so that no kill and no full disk loses what was found before.

use std::{
    fmt, fs,
    fs::{File, OpenOptions},
    io,
    io::{Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use thiserror::Error;

use super::{Finding, Totals, UNDERSTOOD_VERSIONS, version::understood};

/// The name of the file of findings in a campaign's folder.
pub const FINDINGS_FILE: &str = "findings.jsonl";

/// The name of the file of totals in a campaign's folder.
pub const TOTALS_FILE: &str = "totals.json";

/// Why a record could not be read or written.
#[derive(Debug, Error)]
pub enum RecordError {
    /// The file system said no.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the file system said.
        source: io::Error,
    },
    /// A line is no record.
    #[error("{}:{line}:{column}: not a record of this kind: {problem}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column, from 1; 0 where the parser does not know it.
        column: usize,
        /// What is wrong and what was expected.
        problem: String,
    },
    /// A record of another version.
    #[error("{}:{line}: this record has version {found}; this build understands {}", path.display(), understood())]
    Version {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The version it has.
        found: u64,
    },
}

impl RecordError {
    fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| RecordError::Io { action, path: path.to_owned(), source }
    }
}

/// Says that the last line of a file was cut off, as by a kill in the middle of a write. All lines before it were read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Truncated {
    /// The file.
    pub path: PathBuf,
    /// The line that was cut off, from 1.
    pub line: usize,
    /// How much of it is there.
    pub bytes: usize,
}

impl fmt::Display for Truncated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Truncated { path, line, bytes } = self;
        write!(f, "{}:{line}: the last record is cut off after {bytes} bytes and was skipped", path.display())
    }
}

/// Appends a record as one line and hands it to the operating system before it returns; makes the file when there is none.
///
/// When an earlier writer was killed in the middle of its last line, that half line is cut off first, so that it spoils no
/// later record. One writer at a time.
///
/// # Errors
/// [`RecordError::Io`] when the file cannot be opened or written. A half written line is repaired by the next call.
pub fn append(path: &Path, record: &Finding) -> Result<(), RecordError> {
    let mut line = to_json(path, record)?;
    line.push(b'\n');
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(RecordError::io("open", path))?;
    mend_end(&mut file).map_err(RecordError::io("repair the end of", path))?;
    file.write_all(&line).and_then(|()| file.sync_data()).map_err(RecordError::io("append to", path))
}

/// Leaves the cursor at the end of a file that is empty or ends with a whole line.
fn mend_end(file: &mut File) -> io::Result<()> {
    let end = file.seek(SeekFrom::End(0))?;
    if end == 0 {
        return Ok(());
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    if last == *b"\n" {
        return Ok(());
    }
    let mut all = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut all)?;
    let keep = all.iter().rposition(|&b| b == b'\n').map_or(0, |i| i + 1);
    if serde_json::from_slice::<serde::de::IgnoredAny>(&all[keep..]).is_ok() {
        return file.write_all(b"\n"); // only the line break is missing
    }
    file.set_len(keep as u64)?;
    file.seek(SeekFrom::End(0)).map(drop)
}

/// Reads all findings of a file, in the order in which they were found. Blank lines are skipped.
///
/// A last line that was cut off is not an error: it is told beside the findings.
///
/// # Errors
/// [`RecordError::Io`] when the file cannot be read, [`RecordError::Version`] for a record of another version and
/// [`RecordError::Malformed`] for any other line that is no finding.
pub fn read_all(path: &Path) -> Result<(Vec<Finding>, Option<Truncated>), RecordError> {
    let bytes = fs::read(path).map_err(RecordError::io("read", path))?;
    let mut findings = Vec::new();
    let mut lines = bytes.split_inclusive(|&b| b == b'\n').enumerate().peekable();
    while let Some((index, line)) = lines.next() {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let cut_off = lines.peek().is_none() && !line.ends_with(b"\n");
        match parse(path, index + 1, line.trim_ascii_end()) {
            Ok(finding) => findings.push(finding),
            Err(RecordError::Malformed { .. }) if cut_off => {
                return Ok((findings, Some(Truncated { path: path.to_owned(), line: index + 1, bytes: line.len() })));
            }
            Err(e) => return Err(e),
        }
    }
    Ok((findings, None))
}

/// Replaces the totals as a whole: whoever reads sees the old or the new ones, never a half.
///
/// # Errors
/// [`RecordError::Io`] when the folder cannot be written.
pub fn write_totals(path: &Path, totals: &Totals) -> Result<(), RecordError> {
    let mut text = to_json(path, totals)?;
    text.push(b'\n');
    let beside = path.with_extension("json.new");
    fs::write(&beside, text).map_err(RecordError::io("write", &beside))?;
    fs::rename(&beside, path).map_err(RecordError::io("replace", path))
}

/// Reads the totals.
///
/// # Errors
/// As [`read_all`].
pub fn read_totals(path: &Path) -> Result<Totals, RecordError> {
    let bytes = fs::read(path).map_err(RecordError::io("read", path))?;
    parse(path, 1, &bytes)
}

fn to_json<T: Serialize>(path: &Path, record: &T) -> Result<Vec<u8>, RecordError> {
    serde_json::to_vec(record).map_err(|e| RecordError::io("encode a record for", path)(e.into()))
}

/// Parses one record whose first line is line `line` of the file. The version is looked at first and alone, for nothing else
/// can be expected of a record of another version.
fn parse<T: DeserializeOwned>(path: &Path, line: usize, text: &[u8]) -> Result<T, RecordError> {
    #[derive(Deserialize)]
    struct Head {
        version: u64,
    }

    let malformed = |e: serde_json::Error| {
        let (text, place) = (e.to_string(), format!(" at line {} column {}", e.line(), e.column()));
        RecordError::Malformed {
            path: path.to_owned(),
            line: line + e.line().saturating_sub(1),
            column: e.column(),
            problem: text.strip_suffix(&place).unwrap_or(&text).to_owned(),
        }
    };
    let Head { version: found } = serde_json::from_slice(text).map_err(malformed)?;
    if !UNDERSTOOD_VERSIONS.iter().any(|&v| u64::from(v) == found) {
        return Err(RecordError::Version { path: path.to_owned(), line, found });
    }
    serde_json::from_slice(text).map_err(malformed)
}
