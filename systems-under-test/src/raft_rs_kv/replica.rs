//! One life of one replica: raft-rs between the network, the journal and the state machine.

mod members;

use std::{collections::BTreeMap, io};

use raft::{
    Config, RawNode, Ready, SnapshotStatus, StateRole,
    eraftpb::{Entry, EntryType, Message, MessageType},
};
use squall::{
    environment::{self, Checked, Reply, RequestId},
    plan::NodeId,
};
use squall_checkers::operation::Operation;

use super::{
    Mistake, RaftRsKv,
    saved::{Saved, recover},
    storage::Storage,
    torn,
    wire::Wire,
};
use crate::{
    journal::Journal,
    objects::Objects,
    sessions::{Known, Sessions, decode, encode},
};

type Context<'a> = environment::Context<'a, RaftRsKv>;

const ELECTION_TICKS: usize = 10;
const HEARTBEAT_TICKS: usize = 2;

/// After so many applied entries the log is replaced by a snapshot. Small, so that short runs see snapshots too.
const COMPACT_AFTER: u64 = 64;

/// Bytes of entries in one message at most.
const MESSAGE_BYTES_MAX: u64 = 64 << 10;

/// How many ticks lie between syncs that nobody waits for.
const LAZY_SYNC_TICKS: u64 = 20;

pub(super) struct Replica {
    mistake: Option<Mistake>,
    raft: RawNode<Storage>,
    journal: Journal<Persisted>,
    /// The state machine, and the index of the last entry it has applied.
    store: Sessions,
    applied: u64,
    /// Updates proposed here, with the term they were proposed in; answered when they are applied.
    proposed: BTreeMap<RequestId, u64>,
    /// The change of members that was proposed here, by its index and term; answered when it is applied.
    changing: Option<(u64, u64, RequestId)>,
    /// Reads whose index is being confirmed by a majority, by the context they were given.
    asked: BTreeMap<u64, (RequestId, Operation)>,
    /// Reads that may be answered once the index is applied.
    confirmed: Vec<(u64, RequestId, Operation)>,
    /// Reads by mistake not answered at once, with what they would have been.
    torn: Vec<(RequestId, Operation, Reply)>,
    /// Unique to this attempt, so that no answer to another one confirms it.
    next_context: u64,
    ticks: u64,
    /// Ticks without a leader after which there is an election; drawn anew with each change of term or role.
    election_timeout: usize,
    observed: (StateRole, u64, u64),
}

/// What waits for the journal: a `Ready` of raft-rs, and the messages that vouch for it.
#[derive(Debug)]
struct Persisted {
    number: u64,
    messages: Vec<Message>,
}

impl Replica {
    /// Recovers from the disk. An error means that the disk cannot be trusted.
    pub(super) fn start(mistake: Option<Mistake>, objects: &Objects, cx: &mut Context<'_>) -> Result<Self, String> {
        let voters: Vec<u64> = (1..=u64::from(cx.node_count())).collect();
        let records = Journal::<()>::read(cx.disk()).map_err(|e| e.to_string())?;
        let storage = recover(&records, &voters)?;
        let applied = storage.snapshot().get_metadata().index;
        let store = if applied == 0 { Sessions::of(objects.clone()) } else { restore(&storage.snapshot().data)? };
        let mut journal = Journal::new();
        journal
            .replace([checkpoint(mistake, &storage)], cx)
            .map_err(|e| format!("the journal cannot be rewritten: {e}"))?;
        // Check-quorum would soon depose a leader that is cut off, and with it the stale reads. A replica back in term 0 must not
        // be asked for a pre-vote: raft-rs panics at an answer of term 0.
        let check_quorum = !matches!(mistake, Some(Mistake::LeaderLocalRead | Mistake::HardStateNotPersisted));
        let pre_vote = mistake != Some(Mistake::HardStateNotPersisted);
        let config = Config {
            id: id(cx.me()),
            election_tick: ELECTION_TICKS,
            heartbeat_tick: HEARTBEAT_TICKS,
            applied,
            max_size_per_msg: MESSAGE_BYTES_MAX,
            check_quorum,
            pre_vote,
            ..Config::default()
        };
        let logger = slog::Logger::root(slog::Discard, slog::o!());
        let raft = RawNode::new(&config, storage, &logger).map_err(|e| e.to_string())?;
        let mut replica = Replica {
            mistake,
            raft,
            journal,
            store,
            applied,
            proposed: BTreeMap::new(),
            changing: None,
            asked: BTreeMap::new(),
            confirmed: Vec::new(),
            torn: Vec::new(),
            next_context: cx.random(),
            ticks: 0,
            election_timeout: 0,
            observed: (StateRole::Follower, u64::MAX, u64::MAX),
        };
        replica.draw_election_timeout(cx);
        replica.observe(cx);
        Ok(replica)
    }

    pub(super) fn on_tick(&mut self, cx: &mut Context<'_>) -> Result<(), String> {
        if !self.journal.is_open() {
            return Ok(());
        }
        self.ticks += 1;
        if self.mistake == Some(Mistake::AckBeforeFsync) && self.ticks.is_multiple_of(LAZY_SYNC_TICKS) {
            self.journal.flush(cx);
        }
        for (request, operation, early) in std::mem::take(&mut self.torn) {
            let late = self.store.look(&operation).unwrap_or_default();
            cx.reply(request, Ok(torn::join(early, late)));
        }
        self.raft.tick();
        self.advance(cx)
    }

    pub(super) fn on_message(&mut self, from: NodeId, wire: &Wire, cx: &mut Context<'_>) -> Result<(), String> {
        let Some(mut message) = wire.decode().filter(|m| m.from == id(from)) else { return Ok(()) };
        if !self.journal.is_open() {
            return Ok(());
        }
        if self.is_contradicted(&message) {
            return Err("a leader contradicts what was committed here".to_owned());
        }
        let forgets = matches!(self.mistake, Some(Mistake::AckBeforeFsync | Mistake::MembersAtOnce));
        if forgets && message.get_msg_type() == MessageType::MsgHeartbeat {
            // A leader may know of entries that a power loss took from us after we had acknowledged them, or take what another one
            // committed for its own. raft-rs panics at such a heartbeat, which would hide what the mistake does to clients.
            message.commit = message.commit.min(self.raft.raft.raft_log.last_index());
        }
        // Errors are messages of strangers and of other terms; to raft they are as good as lost.
        let _ = self.raft.step(message);
        self.advance(cx)
    }

    pub(super) fn on_synced(&mut self, token: u64, result: io::Result<()>, cx: &mut Context<'_>) -> Result<(), String> {
        self.journal.on_synced(token, result, cx).map_err(|e| format!("the journal cannot be synced: {e}"))?;
        self.advance(cx)
    }

    pub(super) fn on_request(
        &mut self,
        request: RequestId,
        operation: Operation,
        cx: &mut Context<'_>,
    ) -> Result<(), String> {
        if !self.journal.is_open() {
            return Ok(());
        }
        let seen = self.store.look(&operation);
        if seen.is_none() {
            match self.store.known(request) {
                Known::New => {}
                // What is applied is committed: any replica may say so.
                Known::Done(reply) => {
                    cx.reply(request, reply);
                    return Ok(());
                }
                Known::Over => return Ok(()),
            }
        }
        let raft = &self.raft.raft;
        if raft.state != StateRole::Leader {
            if let Some(leader) = node(raft.leader_id) {
                cx.redirect(request, leader);
            }
            return Ok(()); // Without a leader: the client asks again.
        }
        let Some(seen) = seen else {
            self.propose(request, &operation);
            return self.advance(cx);
        };
        if self.mistake == Some(Mistake::LeaderLocalRead) {
            cx.reply(request, Ok(seen));
        } else if raft.commit_to_current_term() {
            self.next_context = self.next_context.wrapping_add(1);
            self.asked.insert(self.next_context, (request, operation));
            self.raft.read_index(self.next_context.to_be_bytes().to_vec());
        }
        self.advance(cx)
    }

    fn propose(&mut self, request: RequestId, operation: &Operation) {
        let term = self.raft.raft.term;
        if self.proposed.get(&request) == Some(&term) {
            return; // The client asks again; its first request is on its way.
        }
        if self.raft.propose(Vec::new(), encode(request, operation)).is_ok() {
            self.proposed.insert(request, term);
        }
    }

    /// Carries out all that raft-rs has ready. Called after every input.
    fn advance(&mut self, cx: &mut Context<'_>) -> Result<(), String> {
        loop {
            while self.raft.has_ready() {
                let ready = self.raft.ready();
                self.handle(ready, cx)?;
                self.step_down_if_removed();
            }
            let next = match self.mistake {
                Some(Mistake::AckBeforeFsync) => self.journal.next_undurable(),
                _ => self.journal.next_durable(),
            };
            let Some(persisted) = next else { break };
            self.send(persisted.messages, cx);
            self.raft.on_persist_ready(persisted.number);
            self.tell_applied();
        }
        if self.raft.raft.state != StateRole::Leader {
            self.asked.clear(); // Nobody will confirm them.
            self.changing = None;
        }
        for (_, request, operation) in self.confirmed.extract_if(.., |(index, ..)| *index <= self.applied) {
            let seen = self.store.look(&operation).ok_or_else(|| format!("`{operation}` is no read any more"))?;
            if self.mistake == Some(Mistake::TornReads) && torn::has_halves(&operation, &seen) {
                self.torn.push((request, operation, seen));
            } else {
                cx.reply(request, Ok(seen));
            }
        }
        self.compact(cx)?;
        if self.mistake != Some(Mistake::AckBeforeFsync) {
            self.journal.flush(cx);
        }
        self.draw_election_timeout(cx);
        self.observe(cx);
        Ok(())
    }

    fn handle(&mut self, mut ready: Ready, cx: &mut Context<'_>) -> Result<(), String> {
        let storage = self.raft.mut_store();
        if let Some(hard_state) = ready.hs() {
            storage.hard_state = hard_state.clone();
        }
        let installs = !ready.snapshot().is_empty();
        if installs {
            storage.install(ready.snapshot().clone());
        }
        if ready.must_sync() {
            let mut saved = Saved::of_entries(&storage.hard_state, ready.entries());
            if installs {
                saved = saved.with_snapshot(storage);
            }
            if self.mistake == Some(Mistake::HardStateNotPersisted) {
                saved = saved.without_hard_state();
            }
            self.journal
                .append(&saved.encode(), cx.disk())
                .map_err(|e| format!("the journal cannot be written: {e}"))?;
        }
        if installs {
            self.applied = ready.snapshot().get_metadata().index;
            self.store = restore(&ready.snapshot().data)?;
        }
        storage.append(ready.entries())?;
        let sent = ready.take_messages();
        for read in ready.take_read_states() {
            let context = read.request_ctx.try_into().map_or(0, u64::from_be_bytes);
            if let Some((request, operation)) = self.asked.remove(&context) {
                self.confirmed.push((read.index, request, operation));
            }
        }
        for entry in ready.take_committed_entries() {
            self.apply(&entry, cx)?;
        }
        let messages = ready.take_persisted_messages();
        self.journal.when_durable(Persisted { number: ready.number(), messages });
        self.raft.advance_append_async(ready);
        self.tell_applied();
        self.send(sent, cx);
        Ok(())
    }

    fn apply(&mut self, entry: &Entry, cx: &mut Context<'_>) -> Result<(), String> {
        self.applied = entry.index;
        if entry.entry_type == EntryType::EntryConfChange {
            return self.apply_change(entry, cx);
        }
        if entry.data.is_empty() {
            return Ok(()); // A new leader's first entry.
        }
        let (request, operation) = decode(&entry.data)?;
        let reply = self.store.apply(request, &operation);
        if let (Some(_), Some(reply)) = (self.proposed.remove(&request), reply) {
            cx.reply(request, reply);
        }
        Ok(())
    }

    fn tell_applied(&mut self) {
        let log = &self.raft.raft.raft_log;
        let upto = self.applied.min(log.committed).min(log.persisted);
        if upto > log.applied {
            self.raft.advance_apply_to(upto);
        }
    }

    fn send(&mut self, messages: Vec<Message>, cx: &mut Context<'_>) {
        for message in messages {
            if let Some(to) = node(message.to) {
                cx.send(to, Checked(Wire::encode(&message)));
            }
            if message.get_msg_type() == MessageType::MsgSnapshot {
                // Whether it arrives we do not learn here; the next probe does.
                self.raft.report_snapshot(message.to, SnapshotStatus::Finish);
            }
        }
    }

    /// Replaces the log by a snapshot when it has grown enough.
    fn compact(&mut self, cx: &mut Context<'_>) -> Result<(), String> {
        let log = &self.raft.raft.raft_log;
        let index = log.applied;
        if !self.journal.is_settled() || self.applied != index {
            return Ok(());
        }
        let storage = self.raft.mut_store();
        // A replica that comes back takes no snapshot in which it is no member.
        if index < storage.snapshot().get_metadata().index + COMPACT_AFTER && !storage.has_old_members() {
            return Ok(());
        }
        let term = raft::Storage::term(storage, index).map_err(|e| e.to_string())?;
        let data = postcard::to_stdvec(&self.store).map_err(|e| e.to_string())?;
        storage.compact(storage.snapshot_at(index, term, data));
        let checkpoint = checkpoint(self.mistake, storage);
        self.journal.replace([checkpoint], cx).map_err(|e| format!("the journal cannot be rewritten: {e}"))
    }

    /// raft-rs draws from the thread's own generator, in which no seed has a say. It does so where the term or the role changes,
    /// and looks at the result at a later tick only. Drawn here as rarely: were each input to draw, one request more or less
    /// would change every election that follows.
    fn draw_election_timeout(&mut self, cx: &mut Context<'_>) {
        let raft = &mut self.raft.raft;
        if self.election_timeout == 0 || (raft.state, raft.term) != (self.observed.0, self.observed.1) {
            self.election_timeout = ELECTION_TICKS + cx.random_below(ELECTION_TICKS as u64) as usize;
        }
        raft.set_randomized_election_timeout(self.election_timeout);
    }

    fn observe(&mut self, cx: &mut Context<'_>) {
        let raft = &self.raft.raft;
        let (role, term, commit) = (raft.state, raft.term, raft.raft_log.committed);
        let before = std::mem::replace(&mut self.observed, (role, term, commit));
        if before.1 != term {
            cx.observe("term", term as i64);
        }
        if before.0 != role || before.1 == u64::MAX {
            let role = match role {
                StateRole::Leader => "leader",
                StateRole::Follower => "follower",
                StateRole::Candidate | StateRole::PreCandidate => "candidate",
            };
            cx.observe("role", role);
        }
        if before.2 != commit {
            cx.observe("commit", commit as i64);
        }
    }
}

/// The record that says all of a storage.
fn checkpoint(mistake: Option<Mistake>, storage: &Storage) -> Vec<u8> {
    let saved = Saved::of_all(storage);
    if mistake == Some(Mistake::HardStateNotPersisted) { saved.without_hard_state().encode() } else { saved.encode() }
}

fn restore(snapshot: &[u8]) -> Result<Sessions, String> {
    postcard::from_bytes(snapshot).map_err(|e| format!("a snapshot does not decode: {e}"))
}

/// raft-rs counts from 1; 0 is nobody.
fn id(node: NodeId) -> u64 {
    u64::from(node.0) + 1
}

fn node(id: u64) -> Option<NodeId> {
    id.checked_sub(1).map(|n| NodeId(n as u32))
}
