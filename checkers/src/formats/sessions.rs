//! Histories that say only in what order each process ran its transactions: what the text forms of transactions share.

use std::fmt::Write as _;

use crate::{
    history::{History, Order, Outcome, ProcessId},
    operation::Operation,
    recorder::HistoryBuilder,
    transactions::ingest::{Micro as Asked, micro_operation},
    value::Value,
};

/// Reads or writes one key.
#[derive(Clone, Debug)]
pub(super) struct Micro {
    pub(super) writes: bool,
    pub(super) key: Value,
    /// What was written, or read.
    pub(super) value: Value,
}

/// Transactions being gathered.
pub(super) struct Sessions {
    builder: HistoryBuilder,
}

impl Sessions {
    pub(super) fn new() -> Self {
        Sessions { builder: HistoryBuilder::new() }
    }

    /// Adds the next transaction of a process. One without operations says nothing and is left out.
    pub(super) fn add(&mut self, process: u32, micros: &[Micro], committed: bool) {
        if micros.is_empty() {
            return;
        }
        let list = |asked: bool| {
            let micro = |m: &Micro| {
                let value = if asked && !m.writes { Value::Nil } else { m.value.clone() };
                Value::List(vec![Value::from(if m.writes { "w" } else { "r" }), m.key.clone(), value])
            };
            Value::List(micros.iter().map(micro).collect())
        };
        let outcome = if committed { Outcome::Ok(list(false)) } else { Outcome::Failed("aborted".into()) };
        let entry = self.builder.invoke(ProcessId(process), Operation::new("txn", Value::Nil, list(true)), 0);
        self.builder.complete(entry, outcome, 0);
    }

    pub(super) fn finish(self) -> History {
        History { order: Order::Processes, ..self.builder.finish() }
    }
}

/// A transaction to be written: its place in its process, what it did, and whether it was committed.
pub(super) struct Written<'h> {
    pub(super) process: u32,
    pub(super) micros: Vec<(bool, &'h Value, &'h Value)>,
    pub(super) committed: bool,
}

/// The transactions of a history, by process; `None` if there is anything else in it, or what happened is not known.
pub(super) fn transactions(history: &History) -> Option<Vec<Vec<Written<'_>>>> {
    let mut sessions: std::collections::BTreeMap<u32, Vec<Written<'_>>> = std::collections::BTreeMap::new();
    for entry in &history.entries {
        let (list, committed) = match &entry.outcome {
            Outcome::Ok(reply) => (reply, true),
            Outcome::Failed(_) => (&entry.operation.args, false),
            Outcome::Unknown(_) => return None,
        };
        if entry.operation.f != "txn" {
            return None;
        }
        let micro = |micro| match micro_operation(micro)? {
            (Asked::Append, _, _) => None,
            (f, key, value) => Some((f == Asked::Write, key, value)),
        };
        let micros = list.as_list()?.iter().map(micro).collect::<Option<Vec<_>>>()?;
        let process = entry.process.0;
        sessions.entry(process).or_default().push(Written { process, micros, committed });
    }
    Some(sessions.into_values().collect())
}

/// A number that is none of the values of the history, for reads of what nobody wrote.
pub(super) fn unsigned(value: &Value) -> Option<u64> {
    u64::try_from(value.as_int()?).ok()
}

/// Appends a line, which a string always takes.
pub(super) fn line(out: &mut String, line: std::fmt::Arguments<'_>) {
    let _ = writeln!(out, "{line}");
}
