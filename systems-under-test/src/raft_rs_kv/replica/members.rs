//! Who belongs to the cluster: one change at a time, through the log (Ongaro's thesis, 4.1).
//!
//! A change takes effect where its entry is applied, and the next one is proposed once that is done at the leader. What a replica saves
//! with an entry of the next change is a commit index that covers the last one, so that no restart takes it back behind both.

use protobuf::Message as _;
use raft::{
    StateRole,
    eraftpb::{ConfChange, ConfChangeType, Entry, Message, MessageType},
};
use squall::{
    Reply,
    environment::{Change, Failed, RequestId},
};

use super::{Context, Mistake, Replica, id, node};

impl Replica {
    /// An admin asks for a change of members.
    pub(in crate::raft_rs_kv) fn on_reconfigure(
        &mut self,
        request: RequestId,
        change: Change,
        cx: &mut Context<'_>,
    ) -> Result<(), String> {
        if !self.journal.is_open() {
            return Ok(());
        }
        let raft = &self.raft.raft;
        if raft.state != StateRole::Leader {
            if let Some(leader) = node(raft.leader_id) {
                cx.redirect(request, leader);
            }
            return Ok(());
        }
        let voters = self.raft.store().voters();
        let (kind, of) = match change {
            Change::Add(node) => (ConfChangeType::AddNode, id(node)),
            Change::Remove(node) => (ConfChangeType::RemoveNode, id(node)),
        };
        let at_once = self.mistake == Some(Mistake::MembersAtOnce);
        if voters.contains(&of) == (kind == ConfChangeType::AddNode) {
            cx.reply(request, Ok(Reply::Nil)); // It is so.
            return Ok(());
        }
        let refusal = if kind == ConfChangeType::RemoveNode && voters.len() == 1 {
            Some("the last member stays")
        } else if !raft.commit_to_current_term() || (raft.has_pending_conf() && !at_once) {
            // What an earlier leader began may still come into force (Ongaro's note to raft-dev of 2015).
            Some("another change may be under way")
        } else {
            None
        };
        if let Some(why) = refusal {
            cx.reply(request, Err(Failed::No(why.to_owned())));
            return Ok(());
        }
        let change = ConfChange { change_type: kind, node_id: of, ..ConfChange::default() };
        if at_once {
            // raft-rs lets no change wait behind another.
            self.raft.raft.pending_conf_index = 0;
        }
        if self.raft.propose_conf_change(Vec::new(), change.clone()).is_ok() {
            if at_once {
                self.change_members(&change)?;
                cx.reply(request, Ok(Reply::Nil));
            } else {
                let log = &self.raft.raft.raft_log;
                self.changing = Some((log.last_index(), log.last_term(), request));
            }
        }
        self.advance(cx)
    }

    /// An entry that changes the members is applied.
    pub(super) fn apply_change(&mut self, entry: &Entry, cx: &mut Context<'_>) -> Result<(), String> {
        let change = ConfChange::parse_from_bytes(&entry.data).map_err(|e| format!("a change does not decode: {e}"))?;
        self.change_members(&change)?;
        if let Some((_, _, request)) =
            self.changing.take_if(|(index, term, _)| (*index, *term) == (entry.index, entry.term))
        {
            cx.reply(request, Ok(Reply::Nil));
        }
        Ok(())
    }

    /// Whether a leader sends something else than what was committed here. By mistake two halves may commit apart; raft-rs panics when
    /// one hears of it, which would hide what clients saw.
    pub(super) fn is_contradicted(&self, message: &Message) -> bool {
        let log = &self.raft.raft.raft_log;
        let differs =
            |index, term| index <= log.committed && log.term(index).is_ok_and(|ours| ours > 0 && ours != term);
        self.mistake == Some(Mistake::MembersAtOnce)
            && message.get_msg_type() == MessageType::MsgAppend
            && (differs(message.index, message.log_term) || message.entries.iter().any(|e| differs(e.index, e.term)))
    }

    /// A leader that is no member any more leads no more. raft-rs leaves that to its host, and panics when such a leader hears that its
    /// entries are durable.
    pub(super) fn step_down_if_removed(&mut self) {
        let raft = &mut self.raft.raft;
        if raft.state == StateRole::Leader && !raft.store().voters().contains(&raft.id) {
            raft.become_follower(raft.term, raft::INVALID_ID);
        }
    }

    fn change_members(&mut self, change: &ConfChange) -> Result<(), String> {
        let members = self.raft.apply_conf_change(change).map_err(|e| e.to_string())?;
        self.raft.mut_store().set_voters(members.voters);
        Ok(())
    }
}
