//! What the checkers need for long histories, beside porcupine-rs and stateright in the same run:
//!
//! ```text
//! cargo bench -p squall-checkers --bench goals               every row
//! cargo bench -p squall-checkers --bench goals -- cas kv     rows whose name begins so
//! cargo bench -p squall-checkers --bench goals -- --write DIR txn   their histories as files, for other tools
//! cargo bench -p squall-checkers --bench goals -- --read FILE CHECKER MODEL   a process that reads and checks, as these do
//! ```
//!
//! Every cell is a process of its own: best time of three runs (of one, where it takes longer than a second), and the peak
//! memory of the process, with the history in it, until the first run is done. One that takes longer than a minute is ended.
//! `ms` is by the clock, and so is `ratio`; `cpu` is the time that all threads together ran, which other work of the machine adds
//! little to. Under `taskset -c 0` all of them have one core. `verify` is what the verifier and the certificate take of `cpu`,
//! `of it` in percent of that of checking; `look` is what it takes to look at each operation once and to do nothing else. Histories
//! of other tools' tests are read from `SQUALL_CORPUS`, and left out without it.
#![expect(clippy::disallowed_types, reason = "a benchmark measures real time")]

#[path = "../../tests/generator/containers.rs"]
mod containers;
#[path = "../../tests/generator/objects.rs"]
mod objects;
mod peers;
#[path = "../../tests/generator/mod.rs"]
mod registers;
mod rows;
mod transactions;

use std::{
    fs,
    hint::black_box,
    io::Read,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use rows::Row;
use rustix::time::{ClockId, clock_gettime};
use squall_checkers::{
    budget::Budget,
    certificate::Certificate,
    checker,
    formats::{self, Format},
    history::{Entry, History},
    models,
    operation::Operation,
    value::Value,
    verdict::Verdict,
    verify::{self, Verification},
};

/// How long a cell may take.
const CELL_MAX: Duration = Duration::from_secs(60);

/// Whose turn it is.
const SIDES: [&str; 3] = ["ours", "porcupine-rs", "stateright"];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--cell", row, side] => cell(row, side),
        ["--write", folder, ref names @ ..] => {
            for row in rows::chosen(names) {
                let (history, _) = row.history().expect("it is generated");
                let format = if row.checker.is_empty() { Format::Jsonl } else { Format::Plume };
                if let Some(text) = formats::write(&history, format) {
                    let path = format!("{folder}/{}.{format}", row.name.replace(' ', "-"));
                    fs::write(&path, text).expect("the folder can be written");
                    println!("{path}");
                }
            }
        }
        ["--read", file, checker, model] => read(file, checker, model),
        ref names => table(names),
    }
}

fn table(names: &[&str]) {
    println!(
        "{:24} {:>8} {:>8} {:>8} {:>6} {:>8} {:>5} {:>6} {:>4} {:>8} | {:>11} {:>8} {:>6} {:>7} {:>7} | {:>10}",
        "history",
        "verdict",
        "ms",
        "cpu",
        "MiB",
        "verify",
        "of it",
        "look",
        "core",
        "verified",
        "porcupine",
        "cpu",
        "MiB",
        "ratio",
        "of cpu",
        "stateright"
    );
    for row in rows::chosen(names) {
        if row.history().is_none() {
            println!("{:24} left out: no file", row.name);
            continue;
        }
        let [ours, porcupine, stateright] = SIDES.map(|side| Cell::measured(row.name, side));
        let ratio = |theirs: Option<f64>, ours: Option<f64>| match (theirs, ours) {
            (Some(theirs), Some(ours)) => format!("{:.0}x", theirs / ours),
            _ => String::new(),
        };
        let [verify, look, core, verified] = [0, 1, 2, 3].map(|i| ours.more.get(i).map_or("", String::as_str));
        let of_it = match (verify.parse::<f64>(), ours.cpu_ms) {
            (Ok(verify), Some(check)) => format!("{:.0}%", 100.0 * verify / check),
            _ => String::new(),
        };
        println!(
            "{:24} {:>8} {:>8} {:>8} {:>6} {:>8} {:>5} {:>6} {:>4} {:>8} | {:>11} {:>8} {:>6} {:>7} {:>7} | {:>10}",
            row.name,
            ours.verdict,
            ours.took(),
            ours.cpu(),
            ours.memory(),
            verify,
            of_it,
            look,
            core,
            verified,
            porcupine.took(),
            porcupine.cpu(),
            porcupine.memory(),
            ratio(porcupine.ms, ours.ms),
            ratio(porcupine.cpu_ms, ours.cpu_ms),
            stateright.took()
        );
    }
}

/// What one side needed for one history.
#[derive(Default)]
struct Cell {
    verdict: String,
    ms: Option<f64>,
    cpu_ms: Option<f64>,
    kib: Option<u64>,
    more: Vec<String>,
}

impl Cell {
    fn took(&self) -> String {
        self.ms.map_or_else(|| self.verdict.clone(), |ms| format!("{ms:.1}"))
    }

    fn cpu(&self) -> String {
        self.cpu_ms.map_or_else(String::new, |ms| format!("{ms:.1}"))
    }

    fn memory(&self) -> String {
        self.kib.map_or_else(String::new, |kib| format!("{}", kib >> 10))
    }

    /// Asks a process of its own.
    fn measured(row: &str, side: &str) -> Cell {
        let this = std::env::current_exe().expect("this is a program");
        let mut child =
            Command::new(this).args(["--cell", row, side]).stdout(Stdio::piped()).spawn().expect("it starts");
        let began = Instant::now();
        let ended = loop {
            if let Some(status) = child.try_wait().expect("it is a child of ours") {
                break status.success();
            }
            if began.elapsed() > CELL_MAX {
                child.kill().expect("it is a child of ours");
                child.wait().expect("it was killed");
                return Cell { verdict: format!("> {} s", CELL_MAX.as_secs()), ..Cell::default() };
            }
            pause();
        };
        let mut said = String::new();
        child.stdout.take().expect("it is piped").read_to_string(&mut said).expect("it speaks UTF-8");
        let mut words = said.split_whitespace().map(str::to_owned);
        if !ended {
            return Cell { verdict: "failed".to_owned(), ..Cell::default() };
        }
        Cell {
            verdict: words.next().unwrap_or_default(),
            ms: words.next().and_then(|ms| ms.parse().ok()),
            cpu_ms: words.next().and_then(|ms| ms.parse().ok()),
            kib: words.next().and_then(|kib| kib.parse().ok()),
            more: words.collect(),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a benchmark waits for its children")]
fn pause() {
    std::thread::sleep(Duration::from_millis(5));
}

/// The most memory that this process ever had, in KiB, where the system says so.
fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}

/// How long all threads of this process ran so far.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// What something took.
#[derive(Clone, Copy)]
struct Took {
    ms: f64,
    cpu_ms: f64,
    /// The most memory until the first result stood.
    kib: u64,
}

/// The last result, and the best times.
fn best<T>(mut run: impl FnMut() -> T) -> (T, Took) {
    let (mut best, mut best_cpu) = (Duration::MAX, Duration::MAX);
    let mut kib = None;
    for times in 1.. {
        let (began, began_cpu) = (Instant::now(), cpu());
        let result = run();
        let (took, took_cpu) = (began.elapsed(), cpu().saturating_sub(began_cpu));
        (best, best_cpu) = (best.min(took), best_cpu.min(took_cpu));
        let kib = *kib.get_or_insert_with(peak_kib);
        if times == 3 || took > Duration::from_secs(1) {
            return (result, Took { ms: best.as_secs_f64() * 1e3, cpu_ms: best_cpu.as_secs_f64() * 1e3, kib });
        }
    }
    unreachable!("three times are enough")
}

/// Reads a file and checks it, once; says what each took of the processor, and the most memory.
fn read(file: &str, checker: &str, model: &str) {
    let began = cpu();
    let history = formats::read(&fs::read(file).expect("it can be read"), None).expect("a history");
    let reading = cpu().saturating_sub(began);
    let checker = (checker::checker(checker).expect("in the catalogue").build)(models::model(model));
    let verdict = checker.expect("given a model").check(&history, &Budget::default());
    let checking = cpu().saturating_sub(began + reading);
    let core = smallest_core(&verdict).map_or_else(String::new, |n| format!(" by {n} operations"));
    println!("{}{core}: read {reading:.0?}, checked {checking:.0?}, {} MiB", word(&verdict), peak_kib() >> 10);
    std::process::exit(0);
}

/// How many operations the shortest evidence names.
fn smallest_core(verdict: &Verdict) -> Option<usize> {
    verdict.anomalies().iter().map(|anomaly| anomaly.operations.len()).min()
}

fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Valid { .. } => "valid",
        Verdict::Invalid { .. } => "invalid",
        Verdict::Unknown { .. } => "unknown",
    }
}

/// Prints verdict, milliseconds, those of the processor, and KiB; for ours also the time of the verifier, the operations named and its word.
fn cell(name: &str, side: &str) {
    let row = rows::chosen(&[name]).into_iter().find(|row| row.name == name).expect("a row of the table");
    let (history, invalid) = row.history().expect("its file is there");
    match side {
        "ours" => ours(&row, &history, invalid),
        _ => {
            if let Some((valid, Took { ms, cpu_ms, kib })) = peers::judge(&row, &history, side) {
                assert_eq!(valid, !invalid, "{side} on {name}");
                println!("{} {ms} {cpu_ms} {kib}", if valid { "valid" } else { "invalid" });
            } else {
                println!("-");
            }
        }
    }
}

fn ours(row: &Row, history: &History, invalid: bool) {
    let name = if row.checker.is_empty() { "linearizable" } else { row.checker };
    let model = models::model(row.model);
    let checker = (checker::checker(name).expect("in the catalogue").build)(model).expect("given a model");
    let (verdict, Took { ms, cpu_ms, kib }) = best(|| checker.check(history, &Budget::default()));
    assert!(!verdict.is_unknown(), "{}: {verdict:?}", row.name);
    assert_eq!(verdict.is_invalid(), invalid, "{}", row.name);
    let word = word(&verdict);
    let core = smallest_core(&verdict).unwrap_or_default();
    let certificate = Certificate::new(name, Some(row.model), history.entries.len(), verdict);
    let (verified, verify) = best(|| verify::verify(history, &certificate, &Budget::default()));
    let verified = match verified {
        Verification::Verified => "yes",
        Verification::Refuted(_) => "REFUTED",
        Verification::Unverified(_) => "no",
    };
    let (_, look) = best(|| black_box(history.entries.iter().map(look).sum::<u64>()));
    println!("{word} {ms} {cpu_ms} {kib} {:.1} {:.1} {core} {verified}", verify.cpu_ms, look.cpu_ms);
}

/// Something that cannot be told without a look at all that an operation asked and was replied, and when.
fn look(entry: &Entry) -> u64 {
    fn of(value: &Value) -> u64 {
        match value {
            Value::Int(i) => *i as u64,
            Value::Text(text) => text.as_bytes().first().copied().unwrap_or_default().into(),
            Value::List(list) => list.iter().map(of).sum(),
            _ => 0,
        }
    }
    let Operation { f, key, args } = &entry.operation;
    let asked = f.as_str().len() as u64 + of(key) + of(args);
    asked + entry.reply().map_or(0, of) + u64::from(entry.invoked.position ^ entry.returned())
}
