//! Placing a history in the [`lattice`] of models: what holds, what is refuted and by what, what is unknown.

use crate::{
    budget::Budget,
    checker,
    history::History,
    lattice::{self, About},
    models::{self, ModelEntry},
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
