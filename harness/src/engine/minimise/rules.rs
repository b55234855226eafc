//! What a smaller plan must keep, so that it fails for the same reason and not for a lesser one.

use squall_reports::records::Signature;

use crate::plan::{Operations, Plan, Tolerates};

/// What every smaller plan must keep.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The promise, when the first plan lay inside it.
    inside: Option<Tolerates>,
    keeps: Keeps,
    settle_ns: u64,
}

/// What an anomaly lives on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keeps {
    /// Operations alone.
    Nothing,
    /// Recovery in peace, and reading every replica after it: with less, replicas differ because they had no time.
    FinalReads,
    /// Recovery in peace, and an operation late in it: an early one fails because the system had no time.
    LateOperation,
}

impl Rules {
    /// The rules for making `plan`, which shows `signature`, smaller.
    pub fn new(plan: &Plan, signature: &Signature, tolerates: &Tolerates) -> Self {
        let inside = tolerates.outside(&plan.faults, plan.cluster.nodes).is_empty().then(|| tolerates.clone());
        let keeps = match signature.checker.as_str() {
            "durability" | "convergence" | "eventual" | "strong-eventual" => Keeps::FinalReads,
            "liveness" => Keeps::LateOperation,
            _ => Keeps::Nothing,
        };
        Rules { inside, keeps, settle_ns: plan.phases.settle_ns }
    }

    /// Whether final reads may become ordinary operations, and the time to settle may go.
    pub(super) fn may_end_early(&self) -> bool {
        self.keeps == Keeps::Nothing
    }

    /// Whether the final reads must stay as they are.
    pub(super) fn needs_final_reads(&self) -> bool {
        self.keeps == Keeps::FinalReads
    }

    /// Whether a plan keeps what must be kept and makes sense. A smaller plan that does not may fail too, but for a lesser
    /// reason: a cut that is not allowed does not count against 1-minimality.
    pub fn allow(&self, plan: &Plan) -> bool {
        let kept = match self.keeps {
            Keeps::Nothing => true,
            Keeps::FinalReads => plan.phases.final_reads && plan.phases.settle_ns == self.settle_ns,
            Keeps::LateOperation => plan.phases.settle_ns == self.settle_ns && asks_late(plan),
        };
        let inside = || self.inside.as_ref().is_none_or(|t| t.outside(&plan.faults, plan.cluster.nodes).is_empty());
        kept && inside() && plan.validate().is_ok()
    }
}

/// Whether something is asked in the second half of the settle phase.
fn asks_late(plan: &Plan) -> bool {
    let late = plan.phases.chaos_ns + plan.phases.settle_ns / 2;
    match &plan.workload.operations {
        Operations::Generated { .. } => true,
        Operations::Script(script) => script.iter().any(|o| o.invoked_ns >= late),
    }
}
