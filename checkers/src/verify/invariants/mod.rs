//! Invariants decided once more, each as plainly as can be: which operations by themselves show that it is broken.
//!
//! A claim that one is broken is true if an operation that it names is among these, by the kind of anomaly that it says. A
//! claim that it holds is true if there are none, and there was something to judge.

use std::collections::{BTreeMap, BTreeSet};

use super::Verification;
use crate::{
    history::{Entry, EntryId, History, Order},
    value::Value,
    verdict::{Anomaly, Verdict},
};

mod logs;
mod numbers;
mod queues;
mod sets;
mod settled;

/// What is wrong with a history by one invariant.
#[derive(Clone, Debug, Default)]
struct Broken {
    /// The kind of anomaly, and an operation that shows it.
    by: BTreeSet<(&'static str, EntryId)>,
    /// How much there was to judge.
    judged: usize,
    /// Why nobody can say whether it holds, where nothing shows that it does not.
    open: Option<&'static str>,
}

impl Broken {
    fn add(&mut self, kind: &'static str, id: EntryId) {
        self.by.insert((kind, id));
    }
}

/// The operations of one key.
struct Object<'h> {
    history: &'h History,
    ids: Vec<EntryId>,
}

impl<'h> Object<'h> {
    /// The operations that took effect or may have.
    fn alive(&self) -> impl Iterator<Item = (EntryId, &'h Entry)> + use<'_, 'h> {
        let entries = self.ids.iter().map(|&id| (id, &self.history.entries[id]));
        entries.filter(|(_, e)| e.is_ok() || e.is_unknown())
    }

    /// Those of this name that certainly did, with their replies.
    fn ok(&self, f: &str) -> impl Iterator<Item = (EntryId, &'h Entry, &'h Value)> {
        self.alive().filter(move |(_, e)| e.operation.f == *f).filter_map(|(id, e)| Some((id, e, e.reply()?)))
    }
}

fn objects(history: &History) -> Vec<Object<'_>> {
    let mut keys: BTreeMap<&Value, Vec<EntryId>> = BTreeMap::new();
    for (id, entry) in history.entries.iter().enumerate() {
        keys.entry(&entry.operation.key).or_default().push(id);
    }
    keys.into_values().map(|ids| Object { history, ids }).collect()
}

/// Checks the verdict of an invariant; `None` where none of this name is known here.
pub(super) fn check(history: &History, checker: &str, verdict: &Verdict) -> Option<Verification> {
    let judge: fn(&Object<'_>, &mut Broken) = match checker {
        "bank" => |o, b| numbers::bank(o, b, false),
        "bank-with-overdraft" => |o, b| numbers::bank(o, b, true),
        "counter-bounds" => numbers::counter,
        "unique-ids" => numbers::ids,
        "mutual-exclusion" => |o, b| numbers::lock(o, b, true),
        "fencing-tokens" => |o, b| numbers::lock(o, b, false),
        "set-full" => sets::full,
        "total-queue" => |o, b| queues::delivered(o, b, true, true),
        "at-most-once" => |o, b| queues::delivered(o, b, false, true),
        "at-least-once" => |o, b| queues::delivered(o, b, true, false),
        "log-order" => |_, _| {},
        "durability" => settled::durable,
        "convergence" => |o, b| settled::converged(o, b, settled::Asks::Agreement),
        "eventual" => |o, b| settled::converged(o, b, settled::Asks::Explanation),
        "strong-eventual" => |o, b| settled::converged(o, b, settled::Asks::Stability),
        "liveness" => |_, _| {},
        "eventual-accuracy" => settled::accurate,
        _ => return None,
    };
    // These look at no moment.
    let timeless = matches!(checker, "bank" | "bank-with-overdraft" | "unique-ids");
    if history.order == Order::Processes && !timeless {
        return Some(Verification::Refuted("the history does not know real time".to_owned()));
    }
    let mut broken = Broken::default();
    match checker {
        "log-order" => logs::ordered(history, &mut broken),
        "liveness" => settled::live(history, &mut broken),
        _ => objects(history).iter().for_each(|object| judge(object, &mut broken)),
    }
    Some(compare(&broken, verdict))
}

fn compare(broken: &Broken, verdict: &Verdict) -> Verification {
    let shown = |anomaly: &Anomaly| {
        broken.by.iter().any(|(kind, id)| anomaly.kind == **kind && anomaly.operations.contains(id))
    };
    match verdict {
        Verdict::Invalid { anomalies } if anomalies.iter().any(shown) => Verification::Verified,
        Verdict::Invalid { anomalies } => {
            let kinds: Vec<&str> = anomalies.iter().map(|anomaly| anomaly.kind.as_str()).collect();
            Verification::Refuted(format!("no operation that it names shows {}", kinds.join(" or ")))
        }
        Verdict::Valid { .. } => match (broken.by.first(), broken.open) {
            (Some((kind, id)), _) => Verification::Refuted(format!("operation {id} shows {kind}")),
            (None, Some(why)) => Verification::Refuted(why.to_owned()),
            (None, None) if broken.judged == 0 => Verification::Refuted("there is nothing to judge".to_owned()),
            (None, None) => Verification::Verified,
        },
        Verdict::Unknown { .. } => Verification::Unverified("it claims nothing".to_owned()),
    }
}
