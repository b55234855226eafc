//! Weak causal consistency (CC), causal memory (CM) and PRAM decided once more, by their definitions as patterns over a matrix
//! of what comes before what (Bouajjani et al. 2017).

use std::collections::BTreeMap;

use super::{
    Verification,
    registers::{self, Before, Node, Origin},
};
use crate::{
    budget::Budget,
    history::{EntryId, History},
};

/// Which model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum View {
    Weak,
    Memory,
    Pram,
}

impl View {
    pub(super) fn named(checker: &str) -> Option<View> {
        Some(match checker {
            "causal-weak" => View::Weak,
            "causal-memory" => View::Memory,
            "pram" => View::Pram,
            _ => return None,
        })
    }
}

/// Whether the model allows these operations.
pub(super) fn allows(history: &History, view: View, among: &[EntryId], budget: &Budget) -> Result<bool, Verification> {
    let nodes = registers::nodes(history, among)?;
    if nodes.iter().any(|node| node.reads == Some(Origin::Nowhere)) {
        return Ok(false);
    }
    let mut judge = Judge { nodes: &nodes, steps: budget.steps };
    if Before::bytes(nodes.len()) > budget.bytes / 2 {
        return Err(judge.spent());
    }
    judge.allows(view).ok_or_else(|| judge.spent())
}

struct Judge<'n, 'h> {
    nodes: &'n [Node<'h>],
    steps: u64,
}

impl Judge<'_, '_> {
    fn spent(&self) -> Verification {
        Verification::Unverified(format!("the budget is spent on what {} operations see", self.nodes.len()))
    }

    fn allows(&mut self, view: View) -> Option<bool> {
        let mut processes: Vec<u32> = self.nodes.iter().map(|node| node.process).collect();
        processes.sort_unstable();
        processes.dedup();
        let everybody = if view == View::Pram { None } else { Some(self.happened(None)?) };
        if let Some(happened) = &everybody
            && (happened.is_circular() || !self.each_read(happened)?)
        {
            return Some(false);
        }
        if view == View::Weak {
            return Some(true);
        }
        for process in processes {
            let mut before = match &everybody {
                Some(happened) => happened.clone(),
                None => self.happened(Some(process))?,
            };
            if before.is_circular() || !self.has_view(process, &mut before)? {
                return Some(false);
            }
        }
        Some(true)
    }

    fn add(&mut self, before: &mut Before, a: usize, b: usize) -> Option<()> {
        self.steps = self.steps.checked_sub(before.add(a, b))?;
        Some(())
    }

    /// The order of each process and who read from whom, be it everybody or one process alone.
    fn happened(&mut self, reader: Option<u32>) -> Option<Before> {
        let nodes = self.nodes;
        let mut before = Before::new(nodes.len());
        let mut last: BTreeMap<u32, usize> = BTreeMap::new();
        for (i, node) in nodes.iter().enumerate() {
            if let Some(earlier) = last.insert(node.process, i) {
                self.add(&mut before, earlier, i)?;
            }
        }
        for (i, node) in nodes.iter().enumerate() {
            if let Some(Origin::Node(source)) = node.reads
                && reader.is_none_or(|reader| reader == node.process)
            {
                self.add(&mut before, source, i)?;
            }
        }
        Some(before)
    }

    /// Writes of others to what a node read, other than the one that it saw, that came before it.
    fn others<'b>(&self, reader: usize, before: &'b Before) -> impl Iterator<Item = usize> + use<'b, '_> {
        let node = &self.nodes[reader];
        let nodes = self.nodes;
        (0..nodes.len()).filter(move |&w| {
            nodes[w].writes
                && nodes[w].key == node.key
                && node.reads != Some(Origin::Node(w))
                && w != reader
                && before.holds(w, reader)
        })
    }

    /// Whether no single read misses what happened before it.
    fn each_read(&mut self, before: &Before) -> Option<bool> {
        for (reader, node) in self.nodes.iter().enumerate() {
            self.steps = self.steps.checked_sub(self.nodes.len() as u64 / 8)?;
            let missed = match node.reads {
                Some(Origin::Node(source)) => self.others(reader, before).any(|w| before.holds(source, w)),
                Some(_) => self.others(reader, before).next().is_some(),
                None => false,
            };
            if missed {
                return Some(false);
            }
        }
        Some(true)
    }

    /// Whether the reads of a process have an order: what came before a read came before the write that it saw.
    fn has_view(&mut self, process: u32, before: &mut Before) -> Option<bool> {
        let own: Vec<usize> = (0..self.nodes.len()).filter(|&i| self.nodes[i].process == process).collect();
        loop {
            let mut grew = false;
            for &reader in &own {
                self.steps = self.steps.checked_sub(self.nodes.len() as u64 / 8)?;
                let Some(reads) = self.nodes[reader].reads else { continue };
                for write in self.others(reader, before).collect::<Vec<_>>() {
                    let Origin::Node(source) = reads else { return Some(false) };
                    if before.holds(source, write) {
                        return Some(false);
                    }
                    if !before.holds(write, source) {
                        self.add(before, write, source)?;
                        grew = true;
                    }
                }
            }
            if !grew {
                return Some(!before.is_circular());
            }
        }
    }
}
