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
//! A read shows a version: a value that nobody wrote refutes each of them. A cas that was refused shows none.
//!
//! The first three hold if some version order agrees with all that each process saw; that order is one for all processes.
//! Where a guarantee speaks of what others see ("who sees…"), a process sees by its reads one after the other, and fails to
//! see a version by reading the initial value or one that must be older. Followed from process to process without end the four
//! together would be causal consistency (Brzeziński et al. 2004), which is the checker `causal`. All need values that were read
//! to be written once.

use std::collections::BTreeMap;

use crate::{
    anomaly,
    budget::{Budget, Meter},
    checker::{Checker, CheckerEntry},
    first_values,
    graph::Graph,
    history::History,
    observations::{Observations, Source},
    operation::Name,
    partition::FixedMap,
    verdict::{Anomaly, Verdict},
};

pub(crate) const MONOTONIC_READS: CheckerEntry = CheckerEntry {
    name: "monotonic-reads",
    summary: "After a version a process reads no older one.",
    needs_model: false,
    build: |model| {
        Some(first_values::known(
            model,
            Session { name: MONOTONIC_READS.name, guarantees: &[Guarantee::MonotonicReads] },
        ))
    },
};
pub(crate) const MONOTONIC_WRITES: CheckerEntry = CheckerEntry {
    name: "monotonic-writes",
    summary: "Who sees a write of a process sees its earlier writes too.",
    needs_model: false,
    build: |model| {
        Some(first_values::known(
            model,
            Session { name: MONOTONIC_WRITES.name, guarantees: &[Guarantee::MonotonicWrites] },
        ))
    },
};
pub(crate) const READ_YOUR_WRITES: CheckerEntry = CheckerEntry {
    name: "read-your-writes",
    summary: "After a write a process reads no older version.",
    needs_model: false,
    build: |model| {
        Some(first_values::known(
            model,
            Session { name: READ_YOUR_WRITES.name, guarantees: &[Guarantee::ReadYourWrites] },
        ))
    },
};
pub(crate) const WRITES_FOLLOW_READS: CheckerEntry = CheckerEntry {
    name: "writes-follow-reads",
    summary: "A write comes after what its process had read, and who sees the write sees that too.",
    needs_model: false,
    build: |model| {
        Some(first_values::known(
            model,
            Session { name: WRITES_FOLLOW_READS.name, guarantees: &[Guarantee::WritesFollowReads] },
        ))
    },
};

pub(crate) const SESSIONS: CheckerEntry = CheckerEntry {
    name: "sessions",
    summary: "Each process goes forward: all four session guarantees, by one order of the versions of each key.",
    needs_model: false,
    build: |model| {
        let guarantees = &[
            Guarantee::MonotonicReads,
            Guarantee::ReadYourWrites,
            Guarantee::WritesFollowReads,
            Guarantee::MonotonicWrites,
        ];
        Some(first_values::known(model, Session { name: SESSIONS.name, guarantees }))
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

    fn check(&self, history: &History, budget: &Budget) -> Verdict {
        let anomaly = Observations::new(history).and_then(|observations| {
            let judge = Judge { history, seen: &observations, guarantees: self.guarantees };
            judge.anomaly(&mut Meter::new(*budget))
        });
        anomaly.map_or_else(|verdict| verdict, |anomaly| Verdict::of(anomaly.into_iter().collect()))
    }
}

/// Something for each key, forgotten for all keys at once in O(1).
struct PerKey<T> {
    epoch: u32,
    slots: Vec<(u32, T)>,
}

impl<T: Clone + Default> PerKey<T> {
    fn new(keys: usize) -> Self {
        PerKey { epoch: 0, slots: vec![(0, T::default()); keys] }
    }

    fn forget(&mut self) {
        self.epoch += 1;
    }

    fn of(&mut self, key: usize) -> &mut T {
        let (epoch, slot) = &mut self.slots[key];
        if *epoch != self.epoch {
            (*epoch, *slot) = (self.epoch, T::default());
        }
        slot
    }
}

/// What a session did to a key: a version, and the operation that saw or wrote it.
type Did = (usize, usize);

/// What [`Judge::require`] remembers while it goes through a session.
struct Memory {
    last_read: PerKey<Option<Did>>,
    last_write: PerKey<Option<Did>>,
    /// Older reads are before the write that followed them.
    reads_since_write: PerKey<Vec<Did>>,
}

/// A version that later writes of a process rest on.
#[derive(Clone, Copy, Debug)]
struct Dependency {
    node: usize,
    version: usize,
    /// The greatest place of its version and of those before it of the same process and key.
    newest_so_far: usize,
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
    fn anomaly(&self, meter: &mut Meter) -> Result<Option<Anomaly>, Verdict> {
        if let Some(reader) = self.seen.nodes.iter().position(|node| node.reads == Some(Source::ThinAir)) {
            let sentence = format!("{} saw a value that nobody wrote.", self.seen.say(self.history, reader));
            return Ok(Some(self.report(anomaly::THIN_AIR_READ, self.seen.nodes[reader].key, vec![reader], sentence)));
        }
        let mut versions = self.known_order();
        let keys = self.seen.keys.len();
        let mut memory = Memory {
            last_read: PerKey::new(keys),
            last_write: PerKey::new(keys),
            reads_since_write: PerKey::new(keys),
        };
        for session in &self.seen.sessions {
            for &guarantee in self.guarantees {
                self.require(guarantee, session, &mut memory, &mut versions);
            }
        }
        if let Some(cycle) = versions.order.shortest_cycle() {
            return Ok(Some(self.contradiction(&versions, &cycle)));
        }
        for &guarantee in self.guarantees {
            if matches!(guarantee, Guarantee::MonotonicWrites | Guarantee::WritesFollowReads)
                && let Some(anomaly) = self.unseen_dependency(guarantee, &versions, meter)?
            {
                return Ok(Some(anomaly));
            }
        }
        Ok(None)
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
        let mut last: PerKey<Option<usize>> = PerKey::new(self.seen.keys.len());
        for session in &self.seen.sessions {
            last.forget();
            for &node in session {
                let n = &self.seen.nodes[node];
                if !n.writes {
                    continue;
                }
                versions.add(self.initial(n.key), node, Shown { by: node, after: node, guarantee: None });
                if let Some(before) = last.of(n.key).replace(node) {
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
    fn require(&self, guarantee: Guarantee, session: &[usize], memory: &mut Memory, versions: &mut Versions) {
        let Memory { last_read, last_write, reads_since_write } = memory;
        last_read.forget();
        last_write.forget();
        reads_since_write.forget();
        for &node in session {
            let n = &self.seen.nodes[node];
            let version = self.version(node);
            let older = match guarantee {
                Guarantee::MonotonicReads if version.is_some() => last_read.of(n.key).iter().copied().collect(),
                Guarantee::ReadYourWrites if version.is_some() => last_write.of(n.key).iter().copied().collect(),
                Guarantee::WritesFollowReads if n.writes => std::mem::take(reads_since_write.of(n.key)),
                _ => Vec::new(),
            };
            let newer = if guarantee == Guarantee::WritesFollowReads { Some(node) } else { version };
            for (older, after) in older {
                if let Some(newer) = newer.filter(|newer| *newer != older) {
                    versions.add(older, newer, Shown { by: node, after, guarantee: Some(guarantee) });
                }
            }
            if let Some(version) = version {
                *last_read.of(n.key) = Some((version, node));
                reads_since_write.of(n.key).push((version, node));
            }
            if n.writes {
                *last_write.of(n.key) = Some((node, node));
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
    fn unseen_dependency(
        &self,
        guarantee: Guarantee,
        versions: &Versions,
        meter: &mut Meter,
    ) -> Result<Option<Anomaly>, Verdict> {
        let Some(places) = versions.order.places() else { return Ok(None) };
        let dependencies = self.dependencies(guarantee, &places);
        for session in &self.seen.sessions {
            // By process: how much of it was seen, and where.
            let mut seen_of: BTreeMap<usize, (usize, usize)> = BTreeMap::new();
            for &later in session {
                let key = self.seen.nodes[later].key;
                if let Some(version) = self.version(later) {
                    let mut newer = None;
                    for (process, &(write, first)) in &seen_of {
                        let Some(of_key) = dependencies.get(&(*process, key)) else { continue };
                        let before = &of_key[..of_key.partition_point(|d| d.node < write)];
                        // Mostly none of these can be newer than what was read.
                        let newest = before.last().map_or(0, |last| last.newest_so_far);
                        let candidates = if newest > places[version] { before } else { &[] };
                        for dependency in candidates.iter().filter(|d| places[d.version] > places[version]) {
                            let looked = newer.is_some();
                            let newer = newer.get_or_insert_with(|| versions.order.reached_from(version));
                            meter.steps(if looked { 1 } else { newer.len() as u64 / 8 }).map_err(|reason| {
                                let at = format!("at operation {} of {}", later + 1, self.seen.nodes.len());
                                meter.spent(reason, &at)
                            })?;
                            let required = dependency.version;
                            if newer[required] {
                                let way = versions.order.path(version, required);
                                let older = way.iter().map(|(_, label)| versions.shown[*label]);
                                let mut operations: Vec<usize> =
                                    older.flat_map(|shown| [shown.by, shown.after]).collect();
                                operations.extend(way.iter().map(|(v, _)| *v).filter(|v| *v < self.seen.nodes.len()));
                                operations.extend(Some(required).filter(|r| *r < self.seen.nodes.len()));
                                let seen = (first, write);
                                return Ok(Some(self.missed(guarantee, seen, dependency.node, later, operations)));
                            }
                        }
                    }
                }
                if let Some(Source::Node(write)) = self.seen.nodes[later].reads {
                    let seen = seen_of.entry(self.seen.nodes[write].session).or_insert((write, later));
                    if seen.0 < write {
                        *seen = (write, later);
                    }
                }
            }
        }
        Ok(None)
    }

    /// By process and key: what a write of that process rests on, in the order of nodes.
    fn dependencies(&self, guarantee: Guarantee, places: &[usize]) -> FixedMap<(usize, usize), Vec<Dependency>> {
        let mut all: FixedMap<(usize, usize), Vec<Dependency>> = FixedMap::default();
        for (node, n) in self.seen.nodes.iter().enumerate() {
            let required = match guarantee {
                Guarantee::MonotonicWrites => Some(node).filter(|_| n.writes),
                _ => self.version(node),
            };
            let Some(version) = required else { continue };
            let of_key = all.entry((n.session, n.key)).or_default();
            let newest_so_far = of_key.last().map_or(0, |last| last.newest_so_far).max(places[version]);
            of_key.push(Dependency { node, version, newest_so_far });
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
