//! Isolation levels by their definitions, on a few transactions: every order of them is tried.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Verification, commits,
    replay::{self, State},
};
use crate::{
    budget::Budget,
    history::{Entry, EntryId, History, Order},
    operation::Operation,
    partition::FixedMap,
    value::Value,
};

/// The levels that are known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    /// One after the other.
    Serial(Beside),
    /// From snapshots; the first committer wins.
    Snapshot(Beside),
    /// Biswas & Enea's axioms, by what a transaction can see.
    Sees(Sees),
}

/// What an order of transactions must keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beside {
    Nothing,
    Processes,
    Time,
}

/// What a transaction can see of the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sees {
    ReadBefore,
    ReadOrFollowed,
    HappenedBefore,
}

impl Level {
    pub(super) fn named(checker: &str) -> Option<Level> {
        Some(match checker {
            "repeatable-read" | "serializable" => Level::Serial(Beside::Nothing),
            "strong-session-serializable" => Level::Serial(Beside::Processes),
            "strict-serializable" => Level::Serial(Beside::Time),
            "snapshot-isolation" => Level::Snapshot(Beside::Nothing),
            "strong-session-snapshot-isolation" => Level::Snapshot(Beside::Processes),
            "strong-snapshot-isolation" => Level::Snapshot(Beside::Time),
            "read-committed" => Level::Sees(Sees::ReadBefore),
            "read-atomic" => Level::Sees(Sees::ReadOrFollowed),
            "causal" => Level::Sees(Sees::HappenedBefore),
            _ => return None,
        })
    }
}

/// Whether the order holds all that certainly happened, keeps what the level asks for, and replies as the history says.
pub(super) fn replays(history: &History, level: Level, order: &[EntryId], budget: &Budget) -> Verification {
    let beside = match level {
        Level::Serial(beside) => beside,
        Level::Snapshot(beside) => return commits::snapshots(history, order, beside, budget),
        Level::Sees(sees) => return commits::sees(history, order, sees, budget),
    };
    let refuted = |id: EntryId, why: &str| Verification::Refuted(format!("operation {id} {why}"));
    if beside == Beside::Time && history.order == Order::Processes {
        return Verification::Refuted("the history does not know real time".to_owned());
    }
    let mut placed = vec![false; history.entries.len()];
    let mut last: BTreeMap<u32, EntryId> = BTreeMap::new();
    let mut state = State::new();
    let mut now = 0;
    for &id in order {
        let Some(entry) = history.entries.get(id) else { return refuted(id, "is not there") };
        if std::mem::replace(&mut placed[id], true) {
            return refuted(id, "is there twice");
        }
        if !entry.is_ok() && !entry.is_unknown() {
            return refuted(id, "did not happen");
        }
        now = now.max(entry.invoked.position);
        if beside == Beside::Time && entry.returned() < now {
            return refuted(id, "comes after a transaction that was invoked when it had returned");
        }
        if last.insert(entry.process.0, id).is_some_and(|before| before > id) && beside == Beside::Processes {
            return refuted(id, "comes after a later transaction of its process");
        }
        if model_of(entry).and_then(|model| replay::apply(model, &mut state, &entry.operation, entry.reply())).is_none()
        {
            return refuted(id, "cannot reply so where it stands");
        }
    }
    match history.entries.iter().zip(&placed).position(|(entry, placed)| entry.is_ok() && !placed) {
        Some(id) => refuted(id, "is left out"),
        None => Verification::Verified,
    }
}

/// The model that knows the operation. Lists and registers may stand side by side.
fn model_of(entry: &Entry) -> Option<&'static str> {
    Some(match entry.operation.f.as_str() {
        "txn" => "list-append",
        "read" | "write" | "cas" => "cas-register",
        "get" | "put" => "kv",
        _ => return None,
    })
}

/// What was seen of a key.
#[derive(Clone, Debug)]
enum Seen<'h> {
    /// A register held this; nothing at first.
    Last(Option<&'h Value>),
    /// A list held these elements, as far as they are kept.
    All(Vec<&'h Value>),
}

/// What a transaction did to a key.
#[derive(Clone, Debug)]
enum Act<'h> {
    Read(Seen<'h>),
    /// It wrote a register or appended to a list.
    Write(&'h Value),
}

/// A transaction that is kept, and what it did to which key.
struct Txn<'h> {
    entry: &'h Entry,
    acts: Vec<(&'h Value, Act<'h>)>,
}

/// What an operation did, before anything is deleted: key, whether it changed it, and with which value or reply.
pub(super) fn acts(entry: &Entry) -> Vec<(&Value, bool, &Value)> {
    let Operation { f, key, args } = &entry.operation;
    match (f.as_str(), args, entry.reply()) {
        ("read" | "get", _, Some(value)) => vec![(key, false, value)],
        ("write" | "put" | "append", value, _) => vec![(key, true, value)],
        ("cas", Value::List(args), None | Some(Value::Bool(true))) if args.len() == 2 => {
            vec![(key, false, &args[0]), (key, true, &args[1])]
        }
        ("txn", Value::List(asked), reply) => {
            let replied = reply.and_then(Value::as_list);
            asked.iter().enumerate().filter_map(|(i, micro)| act(micro, replied.and_then(|r| r.get(i)))).collect()
        }
        _ => Vec::new(),
    }
}

/// One `[f key value]`, with the same from the reply; nothing for a read whose reply is not known.
fn act<'h>(asked: &'h Value, replied: Option<&'h Value>) -> Option<(&'h Value, bool, &'h Value)> {
    let [Value::Text(f), key, value] = asked.as_list()? else { return None };
    if f.starts_with('r') { Some((key, false, replied?.as_list()?.get(2)?)) } else { Some((key, true, value)) }
}

/// How an operation is about a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    Reads,
    Writes,
    Appends,
}

/// The same as [`acts`] with what was asked even where it is not known what was read; then there is no value.
pub(super) fn acts_of(entry: &Entry) -> impl Iterator<Item = (&Value, How, Option<&Value>)> {
    let how = |f: &str, writes| match (writes, f.starts_with('a')) {
        (false, _) => How::Reads,
        (true, false) => How::Writes,
        (true, true) => How::Appends,
    };
    let is_txn = entry.operation.f == "txn";
    let asked = entry.operation.args.as_list().filter(|_| is_txn).unwrap_or_default();
    let replied = entry.reply().and_then(Value::as_list);
    let micros = asked.iter().enumerate().filter_map(move |(i, micro)| {
        let [Value::Text(f), key, value] = micro.as_list()? else { return None };
        let how = how(f, !f.starts_with('r'));
        let shown = || replied?.get(i)?.as_list()?.get(2);
        Some((key, how, if how == How::Reads { shown() } else { Some(value) }))
    });
    let single = if is_txn { Vec::new() } else { acts(entry) };
    let f = entry.operation.f.as_str();
    micros.chain(single.into_iter().map(move |(key, writes, value)| (key, how(f, writes), Some(value))))
}

/// Who wrote what, in the whole history.
struct Writers<'h> {
    of: FixedMap<(&'h Value, &'h Value), Vec<EntryId>>,
    lists: BTreeSet<&'h Value>,
}

impl<'h> Writers<'h> {
    fn new(history: &'h History) -> Self {
        let mut writers = Writers { of: FixedMap::default(), lists: BTreeSet::new() };
        let mut registers = BTreeSet::new();
        let mut shown = BTreeSet::new();
        for (id, entry) in history.entries.iter().enumerate() {
            for (key, writes, value) in acts(entry) {
                if writes && (entry.is_ok() || entry.is_unknown()) {
                    writers.of.entry((key, value)).or_default().push(id);
                }
                if !writes && value.as_list().is_some() {
                    shown.insert(key);
                }
            }
            let appends = |f: &str| f.starts_with('a');
            let micros = entry.operation.args.as_list().filter(|_| entry.operation.f == "txn").unwrap_or_default();
            for micro in micros.iter().filter_map(Value::as_list) {
                if let [Value::Text(f), key, _] = micro
                    && !f.starts_with('r')
                {
                    if appends(f) {
                        writers.lists.insert(key)
                    } else {
                        registers.insert(key)
                    };
                }
            }
            if appends(entry.operation.f.as_str()) {
                writers.lists.insert(&entry.operation.key);
            }
        }
        writers.lists.extend(shown.difference(&registers));
        writers
    }

    /// Whether only transactions that are kept wrote this, perhaps none at all.
    fn kept(&self, key: &'h Value, value: &'h Value, kept: &BTreeSet<EntryId>) -> bool {
        self.of.get(&(key, value)).is_none_or(|writers| writers.iter().all(|w| kept.contains(w)))
    }
}

/// The transactions that are named, with those whose writes they saw and the longest reads of their lists. What they saw of
/// others is forgotten.
fn keep<'h>(history: &'h History, named: &[EntryId]) -> Vec<Txn<'h>> {
    let writers = Writers::new(history);
    let happens = |id: EntryId| history.entries[id].is_ok() || history.entries[id].is_unknown();
    let mut kept: BTreeSet<EntryId> = named.iter().copied().filter(|&id| happens(id)).collect();
    let of_named: Vec<_> = kept.iter().flat_map(|&id| acts(&history.entries[id])).collect();
    let changed: BTreeSet<&Value> = of_named.iter().filter(|(_, writes, _)| *writes).map(|(key, ..)| *key).collect();
    for &(key, writes, value) in &of_named {
        if !writes && changed.contains(key) {
            kept.extend(writers.of.get(&(key, value)).into_iter().flatten());
        }
    }
    let mut longest: BTreeMap<&Value, (usize, EntryId)> = BTreeMap::new();
    for (id, entry) in history.entries.iter().enumerate().filter(|(_, e)| e.is_ok()) {
        for (key, _, value) in acts(entry).into_iter().filter(|(key, writes, _)| !writes && writers.lists.contains(key))
        {
            let length = value.as_list().map_or(0, <[Value]>::len);
            let known = longest.entry(key).or_insert((length, id));
            if known.0 < length {
                *known = (length, id);
            }
        }
    }
    for &(key, writes, value) in &of_named {
        let Some(&(_, reader)) = longest.get(key) else { continue };
        kept.insert(reader);
        if writes {
            continue;
        }
        // The last element that was seen, and the first that is another one in the longest read.
        let shown = value.as_list().unwrap_or_default();
        for (_, _, other) in acts(&history.entries[reader]).into_iter().filter(|(k, writes, _)| k == &key && !writes) {
            let other = other.as_list().unwrap_or_default();
            let differs = (0..shown.len().min(other.len())).find(|&i| shown[i] != other[i]);
            let told = differs.map(|i| [&shown[i], &other[i]]).into_iter().flatten().chain(shown.last());
            kept.extend(told.filter_map(|element| writers.of.get(&(key, element))).flatten());
        }
    }
    let cut = |id: EntryId| {
        let entry = &history.entries[id];
        let act = |(key, writes, value): (&'h Value, bool, &'h Value)| {
            if writes {
                return Some((key, Act::Write(value)));
            }
            if writers.lists.contains(key) {
                let elements = value.as_list().unwrap_or_default().iter();
                let left = elements.filter(|element| writers.kept(key, element, &kept)).collect();
                return Some((key, Act::Read(Seen::All(left))));
            }
            let initial = value.is_nil() || value.as_text() == Some("");
            let seen = if initial && !writers.of.contains_key(&(key, value)) { None } else { Some(value) };
            writers.kept(key, value, &kept).then_some((key, Act::Read(Seen::Last(seen))))
        };
        Txn { entry, acts: acts(entry).into_iter().filter_map(act).collect() }
    };
    kept.iter().map(|&id| cut(id)).collect()
}

/// All writes to each key, in order.
type World<'h> = BTreeMap<&'h Value, Vec<&'h Value>>;

fn precedes(beside: Beside, a: &Txn<'_>, b: &Txn<'_>) -> bool {
    match beside {
        Beside::Nothing => false,
        Beside::Processes => a.entry.process == b.entry.process && a.entry.invoked.position < b.entry.invoked.position,
        Beside::Time => a.entry.returned() < b.entry.invoked.position,
    }
}

/// Whether the transaction may run on this; leaves what is there after it.
fn run<'h>(txn: &Txn<'h>, world: &mut World<'h>) -> bool {
    txn.acts.iter().all(|(key, act)| {
        match act {
            Act::Write(value) => world.entry(key).or_default().push(value),
            Act::Read(Seen::Last(seen)) => return world.get(key).and_then(|all| all.last()) == seen.as_ref(),
            Act::Read(Seen::All(seen)) => return world.get(key).map_or(seen.is_empty(), |all| all == seen),
        }
        true
    })
}

fn writes<'h>(txn: &Txn<'h>, key: &Value) -> Vec<&'h Value> {
    let of = |(k, act): &(&'h Value, Act<'h>)| match act {
        Act::Write(value) if *k == key => Some(*value),
        _ => None,
    };
    txn.acts.iter().filter_map(of).collect()
}

/// Whether these transactions, with others that they need, are none of the level whatever else happened.
pub(super) fn impossible(history: &History, level: Level, named: &[EntryId], budget: &Budget) -> Verification {
    if history.order == Order::Processes && matches!(level, Level::Serial(Beside::Time) | Level::Snapshot(Beside::Time))
    {
        return Verification::Refuted("the history does not know real time".to_owned());
    }
    if let Some(id) = named.iter().find(|id| **id >= history.entries.len()) {
        return Verification::Refuted(format!("operation {id} is not there"));
    }
    let kept = keep(history, named);
    let unknown: Vec<usize> = (0..kept.len()).filter(|&i| kept[i].entry.is_unknown()).collect();
    let too_many = |n: usize| Verification::Unverified(format!("{n} transactions are too many to try all orders"));
    let orders_max = if matches!(level, Level::Sees(_)) { AXIOMS_MAX } else { KEPT_MAX };
    if kept.len() > orders_max || unknown.len() > UNKNOWN_MAX {
        return too_many(kept.len());
    }
    let mut steps = budget.steps;
    // Each of unknown outcome took effect or not.
    for chosen in 0_usize..1 << unknown.len() {
        let takes = |i: &usize| unknown.iter().position(|u| u == i).is_none_or(|place| chosen >> place & 1 == 1);
        let txns: Vec<&Txn<'_>> = (0..kept.len()).filter(takes).map(|i| &kept[i]).collect();
        let mut search = Search { txns: &txns, seen: BTreeSet::new(), steps };
        let possible = match level {
            Level::Serial(beside) => search.serial(0, &World::new(), beside),
            Level::Snapshot(beside) => search.snapshot(&mut vec![None; txns.len()], 0, &World::new(), beside),
            Level::Sees(sees) => search.axioms(&mut Vec::new(), sees),
        };
        steps = search.steps;
        match possible {
            Some(false) => {}
            Some(true) => return Verification::Refuted("the transactions it names have an order".to_owned()),
            None => return Verification::Unverified(format!("the budget is spent on {} transactions", kept.len())),
        }
    }
    Verification::Verified
}

/// More transactions than this are not searched; a set of them is 64 bits.
const KEPT_MAX: usize = 64;
/// The same where each order is tried by itself.
const AXIOMS_MAX: usize = 9;
/// The same for those of unknown outcome.
const UNKNOWN_MAX: usize = 8;

/// What each transaction that has begun found written under each of its keys.
type Base<'h> = Option<Vec<(&'h Value, usize)>>;

/// Tries every order. What is left and what is there are remembered.
struct Search<'t, 'h> {
    txns: &'t [&'t Txn<'h>],
    seen: BTreeSet<(u64, u64, World<'h>)>,
    steps: u64,
}

impl<'h> Search<'_, 'h> {
    fn serial(&mut self, done: u64, world: &World<'h>, beside: Beside) -> Option<bool> {
        let n = self.txns.len();
        let is_open = |i: &usize| done >> i & 1 == 0;
        if (0..n).all(|i| !is_open(&i)) {
            return Some(true);
        }
        if !self.seen.insert((done, 0, world.clone())) {
            return Some(false);
        }
        self.steps = self.steps.checked_sub(1)?;
        for i in (0..n).filter(is_open) {
            if (0..n).filter(is_open).any(|j| precedes(beside, self.txns[j], self.txns[i])) {
                continue;
            }
            let mut after = world.clone();
            if run(self.txns[i], &mut after) && self.serial(done | 1 << i, &after, beside)? {
                return Some(true);
            }
        }
        Some(false)
    }

    fn snapshot(&mut self, begun: &mut Vec<Base<'h>>, done: u64, world: &World<'h>, beside: Beside) -> Option<bool> {
        let n = self.txns.len();
        if (0..n).all(|i| done >> i & 1 == 1) {
            return Some(true);
        }
        let open = (0..n).filter(|&i| begun[i].is_some()).fold(0, |set, i| set | 1 << i);
        // When they began matters only by what was there, which the writes since then show.
        let bases: Vec<&Value> = begun.iter().flatten().flatten().map(|(key, _)| *key).collect();
        if bases.is_empty() && !self.seen.insert((done, open, world.clone())) {
            return Some(false);
        }
        self.steps = self.steps.checked_sub(1)?;
        for i in (0..n).filter(|i| done >> i & 1 == 0) {
            let txn = self.txns[i];
            if let Some(base) = begun[i].take() {
                let first = base.iter().all(|(key, length)| world.get(key).map_or(0, Vec::len) == *length);
                if first {
                    let mut after = world.clone();
                    for (key, act) in &txn.acts {
                        if let Act::Write(value) = act {
                            after.entry(key).or_default().push(value);
                        }
                    }
                    if self.snapshot(begun, done | 1 << i, &after, beside)? {
                        return Some(true);
                    }
                }
                begun[i] = Some(base);
                if !first {
                    // It can never commit.
                    return Some(false);
                }
                continue;
            }
            let early = (0..n).any(|j| j != i && done >> j & 1 == 0 && precedes(beside, self.txns[j], txn));
            if early || !run(txn, &mut world.clone()) {
                continue;
            }
            let keys: BTreeSet<&'h Value> =
                txn.acts.iter().filter(|(_, act)| matches!(act, Act::Write(_))).map(|(key, _)| *key).collect();
            begun[i] = Some(keys.into_iter().map(|key| (key, world.get(key).map_or(0, Vec::len))).collect());
            if self.snapshot(begun, done, world, beside)? {
                return Some(true);
            }
            begun[i] = None;
        }
        Some(false)
    }

    /// Some order of all that satisfies the axiom.
    fn axioms(&mut self, order: &mut Vec<usize>, sees: Sees) -> Option<bool> {
        let n = self.txns.len();
        if order.len() == n {
            self.steps = self.steps.checked_sub(1)?;
            return Some(holds(self.txns, order, sees));
        }
        for i in (0..n).filter(|i| !order.contains(i)).collect::<Vec<_>>() {
            let late = (0..n).any(|j| !order.contains(&j) && precedes(Beside::Processes, self.txns[j], self.txns[i]));
            if late {
                continue;
            }
            order.push(i);
            if self.axioms(order, sees)? {
                return Some(true);
            }
            order.pop();
        }
        Some(false)
    }
}

/// A read of others: its key, whose write was the last that it saw, and all whose writes it shows.
struct Look<'h> {
    key: &'h Value,
    source: Option<usize>,
    shown: Vec<usize>,
}

/// What a transaction saw of the others, if they commit in this order; `None` if it cannot have seen it.
fn looks<'h>(txns: &[&Txn<'h>], order: &[usize], reader: usize) -> Option<Vec<Look<'h>>> {
    let owner = |key: &Value, value: &Value| (0..txns.len()).find(|&t| writes(txns[t], key).contains(&value));
    let source = |key: &Value, value: Option<&&'h Value>| {
        let Some(value) = value else { return Some(None) };
        let owner = owner(key, value).filter(|&t| t != reader && writes(txns[t], key).last() == Some(value))?;
        Some(Some(owner))
    };
    let mut own: World<'h> = World::new();
    let mut all = Vec::new();
    for (key, act) in &txns[reader].acts {
        let before: &[&Value] = own.get(key).map_or(&[], Vec::as_slice);
        match act {
            Act::Write(value) => own.entry(key).or_default().push(value),
            Act::Read(Seen::Last(seen)) if !before.is_empty() => (before.last() == seen.as_ref()).then_some(())?,
            Act::Read(Seen::Last(seen)) => {
                let source = source(key, seen.as_ref())?;
                all.push(Look { key, source, shown: source.into_iter().collect() });
            }
            Act::Read(Seen::All(seen)) => {
                let whole: Vec<&Value> = order.iter().flat_map(|&t| writes(txns[t], key)).collect();
                (whole.starts_with(seen) && seen.ends_with(before)).then_some(())?;
                let others = &seen[..seen.len() - before.len()];
                let source = source(key, others.last())?;
                all.push(Look { key, source, shown: others.iter().filter_map(|v| owner(key, v)).collect() });
            }
        }
    }
    Some(all)
}

/// Whether the order extends processes and reads, and every read shows the last write of its key that it can see.
fn holds(txns: &[&Txn<'_>], order: &[usize], sees: Sees) -> bool {
    let n = txns.len();
    let place = |t: usize| order.iter().position(|o| *o == t);
    let Some(looks) = (0..n).map(|t| looks(txns, order, t)).collect::<Option<Vec<_>>>() else { return false };
    let follows = |a: usize, b: usize| {
        precedes(Beside::Processes, txns[a], txns[b]) || looks[b].iter().any(|look| look.shown.contains(&a))
    };
    let direct: Vec<Vec<bool>> = (0..n).map(|a| (0..n).map(|b| follows(a, b)).collect()).collect();
    if (0..n).any(|a| (0..n).any(|b| direct[a][b] && place(a) >= place(b))) {
        return false;
    }
    let mut before = direct.clone();
    for k in 0..n {
        for i in 0..n {
            for j in 0..n {
                before[i][j] |= before[i][k] && before[k][j];
            }
        }
    }
    (0..n).all(|reader| {
        looks[reader].iter().enumerate().all(|(i, look)| {
            (0..n).filter(|&t| t != reader && !writes(txns[t], look.key).is_empty()).all(|other| {
                let visible = match sees {
                    Sees::ReadBefore => looks[reader][..i].iter().any(|l| l.shown.contains(&other)),
                    Sees::ReadOrFollowed => direct[other][reader],
                    Sees::HappenedBefore => before[other][reader],
                };
                !visible || look.source.is_some_and(|source| source == other || place(other) < place(source))
            })
        })
    })
}
