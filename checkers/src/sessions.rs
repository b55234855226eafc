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
//! The first three hold if some version order agrees with all that each process saw. Where a guarantee speaks of what others
//! see ("who sees…"), a process sees by its reads one after the other, and fails to see a version by reading the initial
//! value or one known to be older. All need values that were read to be written once.

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
    build: |_| Some(Box::new(Session { guarantee: Guarantee::MonotonicReads })),
};
pub(crate) const MONOTONIC_WRITES: CheckerEntry = CheckerEntry {
    name: "monotonic-writes",
    summary: "Who sees a write of a process sees its earlier writes too.",
    needs_model: false,
    build: |_| Some(Box::new(Session { guarantee: Guarantee::MonotonicWrites })),
};
pub(crate) const READ_YOUR_WRITES: CheckerEntry = CheckerEntry {
    name: "read-your-writes",
    summary: "After a write a process reads no older version.",
    needs_model: false,
    build: |_| Some(Box::new(Session { guarantee: Guarantee::ReadYourWrites })),
};
pub(crate) const WRITES_FOLLOW_READS: CheckerEntry = CheckerEntry {
    name: "writes-follow-reads",
    summary: "A write comes after what its process had read, and who sees the write sees that too.",
    needs_model: false,
    build: |_| Some(Box::new(Session { guarantee: Guarantee::WritesFollowReads })),
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Guarantee {
    MonotonicReads,
    MonotonicWrites,
    ReadYourWrites,
    WritesFollowReads,
}

struct Session {
    guarantee: Guarantee,
}

impl Checker for Session {
    fn name(&self) -> &'static str {
        match self.guarantee {
            Guarantee::MonotonicReads => MONOTONIC_READS.name,
            Guarantee::MonotonicWrites => MONOTONIC_WRITES.name,
            Guarantee::ReadYourWrites => READ_YOUR_WRITES.name,
            Guarantee::WritesFollowReads => WRITES_FOLLOW_READS.name,
        }
    }

    fn check(&self, history: &History, _: &Budget) -> Verdict {
        match Observations::new(history) {
            Ok(observations) => {
                let judge = Judge { history, seen: &observations, guarantee: self.guarantee };
                Verdict::of(judge.anomaly().into_iter().collect())
            }
            Err(verdict) => verdict,
        }
    }
}

struct Judge<'h> {
    history: &'h History,
    seen: &'h Observations,
    guarantee: Guarantee,
}

impl Judge<'_> {
    fn anomaly(&self) -> Option<Anomaly> {
        let known = self.known_order();
        let mut order = known.clone();
        for session in &self.seen.sessions {
            self.require(session, &mut order);
        }
        if let Some(cycle) = order.shortest_cycle() {
            return Some(self.contradiction(&cycle));
        }
        match self.guarantee {
            Guarantee::MonotonicWrites | Guarantee::WritesFollowReads => self.unseen_dependency(&known),
            Guarantee::MonotonicReads | Guarantee::ReadYourWrites => None,
        }
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

    /// Versions are the nodes that wrote them. An edge leads to the newer one; its label is the operation that shows it.
    fn known_order(&self) -> Graph {
        let mut order = Graph::new(self.seen.nodes.len() + self.seen.keys.len());
        for session in &self.seen.sessions {
            let mut last = vec![None; self.seen.keys.len()];
            for &node in session {
                let n = &self.seen.nodes[node];
                if !n.writes {
                    continue;
                }
                order.add(self.initial(n.key), node, node);
                if let Some(before) = last[n.key].replace(node) {
                    order.add(before, node, node);
                }
                if let Some(replaced) = self.version(node) {
                    order.add(replaced, node, node);
                }
            }
        }
        order
    }

    /// Adds what the guarantee says of the version order, given what this session did.
    fn require(&self, session: &[usize], order: &mut Graph) {
        let keys = self.seen.keys.len();
        // By key. Older reads are before the write that followed them.
        let mut last_read = vec![None; keys];
        let mut last_write = vec![None; keys];
        let mut reads_since_write = vec![Vec::new(); keys];
        for &node in session {
            let n = &self.seen.nodes[node];
            let version = self.version(node);
            let older = match self.guarantee {
                Guarantee::MonotonicReads if version.is_some() => last_read[n.key].into_iter().collect(),
                Guarantee::ReadYourWrites if version.is_some() => last_write[n.key].into_iter().collect(),
                Guarantee::WritesFollowReads if n.writes => std::mem::take(&mut reads_since_write[n.key]),
                _ => Vec::new(),
            };
            let newer = if self.guarantee == Guarantee::WritesFollowReads { Some(node) } else { version };
            for older in older {
                if let Some(newer) = newer.filter(|newer| *newer != older) {
                    order.add(older, newer, node);
                }
            }
            if let Some(version) = version {
                last_read[n.key] = Some(version);
                reads_since_write[n.key].push(version);
            }
            if n.writes {
                last_write[n.key] = Some(node);
            }
        }
    }

    fn contradiction(&self, cycle: &[(usize, usize)]) -> Anomaly {
        // The last operation that shows an edge is the one that a reader would not expect.
        let culprit = cycle.iter().map(|(_, shown_by)| *shown_by).max().expect("a cycle has edges");
        let process = self.history.entries[self.seen.nodes[culprit].entry].process.0;
        let said = self.seen.say(self.history, culprit);
        let (kind, sentence) = match self.guarantee {
            Guarantee::MonotonicReads => (
                anomaly::NON_MONOTONIC_READ,
                format!(
                    "{said} saw an older version than process {process}, or those it agrees with, had read before."
                ),
            ),
            Guarantee::ReadYourWrites => (
                anomaly::UNREAD_OWN_WRITE,
                format!("{said} saw an older version than process {process} itself had written before."),
            ),
            Guarantee::WritesFollowReads | Guarantee::MonotonicWrites => (
                anomaly::WRITE_BEFORE_READ,
                format!("{said} must come after what process {process} had read before, yet it comes before it."),
            ),
        };
        let shown = cycle.iter().map(|(_, shown_by)| *shown_by);
        let versions = cycle.iter().map(|(from, _)| *from).filter(|v| *v < self.seen.nodes.len());
        let mut operations: Vec<usize> = shown.chain(versions).collect();
        // What was read before, that makes the culprit's version an older one.
        let earlier = |n: &usize| *n < culprit && self.seen.nodes[*n].session == self.seen.nodes[culprit].session;
        let key = self.seen.nodes[culprit].key;
        let same_key = |n: &usize| self.seen.nodes[*n].key == key;
        let session = &self.seen.sessions[self.seen.nodes[culprit].session];
        operations.extend(session.iter().rfind(|n| earlier(n) && same_key(n)));
        self.report(kind, key, operations, sentence)
    }

    /// A process that sees a write, and then not what that write's process had written (or read) before.
    fn unseen_dependency(&self, known: &Graph) -> Option<Anomaly> {
        let dependencies = self.dependencies();
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
                            let newer = newer.get_or_insert_with(|| known.reached_from(version));
                            if newer[required] {
                                return Some(self.missed(first, write, dependency, required, later));
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
    fn dependencies(&self) -> Vec<Vec<Vec<(usize, usize)>>> {
        let mut all = vec![vec![Vec::new(); self.seen.keys.len()]; self.seen.sessions.len()];
        for (node, n) in self.seen.nodes.iter().enumerate() {
            let required = match self.guarantee {
                Guarantee::MonotonicWrites => Some(node).filter(|_| n.writes),
                _ => self.version(node),
            };
            all[n.session][n.key].extend(required.map(|version| (node, version)));
        }
        all
    }

    fn missed(&self, first: usize, write: usize, dependency: usize, required: usize, later: usize) -> Anomaly {
        let say = |node: usize| self.seen.say(self.history, node);
        let kind = match self.guarantee {
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
        let mut operations = vec![first, write, dependency, later];
        operations.extend(Some(required).filter(|r| *r < self.seen.nodes.len()));
        self.report(kind, self.seen.nodes[later].key, operations, sentence)
    }

    fn report(&self, kind: Name, key: usize, operations: Vec<usize>, sentence: String) -> Anomaly {
        let entries = operations.into_iter().map(|n| self.seen.nodes[n].entry).collect();
        Anomaly::new(kind, self.seen.keys[key].clone(), entries, sentence)
    }
}
