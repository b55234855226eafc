//! One order for all registers, from an order of the blocks of each.

use super::{
    super::together,
    blocks::{Block, Blocks, NOBODY, Zone},
};
use crate::history::EntryId;

/// An operation that happens later than it was called, after another of its register: at what instant, in the block of what rank,
/// whether it reads, and its entry.
type Displaced = (u32, u32, bool, u32);

impl Blocks<'_> {
    /// Says of each block of a register, which are in their order, at what instant it begins: the call of its write, or of an
    /// operation that comes before it in that order and was called later. Instants are counted in entries.
    pub(super) fn begin(&self, zones: &mut [Zone]) {
        let mut now = 0;
        for zone in zones {
            let Block { write, last, .. } = *self.block(zone.block);
            if write != NOBODY {
                now = now.max(write);
            }
            zone.first = now;
            now = now.max(last);
        }
    }

    /// Each operation happens at the earliest instant that the order of its register allows, which is never after its return: when
    /// it was called, or when its block begins. No two registers share an instant. `zones` are those of all registers, which say
    /// when each block begins. O(n log n), and O(n) where few operations of a register were in flight at once.
    pub(super) fn at_instants(mut self, zones: Vec<Zone>, parts: usize) -> Vec<EntryId> {
        for (rank, zone) in (0..).zip(&zones) {
            let block = &mut self.all[zone.block as usize];
            (block.last, block.place) = (zone.first, rank);
        }
        drop(zones);
        let (begins, of) = (&self.all, &mut self.of);
        let each = of.len().div_ceil(parts).max(1);
        let jobs = (0..).step_by(each).zip(of.chunks_mut(each)).map(|(start, of)| move || set_aside(begins, start, of));
        let parts = together::all(jobs);
        let (stay, displaced): (Vec<usize>, Vec<Vec<Displaced>>) = parts.into_iter().unzip();
        let mut displaced = displaced.concat();
        displaced.sort_unstable();

        let mut order = vec![0; stay.iter().sum::<usize>() + displaced.len()];
        let (mut rest, mut later) = (order.as_mut_slice(), displaced.as_slice());
        let mut jobs = Vec::new();
        for ((start, of), stay) in (0..).step_by(each).zip(self.of.chunks(each)).zip(stay) {
            let end = start + of.len() as u32;
            let (now, after) = later.split_at(later.partition_point(|(at, ..)| *at < end));
            let (part, others) = rest.split_at_mut(stay + now.len());
            (rest, later) = (others, after);
            jobs.push(move || put_together(start, of, now, part));
        }
        together::all(jobs);
        order
    }
}

/// Takes out of a part of the entries those that do not happen when they are called, and those that nobody can have seen. How many
/// stay, and what was taken.
fn set_aside(blocks: &[Block], start: u32, of: &mut [u32]) -> (usize, Vec<Displaced>) {
    let mut displaced = Vec::new();
    let mut stay = 0;
    for (id, of) in (start..).zip(of) {
        if *of == NOBODY {
            continue;
        }
        let block = &blocks[*of as usize];
        let begins = block.last;
        if block.is_seen() && begins <= id {
            stay += 1;
            continue;
        }
        *of = NOBODY;
        if block.is_seen() {
            displaced.push((begins, block.place, block.write != id, id));
        }
    }
    (stay, displaced)
}

/// Puts those that stayed and those that happen later into one order. What was called at an instant comes before what waited for
/// that.
fn put_together(start: u32, of: &[u32], displaced: &[Displaced], order: &mut [EntryId]) {
    let (mut places, mut displaced) = (order.iter_mut(), displaced.iter().peekable());
    let mut put = |id: u32| *places.next().expect("there is a place for each") = id as EntryId;
    for (id, of) in (start..).zip(of) {
        if *of != NOBODY {
            put(id);
        }
        while let Some((.., waited)) = displaced.next_if(|(at, ..)| *at == id) {
            put(*waited);
        }
    }
}
