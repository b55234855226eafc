//! One run of one plan: on a fresh thread, panics caught, judged by all who have a say about what was promised.

use std::{sync::Arc, thread};

use squall_checkers::{budget::Budget, history::Entry, verdict::Verdict};
use squall_reports::records::{CheckerVerdict, Failure, FailureKind, Signature};
use squall_workloads::workload::Workload;

use super::{
    judge,
    panics::{self, Noted},
};
use crate::{
    plan::Plan,
    simulators::{
        AnySystem, End, Execution, Options, PlanError, Simulator,
        log::{self, Level, LogLine},
    },
};

/// Stack of the thread a run lives on. Only touched pages are paid for.
const STACK_BYTES: usize = 64 << 20;

/// What a checker may spend on one run: far more than the histories of campaigns need, far less than a person would wait.
const BUDGET: Budget = Budget { steps: 5_000_000, bytes: 256 << 20 };

/// What a plan is run against: a system on a simulator, and the workload that drives and judges it.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// The system.
    pub system: &'a Arc<dyn AnySystem>,
    /// Where it runs.
    pub simulator: Simulator,
    /// What its clients do, and who judges them.
    pub workload: &'static dyn Workload,
}

/// A run and its judgement.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What happened; `None` when a panic took the simulator with it.
    pub execution: Option<Execution>,
    /// What each judge said; none when the run itself failed.
    pub verdicts: Vec<CheckerVerdict>,
    /// The failure of the run itself, if it failed.
    pub failure: Option<Failure>,
    /// One signature for each kind of failure, the most telling first; empty when nothing failed.
    pub signatures: Vec<Signature>,
}

/// What came of one seed, in one word; [`judge::sum_up`] says how judges come to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// All judges who had something to judge are content.
    Valid,
    /// A judge found an anomaly.
    Invalid,
    /// A judge gave up, and none found an anomaly.
    Unknown,
    /// No operation succeeded, or no judge had anything to judge; none found an anomaly.
    Vacuous,
    /// The run itself failed.
    Failed(FailureKind),
}

impl Outcome {
    /// The outcome of a run of `system` of which nothing is left but how it failed.
    pub fn of_failure(system: &str, failure: Failure) -> Self {
        Outcome {
            execution: None,
            verdicts: Vec::new(),
            signatures: vec![Signature::of_failure(system, failure.kind)],
            failure: Some(failure),
        }
    }

    /// What came of it, in one word.
    pub fn class(&self) -> Class {
        if let Some(failure) = &self.failure {
            return Class::Failed(failure.kind);
        }
        let succeeded = self.execution.as_ref().is_some_and(|e| e.history.entries.iter().any(Entry::is_ok));
        match judge::sum_up(&self.verdicts) {
            Class::Invalid => Class::Invalid,
            _ if !succeeded => Class::Vacuous,
            class => class,
        }
    }

    /// Why nothing can be said of it, where nothing can be.
    pub fn inconclusive(&self) -> Option<String> {
        let is_why = match self.class() {
            Class::Unknown => judge::gave_up,
            Class::Vacuous => Verdict::is_unknown,
            Class::Valid | Class::Invalid | Class::Failed(_) => return None,
        };
        let why = self.verdicts.iter().find_map(|v| match &v.verdict {
            said @ Verdict::Unknown { detail, .. } if is_why(said) => Some(format!("{}: {detail}", v.checker)),
            _ => None,
        });
        Some(why.unwrap_or_else(|| "no operation succeeded".to_owned()))
    }

    /// Whether it failed in this very way (among others).
    pub fn shows(&self, signature: &Signature) -> bool {
        self.signatures.contains(signature)
    }
}

/// Runs the plan and judges what came of it. Equal arguments give equal outcomes.
///
/// # Errors
/// When the run cannot begin. Whatever the system does is an outcome, not an error; only a system that never ends is not
/// caught here (a campaign ends it from outside).
pub fn run_plan(subject: &Subject, plan: &Plan, options: Options) -> Result<Outcome, PlanError> {
    Ok(judge_run(subject, plan, execute(subject, plan, options)?))
}

/// Runs the plan on a thread of its own. A panic that the simulator did not catch itself comes back as a failure.
///
/// # Errors
/// When the run cannot begin.
pub fn execute(subject: &Subject, plan: &Plan, options: Options) -> Result<Result<Execution, Failure>, PlanError> {
    on_its_own_thread(subject, plan, options, None).map(|(run, _)| run)
}

/// The same, and what the system said meanwhile through `tracing`, up to this level.
///
/// # Errors
/// When the run cannot begin.
pub fn execute_heard(subject: &Subject, plan: &Plan, options: Options, level: Level) -> Result<Heard, PlanError> {
    on_its_own_thread(subject, plan, options, Some(level))
}

/// A run, and what the system said meanwhile.
pub type Heard = (Result<Execution, Failure>, Vec<LogLine>);

fn on_its_own_thread(
    subject: &Subject,
    plan: &Plan,
    options: Options,
    level: Option<Level>,
) -> Result<Heard, PlanError> {
    let run = || {
        let caught =
            || panics::catch(|| subject.system.clone().run(subject.simulator, plan, subject.workload, options));
        let (mut result, lines) = match level {
            None => (caught(), Vec::new()),
            Some(level) => log::listen(level, caught),
        };
        let noted = panics::last();
        if let Ok(Ok(Execution { end: End::Panicked { message, .. }, .. })) = &mut result {
            complete(message, noted.as_ref());
        }
        let result = result.map_err(|mut message| {
            complete(&mut message, noted.as_ref());
            Failure { kind: FailureKind::Panic, node: None, at_ns: None, message }
        });
        (result, lines)
    };
    let nothing = |failure| (Err(failure), Vec::new());
    let (result, lines) = thread::scope(|scope| {
        let thread = thread::Builder::new().name(format!("seed {}", plan.seed)).stack_size(STACK_BYTES);
        thread.spawn_scoped(scope, run).map_or_else(
            |e| nothing(no_thread(&e)),
            |handle| handle.join().unwrap_or_else(|payload| nothing(no_thread(&panics::message(payload.as_ref())))),
        )
    });
    match result {
        Ok(execution) => execution.map(|execution| (Ok(execution), lines)),
        Err(failure) => Ok((Err(failure), lines)),
    }
}

/// Judges what [`execute`] returned.
pub fn judge_run(subject: &Subject, plan: &Plan, run: Result<Execution, Failure>) -> Outcome {
    let (execution, failure) = match run {
        Ok(execution) => {
            let failure = failure_of(&execution.end);
            (Some(execution), failure)
        }
        Err(failure) => (None, Some(failure)),
    };
    let verdicts = match &execution {
        Some(execution) if failure.is_none() => {
            let judges = judge::judges(&subject.system.promise(), subject.workload, plan);
            let mut verdicts = judge::judge(&execution.history, &judges, &BUDGET);
            judge::excuse(&mut verdicts, execution.statistics.late_ns, plan);
            verdicts
        }
        _ => Vec::new(),
    };
    let signatures = match &failure {
        Some(failure) => vec![Signature::of_failure(&plan.system, failure.kind)],
        None => signatures(&plan.system, &verdicts),
    };
    Outcome { execution, verdicts, failure, signatures }
}

/// Each judge's most telling anomaly makes one signature: its lesser ones are mostly shadows of that.
fn signatures(system: &str, verdicts: &[CheckerVerdict]) -> Vec<Signature> {
    let mut all: Vec<Signature> = Vec::new();
    for CheckerVerdict { checker, verdict, .. } in verdicts {
        if let Some(anomaly) = verdict.anomalies().first() {
            let signature =
                Signature { system: system.to_owned(), checker: checker.clone(), anomaly: anomaly.kind.to_string() };
            if !all.contains(&signature) {
                all.push(signature);
            }
        }
    }
    all
}

fn failure_of(end: &End) -> Option<Failure> {
    match end {
        End::Completed => None,
        End::Panicked { node, message, at_ns } => Some(Failure {
            kind: FailureKind::Panic,
            node: node.map(|n| n.0),
            at_ns: Some(*at_ns),
            message: message.clone(),
        }),
        End::Spun { node, at_ns, events } => Some(Failure {
            kind: FailureKind::StepLimit,
            node: node.map(|n| n.0),
            at_ns: Some(*at_ns),
            message: format!("{events} events at one instant of virtual time"),
        }),
    }
}

/// Adds to a panic's message what is noted of it: its place, or all of it where the message is but an echo.
fn complete(message: &mut String, noted: Option<&Noted>) {
    let Some(noted) = noted else { return };
    if panics::is_echo(message) {
        message.clone_from(&noted.message);
    }
    if let Some(place) = noted.place.as_ref().filter(|place| !message.contains(*place)) {
        message.push_str(", at ");
        message.push_str(place);
    }
}

fn no_thread(why: &dyn std::fmt::Display) -> Failure {
    Failure { kind: FailureKind::Panic, node: None, at_ns: None, message: format!("the run's thread failed: {why}") }
}
