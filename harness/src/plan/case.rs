//! A case: a failing plan, frozen and small, with what it shows; a versioned file that replays years later.

use serde::{Deserialize, Serialize};
use squall_checkers::document;
use squall_reports::records::{Counts, Signature};

use super::{
    Operations, Plan,
    file::{self, FileError},
};

/// The version of case files that this build writes. All versions up to this are read.
pub const CASE_VERSION: u32 = 1;

/// A failing plan and what it shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// What to run.
    pub plan: Plan,
    /// What is then seen.
    pub signature: Signature,
    /// The simulator it was found on, by its name in the catalogue.
    pub simulator: String,
    /// The run it comes from.
    pub found: Found,
    /// One sentence for people: what cannot be. Empty when the run itself failed.
    pub sentence: String,
}

/// The run a case comes from, before it was made small.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Found {
    /// The campaign's seed.
    pub seed: u64,
    /// Replicas.
    pub nodes: u32,
    /// Clients.
    pub clients: u32,
    /// Faults planned.
    pub faults: u32,
    /// Operations done, final reads included.
    pub operations: u32,
}

impl Found {
    /// The run of this seed, which had this size.
    pub fn of(seed: u64, size: Counts) -> Self {
        let count = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
        Found {
            seed,
            nodes: count(size.nodes),
            clients: count(size.clients),
            faults: count(size.faults),
            operations: count(size.operations),
        }
    }
}

/// A case as it stands in a file of version 1.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseFile {
    #[serde(rename = "squall-case")]
    version: u32,
    signature: Signature,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    sentence: String,
    simulator: String,
    found: Found,
    plan: Plan,
}

impl Case {
    /// The text of a case file.
    pub fn to_text(&self) -> String {
        let Case { plan, signature, simulator, found, sentence } = self.clone();
        file::pretty(&CaseFile { version: CASE_VERSION, signature, sentence, simulator, found, plan })
    }

    /// Reads a case file of any version so far, and checks that its plan can be run.
    pub fn from_text(text: &str) -> Result<Self, FileError> {
        let CaseFile { version: _, signature, sentence, simulator, found, plan } =
            document::read(text, "squall-case", CASE_VERSION)?;
        plan.validate()?;
        Ok(Case { plan, signature, simulator, found, sentence })
    }

    /// Number of operations that the plan asks for; at most, where they are generated.
    pub fn operations(&self) -> usize {
        match &self.plan.workload.operations {
            Operations::Generated { limit, .. } => *limit as usize,
            Operations::Script(script) => script.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use squall_checkers::operation::Operation;

    use super::*;
    use crate::plan::{
        Cluster, Fault, FaultKind, Latency, Loss, MILLISECOND, NodeId, Phases, SECOND, Scripted, Settings, Shape,
        Target, WorkloadPlan,
    };

    fn case() -> Case {
        let asked = |process, invoked_ms: u64, replied_ms: Option<u64>, operation| Scripted {
            client: process % 2,
            process,
            home: (process == 1).then_some(2),
            invoked_ns: invoked_ms * MILLISECOND,
            replied_ns: replied_ms.map(|ms| ms * MILLISECOND),
            operation,
        };
        let fault = |id, begins_ms: u64, lasts_ms: u64, target, kind| Fault {
            id,
            begins_ns: begins_ms * MILLISECOND,
            lasts_ns: lasts_ms * MILLISECOND,
            target,
            kind,
        };
        Case {
            plan: Plan {
                seed: u64::MAX,
                system: "raft-rs-kv:ack-before-fsync".to_owned(),
                settings: Settings::from([("snapshot-every".to_owned(), "50".to_owned())]),
                cluster: Cluster {
                    nodes: 3,
                    clients: 2,
                    latency: Latency { min_ns: MILLISECOND, max_ns: 10 * MILLISECOND }.into(),
                },
                workload: WorkloadPlan {
                    name: "register".to_owned(),
                    settings: Settings::new(),
                    timeout_ns: SECOND,
                    operations: Operations::Script(vec![
                        asked(0, 1_000, Some(1_030), Operation::write(0, 1)),
                        asked(1, 1_100, None, Operation::cas(0, 1, 2)),
                        asked(0, 2_500, Some(2_520), Operation::read(0)),
                    ]),
                },
                phases: Phases { chaos_ns: 3 * SECOND, settle_ns: 0, final_reads: false },
                faults: vec![
                    fault(
                        4,
                        500,
                        2_000,
                        Target::Leader,
                        FaultKind::Partition { shape: Shape::Split, flap_ns: None, clients: false },
                    ),
                    fault(
                        9,
                        1_500,
                        20,
                        Target::Nodes(vec![NodeId(0), NodeId(2)]),
                        FaultKind::Crash { loss: Loss::Lost },
                    ),
                ],
            },
            signature: Signature {
                system: "raft-rs-kv:ack-before-fsync".to_owned(),
                checker: "linearizable".to_owned(),
                anomaly: "lost-write".to_owned(),
            },
            simulator: "native".to_owned(),
            found: Found { seed: 77, nodes: 5, clients: 5, faults: 12, operations: 640 },
            sentence: "write(0, 1) of process 0 was acknowledged, yet read(0) of process 0 saw nil.".to_owned(),
        }
    }

    /// Cases of version 1 must be read for ever.
    const VERSION_1: &str = include_str!("golden/case-v1.json");

    #[test]
    fn a_case_of_version_1_is_still_read() {
        assert_eq!(Case::from_text(VERSION_1), Ok(case()));
    }

    #[test]
    fn a_case_is_written_as_version_1() {
        assert_eq!(case().to_text(), VERSION_1, "another shape needs another version");
    }

    #[test]
    fn a_case_of_another_version_says_which_ones_are_read() {
        let newer = VERSION_1.replacen("\"squall-case\": 1", "\"squall-case\": 2", 1);
        let error = Case::from_text(&newer).unwrap_err();
        assert_eq!(
            error.to_string(),
            "this squall-case file has version 2, which a newer squall wrote; this build reads version 1"
        );
    }

    #[test]
    fn a_case_whose_plan_makes_no_sense_is_refused() {
        let error = Case::from_text(&VERSION_1.replace("\"nodes\": 3", "\"nodes\": 1")).unwrap_err();
        assert!(matches!(error, FileError::Invalid(_)), "{error}");
    }

    #[test]
    fn a_plan_is_no_case() {
        let error = Case::from_text(&file::to_text(&case().plan)).unwrap_err();
        assert_eq!(error.to_string(), "this is no squall-case file, but a squall-plan file");
        assert_eq!(error.instead(), Some("`squall run --plan FILE` runs a plan."));
    }
}
