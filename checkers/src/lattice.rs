//! Consistency models as data: which one implies which, and which anomaly refutes which.
//! [`strongest`](crate::strongest) places a history among them.
//!
//! Names follow Adya (1999), Biswas & Enea (2019), Crooks et al. (2017) and Elle (Kingsbury & Alvaro 2020). Where popular
//! texts and papers disagree the paper counts:
//!
//! * `read-committed`, `read-atomic` and `causal` are those of Biswas & Enea: they hold each process to its own order. Adya's
//!   read committed, which knows no processes, is `pl-2`.
//! * `serializable`, `snapshot-isolation` and `repeatable-read` know no processes; `strong-session-…` add their order, and
//!   `strong-…` and `strict-…` add real time. Linearizability is about single objects and is no model of transactions.
//! * `causal` is causal convergence. It and causal memory exclude each other's histories, and PRAM follows from the latter only.
//!   Monotonic reads and read your writes ask for one order of the versions that all processes agree with, so that they follow
//!   from causal convergence, and neither from causal memory nor from PRAM.
//! * A read of a value that nobody wrote refutes every level: versions come from writes (Adya). Elle's analysis of registers
//!   says nothing of such reads and lets them pass.
//! * `read-uncommitted` and `pl-2` know of the order of versions what reads show. A list is what its longest read shows, elements of
//!   aborted transactions among them, and loses none. A transaction of unknown outcome took effect if somebody saw it. Who
//!   replaces what it read in a register comes after whose write that was.
//! * Operations name their keys, so a predicate never finds new rows and repeatable read (PL-2.99) refuses the same
//!   histories as serializability (PL-3).

use crate::{
    anomaly::{
        CAUSALLY_STALE_READ, CYCLIC_CAUSALITY, CYCLIC_CONFLICT, CYCLIC_VIEW, DIRTY_UPDATE, DUPLICATE_ELEMENTS,
        FRACTURED_READ, FUTURE_READ, G_NONADJACENT, G_NONADJACENT_PROCESS, G_NONADJACENT_REALTIME, G_SINGLE,
        G_SINGLE_PROCESS, G_SINGLE_REALTIME, G0, G0_PROCESS, G0_REALTIME, G1A, G1B, G1C, G1C_PROCESS, G1C_REALTIME,
        G2_ITEM, G2_ITEM_PROCESS, G2_ITEM_REALTIME, INCOMPATIBLE_ORDER, INTERNAL, LONG_FORK, LOST_UPDATE,
        NON_REPEATABLE_READ, NON_SEQUENTIAL, NON_SERIALIZABLE, NON_SNAPSHOT, PHANTOM, READ_OF_INITIAL, THIN_AIR_READ,
        WRITE_SKEW,
    },
    history::History,
    operation::Name,
};

/// What a consistency model is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// Single operations on objects.
    Objects,
    /// Transactions of several operations.
    Transactions,
}

impl About {
    /// What a history consists of: transactions where some operation is a `txn`.
    pub fn of(history: &History) -> About {
        let transactions = history.entries.iter().any(|entry| entry.operation.f == "txn");
        if transactions { About::Transactions } else { About::Objects }
    }
}

/// A consistency model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConsistencyModel {
    /// Its name, in kebab-case; that of the checker that decides it, where there is one.
    pub name: &'static str,
    /// What it is about.
    pub about: &'static [About],
    /// The models that it implies directly.
    pub implies: &'static [&'static str],
    /// Where it is defined.
    pub source: &'static str,
}

const OBJECTS: &[About] = &[About::Objects];
const TRANSACTIONS: &[About] = &[About::Transactions];
const BOTH: &[About] = &[About::Objects, About::Transactions];

/// Every model, each after those that imply it.
pub const MODELS: &[ConsistencyModel] = &[
    ConsistencyModel {
        name: "linearizable",
        about: OBJECTS,
        implies: &["sequential", "bounded-staleness"],
        source: "Herlihy & Wing 1990",
    },
    ConsistencyModel {
        name: "bounded-staleness",
        about: OBJECTS,
        implies: &[],
        source: "Golab, Li & Shah 2011; Aiyer, Alvisi & Bazzi 2005",
    },
    ConsistencyModel {
        name: "sequential",
        about: OBJECTS,
        implies: &["causal", "causal-memory"],
        source: "Lamport 1979",
    },
    ConsistencyModel {
        name: "strict-serializable",
        about: TRANSACTIONS,
        implies: &["strong-session-serializable", "strong-snapshot-isolation"],
        source: "Papadimitriou 1979",
    },
    ConsistencyModel {
        name: "strong-session-serializable",
        about: TRANSACTIONS,
        implies: &["serializable", "strong-session-snapshot-isolation"],
        source: "Daudjee & Salem 2004",
    },
    ConsistencyModel {
        name: "strong-snapshot-isolation",
        about: TRANSACTIONS,
        implies: &["strong-session-snapshot-isolation"],
        source: "Daudjee & Salem 2006",
    },
    ConsistencyModel {
        name: "serializable",
        about: TRANSACTIONS,
        implies: &["repeatable-read", "snapshot-isolation"],
        source: "Adya 1999, PL-3",
    },
    ConsistencyModel {
        name: "strong-session-snapshot-isolation",
        about: TRANSACTIONS,
        implies: &["snapshot-isolation", "causal"],
        source: "Cerone & Gotsman 2018",
    },
    ConsistencyModel { name: "repeatable-read", about: TRANSACTIONS, implies: &["pl-2"], source: "Adya 1999, PL-2.99" },
    ConsistencyModel {
        name: "snapshot-isolation",
        about: TRANSACTIONS,
        implies: &["pl-2"],
        source: "Adya 1999, PL-SI, without real time",
    },
    ConsistencyModel {
        name: "causal",
        about: BOTH,
        implies: &["read-atomic", "causal-weak", "sessions"],
        source: "Biswas & Enea 2019; CCv",
    },
    ConsistencyModel {
        name: "read-atomic",
        about: TRANSACTIONS,
        implies: &["read-committed"],
        source: "Biswas & Enea 2019",
    },
    ConsistencyModel { name: "read-committed", about: TRANSACTIONS, implies: &["pl-2"], source: "Biswas & Enea 2019" },
    ConsistencyModel { name: "pl-2", about: TRANSACTIONS, implies: &["read-uncommitted"], source: "Adya 1999, PL-2" },
    ConsistencyModel { name: "read-uncommitted", about: TRANSACTIONS, implies: &[], source: "Adya 1999, PL-1" },
    ConsistencyModel {
        name: "causal-memory",
        about: OBJECTS,
        implies: &["causal-weak", "pram"],
        source: "Ahamad et al. 1995; CM of Bouajjani et al. 2017",
    },
    ConsistencyModel {
        name: "causal-weak",
        about: OBJECTS,
        implies: &["monotonic-writes", "writes-follow-reads"],
        source: "CC of Bouajjani et al. 2017",
    },
    ConsistencyModel { name: "pram", about: OBJECTS, implies: &[], source: "Lipton & Sandberg 1988" },
    ConsistencyModel {
        name: "sessions",
        about: OBJECTS,
        implies: &["monotonic-reads", "monotonic-writes", "read-your-writes", "writes-follow-reads"],
        source: "Terry et al. 1994",
    },
    ConsistencyModel { name: "monotonic-reads", about: OBJECTS, implies: &[], source: "Terry et al. 1994" },
    ConsistencyModel { name: "monotonic-writes", about: OBJECTS, implies: &[], source: "Terry et al. 1994" },
    ConsistencyModel { name: "read-your-writes", about: OBJECTS, implies: &[], source: "Terry et al. 1994" },
    ConsistencyModel { name: "writes-follow-reads", about: OBJECTS, implies: &[], source: "Terry et al. 1994" },
];

/// The weakest models that each kind of anomaly refutes. What implies a refuted model is refuted too.
const REFUTES: &[(Name, &[&str])] = &[
    (
        THIN_AIR_READ,
        &["read-uncommitted", "causal-weak", "pram", "bounded-staleness", "monotonic-reads", "read-your-writes"],
    ),
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
    (CYCLIC_CAUSALITY, &["read-committed", "causal-weak"]),
    (READ_OF_INITIAL, &["causal", "causal-weak"]),
    (CAUSALLY_STALE_READ, &["causal", "causal-weak"]),
    (CYCLIC_CONFLICT, &["causal"]),
    (CYCLIC_VIEW, &["causal-memory"]),
    (NON_SEQUENTIAL, &["sequential"]),
    (NON_SNAPSHOT, &["strong-snapshot-isolation"]),
    (NON_SERIALIZABLE, &["strict-serializable"]),
];

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

/// The strongest models that are left when those that imply one of `refuted` and what anomalies of these kinds refute are
/// taken away. A history is at most that.
pub fn at_most(about: About, refuted: &[&str], kinds: &[Name]) -> Vec<&'static str> {
    let by_kind = |model: &str| kinds.iter().any(|kind| refutes(kind, model));
    let by_model = |model: &str| refuted.iter().any(|refuted| implies(model, refuted));
    let left = |m: &&ConsistencyModel| m.about.contains(&about) && !by_model(m.name) && !by_kind(m.name);
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
        let at_most = |refuted: &str, kinds: &[Name]| at_most(About::Transactions, &[refuted], kinds);
        assert_eq!(at_most("serializable", &[WRITE_SKEW]), ["strong-snapshot-isolation"]);
        assert_eq!(at_most("snapshot-isolation", &[LOST_UPDATE]), ["causal"]);
        assert_eq!(
            at_most("strict-serializable", &[G2_ITEM_REALTIME]),
            ["strong-session-serializable", "strong-snapshot-isolation"]
        );
        assert!(at_most("read-uncommitted", &[G0]).is_empty());
    }

    #[test]
    fn objects_are_placed_among_models_of_objects() {
        let at_most = |refuted: &str, kinds: &[Name]| at_most(About::Objects, &[refuted], kinds);
        assert_eq!(at_most("linearizable", &[]), ["bounded-staleness", "sequential"]);
        assert_eq!(at_most("causal", &[CYCLIC_CONFLICT]), ["bounded-staleness", "causal-memory", "sessions"]);
        assert_eq!(at_most("causal-memory", &[CYCLIC_VIEW]), ["bounded-staleness", "causal", "pram"]);
    }
}
