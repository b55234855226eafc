//! What the tests share: entries for small histories, and how to show them.

use squall_checkers::{
    history::{Entry, History, Moment, Outcome, ProcessId},
    operation::Operation,
    value::Value,
};

/// An entry with these positions for times.
pub(crate) fn entry(process: u32, operation: Operation, reply: Option<Value>, (call, ret): (u32, u32)) -> Entry {
    let moment = |position: u32| Moment::new(position, u64::from(position));
    Entry {
        process: ProcessId(process),
        operation,
        invoked: moment(call),
        completed: reply.is_some().then(|| moment(ret)),
        outcome: reply.map_or(Outcome::Unknown("".into()), Outcome::Ok),
    }
}

/// The history in text notation.
pub(crate) fn show(history: &History) -> String {
    format!("\n{}", squall_checkers::formats::text::write(history))
}
