//! Time as the disciplines see it: calls and returns are numbered from 0 on without gaps.

use super::{Contents, Element, NOBODY, Op, Span, Uses};

/// The numbers of the calls and returns of operations. The *gap* `g` lies between the events `g` and `g + 1`.
pub(super) struct Timeline {
    calls: Vec<u32>,
    returns: Vec<u32>,
    end: u32,
}

impl Timeline {
    /// Numbers the events of operations that are sorted by call. O(n log n).
    pub(super) fn new(ops: &[Op]) -> Self {
        let mut by_return: Vec<(u32, u32)> =
            ops.iter().enumerate().filter_map(|(i, op)| Some((op.ret?, i as u32))).collect();
        by_return.sort_unstable();
        let mut by_return = by_return.into_iter().peekable();
        let end = (ops.len() + by_return.len()) as u32;
        let mut timeline = Timeline { calls: Vec::with_capacity(ops.len()), returns: vec![end; ops.len()], end };
        let mut next = 0;
        let mut tick = || {
            next += 1;
            next - 1
        };
        for op in ops {
            while let Some((_, i)) = by_return.next_if(|(ret, _)| *ret < op.call) {
                timeline.returns[i as usize] = tick();
            }
            timeline.calls.push(tick());
        }
        for (_, i) in by_return {
            timeline.returns[i as usize] = tick();
        }
        timeline
    }

    /// After all events; also how many gaps there are.
    pub(super) fn end(&self) -> u32 {
        self.end
    }

    fn span(&self, op: usize) -> Span {
        Span { op, call: self.calls[op], ret: self.returns[op] }
    }

    /// Elements and empties in time, by what puts and what takes each value. What was certainly put in and never taken is left
    /// out unless `untaken`; what was perhaps put in and never taken always is.
    pub(super) fn contents(&self, uses: &Uses, taken: &[u32], untaken: bool) -> Contents {
        let mut contents =
            Contents { elements: Vec::new(), empties: uses.empties.iter().map(|&op| self.span(op)).collect() };
        for (value, (&put, &take)) in uses.puts.iter().zip(taken).enumerate() {
            if put != NOBODY && (take != NOBODY || (untaken && uses.ops[put as usize].ret.is_some())) {
                let take = (take != NOBODY).then(|| self.span(take as usize));
                let rank = uses.ranks.get(value).copied().unwrap_or_default();
                contents.elements.push(Element { put: self.span(put as usize), take, rank });
            }
        }
        contents
    }
}
