//! The folder of a campaign: what it is, how far it came, what it found. Append-only while it runs, so that a kill at any
//! moment loses nothing that was found.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use squall_reports::records::{self, FINDINGS_FILE, Finding, RecordError, Signature, TOTALS_FILE, Totals};

use super::{ledger::Stop, protocol::SeedReport, shard::Shard};
use crate::engine::{program, seeds::Seeds, spec::Spec};

/// The file that says what the campaign is.
pub const CAMPAIGN_FILE: &str = "campaign.json";

/// The file with one line for each seed that was run.
pub const PROGRESS_FILE: &str = "progress.jsonl";

/// The version of [`CAMPAIGN_FILE`] and [`PROGRESS_FILE`].
const VERSION: u32 = 1;

/// Full records kept of each kind of failure; further ones are counted.
pub const RECORDS_PER_SIGNATURE: usize = 5;

/// What a campaign is: everything that its results depend on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charter {
    /// The version of this file.
    pub version: u32,
    /// What the seeds are run against.
    pub spec: Spec,
    /// The seeds.
    pub seeds: Seeds,
    /// When it ends before its seeds do.
    #[serde(default)]
    pub stop: Stop,
    /// Where it is one machine's part of a larger one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<Part>,
}

/// One machine's part of a campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Which part.
    pub shard: Shard,
    /// The seeds of all machines together.
    pub whole: Seeds,
}

impl Charter {
    /// A charter of the version that this build writes.
    pub fn new(spec: Spec, seeds: Seeds, stop: Stop) -> Self {
        Charter { version: VERSION, spec, seeds, stop, shard: None }
    }

    /// One machine's part of this campaign; `None` when no seed is left for it.
    pub fn part(self, shard: Shard) -> Option<Self> {
        let seeds = shard.part(self.seeds)?;
        Some(Charter { seeds, shard: Some(Part { shard, whole: self.seeds }), ..self })
    }

    /// The seeds of all machines together.
    pub fn whole(&self) -> Seeds {
        self.shard.map_or(self.seeds, |part| part.whole)
    }
}

/// Why a campaign's folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The file system said no.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// What the file system said.
        source: io::Error,
    },
    /// A record could not be written or read.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// There is a campaign in it already.
    #[error("{} already holds a campaign; go on with it by `--resume`, or name another folder", .0.display())]
    Taken(PathBuf),
    /// There is none in it.
    #[error("{} holds no campaign: it has no {CAMPAIGN_FILE}", .0.display())]
    None(PathBuf),
    /// Another process is at work in it.
    #[error("another campaign is running in {}", .0.display())]
    Busy(PathBuf),
    /// A file of it is not what it should be.
    #[error("{}:{line}:{column}: {problem}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What is wrong.
        problem: String,
    },
}

impl FolderError {
    fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| FolderError::Io { action, path: path.to_owned(), source }
    }
}

/// A campaign's folder, open for writing by this process alone.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// Holds the lock.
    _charter: File,
    progress: File,
    kept: BTreeMap<Signature, BTreeMap<u64, Finding>>,
}

impl Folder {
    /// Makes the folder, with all above it, for a new campaign.
    ///
    /// # Errors
    /// When it cannot be written or holds a campaign.
    pub fn create(path: &Path, charter: &Charter) -> Result<Self, FolderError> {
        fs::create_dir_all(path).map_err(FolderError::io("make the folder", path))?;
        let file = path.join(CAMPAIGN_FILE);
        let mut text = serde_json::to_vec_pretty(charter).map_err(|e| FolderError::io("encode", &file)(e.into()))?;
        text.push(b'\n');
        let mut opened = match File::create_new(&file) {
            Ok(opened) => opened,
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => return Err(FolderError::Taken(path.to_owned())),
            Err(e) => return Err(FolderError::io("write", &file)(e)),
        };
        lock(&opened, path)?;
        opened.write_all(&text).and_then(|()| opened.sync_all()).map_err(FolderError::io("write", &file))?;
        Ok(Folder { path: path.to_owned(), _charter: opened, progress: open_progress(path)?, kept: BTreeMap::new() })
    }

    /// Opens the folder of a campaign that was cut short, and reads how far it came. A last line that was cut off is dropped:
    /// its seed runs again.
    ///
    /// # Errors
    /// When it holds none, is in use, or its files are not what they should be.
    pub fn resume(path: &Path) -> Result<(Self, Charter, Vec<SeedReport>), FolderError> {
        let charter = read_charter(path)?;
        let file = path.join(CAMPAIGN_FILE);
        let opened = OpenOptions::new().read(true).write(true).open(&file).map_err(FolderError::io("open", &file))?;
        lock(&opened, path)?;
        let reports = read_progress(&path.join(PROGRESS_FILE))?;
        let mut kept: BTreeMap<Signature, BTreeMap<u64, Finding>> = BTreeMap::new();
        for finding in findings(path)? {
            let records = kept.entry(finding.signature.clone()).or_default();
            records.insert(finding.seed, finding);
            if records.len() > RECORDS_PER_SIGNATURE {
                records.pop_last();
            }
        }
        let folder = Folder { path: path.to_owned(), _charter: opened, progress: open_progress(path)?, kept };
        Ok((folder, charter, reports))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The failures of which there are records enough of seeds before this one: whatever happens, no record of it is kept.
    pub fn known_before(&self, seed: u64) -> Vec<Signature> {
        let enough = |records: &BTreeMap<u64, Finding>| records.range(..seed).nth(RECORDS_PER_SIGNATURE - 1).is_some();
        self.kept.iter().filter(|(_, records)| enough(records)).map(|(signature, _)| signature.clone()).collect()
    }

    /// Appends what came of a seed: findings first, so that a seed that is marked as done has all its findings on file.
    ///
    /// # Errors
    /// When the folder cannot be written, as on a full disk. The findings are kept in memory all the same.
    pub fn append(&mut self, report: &SeedReport, findings: Vec<Finding>) -> Result<(), FolderError> {
        let mut result = Ok(());
        for finding in findings {
            let records = self.kept.entry(finding.signature.clone()).or_default();
            if records.range(..finding.seed).nth(RECORDS_PER_SIGNATURE - 1).is_some() {
                continue;
            }
            if result.is_ok() {
                result = records::append(&self.path.join(FINDINGS_FILE), &finding);
            }
            records.insert(finding.seed, finding);
            if records.len() > RECORDS_PER_SIGNATURE {
                records.pop_last();
            }
        }
        result?;
        let mut line = serde_json::to_vec(report).map_err(|e| self.progress_error(e.into()))?;
        line.push(b'\n');
        self.progress.write_all(&line).map_err(|e| self.progress_error(e))
    }

    /// The findings kept so far, of seeds up to `last`: by seed, then by signature.
    pub fn findings(&self, last: u64) -> Vec<Finding> {
        let mut all: Vec<Finding> =
            self.kept.values().flat_map(|records| records.range(..=last)).map(|(_, f)| f.clone()).collect();
        all.sort_by(|a, b| (a.seed, &a.signature).cmp(&(b.seed, &b.signature)));
        all
    }

    /// Puts a more telling record in the place of an old one, and writes down its case if it has one.
    ///
    /// # Errors
    /// When the case cannot be written.
    pub fn explain(&mut self, mut finding: Finding) -> Result<(), FolderError> {
        let name = finding.minimised.as_ref().and_then(|m| m.case_file.clone());
        if let (Some(name), Some(case)) = (name, &finding.case) {
            let path = self.path.join(name);
            fs::write(&path, case).map_err(FolderError::io("write", &path))?;
            finding.replay = program::about("replay", &path);
        }
        self.kept.entry(finding.signature.clone()).or_default().insert(finding.seed, finding);
        Ok(())
    }

    /// Writes the findings up to seed `last` in the order of seeds, in one stroke, and the totals: the folder then is the same
    /// whatever the number of jobs was.
    ///
    /// # Errors
    /// When the folder cannot be written. What was appended before is still there.
    pub fn settle(&self, last: u64, totals: &Totals) -> Result<(), FolderError> {
        let path = self.path.join(FINDINGS_FILE);
        let beside = self.path.join("findings.jsonl.new");
        let findings = self.findings(last);
        match fs::remove_file(&beside) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(FolderError::io("replace", &beside)(e)),
            _ => {}
        }
        if findings.is_empty() {
            File::create(&beside).map_err(FolderError::io("write", &beside))?;
        }
        for finding in &findings {
            records::append(&beside, finding)?;
        }
        fs::rename(&beside, &path).map_err(FolderError::io("replace", &path))?;
        Ok(records::write_totals(&self.path.join(TOTALS_FILE), totals)?)
    }

    fn progress_error(&self, source: io::Error) -> FolderError {
        FolderError::io("append to", &self.path.join(PROGRESS_FILE))(source)
    }
}

/// What the campaign in this folder is.
///
/// # Errors
/// When there is none, or its file is not what it should be.
pub fn read_charter(path: &Path) -> Result<Charter, FolderError> {
    #[derive(Deserialize)]
    struct Head {
        version: u32,
    }

    let file = path.join(CAMPAIGN_FILE);
    let text = match fs::read_to_string(&file) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(FolderError::None(path.to_owned())),
        read => read.map_err(FolderError::io("read", &file))?,
    };
    let malformed = |e: &serde_json::Error| malformed(&file, 0, e);
    let head: Head = serde_json::from_str(&text).map_err(|e| malformed(&e))?;
    if head.version != VERSION {
        let problem = format!("version {} of a campaign; this build understands {VERSION}", head.version);
        return Err(FolderError::Malformed { path: file, line: 1, column: 1, problem });
    }
    serde_json::from_str(&text).map_err(|e| malformed(&e))
}

/// The findings in this folder; none when nothing was found yet. A last line that was cut off is left out.
///
/// # Errors
/// When they cannot be read.
pub fn findings(path: &Path) -> Result<Vec<Finding>, FolderError> {
    match records::read_all(&path.join(FINDINGS_FILE)) {
        Ok((findings, _)) => Ok(findings),
        Err(RecordError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(e.into()),
    }
}

/// What came of each seed that was run, as far as this folder says; a last line that was cut off is left out.
///
/// # Errors
/// When it cannot be read.
pub fn reports(path: &Path) -> Result<Vec<SeedReport>, FolderError> {
    whole_lines(&path.join(PROGRESS_FILE)).map(|(reports, _)| reports)
}

#[expect(clippy::disallowed_methods, reason = "waits for another process")]
fn lock(file: &File, path: &Path) -> Result<(), FolderError> {
    for _ in 0..LOCK_TRIES {
        match file.try_lock() {
            // A process that was just forked holds its parent's files for a moment.
            Err(TryLockError::WouldBlock) => thread::sleep(LOCK_AGAIN),
            // On a file system without locks nobody is kept out.
            Ok(()) | Err(TryLockError::Error(_)) => return Ok(()),
        }
    }
    Err(FolderError::Busy(path.to_owned()))
}

/// How often a lock is tried before somebody is said to be at work.
const LOCK_TRIES: u32 = 20;
const LOCK_AGAIN: Duration = Duration::from_millis(25);

fn open_progress(path: &Path) -> Result<File, FolderError> {
    let file = path.join(PROGRESS_FILE);
    OpenOptions::new().append(true).create(true).open(&file).map_err(FolderError::io("open", &file))
}

/// Reads the reports, and cuts off a half line at the end so that the next one does not run into it.
fn read_progress(file: &Path) -> Result<Vec<SeedReport>, FolderError> {
    let (reports, cut_off) = whole_lines(file)?;
    if let Some(whole) = cut_off {
        let opened = OpenOptions::new().write(true).open(file).map_err(FolderError::io("open", file))?;
        opened.set_len(whole).map_err(FolderError::io("repair the end of", file))?;
    }
    Ok(reports)
}

/// The reports of all whole lines, and where the last of these ends if a half one follows.
fn whole_lines(file: &Path) -> Result<(Vec<SeedReport>, Option<u64>), FolderError> {
    let bytes = match fs::read(file) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok((Vec::new(), None)),
        read => read.map_err(FolderError::io("read", file))?,
    };
    let whole = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
    let lines = bytes[..whole].split_inclusive(|b| *b == b'\n').enumerate();
    let report =
        |(i, line): (usize, &[u8])| serde_json::from_slice(line.trim_ascii_end()).map_err(|e| malformed(file, i, &e));
    let reports = lines.map(report).collect::<Result<_, _>>()?;
    Ok((reports, (whole < bytes.len()).then_some(whole as u64)))
}

fn malformed(file: &Path, lines_before: usize, error: &serde_json::Error) -> FolderError {
    let place = format!(" at line {} column {}", error.line(), error.column());
    let text = error.to_string();
    FolderError::Malformed {
        path: file.to_owned(),
        line: lines_before + error.line().max(1),
        column: error.column(),
        problem: text.strip_suffix(&place).unwrap_or(&text).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use squall_reports::records::{FailureKind, OperationCounts};

    use super::*;
    use crate::engine::run::Class;

    fn signature() -> Signature {
        Signature::of_failure("s", FailureKind::Panic)
    }

    fn report(seed: u64) -> SeedReport {
        SeedReport {
            seed,
            class: Class::Failed(FailureKind::Panic),
            signatures: vec![signature()],
            inside_promise: true,
            inconclusive: None,
            operations: OperationCounts::default(),
            messages: 0,
            simulated_ns: 0,
            faults: Vec::new(),
            cpu_us: 0,
            judging_us: 0,
        }
    }

    fn finding(seed: u64) -> Finding {
        Finding { seed, signature: signature(), ..Finding::default() }
    }

    fn charter() -> Charter {
        Charter::new(Spec::of("s"), Seeds { start: 0, end: 100 }, Stop::default())
    }

    #[test]
    fn the_records_kept_are_those_of_the_first_seeds_whatever_the_order() {
        let seeds = |order: Vec<u64>| {
            let place = tempfile::tempdir().expect("a folder");
            let mut folder = Folder::create(&place.path().join("out"), &charter()).expect("a new folder");
            for seed in order {
                folder.append(&report(seed), vec![finding(seed)]).expect("it can be written");
            }
            assert_eq!(folder.known_before(5), Vec::new(), "a record of an earlier seed is still wanted");
            assert_eq!(folder.known_before(6), [signature()]);
            let path = folder.path().to_owned();
            drop(folder);
            // It was killed before it had settled.
            let (folder, ..) = Folder::resume(&path).expect("a folder to go on with");
            folder.settle(99, &Totals::default()).expect("it can be written");
            findings(folder.path()).expect("they are there").iter().map(|f| f.seed).collect::<Vec<_>>()
        };
        assert_eq!(seeds((1..20).collect()), [1, 2, 3, 4, 5]);
        assert_eq!(seeds((1..20).rev().collect()), [1, 2, 3, 4, 5]);
    }

    #[test]
    fn what_was_written_is_there_after_a_kill_and_half_lines_are_dropped() {
        let place = tempfile::tempdir().expect("a folder");
        let path = place.path().join("out");
        let mut folder = Folder::create(&path, &charter()).expect("a new folder");
        for seed in [4, 2] {
            folder.append(&report(seed), vec![finding(seed)]).expect("it can be written");
        }
        assert!(matches!(Folder::resume(&path), Err(FolderError::Busy(_))), "its owner is at work");
        drop(folder);
        for file in [PROGRESS_FILE, FINDINGS_FILE] {
            let mut opened = OpenOptions::new().append(true).open(path.join(file)).expect("a file");
            opened.write_all(b"{\"seed\":9,\"ver").expect("it can be written");
        }
        let (mut folder, resumed, reports) = Folder::resume(&path).expect("a folder to go on with");
        assert_eq!(resumed, charter());
        assert_eq!(reports, [report(4), report(2)]);
        assert_eq!(folder.findings(99), [finding(2), finding(4)]);
        folder.append(&report(9), vec![finding(9)]).expect("it can be written");
        drop(folder);
        let (folder, _, reports) = Folder::resume(&path).expect("a folder to go on with");
        assert_eq!((reports.len(), folder.findings(99).len()), (3, 3));
    }

    #[test]
    fn a_report_that_is_none_is_told_with_its_place() {
        let place = tempfile::tempdir().expect("a folder");
        let path = place.path().join("out");
        drop(Folder::create(&path, &charter()).expect("a new folder"));
        fs::write(path.join(PROGRESS_FILE), "\n{\"seed\":1}\n").expect("it can be written");
        let error = Folder::resume(&path).expect_err("the first line is empty");
        assert!(matches!(&error, FolderError::Malformed { line: 1, .. }), "{error}");
    }
}
