//! From elements that have no order to words.

use super::{Conflict, Contents, Element, Impossible, Op, shrink::shrink};
use crate::{
    anomaly::{self, describe},
    history::History,
    model::Discipline,
    operation::Name,
    value::Value,
    verdict::Anomaly,
};

/// Turns what was found about one container into an anomaly.
pub(super) struct Witness<'p> {
    pub(super) history: &'p History,
    pub(super) ops: &'p [Op],
    pub(super) key: &'p Value,
    pub(super) discipline: Discipline,
}

impl Witness<'_> {
    /// The anomaly of one element.
    pub(super) fn impossible(&self, impossible: Impossible) -> Anomaly {
        match impossible {
            Impossible::Unexpected { take } => {
                let sentence = format!("{} got an element that nobody put in.", self.say(take));
                self.anomaly(anomaly::UNEXPECTED_ELEMENT, vec![take], sentence)
            }
            Impossible::Twice { put, first, second } => {
                let sentence = format!(
                    "{} and {} got the same element, which was put in once.",
                    self.say(first),
                    self.say(second)
                );
                self.anomaly(anomaly::DUPLICATED_ELEMENT, vec![put, first, second], sentence)
            }
            Impossible::Early { put, take } => {
                let sentence = format!("{} returned before {} was invoked.", self.say(take), self.say(put));
                self.anomaly(anomaly::FUTURE_READ, vec![put, take], sentence)
            }
        }
    }

    /// The anomaly of several elements, of which as few are named as prove it.
    pub(super) fn conflict(&self, contents: &Contents, conflict: Conflict, end: u32) -> Anomaly {
        let Conflict { elements, empty } = shrink(self.discipline, contents, conflict, end);
        let mut elements: Vec<Element> = elements.into_iter().map(|i| contents.elements[i]).collect();
        let mut operations: Vec<usize> =
            elements.iter().flat_map(|e| [Some(e.put.op), e.take.map(|take| take.op)]).flatten().collect();
        if let Some(empty) = empty {
            let op = contents.empties[empty].op;
            operations.push(op);
            let what = match elements.as_slice() {
                [one] => format!("the element of {} was certainly in", self.say(one.put.op)),
                several => format!("at every moment of it one of {} elements was certainly in", several.len()),
            };
            let sentence = format!("{} found nothing, although {what}.", self.say(op));
            return self.anomaly(anomaly::FALSE_EMPTY, operations, sentence);
        }
        elements.sort_by_key(|e| e.take.map_or(end, |take| take.call));
        let sentence = match (self.discipline, elements.as_slice()) {
            (Discipline::FirstIn, [Element { take: Some(early), .. }, late]) => {
                format!("{} came {}, which had been put in first.", self.say(early.op), self.before(late))
            }
            (Discipline::LastIn, [Element { take: Some(lower), .. }, upper]) => {
                format!("{} came {}, which lay on top of it.", self.say(lower.op), self.before(upper))
            }
            (Discipline::Smallest, [one, other]) => {
                let (small, great) = if one.rank < other.rank { (one, other) } else { (other, one) };
                match great.take {
                    Some(take) => format!(
                        "{} came although the smaller element of {} was certainly in.",
                        self.say(take.op),
                        self.say(small.put.op)
                    ),
                    None => self.no_order(operations.len()),
                }
            }
            _ => self.no_order(operations.len()),
        };
        self.anomaly(anomaly::REORDERED_ELEMENTS, operations, sentence)
    }

    /// What came too late: `before dequeue() -> 1 of process 2`.
    fn before(&self, late: &Element) -> String {
        match late.take {
            Some(take) => format!("before {}", self.say(take.op)),
            None => format!("before the element of {}", self.say(late.put.op)),
        }
    }

    fn no_order(&self, operations: usize) -> String {
        let order = match self.discipline {
            Discipline::FirstIn => "first in, first out",
            Discipline::LastIn => "last in, first out",
            Discipline::Smallest => "smallest first",
        };
        format!("No order of these {operations} operations that respects real time is {order}.")
    }

    fn say(&self, op: usize) -> String {
        describe(&self.history.entries[self.ops[op].entry])
    }

    fn anomaly(&self, kind: Name, operations: Vec<usize>, sentence: String) -> Anomaly {
        let entries = operations.into_iter().map(|i| self.ops[i].entry).collect();
        Anomaly::new(kind, self.key.clone(), entries, sentence)
    }
}
