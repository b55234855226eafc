//! First in, first out.
//!
//! Element a goes before b if its enqueue returned before that of b was called, or its dequeue before that of b was. The
//! history is illegal if two elements each go before the other, or if an empty dequeue has no moment at which nothing is
//! certainly in the queue: enqueued by then, and its dequeue not called yet.
//!
//! Longer circles need not be looked for. Both relations are interval orders. In a shortest circle of more than two they
//! alternate, as each is transitive; of two edges of one kind, a1 before a2 and a3 before a4, either a1 is before a4 or
//! a3 before a2, and either gives a shorter circle.
//!
//! Each empty dequeue is given such a moment, and every element is placed between two of these: after as many as lie before
//! the call of its dequeue, which no relation contradicts.

use std::{cmp::Reverse, collections::BinaryHeap};

use super::{Conflict, Contents, NOBODY, cover::Cover};

/// The two spans of an element, made as narrow as they may be without loss: it is put in before it is taken out.
#[derive(Clone, Copy)]
struct Spans {
    put_call: u32,
    put_ret: u32,
    take_call: u32,
    take_ret: u32,
}

/// An order of the operations, or elements that have none. O(n log n).
pub(super) fn order(contents: &Contents, end: u32) -> Result<Vec<usize>, Conflict> {
    let spans: Vec<Spans> = contents
        .elements
        .iter()
        .map(|e| {
            // What is never taken is taken after all events.
            let (take_call, take_ret) = e.take.map_or((end, end + 1), |take| (take.call, take.ret));
            Spans {
                put_call: e.put.call,
                put_ret: e.put.ret.min(take_ret),
                take_call: take_call.max(e.put.call),
                take_ret,
            }
        })
        .collect();
    let begun = by_event(end, spans.iter().map(|s| s.put_call));
    let put = by_event(end, spans.iter().map(|s| s.put_ret));
    if let Some((a, b)) = overtaken(&spans, &begun, &put) {
        return Err(Conflict { elements: vec![a, b], empty: None });
    }
    let covers: Vec<(u32, u32)> = spans.iter().map(|s| (s.put_ret, s.take_call)).collect();
    let cover = Cover::new(&covers, end);
    let mut moments = Vec::with_capacity(contents.empties.len());
    for (i, empty) in contents.empties.iter().enumerate() {
        let moment = cover.first_free(empty.call);
        if moment >= empty.ret {
            return Err(Conflict { elements: cover.chain(&covers, empty.call, empty.ret), empty: Some(i) });
        }
        moments.push(moment);
    }
    Ok(place(contents, &spans, &begun, &put, &moments))
}

/// By event: the element it belongs to.
fn by_event(end: u32, events: impl Iterator<Item = u32>) -> Vec<u32> {
    let mut elements = vec![NOBODY; end as usize];
    for (i, event) in events.enumerate() {
        elements[event as usize] = i as u32;
    }
    elements
}

/// Two elements that were put in one after the other and certainly taken the other way round.
fn overtaken(spans: &[Spans], begun: &[u32], put: &[u32]) -> Option<(usize, usize)> {
    let mut last: Option<usize> = None;
    for (&begins, &is_put) in begun.iter().zip(put) {
        if is_put != NOBODY {
            let a = is_put as usize;
            last = Some(last.map_or(a, |b| if spans[b].take_call < spans[a].take_call { a } else { b }));
        }
        if begins != NOBODY
            && let Some(a) = last.filter(|a| spans[*a].take_call > spans[begins as usize].take_ret)
        {
            return Some((a, begins as usize));
        }
    }
    None
}

/// An order of the operations; `moments` are those of the empty dequeues.
fn place(contents: &Contents, spans: &[Spans], begun: &[u32], put: &[u32], moments: &[u32]) -> Vec<usize> {
    // The moments without repetition: the groups of elements lie between them.
    let mut dividers = moments.to_vec();
    dividers.sort_unstable();
    dividers.dedup();
    let group = |event: u32| dividers.partition_point(|divider| *divider < event) as u32;
    let groups: Vec<u32> = spans.iter().map(|s| group(s.take_call)).collect();

    let mut places: Vec<((u64, u32, u8, u32), usize)> = Vec::with_capacity(2 * spans.len() + moments.len());
    for (i, moment) in moments.iter().enumerate() {
        places.push(((2 * u64::from(*moment) + 1, group(*moment + 1), 0, 0), contents.empties[i].op));
    }
    // Each operation happens as early as it can after those of its kind that come before it.
    let (mut now_put, mut now_taken) = (0, 0);
    for (i, element) in line_up(spans, &groups, begun, put).into_iter().enumerate() {
        let Spans { put_call, take_call, .. } = spans[element];
        let begins = match groups[element] {
            0 => 0,
            group => 2 * u64::from(dividers[group as usize - 1]) + 1,
        };
        now_put = now_put.max(2 * u64::from(put_call)).max(begins);
        places.push(((now_put, groups[element], 1, i as u32), contents.elements[element].put.op));
        if let Some(take) = contents.elements[element].take {
            now_taken = now_taken.max(now_put).max(2 * u64::from(take_call));
            places.push(((now_taken, groups[element], 2, i as u32), take.op));
        }
    }
    places.sort_unstable();
    places.into_iter().map(|(_, op)| op).collect()
}

/// The elements in an order that both relations and the groups allow.
///
/// An element may come next when, of those that are left, none was put in before its enqueue was called, and none was taken
/// before its dequeue was.
fn line_up(spans: &[Spans], groups: &[u32], begun: &[u32], put: &[u32]) -> Vec<usize> {
    let in_order = |events: &[u32]| events.iter().copied().filter(|i| *i != NOBODY).collect::<Vec<u32>>();
    let sorted_by = |key: &dyn Fn(&Spans) -> u32| {
        let mut sorted: Vec<u32> = (0..spans.len() as u32).collect();
        sorted.sort_by_key(|i| key(&spans[*i as usize]));
        sorted
    };
    let mut puts = Side { called: in_order(begun), returned: in_order(put), next: 0, first: 0 };
    let mut takes =
        Side { called: sorted_by(&|s| s.take_call), returned: sorted_by(&|s| s.take_ret), next: 0, first: 0 };
    let mut placed = vec![false; spans.len()];
    let mut free = vec![0_u8; spans.len()];
    let mut ready = BinaryHeap::new();
    let mut line = Vec::with_capacity(spans.len());
    while line.len() < spans.len() {
        let mut release = |i: u32| {
            free[i as usize] += 1;
            if free[i as usize] == 2 {
                ready.push(Reverse((groups[i as usize], i)));
            }
        };
        puts.release(&placed, |i| spans[i].put_call, |i| spans[i].put_ret, &mut release);
        takes.release(&placed, |i| spans[i].take_call, |i| spans[i].take_ret, &mut release);
        let Reverse((_, next)) = ready.pop().expect("no two elements go before each other");
        placed[next as usize] = true;
        line.push(next as usize);
    }
    line
}

/// The enqueues, or the dequeues, of all elements.
struct Side {
    /// Elements by call, and how many of them nothing comes before any more.
    called: Vec<u32>,
    next: usize,
    /// Elements by return, and the first of them that is left.
    returned: Vec<u32>,
    first: usize,
}

impl Side {
    /// Passes on the elements before which none of those left returned.
    fn release(
        &mut self,
        placed: &[bool],
        call: impl Fn(usize) -> u32,
        ret: impl Fn(usize) -> u32,
        mut release: impl FnMut(u32),
    ) {
        while self.returned.get(self.first).is_some_and(|i| placed[*i as usize]) {
            self.first += 1;
        }
        let Some(&first) = self.returned.get(self.first) else { return };
        while let Some(&i) = self.called.get(self.next).filter(|i| call(**i as usize) < ret(first as usize)) {
            self.next += 1;
            release(i);
        }
    }
}
