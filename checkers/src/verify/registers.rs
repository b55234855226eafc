//! Registers as one process after the other saw them: who wrote what, who read it, and what comes before what as a matrix.

use std::collections::{BTreeMap, BTreeSet};

use super::Verification;
use crate::{
    history::{Entry, EntryId, History},
    value::Value,
};

/// Whose write a read shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Initial,
    Node(usize),
    /// Nobody's.
    Nowhere,
}

/// An operation that took effect.
pub(super) struct Node<'h> {
    pub(super) process: u32,
    pub(super) key: &'h Value,
    pub(super) reads: Option<Origin>,
    pub(super) writes: bool,
}

/// What an operation read, if that is known, and what it wrote; nothing if it is none of a register.
fn did(entry: &Entry) -> Option<(Option<&Value>, Option<&Value>)> {
    match (entry.operation.f.as_str(), &entry.operation.args, entry.reply()) {
        ("read" | "get", _, reply) => Some((reply, None)),
        ("write" | "put", value, _) => Some((None, Some(value))),
        ("cas", _, Some(Value::Bool(false))) => Some((None, None)),
        ("cas", Value::List(args), None | Some(Value::Bool(true))) => match args.as_slice() {
            [expected, new] => Some((Some(expected), Some(new))),
            _ => None,
        },
        _ => None,
    }
}

/// The operations among these that took effect, by invocation. What the others did is forgotten, so none of these may have
/// read from them; and one of unknown outcome counts only if one of these shows its effect.
pub(super) fn nodes<'h>(history: &'h History, among: &[EntryId]) -> Result<Vec<Node<'h>>, Verification> {
    if let Some(id) = among.iter().find(|id| **id >= history.entries.len()) {
        return Err(Verification::Refuted(format!("operation {id} is not there")));
    }
    let among: BTreeSet<EntryId> = among.iter().copied().collect();
    let mut writers: BTreeMap<(&Value, &Value), Vec<EntryId>> = BTreeMap::new();
    for (id, entry) in history.entries.iter().enumerate().filter(|(_, e)| e.is_ok() || e.is_unknown()) {
        let Some((_, written)) = did(entry) else {
            return Err(Verification::Unverified(format!("operation {id} is none of a register")));
        };
        if let Some(value) = written {
            writers.entry((&entry.operation.key, value)).or_default().push(id);
        }
    }
    let read = |id: EntryId| did(&history.entries[id]).and_then(|(read, _)| read);
    // Backwards from what certainly happened to what that rests on.
    let mut effective: BTreeSet<EntryId> = among.iter().copied().filter(|&id| history.entries[id].is_ok()).collect();
    let mut open: Vec<EntryId> = effective.iter().copied().collect();
    while let Some(id) = open.pop() {
        let Some(value) = read(id) else { continue };
        let key = &history.entries[id].operation.key;
        let initial = value.is_nil() || value.as_text() == Some("");
        match writers.get(&(key, value)).map(Vec::as_slice) {
            None => {}
            Some([one]) if !initial => {
                if !among.contains(one) {
                    let why = format!("operation {id} read what operation {one} wrote, which it does not name");
                    return Err(Verification::Refuted(why));
                }
                if effective.insert(*one) {
                    open.push(*one);
                }
            }
            Some(_) => return Err(Verification::Unverified(format!("the value {value} has more than one origin"))),
        }
    }
    let ids: Vec<EntryId> = effective.into_iter().collect();
    let node = |&id: &EntryId| {
        let entry = &history.entries[id];
        let key = &entry.operation.key;
        let from = |value: &'h Value| match writers.get(&(key, value)) {
            Some(writers) => ids.binary_search(&writers[0]).map_or(Origin::Nowhere, Origin::Node),
            None if value.is_nil() || value.as_text() == Some("") => Origin::Initial,
            None => Origin::Nowhere,
        };
        let (read, written) = did(entry).unwrap_or_default();
        Node { process: entry.process.0, key, reads: read.map(from), writes: written.is_some() }
    };
    Ok(ids.iter().map(node).collect())
}

/// What comes before what, closed: who comes before another comes before all that the other comes before.
#[derive(Clone)]
pub(super) struct Before {
    words: usize,
    /// By operation, a set of those that come after it.
    after: Vec<u64>,
}

impl Before {
    /// Memory for so many operations, in bytes.
    pub(super) fn bytes(n: usize) -> u64 {
        (n as u64).saturating_mul(n.div_ceil(64) as u64).saturating_mul(8)
    }

    pub(super) fn new(n: usize) -> Self {
        let words = n.div_ceil(64);
        Before { words, after: vec![0; n * words] }
    }

    pub(super) fn holds(&self, a: usize, b: usize) -> bool {
        self.after[a * self.words + b / 64] >> (b % 64) & 1 == 1
    }

    /// `a` comes before `b`, and so does all that comes before `a` before all that comes after `b`. Answers the work.
    pub(super) fn add(&mut self, a: usize, b: usize) -> u64 {
        if self.holds(a, b) {
            return 1;
        }
        let mut new = self.after[b * self.words..][..self.words].to_vec();
        new[b / 64] |= 1 << (b % 64);
        let n = self.after.len() / self.words;
        for earlier in (0..n).filter(|&earlier| earlier == a || self.holds(earlier, a)).collect::<Vec<_>>() {
            let row = &mut self.after[earlier * self.words..][..self.words];
            row.iter_mut().zip(&new).for_each(|(word, new)| *word |= new);
        }
        (n / 8 + self.words) as u64
    }

    /// Whether something comes before itself.
    pub(super) fn is_circular(&self) -> bool {
        let n = self.after.len().checked_div(self.words).unwrap_or(0);
        (0..n).any(|i| self.holds(i, i))
    }
}
