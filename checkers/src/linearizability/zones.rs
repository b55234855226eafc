//! A register whose values are written once each: decided in O(n log n) (Gibbons & Korach 1997), with cas.
//!
//! A *block* is all that happens between one blind write and the next: the write, the reads of its value, a cas that replaces it,
//! the reads of the new value, and so on. Within a block the order is known ([`super::levels`]). Let f be the earliest return
//! and s the latest call in a block. A must come before B iff f(A) < s(B), so the history is illegal if for some A and B
//! both f(A) < s(B) and f(B) < s(A).
//!
//! Nothing else can go wrong: take a shortest circle A1, A2, … of at least three blocks. As A(i+2) need not come before
//! A(i+1), f(A(i+2)) >= s(A(i+1)) > f(A(i)), and f grows for ever along the circle.
//!
//! The initial value is a block whose write returned before all else.

use super::{
    levels::{self, Levelled},
    problem::{Kind, Op, Problem, ValueId},
};

/// What this path found out. Operations are indices of `Problem::ops`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Zones {
    /// The values do not determine who read from whom.
    NotUnique,
    /// An order that explains the history.
    Legal(Vec<usize>),
    /// Why there is none.
    Illegal(Proof),
}

/// Why no order explains a register's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// `op` needs a value that nothing establishes.
    ThinAir { op: usize },
    /// Two successful cas took the same value, which was established once.
    TwoSwaps { first: usize, second: usize },
    /// `early` rests on what `source` did, but returned before `source` was called.
    Future { early: usize, source: usize },
    /// `late` needs a value that had been replaced when it was called: `newer` had returned by then.
    Replaced { late: usize, newer: usize, swap: usize },
    /// Values of one block were current before and after those of another.
    Interleaved(Interleaved),
}

/// Two blocks that would each have to come before the other. `old_seen` returned before `new_called` was called, and
/// `new_seen` before `old_called` was called; the `old` two are of one block, the `new` two of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Interleaved {
    /// `None`: the block of the initial value, there from the start.
    pub(super) old_seen: Option<usize>,
    pub(super) old_called: usize,
    pub(super) new_seen: usize,
    pub(super) new_called: usize,
}

/// Before all events.
const START: i64 = -1;
const NOBODY: u32 = u32::MAX;

/// What is known of a value: indices of operations, or `NOBODY`.
#[derive(Clone, Copy)]
struct ValueUse {
    source: u32,
    swap: u32,
}

#[derive(Clone, Copy)]
struct Zone {
    root: ValueId,
    /// Its operations, as a range of all that are sorted by block.
    start: u32,
    end: u32,
    first_return: i64,
    last_call: i64,
}

impl Zone {
    fn new(root: ValueId, block: &[Levelled], start: u32, end: u32) -> Self {
        let first = first_return(block);
        let first_return = if root == Problem::INITIAL { START } else { first };
        Zone { root, start, end, first_return, last_call: last_call(block) }
    }

    fn block<'m>(&self, members: &'m [Levelled]) -> Block<'m> {
        Block { root: self.root, members: &members[self.start as usize..self.end as usize] }
    }
}

/// The operations of a zone.
#[derive(Clone, Copy)]
struct Block<'m> {
    root: ValueId,
    members: &'m [Levelled],
}

fn first_return(block: &[Levelled]) -> i64 {
    i64::from(block.iter().map(|o| o.ret).min().expect("blocks are not empty"))
}

fn last_call(block: &[Levelled]) -> i64 {
    i64::from(block.iter().map(|o| o.call).max().expect("blocks are not empty"))
}

/// Decides a register with unique values. The problem must be one of a register, without unseen writes
/// ([`Problem::without_unseen`]) and without operations that only prove a difference.
pub(super) fn check(problem: &Problem<'_>) -> Zones {
    let uses = match who_uses_what(problem) {
        Ok(uses) => uses,
        Err(zones) => return zones,
    };
    let Some((roots, levels)) = roots_and_levels(problem, &uses) else { return Zones::NotUnique };

    // Group the operations by the root of their block, each block by call.
    let block_of = |op: &Op| {
        let kind = problem.kind(op);
        let (value, step) = match (kind.requires(), kind.establishes()) {
            (_, Some(v)) => (v, 0),
            (Some(v), None) => (v, 1),
            (None, None) => unreachable!("every operation left reads or writes a value"),
        };
        (roots[value as usize], 2 * levels[value as usize] + step)
    };
    let mut ends = vec![0_u32; problem.values + 1];
    for op in &problem.ops {
        ends[block_of(op).0 as usize + 1] += 1;
    }
    for root in 0..problem.values {
        ends[root + 1] += ends[root];
    }
    let mut members = vec![Levelled { op: 0, level: 0, call: 0, ret: 0 }; problem.ops.len()];
    for (i, op) in (0..).zip(&problem.ops) {
        let (root, level) = block_of(op);
        let place = &mut ends[root as usize];
        members[*place as usize] = Levelled { op: i, level, call: op.call, ret: op.ret };
        *place += 1;
    }

    let mut zones: Vec<Zone> = Vec::new();
    let mut start = 0;
    for (root, &end) in (0..).zip(&ends[..problem.values]) {
        if end == start {
            continue;
        }
        let block = &mut members[start as usize..end as usize];
        if let Err(contradiction) = levels::order(block) {
            return Zones::Illegal(within_block(problem, &uses, contradiction));
        }
        zones.push(Zone::new(root, block, start, end));
        start = end;
    }
    let mut forward: Vec<&Zone> = zones.iter().filter(|z| z.first_return < z.last_call).collect();
    forward.sort_unstable_by_key(|z| z.first_return);
    match find_interleaved(&zones, &forward) {
        Some((old, new)) => {
            Zones::Illegal(Proof::Interleaved(interleaved(problem, old.block(&members), new.block(&members))))
        }
        None => Zones::Legal(arrange(&zones, &forward, &members)),
    }
}

/// Finds the operation that establishes each value and the cas that replaces it.
fn who_uses_what(problem: &Problem<'_>) -> Result<Vec<ValueUse>, Zones> {
    let mut uses = vec![ValueUse { source: NOBODY, swap: NOBODY }; problem.values];
    for (i, op) in problem.ops.iter().enumerate() {
        match problem.kind(op) {
            Kind::Writes(v) | Kind::Swaps(_, v) if v == Problem::INITIAL || uses[v as usize].source != NOBODY => {
                return Err(Zones::NotUnique);
            }
            Kind::Writes(v) | Kind::Swaps(_, v) => uses[v as usize].source = i as u32,
            Kind::Reads(_) => {}
            Kind::Opaque | Kind::Observes | Kind::Differs(_) => return Err(Zones::NotUnique),
        }
    }
    for (i, op) in problem.ops.iter().enumerate() {
        let kind = problem.kind(op);
        let from_nowhere = |v| v != Problem::INITIAL && uses[v as usize].source == NOBODY;
        if kind.requires().is_some_and(from_nowhere) {
            return Err(Zones::Illegal(Proof::ThinAir { op: i }));
        }
        if let Kind::Swaps(u, _) = kind {
            match uses[u as usize].swap {
                NOBODY => uses[u as usize].swap = i as u32,
                first => return Err(Zones::Illegal(Proof::TwoSwaps { first: first as usize, second: i })),
            }
        }
    }
    Ok(uses)
}

/// For each value the first value of its block, and how many cas lie between. `None` when cas form a circle.
fn roots_and_levels(problem: &Problem<'_>, uses: &[ValueUse]) -> Option<(Vec<ValueId>, Vec<u32>)> {
    let mut roots = vec![NOBODY; problem.values];
    let mut levels = vec![0; problem.values];
    let blind = |v: &ValueId| match uses[*v as usize].source {
        NOBODY => *v == Problem::INITIAL,
        source => matches!(problem.kind(&problem.ops[source as usize]), Kind::Writes(_)),
    };
    for root in (0..problem.values as ValueId).filter(blind) {
        let (mut value, mut level) = (root, 0);
        loop {
            roots[value as usize] = root;
            levels[value as usize] = level;
            match uses[value as usize].swap {
                NOBODY => break,
                swap => {
                    value = problem.kind(&problem.ops[swap as usize]).establishes()?;
                    level += 1;
                }
            }
        }
    }
    let reached = |v: usize| roots[v] != NOBODY || uses[v].source == NOBODY;
    (0..problem.values).all(reached).then_some((roots, levels))
}

fn within_block(problem: &Problem<'_>, uses: &[ValueUse], found: levels::Contradiction) -> Proof {
    let (late, early) = (found.earlier.op as usize, found.later.op as usize);
    match problem.kind(&problem.ops[late]) {
        // What `early` saw was established by `late`, directly or through cas.
        Kind::Reads(value) => Proof::Replaced { late, newer: early, swap: uses[value as usize].swap as usize },
        _ => Proof::Future { early, source: late },
    }
}

/// Two blocks that must each come before the other: two forward zones that overlap, or a backward zone inside a forward one.
/// The older one first. `forward` are those that run forward, by their beginning.
fn find_interleaved(zones: &[Zone], forward: &[&Zone]) -> Option<(Zone, Zone)> {
    if let Some(pair) = forward.windows(2).find(|pair| pair[1].first_return < pair[0].last_call) {
        return Some((*pair[0], *pair[1]));
    }
    zones.iter().filter(|z| z.first_return >= z.last_call).find_map(|inner| {
        let before = forward.partition_point(|z| z.first_return < inner.last_call);
        let outer = forward[..before].last()?;
        (inner.first_return < outer.last_call).then_some((**outer, *inner))
    })
}

/// Picks the plainest four operations that prove it: updates where they will do, and the first operation that went back.
fn interleaved(problem: &Problem<'_>, old: Block<'_>, new: Block<'_>) -> Interleaved {
    let kind = |o: &Levelled| problem.kind(&problem.ops[o.op as usize]);
    let updates = |o: &Levelled| kind(o).establishes().is_some();
    // A block whose latest call is its blind write cannot be the one that came back.
    let is_blind_write = |o: &Levelled| matches!(kind(o), Kind::Writes(_));
    let last = last_call(old.members);
    let begun_by_last_call = old.members.iter().any(|o| i64::from(o.call) == last && is_blind_write(o));
    let (old, new) = if begun_by_last_call { (new, old) } else { (old, new) };

    // The first to return, but an update if one returned before `deadline`.
    let seen = |block: Block<'_>, deadline: i64| {
        let in_time = block.members.iter().filter(|o| i64::from(o.ret) < deadline);
        in_time.min_by_key(|o| (!updates(o), o.ret)).copied()
    };
    // The first to be called after `begin`, but an update if one was.
    let called = |block: Block<'_>, begin: i64| {
        let after = block.members.iter().filter(|o| i64::from(o.call) > begin);
        *after.min_by_key(|o| (!updates(o), o.call)).expect("the blocks are interleaved")
    };
    let old_seen = if old.root == Problem::INITIAL { None } else { seen(old, last_call(new.members)) };
    let new_called = called(new, old_seen.map_or(START, |o| i64::from(o.ret)));
    let new_seen = seen(new, last_call(old.members)).expect("the blocks are interleaved");
    let old_called = old.members.iter().filter(|o| o.call > new_seen.ret).min_by_key(|o| o.call);
    Interleaved {
        old_seen: old_seen.map(|o| o.op as usize),
        old_called: old_called.expect("the blocks are interleaved").op as usize,
        new_seen: new_seen.op as usize,
        new_called: new_called.op as usize,
    }
}

/// Puts the blocks one after the other: a forward zone where it begins, a backward one at the first point of it that no
/// forward zone covers.
fn arrange(zones: &[Zone], forward: &[&Zone], members: &[Levelled]) -> Vec<usize> {
    let mut places: Vec<((i64, bool, i64), u32)> = (0..)
        .zip(zones)
        .map(|(i, zone)| {
            if zone.root == Problem::INITIAL {
                return ((START, false, START), i);
            }
            if zone.first_return < zone.last_call {
                return ((zone.first_return, false, zone.first_return), i);
            }
            let before = forward.partition_point(|z| z.first_return < zone.last_call);
            let covering = forward[..before].last().filter(|z| z.last_call > zone.last_call);
            ((covering.map_or(zone.last_call, |z| z.last_call), true, zone.last_call), i)
        })
        .collect();
    places.sort_unstable();
    let mut order = Vec::with_capacity(members.len());
    for (_, zone) in places {
        order.extend(zones[zone as usize].block(members).members.iter().map(|o| o.op as usize));
    }
    order
}
