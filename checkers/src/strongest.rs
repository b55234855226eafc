//! Placing a history in the [`lattice`] of models: what holds, what is refuted and by what, what is unknown.

use crate::{
    alone::{alone, is_of_registers},
    budget::Budget,
    checker,
    history::{Entry, History},
    lattice::{self, About},
    models::{self, ModelEntry},
    operation::Name,
    verdict::{Anomaly, Verdict},
};

/// A model and what was found of a history under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The name of the model.
    pub model: &'static str,
    /// Whether the history is of it. Where it is not, the anomaly with the fewest operations that was found; it may refute a
    /// weaker model and so this one.
    pub verdict: Verdict,
}

/// Judges a history by every model of this kind, in the order of [`lattice::MODELS`]. What follows from another model's
/// verdict is not judged again; each model that is left may spend the whole budget. `object` says what the operations do,
/// for the models that need to know it.
///
/// ```
/// use squall_checkers::{budget::Budget, formats, lattice::About, models, strongest};
///
/// let skew = "0: txn [[r x nil] [w y 1]] -> [[r x nil] [w y 1]] @0..5; 1: txn [[r y nil] [w x 2]] -> [[r y nil] [w x 2]] @1..9";
/// let history = formats::text::read(skew).unwrap();
/// let placed = strongest::place(&history, About::of(&history), None, &Budget::default());
/// assert_eq!(strongest::holding(&placed), ["strong-snapshot-isolation"]);
///
/// let stale = formats::text::read("0: write[x] 1; 0: write[x] 2; 1: read[x] -> 1").unwrap();
/// let placed = strongest::place(&stale, About::Objects, models::model("register"), &Budget::default());
/// assert_eq!(strongest::holding(&placed), ["bounded-staleness", "sequential"]);
/// ```
pub fn place(history: &History, about: About, object: Option<&ModelEntry>, budget: &Budget) -> Vec<Placed> {
    let mut all: Vec<Placed> = Vec::new();
    for model in lattice::MODELS.iter().filter(|model| model.about.contains(&about)) {
        let implied = all.iter().any(|p| p.verdict.is_valid() && lattice::implies(p.model, model.name));
        // Of transactions an anomaly refutes models by its kind. Names of anomalies of objects are not that exact.
        let by_kind = |anomaly: &&Anomaly| about == About::Transactions && lattice::refutes(&anomaly.kind, model.name);
        let refuting =
            all.iter().flat_map(|p| p.verdict.anomalies()).filter(by_kind).min_by_key(|a| a.operations.len());
        let verdict = match refuting.cloned() {
            Some(anomaly) => Verdict::of(vec![anomaly]),
            None if implied => Verdict::VALID,
            None => judge(model.name, history, object, budget),
        };
        all.push(Placed { model: model.name, verdict });
    }
    // What implies a refuted model is refuted, even if its own checker gave up, and perhaps by less.
    for i in (0..all.len()).rev() {
        let weaker = |p: &&Placed| lattice::implies(all[i].model, p.model);
        let anomalies = all.iter().filter(weaker).flat_map(|p| p.verdict.anomalies());
        if let Some(anomaly) = anomalies.min_by_key(|anomaly| anomaly.operations.len()).cloned() {
            all[i].verdict = Verdict::of(vec![anomaly]);
        }
    }
    all
}

fn judge(name: &str, history: &History, object: Option<&ModelEntry>, budget: &Budget) -> Verdict {
    let Some(entry) = checker::checker(name) else { return Verdict::precondition("no checker decides it") };
    match (entry.build)(object) {
        Some(checker) => checker.check(history, budget),
        None => Verdict::precondition("it depends on what the operations do, and no model says that"),
    }
}

/// The models that hold and are implied by no other that holds.
pub fn holding(placed: &[Placed]) -> Vec<&'static str> {
    let holds: Vec<&str> = placed.iter().filter(|p| p.verdict.is_valid()).map(|p| p.model).collect();
    let strongest = |name: &&str| !holds.iter().any(|other| other != name && lattice::implies(other, name));
    holds.iter().copied().filter(strongest).collect()
}

/// A history of at most so many operations is placed as a whole to say what it is at most, a longer one by its anomalies.
const WHOLE_MAX: usize = 1000;
/// Anomalies that are looked at, the most telling first, and most operations of each.
const ANOMALIES_MAX: usize = 8;
const OPERATIONS_MAX: usize = 256;
/// Steps that each model may take.
const AT_MOST_STEPS: u64 = 200_000;

/// The strongest models that a history may be of which is not of `refuted`, as these anomalies show. None of them is refuted by
/// what the kinds of the anomalies say, nor by the operations that they name, nor of a short history by the whole of it. `None`
/// where that is not known.
///
/// ```
/// use squall_checkers::{checker, budget::Budget, formats::text, models, strongest};
///
/// let history = text::read("0: write[x] 1; 0: read[x] -> nil; 1: read[x] -> 1").unwrap();
/// let register = models::model("register");
/// let checker = (checker::checker("linearizable").unwrap().build)(register).unwrap();
/// let verdict = checker.check(&history, &Budget::default());
/// let left = strongest::at_most(&history, "linearizable", verdict.anomalies(), register).unwrap();
/// assert_eq!(left, ["bounded-staleness", "monotonic-reads", "monotonic-writes", "writes-follow-reads"]);
/// ```
pub fn at_most(
    history: &History,
    refuted: &str,
    anomalies: &[Anomaly],
    object: Option<&ModelEntry>,
) -> Option<Vec<&'static str>> {
    let about = About::of(history);
    let budget = Budget { steps: AT_MOST_STEPS, ..Budget::default() };
    let mut all = vec![refuted];
    let mut refute = |part: &History| {
        let placed = place(part, about, object, &budget).into_iter().filter(|p| p.verdict.is_invalid());
        all.extend(placed.map(|p| p.model));
    };
    if history.entries.len() <= WHOLE_MAX {
        refute(history);
    } else {
        let telling = anomalies.iter().take(ANOMALIES_MAX).filter(|a| a.operations.len() <= OPERATIONS_MAX);
        let parts = telling.map(|anomaly| alone(history, &anomaly.operations)).collect::<Option<Vec<History>>>()?;
        // Without an operation that had an effect there is nothing to judge.
        parts.iter().filter(|part| part.entries.iter().any(Entry::is_ok)).for_each(refute);
    }
    // Names of anomalies of objects are not that exact.
    let telling = anomalies.iter().filter(|_| about == About::Transactions);
    let kinds: Vec<Name> = telling.map(|anomaly| anomaly.kind.clone()).collect();
    let mut left = lattice::at_most(about, &all, &kinds);
    if !is_of_registers(history) {
        // The other models know no such objects.
        left.retain(|name| checker::checker(name).is_some_and(|checker| checker.needs_model));
    }
    Some(left)
}

/// The model whose operations these seem to be, by their names.
pub fn object(history: &History) -> Option<&'static ModelEntry> {
    const KNOWN: [(&str, &[&str]); 4] = [
        ("cas-register", &["read", "write", "cas"]),
        ("kv", &["get", "put", "append"]),
        ("set", &["add", "remove", "contains", "read"]),
        ("mutex", &["acquire", "release"]),
    ];
    let all = |names: &[&str]| history.entries.iter().all(|entry| names.contains(&entry.operation.f.as_str()));
    // A counter is added to and read as well.
    let numbers =
        || history.entries.iter().any(|e| e.operation.f == "read" && e.reply().is_some_and(|r| r.as_int().is_some()));
    let fits = |(model, names): &&(&str, &[&str])| all(names) && (*model != "set" || !numbers());
    KNOWN.iter().find(fits).and_then(|(model, _)| models::model(model))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::text;

    /// What a history is at most that this checker refuses, after `idle` operations on other keys.
    fn left(model: Option<&str>, checker: &str, history: &str, idle: usize) -> Option<Vec<&'static str>> {
        let is_txn = history.contains("txn");
        let asked = |i: usize| if is_txn { format!("txn [[w k{i} 1]]") } else { format!("write[k{i}] 1") };
        let before: Vec<String> = (0..idle).map(|i| format!("9: {} -> nil\n", asked(i))).collect();
        let history = text::read(&(before.concat() + history)).expect("in the notation");
        let object = model.and_then(models::model);
        let verdict = judge(checker, &history, object, &Budget::default());
        let left = at_most(&history, checker, verdict.anomalies(), object)?;
        for placed in place(&history, About::of(&history), object, &Budget::default()) {
            let is_named = left.iter().any(|left| lattice::implies(left, placed.model));
            assert!(!is_named || !placed.verdict.is_invalid(), "{} is refuted: {placed:?}", placed.model);
        }
        Some(left)
    }

    /// The kind of an anomaly is one of several that it is, and says too little.
    #[test]
    fn nothing_is_left_that_the_anomaly_refutes() {
        let own = "0: write[x] 1; 0: read[x] -> nil; 1: read[x] -> 1";
        let fork = "0: txn [[w x 1]] -> [[w x 1]]; 1: txn [[r x nil]] -> [[r x 1]]; 1: txn [[w y 1]] -> [[w y 1]]; \
                    2: txn [[r y nil]] -> [[r y 1]]; 2: txn [[r x nil]] -> [[r x nil]]";
        for idle in [0, WHOLE_MAX] {
            let weak = ["bounded-staleness", "monotonic-reads", "monotonic-writes", "writes-follow-reads"];
            assert_eq!(left(Some("register"), "linearizable", own, idle).as_deref(), Some(&weak[..]));
            let stale = "0: write[x] 1; 0: write[x] 2; 1: read[x] -> 1";
            let register = left(Some("register"), "linearizable", stale, idle);
            assert_eq!(register.as_deref(), Some(&["bounded-staleness", "sequential"][..]));
            let serial = ["serializable", "read-atomic"];
            let session = left(None, "strong-session-serializable", fork, idle);
            assert_eq!(session.as_deref(), Some(&serial[..]));
            let future = "0: read[x] -> 5; 1: write[x] 5";
            assert_eq!(left(Some("register"), "linearizable", future, idle).as_deref(), Some(&["sequential"][..]));
            let nobody = "0: txn [[r x nil]] -> [[r x 7]]; 1: txn [[w x 1]] -> [[w x 1]]";
            assert_eq!(left(None, "causal", nobody, idle).as_deref(), Some(&[][..]));
        }
    }

    /// Of a long history of other objects nothing is said, as operations of it prove nothing by themselves.
    #[test]
    fn queues_are_judged_as_a_whole() {
        let history = "0: enqueue 1; 0: enqueue 2; 0: dequeue -> 2";
        assert_eq!(left(Some("queue"), "linearizable", history, 0).as_deref(), Some(&[][..]));
        let late = "0: enqueue 1; 1: dequeue -> nil";
        assert_eq!(left(Some("queue"), "linearizable", late, 0).as_deref(), Some(&["sequential"][..]));
        let more: Vec<String> = (0..WHOLE_MAX).map(|i| format!("; 0: enqueue {}", i + 3)).collect();
        assert_eq!(left(Some("queue"), "linearizable", &(history.to_owned() + &more.concat()), 0), None);
    }
}
