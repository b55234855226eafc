//! What some operations of a history say by themselves: the others are taken away, and what was seen of these is forgotten.
//!
//! Registers and lists only, by themselves or in transactions. No consistency model minds such a deletion: who saw nothing of an
//! operation sees the same without it. So what refutes these operations alone refutes the whole history.

use std::collections::BTreeSet;

use crate::{
    history::{Entry, EntryId, History, Outcome},
    operation::Operation,
    partition::FixedMap,
    transactions::ingest::{Action, Micro, actions, micro_operation},
    value::Value,
};

/// These operations alone; `None` where they are of other objects, or it is not known who saw whom.
pub(crate) fn alone(history: &History, named: &[EntryId]) -> Option<History> {
    let named: BTreeSet<EntryId> = named.iter().copied().collect();
    let others = Others::new(history, &named)?;
    let cut = named.iter().map(|id| others.without(&history.entries[*id])).collect::<Option<Vec<Option<Entry>>>>()?;
    Some(History { order: history.order, entries: cut.into_iter().flatten().collect(), ..History::default() })
}

/// Whether these are operations on registers and lists.
pub(crate) fn is_of_registers(history: &History) -> bool {
    history.entries.iter().all(|e| actions(&e.operation, e.reply(), &mut |_, _| {}).is_some())
}

/// Who changes a key.
#[derive(Clone, Copy, Default)]
struct By {
    named: bool,
    other: bool,
}

/// What a history says of the operations that are taken away.
struct Others<'h> {
    /// By key and value, or element.
    wrote: FixedMap<(&'h Value, &'h Value), By>,
    /// Keys that are appended to.
    lists: BTreeSet<&'h Value>,
    /// Keys that are written.
    registers: BTreeSet<&'h Value>,
}

impl<'h> Others<'h> {
    fn new(history: &'h History, named: &BTreeSet<EntryId>) -> Option<Self> {
        let mut others = Others { wrote: FixedMap::default(), lists: BTreeSet::new(), registers: BTreeSet::new() };
        for (id, entry) in history.entries.iter().enumerate() {
            actions(&entry.operation, entry.reply(), &mut |key, action| {
                let value = match action {
                    Action::Read(_) => return,
                    Action::Write(value) => {
                        others.registers.insert(key);
                        value
                    }
                    Action::Append(element) => {
                        others.lists.insert(key);
                        element
                    }
                };
                let by = others.wrote.entry((key, value)).or_default();
                *(if named.contains(&id) { &mut by.named } else { &mut by.other }) = true;
            })?;
        }
        others.lists.is_disjoint(&others.registers).then_some(others)
    }

    fn by(&self, key: &Value, value: &Value) -> By {
        self.wrote.get(&(key, value)).copied().unwrap_or_default()
    }

    /// What is left of what a key showed: `Some(None)` where nothing is.
    #[expect(clippy::option_option, reason = "it may be forgotten, or not known")]
    fn seen(&self, key: &Value, shown: &Value) -> Option<Option<Value>> {
        match shown {
            Value::List(elements) if !self.registers.contains(key) => {
                // An element that both may have appended is seen of nobody knows whom.
                let is_known = |element: &Value| !matches!(self.by(key, element), By { named: true, other: true });
                let left = elements.iter().filter(|element| !self.by(key, element).other).cloned().collect();
                elements.iter().all(is_known).then_some(Some(Value::List(left)))
            }
            // A text that grows.
            Value::Text(_) if self.lists.contains(key) => None,
            value => Some(Some(value.clone()).filter(|value| !self.by(key, value).other)),
        }
    }

    /// The operation without what it saw of others: `Some(None)` where nothing is left.
    #[expect(clippy::option_option, reason = "it may be forgotten, or not known")]
    fn without(&self, entry: &Entry) -> Option<Option<Entry>> {
        let Operation { f, key, args } = &entry.operation;
        let (operation, reply) = match (f.as_str(), args.as_list(), entry.reply()) {
            ("txn", Some(asked), reply) => {
                let replied = reply.and_then(Value::as_list);
                let mut left = (Vec::new(), Vec::new());
                for (i, micro) in asked.iter().enumerate() {
                    let (f, key, _) = micro_operation(micro)?;
                    let mut answer = replied.and_then(|replied| replied.get(i)).cloned();
                    if let (Micro::Read, Some(Value::List(parts))) = (f, &mut answer) {
                        match self.seen(key, &parts[2])? {
                            Some(seen) => parts[2] = seen,
                            None => continue,
                        }
                    }
                    left.0.push(micro.clone());
                    left.1.extend(answer);
                }
                if left.0.is_empty() {
                    return Some(None);
                }
                let reply = replied.map_or_else(|| reply.cloned(), |_| Some(Value::List(left.1)));
                (Operation { args: Value::List(left.0), ..entry.operation.clone() }, reply)
            }
            ("cas", _, Some(Value::Bool(false))) => return Some(None),
            ("cas", Some([expected, new]), reply) if self.by(key, expected).other => {
                (Operation::write(key.clone(), new.clone()), reply.map(|_| Value::Nil))
            }
            ("read" | "get", _, Some(shown)) => match self.seen(key, shown)? {
                Some(seen) => (entry.operation.clone(), Some(seen)),
                None => return Some(None),
            },
            (_, _, reply) => (entry.operation.clone(), reply.cloned()),
        };
        let outcome = reply.map_or_else(|| entry.outcome.clone(), Outcome::Ok);
        Some(Some(Entry { operation, outcome, ..entry.clone() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::text;

    #[test]
    fn what_was_seen_of_others_is_forgotten() {
        let read = |history: &str| text::read(history).expect("in the notation");
        let asked = |history: &History| -> Vec<(Operation, Option<Value>)> {
            history.entries.iter().map(|e| (e.operation.clone(), e.reply().cloned())).collect()
        };
        let is_left = |history: &str, named: &[EntryId], expected: &str| {
            let left = alone(&read(history), named).expect("it is of registers and lists");
            assert_eq!(asked(&left), asked(&read(expected)), "{history}");
        };
        is_left(
            "0: txn [[w x 1]] -> nil; 1: txn [[r x nil] [r y nil] [w z 2]] -> [[r x 1] [r y nil] [w z 2]]",
            &[1],
            "1: txn [[r y nil] [w z 2]] -> [[r y nil] [w z 2]]",
        );
        is_left(
            "0: append[x] 1; 0: append[x] 2; 1: read[x] -> [1 2 3]",
            &[1, 2],
            "0: append[x] 2; 1: read[x] -> [2 3]",
        );
        is_left("0: write[x] 1; 1: cas[x] [1 2] -> true; 2: read[x] -> 1", &[1, 2], "1: write[x] 2");
        for other in ["0: append[x] a; 1: get[x] -> a", "0: add 1; 1: read -> [1]"] {
            assert_eq!(alone(&read(other), &[1]), None, "{other}");
        }
    }
}
