//! Cutting an illegal history down to a few operations that are still illegal, by deletions that prove something.
//!
//! A core is evidence only if every deletion keeps a legal history legal, so that an illegal core means an illegal whole:
//!
//! * *later events*: cutting a history at a point and taking what was open as unknown;
//! * *earlier events*: on a register, all that had returned when the core begins, which then must be impossible whatever the
//!   register held; what was open may have happened by then, and is taken as unknown;
//! * *reads*: operations that change nothing;
//! * *an element* of a container: whatever puts it in or takes it out;
//! * *a value*: on a register, all writes and cas of a value together with all that needs it, and so on through cas, as long
//!   as no operation remains that only proves a difference.

use std::collections::{BTreeMap, BTreeSet};

use super::problem::{Kind, NEVER, Op, Problem, ValueId};

/// The smallest illegal problem that deletions of these kinds lead to. `is_illegal` answers false when it gave up.
pub(super) fn minimise<'h>(problem: &Problem<'h>, mut is_illegal: impl FnMut(&Problem<'h>) -> bool) -> Minimal<'h> {
    let mut core = cut_later_events(problem, &mut is_illegal);
    loop {
        let before = core.ops.len();
        core = remove_reads(core, &mut is_illegal);
        let elements = elements_apart(&core);
        core = remove(core, elements, &mut is_illegal);
        if core.register && !core.has_differs() {
            core = core.without_unseen();
            let values = values_apart(&core);
            core = remove(core, values, &mut is_illegal);
        }
        if core.ops.len() == before {
            break;
        }
    }
    if core.register
        && core.ops.len() > TELLING
        && let Some(core) = cut_earlier_events(&core, &mut is_illegal)
    {
        return Minimal { core, whatever_before: true };
    }
    Minimal { core, whatever_before: false }
}

/// What is left, and whether that is impossible whatever the register held before.
pub(super) struct Minimal<'h> {
    pub(super) core: Problem<'h>,
    pub(super) whatever_before: bool,
}

/// So few operations are best shown with all that came before.
const TELLING: usize = 8;
/// A register that may have held more values than this is not tried with each.
const HELD_MAX: usize = 16;

fn remove_reads<'h>(core: Problem<'h>, is_illegal: &mut impl FnMut(&Problem<'h>) -> bool) -> Problem<'h> {
    let reads = (0..core.ops.len()).rev().filter(|&i| core.kind(&core.ops[i]).pure()).map(|i| vec![i]).collect();
    remove(core, reads, is_illegal)
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

/// The last part of a register's history that is illegal whatever came before; it begins with an update.
fn cut_earlier_events<'h>(
    core: &Problem<'h>,
    is_illegal: &mut impl FnMut(&Problem<'h>) -> bool,
) -> Option<Problem<'h>> {
    let mut values: BTreeSet<ValueId> = core.ops.iter().filter_map(|op| needed(core.kind(op))).collect();
    if values.len() > HELD_MAX {
        return None;
    }
    // One that nothing needs.
    values.insert(core.values as ValueId);
    let mut is_illegal = |part: &Problem<'h>, begin: u32| {
        let variants = without_some(part, begin);
        variants.iter().all(|part| values.iter().all(|&held| is_illegal(&part.after(held, begin))))
    };
    let begins: Vec<u32> = core.ops.iter().filter(|op| !core.kind(op).pure()).map(|op| op.call).collect();
    let (mut low, mut high) = (1, begins.len());
    let mut best = None;
    while low < high {
        let middle = usize::midpoint(low, high);
        let begin = begins[middle];
        let part = core.filtered(|op| op.ret >= begin && (op.call >= begin || !core.kind(op).pure()));
        if is_illegal(&part, begin) {
            low = middle + 1;
            best = Some((begin, part));
        } else {
            high = middle;
        }
    }
    let (begin, part) = best?;
    let part = remove_reads(part, &mut |part| is_illegal(part, begin));
    Some(part.filtered(|op| op.call >= begin))
}

/// So many operations that were open when a part begins are tried in each way.
const OPEN_MAX: usize = 4;

/// A part of a history in each way in which what was open when it begins may have happened by then, and so is no part of it. Where
/// that are too many, they are taken as unknown.
fn without_some<'h>(part: &Problem<'h>, begin: u32) -> Vec<Problem<'h>> {
    let open = part.ops.iter().filter(|op| op.call < begin && op.certain()).count();
    if open > OPEN_MAX {
        let mut relaxed = part.clone();
        relaxed.ops.iter_mut().filter(|op| op.call < begin).for_each(|op| op.ret = NEVER);
        return vec![relaxed];
    }
    let way = |gone: usize| {
        let mut place = 0;
        part.filtered(|op| {
            let is_open = op.call < begin && op.certain();
            place += usize::from(is_open);
            !is_open || gone >> (place - 1) & 1 == 0
        })
    };
    (0..1 << open).map(way).collect()
}

/// The value of which an operation tells whether it was there.
fn needed(kind: Kind) -> Option<ValueId> {
    if let Kind::Differs(value) = kind { Some(value) } else { kind.requires() }
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
