//! One order for all registers, from an order of the blocks of each.

use std::{
    iter, mem,
    sync::atomic::{AtomicU64, Ordering},
};

use super::{
    super::together,
    arrange::Zone,
    blocks::{Block, Blocks, NOBODY},
};
use crate::history::EntryId;

/// An operation that happens later than it was called, after another of its register: at what instant, in the block of what rank,
/// whether it reads, and its entry.
type Displaced = (u32, u32, bool, u32);

/// When each block begins, and the how manieth of its register it is, from 1. Those that nobody can have seen have none.
pub(super) struct Begins(Vec<AtomicU64>);

impl Begins {
    /// So many blocks that do not begin.
    pub(super) fn new(blocks: usize) -> Self {
        Begins(iter::repeat_with(AtomicU64::default).take(blocks).collect())
    }

    /// Says of each block of a register, which are in their order, at what instant it begins: the call of its write, or of an
    /// operation that comes before it in that order and was called later. Instants are counted in entries.
    pub(super) fn say(&self, blocks: &[Block], zones: &[Zone]) {
        let mut now = 0;
        for (rank, zone) in (1..).zip(zones) {
            let Block { register: index, write, last, .. } = blocks[zone.block as usize];
            if write != NOBODY {
                now = now.max(write);
            }
            // Each is said by one thread, and read when all threads are done.
            self.0[index as usize].store(u64::from(now) << 32 | rank, Ordering::Relaxed);
            now = now.max(last);
        }
    }

    /// When this block begins, and its rank.
    fn of(&self, block: u32) -> Option<(u32, u32)> {
        let begin = self.0[block as usize].load(Ordering::Relaxed);
        (begin != 0).then_some(((begin >> 32) as u32, begin as u32))
    }
}

impl Blocks<'_> {
    /// Each operation happens at the earliest instant that the order of its register allows, which is never after its return: when
    /// it was called, or when its block begins. No two registers share an instant. O(n log n), and O(n) where few operations of a
    /// register were in flight at once.
    pub(super) fn at_instants(mut self, begins: &Begins, parts: usize) -> Vec<EntryId> {
        let mut of = mem::take(&mut self.of);
        let each = of.len().div_ceil(parts).max(1);
        let blocks = &self;
        let jobs = (0..)
            .step_by(each)
            .zip(of.chunks_mut(each))
            .map(|(start, of)| move || set_aside(blocks, begins, start, of));
        let parts = together::all(jobs);
        let (stay, displaced): (Vec<usize>, Vec<Vec<Displaced>>) = parts.into_iter().unzip();
        let mut displaced = displaced.concat();
        displaced.sort_unstable();

        let mut order = vec![0; stay.iter().sum::<usize>() + displaced.len()];
        let (mut rest, mut later) = (order.as_mut_slice(), displaced.as_slice());
        let mut jobs = Vec::new();
        for ((start, of), stay) in (0..).step_by(each).zip(of.chunks(each)).zip(stay) {
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
fn set_aside(blocks: &Blocks<'_>, begins: &Begins, start: u32, of: &mut [u32]) -> (usize, Vec<Displaced>) {
    let mut displaced = Vec::new();
    let mut stay = 0;
    for (id, of) in (start..).zip(of) {
        if *of == NOBODY {
            continue;
        }
        let block = *of;
        let begin = begins.of(block);
        if begin.is_some_and(|(at, _)| at <= id) {
            stay += 1;
            continue;
        }
        *of = NOBODY;
        if let Some((at, rank)) = begin {
            displaced.push((at, rank, blocks.block(block).write != id, id));
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
