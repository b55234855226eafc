//! One life of one member, without I/O: data and time in, data out. The protocol is foca's; here are its timers.

use std::{
    collections::{BTreeMap, BTreeSet},
    num::{NonZeroU8, NonZeroUsize},
    time::Duration,
};

use foca::{
    AccumulatingRuntime, Config, Foca, Identity, NoCustomBroadcast, OwnedNotification, PeriodicParams, PostcardCodec,
    Timer,
};
use rand_xoshiro::{Xoshiro256PlusPlus, rand_core::SeedableRng};
use serde::{Deserialize, Serialize};
use squall::{Env, Reply};
use squall_checkers::operation::Operation;

use super::Mistake;

/// A member as the others know it: of one node the later start, and of one start the later renewal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Member {
    node: u32,
    start: u32,
    renewal: u32,
    /// Whether it may take another identity when it was declared dead.
    renews: bool,
}

impl Identity for Member {
    type Addr = u32;

    fn renew(&self) -> Option<Self> {
        self.renews.then(|| Member { renewal: self.renewal + 1, ..self.clone() })
    }

    fn addr(&self) -> u32 {
        self.node
    }

    fn win_addr_conflict(&self, adversary: &Self) -> bool {
        (self.start, self.renewal) > (adversary.start, adversary.renewal)
    }
}

/// How often a member asks to be taken in.
const JOIN_PERIOD: Duration = Duration::from_millis(500);

pub(super) struct Agent {
    foca: Foca<Member, PostcardCodec, Xoshiro256PlusPlus, NoCustomBroadcast>,
    runtime: AccumulatingRuntime<Member>,
    me: u32,
    nodes: u32,
    /// What is due when; of what is due at one time, foca's own order, then that of asking.
    timers: BTreeMap<(Duration, u64), Timer<Member>>,
    timers_set: u64,
    next_join: Duration,
    /// Whether somebody has spoken to it under the identity that it has.
    is_in: bool,
}

impl Agent {
    /// A member that starts for the `start`th time.
    pub(super) fn new(env: &Env, mistake: Option<Mistake>, start: u32) -> Self {
        let renews = mistake != Some(Mistake::IdentityKept);
        let me = Member { node: env.me().0, start, renewal: 0, renews };
        let rng = Xoshiro256PlusPlus::seed_from_u64(env.random());
        let mut agent = Agent {
            foca: Foca::new(me, config(mistake), rng, PostcardCodec),
            runtime: AccumulatingRuntime::new(),
            me: env.me().0,
            nodes: env.node_count(),
            timers: BTreeMap::new(),
            timers_set: 0,
            next_join: env.monotonic(),
            is_in: false,
        };
        agent.on_time(env.monotonic());
        agent
    }

    /// What there is to send, and to whom.
    pub(super) fn take_out(&mut self) -> Vec<(u32, Vec<u8>)> {
        std::iter::from_fn(|| self.runtime.to_send()).map(|(to, data)| (to.node, data.to_vec())).collect()
    }

    /// When [`Agent::on_time`] wants to be called.
    pub(super) fn next_due(&self) -> Duration {
        self.timers.first_key_value().map_or(self.next_join, |((due, _), _)| self.next_join.min(*due))
    }

    /// Data from another member came. What it does not understand it ignores, as what it may not hear any more.
    pub(super) fn on_data(&mut self, now: Duration, data: &[u8]) {
        drop(self.foca.handle_data(data, &mut self.runtime));
        self.set_timers(now);
    }

    /// Time has passed.
    pub(super) fn on_time(&mut self, now: Duration) {
        let later = self.timers.split_off(&(now, u64::MAX));
        let mut due: Vec<_> = std::mem::replace(&mut self.timers, later).into_values().collect();
        due.sort();
        for timer in due {
            // A probe that a pause has cut short is given up; the next one comes.
            drop(self.foca.handle_timer(timer, &mut self.runtime));
        }
        if now >= self.next_join {
            self.next_join = now + JOIN_PERIOD;
            self.join();
        }
        self.set_timers(now);
    }

    /// Whether the member that is asked for is held alive.
    pub(super) fn answer(&self, operation: &Operation) -> Result<Reply, String> {
        let node = operation.key.as_int().filter(|node| (0..i64::from(self.nodes)).contains(node));
        let node = node.filter(|_| operation.f == "read").ok_or_else(|| {
            format!("members are 0 to {}, and can be read: `{operation}` is of no use", self.nodes - 1)
        })?;
        let held_alive = self.foca.iter_members().any(|member| i64::from(member.id().node) == node);
        Ok((held_alive || node == i64::from(self.me)).into())
    }

    /// Asks to be taken in: by all while it is not, and then by those of which it knows nothing, neither that they live nor that
    /// they died. Foca leaves both to who uses it.
    ///
    /// * Where all take new identities at once, as after a partition in which each half has declared the other dead, each speaks
    ///   to the old identity of the others, which nobody answers to any more, and foca is silent until it is spoken to.
    /// * Where all start again while they are cut off in two halves, each half finds its own, and neither looks for the other.
    fn join(&mut self) {
        let known: BTreeSet<u32> = if self.is_in {
            self.foca.iter_membership_state().map(|member| member.id().node).collect()
        } else {
            BTreeSet::new()
        };
        for node in (0..self.nodes).filter(|node| *node != self.me && !known.contains(node)) {
            let peer = Member { node, start: 0, renewal: 0, renews: false };
            drop(self.foca.announce(peer, &mut self.runtime));
        }
    }

    fn set_timers(&mut self, now: Duration) {
        while let Some((after, timer)) = self.runtime.to_schedule() {
            self.timers_set += 1;
            self.timers.insert((now + after, self.timers_set), timer);
        }
        while let Some(notification) = self.runtime.to_notify() {
            match notification {
                OwnedNotification::Active => self.is_in = true,
                OwnedNotification::Idle | OwnedNotification::Rejoin(_) | OwnedNotification::Defunct => {
                    self.is_in = false;
                }
                _ => {}
            }
        }
    }
}

/// Foca's settings for a quick network: a crashed member is held dead within two seconds or so.
fn config(mistake: Option<Mistake>) -> Config {
    let every = |ms, members| {
        let num_members = NonZeroUsize::new(members).expect("not 0");
        Some(PeriodicParams { frequency: Duration::from_millis(ms), num_members })
    };
    let silent = mistake == Some(Mistake::NoWordToTheDead);
    Config {
        probe_period: Duration::from_millis(300),
        probe_rtt: Duration::from_millis(100),
        max_transmissions: NonZeroU8::new(8).expect("not 0"),
        suspect_to_down_after: Duration::from_millis(900),
        notify_down_members: !silent,
        periodic_announce: every(1_000, 1),
        periodic_announce_to_down_members: if silent { None } else { every(500, 2) },
        periodic_gossip: every(200, 2),
        ..Config::simple()
    }
}
