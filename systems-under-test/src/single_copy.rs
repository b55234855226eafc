//! `single-copy`: the baseline, one replica that keeps the only copy and a write-ahead log.

use std::time::Duration;

use squall::{
    catalogue::SystemEntry,
    environment::{Context, Failed, Node, Reply, RequestId},
    plan::{NodeId, Promise},
};
use squall_checkers::operation::{Interface, Operation};
use squall_workloads::settings::SettingsReader;

use crate::{
    journal::Journal,
    objects::Objects,
    sessions::{Known, Sessions, decode, encode},
};

/// The entry in the catalogue.
pub(crate) const ENTRY: SystemEntry = SystemEntry {
    name: "single-copy",
    summary: "replica 0 keeps the only copy of all objects, with a write-ahead log; the others redirect to it",
    workload: "register",
    settings: &[],
    defaults: &[],
    bugs: &[],
    build: |_, settings| {
        SettingsReader::new("single-copy", settings, &[])?;
        Ok(Box::new(SingleCopy { store: Sessions::default(), journal: Journal::new() }))
    },
};

const KEEPER: NodeId = NodeId(0);

/// Objects of any kind on replica 0. Every update is in its log, and the log on the platter, before its client hears of it, and a
/// read waits for the updates it saw.
///
/// Linearizable and durable under every fault but bit rot (it stops when its log is corrupt) and a wiped disk; unavailable
/// while replica 0 is.
#[derive(Clone, Debug)]
pub(crate) struct SingleCopy {
    store: Sessions,
    journal: Journal<(RequestId, Result<Reply, Failed>)>,
}

impl Node for SingleCopy {
    /// Replicas have nothing to say to each other.
    type Message = ();
    type Timer = ();

    fn promise(&self) -> Promise {
        Promise::new(Interface::REGISTER, "linearizable").serving(&Objects::INTERFACES)
    }

    fn speaking(&self, interface: &Interface) -> Option<Self> {
        Some(SingleCopy { store: Sessions::of(Objects::of(interface)), journal: Journal::new() })
    }

    fn on_start(&mut self, cx: &mut Context<'_, Self>) {
        if cx.me() == KEEPER
            && let Err(why) = self.recover(cx)
        {
            cx.halt(why);
        }
    }

    fn on_message(&mut self, _: NodeId, (): (), _: &mut Context<'_, Self>) {}

    fn on_request(&mut self, request: RequestId, operation: Operation, cx: &mut Context<'_, Self>) {
        if cx.me() != KEEPER {
            return cx.redirect(request, KEEPER);
        }
        if !self.journal.is_open() {
            return; // Still recovering; the client asks again.
        }
        let reply = match (self.store.look(&operation), self.store.known(request)) {
            (Some(reply), _) => Ok(reply),
            (None, Known::Over) => return,
            (None, Known::Done(reply)) => reply,
            (None, Known::New) => match self.update(request, &operation, cx) {
                Ok(reply) => reply,
                Err(why) => return cx.halt(why),
            },
        };
        self.journal.when_durable((request, reply));
        self.settle(cx);
    }

    fn on_synced(&mut self, token: u64, result: std::io::Result<()>, cx: &mut Context<'_, Self>) {
        match self.journal.on_synced(token, result, cx) {
            Ok(()) => self.settle(cx),
            Err(error) => cx.halt(format!("the log cannot be synced: {error}")),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        Some(Duration::from_millis(300))
    }
}

impl SingleCopy {
    fn recover(&mut self, cx: &mut Context<'_, Self>) -> Result<(), String> {
        let records = Journal::<()>::read(cx.disk()).map_err(|e| e.to_string())?;
        let records: Vec<Vec<u8>> = records.into_iter().map(<[u8]>::to_vec).collect();
        for record in &records {
            let (request, operation) = decode(record)?;
            self.store.apply(request, &operation);
        }
        self.journal.replace(records, cx).map_err(|e| format!("the log cannot be rewritten: {e}"))
    }

    fn update(
        &mut self,
        request: RequestId,
        operation: &Operation,
        cx: &mut Context<'_, Self>,
    ) -> Result<Result<Reply, Failed>, String> {
        let record = encode(request, operation);
        self.journal.append(&record, cx.disk()).map_err(|e| format!("the log cannot be written: {e}"))?;
        Ok(self.store.apply(request, operation).unwrap_or_else(|| unreachable!("the request is new")))
    }

    fn settle(&mut self, cx: &mut Context<'_, Self>) {
        while let Some((request, reply)) = self.journal.next_durable() {
            cx.reply(request, reply);
        }
        self.journal.flush(cx);
    }
}
