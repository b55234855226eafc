//! Cutting an illegal history down to a few operations that are still illegal, by deletions that prove something.
//!
//! A core is evidence only if every deletion keeps a legal history legal, so that an illegal core means an illegal whole:
//!
//! * *later events*: cutting a history at a point and taking what was open as unknown;
//! * *reads*: operations that change nothing;
//! * *an element* of a container: whatever puts it in or takes it out;
//! * *a value*: on a register, all writes and cas of a value together with all that needs it, and so on through cas, as long
//!   as no operation remains that only proves a difference.

use std::collections::{BTreeMap, BTreeSet};

use super::problem::{Kind, NEVER, Op, Problem, ValueId};

/// The smallest illegal problem that deletions of these kinds lead to. `is_illegal` answers false when it gave up.
pub(super) fn minimise<'h>(problem: &Problem<'h>, mut is_illegal: impl FnMut(&Problem<'h>) -> bool) -> Problem<'h> {
    let mut core = cut_later_events(problem, &mut is_illegal);
    loop {
        let before = core.ops.len();
        let reads = (0..core.ops.len()).rev().filter(|&i| core.kind(&core.ops[i]).pure()).map(|i| vec![i]).collect();
        core = remove(core, reads, &mut is_illegal);
        let elements = elements_apart(&core);
        core = remove(core, elements, &mut is_illegal);
        if core.register && !core.has_differs() {
            core = core.without_unseen();
            let values = values_apart(&core);
            core = remove(core, values, &mut is_illegal);
        }
        if core.ops.len() == before {
            return core;
        }
    }
}

/// The shortest prefix that is illegal. A longer prefix of an illegal one is illegal, so halving finds it.
fn cut_later_events<'h>(problem: &Problem<'h>, is_illegal: &mut impl FnMut(&Problem<'h>) -> bool) -> Problem<'h> {
    let mut returns: Vec<u32> = problem.ops.iter().map(|op| op.ret).filter(|ret| *ret != NEVER).collect();
    returns.sort_unstable();
    let (mut low, mut high) = (0, returns.len());
    let mut best = problem.clone();
    while low < high {
        let middle = usize::midpoint(low, high);
        let shorter = cut(problem, returns[middle]);
        if is_illegal(&shorter) {
            high = middle;
            best = shorter;
        } else {
            low = middle + 1;
        }
    }
    best
}

/// What was known when the return at `end` happened.
fn cut<'h>(problem: &Problem<'h>, end: u32) -> Problem<'h> {
    let mut shorter = problem.filtered(|op| op.call < end);
    for op in &mut shorter.ops {
        if op.ret > end {
            op.ret = NEVER;
        }
    }
    let prefix = shorter.filtered(|op| op.certain() || !problem.kind(op).pure());
    if prefix.register && !prefix.has_differs() { prefix.without_unseen() } else { prefix }
}

/// Removes as many of the groups of operations as it can, many at a time at first.
fn remove<'h>(
    mut core: Problem<'h>,
    groups: Vec<Vec<usize>>,
    is_illegal: &mut impl FnMut(&Problem<'h>) -> bool,
) -> Problem<'h> {
    let mut groups: Vec<Vec<usize>> =
        groups.into_iter().map(|g| g.into_iter().map(|i| core.ops[i].entry()).collect()).collect();
    let mut size = groups.len().div_ceil(2);
    while size > 0 {
        let mut start = 0;
        while start < groups.len() {
            let end = (start + size).min(groups.len());
            let gone: BTreeSet<usize> = groups[start..end].iter().flatten().copied().collect();
            let smaller = core.filtered(|op| !gone.contains(&op.entry()));
            if is_illegal(&smaller) {
                core = smaller;
                groups.drain(start..end);
            } else {
                start = end;
            }
        }
        size /= 2;
    }
    core
}

/// The operations on a container grouped by the element that they put in or take out.
fn elements_apart(problem: &Problem<'_>) -> Vec<Vec<usize>> {
    let mut groups: BTreeMap<ValueId, Vec<usize>> = BTreeMap::new();
    for (i, op) in problem.ops.iter().enumerate() {
        if let Some(element) = problem.classes[op.class as usize].element {
            groups.entry(element).or_default().push(i);
        }
    }
    groups.into_values().collect()
}

/// The operations of a register grouped by the values they touch, values that a cas joins taken together. What touches the
/// initial value stays.
fn values_apart(problem: &Problem<'_>) -> Vec<Vec<usize>> {
    let mut joined: Vec<ValueId> = (0..problem.values as ValueId).collect();
    let find = |joined: &[ValueId], mut v: ValueId| {
        while joined[v as usize] != v {
            v = joined[v as usize];
        }
        v
    };
    for op in &problem.ops {
        if let Kind::Swaps(u, v) = problem.kind(op) {
            let (a, b) = (find(&joined, u), find(&joined, v));
            // The smaller number stays, and with it the initial value.
            joined[a.max(b) as usize] = a.min(b);
        }
    }
    let touched = |op: &Op| {
        let kind = problem.kind(op);
        find(&joined, kind.requires().or(kind.establishes()).unwrap_or(Problem::INITIAL))
    };
    let mut groups: BTreeMap<ValueId, Vec<usize>> = BTreeMap::new();
    for (i, op) in problem.ops.iter().enumerate() {
        groups.entry(touched(op)).or_default().push(i);
    }
    groups.remove(&Problem::INITIAL);
    groups.into_values().collect()
}
