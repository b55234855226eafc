//! The smallest first.
//!
//! An element comes out at a moment at which no smaller one is in. So elements are placed by size, the smallest first: each is
//! put in as late as it can be and taken out as early as it can be, at the first moment from the call of its removal on that
//! no smaller one covers. That is best for all greater ones, as it covers least: what it covers begins when its insertion
//! returned, whatever happens, and ends as early as it may. The history is illegal if no moment is left to some element. An
//! empty removal is like that of an element greater than all.

use super::{Conflict, Contents, NOBODY, tree::Left};

/// An order of the operations, or elements that have none. O(n log n).
pub(super) fn order(contents: &Contents, end: u32) -> Result<Vec<usize>, Conflict> {
    let mut by_size: Vec<usize> = (0..contents.elements.len()).collect();
    by_size.sort_unstable_by_key(|i| contents.elements[*i].rank);
    let mut room = Room { free: Left::new(end), covered_by: vec![NOBODY; end as usize] };
    let mut places: Vec<((u64, u32, u8), usize)> = Vec::with_capacity(2 * by_size.len() + contents.empties.len());
    let mut moments = vec![end; contents.elements.len()];
    for element in by_size {
        let e = contents.elements[element];
        let mut begin = 2 * u64::from(e.put.ret);
        if let Some(take) = e.take {
            let moment = room.free.first(take.call.max(e.put.call));
            if moment >= take.ret {
                let mut elements = room.in_the_way(contents, &moments, take.call.max(e.put.call), take.ret);
                elements.push(element);
                return Err(Conflict { elements, empty: None });
            }
            moments[element] = moment;
            begin = begin.min(2 * u64::from(moment) + 1);
            places.push(((2 * u64::from(moment) + 1, e.rank, 1), take.op));
        }
        places.push(((begin, e.rank, 0), e.put.op));
        room.cover(e.put.ret, moments[element], element);
    }
    for (i, empty) in contents.empties.iter().enumerate() {
        let moment = room.free.first(empty.call);
        if moment >= empty.ret {
            let elements = room.in_the_way(contents, &moments, empty.call, empty.ret);
            return Err(Conflict { elements, empty: Some(i) });
        }
        places.push(((2 * u64::from(moment) + 1, u32::MAX, 0), empty.op));
    }
    places.sort_unstable();
    Ok(places.into_iter().map(|(_, op)| op).collect())
}

/// The gaps that are left, and who covers the others.
struct Room {
    free: Left,
    covered_by: Vec<u32>,
}

impl Room {
    fn cover(&mut self, from: u32, to: u32, element: usize) {
        let mut gap = self.free.first(from.min(to));
        while gap < to {
            self.covered_by[gap as usize] = element as u32;
            self.free.remove(gap);
            gap = self.free.first(gap);
        }
    }

    /// The elements that cover the gaps from `from` to before `to`, those that kept these from coming out earlier, and so on.
    fn in_the_way(&self, contents: &Contents, moments: &[u32], from: u32, to: u32) -> Vec<usize> {
        let mut seen = vec![false; self.covered_by.len()];
        let mut known = vec![false; contents.elements.len()];
        let mut elements = Vec::new();
        let mut windows = vec![(from, to)];
        while let Some((from, to)) = windows.pop() {
            let gaps = from as usize..to as usize;
            for (&element, seen) in self.covered_by[gaps.clone()].iter().zip(&mut seen[gaps]) {
                if std::mem::replace(seen, true) || element == NOBODY {
                    continue;
                }
                let element = element as usize;
                if !std::mem::replace(&mut known[element], true) {
                    elements.push(element);
                    let e = contents.elements[element];
                    windows.extend(e.take.map(|take| (take.call.max(e.put.call), moments[element])));
                }
            }
        }
        elements
    }
}
