//! A cas that was refused says what a register did *not* hold. Nothing is inferred from that, so an order of all transactions is
//! looked through before it is said to explain them.

use super::ingest::{Action, Transactions};
use crate::{history::EntryId, observations::is_initial, operation::Operation, partition::FixedMap, value::Value};

/// What is under a key.
enum Held<'h> {
    Nothing,
    Register(&'h Value),
    List(Vec<&'h Value>),
}

impl Held<'_> {
    fn is(&self, expected: &Value) -> bool {
        match self {
            Held::Nothing => is_initial(expected),
            Held::Register(value) => *value == expected,
            Held::List(list) => expected.as_list().is_some_and(|expected| list.iter().copied().eq(expected)),
        }
    }
}

/// The first refused cas that stands in this order where its register holds what it expected. O(n), and O(1) each where no cas
/// was refused.
pub(crate) fn unexplained(all: &Transactions<'_>, order: impl Iterator<Item = usize> + Clone) -> Option<EntryId> {
    // It is the one that did nothing.
    let refused = |txn: usize| {
        let Operation { f, key, args } = &all.entry(txn).operation;
        if *f == "cas" { Some((key, args.as_list()?.first()?)) } else { None }
    };
    let did_nothing = |txn: &usize| all.ops(*txn).is_empty();
    let keys = order.clone().filter(did_nothing).filter_map(refused).map(|(key, _)| key);
    let mut held: FixedMap<&Value, Held<'_>> = keys.map(|key| (key, Held::Nothing)).collect();
    if held.is_empty() {
        return None;
    }
    for txn in order {
        for op in all.ops(txn) {
            let Some(held) = held.get_mut(all.keys[op.key as usize]) else { continue };
            match (op.action, &mut *held) {
                (Action::Read(_), _) => {}
                (Action::Append(element), Held::List(list)) => list.push(element),
                (Action::Append(element), _) => *held = Held::List(vec![element]),
                (Action::Write(value), _) => *held = Held::Register(value),
            }
        }
        let is_held = |(key, expected): (&Value, &Value)| held.get(key).is_some_and(|held| held.is(expected));
        if did_nothing(&txn) && refused(txn).is_some_and(is_held) {
            return Some(all.txns[txn].entry);
        }
    }
    None
}
