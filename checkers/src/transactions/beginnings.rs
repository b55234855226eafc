//! As what a register begins: as nil, or as an empty text, and as one of them for good. Who read what nobody wrote shows it. Where
//! nobody did, a refused cas may have found the other of the two than it expected.

use super::{
    inference::{Inference, Reporter},
    ingest::{Action, Kind, Refused, Status, Transactions},
};
use crate::{anomaly, partition::FixedMap, value::Value};

/// What a register holds before it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Beginning {
    Nil,
    Empty,
}

impl Beginning {
    /// `None` for what no register begins as.
    pub(super) fn of(value: &Value) -> Option<Beginning> {
        match value {
            Value::Nil => Some(Beginning::Nil),
            value if value.as_text() == Some("") => Some(Beginning::Empty),
            _ => None,
        }
    }

    fn other(self) -> Beginning {
        match self {
            Beginning::Nil => Beginning::Empty,
            Beginning::Empty => Beginning::Nil,
        }
    }
}

/// As what a register began, and the transaction that saw it first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shown {
    pub(super) beginning: Beginning,
    pub(super) version: u32,
    pub(super) txn: usize,
}

/// As what those registers are taken to begin of which a cas was refused.
pub(super) struct Beginnings(FixedMap<u32, Begins>);

#[derive(Clone, Copy)]
struct Begins {
    beginning: Beginning,
    /// Whether somebody saw that, or the other was tried already.
    is_settled: bool,
}

impl Beginnings {
    /// As somebody saw it, or else as nil at first, which most do.
    pub(super) fn new(known: &Inference<'_, '_>) -> Self {
        let mut begin = FixedMap::default();
        for refused in known.all.refused.iter().filter(|refused| known.all.kinds[refused.key as usize] != Kind::List) {
            if Beginning::of(refused.expected).is_none() {
                continue;
            }
            begin.entry(refused.key).or_insert_with(|| match known.beginnings[refused.key as usize] {
                Some(Shown { beginning, .. }) => Begins { beginning, is_settled: true },
                None => Begins { beginning: Beginning::Nil, is_settled: false },
            });
        }
        Beginnings(begin)
    }

    /// Whether this one was refused by what its register held at first. A list begins as neither.
    pub(super) fn refuse(&self, refused: &Refused<'_>) -> bool {
        let Some(expected) = Beginning::of(refused.expected) else { return true };
        self.0.get(&refused.key).is_some_and(|begins| begins.beginning != expected)
    }

    /// Takes the register of this one, for which there is no version to read, to begin as the other. False where it may not, or
    /// that was tried already, or is of no use.
    pub(super) fn turn(&mut self, refused: &Refused<'_>) -> bool {
        let is_of_use = !self.refuse(refused);
        let Some(begins) = self.0.get_mut(&refused.key).filter(|begins| is_of_use && !begins.is_settled) else {
            return false;
        };
        *begins = Begins { beginning: begins.beginning.other(), is_settled: true };
        true
    }
}

/// Reports each refused cas whose register began as what it expected, since somebody saw that or was refused the only other, and
/// never held anything else that was committed. O(n) for each key with one.
pub(super) fn report(all: &Transactions<'_>, shown: &[Option<Shown>], reporter: &mut Reporter<'_, '_>) {
    let mut writers: FixedMap<u32, Vec<usize>> = FixedMap::default();
    // By key and what it expected: the first.
    let mut first: FixedMap<(u32, Beginning), usize> = FixedMap::default();
    for refused in all.refused.iter().filter(|refused| all.kinds[refused.key as usize] != Kind::List) {
        let Some(expected) = Beginning::of(refused.expected) else { continue };
        let (key, txn) = (refused.key, refused.txn as usize);
        first.entry((key, expected)).or_insert(txn);
        let witness = match shown[key as usize] {
            Some(shown) => Some(shown.txn).filter(|_| shown.beginning == expected),
            None => first.get(&(key, expected.other())).copied(),
        };
        let Some(witness) = witness else { continue };
        let writes =
            |txn: &usize| all.ops(*txn).iter().any(|op| op.key == key && matches!(op.action, Action::Write(_)));
        let writers = writers.entry(key).or_insert_with(|| (0..all.txns.len()).filter(writes).collect());
        if writers.iter().any(|txn| all.txns[*txn].status != Status::Aborted) {
            continue;
        }
        let (kind, why) = if writers.is_empty() {
            (anomaly::THIN_AIR_READ, "nothing else was ever there")
        } else {
            (anomaly::G1A, "what else was written was aborted: a dirty read")
        };
        let told: Vec<usize> = [txn, witness].iter().chain(&*writers).copied().collect();
        reporter.report(&kind, key, &told, |r| {
            let [said, witness] = [txn, witness].map(|txn| r.say(txn));
            let began = if shown[key as usize].is_some() {
                format!("{witness} shows that it began as that")
            } else {
                format!("it began as that or as what {witness} was refused")
            };
            format!("{said} was refused, although {began}, and {why}.")
        });
    }
}
