//! One machine of a run, replica or client: its process, clock and disk, and what waits at its door.

use std::collections::VecDeque;

use super::{clock::Clock, faults::Condition};
use crate::{environment::image::DiskImage, plan::mix};

/// What comes to a machine's door.
pub(crate) trait Caller {
    /// Whether it comes over the network, which may lose it; the machine's own timers and its disk's answers are never lost.
    fn may_be_lost(&self) -> bool;
}

/// One machine. `W` is what can wait at its door.
pub(crate) struct Machine<W> {
    /// How often its process has died.
    pub(crate) incarnation: u32,
    /// Whether its process runs.
    pub(crate) up: bool,
    /// Down, paused or slow.
    hindered: bool,
    pub(crate) condition: Condition,
    pub(crate) clock: Clock,
    pub(crate) disk: DiskImage,
    /// Where its random numbers are.
    pub(crate) random: u64,
    /// What waits for a machine that stands still or is slow.
    backlog: VecDeque<W>,
    busy_until: u64,
    syncs: u64,
}

/// What becomes of something that knocks at a hindered machine's door.
pub(crate) enum Knock<W> {
    /// The machine takes it. A slow one is busy until this time, and is then to take the next.
    Enters(W, Option<u64>),
    /// It waits: the machine stands still.
    WaitsForPause,
    /// It waits: the machine is slow, and busy.
    WaitsItsTurn,
    /// The machine is down.
    Gone,
    /// As much waits as has room.
    NoRoom(W),
}

impl<W> Machine<W> {
    /// Machine `i` of a run: a client, or one of `nodes` replicas, which are still down.
    pub(crate) fn new(seed: u64, i: u32, nodes: u32) -> Self {
        Machine {
            incarnation: 0,
            up: i >= nodes,
            hindered: i < nodes,
            condition: Condition::default(),
            clock: Clock::default(),
            disk: DiskImage::default(),
            random: mix(seed, 0x4D41_4348 ^ u64::from(i) << 32),
            backlog: VecDeque::new(),
            busy_until: 0,
            syncs: 0,
        }
    }

    /// Whether it is down, stands still or is slow, so that [`Machine::knock`] has to be asked.
    #[inline]
    pub(crate) fn is_hindered(&self) -> bool {
        self.hindered
    }

    /// Whether its tasks may run.
    #[inline]
    pub(crate) fn may_run(&self) -> bool {
        !self.hindered || (self.up && !self.condition.paused)
    }

    /// Something comes to the door.
    pub(crate) fn knock(&mut self, now: u64, what: W) -> Knock<W>
    where
        W: Caller,
    {
        if !self.up {
            return Knock::Gone;
        }
        let Condition { paused, service_ns, room, .. } = self.condition;
        if !paused && service_ns == 0 {
            return Knock::Enters(what, None);
        }
        if !paused && self.busy_until <= now && self.backlog.is_empty() {
            return Knock::Enters(what, Some(self.take_turn(now)));
        }
        if what.may_be_lost() && room.is_some_and(|room| self.backlog.len() >= room as usize) {
            return Knock::NoRoom(what);
        }
        self.backlog.push_back(what);
        if paused { Knock::WaitsForPause } else { Knock::WaitsItsTurn }
    }

    /// A slow machine takes something: returns until when it is busy.
    fn take_turn(&mut self, now: u64) -> u64 {
        self.busy_until = now.saturating_add(self.condition.service_ns);
        self.busy_until
    }

    /// What a slow machine takes next, and until when it is then busy.
    pub(crate) fn serve(&mut self, now: u64, incarnation: u32) -> Option<(W, u64)> {
        let over = self.incarnation != incarnation || self.condition.service_ns == 0;
        if over || self.condition.paused || self.busy_until > now {
            return None;
        }
        let next = self.backlog.pop_front()?;
        Some((next, self.take_turn(now)))
    }

    /// All that waits at the door.
    pub(crate) fn take_backlog(&mut self) -> VecDeque<W> {
        self.busy_until = 0;
        std::mem::take(&mut self.backlog)
    }

    /// Its process is dead.
    pub(crate) fn take_down(&mut self) {
        self.up = false;
        self.hindered = true;
        self.incarnation += 1;
        self.backlog.clear();
        self.busy_until = 0;
    }

    /// Its process starts.
    pub(crate) fn bring_up(&mut self) {
        self.up = true;
        self.hindered = self.condition.paused || self.condition.service_ns > 0;
    }

    /// From now on it is in this condition; returns the one before.
    pub(crate) fn set_condition(&mut self, now: u64, after: Condition) -> Condition {
        let before = std::mem::replace(&mut self.condition, after);
        self.hindered = !self.up || after.paused || after.service_ns > 0;
        self.disk.set_full(after.disk_full);
        self.clock.set_offset(after.offset_ns);
        if after.ppb != before.ppb {
            self.clock.set_rate(now, after.ppb);
        }
        before
    }

    /// The number of the sync that begins, from 1.
    pub(crate) fn next_sync(&mut self) -> u64 {
        self.syncs += 1;
        self.syncs
    }
}
