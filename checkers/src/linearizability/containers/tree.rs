//! Trees over positions: counts of which the first zero is found, and entries of which the best is.

use super::NOBODY;

/// A count for each position; ranges are raised and lowered, and the first zero is found, each in O(log n).
pub(super) struct Counts {
    /// A power of two; the leaves come after so many inner nodes.
    leaves: usize,
    /// Added to all below a node.
    added: Vec<i32>,
    /// The least count below a node, with what is added to it but not with what is added above.
    least: Vec<i32>,
    len: u32,
}

impl Counts {
    /// How many of the ranges (from, to) each of `len` positions lies in.
    pub(super) fn new(ranges: impl Iterator<Item = (u32, u32)>, len: u32) -> Self {
        let leaves = (len as usize).next_power_of_two();
        // Positions that do not exist never become zero.
        let mut least = vec![1; 2 * leaves];
        least[leaves..leaves + len as usize].fill(0);
        let mut change = vec![0; len as usize + 1];
        for (from, to) in ranges {
            change[from as usize] += 1;
            change[to as usize] -= 1;
        }
        let mut count = 0;
        for (leaf, change) in least[leaves..leaves + len as usize].iter_mut().zip(change) {
            count += change;
            *leaf = count;
        }
        for node in (1..leaves).rev() {
            least[node] = least[2 * node].min(least[2 * node + 1]);
        }
        Counts { leaves, added: vec![0; leaves], least, len }
    }

    /// Lowers the counts of these positions by one.
    pub(super) fn lower(&mut self, from: u32, to: u32) {
        self.lower_below(1, 0, self.leaves, from as usize, to as usize);
    }

    fn lower_below(&mut self, node: usize, begin: usize, end: usize, from: usize, to: usize) {
        if to <= begin || end <= from {
            return;
        }
        if from <= begin && end <= to {
            self.least[node] -= 1;
            if node < self.leaves {
                self.added[node] -= 1;
            }
            return;
        }
        let middle = usize::midpoint(begin, end);
        self.lower_below(2 * node, begin, middle, from, to);
        self.lower_below(2 * node + 1, middle, end, from, to);
        self.least[node] = self.least[2 * node].min(self.least[2 * node + 1]) + self.added[node];
    }

    /// The first position from `from` on whose count is zero; the number of positions if there is none.
    pub(super) fn first_zero(&self, from: u32) -> u32 {
        self.first_zero_below(1, 0, self.leaves, from as usize, 0).map_or(self.len, |position| position as u32)
    }

    fn first_zero_below(&self, node: usize, begin: usize, end: usize, from: usize, added: i32) -> Option<usize> {
        if end <= from || self.least[node] + added > 0 {
            return None;
        }
        if node >= self.leaves {
            return Some(begin);
        }
        let middle = usize::midpoint(begin, end);
        let added = added + self.added[node];
        let left = self.first_zero_below(2 * node, begin, middle, from, added);
        left.or_else(|| self.first_zero_below(2 * node + 1, middle, end, from, added))
    }
}

/// Entries with keys, some of which take part; the one with the greatest key of a range is found in O(log n).
pub(super) struct Tournament {
    keys: Vec<u32>,
    leaves: usize,
    winners: Vec<u32>,
}

impl Tournament {
    /// Nobody takes part yet.
    pub(super) fn new(keys: Vec<u32>) -> Self {
        let leaves = keys.len().next_power_of_two();
        Tournament { keys, leaves, winners: vec![NOBODY; 2 * leaves] }
    }

    /// Lets an entry take part, or no longer.
    pub(super) fn set(&mut self, entry: usize, takes_part: bool) {
        let mut node = self.leaves + entry;
        self.winners[node] = if takes_part { entry as u32 } else { NOBODY };
        while node > 1 {
            node /= 2;
            self.winners[node] = self.better(self.winners[2 * node], self.winners[2 * node + 1]);
        }
    }

    /// The entry with the greatest key, and its key, of those from `from` to before `to` that take part.
    pub(super) fn best(&self, from: usize, to: usize) -> Option<(usize, u32)> {
        let (mut left, mut right) = (self.leaves + from, self.leaves + to);
        let mut best = NOBODY;
        while left < right {
            if left % 2 == 1 {
                best = self.better(best, self.winners[left]);
                left += 1;
            }
            if right % 2 == 1 {
                right -= 1;
                best = self.better(best, self.winners[right]);
            }
            left /= 2;
            right /= 2;
        }
        (best != NOBODY).then(|| (best as usize, self.keys[best as usize]))
    }

    fn better(&self, a: u32, b: u32) -> u32 {
        match (a, b) {
            (NOBODY, other) | (other, NOBODY) => other,
            _ if self.keys[b as usize] > self.keys[a as usize] => b,
            _ => a,
        }
    }
}

/// Entries in a row that are removed one by one; the next that is left is found in almost constant time.
pub(super) struct Left {
    /// The entry itself while it is left, else one after it.
    next: Vec<u32>,
}

impl Left {
    /// All of `len` entries are left.
    pub(super) fn new(len: u32) -> Self {
        Left { next: (0..=len).collect() }
    }

    /// The first entry from `entry` on that is left; the number of entries if there is none.
    pub(super) fn first(&mut self, mut entry: u32) -> u32 {
        while self.next[entry as usize] != entry {
            let next = self.next[entry as usize];
            self.next[entry as usize] = self.next[next as usize];
            entry = self.next[entry as usize];
        }
        entry
    }

    /// Removes an entry that is left.
    pub(super) fn remove(&mut self, entry: u32) {
        self.next[entry as usize] = entry + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_zero_is_found() {
        let mut counts = Counts::new([(0, 3), (2, 6), (1, 2)].into_iter(), 7);
        assert_eq!([0, 3, 6].map(|from| counts.first_zero(from)), [6, 6, 6]);
        counts.lower(2, 6);
        assert_eq!([0, 3, 4, 6].map(|from| counts.first_zero(from)), [3, 3, 4, 6]);
        counts.lower(0, 3);
        assert_eq!([0, 1, 2, 7].map(|from| counts.first_zero(from)), [0, 2, 2, 7]);
    }

    #[test]
    fn the_best_of_a_range_wins() {
        let mut tournament = Tournament::new(vec![5, 9, 1, 7, 3]);
        assert_eq!(tournament.best(0, 5), None);
        for entry in 0..5 {
            tournament.set(entry, true);
        }
        assert_eq!([(0, 5), (2, 5), (4, 5), (2, 3)].map(|(a, b)| tournament.best(a, b).unwrap().0), [1, 3, 4, 2]);
        tournament.set(1, false);
        assert_eq!(tournament.best(0, 3), Some((0, 5)));
    }

    #[test]
    fn what_is_removed_is_passed_over() {
        let mut left = Left::new(4);
        for entry in [1, 2, 0] {
            left.remove(entry);
        }
        assert_eq!([0, 1, 3].map(|entry| left.first(entry)), [3, 3, 3]);
        left.remove(3);
        assert_eq!(left.first(0), 4);
    }
}
