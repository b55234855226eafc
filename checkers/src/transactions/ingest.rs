//! The operations of a history as transactions: who did what to which key, in one flat array.

use crate::{
    history::{Entry, EntryId, History},
    numbered::{Keys, NONE, Values},
    observations::is_initial,
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

impl<'h> Action<'h> {
    /// What was read, written or added.
    pub(super) fn value(self) -> Option<&'h Value> {
        match self {
            Action::Read(value) => value,
            Action::Write(value) | Action::Append(value) => Some(value),
        }
    }
}

/// What is kept under a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Register,
    List,
}

/// An action and its key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Op<'h> {
    pub(crate) key: u32,
    /// The key with the value that was written to it or read from it, as a number; [`NONE`] for lists.
    pub(super) version: u32,
    pub(crate) action: Action<'h>,
}

impl Op<'_> {
    /// Whether it is known which version of a register it read.
    pub(super) fn reads_register(&self) -> bool {
        self.version != NONE && matches!(self.action, Action::Read(_))
    }
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

/// A cas that was refused: it did nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refused<'h> {
    pub(super) txn: u32,
    pub(super) key: u32,
    pub(super) expected: &'h Value,
}

/// All transactions, by invocation.
#[derive(Clone, Debug)]
pub(crate) struct Transactions<'h> {
    pub(crate) history: &'h History,
    pub(crate) txns: Vec<Txn>,
    pub(crate) keys: Vec<&'h Value>,
    /// By key.
    pub(super) kinds: Vec<Kind>,
    /// By version: whether it is what a register holds before it is written.
    pub(super) is_initial: Vec<bool>,
    pub(crate) sessions: usize,
    /// In order.
    pub(super) refused: Vec<Refused<'h>>,
    ops: Vec<Op<'h>>,
}

impl<'h> Transactions<'h> {
    /// Reads the history. O(n).
    ///
    /// # Errors
    /// A verdict when nothing took effect, an operation is none of transactions, or a key is both a register and a list.
    pub(crate) fn new(history: &'h History) -> Result<Self, Verdict> {
        if !history.entries.iter().any(Entry::is_ok) {
            let n = history.entries.len();
            return Err(Verdict::vacuous(format!("none of the {n} operations is known to have taken effect")));
        }
        let mut txns = Vec::with_capacity(history.entries.len());
        let mut ops = Ops::new(history.entries.len());
        let mut sessions: FixedMap<u32, u32> = FixedMap::default();
        let mut refused = Vec::new();
        for (id, entry) in history.entries.iter().enumerate() {
            let status = match (entry.is_ok(), entry.is_unknown()) {
                (true, _) => Status::Committed,
                (_, true) => Status::Unknown,
                _ => Status::Aborted,
            };
            let start = ops.all.len() as u32;
            if actions(&entry.operation, entry.reply(), &mut |key, action| ops.push(key, action)).is_none() {
                let what = if actions(&entry.operation, None, &mut |_, _| {}).is_some() {
                    "is a transaction, but its reply does not fit: it is to other actions or keys than were asked for"
                } else {
                    "is none of txn (of r, w and append), read, write, cas, get and put"
                };
                return Err(Verdict::precondition(format!("operation {id}, `{}`, {what}", entry.operation)));
            }
            let Operation { f, key, args } = &entry.operation;
            if ops.all.len() as u32 == start
                && status == Status::Committed
                && *f == "cas"
                && let Some([expected, ..]) = args.as_list()
            {
                refused.push(Refused { txn: id as u32, key: ops.key(key), expected });
            }
            let next = sessions.len() as u32;
            let session = *sessions.entry(entry.process.0).or_insert(next);
            txns.push(Txn { entry: id, session, status, start, end: ops.all.len() as u32 });
        }
        let kinds = ops.kinds()?;
        let Ops { all: ops, keys, is_initial, .. } = ops;
        Ok(Transactions { history, txns, keys: keys.all, kinds, is_initial, sessions: sessions.len(), refused, ops })
    }

    /// What the transaction did, in its order.
    pub(crate) fn ops(&self, txn: usize) -> &[Op<'h>] {
        let Txn { start, end, .. } = self.txns[txn];
        &self.ops[start as usize..end as usize]
    }

    /// What it read of registers before it wrote them itself: where it is known which version that was.
    pub(super) fn reads_of_others(&self, txn: usize) -> impl Iterator<Item = &Op<'h>> {
        let mut own = std::collections::BTreeSet::new();
        self.ops(txn).iter().filter(move |op| {
            if let Action::Write(_) = op.action {
                own.insert(op.key);
            }
            op.reads_register() && !own.contains(&op.key)
        })
    }

    /// The entry of the transaction.
    pub(crate) fn entry(&self, txn: usize) -> &'h Entry {
        &self.history.entries[self.txns[txn].entry]
    }
}

/// What all transactions did, as it is gathered.
struct Ops<'h> {
    all: Vec<Op<'h>>,
    keys: Keys<'h>,
    values: Values<'h>,
    /// By version.
    key_of: Vec<u32>,
    is_initial: Vec<bool>,
    /// By key.
    uses: Vec<Use>,
    /// The first key that is both written and appended to.
    mixed: Option<u32>,
}

/// How a key is used.
#[derive(Clone, Copy, Default)]
struct Use {
    changed: Option<Kind>,
    shows_lists: bool,
}

impl<'h> Ops<'h> {
    fn new(transactions: usize) -> Self {
        let small_max = SMALL_EACH * transactions;
        Ops {
            all: Vec::new(),
            keys: Keys::new(small_max),
            values: Values::new(small_max),
            key_of: Vec::new(),
            is_initial: Vec::new(),
            uses: Vec::new(),
            mixed: None,
        }
    }

    #[inline]
    fn key(&mut self, key: &'h Value) -> u32 {
        let key = self.keys.of(key);
        if key as usize == self.uses.len() {
            self.uses.push(Use::default());
        }
        key
    }

    #[inline]
    fn push(&mut self, key: &'h Value, action: Action<'h>) {
        let key = self.key(key);
        let version = match action {
            Action::Write(value) => {
                self.change(key, Kind::Register);
                self.version(key, value)
            }
            Action::Append(_) => {
                self.change(key, Kind::List);
                NONE
            }
            // Whether it is a register that holds lists shows later.
            Action::Read(Some(Value::List(_))) => {
                self.uses[key as usize].shows_lists = true;
                NONE
            }
            Action::Read(Some(value)) => self.version(key, value),
            Action::Read(None) => NONE,
        };
        self.all.push(Op { key, version, action });
    }

    fn change(&mut self, key: u32, kind: Kind) {
        if self.uses[key as usize].changed.replace(kind).is_some_and(|before| before != kind) {
            self.mixed.get_or_insert(key);
        }
    }

    fn version(&mut self, key: u32, value: &'h Value) -> u32 {
        let place = self.values.place(key, value, |version| self.key_of[version as usize]);
        if *place == NONE {
            *place = self.key_of.len() as u32;
            self.key_of.push(key);
            self.is_initial.push(is_initial(value));
        }
        *place
    }

    /// A key that is appended to, or only read and shows lists, is a list.
    fn kinds(&mut self) -> Result<Vec<Kind>, Verdict> {
        if let Some(key) = self.mixed {
            let key = self.keys.all[key as usize];
            return Err(Verdict::precondition(format!("key {key} is both written and appended to")));
        }
        let kind = |u: &Use| u.changed.unwrap_or(if u.shows_lists { Kind::List } else { Kind::Register });
        let kinds: Vec<Kind> = self.uses.iter().map(kind).collect();
        if self.uses.iter().zip(&kinds).any(|(used, kind)| used.shows_lists && *kind == Kind::Register) {
            for i in 0..self.all.len() {
                let Op { key, action, .. } = self.all[i];
                if let Action::Read(Some(value @ Value::List(_))) = action
                    && kinds[key as usize] == Kind::Register
                {
                    self.all[i].version = self.version(key, value);
                }
            }
        }
        Ok(kinds)
    }
}

/// Integers up to so many times the number of transactions are not hashed, as a table of them is smaller than the history.
const SMALL_EACH: usize = 16;

/// Calls `push` for each action of the operation; `None` if it is no transaction.
pub(crate) fn actions<'h>(
    operation: &'h Operation,
    reply: Option<&'h Value>,
    push: &mut impl FnMut(&'h Value, Action<'h>),
) -> Option<()> {
    let key = &operation.key;
    match (operation.f.as_str(), &operation.args, reply) {
        ("read" | "get", _, reply) => push(key, Action::Read(reply)),
        ("write" | "put", value, _) => push(key, Action::Write(value)),
        ("append", value, _) => push(key, Action::Append(value)),
        ("cas", Value::List(args), Some(Value::Bool(false))) if args.len() == 2 => {}
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
                let shown = match replied {
                    Some(replied) => Some(answer(&replied[i], f, key, argument)?),
                    None => None,
                };
                let action = match f {
                    Micro::Read => Action::Read(shown),
                    Micro::Write => Action::Write(argument),
                    Micro::Append => Action::Append(argument),
                };
                push(key, action);
            }
        }
        _ => return None,
    }
    Some(())
}

/// What is replied to `[f key argument]`; `None` if it is the reply to something else. What was written need not be said again.
#[inline]
fn answer<'h>(replied: &'h Value, f: Micro, key: &Value, argument: &Value) -> Option<&'h Value> {
    let (to, of, value) = micro_operation(replied)?;
    let fits = to == f && of == key && (f == Micro::Read || value == argument || value.is_nil());
    fits.then_some(value)
}

/// What a transaction does to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Micro {
    Read,
    Write,
    Append,
}

/// The parts of `[f key value]`.
#[inline]
pub(crate) fn micro_operation(micro: &Value) -> Option<(Micro, &Value, &Value)> {
    let [Value::Text(f), key, value] = micro.as_list()? else { return None };
    let f = match f.as_bytes() {
        b"r" | b"read" => Micro::Read,
        b"w" | b"write" => Micro::Write,
        b"append" => Micro::Append,
        _ => return None,
    };
    Some((f, key, value))
}
