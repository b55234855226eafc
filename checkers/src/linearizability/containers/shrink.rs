//! From elements that have no order to fewer of them that have none either.

use super::{Conflict, Contents, Element, Span, order};
use crate::model::Discipline;

/// How many elements may be looked at, all attempts together.
const ELEMENTS: usize = 4_000_000;

/// Leaves elements of the conflict out, many at a time at first, as long as those that stay have no order.
///
/// To leave an element out with all that was done to it keeps a legal history legal, under each discipline.
pub(super) fn shrink(discipline: Discipline, contents: &Contents, conflict: Conflict, end: u32) -> Conflict {
    let Conflict { mut elements, empty } = conflict;
    let mut spent = 0;
    let mut size = elements.len().div_ceil(2);
    while size > 0 {
        let mut start = 0;
        while start < elements.len() && spent < ELEMENTS {
            let without = (start + size).min(elements.len());
            let kept: Vec<usize> = elements[..start].iter().chain(&elements[without..]).copied().collect();
            let (smaller, smaller_end) = only(contents, &kept, empty, end);
            spent += kept.len() + 1;
            if order(discipline, &smaller, smaller_end).is_err() {
                elements = kept;
            } else {
                start = without;
            }
        }
        size /= 2;
    }
    Conflict { elements, empty }
}

/// These elements and this removal alone, and the end of a time that knows only their events.
fn only(contents: &Contents, elements: &[usize], empty: Option<usize>, end: u32) -> (Contents, u32) {
    let mut elements: Vec<Element> = elements.iter().map(|&i| contents.elements[i]).collect();
    let mut empties: Vec<Span> = empty.iter().map(|&i| contents.empties[i]).collect();
    let mut events = Vec::with_capacity(4 * elements.len() + 2);
    each_span(&mut elements, &mut empties, |span| {
        events.extend([span.call, span.ret].into_iter().filter(|e| *e < end));
    });
    events.sort_unstable();
    each_span(&mut elements, &mut empties, |span| {
        for event in [&mut span.call, &mut span.ret] {
            *event = events.partition_point(|e| *e < *event) as u32;
        }
    });
    (Contents { elements, empties }, events.len() as u32)
}

fn each_span(elements: &mut [Element], empties: &mut [Span], mut visit: impl FnMut(&mut Span)) {
    for element in elements {
        visit(&mut element.put);
        element.take.iter_mut().for_each(&mut visit);
    }
    empties.iter_mut().for_each(visit);
}
