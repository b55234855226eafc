//! One life of the view service, without I/O: it decides who is primary, and remembers it.
//!
//! A view begins with an election: replicas promise to follow no older epoch and say how far their logs go, and of enough of
//! them the furthest becomes primary. Where all members must have an update, only members of the last view that is known to
//! have served are asked (as in Lin et al., "`PacificA`", 2008); where two copies suffice, all but one replica must answer, so that
//! one of them has every update that was acknowledged.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use squall::environment::Address;

use super::{
    Mistake, Mode, Part, Setup,
    message::{Message, Position, PrimaryState, View, address},
};

/// So many ticks of silence, and the primary is taken for dead.
const DEAD_TICKS: u64 = 12;
/// So long an election waits for those who have not answered, if enough have.
const ELECTION_TICKS: u64 = 4;
/// Members change no more often than this.
const CHANGE_TICKS: u64 = 10;

/// What the view service remembers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Memory {
    /// The last epoch that was given to anything.
    epoch: u64,
    view: View,
    /// The last view that may have served.
    served: View,
}

pub(super) struct Views {
    setup: Setup,
    data: u32,
    memory: Memory,
    is_saved: bool,
    election: Option<Election>,
    ticks: u64,
    /// When the primary was heard last, and when the members last changed.
    heard: u64,
    changed: u64,
    out: Vec<(Address, Message)>,
}

struct Election {
    began: u64,
    /// Who has promised, in the order of their answers, and how far their logs go.
    promised: Vec<(u32, Position)>,
}

impl Part for Views {
    type Saved = Memory;

    fn unsaved(&mut self) -> Option<Memory> {
        (!std::mem::replace(&mut self.is_saved, true)).then(|| self.memory.clone())
    }

    fn take_out(&mut self) -> Vec<(Address, Message)> {
        std::mem::take(&mut self.out)
    }

    fn on_tick(&mut self) {
        self.ticks += 1;
        let alone = self.memory.view.epoch == 0 || self.ticks - self.heard > DEAD_TICKS;
        if self.election.is_none() && alone {
            self.memory.epoch += 1;
            self.is_saved = false;
            self.election = Some(Election { began: self.ticks, promised: Vec::new() });
        }
        if self.election.is_some() {
            let epoch = self.memory.epoch;
            self.out.extend((0..self.data).map(|replica| (address(replica), Message::Prepare { epoch })));
            self.conclude();
        }
    }

    fn on_message(&mut self, from: Address, message: Message) {
        match message {
            Message::Alive { primary } => self.on_alive(from, primary),
            Message::Prepared { epoch, last } if epoch == self.memory.epoch => {
                if let Some(election) = &mut self.election
                    && election.promised.iter().all(|(replica, _)| *replica != from.node.0)
                {
                    election.promised.push((from.node.0, last));
                }
            }
            _ => {}
        }
    }
}

impl Views {
    /// The service of so many data replicas that remembers this.
    pub(super) fn new(setup: Setup, data: u32, memory: Option<Memory>) -> Self {
        let all = View { epoch: 0, primary: 0, members: (0..data).collect() };
        let is_saved = memory.is_some();
        let memory = memory.unwrap_or(Memory { epoch: 0, view: all.clone(), served: all });
        Views { setup, data, memory, is_saved, election: None, ticks: 0, heard: 0, changed: 0, out: Vec::new() }
    }

    fn on_alive(&mut self, from: Address, primary: Option<PrimaryState>) {
        if self.election.is_some() || self.memory.view.epoch == 0 {
            return;
        }
        // A primary that has promised another epoch never becomes one of this, however alive it is.
        let state = primary.filter(|state| state.epoch == self.memory.view.epoch);
        if let Some(state) = state.filter(|_| from.node.0 == self.memory.view.primary) {
            self.heard = self.ticks;
            self.hear_primary(&state);
        }
        let confirmed = self.memory.served == self.memory.view;
        self.out.push((from, Message::Announce { view: self.memory.view.clone(), confirmed }));
    }

    fn hear_primary(&mut self, state: &PrimaryState) {
        if state.synced && self.memory.served != self.memory.view {
            self.memory.served = self.memory.view.clone();
            self.is_saved = false;
        }
        if self.setup.mode != Mode::Sync || self.ticks - self.changed < CHANGE_TICKS {
            return;
        }
        let view = &self.memory.view;
        let stay = view.members.iter().filter(|member| !state.suspects.contains(member));
        // Nobody joins a view that may not have what was acknowledged before.
        let join = state.ready.iter().filter(|_| self.memory.served == *view);
        let mut members: Vec<u32> = stay.chain(join).copied().collect();
        members.sort_unstable();
        if members != view.members {
            let primary = view.primary;
            self.begin(primary, members);
        }
    }

    /// Ends the election if enough replicas have answered.
    fn conclude(&mut self) {
        let Some(election) = &self.election else { return };
        let asked: Vec<u32> = match self.setup.mode {
            Mode::Sync => self.memory.served.members.clone(),
            Mode::Async | Mode::SemiSync => (0..self.data).collect(),
        };
        let fit: BTreeMap<u32, Position> =
            election.promised.iter().filter(|(replica, _)| asked.contains(replica)).copied().collect();
        let enough = match self.setup.mode {
            Mode::SemiSync => self.data as usize - 1,
            Mode::Async | Mode::Sync => 1,
        };
        let is_late = self.ticks - election.began >= ELECTION_TICKS;
        if fit.len() < enough.max(1) || (fit.len() < asked.len() && !is_late) {
            return;
        }
        let furthest = fit.iter().max_by_key(|(_, last)| **last).map(|(replica, _)| *replica);
        let least = fit.iter().min_by_key(|(_, last)| **last).map(|(replica, _)| *replica);
        let chosen = if self.setup.is(Mistake::LaggingPromoted) { least } else { furthest };
        let Some(primary) = chosen else { return };
        let members = match self.setup.mode {
            Mode::Sync => fit.into_keys().collect(),
            Mode::Async | Mode::SemiSync => asked,
        };
        self.election = None;
        self.memory.epoch -= 1; // `begin` takes the epoch that was promised.
        self.begin(primary, members);
    }

    fn begin(&mut self, primary: u32, members: Vec<u32>) {
        self.memory.epoch += 1;
        self.memory.view = View { epoch: self.memory.epoch, primary, members };
        self.is_saved = false;
        (self.heard, self.changed) = (self.ticks, self.ticks);
    }
}
