//! The session guarantees (Terry et al. 1994): what one process may rely on, whatever the others do.
//!
//! A version order puts the writes of each key in a line that begins with the initial value. What is known of it for sure: a
//! cas comes after what it replaced, and the writes of one process to one key come in the order it issued them.
//!
//! * `monotonic-reads`: after a version a process reads no older one.
//! * `read-your-writes`: after a write a process reads no older version.
//! * `writes-follow-reads`: a write comes after the versions that its process read before, and who sees the write sees those.
//! * `monotonic-writes`: who sees a write of a process sees the earlier ones too.
//!
//! * `sessions`: all four, by one version order.
//!
//! The first three hold if some version order agrees with all that each process saw; that order is one for all processes.
//! Where a guarantee speaks of what others see ("who sees…"), a process sees by its reads one after the other, and fails to
//! see a version by reading the initial value or one that must be older. Followed from process to process without end the four
//! together would be causal consistency (Brzeziński et al. 2004), which is the checker `causal`. All need values that were read
//! to be written once.

use crate::{
    anomaly,
    budget::Budget,
    checker::{Checker, CheckerEntry},
    graph::Graph,
    history::History,
    observations::{Observations, Source},
    operation::Name,
    verdict::{Anomaly, Verdict},
};

pub(crate) const MONOTONIC_READS: CheckerEntry = CheckerEntry {
    name: "monotonic-reads",
    summary: "After a version a process reads no older one.",
    needs_model: false,
    build: |_| Some(Box::new(Session { name: MONOTONIC_READS.name, guarantees: &[Guarantee::MonotonicReads] })),
};
pub(crate) const MONOTONIC_WRITES: CheckerEntry = CheckerEntry {
    name: "monotonic-writes",
    summary: "Who sees a write of a process sees its earlier writes too.",
    needs_model: false,
    build: |_| Some(Box::new(Session { name: MONOTONIC_WRITES.name, guarantees: &[Guarantee::MonotonicWrites] })),
};
pub(crate) const READ_YOUR_WRITES: CheckerEntry = CheckerEntry {
    name: "read-your-writes",
    summary: "After a write a process reads no older version.",
    needs_model: false,
    build: |_| Some(Box::new(Session { name: READ_YOUR_WRITES.name, guarantees: &[Guarantee::ReadYourWrites] })),
};
pub(crate) const WRITES_FOLLOW_READS: CheckerEntry = CheckerEntry {
    name: "writes-follow-reads",
    summary: "A write comes after what its process had read, and who sees the write sees that too.",
    needs_model: false,
    build: |_| Some(Box::new(Session { name: WRITES_FOLLOW_READS.name, guarantees: &[Guarantee::WritesFollowReads] })),
};

pub(crate) const SESSIONS: CheckerEntry = CheckerEntry {
    name: "sessions",
    summary: "Each process goes forward: all four session guarantees, by one order of the versions of each key.",
    needs_model: false,
    build: |_| {
        let guarantees = &[
            Guarantee::MonotonicReads,
            Guarantee::ReadYourWrites,
            Guarantee::WritesFollowReads,
            Guarantee::MonotonicWrites,
        ];
        Some(Box::new(Session { name: SESSIONS.name, guarantees }))
    },
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Guarantee {
    MonotonicReads,
    MonotonicWrites,
    ReadYourWrites,
    WritesFollowReads,
}

struct Session {
    name: &'static str,
    guarantees: &'static [Guarantee],
}

impl Checker for Session {
    fn name(&self) -> &'static str {
        self.name
    }

    fn check(&self, history: &History, _: &Budget) -> Verdict {
        match Observations::new(history) {
            Ok(observations) => {
                let judge = Judge { history, seen: &observations, guarantees: self.guarantees };
                Verdict::of(judge.anomaly().into_iter().collect())
            }
            Err(verdict) => verdict,
        }
    }
}

struct Judge<'h> {
    history: &'h History,
    seen: &'h Observations,
    guarantees: &'static [Guarantee],
}

/// Versions are the nodes that wrote them. An edge leads to the newer one.
struct Versions {
    order: Graph,
    /// What each edge rests on, by its label.
    shown: Vec<Shown>,
}

/// Why one version is older than another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shown {
    /// The later of the operations that show it.
    by: usize,
    /// The earlier one.
    after: usize,
    /// The guarantee that asks for it, if one does.
    guarantee: Option<Guarantee>,
}

impl Versions {
    fn add(&mut self, older: usize, newer: usize, shown: Shown) {
        self.order.add(older, newer, self.shown.len());
        self.shown.push(shown);
    }
}

impl Judge<'_> {
    fn anomaly(&self) -> Option<Anomaly> {
        let mut versions = self.known_order();
        for session in &self.seen.sessions {
            for &guarantee in self.guarantees {
                self.require(guarantee, session, &mut versions);
            }
        }
        if let Some(cycle) = versions.order.shortest_cycle() {
            return Some(self.contradiction(&versions, &cycle));
        }
        self.guarantees.iter().find_map(|&guarantee| match guarantee {
            Guarantee::MonotonicWrites | Guarantee::WritesFollowReads => self.unseen_dependency(guarantee, &versions),
            Guarantee::MonotonicReads | Guarantee::ReadYourWrites => None,
        })
    }

    /// The node that stands for the initial value of a key.
    fn initial(&self, key: usize) -> usize {
        self.seen.nodes.len() + key
    }

    /// The version that a node read.
    fn version(&self, node: usize) -> Option<usize> {
        let node = &self.seen.nodes[node];
        match node.reads? {
            Source::Initial => Some(self.initial(node.key)),
            Source::Node(writer) => Some(writer),
            Source::ThinAir => None,
        }
    }

    /// What is known of the version order whatever is asked for.
    fn known_order(&self) -> Versions {
        let order = Graph::new(self.seen.nodes.len() + self.seen.keys.len());
        let mut versions = Versions { order, shown: Vec::new() };
        for session in &self.seen.sessions {
            let mut last = vec![None; self.seen.keys.len()];
            for &node in session {
                let n = &self.seen.nodes[node];
                if !n.writes {
                    continue;
                }
                versions.add(self.initial(n.key), node, Shown { by: node, after: node, guarantee: None });
                if let Some(before) = last[n.key].replace(node) {
                    versions.add(before, node, Shown { by: node, after: node, guarantee: None });
                }
                if let Some(replaced) = self.version(node) {
                    versions.add(replaced, node, Shown { by: node, after: node, guarantee: None });
                }
            }
        }
        versions
    }

    /// Adds what a guarantee says of the version order, given what this session did.
    fn require(&self, guarantee: Guarantee, session: &[usize], versions: &mut Versions) {
        let keys = self.seen.keys.len();
        // By key: versions with the operations that saw or wrote them. Older reads are before the write that followed them.
        let mut last_read = vec![None; keys];
        let mut last_write = vec![None; keys];
        let mut reads_since_write = vec![Vec::new(); keys];
        for &node in session {
            let n = &self.seen.nodes[node];
            let version = self.version(node);
            let older = match guarantee {
                Guarantee::MonotonicReads if version.is_some() => last_read[n.key].into_iter().collect(),
                Guarantee::ReadYourWrites if version.is_some() => last_write[n.key].into_iter().collect(),
                Guarantee::WritesFollowReads if n.writes => std::mem::take(&mut reads_since_write[n.key]),
                _ => Vec::new(),
            };
            let newer = if guarantee == Guarantee::WritesFollowReads { Some(node) } else { version };
            for (older, after) in older {
                if let Some(newer) = newer.filter(|newer| *newer != older) {
                    versions.add(older, newer, Shown { by: node, after, guarantee: Some(guarantee) });
                }
            }
            if let Some(version) = version {
                last_read[n.key] = Some((version, node));
                reads_since_write[n.key].push((version, node));
            }
            if n.writes {
                last_write[n.key] = Some((node, node));
            }
        }
    }

    fn contradiction(&self, versions: &Versions, cycle: &[(usize, usize)]) -> Anomaly {
        // The last operation that shows an edge is the one that a reader would not expect.
        let shown = || cycle.iter().map(|(_, label)| versions.shown[*label]);
        let last = shown().max_by_key(|shown| (shown.by, shown.guarantee.is_some())).expect("a cycle has edges");
        let culprit = last.by;
        let process = self.history.entries[self.seen.nodes[culprit].entry].process.0;
        let said = self.seen.say(self.history, culprit);
        let (kind, sentence) = match last.guarantee.or(shown().find_map(|shown| shown.guarantee)) {
            Some(Guarantee::MonotonicReads) => (
                anomaly::NON_MONOTONIC_READ,
                format!(
                    "{said} saw an older version than process {process}, or those it agrees with, had read before."
                ),
            ),
            Some(Guarantee::ReadYourWrites) => (
                anomaly::UNREAD_OWN_WRITE,
                format!("{said} saw an older version than process {process} itself had written before."),
            ),
            _ => (
                anomaly::WRITE_BEFORE_READ,
                format!("{said} must come after what process {process} had read before, yet it comes before it."),
            ),
        };
        let versions = cycle.iter().map(|(from, _)| *from).filter(|v| *v < self.seen.nodes.len());
        let operations: Vec<usize> = shown().flat_map(|shown| [shown.by, shown.after]).chain(versions).collect();
        let key = self.seen.nodes[culprit].key;
        self.report(kind, key, operations, sentence)
    }

    /// A process that sees a write, and then not what that write's process had written (or read) before.
    fn unseen_dependency(&self, guarantee: Guarantee, versions: &Versions) -> Option<Anomaly> {
        let dependencies = self.dependencies(guarantee);
        for session in &self.seen.sessions {
            // By process: how much of it was seen, and where.
            let mut seen_of: Vec<Option<(usize, usize)>> = vec![None; self.seen.sessions.len()];
            for &later in session {
                let key = self.seen.nodes[later].key;
                if let Some(version) = self.version(later) {
                    let mut newer = None;
                    for (process, seen) in seen_of.iter().enumerate() {
                        let Some((write, first)) = *seen else { continue };
                        for &(dependency, required) in &dependencies[process][key] {
                            if dependency >= write {
                                break;
                            }
                            let newer = newer.get_or_insert_with(|| versions.order.reached_from(version));
                            if newer[required] {
                                let way = versions.order.path(version, required);
                                let older = way.iter().map(|(_, label)| versions.shown[*label]);
                                let mut operations: Vec<usize> =
                                    older.flat_map(|shown| [shown.by, shown.after]).collect();
                                operations.extend(way.iter().map(|(v, _)| *v).filter(|v| *v < self.seen.nodes.len()));
                                operations.extend(Some(required).filter(|r| *r < self.seen.nodes.len()));
                                return Some(self.missed(guarantee, (first, write), dependency, later, operations));
                            }
                        }
                    }
                }
                if let Some(Source::Node(write)) = self.seen.nodes[later].reads {
                    let seen = &mut seen_of[self.seen.nodes[write].session];
                    if seen.is_none_or(|(before, _)| before < write) {
                        *seen = Some((write, later));
                    }
                }
            }
        }
        None
    }

    /// By process and key: what a write of that process rests on, as the node and the version, in the order of nodes.
    fn dependencies(&self, guarantee: Guarantee) -> Vec<Vec<Vec<(usize, usize)>>> {
        let mut all = vec![vec![Vec::new(); self.seen.keys.len()]; self.seen.sessions.len()];
        for (node, n) in self.seen.nodes.iter().enumerate() {
            let required = match guarantee {
                Guarantee::MonotonicWrites => Some(node).filter(|_| n.writes),
                _ => self.version(node),
            };
            all[n.session][n.key].extend(required.map(|version| (node, version)));
        }
        all
    }

    /// `first` saw `write`, which rests on `dependency`; `later` saw an older version, as `operations` show.
    fn missed(
        &self,
        guarantee: Guarantee,
        (first, write): (usize, usize),
        dependency: usize,
        later: usize,
        mut operations: Vec<usize>,
    ) -> Anomaly {
        let say = |node: usize| self.seen.say(self.history, node);
        let kind = match guarantee {
            Guarantee::MonotonicWrites => anomaly::NON_MONOTONIC_WRITE,
            _ => anomaly::WRITE_BEFORE_READ,
        };
        let sentence = format!(
            "{} saw {}, which came after {}, but then {} saw an older version than that.",
            say(first),
            say(write),
            say(dependency),
            say(later)
        );
        operations.extend([first, write, dependency, later]);
        self.report(kind, self.seen.nodes[later].key, operations, sentence)
    }

    fn report(&self, kind: Name, key: usize, operations: Vec<usize>, sentence: String) -> Anomaly {
        let entries =
            self.seen.supported(self.history, operations).into_iter().map(|n| self.seen.nodes[n].entry).collect();
        Anomaly::new(kind, self.seen.keys[key].clone(), entries, sentence)
    }
}
