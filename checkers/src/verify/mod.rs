//! Checking a certificate without trusting who made it. Nothing here shares code with the checkers: models are written down
//! a second time, and searches are plain.
//!
//! * **Valid** comes with an order of the operations. It is replayed, in linear time, and must keep real time (`linearizable`,
//!   `strict-serializable`) or the order of each process (`sequential`, `strong-session-serializable`). Of snapshot isolation,
//!   read committed, read atomic and causal consistency it is an order of commits (`commits`), of PL-1 and PL-2 one in which
//!   versions are installed, and of bounded staleness one for each bound, with operations that no smaller bound allows.
//! * **Invalid** comes with operations that cannot be. The history is cut down to them, each deletion by a rule that no legal
//!   history minds, and what is left is searched in full:
//!   * other keys, operations that only read, and what was invoked after all that is kept had returned (operations that were
//!     then open stay, with an unknown outcome);
//!   * a write or cas of a register together with everything that needs the value that it leaves;
//!   * all that came before a register's first named operation, if there is no order whatever it held by then;
//!   * what concerns other elements of a set, of which a read then shows one alone;
//!   * an element of a queue, a stack or a priority queue together with all that puts it in or takes it out;
//!   * whole transactions, where reads that showed them are forgotten, or for lists show what is left; and so is that a cas was
//!     refused if somebody is gone who left what it may have read instead.
//!
//! Where that has an order, the claim is refuted, even if the history as a whole has none: what is vouched for is the evidence. The
//! reason says then that the verdict is right all the same. Updates that no rule deletes stay, whether they are named or not.
//!
//! What needs no search is decided once more, whichever was claimed: session guarantees, PRAM, causal memory and weak causal
//! consistency by a matrix of what comes before what, and invariants by looking for what breaks them.
//!
//! A search that needs more than the budget, and a claim that nobody here understands, is `Unverified`, never a pass.

use self::{beginnings::Beginnings, sessions::Guarantees, views::View};
use crate::{
    budget::Budget,
    certificate::Certificate,
    history::{Entry, EntryId, History},
    verdict::{Anomaly, Verdict},
};

mod acts;
mod beginnings;
mod commits;
mod counts;
mod elements;
mod firsts;
mod held;
mod instead;
mod invariants;
mod isolated;
mod kept;
mod linear;
mod numbers;
mod orders;
mod others;
mod placed;
mod processes;
mod registers;
mod replay;
mod sees;
mod sessions;
mod snapshots;
mod stale;
mod versions;
mod views;

/// What came of checking a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verification {
    /// The claim is true.
    Verified,
    /// The claim does not follow from its evidence, be it true or not; why not.
    Refuted(String),
    /// Nothing can be said; why not.
    Unverified(String),
}

/// Checks a certificate against its history, which [`History::validate`] accepts.
///
/// ```
/// use squall_checkers::{budget::Budget, certificate::Certificate, checker, formats, models, verify::{self, Verification}};
///
/// let history = formats::text::read("0: write[x] 1; 1: read[x] -> nil").unwrap();
/// let checker = (checker::checker("linearizable").unwrap().build)(models::model("register")).unwrap();
/// let verdict = checker.check(&history, &Budget::default());
/// let certificate = Certificate::new("linearizable", Some("register"), history.entries.len(), verdict);
/// assert_eq!(verify::verify(&history, &certificate, &Budget::default()), Verification::Verified);
/// ```
pub fn verify(history: &History, certificate: &Certificate, budget: &Budget) -> Verification {
    if certificate.operations != history.entries.len() {
        let (n, m) = (certificate.operations, history.entries.len());
        return Verification::Refuted(format!("it is about {n} operations, but the history has {m}"));
    }
    let (checker, verdict) = (certificate.checker.as_str(), &certificate.verdict);
    let model = certificate.model.as_deref().unwrap_or_default();
    if verdict.is_unknown() {
        return Verification::Unverified("it claims nothing".to_owned());
    }
    if let Some(verification) = invariants::check(history, checker, verdict) {
        return verification;
    }
    if model == "multi-register" && !JUDGE_BY_MODEL.contains(&checker) && beginnings::may_be_zero(history) {
        return Verification::Unverified(format!("a register may have begun as 0, and `{checker}` knows nil only"));
    }
    if let Some(verification) = begins_twice(history, checker, verdict) {
        return verification;
    }
    if let Some(view) = View::named(checker) {
        return anew(history, verdict, |among| views::allows(history, view, among, budget));
    }
    if let Some(level) = versions::Level::named(checker) {
        return shown(
            history,
            verdict,
            |order| versions::installs(history, level, order),
            |_, named| versions::impossible(history, level, named),
        );
    }
    if let Some(guarantees) = Guarantees::named(checker) {
        return anew(history, verdict, |among| sessions::keep(history, guarantees, among, budget));
    }
    if checker == "bounded-staleness" {
        return stale::holds(history, verdict, certificate.staleness.as_ref(), budget);
    }
    if let Some(level) = isolated::Level::named(checker) {
        return shown(
            history,
            verdict,
            |order| isolated::replays(history, level, order, budget),
            |_, named| isolated::impossible(history, level, named, budget),
        );
    }
    match checker {
        // Nobody is blamed for replies that another model allows.
        _ if JUDGE_BY_MODEL.contains(&checker) && !replay::is_known(model) => Verification::Unverified(match model {
            "" => format!("it names no model, by which `{checker}` judges"),
            model => format!("nothing here checks `{checker}` by a model `{model}`"),
        }),
        "linearizable" => shown(
            history,
            verdict,
            |order| linear::replays(history, model, order),
            |anomaly, named| linear::impossible(history, model, &anomaly.key, named, budget),
        ),
        "sequential" => shown(
            history,
            verdict,
            |order| processes::replays(history, model, order),
            |_, named| processes::impossible(history, model, named, budget),
        ),
        other => Verification::Unverified(format!("nothing here checks the checker `{other}`")),
    }
}

/// The checkers that judge by a model.
const JUDGE_BY_MODEL: [&str; 2] = ["linearizable", "sequential"];

/// What is to be said of a claim about registers, by no model, where one of them was seen with two values before anybody wrote
/// it: that is possible nowhere. Who replays an order of transactions sees that by the way.
fn begins_twice(history: &History, checker: &str, verdict: &Verdict) -> Option<Verification> {
    let level = versions::Level::named(checker);
    let of_transactions = level.is_some() || isolated::Level::named(checker).is_some();
    if !of_transactions && View::named(checker).is_none() && Guarantees::named(checker).is_none() {
        return None;
    }
    if of_transactions && verdict.is_valid() {
        return None;
    }
    if !Beginnings::NilOrEmpty.may_contradict(history) || (of_transactions && acts::misfit(history).is_some()) {
        return None;
    }
    let reads_aborted = level == Some(versions::Level::Uncommitted);
    let contradict = |named: &[EntryId]| Beginnings::NilOrEmpty.contradict(history, reads_aborted, named);
    match verdict {
        Verdict::Valid { .. } => beginnings::once(history, reads_aborted).err(),
        Verdict::Invalid { anomalies } => {
            let is_there = |named: &[EntryId]| named.iter().all(|id| *id < history.entries.len());
            let shows = |anomaly: &Anomaly| is_there(&anomaly.operations) && contradict(&anomaly.operations);
            anomalies.iter().take(ANOMALIES_MAX).any(shows).then_some(Verification::Verified)
        }
        Verdict::Unknown { .. } => None,
    }
}

/// Checks what a verdict shows: an order of the operations where it says valid, operations that cannot be where it says invalid.
fn shown(
    history: &History,
    verdict: &Verdict,
    replays: impl FnOnce(&[EntryId]) -> Result<(), Verification>,
    impossible: impl Fn(&Anomaly, &[EntryId]) -> Verification,
) -> Verification {
    match verdict {
        Verdict::Valid { linearization: Some(order) } => replays(order).err().unwrap_or(Verification::Verified),
        Verdict::Invalid { anomalies } => any(history, anomalies, impossible),
        _ => Verification::Unverified("it shows no order of the operations".to_owned()),
    }
}

/// Compares a verdict with what is decided here once more: of all operations where it says valid, of those that it names where
/// it says invalid.
fn anew(
    history: &History,
    verdict: &Verdict,
    allows: impl Fn(&[EntryId]) -> Result<bool, Verification>,
) -> Verification {
    let everything: Vec<EntryId> = (0..history.entries.len()).collect();
    let Verdict::Invalid { anomalies } = verdict else {
        return match allows(&everything) {
            Ok(_) if !history.entries.iter().any(Entry::is_ok) => {
                Verification::Refuted("no operation is known to have taken effect".to_owned())
            }
            Ok(true) => Verification::Verified,
            Ok(false) => Verification::Refuted("the operations are impossible".to_owned()),
            Err(other) => other,
        };
    };
    any(history, anomalies, |_, named| match allows(named) {
        Ok(false) => Verification::Verified,
        Ok(true) => Verification::Refuted("the operations it names are possible".to_owned()),
        Err(other) => other,
    })
}

/// More anomalies than this are not looked at; the most telling come first.
const ANOMALIES_MAX: usize = 16;

/// One anomaly that cannot be is enough.
fn any(
    history: &History,
    anomalies: &[Anomaly],
    impossible: impl Fn(&Anomaly, &[EntryId]) -> Verification,
) -> Verification {
    let absent = anomalies.iter().flat_map(|anomaly| &anomaly.operations).find(|id| **id >= history.entries.len());
    if let Some(id) = absent {
        return Verification::Refuted(format!("operation {id}, which it names, is not there"));
    }
    let looked: Vec<&Anomaly> =
        anomalies.iter().filter(|anomaly| !anomaly.operations.is_empty()).take(ANOMALIES_MAX).collect();
    let mut best = Verification::Refuted("it names no operation that cannot be".to_owned());
    for anomaly in &looked {
        match impossible(anomaly, &anomaly.operations) {
            Verification::Verified => return Verification::Verified,
            worse @ Verification::Unverified(_) => best = worse,
            worse @ Verification::Refuted(_) if matches!(best, Verification::Refuted(_)) => best = worse,
            Verification::Refuted(_) => {}
        }
    }
    let Verification::Refuted(why) = best else { return best };
    // Whoever reads that shall know whether only the evidence is wrong.
    let everything: Vec<EntryId> = (0..history.entries.len()).collect();
    let is_right = looked.iter().any(|anomaly| impossible(anomaly, &everything) == Verification::Verified);
    let addition =
        if is_right { "; all operations of the history have none, so only the evidence is wrong" } else { "" };
    Verification::Refuted(format!("{why}{addition}"))
}
