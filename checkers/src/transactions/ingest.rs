//! The operations of a history as transactions: who did what to which key, in one flat array.

use crate::{
    history::{Entry, EntryId, History},
    operation::Operation,
    partition::FixedMap,
    value::Value,
    verdict::Verdict,
};

/// Whether a transaction took effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Committed,
    Aborted,
    Unknown,
}

/// One thing that a transaction did to one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action<'h> {
    /// It read this; `None` when what it read is not known.
    Read(Option<&'h Value>),
    /// It replaced the value.
    Write(&'h Value),
    /// It added an element at the end of a list.
    Append(&'h Value),
}

/// An action and its key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Op<'h> {
    pub(crate) key: u32,
    pub(crate) action: Action<'h>,
}

/// One transaction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Txn {
    pub(crate) entry: EntryId,
    pub(crate) session: u32,
    pub(crate) status: Status,
    start: u32,
    end: u32,
}

/// All transactions, by invocation.
#[derive(Clone, Debug)]
pub(crate) struct Transactions<'h> {
    pub(crate) history: &'h History,
    pub(crate) txns: Vec<Txn>,
    pub(crate) keys: Vec<&'h Value>,
    pub(crate) sessions: usize,
    ops: Vec<Op<'h>>,
}

impl<'h> Transactions<'h> {
    /// Reads the history. O(n).
    ///
    /// # Errors
    /// A verdict when nothing took effect, or an operation is none of transactions.
    pub(crate) fn new(history: &'h History) -> Result<Self, Verdict> {
        if !history.entries.iter().any(Entry::is_ok) {
            let n = history.entries.len();
            return Err(Verdict::vacuous(format!("none of the {n} operations is known to have taken effect")));
        }
        let mut all = Transactions { history, txns: Vec::new(), keys: Vec::new(), sessions: 0, ops: Vec::new() };
        let mut keys: FixedMap<&'h Value, u32> = FixedMap::default();
        let mut sessions: FixedMap<u32, u32> = FixedMap::default();
        for (id, entry) in history.entries.iter().enumerate() {
            let status = match (entry.is_ok(), entry.is_unknown()) {
                (true, _) => Status::Committed,
                (_, true) => Status::Unknown,
                _ => Status::Aborted,
            };
            let start = all.ops.len() as u32;
            let mut push = |key: &'h Value, action| {
                let key = *keys.entry(key).or_insert_with(|| {
                    all.keys.push(key);
                    all.keys.len() as u32 - 1
                });
                all.ops.push(Op { key, action });
            };
            if actions(&entry.operation, entry.reply(), &mut push).is_none() {
                let what =
                    "is none of txn (of r, w and append), read, write, cas, get and put, or its reply does not fit";
                return Err(Verdict::precondition(format!("operation {id}, `{}`, {what}", entry.operation)));
            }
            let next = sessions.len() as u32;
            let session = *sessions.entry(entry.process.0).or_insert(next);
            all.txns.push(Txn { entry: id, session, status, start, end: all.ops.len() as u32 });
        }
        all.sessions = sessions.len();
        Ok(all)
    }

    /// What the transaction did, in its order.
    pub(crate) fn ops(&self, txn: usize) -> &[Op<'h>] {
        let Txn { start, end, .. } = self.txns[txn];
        &self.ops[start as usize..end as usize]
    }

    /// The entry of the transaction.
    pub(crate) fn entry(&self, txn: usize) -> &'h Entry {
        &self.history.entries[self.txns[txn].entry]
    }
}

/// Calls `push` for each action of the operation; `None` if it is no transaction.
fn actions<'h>(
    operation: &'h Operation,
    reply: Option<&'h Value>,
    push: &mut impl FnMut(&'h Value, Action<'h>),
) -> Option<()> {
    let key = &operation.key;
    match (operation.f.as_str(), &operation.args, reply) {
        ("read" | "get", _, reply) => push(key, Action::Read(reply)),
        ("write" | "put", value, _) => push(key, Action::Write(value)),
        ("append", value, _) => push(key, Action::Append(value)),
        ("cas", Value::List(_), Some(Value::Bool(false))) => {}
        ("cas", Value::List(args), None | Some(Value::Bool(true))) if args.len() == 2 => {
            // What it read is known even when its outcome is not: it took effect only if it read that.
            push(key, Action::Read(Some(&args[0])));
            push(key, Action::Write(&args[1]));
        }
        ("txn", Value::List(asked), reply) => {
            let replied = match reply {
                None | Some(Value::Nil) => None,
                Some(Value::List(replied)) if replied.len() == asked.len() => Some(replied),
                Some(_) => return None,
            };
            for (i, asked) in asked.iter().enumerate() {
                let (f, key, argument) = micro_operation(asked)?;
                let action = match f {
                    "r" | "read" => Action::Read(match replied {
                        Some(replied) => Some(micro_operation(&replied[i])?.2),
                        None => None,
                    }),
                    "w" | "write" => Action::Write(argument),
                    _ => Action::Append(argument),
                };
                push(key, action);
            }
        }
        _ => return None,
    }
    Some(())
}

/// The parts of `[f key value]`.
pub(crate) fn micro_operation(micro: &Value) -> Option<(&str, &Value, &Value)> {
    match micro.as_list()? {
        [Value::Text(f), key, value] if matches!(f.as_str(), "r" | "read" | "w" | "write" | "append") => {
            Some((f, key, value))
        }
        _ => None,
    }
}
