//! `quorum-register`: registers replicated by majorities, without a leader (ABD).
//!
//! Attiya, Bar-Noy & Dolev, "Sharing Memory Robustly in Message-Passing Systems" (JACM 1995), with several writers as in Lynch &
//! Shvartsman (FTCS 1997): a write asks a majority for their newest timestamp and stores its value at a majority under a newer
//! one; a read asks a majority for their newest value and stores that at a majority before it returns it.

mod state;

use std::{collections::BTreeMap, io, time::Duration};

use serde::{Deserialize, Serialize};
use squall::{
    catalogue::{Bug, SystemEntry},
    environment::{Checked, Context, Failed, Node, RequestId},
    plan::{NodeId, Promise},
};
use squall_checkers::{
    operation::{Interface, Operation},
    value::Value,
};
use squall_workloads::settings::SettingsReader;

use self::state::{Record, State, Timestamp, Version};
use crate::journal::Journal;

/// The entry in the catalogue.
pub(crate) const ENTRY: SystemEntry = SystemEntry {
    name: "quorum-register",
    summary: "registers replicated by majorities without a leader (ABD, many writers and readers); read and write, no cas",
    workload: "register",
    settings: &[],
    // Compare-and-set needs consensus, which majorities alone do not give.
    defaults: &[("cas", "0")],
    bugs: &[
        Bug {
            name: "read-without-write-back",
            summary: "a read returns the newest value of a majority without storing it at a majority first",
            trigger: "a write that has reached few replicas yet (its coordinator crashed or is cut off), and two reads",
            workload: None,
            nemesis: None,
            // Two reads meet different majorities, and the first one met the new value; a write that begins after the first read
            // may miss that value too, take a smaller timestamp, be acknowledged, and be hidden by it.
            anomalies: &["new-old-inversion", "stale-read"],
        },
        Bug {
            name: "tie-without-writer-id",
            summary: "timestamps are bare numbers, so two concurrent writes through two replicas can get the same one",
            trigger: "concurrent writes to one register",
            workload: None,
            nemesis: None,
            // Each replica keeps the value that it got first: reads alternate between the two, and so do the final ones.
            anomalies: &["new-old-inversion", "divergence"],
        },
    ],
    build: |bug, settings| {
        SettingsReader::new("quorum-register", settings, &[])?;
        let mistake = bug.map(|bug| match bug {
            "read-without-write-back" => Mistake::ReadWithoutWriteBack,
            "tie-without-writer-id" => Mistake::TieWithoutWriterId,
            _ => unreachable!("`{bug}` is not in the entry"),
        });
        Ok(Box::new(QuorumRegister { mistake, ..QuorumRegister::default() }))
    },
};

/// How long a coordinator waits before it asks again those replicas that have not answered.
const RESEND: Duration = Duration::from_millis(150);
/// After so many rounds of asking a coordinator gives an operation up.
const RESENDS_MAX: u32 = 80;

/// Keyed registers at all replicas; any replica coordinates reads and writes, one majority at a time.
///
/// Linearizable and durable under every fault but bit rot (a replica stops when its journal is corrupt) and wiped disks. It
/// uses no clock but for asking again.
///
/// A client sends each request once: if another coordinator took over a write, it would store the value a second time under a
/// newer timestamp, perhaps after others had overwritten it. For the same reason a coordinator remembers on disk which writes it
/// has given a timestamp, so that a request duplicated by the network is not done twice, and stores the value itself first, so
/// that after a crash it never gives the same timestamp to another write.
#[derive(Clone, Debug)]
pub(crate) struct QuorumRegister {
    mistake: Option<Mistake>,
    state: State,
    journal: Journal<Then>,
    /// Operations coordinated here, by their nonce.
    coordinated: BTreeMap<u64, Coordinated>,
    resending: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mistake {
    ReadWithoutWriteBack,
    TieWithoutWriterId,
}

impl Default for QuorumRegister {
    fn default() -> Self {
        QuorumRegister {
            mistake: None,
            state: State::default(),
            journal: Journal::new(),
            coordinated: BTreeMap::new(),
            resending: false,
        }
    }
}

/// What replicas say to each other. A nonce names one operation of one life of its coordinator, so that answers to an earlier
/// life, or to an earlier phase, are not counted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Message {
    /// What is your version of this register?
    Query { nonce: u64, key: Value },
    /// This.
    Newest { nonce: u64, version: Version },
    /// Keep this version unless yours is newer.
    Store { nonce: u64, key: Value, version: Version },
    /// It, or a newer one, is on my disk.
    Stored { nonce: u64 },
}

#[derive(Clone, Debug)]
pub(crate) struct Resend;

/// What happens once a version is on this disk.
#[derive(Clone, Copy, Debug)]
enum Then {
    /// Its coordinator hears of it.
    Answer(NodeId, u64),
    /// The operation coordinated here goes on to the other replicas.
    Spread(u64),
}

/// An operation coordinated here.
#[derive(Clone, Debug)]
struct Coordinated {
    request: RequestId,
    key: Value,
    /// The value to write; `None` for a read.
    write: Option<Value>,
    phase: Phase,
    /// The newest version seen while asking; the version being stored after that.
    version: Version,
    /// The replicas that have answered in this phase, one bit each.
    answered: u64,
    resends: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Asking,
    Storing,
}

impl Coordinated {
    /// Counts an answer, each replica's once. Returns whether it completes a majority.
    fn count(&mut self, from: NodeId, nodes: u32) -> bool {
        let before = self.answered.count_ones();
        self.answered |= 1 << from.0;
        let majority = nodes / 2 + 1;
        before < majority && self.answered.count_ones() == majority
    }

    fn has_answered(&self, node: NodeId) -> bool {
        self.answered & (1 << node.0) != 0
    }

    fn question(&self, nonce: u64) -> Message {
        match self.phase {
            Phase::Asking => Message::Query { nonce, key: self.key.clone() },
            Phase::Storing => Message::Store { nonce, key: self.key.clone(), version: self.version.clone() },
        }
    }
}

impl Node for QuorumRegister {
    type Message = Checked<Message>;
    type Timer = Resend;

    fn promise(&self) -> Promise {
        Promise::new(Interface::REGISTER, "linearizable")
    }

    fn on_start(&mut self, cx: &mut Context<'_, Self>) {
        assert!(cx.node_count() <= 64, "answers are counted in 64 bits");
        if let Err(why) = self.recover(cx) {
            cx.halt(why);
        }
    }

    fn on_request(&mut self, request: RequestId, operation: Operation, cx: &mut Context<'_, Self>) {
        if !self.journal.is_open() {
            return; // Still recovering. The client is not told "no": a copy of the request may yet come.
        }
        let write = match operation.f.as_str() {
            "read" => None,
            "write" if self.is_known(request) => return,
            "write" => Some(operation.args),
            _ => {
                let why = format!("majorities give no {}: that takes consensus", operation.f);
                return cx.reply(request, Err(Failed::No(why)));
            }
        };
        let nonce = cx.random();
        let phase = Phase::Asking;
        let version = Version::default();
        let operation = Coordinated { request, key: operation.key, write, phase, version, answered: 0, resends: 0 };
        cx.broadcast(&Checked(operation.question(nonce)));
        let mine = self.state.version(&operation.key);
        self.coordinated.insert(nonce, operation);
        self.start_resending(cx);
        self.handled(|me, cx| me.on_newest(cx.me(), nonce, mine, cx), cx);
    }

    fn on_message(&mut self, from: NodeId, Checked(message): Checked<Message>, cx: &mut Context<'_, Self>) {
        if !self.journal.is_open() {
            return; // Still recovering; it will be asked again.
        }
        self.handled(
            |me, cx| {
                match message {
                    Message::Query { nonce, key } => {
                        let version = me.state.version(&key);
                        cx.send(from, Checked(Message::Newest { nonce, version }));
                    }
                    Message::Newest { nonce, version } => me.on_newest(from, nonce, version, cx)?,
                    Message::Store { nonce, key, version } => {
                        me.keep(Record::Version { key, version }, cx)?;
                        me.journal.when_durable(Then::Answer(from, nonce));
                    }
                    Message::Stored { nonce } => me.on_stored(from, nonce, cx),
                }
                Ok(())
            },
            cx,
        );
    }

    fn on_synced(&mut self, token: u64, result: io::Result<()>, cx: &mut Context<'_, Self>) {
        self.handled(|me, cx| me.journal.on_synced(token, result, cx), cx);
    }

    fn on_timer(&mut self, Resend: Resend, cx: &mut Context<'_, Self>) {
        self.resending = false;
        let me = cx.me();
        self.coordinated.retain(|nonce, operation| {
            operation.resends += 1;
            if operation.resends > RESENDS_MAX {
                cx.reply(operation.request, Err(Failed::Unknown("no majority answered".to_owned())));
                return false;
            }
            // What is being stored goes out when it is durable here.
            if operation.has_answered(me) {
                for peer in cx.peers().filter(|peer| !operation.has_answered(*peer)) {
                    cx.send(peer, Checked(operation.question(*nonce)));
                }
            }
            true
        });
        if !self.coordinated.is_empty() {
            self.start_resending(cx);
        }
    }
}

impl QuorumRegister {
    fn recover(&mut self, cx: &mut Context<'_, Self>) -> Result<(), String> {
        for record in Journal::<()>::read(cx.disk()).map_err(|e| e.to_string())? {
            self.state.apply(Record::decode(record)?);
        }
        let records: Vec<Vec<u8>> = self.state.records().map(|r| r.encode()).collect();
        self.journal.replace(records, cx).map_err(|e| format!("the journal cannot be rewritten: {e}"))
    }

    /// Whether a write came before: it is under way, or got its timestamp.
    fn is_known(&self, request: RequestId) -> bool {
        self.state.has_written(request) || self.coordinated.values().any(|o| o.request == request)
    }

    /// Runs a handler and what has become due by it. A disk that fails ends the process.
    fn handled(
        &mut self,
        handler: impl FnOnce(&mut Self, &mut Context<'_, Self>) -> io::Result<()>,
        cx: &mut Context<'_, Self>,
    ) {
        if let Err(error) = handler(self, cx) {
            return cx.halt(format!("the journal cannot be saved: {error}"));
        }
        while let Some(then) = self.journal.next_durable() {
            match then {
                Then::Answer(to, nonce) => cx.send(to, Checked(Message::Stored { nonce })),
                Then::Spread(nonce) => {
                    if let Some(operation) = self.coordinated.get(&nonce) {
                        cx.broadcast(&Checked(operation.question(nonce)));
                        self.on_stored(cx.me(), nonce, cx);
                    }
                }
            }
        }
        self.journal.flush(cx);
    }

    /// Puts a record into the journal unless it says nothing new.
    fn keep(&mut self, record: Record, cx: &mut Context<'_, Self>) -> io::Result<()> {
        if let Record::Version { key, version } = &record
            && self.state.version(key).at >= version.at
        {
            return Ok(());
        }
        self.journal.append(&record.encode(), cx.disk())?;
        self.state.apply(record);
        Ok(())
    }

    fn on_newest(&mut self, from: NodeId, nonce: u64, version: Version, cx: &mut Context<'_, Self>) -> io::Result<()> {
        let nodes = cx.node_count();
        let Some(operation) = self.coordinated.get_mut(&nonce).filter(|o| o.phase == Phase::Asking) else {
            return Ok(());
        };
        if operation.version.at < version.at {
            operation.version = version;
        }
        if !operation.count(from, nodes) {
            return Ok(());
        }
        if operation.write.is_none() && self.mistake == Some(Mistake::ReadWithoutWriteBack) {
            cx.reply(operation.request, Ok(operation.version.value.clone()));
            self.coordinated.remove(&nonce);
            return Ok(());
        }
        operation.phase = Phase::Storing;
        operation.answered = 0;
        let key = operation.key.clone();
        let record = match &operation.write {
            None => Record::Version { key, version: operation.version.clone() },
            Some(value) => {
                // Another write may have got its timestamp here since this one began to ask.
                let newest = self.state.version(&key).at.number.max(operation.version.at.number);
                let writer = if self.mistake == Some(Mistake::TieWithoutWriterId) { 0 } else { cx.me().0 };
                operation.version = Version { at: Timestamp { number: newest + 1, writer }, value: value.clone() };
                Record::Write { key, version: operation.version.clone(), request: operation.request }
            }
        };
        self.keep(record, cx)?;
        self.journal.when_durable(Then::Spread(nonce));
        Ok(())
    }

    fn on_stored(&mut self, from: NodeId, nonce: u64, cx: &mut Context<'_, Self>) {
        let nodes = cx.node_count();
        let Some(operation) = self.coordinated.get_mut(&nonce).filter(|o| o.phase == Phase::Storing) else {
            return;
        };
        if operation.count(from, nodes) {
            let reply = if operation.write.is_some() { Value::Nil } else { operation.version.value.clone() };
            cx.reply(operation.request, Ok(reply));
            self.coordinated.remove(&nonce);
        }
    }

    fn start_resending(&mut self, cx: &mut Context<'_, Self>) {
        if !self.resending {
            self.resending = true;
            cx.set_timer(RESEND, Resend);
        }
    }
}

#[cfg(test)]
mod tests {
    use squall_checkers::history::ProcessId;

    use super::*;

    #[test]
    fn an_answer_counts_once_and_a_majority_completes_once() {
        let mut operation = Coordinated {
            request: RequestId { process: ProcessId(1), serial: 1 },
            key: Value::Nil,
            write: None,
            phase: Phase::Asking,
            version: Version::default(),
            answered: 0,
            resends: 0,
        };
        let completes = [0, 0, 4, 4, 2, 1].map(|node| operation.count(NodeId(node), 5));
        assert_eq!(completes, [false, false, false, false, true, false]);
    }
}
