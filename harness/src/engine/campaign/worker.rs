//! The worker process: runs seeds as it is told, and keeps the system under test away from the wire.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Write},
    process,
    sync::mpsc::{Receiver, channel},
    thread,
};

use rustix::{
    io::fcntl_dupfd_cloexec,
    process::{Resource, Rlimit, setrlimit},
    stdio,
};

use squall_reports::records::Signature;

use super::{
    keeper::MEMORY_VARIABLE,
    protocol::{Answer, Request, SeedReport},
    single::{Single, Wanted},
    watch::cpu_time,
};
use crate::{
    engine::{
        determinism::Fingerprint,
        explain,
        minimise::{self, Effort},
        panics, record, run,
        spec::{Arena, Job, Registry, Spec},
    },
    plan::Plan,
    simulators::Options,
};

/// Descriptors below this are left to the system under test.
const FIRST_DESCRIPTOR: i32 = 3;

/// Address space a worker may have beyond the memory of one seed: stacks, libraries, what earlier seeds left.
const SPARE_BYTES: u64 = 4 << 30;

/// Serves requests until the supervisor closes the pipe. The process then ends at once, even amid a seed: its supervisor is
/// gone or has no use for it.
///
/// # Errors
/// When the pipes cannot be set up.
pub fn serve(registry: &Registry) -> io::Result<()> {
    limit_memory();
    let (requests, mut answers) = take_the_wire()?;
    let (sender, incoming) = channel();
    thread::Builder::new().name("wire".to_owned()).spawn(move || {
        for line in BufReader::new(requests).lines() {
            let Ok(line) = line else { break };
            if sender.send(line).is_err() {
                break;
            }
        }
        process::exit(0);
    })?;
    let mut job = None;
    while let Some(request) = next(&incoming) {
        let answer = match request {
            Ok(request) => panics::catch(|| answer(registry, &mut job, request)).unwrap_or_else(own_bug),
            Err(e) => Answer::Refused(format!("a garbled request: {e}")),
        };
        let mut line = serde_json::to_vec(&answer).map_err(io::Error::other)?;
        line.push(b'\n');
        answers.write_all(&line)?;
        answers.flush()?;
    }
    Ok(())
}

/// What the system under test does is caught elsewhere: a panic that comes this far is ours.
fn own_bug(message: String) -> Answer {
    let place = panics::last().and_then(|noted| noted.place).map(|place| format!(", at {place}")).unwrap_or_default();
    Answer::OwnBug(message + &place)
}

fn next(incoming: &Receiver<String>) -> Option<serde_json::Result<Request>> {
    Some(serde_json::from_str(&incoming.recv().ok()?))
}

/// Moves the protocol away from stdin and stdout: what the system under test prints goes to stderr, what it reads is empty.
fn take_the_wire() -> io::Result<(File, File)> {
    let requests = fcntl_dupfd_cloexec(io::stdin(), FIRST_DESCRIPTOR)?;
    let answers = fcntl_dupfd_cloexec(io::stdout(), FIRST_DESCRIPTOR)?;
    stdio::dup2_stdin(File::open("/dev/null")?)?;
    stdio::dup2_stdout(io::stderr())?;
    Ok((File::from(requests), File::from(answers)))
}

/// A backstop for leaks that outrun the supervisor's looks, and no core files for aborts that are verdicts.
fn limit_memory() {
    let limit = |bytes| Rlimit { current: Some(bytes), maximum: Some(bytes) };
    let _ = setrlimit(Resource::Core, limit(0));
    if let Some(bytes) = std::env::var(MEMORY_VARIABLE).ok().and_then(|v| v.parse::<u64>().ok()) {
        let _ = setrlimit(Resource::As, limit(bytes.saturating_add(SPARE_BYTES)));
    }
}

fn answer(registry: &Registry, job: &mut Option<Job>, request: Request) -> Answer {
    let result = match (request, job.as_ref()) {
        (Request::Begin(spec), _) => begin(registry, &spec).map(|begun| {
            *job = Some(begun);
            Answer::Ready
        }),
        (Request::Run { plan, simulator, command, wanted }, _) => {
            run_plan(registry, &plan, &simulator, &command, wanted).map(|single| Answer::Ran(Box::new(single)))
        }
        (_, None) => Err("nothing was begun".to_owned()),
        (Request::Seed { seed, known }, Some(job)) => run_seed(job, seed, &known),
        (Request::Explain { seed, signature, minimise }, Some(job)) => {
            let command = job.spec.command(seed);
            let effort = minimise.map(|runs| Effort { runs, span: Some(minimise::SPAN) });
            explain::explain(&job.arena, &job.plan(seed), &signature, effort, command)
                .map(|explained| Answer::Explained(explained.map(|e| Box::new(e.finding))))
                .map_err(|e| e.to_string())
        }
        (Request::Fingerprint { seed, trace }, Some(job)) => {
            Fingerprint::of(job, seed, trace).map(|f| Answer::Fingerprint(Box::new(f)))
        }
    };
    result.unwrap_or_else(Answer::Refused)
}

fn begin(registry: &Registry, spec: &Spec) -> Result<Job, String> {
    spec.resolve(registry).map_err(|e| e.to_string())
}

fn run_plan(
    registry: &Registry,
    plan: &Plan,
    simulator: &str,
    command: &str,
    wanted: Wanted,
) -> Result<Single, String> {
    let arena = Arena::of_plan(registry, plan, Some(simulator)).map_err(|e| e.to_string())?;
    Single::here(&arena, plan, command, wanted).map_err(|e| e.to_string())
}

/// Runs one seed and sums it up.
fn run_seed(job: &Job, seed: u64, known: &[Signature]) -> Result<Answer, String> {
    let begun = cpu_time();
    let plan = job.plan(seed);
    let subject = job.arena.subject();
    let execution = run::execute(&subject, &plan, Options::default()).map_err(|e| e.to_string())?;
    let ran = cpu_time();
    let outcome = run::judge_run(&subject, &plan, execution);
    let judged = cpu_time();
    let wanted = outcome.signatures.iter().filter(|signature| !known.contains(signature));
    let findings = wanted.map(|s| record::finding(&job.arena, &plan, &outcome, s, job.spec.command(seed))).collect();
    let execution = outcome.execution.as_ref();
    let report = SeedReport {
        seed,
        class: outcome.class(),
        signatures: outcome.signatures.clone(),
        inside_promise: record::is_inside(&job.arena.promise, &plan),
        inconclusive: outcome.inconclusive(),
        operations: execution.map(|e| record::operation_counts(&e.history)).unwrap_or_default(),
        messages: execution.map_or(0, |e| e.statistics.messages),
        simulated_ns: execution.map_or(0, |e| e.statistics.simulated_ns),
        faults: record::fault_counts(&plan, execution),
        cpu_us: judged.saturating_sub(begun).as_micros() as u64,
        judging_us: judged.saturating_sub(ran).as_micros() as u64,
    };
    Ok(Answer::Done { report: Box::new(report), findings })
}
