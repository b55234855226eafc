//! One life of one data replica, without I/O: messages and ticks in, messages out.
//!
//! What goes out may say only what is on disk: [`keep`](super::keep) saves what is unsaved before it sends.

use std::collections::BTreeMap;

use squall::{
    Env, Failed,
    environment::{Address, RequestId},
};
use squall_checkers::{operation::Operation, value::Value};

use super::{
    Mistake, Mode, Part, Setup,
    log::{Log, Saved},
    message::{Entry, Message, Position, PrimaryState, Round, View, address},
};
use crate::sessions::Known;

/// So many ticks without an answer make a member suspect.
const SUSPECT_TICKS: u64 = 8;
/// A replica that lacks no more entries than this has caught up.
const READY_LAG: u64 = 8;
/// Entries in one message at most.
const ENTRIES_MAX: usize = 64;
/// A primary that may be alone must hear the view service as often as this, in ticks, or it serves no more.
const LEASE_TICKS: u64 = 8;

pub(super) struct Replica {
    setup: Setup,
    me: u32,
    /// The data replicas are `0..data`; the view service comes after them.
    data: u32,
    log: Log,
    commit: u64,
    /// The oldest epoch that may still be followed, and the one that is on disk.
    promised: u64,
    promised_saved: u64,
    /// The newest view heard of.
    view: View,
    /// Set while it is primary.
    primary: Option<Primary>,
    ticks: u64,
    /// When the view service was heard last.
    heard: u64,
    out: Vec<(Address, Message)>,
    observed: Option<(&'static str, u64)>,
}

/// What a primary keeps in mind.
struct Primary {
    /// Index of its first entry.
    first: u64,
    /// Whether the view service knows that all members have that: then it serves.
    confirmed: bool,
    peers: BTreeMap<u32, Peer>,
    /// Number of the last round of messages to the others.
    round: u64,
    /// Updates by their index: who waits for the reply.
    waiting: BTreeMap<RequestId, Address>,
    /// Reads that wait for an answer to this round from all members.
    reads: Vec<(u64, RequestId, Operation, Address)>,
}

#[derive(Clone, Copy)]
struct Peer {
    matched: u64,
    next: u64,
    /// The last one that it answered.
    round: Round,
    /// When it was heard last.
    heard: u64,
}

impl Peer {
    fn is_suspect(&self, ticks: u64) -> bool {
        ticks - self.heard > SUSPECT_TICKS
    }
}

impl Part for Replica {
    type Saved = Saved;

    fn unsaved(&mut self) -> Option<Saved> {
        if !self.log.is_dirty() && self.promised == self.promised_saved {
            return None;
        }
        self.promised_saved = self.promised;
        Some(self.log.unsaved(self.promised))
    }

    fn take_out(&mut self) -> Vec<(Address, Message)> {
        self.advance();
        std::mem::take(&mut self.out)
    }

    fn on_tick(&mut self) {
        self.ticks += 1;
        let state = self.primary_state();
        self.send(self.data, Message::Alive { primary: state });
        self.append_to_all();
    }

    fn on_message(&mut self, from: Address, message: Message) {
        match message {
            Message::Request { id, seen, operation } => self.on_request(from, id, seen, operation),
            Message::Open { id } => self.on_open(from, id),
            Message::Prepare { epoch } => self.on_prepare(epoch),
            Message::Announce { view, confirmed } => self.on_announce(view, confirmed),
            Message::Append { epoch, prev, entries, commit, round } => {
                self.on_append(from, epoch, prev, entries, commit, round);
            }
            Message::Appended { epoch, matched, length, round } => {
                self.on_appended(from.node.0, epoch, matched, length, round);
            }
            Message::Reply { .. } | Message::Redirect { .. } | Message::Alive { .. } | Message::Prepared { .. } => {}
        }
    }

    /// Shows role and epoch when they have changed.
    fn observe(&mut self, env: &Env) {
        let role = if self.serves() { "leader" } else { "follower" };
        let now = (role, self.view.epoch);
        let before = self.observed.replace(now);
        if before.is_none_or(|(_, epoch)| epoch != now.1) {
            env.observe("term", now.1 as i64);
        }
        if before.is_none_or(|(role, _)| role != now.0) {
            env.observe("role", now.0);
        }
    }
}

impl Replica {
    /// A replica that read these records from its disk.
    pub(super) fn new(setup: Setup, me: u32, data: u32, saved: Vec<Saved>) -> Self {
        let mut log = Log::new(setup.objects.clone());
        let promised = saved.iter().map(|saved| saved.promised).max().unwrap_or(0);
        for saved in saved {
            log.restore(saved);
        }
        Replica {
            setup,
            me,
            data,
            log,
            commit: 0,
            promised,
            promised_saved: promised,
            view: View::default(),
            primary: None,
            ticks: 0,
            heard: 0,
            out: Vec::new(),
            observed: None,
        }
    }

    fn on_request(&mut self, from: Address, id: RequestId, seen: Position, operation: Operation) {
        let read = self.log.look(&operation);
        if read.is_some() && self.setup.reads_anywhere() {
            return self.read_here(from, id, seen, &operation);
        }
        if !self.serves() {
            return self.redirect(from, id);
        }
        let Some(primary) = &mut self.primary else { return };
        if read.is_some() {
            primary.reads.push((primary.round + 1, id, operation, from));
            return self.append_to_all();
        }
        if self.log.at(seen.index) != Some(seen) {
            return self.refuse(from, id);
        }
        match self.log.known(id) {
            Known::Over => return,
            Known::Done(result) => {
                let at = self.log.applied();
                return self.out.push((from, Message::Reply { id, result, at }));
            }
            Known::New => {}
        }
        if primary.waiting.insert(id, from).is_none() {
            self.log.push(self.view.epoch, Some((id, operation)));
            self.append_to_all();
        }
    }

    /// A session begins: it will see what has been committed so far.
    fn on_open(&mut self, from: Address, id: RequestId) {
        if !self.serves() {
            return self.redirect(from, id);
        }
        let at = self.log.applied();
        self.out.push((from, Message::Reply { id, result: Ok(Value::Nil), at }));
    }

    /// Sends a client to the primary. Where there is none, the client asks again.
    fn redirect(&mut self, from: Address, id: RequestId) {
        let primary = self.view.primary;
        if self.view.epoch > 0 && primary != self.me {
            self.out.push((from, Message::Redirect { id, to: primary }));
        }
    }

    /// A read where the session is pinned: from here, once all is here that the session has seen.
    fn read_here(&mut self, from: Address, id: RequestId, seen: Position, operation: &Operation) {
        let applied = self.log.applied();
        if !self.setup.is(Mistake::SessionForgotten) && !self.setup.is(Mistake::ReadsAtBackups) {
            if seen.index > applied.index {
                return; // Perhaps it is on its way; the client asks again.
            }
            if self.log.at(seen.index) != Some(seen) {
                return self.refuse(from, id);
            }
        }
        let result = self.log.look(operation).ok_or_else(|| Failed::No(format!("`{operation}` is no read")));
        self.out.push((from, Message::Reply { id, result, at: applied }));
    }

    /// What the session has seen is gone, and nobody can say what it would see in its place.
    fn refuse(&mut self, from: Address, id: RequestId) {
        let why = "what this session has seen was lost at a failover".to_owned();
        self.out.push((from, Message::Reply { id, result: Err(Failed::Unknown(why)), at: Position::default() }));
    }

    fn on_prepare(&mut self, epoch: u64) {
        if epoch < self.promised {
            return;
        }
        self.follow(epoch);
        if self.view.epoch < epoch {
            self.primary = None;
        }
        self.send(self.data, Message::Prepared { epoch, last: self.log.last() });
    }

    fn on_announce(&mut self, view: View, confirmed: bool) {
        self.heard = self.ticks;
        if view.epoch < self.promised || view.epoch < self.view.epoch {
            return;
        }
        self.follow(view.epoch);
        let is_new = view.epoch > self.view.epoch || self.primary.is_none();
        self.view = view;
        if self.view.primary != self.me {
            self.primary = None;
            return;
        }
        if is_new {
            let first = self.log.push(self.view.epoch, None);
            let peer = Peer { matched: 0, next: first, round: Round::default(), heard: self.ticks };
            let peers = (0..self.data).filter(|peer| *peer != self.me).map(|id| (id, peer)).collect();
            self.primary =
                Some(Primary { first, confirmed: false, peers, round: 0, waiting: BTreeMap::new(), reads: Vec::new() });
            self.append_to_all();
        }
        if let Some(primary) = &mut self.primary {
            primary.confirmed |= confirmed;
        }
    }

    fn on_append(&mut self, from: Address, epoch: u64, prev: Position, entries: Vec<Entry>, commit: u64, round: Round) {
        if epoch < self.promised {
            // Of no round: it is no answer in the epoch that is promised.
            let length = self.log.length();
            let message = Message::Appended { epoch: self.promised, matched: None, length, round: Round::default() };
            return self.out.push((from, message));
        }
        if epoch == self.view.epoch && self.primary.is_some() {
            return; // Its own epoch: nobody else writes in it.
        }
        self.primary = None;
        self.follow(epoch);
        let matched = prev.index + entries.len() as u64;
        let matched = self.log.accept(prev, entries).then_some(matched);
        if let Some(matched) = matched {
            self.commit_to(commit.min(matched));
        }
        self.out.push((from, Message::Appended { epoch, matched, length: self.log.length(), round }));
    }

    fn on_appended(&mut self, peer: u32, epoch: u64, matched: Option<u64>, length: u64, round: Round) {
        if epoch > self.view.epoch {
            self.follow(epoch);
            self.primary = None;
            return;
        }
        let Some(primary) = self.primary.as_mut().filter(|_| epoch == self.view.epoch) else { return };
        let Some(peer) = primary.peers.get_mut(&peer) else { return };
        peer.heard = self.ticks;
        peer.round = peer.round.max(round);
        match matched {
            Some(matched) => {
                peer.matched = peer.matched.max(matched);
                peer.next = peer.next.max(peer.matched + 1);
            }
            // Back to what it may have, but not behind what it has.
            None => peer.next = peer.next.saturating_sub(1).min(length + 1).max(peer.matched + 1),
        }
    }

    fn follow(&mut self, epoch: u64) {
        self.promised = self.promised.max(epoch);
    }

    /// Whether it is a primary that clients may ask.
    fn serves(&self) -> bool {
        // Nothing else stops one that is cut off where nobody's answer is waited for.
        let leased = self.setup.mode != Mode::Async || self.ticks - self.heard <= LEASE_TICKS;
        leased && self.primary.as_ref().is_some_and(|primary| primary.confirmed)
    }

    /// Answers what can be answered now that all of the log is on disk.
    fn advance(&mut self) {
        let Some(primary) = self.primary.as_ref().filter(|primary| primary.confirmed) else { return };
        let mut matched: Vec<u64> = match self.setup.mode {
            Mode::Async => Vec::new(),
            Mode::SemiSync => primary.peers.values().map(|peer| peer.matched).collect(),
            Mode::Sync => self.members(primary).map(|peer| peer.matched).collect(),
        };
        matched.push(self.log.length());
        matched.sort_unstable();
        let copies = match self.setup.mode {
            Mode::Async => 1,
            Mode::SemiSync => matched.len().min(2),
            Mode::Sync => matched.len(),
        };
        let commit = matched[matched.len() - copies];
        // Entries of earlier primaries count by the first of this one only: a copy of one may still be overwritten.
        if commit >= primary.first {
            self.commit_to(commit);
        }
        let Some(primary) = &self.primary else { return };
        let round = self.members(primary).map(|peer| peer.round).min();
        let Some(primary) = self.primary.as_mut().filter(|primary| self.commit >= primary.first) else { return };
        let first = primary.first;
        let answered = |number: u64| round.is_none_or(|round| Round { first, number } <= round);
        for (_, id, operation, to) in primary.reads.extract_if(.., |(asked, ..)| answered(*asked)) {
            let result = self.log.look(&operation).ok_or_else(|| Failed::No(format!("`{operation}` is no read")));
            self.out.push((to, Message::Reply { id, result, at: self.log.applied() }));
        }
    }

    /// The peers without whose answer nothing is sure.
    fn members<'a>(&'a self, primary: &'a Primary) -> impl Iterator<Item = &'a Peer> {
        let (members, ticks) = (&self.view.members, self.ticks);
        let alone = self.setup.is(Mistake::NotFenced);
        let peers = primary.peers.iter().filter(move |(id, _)| members.contains(id)).map(|(_, peer)| peer);
        peers.filter(move |peer| !(alone && peer.is_suspect(ticks)))
    }

    fn commit_to(&mut self, commit: u64) {
        self.commit = self.commit.max(commit);
        let (primary, out) = (&mut self.primary, &mut self.out);
        self.log.apply(commit, |id, reply, at| {
            let to = primary.as_mut().and_then(|primary| primary.waiting.remove(&id));
            if let (Some(to), Some(result)) = (to, reply) {
                out.push((to, Message::Reply { id, result, at }));
            }
        });
    }

    fn append_to_all(&mut self) {
        let Some(primary) = &mut self.primary else { return };
        primary.round += 1;
        for (id, peer) in &primary.peers {
            let prev = self.log.at(peer.next - 1).expect("no peer is further than its primary");
            let entries = self.log.after(peer.next - 1, ENTRIES_MAX).to_vec();
            let (epoch, round) = (self.view.epoch, Round { first: primary.first, number: primary.round });
            let message = Message::Append { epoch, prev, entries, commit: self.commit, round };
            self.out.push((address(*id), message));
        }
    }

    fn primary_state(&self) -> Option<PrimaryState> {
        let primary = self.primary.as_ref()?;
        let is_member = |id: &u32| self.view.members.contains(id);
        let caught_up = |peer: &Peer| peer.matched + READY_LAG >= self.log.length() && !peer.is_suspect(self.ticks);
        let of = |wanted: &dyn Fn(&u32, &Peer) -> bool| {
            primary.peers.iter().filter(|(id, peer)| wanted(id, peer)).map(|(id, _)| *id).collect()
        };
        Some(PrimaryState {
            epoch: self.view.epoch,
            synced: self.members(primary).all(|peer| peer.matched >= primary.first) || self.setup.mode != Mode::Sync,
            ready: of(&|id, peer| !is_member(id) && caught_up(peer)),
            suspects: of(&|id, peer| is_member(id) && peer.is_suspect(self.ticks)),
        })
    }

    fn send(&mut self, to: u32, message: Message) {
        self.out.push((address(to), message));
    }
}

#[cfg(test)]
mod tests;
