//! What a refused cas may have read instead of what it expected: any version of its register that is another one.

use super::{
    Verification,
    acts::{How, asked},
};
use crate::{
    history::{Entry, EntryId, History},
    operation::Operation,
    partition::FixedMap,
    value::Value,
};

/// The key of a refused cas, and what it took to be there.
pub(super) fn refused(entry: &Entry) -> Option<(&Value, &Value)> {
    let Operation { f, key, args } = &entry.operation;
    let is_refused = *f == "cas" && entry.reply() == Some(&Value::Bool(false));
    Some((key, args.as_list()?.first()?)).filter(|_| is_refused)
}

/// A write to a register of which a cas was refused.
#[derive(Clone, Copy)]
pub(super) struct Write<'h> {
    pub(super) by: EntryId,
    pub(super) value: &'h Value,
    /// Whether its transaction wrote nothing to the register after it.
    pub(super) last: bool,
}

/// All writes to registers of which a cas was refused.
pub(super) struct Versions<'h>(FixedMap<&'h Value, Vec<Write<'h>>>);

impl<'h> Versions<'h> {
    /// Those of these operations, by key in their order.
    pub(super) fn new(history: &'h History, of: impl Iterator<Item = EntryId>) -> Result<Self, Verification> {
        let keys = history.entries.iter().filter_map(refused);
        let mut writes: FixedMap<&Value, Vec<Write<'_>>> = keys.map(|(key, _)| (key, Vec::new())).collect();
        if writes.is_empty() {
            return Ok(Versions(writes));
        }
        for by in of {
            for (key, how, value) in asked(&history.entries[by]) {
                let Some(writes) = writes.get_mut(key) else { continue };
                let is_list = value.is_some_and(|value| how == How::Reads && value.as_list().is_some());
                if how == How::Appends || is_list {
                    return Err(Verification::Unverified(format!("operation {by} is of a list that a cas is about")));
                }
                if let Some(value) = value.filter(|_| how == How::Writes) {
                    writes
                        .last_mut()
                        .filter(|before| before.by == by)
                        .into_iter()
                        .for_each(|before| before.last = false);
                    writes.push(Write { by, value, last: true });
                }
            }
        }
        Ok(Versions(writes))
    }

    /// Whether no cas was refused.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The writes to a register of what is not expected there.
    pub(super) fn others<'v>(
        &'v self,
        key: &Value,
        expected: &'h Value,
    ) -> impl DoubleEndedIterator<Item = &'v Write<'h>> {
        let writes = self.0.get(key).map_or(&[][..], Vec::as_slice);
        writes.iter().filter(move |write| write.value != expected)
    }

    /// All of them.
    pub(super) fn of(&self, key: &Value) -> &[Write<'h>] {
        self.0.get(key).map_or(&[], Vec::as_slice)
    }
}
