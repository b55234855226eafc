//! Who judges a run: the workload's checkers for the promised model, and those for what else was promised.

use squall_checkers::{
    budget::Budget,
    checker,
    history::History,
    models,
    verdict::{Reason, Verdict},
};
use squall_reports::records::CheckerVerdict;
use squall_workloads::workload::{Judge, Workload};

use super::{panics, run::Class};
use crate::plan::{MILLISECOND, Operations, Plan, Promise};

/// Everyone who has a say about a history: the promised model first, then durability, convergence and liveness as promised.
/// What a plan gives no chance to show is not asked for.
pub fn judges(promise: &Promise, workload: &dyn Workload, plan: &Plan) -> Vec<Judge> {
    let mut all = workload.judges(promise.model.as_str());
    if promise.durable && plan.phases.final_reads && workload.shows_writes() {
        all.push(Judge::new("durability"));
    }
    if promise.convergent && plan.phases.final_reads {
        all.push(Judge::new("convergence"));
    }
    if promise.live && asks_in_peace(plan) {
        all.push(Judge::new("liveness"));
    }
    all
}

/// Whether something is to be asked after all faults have ended and before the final reads: else there is no progress to see.
fn asks_in_peace(plan: &Plan) -> bool {
    let peace = plan.phases.chaos_ns..plan.phases.chaos_ns + plan.phases.settle_ns;
    match &plan.workload.operations {
        Operations::Generated { .. } => !peace.is_empty(),
        Operations::Script(script) => script.iter().any(|o| peace.contains(&o.invoked_ns)),
    }
}

/// Asks each judge.
pub fn judge(history: &History, judges: &[Judge], budget: &Budget) -> Vec<CheckerVerdict> {
    judges
        .iter()
        .map(|judge| CheckerVerdict {
            checker: judge.checker.to_string(),
            model: judge.model.as_ref().map(ToString::to_string).unwrap_or_default(),
            verdict: ask(history, judge, budget),
        })
        .collect()
}

/// Those who ask what has come about after a while. A machine that had no time for the run breaks such a promise by itself.
const BY_A_TIME: [&str; 3] = ["liveness", "convergence", "eventual-accuracy"];

/// Takes back what is no fault of the system's in a run that was so late at times, by its own clock: by more than a fourth of the
/// time that a client waits.
pub(super) fn excuse(verdicts: &mut [CheckerVerdict], late_ns: u64, plan: &Plan) {
    if late_ns <= plan.workload.timeout_ns / 4 {
        return;
    }
    for said in verdicts.iter_mut().filter(|said| said.verdict.is_invalid()) {
        if BY_A_TIME.contains(&said.checker.as_str()) {
            said.verdict = Verdict::precondition(format!(
                "this machine was busy and the run up to {} ms late: nobody can say what the system would have done in time",
                late_ns / MILLISECOND
            ));
        }
    }
}

/// What the judges of a run say together, in one word.
///
/// One who found an anomaly outweighs all others. After that one who gave up does: it lacked budget or something that it needs, so
/// an anomaly may have been missed. For some there is nothing to judge, as for durability where no key has both an acknowledged
/// write and a final read. They have missed nothing, and the word is with the others; where it is so for all, the run proves
/// nothing.
pub fn sum_up(verdicts: &[CheckerVerdict]) -> Class {
    let any = |is: fn(&Verdict) -> bool| verdicts.iter().any(|v| is(&v.verdict));
    if any(Verdict::is_invalid) {
        Class::Invalid
    } else if any(gave_up) {
        Class::Unknown
    } else if any(Verdict::is_valid) {
        Class::Valid
    } else {
        Class::Vacuous
    }
}

/// Whether a judge could not say although there was something to judge.
pub(super) fn gave_up(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Unknown { reason, .. } if *reason != Reason::Vacuous)
}

/// A judge whom the catalogue does not have, or who panics, has said nothing.
fn ask(history: &History, judge: &Judge, budget: &Budget) -> Verdict {
    let name = judge.checker.as_str();
    let unable = |detail: String| Verdict::Unknown { reason: Reason::Precondition, detail };
    let Some(entry) = checker::checker(name) else { return unable(format!("there is no checker `{name}`")) };
    let model = match &judge.model {
        None => None,
        Some(model) => match models::model(model.as_str()) {
            None => return unable(format!("there is no model `{model}`")),
            found => found,
        },
    };
    let Some(checker) = (entry.build)(model) else { return unable(format!("the checker `{name}` needs a model")) };
    panics::catch(|| checker.check(history, budget))
        .unwrap_or_else(|message| unable(format!("the checker itself failed: {message}")))
}

#[cfg(test)]
mod tests {
    use squall_checkers::{
        anomaly,
        history::{MarkKind, Outcome, Phase, ProcessId},
        operation::{Interface, Operation},
        recorder::HistoryBuilder,
        value::Value,
        verdict::Anomaly,
    };

    use super::*;
    use crate::plan::{Scripted, draw::PlanRequest};

    fn say(verdicts: &[&Verdict]) -> Class {
        let said = |verdict: &&Verdict| CheckerVerdict {
            checker: "someone".to_owned(),
            model: String::new(),
            verdict: (*verdict).clone(),
        };
        sum_up(&verdicts.iter().map(said).collect::<Vec<_>>())
    }

    #[test]
    fn who_has_nothing_to_judge_leaves_the_word_to_the_others() {
        let anomaly = Anomaly::new(anomaly::STALE_READ, Value::Nil, vec![0], String::new());
        let (valid, invalid) = (&Verdict::VALID, &Verdict::of(vec![anomaly]));
        let (vacuous, gave_up) = (&Verdict::vacuous("no key"), &Verdict::precondition("no phase"));
        let spent = &Verdict::Unknown { reason: Reason::Steps, detail: String::new() };
        assert_eq!(say(&[valid, vacuous]), Class::Valid);
        assert_eq!(say(&[vacuous, vacuous]), Class::Vacuous);
        assert_eq!(say(&[]), Class::Vacuous);
        assert_eq!(say(&[valid, vacuous, gave_up]), Class::Unknown);
        assert_eq!(say(&[spent, valid]), Class::Unknown);
        assert_eq!(say(&[valid, gave_up, invalid, vacuous]), Class::Invalid);
    }

    #[test]
    fn progress_is_asked_for_where_something_is_asked_in_peace() {
        let promise = Promise::new(Interface::REGISTER, "linearizable");
        let mut plan = PlanRequest::new("store", promise.clone(), "register").draw(1);
        let workload = squall_workloads::WORKLOADS[0].workload;
        let liveness = |plan: &Plan| judges(&promise, workload, plan).iter().any(|j| j.checker == "liveness");
        assert!(liveness(&plan));
        let at = |invoked_ns| Scripted {
            client: 0,
            process: 0,
            home: None,
            invoked_ns,
            replied_ns: None,
            operation: Operation::read(1),
        };
        let chaos_ns = plan.phases.chaos_ns;
        plan.workload.operations = Operations::Script(vec![at(chaos_ns - 1)]);
        assert!(!liveness(&plan));
        plan.workload.operations = Operations::Script(vec![at(chaos_ns - 1), at(chaos_ns)]);
        assert!(liveness(&plan));
        plan.phases.settle_ns = 0;
        assert!(!liveness(&plan));
    }

    /// A run in which each write's outcome stayed unknown, and reads succeeded.
    #[test]
    fn durability_has_nothing_to_judge_where_no_write_was_acknowledged() {
        let mut run = HistoryBuilder::new();
        let write = run.invoke(ProcessId(0), Operation::write(1, 5), 0);
        run.complete(write, Outcome::Unknown("timed out".into()), 10);
        run.mark(MarkKind::Phase(Phase::FinalReads), 20);
        let read = run.invoke(ProcessId(1), Operation::read(1), 20);
        run.complete(read, Outcome::Ok(Value::Nil), 30);
        let judges = [Judge::with_model("linearizable", "cas-register"), Judge::new("durability")];
        let verdicts = judge(&run.finish(), &judges, &Budget { steps: 1_000, bytes: 1 << 20 });
        assert!(verdicts[1].verdict.is_unknown(), "{:?}", verdicts[1]);
        assert_eq!(sum_up(&verdicts), Class::Valid);
    }
}
