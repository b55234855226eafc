//! In a given order, the last version of its register that each refused cas sees anyway, by all that happened before it. To read
//! that one makes nothing else visible, so that it is the best choice where it is not what was expected.

use std::cmp::Reverse;

use super::{
    inference::{INITIAL, Inference},
    instead::Choice,
};
use crate::{budget::Budget, history::Order, partition::FixedMap};

/// By transaction and process, how many of its transactions happened before or are it.
struct Clocks {
    sessions: usize,
    rows: Vec<u32>,
    /// By transaction: its process and its number there, from 1.
    number: Vec<(u32, u32)>,
}

impl Clocks {
    fn learn(&mut self, vertex: u32, other: u32) {
        let [here, there] = [vertex, other].map(|v| v as usize * self.sessions);
        for session in 0..self.sessions {
            self.rows[here + session] = self.rows[here + session].max(self.rows[there + session]);
        }
    }

    fn knows(&self, vertex: u32, other: u32) -> bool {
        let (session, number) = self.number[other as usize];
        self.rows[vertex as usize * self.sessions + session as usize] >= number
    }
}

/// Puts first the version that each sees, or else the next one after it in the order. Nothing where that takes too much memory.
/// O(n · processes).
pub(super) fn prefer(known: &Inference<'_, '_>, order: &[u32], place: &[u32], all: &mut [Choice<'_>], budget: &Budget) {
    let sessions = known.sessions.len();
    if (known.len() as u64).saturating_mul(4 * sessions as u64) > budget.bytes {
        return;
    }
    let mut clocks = Clocks { sessions, rows: vec![0; known.len() * sessions], number: vec![(0, 0); known.len()] };
    let mut before = vec![None; known.len()];
    for (session, vertices) in (0..).zip(&known.sessions) {
        for (number, vertex) in (1..).zip(vertices) {
            clocks.number[*vertex as usize] = (session, number);
        }
        vertices.windows(2).for_each(|pair| before[pair[1] as usize] = Some(pair[0]));
    }
    let in_real_time = known.all.history.order == Order::RealTime;
    let entry = |vertex: u32| &known.all.history.entries[known.txn(vertex).entry];
    // By key: who wrote it so far.
    let mut wrote: FixedMap<u32, Vec<u32>> = all.iter().map(|choice| (choice.cas.key, Vec::new())).collect();
    for &vertex in order {
        if let Some(before) = before[vertex as usize] {
            clocks.learn(vertex, before);
        }
        for read in known.reads(vertex) {
            known.seen(read).for_each(|writer| clocks.learn(vertex, writer));
        }
        if let Ok(i) = all.binary_search_by_key(&vertex, |choice| choice.vertex) {
            let versions = &mut all[i].versions;
            let last = wrote[&all[i].cas.key].iter().rfind(|writer| clocks.knows(vertex, **writer)).copied();
            let last = last.unwrap_or(INITIAL);
            // What was there at first stands before all others.
            let at = |version: u32| if version == INITIAL { 0 } else { 1 + place[version as usize] };
            // Of the others the newest that may have been there, if that is known, is most likely what the store saw.
            let returned = entry(vertex).returned();
            let when = |version: u32| {
                let called = if version == INITIAL { 0 } else { entry(version).invoked.position };
                if in_real_time { (called > returned, Reverse(called)) } else { (false, Reverse(0)) }
            };
            versions.sort_by_key(|version| (at(*version) < at(last), when(*version), at(*version)));
            if let Some(first) = versions.first().filter(|first| at(**first) < at(vertex) && **first != INITIAL) {
                clocks.learn(vertex, *first);
            }
        }
        let (session, number) = clocks.number[vertex as usize];
        clocks.rows[vertex as usize * sessions + session as usize] = number;
        for key in known.writes(vertex) {
            wrote.entry(*key).and_modify(|wrote| wrote.push(vertex));
        }
    }
}
