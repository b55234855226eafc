//! A cas that was refused says what a register did *not* hold. Nothing is inferred from that: where all else has an order, each
//! refused cas is put into it as early as sessions and real time allow, at a point where its register held something else. It
//! changes nothing, so that the others do not mind.

use super::{
    arrange::Isolation,
    beginnings::Beginnings,
    graph::Beside,
    inference::Inference,
    ingest::{Action, Kind, Op, Refused},
};
use crate::{history::EntryId, partition::FixedMap, value::Value};

/// What is under a key.
#[derive(Clone, Copy)]
enum Held<'h> {
    Nothing,
    Register(&'h Value),
    /// So many of the elements that are ever appended.
    List(usize),
}

/// What is under a key as an order goes on: from which gap on it holds what.
struct Line<'h> {
    held: Vec<(u32, Held<'h>)>,
    elements: Vec<&'h Value>,
}

impl<'h> Line<'h> {
    fn new(kind: Kind) -> Self {
        let first = if kind == Kind::List { Held::List(0) } else { Held::Nothing };
        Line { held: vec![(0, first)], elements: Vec::new() }
    }

    /// Somebody who stands before this gap does this.
    fn apply(&mut self, gap: u32, action: Action<'h>) {
        let now = match action {
            Action::Read(_) => return,
            Action::Write(value) => Held::Register(value),
            Action::Append(element) => {
                self.elements.push(element);
                Held::List(self.elements.len())
            }
        };
        match self.held.last_mut() {
            Some((since, held)) if *since == gap => *held = now,
            _ => self.held.push((gap, now)),
        }
    }

    fn refuses(&self, held: Held<'h>, cas: &Refused<'_>, beginnings: &Beginnings) -> bool {
        match held {
            Held::Nothing => beginnings.refuse(cas),
            Held::Register(value) => value != cas.expected,
            Held::List(n) => cas.expected.as_list().is_none_or(|list| self.elements[..n].iter().copied().ne(list)),
        }
    }

    /// The first of these gaps where it does not hold what is expected.
    fn first_without(&self, cas: &Refused<'_>, beginnings: &Beginnings, from: u32, to: u32) -> Option<u32> {
        let at = self.held.partition_point(|(since, _)| *since <= from) - 1;
        let (since, _) = self.held[at..].iter().find(|(_, held)| self.refuses(*held, cas, beginnings))?;
        Some(from.max(*since)).filter(|gap| *gap <= to)
    }
}

/// The same order with each refused cas where it belongs. `order` is of all begins and commits.
///
/// O(n) where no cas was refused, else O(n log n).
///
/// # Errors
/// One whose register held what it expected wherever it may stand.
pub(crate) fn explained(
    known: &Inference<'_, '_>,
    order: Vec<u32>,
    isolation: Isolation,
    beside: Beside,
) -> Result<Vec<u32>, EntryId> {
    let refused = &known.all.refused;
    if refused.is_empty() {
        return Ok(order);
    }
    // By vertex.
    let mut all: Vec<Option<&Refused<'_>>> = vec![None; known.len()];
    for cas in refused {
        all[known.txns.partition_point(|txn| *txn < cas.txn)] = Some(cas);
    }
    let base: Vec<u32> = order.into_iter().filter(|v| all[isolation.txn(*v) as usize].is_none()).collect();
    let mut lines: FixedMap<u32, Line<'_>> =
        refused.iter().map(|cas| (cas.key, Line::new(known.all.kinds[cas.key as usize]))).collect();
    let mut gaps = Gaps { begins: vec![0; known.len()], ends: vec![0; known.len()], last: base.len() as u32 };
    for (place, &split) in (0..).zip(&base) {
        let vertex = isolation.txn(split);
        if split == isolation.begin(vertex) {
            gaps.begins[vertex as usize] = place;
        }
        if split != isolation.commit(vertex) {
            continue;
        }
        gaps.ends[vertex as usize] = place + 1;
        for &Op { key, action, .. } in known.all.ops(known.txns[vertex as usize] as usize) {
            if let Some(line) = lines.get_mut(&key) {
                line.apply(place + 1, action);
            }
        }
    }
    let is_refused = |vertex: u32| all[vertex as usize].is_some();
    let mut beginnings = Beginnings::new(known);
    let mut placed = loop {
        let place = |vertex: u32, from: u32, to: u32| {
            let cas = all[vertex as usize]?;
            lines[&cas.key].first_without(cas, &beginnings, from, to)
        };
        let placed = match beside {
            Beside::Nothing => gaps.anywhere(is_refused, place),
            Beside::Sessions => gaps.in_sessions(known, is_refused, place),
            Beside::Time => gaps.in_time(known, is_refused, place),
        };
        match placed {
            Ok(placed) => break placed,
            Err(vertex) if all[vertex as usize].is_some_and(|cas| beginnings.turn(cas)) => {}
            Err(vertex) => return Err(known.txn(vertex).entry),
        }
    };
    placed.sort_by_key(|(gap, _)| *gap);
    let mut placed = placed.into_iter().peekable();
    let mut whole = Vec::new();
    for gap in 0..=base.len() as u32 {
        while let Some((_, vertex)) = placed.next_if(|(at, _)| *at == gap) {
            whole.push(isolation.begin(vertex));
            whole.extend(Some(isolation.commit(vertex)).filter(|commit| *commit != isolation.begin(vertex)));
        }
        whole.extend(base.get(gap as usize));
    }
    Ok(whole)
}

/// Where all others stand: gap 0 is before the first of them. Of who is refused, where it was put.
struct Gaps {
    /// The last gap before each begins.
    begins: Vec<u32>,
    /// The first gap behind each.
    ends: Vec<u32>,
    last: u32,
}

/// Each refused cas with its gap, those that come first of one gap first; or one that has none.
type Placed = Result<Vec<(u32, u32)>, u32>;

impl Gaps {
    fn anywhere(&self, is_refused: impl Fn(u32) -> bool, place: impl Fn(u32, u32, u32) -> Option<u32>) -> Placed {
        let refused = (0..self.ends.len() as u32).filter(|vertex| is_refused(*vertex));
        refused.map(|vertex| Ok((place(vertex, 0, self.last).ok_or(vertex)?, vertex))).collect()
    }

    fn in_sessions(
        &self,
        known: &Inference<'_, '_>,
        is_refused: impl Fn(u32) -> bool,
        place: impl Fn(u32, u32, u32) -> Option<u32>,
    ) -> Placed {
        let mut placed = Vec::new();
        for session in &known.sessions {
            let mut from = 0;
            for run in session.chunk_by(|one, next| is_refused(*one) && is_refused(*next)) {
                if !is_refused(run[0]) {
                    from = self.ends[run[0] as usize];
                    continue;
                }
                let next = session.get(session.partition_point(|vertex| *vertex <= run[run.len() - 1]));
                let to = next.map_or(self.last, |next| self.begins[*next as usize]);
                for &vertex in run {
                    from = place(vertex, from, to).ok_or(vertex)?;
                    placed.push((from, vertex));
                }
            }
        }
        Ok(placed)
    }

    fn in_time(
        &self,
        known: &Inference<'_, '_>,
        is_refused: impl Fn(u32) -> bool,
        place: impl Fn(u32, u32, u32) -> Option<u32>,
    ) -> Placed {
        let n = known.len() as u32;
        let entry = |vertex: u32| known.all.entry(known.txns[vertex as usize] as usize);
        let invoked = |vertex: u32| entry(vertex).invoked.position;
        let mut returned: Vec<(u32, u32)> = (0..n).map(|vertex| (entry(vertex).returned(), vertex)).collect();
        returned.sort_unstable();
        // By vertex: the last gap before it and all that were invoked later begin.
        let mut until = vec![self.last; n as usize + 1];
        for vertex in (0..n).rev() {
            let next = until[vertex as usize + 1];
            until[vertex as usize] = if is_refused(vertex) { next } else { next.min(self.begins[vertex as usize]) };
        }
        let by_invocation: Vec<u32> = (0..n).map(invoked).collect();
        let mut before = returned.into_iter().peekable();
        let (mut from, mut placed, mut ends) = (0, Vec::new(), self.ends.clone());
        for vertex in (0..n).filter(|vertex| is_refused(*vertex)) {
            // Whoever was refused before this one was invoked has its place already.
            while let Some((_, first)) = before.next_if(|(at, _)| *at < invoked(vertex)) {
                from = from.max(ends[first as usize]);
            }
            let later = by_invocation.partition_point(|at| *at <= entry(vertex).returned());
            let gap = place(vertex, from, until[later]).ok_or(vertex)?;
            ends[vertex as usize] = gap;
            placed.push((gap, vertex));
        }
        Ok(placed)
    }
}
