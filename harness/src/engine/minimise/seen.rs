//! What a failing run showed, as far as making it smaller needs to know.

use std::collections::{BTreeMap, BTreeSet};

use squall_checkers::{
    history::{EntryId, MarkKind, Outcome as Ended},
    verdict::Verdict,
};
use squall_reports::records::Signature;

use crate::{
    engine::run::Outcome,
    plan::{NodeId, Plan, Scripted},
};

/// A run that failed in the way looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// What the clients asked, final reads left out.
    pub operations: Vec<Scripted>,
    /// The final reads, as operations of the replica they were made at.
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
        let history = &execution.history;
        let reads_at = |mark: &squall_checkers::history::Mark| match mark.kind {
            MarkKind::FinalReads(process, _) => Some(process),
            _ => None,
        };
        let readers: BTreeSet<_> = history.marks.iter().filter_map(reads_at).collect();
        let mut seen = Seen::default();
        let mut asked: Vec<EntryId> = Vec::new();
        let mut read: Vec<EntryId> = Vec::new();
        for (id, entry) in history.entries.iter().enumerate() {
            let place = execution.processes.get(entry.process.0 as usize);
            let scripted = Scripted {
                client: place.map_or(0, |p| p.client).min(plan.cluster.clients.saturating_sub(1)),
                process: entry.process.0,
                home: place.map(|p| p.home.0),
                invoked_ns: entry.invoked.time,
                // An operation of unknown outcome never replied: its time-out holds nobody back.
                replied_ns: match entry.outcome {
                    Ended::Unknown(_) => None,
                    Ended::Ok(_) | Ended::Failed(_) => entry.completed.map(|m| m.time),
                },
                operation: entry.operation.clone(),
            };
            let (list, ids) = if readers.contains(&entry.process) {
                (&mut seen.final_reads, &mut read)
            } else {
                (&mut seen.operations, &mut asked)
            };
            list.push(scripted);
            ids.push(id);
        }
        asked.extend(read);
        let culprits = culprits(outcome, signature);
        seen.culprits = (0..asked.len()).filter(|i| culprits.contains(&asked[*i])).collect();
        seen.struck =
            execution.faults.iter().filter(|f| !f.nodes.is_empty()).map(|f| (f.id, f.nodes.clone())).collect();
        Some(seen)
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
