//! Operations whose order is known up to ties: whether that order agrees with real time.

/// An operation and its place in the known order; ties are free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Levelled {
    /// Small, as there is one of each operation.
    pub(super) op: u32,
    pub(super) level: u32,
    pub(super) call: u32,
    pub(super) ret: u32,
}

/// Two operations that real time orders one way and their levels the other: `earlier` belongs before `later`, but was called
/// after `later` had returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Contradiction {
    pub(super) earlier: Levelled,
    pub(super) later: Levelled,
}

/// Sorts the operations into an order that agrees with both, or says why there is none. O(n log n).
///
/// Within a level calls are a fine order, and across levels an operation may come before another as long as that one had
/// not returned before it was called. So it is enough to compare each with the earliest return on all higher levels.
pub(super) fn order(ops: &mut [Levelled]) -> Result<(), Contradiction> {
    ops.sort_by_key(|o| (o.level, o.call));
    let mut higher: Option<Levelled> = None;
    let mut level: Option<Levelled> = None;
    for &op in ops.iter().rev() {
        if level.is_some_and(|l| l.level != op.level) {
            higher = first_to_return(higher, level.take());
        }
        if let Some(later) = higher.filter(|later| later.ret < op.call) {
            return Err(Contradiction { earlier: op, later });
        }
        level = first_to_return(level, Some(op));
    }
    Ok(())
}

fn first_to_return(a: Option<Levelled>, b: Option<Levelled>) -> Option<Levelled> {
    match (a, b) {
        (Some(a), Some(b)) => Some(if b.ret < a.ret { b } else { a }),
        (a, b) => a.or(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(op: u32, level: u32, call: u32, ret: u32) -> Levelled {
        Levelled { op, level, call, ret }
    }

    #[test]
    fn real_time_may_not_contradict_the_levels() {
        let names = |mut ops: Vec<Levelled>| order(&mut ops).map(|()| ops.iter().map(|x| x.op).collect::<Vec<_>>());
        assert_eq!(names(vec![at(0, 2, 0, 9), at(1, 1, 3, 5), at(2, 1, 1, 4)]), Ok(vec![2, 1, 0]));
        let (early, late) = (at(0, 1, 6, 7), at(1, 3, 2, 5));
        assert_eq!(names(vec![late, at(2, 2, 1, 8), early]), Err(Contradiction { earlier: early, later: late }));
    }
}
