//! What a failing run showed, as far as making it smaller needs to know.

use std::collections::{BTreeMap, BTreeSet};

use squall_checkers::{
    history::{Entry, EntryId, Moment, Outcome as Ended},
    verdict::Verdict,
};
use squall_reports::records::Signature;

use crate::{
    engine::run::Outcome,
    plan::{NodeId, Operations, Plan, Scripted},
};

/// A run that failed in the way looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// What the clients asked, final reads left out.
    pub operations: Vec<Scripted>,
    /// The final reads of both rounds, as operations of the replica they were made at.
    pub final_reads: Vec<Scripted>,
    /// Which of both together the anomaly is about, by index; final reads are counted after the others. Empty when the run
    /// itself failed.
    pub culprits: BTreeSet<usize>,
    /// Whom each fault that began turned out to strike.
    pub struck: BTreeMap<u32, Vec<NodeId>>,
}

impl Seen {
    /// What a run showed, if it failed with this signature.
    pub fn of(plan: &Plan, outcome: &Outcome, signature: &Signature) -> Option<Self> {
        if !outcome.shows(signature) {
            return None;
        }
        let Some(execution) = &outcome.execution else { return Some(Seen::default()) };
        let entries = &execution.history.entries;
        let scripted = |entry: &Entry| {
            let place = execution.processes.get(entry.process.0 as usize);
            Scripted {
                client: place.map_or(0, |p| p.client).min(plan.cluster.clients.saturating_sub(1)),
                process: entry.process.0,
                home: place.map(|p| p.home.0),
                invoked_ns: entry.invoked.time(),
                // An operation of unknown outcome never replied: its time-out holds nobody back.
                replied_ns: match entry.outcome {
                    Ended::Unknown(_) => None,
                    Ended::Ok(_) | Ended::Failed(_) => entry.completed.map(Moment::time),
                },
                operation: entry.operation.clone(),
            }
        };
        // Final reads begin when all else that was to be asked is over.
        let asked = match &plan.workload.operations {
            Operations::Script(script) => script.len().min(entries.len()),
            Operations::Generated { .. } => {
                let settled_ns = plan.phases.chaos_ns + plan.phases.settle_ns;
                entries.partition_point(|e| e.invoked.time() < settled_ns)
            }
        };
        let (operations, final_reads) = entries.split_at(asked);
        let struck = execution.faults.iter().filter(|f| !f.nodes.is_empty()).map(|f| (f.id, f.nodes.clone()));
        Some(Seen {
            operations: operations.iter().map(scripted).collect(),
            final_reads: final_reads.iter().map(scripted).collect(),
            culprits: culprits(outcome, signature),
            struck: struck.collect(),
        })
    }

    /// All operations, final reads as ordinary ones at their end.
    pub fn all_operations(&self) -> Vec<Scripted> {
        self.operations.iter().chain(&self.final_reads).cloned().collect()
    }
}

/// The entries of the anomaly that gives the signature its name.
fn culprits(outcome: &Outcome, signature: &Signature) -> BTreeSet<EntryId> {
    outcome
        .verdicts
        .iter()
        .filter(|v| v.checker == signature.checker)
        .filter_map(|v| if let Verdict::Invalid { anomalies } = &v.verdict { anomalies.first() } else { None })
        .flat_map(|a| a.operations.iter().copied())
        .collect()
}
