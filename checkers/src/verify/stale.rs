//! Bounds of staleness: an order of the operations shows that a bound holds, and operations that have no order within the next
//! smaller one that it is the tightest.
//!
//! By versions, a read shows one of so many versions of its key before the newest, and everything keeps real time. By time, all
//! reads are invoked so much earlier, and the history is linearizable then.

use std::collections::BTreeMap;

use super::{
    Verification, any, linear,
    placed::{Placed, refuted},
    replay::State,
};
use crate::{
    budget::Budget,
    history::{EntryId, History, Moment, Order},
    operation::Operation,
    partition::FixedMap,
    staleness::{Bound, Staleness},
    value::Value,
    verdict::Verdict,
};

/// Whether the bounds hold and are the tightest, or where nothing is valid no bound holds.
pub(super) fn holds(
    history: &History,
    verdict: &Verdict,
    staleness: Option<&Staleness>,
    budget: &Budget,
) -> Verification {
    if history.order == Order::Processes {
        return Verification::Refuted("the history does not know real time".to_owned());
    }
    let names = |f: &[&str]| history.entries.iter().any(|entry| f.contains(&entry.operation.f.as_str()));
    let model = if names(&["get", "put"]) { "kv" } else { "cas-register" };
    if model == "kv" && names(&["append", "read", "write", "cas"]) {
        return Verification::Unverified("these operations are not of one kind of registers".to_owned());
    }
    let versions = Versions { history, model, budget };
    if let Verdict::Invalid { anomalies } = verdict {
        return any(history, anomalies, |anomaly, named| versions.impossible(u64::MAX, &anomaly.key, named));
    }
    let Some(staleness) = staleness else {
        return Verification::Unverified("it shows no bounds".to_owned());
    };
    // By 0 nothing is moved, whatever the times are.
    if staleness.time_ns.as_ref().is_some_and(|bound| bound.most != Some(0)) && runs_backwards(history) {
        return Verification::Refuted("times run backwards, which show no bound by time".to_owned());
    }
    let mut bounds = vec![versions.bound(&staleness.versions)];
    if let Some(bound) = &staleness.time_ns {
        bounds.push(by_time(history, model, bound, budget));
    } else if says_when(history) {
        bounds.push(Verification::Unverified("it shows no bound by time".to_owned()));
    }
    bounds.into_iter().find(|bound| *bound != Verification::Verified).unwrap_or(Verification::Verified)
}

/// Checks both sides of a bound of so many operations: that it holds in an order, and that the next smaller one does not.
fn sides(
    bound: &Bound,
    operations: usize,
    replays: impl FnOnce(u64, &[EntryId]) -> Result<(), Verification>,
    impossible: impl FnOnce(u64, &Value, &[EntryId]) -> Verification,
) -> Verification {
    let (Some(most), Some(order)) = (bound.most, &bound.order) else {
        return Verification::Unverified("it shows no order for a bound".to_owned());
    };
    let named = order.iter().chain(bound.evidence.iter().flat_map(|evidence| &evidence.operations));
    if let Some(id) = named.copied().find(|id| *id >= operations) {
        return Verification::Refuted(format!("operation {id} is not there"));
    }
    if let Err(other) = replays(most, order) {
        return other;
    }
    match (bound.least.checked_sub(1), &bound.evidence) {
        (None, _) => Verification::Verified,
        (Some(smaller), Some(evidence)) => impossible(smaller, &evidence.key, &evidence.operations),
        (Some(_), None) => Verification::Unverified("it does not show that a smaller bound fails".to_owned()),
    }
}

/// Whether times tell one event from another.
fn says_when(history: &History) -> bool {
    let mut times = history.entries.iter().flat_map(|e| [Some(e.invoked), e.completed]).flatten().map(Moment::time);
    times.next().is_some_and(|first| times.any(|time| time != first))
}

/// Whether some event has an earlier time than one before it.
fn runs_backwards(history: &History) -> bool {
    let mut times: Vec<(u32, u64)> = history
        .entries
        .iter()
        .flat_map(|e| [Some(e.invoked), e.completed])
        .flatten()
        .map(|m| (m.position, m.time()))
        .collect();
    times.sort_unstable();
    !times.is_sorted_by_key(|(_, time)| *time)
}

/// Bounds by versions.
struct Versions<'h> {
    history: &'h History,
    model: &'h str,
    budget: &'h Budget,
}

impl Versions<'_> {
    fn bound(&self, bound: &Bound) -> Verification {
        sides(
            bound,
            self.history.entries.len(),
            |most, order| self.replays(most, order),
            |lag, key, named| self.impossible(lag, key, named),
        )
    }

    /// What a key holds at first.
    fn initial(&self) -> Value {
        if self.model == "kv" { Value::from("") } else { Value::Nil }
    }

    /// Whether the order holds all that happened, keeps real time, and no read lags by more.
    fn replays(&self, lag: u64, order: &[EntryId]) -> Result<(), Verification> {
        let initial = self.initial();
        let mut placed = Placed::new(self.history);
        let mut now = 0;
        // By key, how many versions there were, and the newest; and where each value last stood among them.
        let mut newest: FixedMap<&Value, (u64, &Value)> = FixedMap::default();
        let mut last: FixedMap<(&Value, &Value), u64> = FixedMap::default();
        for &id in order {
            let entry = placed.take(id)?;
            now = now.max(entry.invoked.position);
            if entry.returned() < now {
                return Err(refuted(id, "comes after an operation that was invoked when it had returned"));
            }
            let Operation { f, key, args } = &entry.operation;
            let (count, held) = newest.entry(key).or_insert((0, &initial));
            let written = match (f.as_str(), entry.reply()) {
                ("read" | "get", None) => None,
                ("read" | "get", Some(shown)) => {
                    let first = if *shown == initial { Some(0) } else { None };
                    let stood = last.get(&(key, shown)).copied().or(first);
                    if stood.is_none_or(|stood| *count - stood > lag) {
                        return Err(refuted(id, "shows no version that is new enough"));
                    }
                    None
                }
                ("write" | "put", _) => Some(args),
                ("cas", reply) => {
                    let Some([expected, new]) = args.as_list() else { return Err(refuted(id, "is no cas")) };
                    let matches = *held == expected;
                    if reply.is_some_and(|reply| *reply != Value::Bool(matches)) {
                        return Err(refuted(id, "cannot reply so where it stands"));
                    }
                    Some(new).filter(|_| matches)
                }
                _ => return Err(Verification::Unverified(format!("operation {id} is none of a register"))),
            };
            if let Some(written) = written {
                (*count, *held) = (*count + 1, written);
                last.insert((key, written), *count);
            }
        }
        placed.all()
    }

    /// Whether these have no order in which no read lags by more.
    fn impossible(&self, lag: u64, key: &Value, named: &[EntryId]) -> Verification {
        let initial = self.initial();
        let apply = |state: &mut State, operation: &Operation, reply: Option<&Value>| {
            let held = state.entry(key.clone()).or_insert_with(|| Value::List(vec![initial.clone()]));
            let Value::List(versions) = held else { return None };
            let written = match (operation.f.as_str(), &operation.args) {
                ("read" | "get", _) => return reply.is_none_or(|shown| versions.contains(shown)).then_some(()),
                ("cas", Value::List(args)) => {
                    let matches = versions.last() == args.first();
                    if reply.is_some_and(|reply| *reply != Value::Bool(matches)) {
                        return None;
                    }
                    args.get(1).filter(|_| matches)
                }
                (_, written) => Some(written),
            };
            if let Some(written) = written {
                versions.push(written.clone());
                let old = versions.len().saturating_sub(usize::try_from(lag).unwrap_or(usize::MAX).saturating_add(1));
                versions.drain(..old);
            }
            Some(())
        };
        linear::none_by(self.history, self.model, key, named, self.budget, apply)
    }
}

/// A bound by time: linearizability of the history with its reads invoked earlier.
fn by_time(history: &History, model: &str, bound: &Bound, budget: &Budget) -> Verification {
    let renamed = |ids: &[EntryId], of: &BTreeMap<EntryId, EntryId>| -> Vec<EntryId> {
        // What is not there stays so.
        ids.iter().map(|id| of.get(id).copied().unwrap_or(usize::MAX)).collect()
    };
    sides(
        bound,
        history.entries.len(),
        |most, order| {
            let (moved, of) = moved(history, most);
            linear::replays(&moved, model, &renamed(order, &of))
        },
        |by_ns, key, named| {
            let (moved, of) = moved(history, by_ns);
            linear::impossible(&moved, model, key, &renamed(named, &of), budget)
        },
    )
}

/// The history with its reads invoked so many nanoseconds earlier, and which of its entries each entry is there. A read that is
/// moved comes before all that happens just then; with 0 nothing is moved.
fn moved(history: &History, by_ns: u64) -> (History, BTreeMap<EntryId, EntryId>) {
    /// An event: the moment it is known by, the operation, whether it is its completion.
    type Event = (u32, u64, EntryId, bool);
    let mut events: Vec<Event> = Vec::new();
    for (id, entry) in history.entries.iter().enumerate() {
        events.push((entry.invoked.position, entry.invoked.time(), id, false));
        events.extend(entry.completed.map(|at| (at.position, at.time(), id, true)));
    }
    events.sort_unstable();
    // Clocks that went back stood still instead.
    let mut clock = 0;
    let mut placed: Vec<((u64, u32), Event)> = Vec::with_capacity(events.len());
    for event in events {
        let (position, time, id, completes) = event;
        clock = clock.max(time);
        let is_read = ["read", "get"].iter().any(|f| history.entries[id].operation.f == *f);
        // Positions count from 1 on, so that what is moved comes first.
        let moves = is_read && !completes && by_ns > 0;
        let at = if moves { (clock.saturating_sub(by_ns), 0) } else { (clock, 1 + position) };
        placed.push((at, event));
    }
    placed.sort_by_key(|(at, _)| *at);
    let mut entries: Vec<_> = history.entries.iter().cloned().enumerate().collect();
    for (position, ((time, _), (_, _, id, completes))) in (0..).zip(placed) {
        let moment = Moment::new(position, time);
        let entry = &mut entries[id].1;
        if completes {
            entry.completed = Some(moment);
        } else {
            entry.invoked = moment;
        }
    }
    entries.sort_by_key(|(_, entry)| entry.invoked.position);
    let of = entries.iter().enumerate().map(|(new, (old, _))| (*old, new)).collect();
    let entries = entries.into_iter().map(|(_, entry)| entry).collect();
    (History { entries, ..History::default() }, of)
}
