//! What a checker answers.

use serde::{Deserialize, Serialize};

use crate::{anomaly, history::EntryId, operation::Name, value::Value};

/// The answer of a checker. They compose on a lattice: valid < unknown < invalid, and the worst wins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "verdict")]
pub enum Verdict {
    /// The model allows the history.
    Valid {
        /// One order of the operations that explains the history, where the checker has one. Operations that certainly did
        /// not, or need not, take effect are left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        linearization: Option<Vec<EntryId>>,
    },
    /// Nothing can be said.
    Unknown {
        /// What gave out, and how far it came: a budget, an unmet precondition, a history that proves nothing (vacuous).
        reason: Reason,
        /// The same for people, with figures.
        detail: String,
    },
    /// The model forbids the history.
    Invalid {
        /// What is wrong, most telling first; never empty.
        anomalies: Vec<Anomaly>,
    },
}

/// Why a verdict is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The budget of steps was spent.
    Steps,
    /// The budget of memory was spent.
    Memory,
    /// No operation succeeded (or none that this checker looks at): the history proves nothing.
    Vacuous,
    /// The checker needs something that the history does not have, such as unique written values.
    Precondition,
}

/// One thing that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anomaly {
    /// Its name in the field's terms: `stale-read`, `lost-write`, `new-old-inversion`, …
    pub kind: Name,
    /// The key it is about; `Nil` when about all.
    #[serde(default, skip_serializing_if = "Value::is_nil")]
    pub key: Value,
    /// The operations that together cannot be, in the order of their invocations.
    pub operations: Vec<EntryId>,
    /// One sentence in plain words that says what cannot be, naming processes and values.
    pub sentence: String,
}

impl Verdict {
    /// Valid, with nothing to show for it.
    pub const VALID: Verdict = Verdict::Valid { linearization: None };

    /// Unknown because `detail` is missing.
    pub fn precondition(detail: impl Into<String>) -> Verdict {
        Verdict::Unknown { reason: Reason::Precondition, detail: detail.into() }
    }

    /// Unknown because nothing happened that this checker could judge.
    pub fn vacuous(detail: impl Into<String>) -> Verdict {
        Verdict::Unknown { reason: Reason::Vacuous, detail: detail.into() }
    }

    /// Invalid when there are anomalies (most telling first, then as given), else valid.
    pub fn of(mut anomalies: Vec<Anomaly>) -> Verdict {
        if anomalies.is_empty() {
            return Verdict::VALID;
        }
        anomalies.sort_by_key(|a| anomaly::rank(&a.kind));
        Verdict::Invalid { anomalies }
    }

    /// Whether the model allows the history.
    pub fn is_valid(&self) -> bool {
        matches!(self, Verdict::Valid { .. })
    }

    /// Whether the model forbids the history.
    pub fn is_invalid(&self) -> bool {
        matches!(self, Verdict::Invalid { .. })
    }

    /// Whether nothing can be said.
    pub fn is_unknown(&self) -> bool {
        matches!(self, Verdict::Unknown { .. })
    }

    /// For tests: nothing if the model allows the history.
    ///
    /// # Panics
    /// With a sentence for each anomaly, and where nothing can be said.
    #[track_caller]
    pub fn assert_valid(&self) {
        match self {
            Verdict::Valid { .. } => {}
            Verdict::Unknown { detail, .. } => panic!("nothing can be said: {detail}"),
            Verdict::Invalid { anomalies } => {
                let lines: Vec<String> = anomalies.iter().map(|a| format!("{}: {}", a.kind, a.sentence)).collect();
                panic!("{}", lines.join("\n"));
            }
        }
    }

    /// What is wrong; empty unless invalid.
    pub fn anomalies(&self) -> &[Anomaly] {
        if let Verdict::Invalid { anomalies } = self { anomalies } else { &[] }
    }

    /// The worse of two verdicts: invalid beats unknown, unknown beats valid. Anomalies of two invalid verdicts are joined, most
    /// telling first; of two unknown or valid ones the first stays.
    #[must_use]
    pub fn worst(self, other: Verdict) -> Verdict {
        match (self, other) {
            (Verdict::Invalid { anomalies: mut all }, Verdict::Invalid { anomalies }) => {
                all.extend(anomalies);
                Verdict::of(all)
            }
            (first, second) => {
                let rank = |v: &Verdict| (v.is_invalid(), v.is_unknown());
                if rank(&second) > rank(&first) { second } else { first }
            }
        }
    }
}
