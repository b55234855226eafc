//! What transactions did to which keys: of one operation as it stands in the history, or of all with keys and values as numbers.

use super::{Verification, numbers::Numbers, placed::refuted};
use crate::{
    history::{Entry, EntryId, History},
    operation::Operation,
    value::Value,
};

/// What an operation did: key, whether it changed it, and with which value or reply.
pub(super) fn acts(entry: &Entry) -> Vec<(&Value, bool, &Value)> {
    asked(entry).filter_map(|(key, how, value)| Some((key, how != How::Reads, value?))).collect()
}

/// How an operation is about a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    Reads,
    Writes,
    Appends,
}

/// The same as [`acts`] with what was asked even where it is not known what was read; then there is no value.
pub(super) fn asked(entry: &Entry) -> impl Iterator<Item = (&Value, How, Option<&Value>)> {
    let is_txn = entry.operation.f == "txn";
    let asked = entry.operation.args.as_list().filter(|_| is_txn).unwrap_or_default();
    let mut replied = entry.reply().and_then(Value::as_list).unwrap_or_default().iter();
    let micros = asked.iter().filter_map(move |micro| {
        let replied = replied.next();
        let [Value::Text(f), key, value] = micro.as_list()? else { return None };
        Some(match f.as_bytes().first() {
            Some(b'r') => (key, How::Reads, replied.and_then(|replied| replied.as_list()?.get(2))),
            Some(b'a') => (key, How::Appends, Some(value)),
            _ => (key, How::Writes, Some(value)),
        })
    });
    let single = if is_txn { [None, None] } else { single(entry) };
    micros.chain(single.into_iter().flatten())
}

/// The same of an operation that is no transaction.
fn single(entry: &Entry) -> [Option<(&Value, How, Option<&Value>)>; 2] {
    let Operation { f, key, args } = &entry.operation;
    match (f.as_str(), args, entry.reply()) {
        ("read" | "get", _, Some(value)) => [Some((key, How::Reads, Some(value))), None],
        ("write" | "put", value, _) => [Some((key, How::Writes, Some(value))), None],
        ("append", value, _) => [Some((key, How::Appends, Some(value))), None],
        ("cas", Value::List(args), None | Some(Value::Bool(true))) if args.len() == 2 => {
            [Some((key, How::Reads, Some(&args[0]))), Some((key, How::Writes, Some(&args[1])))]
        }
        _ => [None, None],
    }
}

/// The first transaction that got the reply to another one.
pub(super) fn misfit(history: &History) -> Option<EntryId> {
    history.entries.iter().position(is_misfit)
}

/// Whether a transaction got the reply to another one: with other keys, or that says that something else was done to them. What
/// follows from such a history nobody can say.
pub(super) fn is_misfit(entry: &Entry) -> bool {
    let Some(reply) = entry.reply().filter(|reply| entry.operation.f == "txn" && !reply.is_nil()) else {
        return false;
    };
    let (Some(asked), Some(replied)) = (entry.operation.args.as_list(), reply.as_list()) else { return true };
    asked.len() != replied.len() || !asked.iter().zip(replied).all(|(asked, replied)| answers(replied, asked))
}

/// Whether one part of a reply is to this part of a transaction. It need not repeat what was written.
fn answers(replied: &Value, asked: &Value) -> bool {
    let (Some([Value::Text(f), key, value]), Some([Value::Text(to), of, shown])) = (asked.as_list(), replied.as_list())
    else {
        return false;
    };
    let [f, to] = [f, to].map(|f| f.as_bytes().first());
    f == to && key == of && (f == Some(&b'r') || shown.is_nil() || shown == value)
}

/// Why a claim about such a history is not believed.
pub(super) fn misfits(id: EntryId) -> Verification {
    refuted(id, "has a reply that is not to what it asked")
}

/// A key, as a number.
pub(super) type Key = u32;

/// A value, as a number.
pub(super) type Number = u32;

/// One thing that an operation did.
#[derive(Clone, Copy, Debug)]
pub(super) struct Act {
    pub(super) key: Key,
    pub(super) what: What,
}

/// What it did to the key.
#[derive(Clone, Copy, Debug)]
pub(super) enum What {
    /// A register showed this.
    Read(Number),
    /// A list showed so many elements, at this place among all that were shown.
    Shown(u32),
    /// It wrote a register, or appended to a list.
    Wrote(Number),
}

/// What all operations of a history did.
pub(super) struct Acts<'h> {
    all: Vec<Act>,
    /// By operation, where its acts begin; and where the last ones end.
    starts: Vec<u32>,
    /// What lists showed; at first nothing.
    shown: Vec<&'h Value>,
    /// By key.
    pub(super) is_list: Vec<bool>,
    /// Whether something is both written and appended to.
    pub(super) is_mixed: bool,
    pub(super) values: Numbers<'h>,
}

/// What an empty list shows.
static NOTHING: Value = Value::List(Vec::new());

/// How a key was used.
#[derive(Clone, Copy, Default)]
struct Use {
    appended: bool,
    written: bool,
    shown: bool,
}

impl<'h> Acts<'h> {
    /// Refuted where a reply is not to what was asked.
    pub(super) fn new(history: &'h History) -> Result<Self, Verification> {
        let mut keys = Numbers::new(history.entries.len());
        let mut values = Numbers::new(history.entries.len());
        let mut uses: Vec<Use> = Vec::new();
        let (mut all, mut starts) = (Vec::new(), Vec::with_capacity(history.entries.len() + 1));
        let mut shown = vec![&NOTHING];
        for (id, entry) in history.entries.iter().enumerate() {
            if is_misfit(entry) {
                return Err(misfits(id));
            }
            starts.push(all.len() as u32);
            for (key, how, value) in asked(entry) {
                let key = keys.of(key);
                if key as usize == uses.len() {
                    uses.push(Use::default());
                }
                let used = &mut uses[key as usize];
                let what = match (how, value) {
                    (How::Reads, None) => continue,
                    (How::Reads, Some(list @ Value::List(_))) => {
                        used.shown = true;
                        shown.push(list);
                        What::Shown(shown.len() as u32 - 1)
                    }
                    (How::Reads, Some(value)) => What::Read(values.of(value)),
                    (_, value) => {
                        *(if how == How::Appends { &mut used.appended } else { &mut used.written }) = true;
                        let Some(value) = value else { continue };
                        What::Wrote(values.of(value))
                    }
                };
                all.push(Act { key, what });
            }
        }
        starts.push(all.len() as u32);
        let is_list: Vec<bool> = uses.iter().map(|used| used.appended || (used.shown && !used.written)).collect();
        let is_mixed = uses.iter().any(|used| used.appended && used.written);
        if shown.len() > 1 || is_list.contains(&true) {
            for Act { key, what } in &mut all {
                match *what {
                    // A list of which nothing was shown is empty.
                    What::Read(_) if is_list[*key as usize] => *what = What::Shown(0),
                    What::Shown(place) if !is_list[*key as usize] => {
                        *what = What::Read(values.of(shown[place as usize]));
                    }
                    _ => {}
                }
            }
        }
        Ok(Acts { all, starts, shown, is_list, is_mixed, values })
    }

    /// Whether an empty text was read or written.
    pub(super) fn has_empty_text(&self) -> bool {
        self.values.known(&Value::from("")).is_some()
    }

    /// How many keys there are.
    pub(super) fn keys(&self) -> usize {
        self.is_list.len()
    }

    /// What an operation did.
    #[inline]
    pub(super) fn of(&self, id: EntryId) -> &[Act] {
        &self.all[self.starts[id] as usize..self.starts[id + 1] as usize]
    }

    /// What was shown of a list.
    pub(super) fn shown(&self, place: u32) -> &'h [Value] {
        self.shown[place as usize].as_list().unwrap_or_default()
    }
}
