//! What registers, lists and containers hold while an order is replayed, without copies of it: most long histories are of these.
//! The same as `replay` says of them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{
    acts::{How, asked},
    elements::puts_in,
    firsts::First,
    instead::refused,
    numbers::Numbers,
};
use crate::{
    history::{Entry, EntryId, History},
    operation::Operation,
    value::Value,
};

/// The models that are known here, by their operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `read` and `write`.
    Register,
    /// And `cas`.
    CasRegister,
    /// `txn`, of `r` and `w`.
    Registers,
    /// And of `append`.
    Lists,
    /// Transactions, and all operations on registers, texts and lists by themselves, as the levels of isolation know them.
    Isolated,
    /// What comes out first went in first.
    Queue,
    /// What comes out first went in last.
    Stack,
    /// What comes out first is the least.
    PriorityQueue,
}

impl Kind {
    /// The model, if all its operations are known here.
    pub(super) fn named(model: &str) -> Option<Kind> {
        Some(match model {
            "register" => Kind::Register,
            "cas-register" => Kind::CasRegister,
            "rw-register" => Kind::Registers,
            "list-append" => Kind::Lists,
            "queue" => Kind::Queue,
            "stack" => Kind::Stack,
            "priority-queue" => Kind::PriorityQueue,
            _ => return None,
        })
    }

    /// As what a register begins of which this is seen: as that, where it may.
    fn first(self, seen: First) -> First {
        if self == Kind::Isolated { seen } else { First::Nil }
    }
}

/// What is held under each key.
pub(super) struct Held<'h> {
    keys: Numbers<'h>,
    of: Vec<Thing<'h>>,
    /// Keys that were read as a list that is empty.
    empty: Vec<&'h Value>,
    /// Keys of registers that a cas of unknown outcome left as they were.
    untouched: Vec<&'h Value>,
    /// Keys of which nothing was known yet when a cas of an empty list was refused: of registers, therefore.
    no_lists: Vec<&'h Value>,
}

#[derive(Clone)]
#[expect(clippy::box_collection, reason = "what registers hold takes two words")]
enum Thing<'h> {
    Nothing,
    /// An integer, which most registers hold, lies here itself: who wrote it may have left the caches long ago.
    Int(i64),
    /// The same, once somebody saw as what it begins.
    First(First),
    Value(&'h Value),
    List(Box<Vec<&'h Value>>),
    /// In the order in which they were put in.
    Row(Box<VecDeque<&'h Value>>),
    /// How often each is there.
    Sorted(Box<BTreeMap<&'h Value, u32>>),
}

impl<'h> Held<'h> {
    /// Nothing at first.
    pub(super) fn new(history: &History) -> Self {
        let keys = Numbers::new(history.entries.len());
        Held { keys, of: Vec::new(), empty: Vec::new(), untouched: Vec::new(), no_lists: Vec::new() }
    }

    #[inline]
    fn thing(&mut self, key: &'h Value) -> &mut Thing<'h> {
        let key = self.keys.of(key) as usize;
        if key == self.of.len() {
            self.of.push(Thing::Nothing);
        }
        &mut self.of[key]
    }

    /// What is held under a key, if it is known.
    fn known(&self, key: &Value) -> &Thing<'h> {
        self.keys.known(key).map_or(&Thing::Nothing, |key| &self.of[key as usize])
    }

    /// Changes what is held; `None` if the reply is impossible, or the operation is none of the model.
    #[inline]
    pub(super) fn apply(&mut self, kind: Kind, entry: &'h Entry) -> Option<()> {
        if let Kind::Register | Kind::CasRegister = kind
            && let Some(applied) = self.read_or_write(entry)
        {
            return applied;
        }
        self.apply_other(kind, entry)
    }

    /// A read or a write of a register that holds something, where the reply is known. Which of them it is nobody can guess, so that
    /// nothing branches on it: afterwards the register holds what was written, or the same as was read.
    #[inline(never)] // within the loop of a replay the compiler branches again: 25% more time
    #[expect(clippy::option_option, reason = "it may be something else, or impossible")]
    #[expect(clippy::needless_bitwise_bool, reason = "a lazy operator branches")]
    fn read_or_write(&mut self, entry: &'h Entry) -> Option<Option<()>> {
        let Operation { f, key, args } = &entry.operation;
        let f = f.as_str().as_bytes();
        let head = *f.first_chunk::<4>()?;
        let reads = (head == *b"read") & (f.len() == 4);
        let writes = (head == *b"writ") & (f.len() == 5) & (f[f.len() - 1] == b'e');
        let reply = entry.reply().filter(|_| reads | writes)?;
        let value = if writes { args } else { reply };
        match (self.thing(key), value) {
            (Thing::Int(held), Value::Int(value)) => {
                let fits = writes | (held == value);
                *held = if fits { *value } else { *held };
                Some(fits.then_some(()))
            }
            (_, Value::Int(_)) => None,
            (Thing::Value(held), value) => {
                let fits = writes | (*held == value);
                *held = if fits { value } else { *held };
                Some(fits.then_some(()))
            }
            _ => None,
        }
    }

    fn apply_other(&mut self, kind: Kind, entry: &'h Entry) -> Option<()> {
        let Operation { f, key, args } = &entry.operation;
        let reply = entry.reply();
        match (kind, f.as_str()) {
            (Kind::Queue | Kind::Stack | Kind::PriorityQueue, _) if puts_in(f) => {
                self.thing(key).put(kind, args);
                Some(())
            }
            (Kind::Queue | Kind::Stack | Kind::PriorityQueue, _) => {
                let taken = self.thing(key).take(kind);
                reply.is_none_or(|reply| taken.map_or(reply.is_nil(), |taken| reply == taken)).then_some(())
            }
            (Kind::Isolated, "append") => self.thing(key).append(args),
            (Kind::Register | Kind::CasRegister | Kind::Isolated, "read") | (Kind::Isolated, "get") => match reply {
                Some(reply) => self.reads(key, reply, kind),
                None => Some(()),
            },
            (Kind::Register | Kind::CasRegister | Kind::Isolated, "write") | (Kind::Isolated, "put") => {
                *self.thing(key) = Thing::of(args);
                Some(())
            }
            (Kind::CasRegister | Kind::Isolated, "cas") => {
                let [expected, new] = args.as_list()? else { return None };
                let thing = self.thing(key);
                if let Some(first) = First::of(expected) {
                    let is_refused = reply == Some(&Value::Bool(false));
                    thing.begin(kind.first(if is_refused { first.other() } else { first }));
                }
                let matches = thing.is(expected);
                let is_no_list = matches!((&*thing, expected), (Thing::Nothing, Value::List(list)) if list.is_empty());
                if reply.is_some_and(|reply| *reply != Value::Bool(matches)) {
                    return None;
                }
                if matches {
                    *thing = Thing::of(new);
                } else if kind == Kind::Isolated {
                    self.untouched.extend(Some(key).filter(|_| reply.is_none()));
                    self.no_lists.extend(Some(key).filter(|_| is_no_list && reply.is_some()));
                }
                Some(())
            }
            (Kind::Registers | Kind::Lists | Kind::Isolated, "txn") => {
                let replied = reply.and_then(Value::as_list);
                args.as_list()?.iter().enumerate().try_for_each(|(i, asked)| {
                    let seen = match replied {
                        Some(replied) => Some(replied.get(i)?.as_list()?.get(2)?),
                        None => None,
                    };
                    self.micro(kind, asked.as_list()?, seen)
                })
            }
            _ => None,
        }
    }

    /// Whether a read of this key may show this.
    fn reads(&mut self, key: &'h Value, shown: &Value, kind: Kind) -> Option<()> {
        let thing = self.thing(key);
        if let Some(first) = First::of(shown) {
            thing.begin(kind.first(first));
        }
        thing.reads(shown, kind)?;
        if kind == Kind::Isolated && matches!(shown, Value::List(list) if list.is_empty()) {
            self.empty.push(key);
        }
        Some(())
    }

    /// An operation, if there is one, that takes a list for a register, whether or not it took effect: that writes what was read as
    /// an empty list, or was refused that though it was there. `left` are those that were not applied. What was appended to is left to the replay.
    pub(super) fn mistaken(&self, history: &History, left: impl Iterator<Item = EntryId>) -> Option<EntryId> {
        let is_list = |key: &Value| matches!(self.known(key), Thing::List(_));
        if let Some(key) = self.no_lists.iter().find(|key| is_list(key) || self.empty.contains(key)) {
            let nothing = Value::List(Vec::new());
            return history.entries.iter().position(|entry| refused(entry) == Some((key, &nothing)));
        }
        let empty: BTreeSet<&Value> = self.empty.iter().copied().filter(|key| !is_list(key)).collect();
        let writes =
            |id: &EntryId| asked(&history.entries[*id]).any(|(key, how, _)| how == How::Writes && empty.contains(key));
        let untouched: BTreeSet<&Value> = self.untouched.iter().copied().collect();
        if empty.iter().any(|key| matches!(self.known(key), Thing::Int(_) | Thing::Value(_)) || untouched.contains(key))
        {
            return (0..history.entries.len()).find(writes);
        }
        left.into_iter().find(|id| !empty.is_empty() && writes(id))
    }

    /// One read, write or append of a transaction.
    fn micro(&mut self, kind: Kind, asked: &'h [Value], seen: Option<&Value>) -> Option<()> {
        let [Value::Text(f), key, argument] = asked else { return None };
        match (f.as_str(), seen) {
            ("w" | "write", _) => *self.thing(key) = Thing::of(argument),
            ("append", _) => return self.thing(key).append(argument),
            ("r" | "read", Some(seen)) => return self.reads(key, seen, kind),
            ("r" | "read", None) => {}
            _ => return None,
        }
        Some(())
    }
}

impl<'h> Thing<'h> {
    /// Somebody sees as what it begins, if it has not begun yet.
    #[inline]
    fn begin(&mut self, first: First) {
        if let Thing::Nothing = self {
            *self = Thing::First(first);
        }
    }

    #[inline]
    fn of(value: &'h Value) -> Self {
        value.as_int().map_or(Thing::Value(value), Thing::Int)
    }

    #[inline]
    fn is(&self, value: &Value) -> bool {
        match (self, value) {
            (Thing::Int(held), value) => value.as_int() == Some(*held),
            (Thing::Value(held), value) => *held == value,
            (Thing::First(first), value) => First::of(value) == Some(*first),
            (Thing::List(held), Value::List(list)) => held.iter().copied().eq(list),
            _ => false,
        }
    }

    /// Whether a read may show this.
    #[inline]
    fn reads(&self, shown: &Value, kind: Kind) -> Option<()> {
        let fits = match (self, shown) {
            (Thing::Nothing | Thing::First(_), Value::List(list)) => {
                matches!(kind, Kind::Lists | Kind::Isolated) && list.is_empty()
            }
            (held, shown) => held.is(shown),
        };
        fits.then_some(())
    }

    /// Puts an element into a container.
    fn put(&mut self, kind: Kind, element: &'h Value) {
        if let Thing::Nothing = self {
            *self =
                if kind == Kind::PriorityQueue { Thing::Sorted(Box::default()) } else { Thing::Row(Box::default()) };
        }
        match self {
            Thing::Row(row) => row.push_back(element),
            Thing::Sorted(sorted) => *sorted.entry(element).or_default() += 1,
            _ => {}
        }
    }

    /// Takes the next element out of a container, if there is one.
    fn take(&mut self, kind: Kind) -> Option<&'h Value> {
        match self {
            Thing::Row(row) if kind == Kind::Stack => row.pop_back(),
            Thing::Row(row) => row.pop_front(),
            Thing::Sorted(sorted) => {
                let mut least = sorted.first_entry()?;
                let element = *least.key();
                *least.get_mut() -= 1;
                if *least.get() == 0 {
                    least.remove();
                }
                Some(element)
            }
            _ => None,
        }
    }

    /// Adds an element to a list.
    fn append(&mut self, element: &'h Value) -> Option<()> {
        match self {
            Thing::Nothing | Thing::First(_) => *self = Thing::List(Box::new(vec![element])),
            Thing::List(list) => list.push(element),
            Thing::Value(Value::List(list)) => *self = Thing::List(Box::new(list.iter().chain([element]).collect())),
            _ => return None,
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use rand_xoshiro::{
        Xoshiro256PlusPlus,
        rand_core::{Rng, SeedableRng},
    };

    use super::*;
    use crate::{
        history::{Outcome, ProcessId},
        recorder::HistoryBuilder,
        verify::replay::{self, State},
    };

    /// An operation that may belong to the model, and some reply.
    fn drawn(below: &mut impl FnMut(usize) -> usize, model: &str) -> (Operation, Outcome) {
        let value = |n: usize| [Value::Nil, 1.into(), 2.into(), "a".into(), Value::List(vec![1.into()])][n].clone();
        let list =
            |below: &mut dyn FnMut(usize) -> usize| Value::List((0..below(3)).map(|_| value(below(3))).collect());
        let key = value(below(5));
        let (f, args, reply) = match (model, below(4)) {
            ("rw-register" | "list-append", 0..3) => {
                let (mut asked, mut shown) = (Vec::new(), Vec::new());
                for _ in 0..=below(3) {
                    let f = ["r", "read", "w", "append", "append", "r", "w", "append", "x"][below(9)];
                    let f = if model == "rw-register" && f == "append" { "r" } else { f };
                    let key = value(below(2));
                    asked.push(Value::List(vec![f.into(), key.clone(), value(below(3))]));
                    let reply = if model == "list-append" { list(below) } else { value(below(5)) };
                    shown.push(Value::List(vec![f.into(), key, reply]));
                }
                ("txn", Value::List(asked), Value::List(shown))
            }
            ("queue", 0 | 1) => ("enqueue", value(below(5)), Value::Nil),
            ("stack", 0 | 1) => ("push", value(below(5)), Value::Nil),
            ("priority-queue", 0 | 1) => ("insert", value(below(5)), Value::Nil),
            ("queue" | "stack" | "priority-queue", _) => ("take", Value::Nil, value(below(5))),
            (_, 0 | 1) => ("read", Value::Nil, value(below(5))),
            (_, 2) => ("write", value(below(5)), Value::Nil),
            _ => ("cas", Value::List(vec![value(below(5)), value(below(5))]), Value::Bool(below(2) == 0)),
        };
        let outcome = if below(6) == 0 { Outcome::Unknown("".into()) } else { Outcome::Ok(reply) };
        (Operation::new(f, key, args), outcome)
    }

    #[test]
    fn what_is_held_is_what_the_models_say() {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(1);
        let mut below = |n: usize| (random.next_u64() % n as u64) as usize;
        let models = ["register", "cas-register", "rw-register", "list-append", "queue", "stack", "priority-queue"];
        for model in models {
            let kind = Kind::named(model).expect("it is known");
            let mut counts = [0; 2];
            for _ in 0..500 {
                let mut builder = HistoryBuilder::new();
                for process in 0..100 {
                    let (operation, outcome) = drawn(&mut below, model);
                    let entry = builder.invoke(ProcessId(process), operation, 0);
                    builder.complete(entry, outcome, 0);
                }
                let history = builder.finish();
                let (mut held, mut state) = (Held::new(&history), State::new());
                for entry in &history.entries {
                    let expected = replay::apply(model, &mut state, &entry.operation, entry.reply());
                    assert_eq!(held.apply(kind, entry), expected, "{model}: {entry:?}");
                    counts[usize::from(expected.is_some())] += 1;
                    // A transaction that is refused may have done a part of it, in another order.
                    if expected.is_none() && entry.operation.f == "txn" {
                        break;
                    }
                }
            }
            assert!(counts.iter().all(|count| *count > 100), "{model}: {counts:?}");
        }
    }
}
