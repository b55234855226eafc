//! One run of one plan in a worker process: whatever it does to its process, there is a verdict.

use serde::{Deserialize, Serialize};
use squall_reports::records::{CheckerVerdict, Failure, Finding, OperationCounts, Signature};

use super::{
    keeper::{Keeper, KeeperError, Launch, Limits, Reply},
    protocol::{Answer, Request},
};
use crate::{
    engine::{
        record,
        run::{self, Class, Outcome},
        spec::Arena,
    },
    plan::Plan,
    simulators::{
        Options, PlanError, Statistics, TraceEvent,
        log::{Level, LogLine},
    },
};

/// What came of one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Single {
    /// In one word.
    pub class: Class,
    /// The answers of all judges.
    pub verdicts: Vec<CheckerVerdict>,
    /// One for each way in which it failed.
    pub findings: Vec<Finding>,
    /// Operations by outcome.
    pub operations: OperationCounts,
    /// Digest and figures; `None` when the run did not come to its end.
    pub ran: Option<Ran>,
    /// Every event, when asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<TraceEvent>,
    /// What the system said, when asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub log: Vec<LogLine>,
}

/// What to send beside the verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// Every event.
    pub events: bool,
    /// What the system says through `tracing`, up to this level.
    pub log: Option<Level>,
}

/// Figures of a run that came to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ran {
    /// The digest over all events.
    pub digest: u64,
    /// Its figures.
    pub statistics: Statistics,
}

impl Single {
    /// Runs the plan in this process. `command` is how to run it again.
    ///
    /// # Errors
    /// When the run cannot begin.
    pub fn here(arena: &Arena, plan: &Plan, command: &str, wanted: Wanted) -> Result<Self, PlanError> {
        // A trace costs little for one run, and makes its record whole.
        let (subject, options) = (arena.subject(), Options { trace: true });
        let (run, log) = match wanted.log {
            None => (run::execute(&subject, plan, options)?, Vec::new()),
            Some(level) => run::execute_heard(&subject, plan, options, level)?,
        };
        let mut outcome = run::judge_run(&subject, plan, run);
        let findings = findings(arena, plan, &outcome, command);
        let trace = outcome.execution.as_mut().and_then(|e| e.trace.take());
        Ok(Single {
            class: outcome.class(),
            findings,
            operations: outcome.execution.as_ref().map(|e| record::operation_counts(&e.history)).unwrap_or_default(),
            ran: outcome.execution.map(|e| Ran { digest: e.digest, statistics: e.statistics }),
            verdicts: outcome.verdicts,
            events: trace.filter(|_| wanted.events).map(|t| t.events).unwrap_or_default(),
            log,
        })
    }

    /// Runs the plan in a worker process. One that dies, hangs or takes too much memory is a failed run.
    ///
    /// # Errors
    /// When no worker can be used, or the run cannot begin.
    pub fn apart(
        arena: &Arena,
        plan: &Plan,
        command: &str,
        wanted: Wanted,
        limits: Limits,
        launch: &Launch,
    ) -> Result<Self, KeeperError> {
        let request = Request::Run {
            plan: Box::new(plan.clone()),
            simulator: arena.simulator.name.to_owned(),
            command: command.to_owned(),
            wanted,
        };
        let mut keeper = Keeper::without_spec(launch.clone(), limits);
        match keeper.ask(&request, limits.hang_after, &|| true)? {
            Reply::Failed(failure) => Ok(Single::failed(arena, plan, command, failure)),
            Reply::Abandoned => unreachable!("the answer is always wanted"),
            Reply::Answer(answer) => match *answer {
                Answer::Ran(single) => Ok(*single),
                other => Err(KeeperError::out_of_turn(&other)),
            },
        }
    }

    fn failed(arena: &Arena, plan: &Plan, command: &str, failure: Failure) -> Self {
        let outcome = Outcome::of_failure(&plan.system, failure);
        Single {
            class: outcome.class(),
            findings: findings(arena, plan, &outcome, command),
            operations: OperationCounts::default(),
            ran: None,
            verdicts: Vec::new(),
            events: Vec::new(),
            log: Vec::new(),
        }
    }

    /// The finding of this kind of failure, if it failed so.
    pub fn finding(&self, signature: &Signature) -> Option<&Finding> {
        self.findings.iter().find(|f| f.signature == *signature)
    }
}

fn findings(arena: &Arena, plan: &Plan, outcome: &Outcome, command: &str) -> Vec<Finding> {
    outcome.signatures.iter().map(|s| record::finding(arena, plan, outcome, s, command.to_owned())).collect()
}
