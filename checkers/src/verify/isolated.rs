//! Isolation levels: an order of transactions is replayed, or a few transactions have none that the level allows.

use std::collections::BTreeSet;

use super::{
    Verification,
    acts::{is_misfit, misfit, misfits},
    held::{Held, Kind},
    kept::{Txn, keep},
    orders::{Search, World, are_ambiguous, firsts},
    placed::{Placed, refuted},
    sees, snapshots,
};
use crate::{
    budget::Budget,
    history::{EntryId, History, Order},
    partition::FixedMap,
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
pub(super) fn replays(history: &History, level: Level, order: &[EntryId], budget: &Budget) -> Result<(), Verification> {
    let beside = match level {
        Level::Serial(beside) => beside,
        Level::Snapshot(beside) => return snapshots::snapshots(history, order, beside, budget),
        Level::Sees(sees) => return sees::sees(history, order, sees, budget),
    };
    if beside == Beside::Time && history.order == Order::Processes {
        return Err(Verification::Refuted("the history does not know real time".to_owned()));
    }
    let mut placed = Placed::new(history);
    let mut last: FixedMap<u32, EntryId> = FixedMap::default();
    let mut held = Held::new(history);
    let mut now = 0;
    for &id in order {
        let entry = placed.take(id)?;
        now = now.max(entry.invoked.position);
        if beside == Beside::Time && entry.returned() < now {
            return Err(refuted(id, "comes after a transaction that was invoked when it had returned"));
        }
        if beside == Beside::Processes && last.insert(entry.process.0, id).is_some_and(|before| before > id) {
            return Err(refuted(id, "comes after a later transaction of its process"));
        }
        if is_misfit(entry) {
            return Err(misfits(id));
        }
        let applied = held.apply(Kind::Isolated, entry);
        applied.ok_or_else(|| refuted(id, "cannot reply so where it stands"))?;
    }
    if let Some(id) = held.mistaken(history, placed.left()) {
        return Err(refuted(id, "is about a register that was read as an empty list"));
    }
    placed.all()
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
    if let Some(id) = misfit(history) {
        return misfits(id);
    }
    let kept = keep(history, named);
    let unknown: Vec<usize> = (0..kept.len()).filter(|&i| kept[i].entry.is_unknown()).collect();
    let too_many = |n: usize| Verification::Unverified(format!("{n} transactions are too many to try all orders"));
    let orders_max = if matches!(level, Level::Sees(_)) { AXIOMS_MAX } else { KEPT_MAX };
    if kept.len() > orders_max || unknown.len() > UNKNOWN_MAX {
        return too_many(kept.len());
    }
    if matches!(level, Level::Sees(_)) && are_ambiguous(&kept) {
        return Verification::Unverified("several of its transactions wrote the same value, which was read".to_owned());
    }
    let Some(firsts) = firsts(&kept) else {
        return Verification::Unverified("its registers begin in too many ways".to_owned());
    };
    let mut steps = budget.steps;
    // Each of unknown outcome took effect or not.
    let chosen = (0_usize..1 << unknown.len()).flat_map(|chosen| firsts.iter().map(move |firsts| (chosen, firsts)));
    for (chosen, firsts) in chosen {
        let takes = |i: &usize| unknown.iter().position(|u| u == i).is_none_or(|place| chosen >> place & 1 == 1);
        let txns: Vec<&Txn<'_>> = (0..kept.len()).filter(takes).map(|i| &kept[i]).collect();
        let mut search = Search { txns: &txns, seen: BTreeSet::new(), steps, firsts };
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
