//! Counters: a read shows what it cannot, as too little or too much was added since the beginning or since another read.

use crate::{
    history::{Entry, EntryId, History},
    value::Value,
};

/// More reads than this are not looked at in pairs.
const READS_MAX: usize = 16;

/// Whether one of the named reads contradicts the beginning or another one, whatever order the additions come in.
pub(super) fn contradict(history: &History, key: &Value, named: &[EntryId]) -> bool {
    let of_key = || history.entries.iter().filter(|e| (e.is_ok() || e.is_unknown()) && e.operation.key == *key);
    let added = |e: &Entry| e.operation.args.as_int().filter(|_| e.operation.f == "add").map(i128::from);
    let shown = |e: &Entry| e.reply().and_then(Value::as_int).filter(|_| e.operation.f == "read").map(i128::from);
    if of_key().filter_map(added).map(i128::abs).sum::<i128>() > i64::MAX.into() {
        return false;
    }
    let of_named = named.iter().filter_map(|id| history.entries.get(*id)).filter(|e| e.operation.key == *key);
    let reads: Vec<(&Entry, i128)> = of_named.filter_map(|e| Some((e, shown(e)?))).take(READS_MAX).collect();
    let before = reads.iter().map(|(read, n)| (Some(*read), *n));
    let before: Vec<(Option<&Entry>, i128)> = before.chain([(None, 0)]).collect();
    reads.iter().any(|(read, n)| {
        before.iter().filter(|(since, _)| since.is_none_or(|since| since.precedes(read))).any(|(since, first)| {
            let (mut least, mut most) = (0, 0);
            for addition in of_key() {
                let Some(n) = added(addition) else { continue };
                let certain = addition.precedes(read) && since.is_none_or(|since| since.precedes(addition));
                let possible = !read.precedes(addition) && since.is_none_or(|since| !addition.precedes(since));
                if certain || (possible && n < 0) {
                    least += n;
                }
                if certain || (possible && n > 0) {
                    most += n;
                }
            }
            n - first < least || most < n - first
        })
    })
}
