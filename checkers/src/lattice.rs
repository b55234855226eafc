//! Consistency models of transactions as data: which one implies which, and which anomaly refutes which.
//!
//! Names follow Adya (1999), Biswas & Enea (2019), Crooks et al. (2017) and Elle (Kingsbury & Alvaro 2020). Where popular
//! texts and papers disagree the paper counts:
//!
//! * `read-committed`, `read-atomic` and `causal` are those of Biswas & Enea: they hold each process to its own order. Adya's
//!   read committed, which knows no processes, is `pl-2`.
//! * `serializable`, `snapshot-isolation` and `repeatable-read` know no processes; `strong-session-…` add their order, and
//!   `strong-…` and `strict-…` add real time. Linearizability is about single objects and is no model of transactions.
//! * Operations name their keys, so a predicate never finds new rows and repeatable read (PL-2.99) refuses the same
//!   histories as serializability (PL-3).

use crate::{
    anomaly::{
        CAUSALLY_STALE_READ, CYCLIC_CAUSALITY, CYCLIC_CONFLICT, DIRTY_UPDATE, DUPLICATE_ELEMENTS, FRACTURED_READ,
        FUTURE_READ, G_NONADJACENT, G_NONADJACENT_PROCESS, G_NONADJACENT_REALTIME, G_SINGLE, G_SINGLE_PROCESS,
        G_SINGLE_REALTIME, G0, G0_PROCESS, G0_REALTIME, G1A, G1B, G1C, G1C_PROCESS, G1C_REALTIME, G2_ITEM,
        G2_ITEM_PROCESS, G2_ITEM_REALTIME, INCOMPATIBLE_ORDER, INTERNAL, LONG_FORK, LOST_UPDATE, NON_REPEATABLE_READ,
        NON_SERIALIZABLE, NON_SNAPSHOT, PHANTOM, READ_OF_INITIAL, THIN_AIR_READ, WRITE_SKEW,
    },
    budget::Budget,
    checker,
    history::History,
    operation::Name,
    verdict::Verdict,
};

/// A consistency model of transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConsistencyModel {
    /// Its name, in kebab-case; that of the checker that decides it, where there is one.
    pub name: &'static str,
    /// The models that it implies directly.
    pub implies: &'static [&'static str],
    /// Where it is defined.
    pub source: &'static str,
}

/// Every model, each after those that imply it.
pub const MODELS: &[ConsistencyModel] = &[
    ConsistencyModel {
        name: "strict-serializable",
        implies: &["strong-session-serializable", "strong-snapshot-isolation"],
        source: "Papadimitriou 1979",
    },
    ConsistencyModel {
        name: "strong-session-serializable",
        implies: &["serializable", "strong-session-snapshot-isolation"],
        source: "Daudjee & Salem 2004",
    },
    ConsistencyModel {
        name: "strong-snapshot-isolation",
        implies: &["strong-session-snapshot-isolation"],
        source: "Daudjee & Salem 2006",
    },
    ConsistencyModel {
        name: "serializable",
        implies: &["repeatable-read", "snapshot-isolation"],
        source: "Adya 1999, PL-3",
    },
    ConsistencyModel {
        name: "strong-session-snapshot-isolation",
        implies: &["snapshot-isolation", "causal"],
        source: "Cerone & Gotsman 2018",
    },
    ConsistencyModel { name: "repeatable-read", implies: &["pl-2"], source: "Adya 1999, PL-2.99" },
    ConsistencyModel { name: "snapshot-isolation", implies: &["pl-2"], source: "Adya 1999, PL-SI, without real time" },
    ConsistencyModel { name: "causal", implies: &["read-atomic"], source: "Biswas & Enea 2019; CCv" },
    ConsistencyModel { name: "read-atomic", implies: &["read-committed"], source: "Biswas & Enea 2019" },
    ConsistencyModel { name: "read-committed", implies: &["pl-2"], source: "Biswas & Enea 2019" },
    ConsistencyModel { name: "pl-2", implies: &["read-uncommitted"], source: "Adya 1999, PL-2" },
    ConsistencyModel { name: "read-uncommitted", implies: &[], source: "Adya 1999, PL-1" },
];

/// The weakest models that each kind of anomaly refutes. What implies a refuted model is refuted too.
const REFUTES: &[(Name, &[&str])] = &[
    (THIN_AIR_READ, &["read-uncommitted"]),
    (DUPLICATE_ELEMENTS, &["read-uncommitted"]),
    (INCOMPATIBLE_ORDER, &["read-uncommitted"]),
    (G0, &["read-uncommitted"]),
    (G1A, &["pl-2"]),
    (G1B, &["pl-2"]),
    (G1C, &["pl-2"]),
    (FUTURE_READ, &["pl-2"]),
    (DIRTY_UPDATE, &["pl-2"]),
    (INTERNAL, &["read-committed", "repeatable-read", "snapshot-isolation"]),
    (NON_REPEATABLE_READ, &["read-atomic", "repeatable-read", "snapshot-isolation"]),
    (PHANTOM, &["read-atomic", "repeatable-read", "snapshot-isolation"]),
    (FRACTURED_READ, &["read-atomic", "repeatable-read", "snapshot-isolation"]),
    (LOST_UPDATE, &["repeatable-read", "snapshot-isolation"]),
    (G_SINGLE, &["repeatable-read", "snapshot-isolation"]),
    (LONG_FORK, &["repeatable-read", "snapshot-isolation"]),
    (G_NONADJACENT, &["repeatable-read", "snapshot-isolation"]),
    (WRITE_SKEW, &["repeatable-read"]),
    (G2_ITEM, &["repeatable-read"]),
    (G0_PROCESS, &["read-committed", "strong-session-snapshot-isolation"]),
    (G1C_PROCESS, &["read-committed", "strong-session-snapshot-isolation"]),
    (G_SINGLE_PROCESS, &["strong-session-snapshot-isolation"]),
    (G_NONADJACENT_PROCESS, &["strong-session-snapshot-isolation"]),
    (G2_ITEM_PROCESS, &["strong-session-serializable"]),
    (G0_REALTIME, &["strong-snapshot-isolation"]),
    (G1C_REALTIME, &["strong-snapshot-isolation"]),
    (G_SINGLE_REALTIME, &["strong-snapshot-isolation"]),
    (G_NONADJACENT_REALTIME, &["strong-snapshot-isolation"]),
    (G2_ITEM_REALTIME, &["strict-serializable"]),
    (CYCLIC_CAUSALITY, &["read-committed"]),
    (READ_OF_INITIAL, &["causal"]),
    (CAUSALLY_STALE_READ, &["causal"]),
    (CYCLIC_CONFLICT, &["causal"]),
    (NON_SNAPSHOT, &["strong-snapshot-isolation"]),
    (NON_SERIALIZABLE, &["strict-serializable"]),
];

/// A model and what was found of a history under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The name of the model.
    pub model: &'static str,
    /// Whether the history is of it. Evidence may be that of another model.
    pub verdict: Verdict,
}

/// Judges a history of transactions by every model, in the order of [`MODELS`]. What follows from another model's verdict is
/// not judged again; each model that is left may spend the whole budget.
///
/// ```
/// use squall_checkers::{budget::Budget, formats, lattice};
///
/// let skew = "0: txn [[r x nil] [w y 1]] -> [[r x nil] [w y 1]] @0..5; 1: txn [[r y nil] [w x 2]] -> [[r y nil] [w x 2]] @1..9";
/// let placed = lattice::place(&formats::text::read(skew).unwrap(), &Budget::default());
/// let holds = placed.iter().find(|p| p.verdict.is_valid()).unwrap();
/// assert_eq!(holds.model, "strong-snapshot-isolation");
/// ```
pub fn place(history: &History, budget: &Budget) -> Vec<Placed> {
    let mut all: Vec<Placed> = Vec::new();
    for model in MODELS {
        let implied = all.iter().any(|p| p.verdict.is_valid() && implies(p.model, model.name));
        let anomalies = all.iter().flat_map(|p| p.verdict.anomalies());
        let refuting =
            anomalies.filter(|anomaly| refutes(&anomaly.kind, model.name)).min_by_key(|a| a.operations.len());
        let verdict = match refuting.cloned() {
            Some(anomaly) => Verdict::of(vec![anomaly]),
            None if implied => Verdict::VALID,
            None => checker::checker(model.name)
                .and_then(|entry| (entry.build)(None))
                .map_or_else(|| Verdict::precondition("no checker decides it"), |c| c.check(history, budget)),
        };
        all.push(Placed { model: model.name, verdict });
    }
    // What implies a refuted model is refuted, even if its own checker gave up.
    for i in (0..all.len()).rev().filter(|&i| all[i].verdict.is_unknown()).collect::<Vec<_>>() {
        let weaker = all.iter().find(|p| p.verdict.is_invalid() && implies(all[i].model, p.model));
        if let Some(verdict) = weaker.map(|p| p.verdict.clone()) {
            all[i].verdict = verdict;
        }
    }
    all
}

/// The model of this name.
pub fn model(name: &str) -> Option<&'static ConsistencyModel> {
    MODELS.iter().find(|m| m.name == name)
}

/// Whether every history that `stronger` allows is one that `weaker` allows; each model implies itself.
///
/// ```
/// use squall_checkers::lattice;
/// assert!(lattice::implies("strict-serializable", "read-committed"));
/// assert!(!lattice::implies("snapshot-isolation", "serializable"));
/// ```
pub fn implies(stronger: &str, weaker: &str) -> bool {
    stronger == weaker || model(stronger).is_some_and(|m| m.implies.iter().any(|next| implies(next, weaker)))
}

/// Whether an anomaly of this kind shows that the history is none of `model`.
pub fn refutes(kind: &Name, model: &str) -> bool {
    let weakest = REFUTES.iter().find(|(name, _)| name == kind).map_or(&[][..], |(_, weakest)| weakest);
    weakest.iter().any(|weakest| implies(model, weakest))
}

/// The strongest models that are left when `refuted` and anomalies of these kinds are taken away. A history is at most that.
pub fn at_most(refuted: &str, kinds: &[Name]) -> Vec<&'static str> {
    let left = |m: &&ConsistencyModel| !implies(m.name, refuted) && !kinds.iter().any(|kind| refutes(kind, m.name));
    let left: Vec<&str> = MODELS.iter().filter(left).map(|m| m.name).collect();
    let strongest = |name: &&str| !left.iter().any(|other| other != name && implies(other, name));
    left.iter().copied().filter(strongest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anomaly::KINDS;

    #[test]
    fn all_that_is_named_is_there() {
        for (i, m) in MODELS.iter().enumerate() {
            for implied in m.implies {
                assert!(MODELS[i + 1..].iter().any(|n| n.name == *implied), "{} implies {implied}", m.name);
            }
        }
        for (kind, weakest) in REFUTES {
            assert!(KINDS.iter().any(|(k, _)| k == kind), "{kind}");
            assert!(weakest.iter().all(|name| model(name).is_some()), "{kind}");
        }
    }

    #[test]
    fn a_history_is_placed_below_what_is_refuted() {
        assert_eq!(at_most("serializable", &[WRITE_SKEW]), ["strong-snapshot-isolation"]);
        assert_eq!(at_most("snapshot-isolation", &[LOST_UPDATE]), ["causal"]);
        assert_eq!(
            at_most("strict-serializable", &[G2_ITEM_REALTIME]),
            ["strong-session-serializable", "strong-snapshot-isolation"]
        );
        assert!(at_most("read-uncommitted", &[G0]).is_empty());
    }
}
