//! The session guarantees decided once more: versions of a key that must be older than others, as a matrix.

use std::collections::BTreeMap;

use super::{
    Verification,
    registers::{self, Before, Node, Origin},
};
use crate::{
    budget::Budget,
    history::{EntryId, History},
    value::Value,
};

/// Which guarantees.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each guarantee is asked for or not")]
pub(super) struct Guarantees {
    monotonic_reads: bool,
    read_your_writes: bool,
    writes_follow_reads: bool,
    monotonic_writes: bool,
}

impl Guarantees {
    pub(super) fn named(checker: &str) -> Option<Guarantees> {
        let none = Guarantees::default();
        Some(match checker {
            "monotonic-reads" => Guarantees { monotonic_reads: true, ..none },
            "read-your-writes" => Guarantees { read_your_writes: true, ..none },
            "writes-follow-reads" => Guarantees { writes_follow_reads: true, ..none },
            "monotonic-writes" => Guarantees { monotonic_writes: true, ..none },
            "sessions" => Guarantees {
                monotonic_reads: true,
                read_your_writes: true,
                writes_follow_reads: true,
                monotonic_writes: true,
            },
            _ => return None,
        })
    }
}

/// Whether these operations keep the guarantees.
pub(super) fn keep(
    history: &History,
    guarantees: Guarantees,
    among: &[EntryId],
    budget: &Budget,
) -> Result<bool, Verification> {
    let nodes = registers::nodes(history, among)?;
    let mut keys: Vec<&Value> = nodes.iter().map(|node| node.key).collect();
    keys.sort_unstable();
    keys.dedup();
    let spent =
        || Verification::Unverified(format!("the budget is spent on the versions of {} operations", nodes.len()));
    if Before::bytes(nodes.len() + keys.len()) > budget.bytes {
        return Err(spent());
    }
    let versions = Before::new(nodes.len() + keys.len());
    let mut judge = Judge { nodes: &nodes, keys, guarantees, versions, steps: budget.steps };
    judge.keeps().ok_or_else(spent)
}

/// An operation, and the version that it rests on.
type Rests = (usize, usize);

struct Judge<'n, 'h> {
    nodes: &'n [Node<'h>],
    keys: Vec<&'h Value>,
    guarantees: Guarantees,
    /// Which versions are older than which: nodes that write, and behind them the initial one of each key.
    versions: Before,
    steps: u64,
}

impl Judge<'_, '_> {
    fn key(&self, node: usize) -> usize {
        self.keys.binary_search(&self.nodes[node].key).unwrap_or_default()
    }

    /// The version that a node saw.
    fn saw(&self, node: usize) -> Option<usize> {
        match self.nodes[node].reads? {
            Origin::Initial => Some(self.nodes.len() + self.key(node)),
            Origin::Node(write) => Some(write),
            Origin::Nowhere => None,
        }
    }

    fn older(&mut self, older: usize, newer: usize) -> Option<()> {
        if older != newer {
            self.steps = self.steps.checked_sub(self.versions.add(older, newer))?;
        }
        Some(())
    }

    fn keeps(&mut self) -> Option<bool> {
        if self.nodes.iter().any(|node| node.reads == Some(Origin::Nowhere)) {
            return Some(false);
        }
        let asked = self.guarantees;
        // By process and key: what it read last, wrote last, and all that it read since it wrote.
        let mut read: BTreeMap<(u32, usize), usize> = BTreeMap::new();
        let mut wrote: BTreeMap<(u32, usize), usize> = BTreeMap::new();
        let mut since: BTreeMap<(u32, usize), Vec<usize>> = BTreeMap::new();
        for i in 0..self.nodes.len() {
            let at = (self.nodes[i].process, self.key(i));
            let saw = self.saw(i);
            if let Some(version) = saw {
                let before = read.insert(at, version).filter(|_| asked.monotonic_reads);
                let own = wrote.get(&at).copied().filter(|_| asked.read_your_writes);
                for older in before.into_iter().chain(own) {
                    self.older(older, version)?;
                }
            }
            if self.nodes[i].writes {
                // A cas whose value nobody else wrote.
                if saw == Some(i) {
                    return Some(false);
                }
                self.older(self.nodes.len() + at.1, i)?;
                let earlier = wrote.insert(at, i);
                for older in earlier.into_iter().chain(saw) {
                    self.older(older, i)?;
                }
                for older in since.remove(&at).unwrap_or_default() {
                    if asked.writes_follow_reads {
                        self.older(older, i)?;
                    }
                }
            }
            since.entry(at).or_default().extend(saw);
        }
        if self.versions.is_circular() {
            return Some(false);
        }
        Some(
            !(asked.monotonic_writes && self.misses(|judge, i| Some(i).filter(|i| judge.nodes[*i].writes))?
                || asked.writes_follow_reads && self.misses(Self::saw)?),
        )
    }

    /// Whether a process sees a write and then a version that is older than one that the write rests on.
    fn misses(&mut self, rests_on: impl Fn(&Self, usize) -> Option<usize>) -> Option<bool> {
        let mut rests: BTreeMap<(u32, usize), Vec<Rests>> = BTreeMap::new();
        for i in 0..self.nodes.len() {
            if let Some(version) = rests_on(self, i) {
                rests.entry((self.nodes[i].process, self.key(i))).or_default().push((i, version));
            }
        }
        // By process: how far it saw each of the others.
        let mut seen: BTreeMap<u32, BTreeMap<u32, usize>> = BTreeMap::new();
        for i in 0..self.nodes.len() {
            let Some(version) = self.saw(i) else { continue };
            let seen = seen.entry(self.nodes[i].process).or_default();
            for (other, write) in &*seen {
                let of_key = rests.get(&(*other, self.key(i))).map_or(&[][..], Vec::as_slice);
                let before = &of_key[..of_key.partition_point(|(node, _)| node < write)];
                self.steps = self.steps.checked_sub(1 + before.len() as u64)?;
                if before.iter().any(|(_, required)| self.versions.holds(version, *required)) {
                    return Some(true);
                }
            }
            if let Some(Origin::Node(write)) = self.nodes[i].reads {
                let far = seen.entry(self.nodes[write].process).or_insert(write);
                *far = (*far).max(write);
            }
        }
        Some(false)
    }
}
