//! What a long file takes to read: memory for each of its operations, beside what the history itself takes.
//!
//! ```text
//! cargo run --release -p squall-checkers --example reading -- write 10000000 long.jsonl
//! cargo run --release -p squall-checkers --example reading -- long.jsonl
//! ```
//!
//! `write EVENTS FILE` makes a file of writes and reads of a register, as JSON lines or (`.edn`) as Jepsen's EDN. The peak is
//! what Linux says of the process; elsewhere it is not known.

use std::{
    fs::File,
    io::{BufReader, BufWriter, Write},
    path::Path,
    process::ExitCode,
};

use squall_checkers::{
    formats,
    history::{Entry, History},
};

/// Processes of a file that is made.
const PROCESSES: u64 = 50;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words[..] {
        ["write", events, path] => match events.parse() {
            Ok(events) => write(events, path),
            Err(_) => Err(format!("`{events}` is no number")),
        },
        [path] => read(path),
        _ => Err("usage: reading FILE | write EVENTS FILE".to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(wrong) => {
            eprintln!("{wrong}");
            ExitCode::from(2)
        }
    }
}

fn read(path: &str) -> Result<(), String> {
    let file = File::open(path).map_err(|error| format!("{path}: {error}"))?;
    let before = peak_kib();
    let history = formats::read_from(BufReader::new(file), None).map_err(|error| format!("{path}: {error}"))?;
    let operations = history.entries.len().max(1);
    let each = |bytes: usize| bytes as f64 / operations as f64;
    println!("{operations} operations, {:.1} bytes each", each(held(&history)));
    if let Some((before, after)) = before.zip(peak_kib()) {
        println!("at the peak {:.1} bytes each", each((after - before) * 1024));
    }
    Ok(())
}

/// Bytes that the entries take, without what their texts and lists point to.
fn held(history: &History) -> usize {
    history.entries.capacity() * size_of::<Entry>()
}

/// The most memory that this process had.
fn peak_kib() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches("kB").trim().parse().ok()
}

/// Two processes at a time: one writes a value, the other reads it meanwhile.
fn write(events: u64, path: &str) -> Result<(), String> {
    let edn = Path::new(path).extension().is_some_and(|extension| extension == "edn");
    let wrong = |error| format!("{path}: {error}");
    let mut out = BufWriter::new(File::create(path).map_err(wrong)?);
    if !edn {
        writeln!(out, "{{\"squall-history\":1}}").map_err(wrong)?;
    }
    for event in 0..events {
        let (value, step) = (event / 4, event % 4);
        let (writes, invokes) = (step % 2 == 0, step < 2);
        let process = (2 * value + step % 2) % PROCESSES;
        let f = if writes { "write" } else { "read" };
        let time = 1000 * event;
        let line = match (edn, invokes) {
            (true, _) => {
                let kind = if invokes { "invoke" } else { "ok" };
                let value = if invokes && !writes { "nil".to_owned() } else { value.to_string() };
                format!("{{:type :{kind}, :f :{f}, :value {value}, :process {process}, :time {time}}}")
            }
            (false, true) => {
                let args = if writes { value.to_string() } else { "null".to_owned() };
                format!(r#"{{"type":"invoke","process":{process},"f":"{f}","key":"x","args":{args},"time":{time}}}"#)
            }
            (false, false) => {
                let reply = if writes { "null".to_owned() } else { value.to_string() };
                format!(r#"{{"type":"ok","process":{process},"reply":{reply},"time":{time}}}"#)
            }
        };
        writeln!(out, "{line}").map_err(wrong)?;
    }
    out.flush().map_err(wrong)
}
