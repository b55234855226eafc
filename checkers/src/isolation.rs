//! The checkers of isolation levels: transactions over registers and lists, from read uncommitted to strict serializable.
//!
//! An operation is a `txn` of `[r key value]`, `[w key value]` and `[append key element]`, or a single read, write or cas.
//! [`lattice`](crate::lattice) says which level implies which and where each is defined.
//!
//! A register begins as nil or as an empty text, and as one of them for good, as whoever saw that shows. A cas that was refused
//! says that its register held something else, at first perhaps the other of the two. Where nothing else was ever there, no level
//! allows it. Serializability and snapshot isolation look for a place for it in two orders that explain all else, and weaker levels
//! for a version that it may have read; where none is found they answer that it is not known, unless each version by itself is
//! impossible.

use crate::{
    anomaly,
    budget::{Budget, Meter},
    checker::{Checker, CheckerEntry},
    first_values,
    history::{EntryId, History, Order},
    lattice,
    operation::Name,
    transactions::{
        arrange::{self, Arranged, Isolation},
        cycles,
        graph::{self, Beside},
        inference::Inference,
        ingest::Transactions,
        instead::{self, Unexplained},
        observers, refused, weak,
    },
    value::Value,
    verdict::{Anomaly, Verdict},
};

pub(crate) const READ_UNCOMMITTED: CheckerEntry = CheckerEntry {
    name: "read-uncommitted",
    summary: "Transactions do not overwrite each other in a circle (PL-1).",
    needs_model: false,
    build: |model| {
        Some(first_values::known(model, Level { name: READ_UNCOMMITTED.name, kind: Kind::Certain(graph::Kind::WW) }))
    },
};
pub(crate) const PL_2: CheckerEntry = CheckerEntry {
    name: "pl-2",
    summary: "Transactions see what was committed, and not each other in a circle; Adya's read committed.",
    needs_model: false,
    build: |model| {
        Some(first_values::known(
            model,
            Level { name: PL_2.name, kind: Kind::Certain(graph::Kind::WW.and(graph::Kind::WR)) },
        ))
    },
};
pub(crate) const READ_COMMITTED: CheckerEntry = CheckerEntry {
    name: "read-committed",
    summary: "Transactions see what was committed, and what they saw once they keep seeing.",
    needs_model: false,
    build: |model| {
        Some(first_values::known(
            model,
            Level { name: READ_COMMITTED.name, kind: Kind::Weak(weak::Level::ReadCommitted) },
        ))
    },
};
pub(crate) const READ_ATOMIC: CheckerEntry = CheckerEntry {
    name: "read-atomic",
    summary: "Transactions see all or nothing of each other.",
    needs_model: false,
    build: |model| {
        Some(first_values::known(model, Level { name: READ_ATOMIC.name, kind: Kind::Weak(weak::Level::ReadAtomic) }))
    },
};
pub(crate) const CAUSAL: CheckerEntry = CheckerEntry {
    name: "causal",
    summary: "What happened before is seen before, and all agree on the order of concurrent writes (CCv).",
    needs_model: false,
    build: |model| Some(first_values::known(model, Level { name: CAUSAL.name, kind: Kind::Weak(weak::Level::Causal) })),
};
pub(crate) const REPEATABLE_READ: CheckerEntry = CheckerEntry {
    name: "repeatable-read",
    summary: "Transactions seem to happen one after the other, as far as single keys show (PL-2.99).",
    needs_model: false,
    build: |model| {
        Some(first_values::known(model, Level::strong(REPEATABLE_READ.name, Isolation::Serializable, Beside::Nothing)))
    },
};
pub(crate) const SNAPSHOT_ISOLATION: CheckerEntry = CheckerEntry {
    name: "snapshot-isolation",
    summary: "Each transaction reads from a snapshot, and of two concurrent ones that write a key one aborts.",
    needs_model: false,
    build: |model| {
        Some(first_values::known(model, Level::strong(SNAPSHOT_ISOLATION.name, Isolation::Snapshot, Beside::Nothing)))
    },
};
pub(crate) const STRONG_SESSION_SNAPSHOT_ISOLATION: CheckerEntry = CheckerEntry {
    name: "strong-session-snapshot-isolation",
    summary: "Snapshot isolation in which each process sees what it did before.",
    needs_model: false,
    build: |model| {
        let name = STRONG_SESSION_SNAPSHOT_ISOLATION.name;
        Some(first_values::known(model, Level::strong(name, Isolation::Snapshot, Beside::Sessions)))
    },
};
pub(crate) const STRONG_SNAPSHOT_ISOLATION: CheckerEntry = CheckerEntry {
    name: "strong-snapshot-isolation",
    summary: "Snapshot isolation in which each transaction sees what was complete before it began.",
    needs_model: false,
    build: |model| {
        Some(first_values::known(
            model,
            Level::strong(STRONG_SNAPSHOT_ISOLATION.name, Isolation::Snapshot, Beside::Time),
        ))
    },
};
pub(crate) const SERIALIZABLE: CheckerEntry = CheckerEntry {
    name: "serializable",
    summary: "Transactions seem to happen one after the other, in any order.",
    needs_model: false,
    build: |model| {
        Some(first_values::known(model, Level::strong(SERIALIZABLE.name, Isolation::Serializable, Beside::Nothing)))
    },
};
pub(crate) const STRONG_SESSION_SERIALIZABLE: CheckerEntry = CheckerEntry {
    name: "strong-session-serializable",
    summary: "Transactions seem to happen one after the other, those of a process in its order.",
    needs_model: false,
    build: |model| {
        let name = STRONG_SESSION_SERIALIZABLE.name;
        Some(first_values::known(model, Level::strong(name, Isolation::Serializable, Beside::Sessions)))
    },
};
pub(crate) const STRICT_SERIALIZABLE: CheckerEntry = CheckerEntry {
    name: "strict-serializable",
    summary: "Transactions seem to happen one after the other, in an order that agrees with real time.",
    needs_model: false,
    build: |model| {
        Some(first_values::known(model, Level::strong(STRICT_SERIALIZABLE.name, Isolation::Serializable, Beside::Time)))
    },
};

/// How a level is decided.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// By what is certain alone, of these kinds.
    Certain(graph::Kind),
    Weak(weak::Level),
    Strong(Isolation, Beside),
}

/// One level.
struct Level {
    name: &'static str,
    kind: Kind,
}

impl Checker for Level {
    fn name(&self) -> &'static str {
        self.name
    }

    fn check(&self, history: &History, budget: &Budget) -> Verdict {
        if history.order == Order::Processes && matches!(self.kind, Kind::Strong(_, Beside::Time)) {
            return Verdict::precondition(Order::NO_REAL_TIME);
        }
        let judged = Transactions::new(history).and_then(|all| {
            let verdict = self.of(&all, budget)?;
            if verdict.is_unknown() {
                let with_more = instead::assumptions(&all).filter_map(|all| self.of(&all, budget).ok());
                if let Some(valid) = with_more.into_iter().find(Verdict::is_valid) {
                    return Ok(valid);
                }
            }
            Ok(verdict)
        });
        judged.unwrap_or_else(|verdict| verdict)
    }
}

impl Level {
    fn strong(name: &'static str, isolation: Isolation, beside: Beside) -> Level {
        Level { name, kind: Kind::Strong(isolation, beside) }
    }

    fn of(&self, all: &Transactions<'_>, budget: &Budget) -> Result<Verdict, Verdict> {
        let known = match self.kind {
            Kind::Weak(_) => Inference::new(all)?,
            _ => Inference::ordered(all)?,
        };
        let mut verdict = self.judge(&known, budget)?;
        if let Verdict::Invalid { anomalies } = &mut verdict {
            observers::name(&known, anomalies);
        }
        Ok(verdict)
    }

    fn judge(&self, known: &Inference<'_, '_>, budget: &Budget) -> Result<Verdict, Verdict> {
        let refuting = |anomaly: &Anomaly| lattice::refutes(&anomaly.kind, self.name);
        let mut anomalies: Vec<Anomaly> = known.anomalies.iter().filter(|a| refuting(a)).cloned().collect();
        match self.kind {
            Kind::Certain(kinds) => {
                let graph = arrange::certain(known, Beside::Nothing).only(kinds);
                match graph.sorted() {
                    Some(mut order) if anomalies.is_empty() => {
                        order.retain(|vertex| (*vertex as usize) < known.len());
                        let explained = instead::is_there(known, kinds == graph::Kind::WW);
                        return explained.map_or_else(|why| unexplained(known, why), |()| Ok(in_this(known, order)));
                    }
                    Some(_) => {}
                    None => {
                        let found = cycles::find(known, &[(Beside::Nothing, &graph)]);
                        extend(&mut anomalies, found.into_iter().filter(refuting));
                    }
                }
            }
            Kind::Weak(level) => match weak::check(known, level, budget)? {
                Ok(order) if anomalies.is_empty() => {
                    let explained = instead::explained(known, level, order, budget);
                    return explained.map_or_else(|why| unexplained(known, why), |order| Ok(in_this(known, order)));
                }
                Ok(_) => {}
                Err(anomaly) => extend(&mut anomalies, [anomaly]),
            },
            Kind::Strong(isolation, beside) => return Ok(self.strongly(known, isolation, beside, anomalies, budget)),
        }
        Ok(Verdict::of(anomalies))
    }

    fn strongly(
        &self,
        known: &Inference<'_, '_>,
        isolation: Isolation,
        beside: Beside,
        mut anomalies: Vec<Anomaly>,
        budget: &Budget,
    ) -> Verdict {
        let refuting = |anomaly: &Anomaly| lattice::refutes(&anomaly.kind, self.name);
        let graph = arrange::certain(known, beside);
        if graph.sorted().is_none() {
            let weaker: Vec<_> = [Beside::Nothing, Beside::Sessions]
                .into_iter()
                .filter(|b| *b < beside)
                .map(|b| (b, arrange::certain(known, b)))
                .collect();
            let graphs: Vec<_> = weaker.iter().map(|(b, g)| (*b, g)).chain([(beside, &graph)]).collect();
            let found = cycles::find(known, &graphs);
            extend(&mut anomalies, found.into_iter().filter(refuting));
        }
        if !anomalies.is_empty() {
            return Verdict::of(anomalies);
        }
        let mut meter = Meter::new(*budget);
        match arrange::arrange(known, &graph, beside, isolation, &mut meter) {
            Arranged::Possible(order) => {
                let explained = |order| refused::explained(known, order, isolation, beside);
                let again = |id| {
                    let order = arrange::backward(known, &graph, isolation).ok_or(id)?;
                    explained(order).map_err(|_| id)
                };
                match explained(order).or_else(again) {
                    Ok(order) => in_this(known, isolation.commits(&order)),
                    Err(id) => not_searched(known, id),
                }
            }
            Arranged::Impossible { core, key } => Verdict::of(vec![refusal(known, isolation, &core, key)]),
            Arranged::Spent { reason, placed, of } => {
                meter.spent(reason, &format!("{placed} of {of} pairs of writes put in order"))
            }
        }
    }
}

/// A refused cas for which no place, or no version that it read, was found.
fn not_searched(known: &Inference<'_, '_>, id: EntryId) -> Verdict {
    let operation = &known.all.history.entries[id].operation;
    Verdict::precondition(format!(
        "operation {id}, `{operation}`, was refused though its register held that in the order that explains all else; what a refused cas says is not searched for"
    ))
}

fn unexplained(known: &Inference<'_, '_>, why: Unexplained) -> Result<Verdict, Verdict> {
    match why {
        Unexplained::Impossible(anomaly) => Ok(Verdict::of(vec![anomaly])),
        Unexplained::Unknown(id) => Ok(not_searched(known, id)),
        Unexplained::Spent(verdict) => Err(verdict),
    }
}

/// Adds what is not told yet: a read that is not repeatable is a circle too.
fn extend(anomalies: &mut Vec<Anomaly>, found: impl IntoIterator<Item = Anomaly>) {
    for anomaly in found {
        let is_told = |told: &Anomaly| {
            let is_same = told.kind == anomaly.kind
                || (told.kind == anomaly::PHANTOM && anomaly.kind == anomaly::NON_REPEATABLE_READ);
            is_same && anomaly.operations.iter().all(|id| told.operations.contains(id))
        };
        if !anomalies.iter().any(is_told) {
            anomalies.push(anomaly);
        }
    }
}

/// Valid, as the vertices in this order show.
fn in_this(known: &Inference<'_, '_>, order: Vec<u32>) -> Verdict {
    Verdict::Valid { linearization: Some(order.into_iter().map(|v| known.txn(v).entry).collect()) }
}

/// No cycle of what is certain shows it, yet whatever order the writes of a key come in, there is one.
fn refusal(known: &Inference<'_, '_>, isolation: Isolation, core: &[u32], key: Option<u32>) -> Anomaly {
    let (kind, what): (Name, &str) = match isolation {
        Isolation::Serializable => (anomaly::NON_SERIALIZABLE, "order"),
        Isolation::Snapshot => (anomaly::NON_SNAPSHOT, "snapshots"),
    };
    let key = key.map_or(Value::Nil, |key| known.all.keys[key as usize].clone());
    // The order of what several of them appended is known from who read most of it.
    let mut written: Vec<u32> = core.iter().flat_map(|&v| known.writes(v)).copied().collect();
    written.sort_unstable();
    let by_several = written.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]);
    let mut all: Vec<u32> =
        by_several.filter_map(|key| known.keys[key as usize].longest).chain(core.iter().copied()).collect();
    // Of a register, from who read what.
    written.dedup();
    all.extend(written.iter().flat_map(|key| known.links(core, *key)));
    all.sort_unstable();
    all.dedup();
    let n = all.len();
    let sentence = format!(
        "No {what} of these {n} transactions explain{} what they saw: in whatever order the writes of {key} come, some come both before and after others.",
        if isolation == Isolation::Serializable { "s" } else { "" }
    );
    Anomaly::new(kind, key, all.iter().map(|&v| known.txn(v).entry).collect(), sentence)
}
