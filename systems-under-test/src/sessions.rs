//! A store that does each request once, however often it arrives: objects with a table of sessions.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use squall::environment::{Failed, Reply, RequestId};
use squall_checkers::{
    history::ProcessId,
    operation::{Name, Operation},
    value::Value,
};

use crate::objects::Objects;

/// Objects, and of each session the last update with its reply. Both must be saved and copied together: a reply that is
/// forgotten lets a retried update happen again, after others may have overwritten it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sessions {
    objects: Objects,
    last: BTreeMap<ProcessId, Last>,
}

/// The last update of one session. A session has one operation open at a time, so its earlier updates are over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Last {
    serial: u32,
    reply: Result<Reply, String>,
}

/// What is known of an update before it is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// Nothing: do it.
    New,
    /// It was done; this was the reply.
    Done(Result<Reply, Failed>),
    /// Its session has gone on; nobody waits for a reply.
    Over,
}

impl Sessions {
    /// These objects, before any session.
    pub(crate) fn of(objects: Objects) -> Self {
        Sessions { objects, last: BTreeMap::new() }
    }

    /// The reply of an operation that changes nothing; `None` for every other.
    pub(crate) fn look(&self, operation: &Operation) -> Option<Reply> {
        self.objects.look(operation)
    }

    /// What is known of an update.
    pub(crate) fn known(&self, request: RequestId) -> Known {
        match self.last.get(&request.process) {
            Some(last) if last.serial == request.serial => Known::Done(result(&last.reply)),
            Some(last) if last.serial > request.serial => Known::Over,
            _ => Known::New,
        }
    }

    /// Does an update unless it was done before, and returns its reply; `None` when its session has gone on.
    pub(crate) fn apply(&mut self, request: RequestId, operation: &Operation) -> Option<Result<Reply, Failed>> {
        match self.known(request) {
            Known::Done(reply) => Some(reply),
            Known::Over => None,
            Known::New => {
                let reply = self.objects.apply(operation);
                let result = result(&reply);
                self.last.insert(request.process, Last { serial: request.serial, reply });
                Some(result)
            }
        }
    }
}

/// A request as logs keep it. Not by `Operation`'s own `Serialize`, which leaves out what is nil: compact formats cannot tell.
pub(crate) fn encode(request: RequestId, operation: &Operation) -> Vec<u8> {
    let parts = (request, &operation.f, &operation.key, &operation.args);
    postcard::to_stdvec(&parts).expect("values of this kind always encode")
}

/// The request that [`encode`] put into these bytes.
pub(crate) fn decode(bytes: &[u8]) -> Result<(RequestId, Operation), String> {
    let (request, f, key, args) = postcard::from_bytes::<(RequestId, Name, Value, Value)>(bytes)
        .map_err(|e| format!("what the log holds is no request: {e}"))?;
    Ok((request, Operation { f, key, args }))
}

fn result(reply: &Result<Reply, String>) -> Result<Reply, Failed> {
    reply.clone().map_err(Failed::No)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(process: u32, serial: u32) -> RequestId {
        RequestId { process: ProcessId(process), serial }
    }

    #[test]
    fn a_retried_cas_gets_its_first_reply_and_changes_nothing() {
        let mut store = Sessions::default();
        store.apply(request(1, 1), &Operation::write(7, 1));
        let cas = Operation::cas(7, 1, 2);
        assert_eq!(store.apply(request(2, 1), &cas), Some(Ok(Value::Bool(true))));
        store.apply(request(3, 1), &Operation::write(7, 1));
        assert_eq!(store.apply(request(2, 1), &cas), Some(Ok(Value::Bool(true))), "the reply it had");
        assert_eq!(store.look(&Operation::read(7)), Some(Value::Int(1)), "done once");
    }

    #[test]
    fn requests_keep_their_nil_parts_in_a_log() {
        for operation in [Operation::cas(7, 1, 2), Operation::write(Value::Nil, Value::Nil), Operation::read(7)] {
            assert_eq!(decode(&encode(request(2, 3), &operation)), Ok((request(2, 3), operation)));
        }
        assert!(decode(b"?").is_err());
    }

    #[test]
    fn a_late_update_of_a_session_that_went_on_is_ignored() {
        let mut store = Sessions::default();
        store.apply(request(1, 2), &Operation::write(7, 2));
        assert_eq!(store.apply(request(1, 1), &Operation::write(7, 1)), None);
        assert_eq!(store.look(&Operation::read(7)), Some(Value::Int(2)));
    }
}
