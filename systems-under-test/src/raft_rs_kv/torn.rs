//! What the mistake `torn-reads` replies: one half of a read from one state, the other half from a later one.

use squall::Reply;
use squall_checkers::{operation::Operation, value::Value};

/// Whether a read with this reply is one of several keys.
pub(super) fn has_halves(operation: &Operation, reply: &Reply) -> bool {
    match reply {
        Value::List(actions) => operation.f == "txn" && actions.len() > 1,
        Value::Map(balances) => balances.len() > 1,
        _ => false,
    }
}

/// The first half of the keys as they were, the others as they are.
pub(super) fn join(early: Reply, late: Reply) -> Reply {
    match (early, late) {
        (Value::List(early), Value::List(mut late)) => {
            let half = early.len() / 2;
            late.splice(..half, early.into_iter().take(half));
            Value::List(late)
        }
        (Value::Map(early), Value::Map(mut late)) => {
            let half = early.len() / 2;
            late.extend((*early).into_iter().take(half));
            Value::Map(late)
        }
        (_, late) => late,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn the_first_half_is_the_old_one() {
        let list = |values: [i64; 3]| Value::List(values.map(Value::Int).to_vec());
        assert_eq!(join(list([1, 2, 3]), list([4, 5, 6])), list([1, 5, 6]));
        let map = |values: &[(i64, i64)]| {
            let pairs = values.iter().map(|&(k, v)| (Value::from(k), Value::from(v)));
            Value::from(pairs.collect::<BTreeMap<_, _>>())
        };
        assert_eq!(join(map(&[(1, 1), (2, 2)]), map(&[(0, 5), (1, 6), (2, 7)])), map(&[(0, 5), (1, 1), (2, 7)]));
    }
}
