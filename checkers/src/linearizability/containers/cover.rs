//! Which moments some element certainly covers, and which elements show it.

use super::NOBODY;

/// The gaps that elements cover.
pub(super) struct Cover {
    /// By gap: the first gap from there on that nothing covers, or the end.
    free: Vec<u32>,
    /// By gap: among the elements whose cover has begun by then the one that reaches furthest.
    widest: Vec<u32>,
}

impl Cover {
    /// What elements cover of the gaps before `end`, the i-th those from `covers[i].0` to before `covers[i].1`; one that
    /// covers nothing has them the wrong way round. O(n).
    pub(super) fn new(covers: &[(u32, u32)], end: u32) -> Self {
        let end = end as usize;
        let mut widest = vec![NOBODY; end];
        for (i, &(from, _)) in covers.iter().enumerate().filter(|(_, (from, to))| from < to) {
            debug_assert_eq!(widest[from as usize], NOBODY, "each begins with an event of its own");
            widest[from as usize] = i as u32;
        }
        let reach = |i: u32| if i == NOBODY { 0 } else { covers[i as usize].1 };
        for gap in 1..end {
            if reach(widest[gap]) < reach(widest[gap - 1]) {
                widest[gap] = widest[gap - 1];
            }
        }
        let mut free = vec![end as u32; end + 1];
        for gap in (0..end).rev() {
            free[gap] = if reach(widest[gap]) > gap as u32 { free[gap + 1] } else { gap as u32 };
        }
        Cover { free, widest }
    }

    /// The first gap from `gap` on that nothing covers; the end if there is none.
    pub(super) fn first_free(&self, gap: u32) -> u32 {
        self.free[gap as usize]
    }

    /// As few elements as possible that together cover all gaps from `from` to before `to`, all of which are covered.
    pub(super) fn chain(&self, covers: &[(u32, u32)], from: u32, to: u32) -> Vec<usize> {
        let mut chain = Vec::new();
        let mut gap = from;
        while gap < to {
            let next = self.widest[gap as usize] as usize;
            chain.push(next);
            gap = covers[next].1;
        }
        chain
    }
}
