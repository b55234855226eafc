//! Last in, first out.
//!
//! The *core* of an element is the time in which it is certainly in the stack: from the return of its push to the call of its
//! pop. An element without one is pushed and popped at one moment, which bothers nobody. Where no core covers a moment, the
//! stack may just as well be empty: whatever lies across can be moved to one side of it. So the history falls into parts
//! whose cores cover them without a gap, and an empty pop needs a moment between such parts.
//!
//! Within a part, from `begin` to `end`, the stack is never empty. So one element lies at the bottom all the time: its push was
//! called before `begin`, its pop returned after `end`. If there is none, the history is illegal. Any that could
//! be it may be: an order of the others, drawn together into the part, fits in between. What is left without it falls into
//! parts again.

use super::{
    Conflict, Contents, Element,
    cover::Cover,
    tree::{Counts, Left, Tournament},
};

/// An element with a core.
#[derive(Clone, Copy)]
struct Core {
    element: usize,
    push_call: u32,
    begin: u32,
    end: u32,
    pop_ret: u32,
}

/// A stretch of time that cores cover without a gap, inside of so many others.
#[derive(Clone, Copy)]
struct Part {
    begin: u32,
    end: u32,
    depth: u32,
}

/// An order of the operations, or elements that have none. O(n log n).
pub(super) fn order(contents: &Contents, end: u32) -> Result<Vec<usize>, Conflict> {
    // What is never popped is popped after all events.
    let core_of = |(element, e): (usize, &Element)| {
        let (pop_call, pop_ret) = e.take.map_or((end, end + 1), |pop| (pop.call, pop.ret));
        Core { element, push_call: e.put.call, begin: e.put.ret, end: pop_call, pop_ret }
    };
    let (mut cores, brief): (Vec<Core>, Vec<Core>) =
        contents.elements.iter().enumerate().map(core_of).partition(|core| core.begin < core.end);
    cores.sort_unstable_by_key(|core| core.begin);

    let mut places: Vec<((u64, u32), usize)> = Vec::new();
    let covers: Vec<(u32, u32)> = cores.iter().map(|core| (core.begin, core.end)).collect();
    let cover = Cover::new(&covers, end);
    for (i, empty) in contents.empties.iter().enumerate() {
        let moment = cover.first_free(empty.call);
        if moment >= empty.ret {
            let chain = cover.chain(&covers, empty.call, empty.ret);
            let elements = chain.into_iter().map(|i| cores[i].element).collect();
            return Err(Conflict { elements, empty: Some(i) });
        }
        places.push(((2 * u64::from(moment) + 1, 0), empty.op));
    }
    for Core { element, push_call, end: pop_call, .. } in brief {
        let Element { put, take, .. } = contents.elements[element];
        let moment = 2 * u64::from(push_call.max(pop_call));
        places.push(((moment, 0), put.op));
        places.extend(take.map(|take| ((moment, 1), take.op)));
    }
    for (core, part) in nest(&cores, &covers, end)? {
        let Element { put, take, .. } = contents.elements[cores[core].element];
        // Where parts begin together, the outer one comes first; where they end together, last.
        places.push(((2 * u64::from(part.begin), part.depth), put.op));
        places.extend(take.map(|take| ((2 * u64::from(part.end), u32::MAX - part.depth), take.op)));
    }
    places.sort_unstable();
    Ok(places.into_iter().map(|(_, op)| op).collect())
}

/// For each core the part at whose bottom it lies. `cores` are sorted by begin.
fn nest(cores: &[Core], covers: &[(u32, u32)], end: u32) -> Result<Vec<(usize, Part)>, Conflict> {
    let mut nesting = Nesting {
        cores,
        left: Left::new(cores.len() as u32),
        counts: Counts::new(covers.iter().copied(), end),
        parts: Vec::new(),
        early: Tournament::new(cores.iter().map(|core| !core.push_call).collect()),
        late: Tournament::new(cores.iter().map(|core| core.pop_ret).collect()),
    };
    (0..cores.len()).for_each(|core| nesting.early.set(core, true));
    nesting.split(Part { begin: 0, end, depth: 0 });
    let mut nested = Vec::with_capacity(cores.len());
    while let Some(part) = nesting.parts.pop() {
        let Some(bottom) = nesting.bottom(part) else { return Err(nesting.no_bottom(part)) };
        nested.push((bottom, part));
        nesting.left.remove(bottom as u32);
        nesting.late.set(bottom, false);
        nesting.counts.lower(cores[bottom].begin, cores[bottom].end);
        nesting.split(Part { depth: part.depth + 1, ..part });
    }
    Ok(nested)
}

/// Cores that are not at the bottom of a part yet.
struct Nesting<'c> {
    cores: &'c [Core],
    left: Left,
    /// By gap: how many cores cover it.
    counts: Counts,
    parts: Vec<Part>,
    /// By core, until its push is called before its part begins: the earliest called push wins. Parts only become
    /// smaller, so what is true once stays true.
    early: Tournament,
    /// By core, from then on: the latest return of a pop wins.
    late: Tournament,
}

impl Nesting<'_> {
    /// The parts that the cores between `within.begin` and `within.end` make up.
    fn split(&mut self, within: Part) {
        let mut from = self.first_from(within.begin);
        loop {
            let next = self.left.first(from as u32) as usize;
            let Some(core) = self.cores.get(next).filter(|core| core.begin < within.end) else { return };
            let end = self.counts.first_zero(core.begin);
            self.parts.push(Part { begin: core.begin, end, depth: within.depth });
            from = self.first_from(end);
        }
    }

    fn first_from(&self, event: u32) -> usize {
        self.cores.partition_point(|core| core.begin < event)
    }

    /// A core of the part that can lie at its bottom.
    fn bottom(&mut self, part: Part) -> Option<usize> {
        let (from, to) = (self.first_from(part.begin), self.first_from(part.end));
        while let Some((core, _)) = self.early.best(from, to).filter(|(_, key)| !*key < part.begin) {
            self.early.set(core, false);
            self.late.set(core, true);
        }
        self.late.best(from, to).filter(|(_, pop_ret)| *pop_ret > part.end).map(|(core, _)| core)
    }

    /// A few cores that cover the part: none of them can lie at its bottom either.
    fn no_bottom(&mut self, part: Part) -> Conflict {
        let mut elements = Vec::new();
        let mut at = part.begin;
        let mut next = self.left.first(self.first_from(part.begin) as u32) as usize;
        while at < part.end {
            let mut widest: Option<Core> = None;
            while let Some(&core) = self.cores.get(next).filter(|core| core.begin <= at) {
                if widest.is_none_or(|other| other.end < core.end) {
                    widest = Some(core);
                }
                next = self.left.first(next as u32 + 1) as usize;
            }
            let Some(core) = widest.filter(|core| core.end > at) else { break };
            elements.push(core.element);
            at = core.end;
        }
        Conflict { elements, empty: None }
    }
}
