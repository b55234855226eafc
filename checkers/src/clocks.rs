//! Vector clocks (Fidge 1988, Mattern 1989): how much of each session happened before a vertex.

use std::cmp::Ordering;

use crate::{
    budget::{Budget, Meter},
    verdict::{Reason, Verdict},
};

/// For each vertex and session, how many of the session's first vertices happened before it, itself included.
#[derive(Clone, Debug)]
pub(crate) struct Clocks {
    sessions: usize,
    rows: Vec<u32>,
    session_of: Vec<u32>,
    place_of: Vec<u32>,
}

impl Clocks {
    /// Clocks of vertices that know of themselves alone; [`join`](Self::join) tells them more.
    ///
    /// # Errors
    /// A verdict when the budget of memory is too small for a number per vertex and session.
    pub(crate) fn new(vertices: usize, sessions: &[Vec<u32>], budget: &Budget) -> Result<Self, Verdict> {
        if (vertices as u64) * (sessions.len() as u64) * 4 > budget.bytes {
            let progress = format!("{vertices} operations of {} processes need more", sessions.len());
            return Err(Meter::new(*budget).spent(Reason::Memory, &progress));
        }
        let mut clocks = Clocks {
            sessions: sessions.len(),
            rows: vec![0; vertices * sessions.len()],
            session_of: vec![0; vertices],
            place_of: vec![0; vertices],
        };
        for (session, members) in (0..).zip(sessions) {
            for (place, &vertex) in (0..).zip(members) {
                clocks.session_of[vertex as usize] = session;
                clocks.place_of[vertex as usize] = place;
                clocks.rows[vertex as usize * sessions.len() + session as usize] = place + 1;
            }
        }
        Ok(clocks)
    }

    /// `second` learns all that `first` knows; says whether some of it was new. O(sessions).
    pub(crate) fn join(&mut self, first: u32, second: u32) -> bool {
        let n = self.sessions;
        let (from, to) = (first as usize * n, second as usize * n);
        let (here, there) = match from.cmp(&to) {
            Ordering::Less => {
                let (low, high) = self.rows.split_at_mut(to);
                (&low[from..from + n], &mut high[..n])
            }
            Ordering::Greater => {
                let (low, high) = self.rows.split_at_mut(from);
                (&high[..n], &mut low[to..to + n])
            }
            Ordering::Equal => return false,
        };
        let mut learned = false;
        for (there, here) in there.iter_mut().zip(here) {
            learned |= *here > *there;
            *there = (*there).max(*here);
        }
        learned
    }

    /// By session, how many of its vertices happened before this one.
    pub(crate) fn of(&self, vertex: u32) -> &[u32] {
        &self.rows[vertex as usize * self.sessions..][..self.sessions]
    }

    /// The session that a vertex belongs to.
    pub(crate) fn session_of(&self, vertex: u32) -> u32 {
        self.session_of[vertex as usize]
    }

    /// Whether the first happened before the second, or is the second.
    pub(crate) fn precedes(&self, first: u32, second: u32) -> bool {
        self.of(second)[self.session_of[first as usize] as usize] > self.place_of[first as usize]
    }
}
