//! Which operation comes before which, with the reason for each step, and ways that need few reasons.

use std::collections::VecDeque;

/// Why one operation comes before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// One process issued both.
    Session,
    /// The second read what the first wrote.
    Read,
    /// A read puts the first, a write that came before it, before the second, whose value it saw: the demand of this number.
    Demand(u32),
}

/// A step from one operation to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) from: u32,
    pub(super) to: u32,
    pub(super) why: Why,
}

/// Steps by the operation that they leave.
#[derive(Clone, Debug)]
pub(super) struct Steps {
    leaving: Vec<Vec<Step>>,
}

impl Steps {
    pub(super) fn new(nodes: usize) -> Self {
        Steps { leaving: vec![Vec::new(); nodes] }
    }

    pub(super) fn add(&mut self, from: u32, to: u32, why: Why) {
        self.leaving[from as usize].push(Step { from, to, why });
    }

    /// Takes the latest step that leaves `from` away again.
    pub(super) fn remove_latest(&mut self, from: u32) {
        self.leaving[from as usize].pop();
    }

    pub(super) fn leaving(&self, from: u32) -> &[Step] {
        &self.leaving[from as usize]
    }

    /// The operations in an order that all steps that `counts` accepts follow; `None` if they make a circle. O(steps).
    pub(super) fn sorted(&self, counts: impl Fn(&Step) -> bool) -> Option<Vec<u32>> {
        let mut degree = vec![0_u32; self.leaving.len()];
        self.leaving.iter().flatten().filter(|step| counts(step)).for_each(|step| degree[step.to as usize] += 1);
        let mut sorted: Vec<u32> = (0..degree.len() as u32).filter(|&v| degree[v as usize] == 0).collect();
        let mut next = 0;
        while let Some(&from) = sorted.get(next) {
            next += 1;
            for step in self.leaving(from).iter().filter(|step| counts(step)) {
                degree[step.to as usize] -= 1;
                if degree[step.to as usize] == 0 {
                    sorted.push(step.to);
                }
            }
        }
        (sorted.len() == degree.len()).then_some(sorted)
    }

    /// A way of at least one step that changes processes as seldom as any; empty if there is none. O(steps).
    pub(super) fn way(&self, from: u32, to: u32, counts: impl Fn(&Step) -> bool) -> Vec<Step> {
        let mut came: Vec<Option<(u32, Step)>> = vec![None; self.leaving.len()];
        // By cost. Steps of a process cost nothing, so they are looked at first.
        let mut queue = VecDeque::from([(0, from)]);
        let mut done = vec![false; self.leaving.len()];
        while let Some((cost, at)) = queue.pop_front() {
            if std::mem::replace(&mut done[at as usize], true) {
                continue;
            }
            for &step in self.leaving(at).iter().filter(|step| counts(step)) {
                let is_free = step.why == Why::Session;
                let cost = cost + u32::from(!is_free);
                let known = &mut came[step.to as usize];
                if known.is_none_or(|(before, _)| cost < before) {
                    *known = Some((cost, step));
                    if is_free { queue.push_front((cost, step.to)) } else { queue.push_back((cost, step.to)) }
                }
            }
        }
        let mut way = Vec::new();
        let mut at = to;
        while let Some((_, step)) = came[at as usize] {
            way.push(step);
            at = step.from;
            if at == from {
                break;
            }
        }
        way.reverse();
        way
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_with_the_fewest_changes_is_found() {
        let mut steps = Steps::new(6);
        for (from, to) in [(0, 1), (1, 2), (2, 3)] {
            steps.add(from, to, Why::Session);
        }
        for (from, to) in [(0, 4), (4, 3), (3, 5)] {
            steps.add(from, to, Why::Read);
        }
        let ends = |way: Vec<Step>| way.iter().map(|s| s.to).collect::<Vec<_>>();
        assert_eq!(ends(steps.way(0, 5, |_| true)), [1, 2, 3, 5]);
        assert_eq!(ends(steps.way(0, 5, |s| s.why == Why::Read)), [4, 3, 5]);
        assert!(steps.way(5, 0, |_| true).is_empty());
        assert!(steps.sorted(|_| true).is_some());
        steps.add(5, 0, Why::Read);
        assert_eq!(steps.sorted(|_| true), None);
        assert_eq!(ends(steps.way(5, 5, |_| true)), [0, 1, 2, 3, 5]);
        steps.remove_latest(5);
        assert!(steps.way(5, 5, |_| true).is_empty());
    }
}
