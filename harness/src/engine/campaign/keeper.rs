//! The keeper of one worker process: starts it, asks it, and ends it when it hangs or takes too much memory.

use std::{
    ffi::OsString,
    io::{self, BufRead, BufReader, Read, Write},
    os::unix::process::{CommandExt, ExitStatusExt},
    path::PathBuf,
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread::{self, JoinHandle},
    time::Duration,
};

use squall_reports::records::{Failure, FailureKind};

use super::{
    protocol::{Answer, Request},
    watch::resident_bytes,
};
use crate::engine::{program, spec::Spec, stopwatch::Stopwatch};

/// How often a waiting keeper looks at memory, clock and whether it is still wanted.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How much of what a worker wrote to stderr is kept for the verdict on its death.
const STDERR_KEPT_BYTES: usize = 4096;

/// What Rust says before it aborts for want of memory.
const OUT_OF_MEMORY: &str = "memory allocation of";

/// How to start a worker: this very program, with a hidden subcommand.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
}

/// What one seed may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Real time, after which it hangs.
    pub hang_after: Duration,
    /// Memory beyond what the worker held before, in bytes.
    pub memory_bytes: u64,
}

impl Default for Limits {
    /// Half a minute and 2 GiB.
    fn default() -> Self {
        Limits { hang_after: Duration::from_secs(30), memory_bytes: 2 << 30 }
    }
}

/// What came of a request.
#[derive(Debug)]
pub enum Reply {
    /// The worker answered.
    Answer(Box<Answer>),
    /// It died, hung, or took too much memory, and is gone.
    Failed(Failure),
    /// The answer was no longer wanted; the worker is gone.
    Abandoned,
}

/// A worker that cannot be used at all. No verdict about the system.
#[derive(Debug, thiserror::Error)]
pub enum KeeperError {
    /// It did not start.
    #[error("cannot start a worker process ({}): {source}", program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// It cannot do its work.
    #[error("a worker process refused its work: {0}")]
    Refused(String),
    /// It failed by a mistake of the harness.
    #[error("this is a bug of squall itself, not of the system under test: {0}")]
    OwnBug(String),
}

/// Keeps one worker process, and starts another when that one is gone.
pub struct Keeper {
    launch: Launch,
    spec: Option<Spec>,
    limits: Limits,
    worker: Option<Worker>,
}

struct Worker {
    child: Child,
    requests: ChildStdin,
    answers: Receiver<io::Result<String>>,
    stderr: Option<JoinHandle<String>>,
}

impl Keeper {
    /// A keeper whose worker starts with the first request.
    pub fn new(launch: Launch, spec: Spec, limits: Limits) -> Self {
        Keeper { launch, spec: Some(spec), limits, worker: None }
    }

    /// A keeper whose worker is only asked to run plans, which say themselves what they are run against.
    pub fn without_spec(launch: Launch, limits: Limits) -> Self {
        Keeper { launch, spec: None, limits, worker: None }
    }

    /// Asks, and waits until there is an answer, the worker is gone, or `is_wanted` says no.
    ///
    /// # Errors
    /// When no worker can be started or it refuses.
    pub fn ask(
        &mut self,
        request: &Request,
        hang_after: Duration,
        is_wanted: &dyn Fn() -> bool,
    ) -> Result<Reply, KeeperError> {
        if self.worker.is_none() && !self.begin(is_wanted)? {
            return Ok(Reply::Abandoned);
        }
        let worker = self.worker.as_mut().expect("it was started above");
        let reply = worker.ask(request, &self.limits, hang_after, is_wanted);
        match reply {
            Reply::Answer(answer) if matches!(*answer, Answer::Refused(_) | Answer::OwnBug(_)) => {
                Err(KeeperError::out_of_turn(&answer))
            }
            Reply::Answer(answer) => {
                // What a system leaks from run to run must not be held against a later seed for ever.
                if worker.resident_bytes() > self.limits.memory_bytes {
                    self.worker = None;
                }
                Ok(Reply::Answer(answer))
            }
            gone => {
                self.worker = None;
                Ok(gone)
            }
        }
    }

    /// Starts a worker and tells it what seeds are run against. False when it is no longer wanted.
    fn begin(&mut self, is_wanted: &dyn Fn() -> bool) -> Result<bool, KeeperError> {
        let worker = self.worker.insert(Worker::start(&self.launch, &self.limits)?);
        let Some(spec) = &self.spec else { return Ok(true) };
        let begin = Request::Begin(Box::new(spec.clone()));
        let result = match worker.ask(&begin, &self.limits, self.limits.hang_after, is_wanted) {
            Reply::Answer(answer) if matches!(*answer, Answer::Ready) => return Ok(true),
            Reply::Answer(answer) => Err(KeeperError::out_of_turn(&answer)),
            Reply::Failed(failure) => Err(KeeperError::Refused(format!("{}: {}", failure.kind, failure.message))),
            Reply::Abandoned => Ok(false),
        };
        self.worker = None;
        result
    }
}

impl KeeperError {
    /// The worker answered something else than what it was asked.
    pub fn out_of_turn(answer: &Answer) -> Self {
        match answer {
            Answer::Refused(why) => KeeperError::Refused(why.clone()),
            Answer::OwnBug(what) => KeeperError::OwnBug(what.clone()),
            other => KeeperError::Refused(format!("it answered out of turn: {other:?}")),
        }
    }
}

impl Worker {
    fn start(launch: &Launch, limits: &Limits) -> Result<Self, KeeperError> {
        let error = |source| KeeperError::Start { program: launch.program.clone(), source };
        let mut child = Command::new(&launch.program)
            // It speaks of commands too.
            .arg0(program::word())
            .args(&launch.args)
            .env(MEMORY_VARIABLE, limits.memory_bytes.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A group of its own: Ctrl-C is for the supervisor, which ends its workers itself.
            .process_group(0)
            .spawn()
            .map_err(error)?;
        let (requests, stdout) = (child.stdin.take(), child.stdout.take());
        let (requests, stdout) = requests.zip(stdout).ok_or_else(|| error(io::Error::other("no pipes")))?;
        let stderr = child.stderr.take().map(|pipe| thread::spawn(move || tail(pipe)));
        let (sender, answers) = channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines() {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Worker { child, requests, answers, stderr })
    }

    fn ask(&mut self, request: &Request, limits: &Limits, hang_after: Duration, is_wanted: &dyn Fn() -> bool) -> Reply {
        let baseline = self.resident_bytes();
        let watch = Stopwatch::start();
        let mut line = serde_json::to_vec(request).expect("requests are plain data");
        line.push(b'\n');
        if self.requests.write_all(&line).and_then(|()| self.requests.flush()).is_err() {
            return Reply::Failed(self.died());
        }
        loop {
            match self.answers.recv_timeout(LOOK_EVERY) {
                Ok(Ok(line)) => match serde_json::from_str(&line) {
                    Ok(answer) => return Reply::Answer(Box::new(answer)),
                    Err(e) => return Reply::Answer(Box::new(Answer::Refused(format!("a garbled answer: {e}")))),
                },
                Ok(Err(_)) | Err(RecvTimeoutError::Disconnected) => return Reply::Failed(self.died()),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if !is_wanted() {
                return Reply::Abandoned;
            }
            let grown = self.resident_bytes().saturating_sub(baseline);
            if grown > limits.memory_bytes {
                return Reply::Failed(failure(
                    FailureKind::Memory,
                    format!("it took more than {} and was ended", mebibytes(limits.memory_bytes)),
                ));
            }
            if watch.elapsed() > hang_after {
                let message = format!("no end after {} s of real time; it was ended", hang_after.as_secs_f64());
                return Reply::Failed(failure(FailureKind::Hang, message));
            }
        }
    }

    /// The verdict on a worker that closed its end: what ended it, and what it said last.
    fn died(&mut self) -> Failure {
        // It may have closed its output and live on; it is of no use then.
        let _ = self.child.kill();
        let status = self.child.wait();
        let said = self.stderr.take().and_then(|t| t.join().ok()).unwrap_or_default();
        let how = status.map_or_else(|e| format!("it is gone ({e})"), how_it_ended);
        let kind = if said.contains(OUT_OF_MEMORY) { FailureKind::Memory } else { FailureKind::Abort };
        let said = said.trim();
        failure(kind, if said.is_empty() { how } else { format!("{how}; it said last:\n{said}") })
    }

    fn resident_bytes(&self) -> u64 {
        resident_bytes(self.child.id()).unwrap_or(0)
    }
}

impl Drop for Worker {
    /// Whatever the reason: the process does not outlive its keeper.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The variable that tells a worker how much memory a seed may take, in bytes.
pub(crate) const MEMORY_VARIABLE: &str = "SQUALL_WORKER_MEMORY";

fn failure(kind: FailureKind, message: String) -> Failure {
    Failure { kind, node: None, at_ns: None, message }
}

fn how_it_ended(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(signal), _) => format!("the worker process died by {}", signal_name(signal)),
        (None, Some(code)) => format!("the worker process ended by itself with exit code {code}"),
        (None, None) => "the worker process died".to_owned(),
    }
}

fn signal_name(signal: i32) -> String {
    let name = match signal {
        4 => "SIGILL (illegal instruction)",
        5 => "SIGTRAP",
        6 => "SIGABRT (abort)",
        8 => "SIGFPE (arithmetic error)",
        9 => "SIGKILL (killed from outside, perhaps for want of memory)",
        11 => "SIGSEGV (invalid memory access, perhaps a stack overflow)",
        13 => "SIGPIPE",
        15 => "SIGTERM",
        _ => return format!("signal {signal}"),
    };
    name.to_owned()
}

fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}

/// Reads to the end and keeps the last of it.
fn tail(mut pipe: impl Read) -> String {
    let mut kept = Vec::new();
    let mut chunk = [0; 4096];
    while let Ok(n @ 1..) = pipe.read(&mut chunk) {
        kept.extend_from_slice(&chunk[..n]);
        if kept.len() > 2 * STDERR_KEPT_BYTES {
            kept.drain(..kept.len() - STDERR_KEPT_BYTES);
        }
    }
    let from = kept.len().saturating_sub(STDERR_KEPT_BYTES);
    String::from_utf8_lossy(&kept[from..]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asks a worker that is this shell script once it has said that it is ready.
    fn check(script: &str, limits: Limits) -> Result<Reply, KeeperError> {
        let script = format!("read begin; echo '\"ready\"'; read seed; {script}");
        let launch = Launch { program: "/bin/sh".into(), args: vec!["-c".into(), script.into()] };
        let request = Request::Seed { seed: 7, known: Vec::new() };
        Keeper::new(launch, Spec::of("any"), limits).ask(&request, limits.hang_after, &|| true)
    }

    /// The failure that such a worker comes to.
    fn failure_of(script: &str, limits: Limits) -> (FailureKind, String) {
        match check(script, limits).expect("a worker that can be used") {
            Reply::Failed(failure) => (failure.kind, failure.message),
            other => panic!("{other:?}"),
        }
    }

    const PATIENT: Limits = Limits { hang_after: Duration::from_secs(60), memory_bytes: 1 << 30 };

    #[test]
    fn a_worker_that_dies_is_an_abort_with_what_ended_it_and_what_it_said() {
        let (kind, message) = failure_of("echo 'no such luck' >&2; kill -ABRT $$", PATIENT);
        assert_eq!(kind, FailureKind::Abort);
        assert!(message.contains("SIGABRT") && message.contains("no such luck"), "{message}");
        let (kind, message) = failure_of("exit 3", PATIENT);
        assert_eq!(
            (kind, message.as_str()),
            (FailureKind::Abort, "the worker process ended by itself with exit code 3")
        );
    }

    #[test]
    fn a_worker_that_runs_out_of_memory_is_a_memory_failure() {
        let says = "echo 'memory allocation of 8 bytes failed' >&2; kill -ABRT $$";
        assert_eq!(failure_of(says, PATIENT).0, FailureKind::Memory);
        if cfg!(target_os = "linux") {
            let takes = "x=$(head -c 200000000 /dev/zero | tr '\\0' a); sleep 60; echo $x";
            assert_eq!(failure_of(takes, Limits { memory_bytes: 32 << 20, ..PATIENT }).0, FailureKind::Memory);
        }
    }

    #[test]
    fn a_worker_that_does_not_answer_hangs() {
        let limits = Limits { hang_after: Duration::from_millis(100), ..PATIENT };
        assert_eq!(failure_of("exec sleep 60", limits).0, FailureKind::Hang);
    }

    #[test]
    fn a_worker_that_cannot_be_used_is_no_verdict() {
        assert!(matches!(check("echo '{\"refused\":\"no\"}'", PATIENT), Err(KeeperError::Refused(why)) if why == "no"));
        assert!(
            matches!(check("echo '{\"own-bug\":\"oh\"}'", PATIENT), Err(KeeperError::OwnBug(what)) if what == "oh")
        );
        assert!(matches!(check("echo garbage; sleep 60", PATIENT), Err(KeeperError::Refused(_))));
        let launch = Launch { program: "/nonexistent".into(), args: Vec::new() };
        let asked = Keeper::new(launch, Spec::of("any"), PATIENT).ask(
            &Request::Seed { seed: 7, known: Vec::new() },
            PATIENT.hang_after,
            &|| true,
        );
        assert!(matches!(asked, Err(KeeperError::Start { .. })));
    }

    #[test]
    fn only_the_end_of_what_a_worker_said_is_kept() {
        assert_eq!(tail(&b"short"[..]), "short");
        let long = "x".repeat(100_000) + "the end";
        let kept = tail(long.as_bytes());
        assert_eq!(kept.len(), STDERR_KEPT_BYTES);
        assert!(kept.ends_with("the end"));
    }
}
