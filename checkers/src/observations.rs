//! Who read from whom: reads and writes of registers as the checkers weaker than linearizability see them.

use std::collections::BTreeMap;

use crate::{
    anomaly,
    history::{Entry, EntryId, History, ProcessId},
    partition::FixedMap,
    value::Value,
    verdict::{Anomaly, Verdict},
};

/// What a read saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// What was there before all writes.
    Initial,
    /// What this node wrote.
    Node(usize),
    /// A value that nobody wrote.
    ThinAir,
}

/// One operation that certainly took effect. A cas both reads and writes.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) entry: EntryId,
    pub(crate) session: usize,
    pub(crate) key: usize,
    pub(crate) reads: Option<Source>,
    pub(crate) writes: bool,
}

/// The operations that certainly took effect, by invocation, and the sessions they belong to.
#[derive(Clone, Debug)]
pub(crate) struct Observations {
    pub(crate) nodes: Vec<Node>,
    /// The nodes of each process, in the order it issued them.
    pub(crate) sessions: Vec<Vec<usize>>,
    pub(crate) keys: Vec<Value>,
}

/// What one entry does to its register: the value it saw and the value it wrote.
pub(crate) fn effect(entry: &Entry) -> Option<(Option<&Value>, Option<&Value>)> {
    match (entry.operation.f.as_str(), &entry.operation.args, entry.reply()) {
        ("read" | "get", _, reply) => Some((reply, None)),
        ("write" | "put", value, _) => Some((None, Some(value))),
        ("cas", Value::List(args), Some(Value::Bool(false))) if args.len() == 2 => Some((None, None)),
        ("cas", Value::List(args), None | Some(Value::Bool(true))) if args.len() == 2 => {
            Some((Some(&args[0]), Some(&args[1])))
        }
        _ => None,
    }
}

impl Observations {
    /// Reads the history. O(n log n).
    ///
    /// # Errors
    /// A verdict when nothing took effect, an operation is none of a register, or a value that was read was written twice; and
    /// when a register was seen with two values before anybody wrote it.
    pub(crate) fn new(history: &History) -> Result<Self, Verdict> {
        if !history.entries.iter().any(Entry::is_ok) {
            let n = history.entries.len();
            return Err(Verdict::vacuous(format!("none of the {n} operations is known to have taken effect")));
        }
        let mut writers: FixedMap<(&Value, &Value), Vec<EntryId>> = FixedMap::default();
        let mut readers: FixedMap<(&Value, &Value), EntryId> = FixedMap::default();
        let alive = |e: &Entry| e.is_ok() || e.is_unknown();
        for (id, entry) in history.entries.iter().enumerate().filter(|(_, e)| alive(e)) {
            let Some((read, written)) = effect(entry) else {
                let what = "is none of read, write, cas (with a reply true or false), get and put";
                return Err(Verdict::precondition(format!("operation {id}, `{}`, {what}", entry.operation)));
            };
            let key = &entry.operation.key;
            if let Some(value) = written {
                writers.entry((key, value)).or_default().push(id);
            }
            if let Some(value) = read.filter(|_| entry.is_ok()) {
                readers.entry((key, value)).or_insert(id);
            }
        }
        // A cas of unknown outcome took effect, and so read, if its value was read; and so on.
        let unknown: Vec<EntryId> = (0..history.entries.len()).filter(|&id| history.entries[id].is_unknown()).collect();
        loop {
            let before = readers.len();
            for &id in &unknown {
                let entry = &history.entries[id];
                let key = &entry.operation.key;
                if let Some((Some(read), Some(written))) = effect(entry)
                    && readers.contains_key(&(key, written))
                {
                    readers.entry((key, read)).or_insert(id);
                }
            }
            if readers.len() == before {
                break;
            }
        }
        for &(key, value) in readers.keys() {
            let writes = writers.get(&(key, value)).map_or(0, Vec::len);
            if writes > 1 || (writes == 1 && is_initial(value)) {
                return Err(ambiguous(&writers, &readers));
            }
        }
        let took_effect = |id: EntryId| {
            let entry = &history.entries[id];
            let Some((_, Some(value))) = effect(entry) else { return entry.is_ok() };
            let seen = |value| readers.contains_key(&(&entry.operation.key, value));
            entry.is_ok() || (entry.is_unknown() && seen(value))
        };
        let mut built = Observations { nodes: Vec::new(), sessions: Vec::new(), keys: Vec::new() };
        let mut sessions: BTreeMap<ProcessId, usize> = BTreeMap::new();
        let mut keys: FixedMap<&Value, usize> = FixedMap::default();
        let mut node_of = vec![None; history.entries.len()];
        for (id, entry) in history.entries.iter().enumerate().filter(|(id, _)| took_effect(*id)) {
            let session = *sessions.entry(entry.process).or_insert_with(|| {
                built.sessions.push(Vec::new());
                built.sessions.len() - 1
            });
            let key = *keys.entry(&entry.operation.key).or_insert_with(|| {
                built.keys.push(entry.operation.key.clone());
                built.keys.len() - 1
            });
            node_of[id] = Some(built.nodes.len());
            built.sessions[session].push(built.nodes.len());
            let writes = effect(entry).is_some_and(|(_, written)| written.is_some());
            built.nodes.push(Node { entry: id, session, key, reads: None, writes });
        }
        for node in &mut built.nodes {
            let entry = &history.entries[node.entry];
            let read = effect(entry).and_then(|(read, _)| read);
            node.reads = read.map(|value| match writers.get(&(&entry.operation.key, value)) {
                Some(ids) => node_of[ids[0]].map_or(Source::ThinAir, Source::Node),
                None if is_initial(value) => Source::Initial,
                None => Source::ThinAir,
            });
        }
        match built.two_beginnings(history) {
            Some(anomaly) => Err(Verdict::of(vec![anomaly])),
            None => Ok(built),
        }
    }

    /// Two operations that saw different values of a register that nobody wrote, with what they rest on.
    fn two_beginnings(&self, history: &History) -> Option<Anomaly> {
        let mut first: Vec<Option<(usize, &Value)>> = vec![None; self.keys.len()];
        for (node, n) in self.nodes.iter().enumerate().filter(|(_, n)| n.reads == Some(Source::Initial)) {
            let (Some(value), _) = effect(&history.entries[n.entry])? else { continue };
            let (other, _) = *first[n.key].get_or_insert((node, value));
            if first[n.key].is_some_and(|(_, first)| first != value) {
                let both = [other, node];
                let operations = self.supported(history, both.to_vec()).into_iter().map(|node| self.nodes[node].entry);
                let said = anomaly::two_beginnings(history, &self.keys[n.key], both.map(|node| self.nodes[node].entry));
                return Some(Anomaly { operations: operations.collect(), ..said });
            }
        }
        None
    }

    /// The nodes with all that they rest on: whose value a read saw, and who saw what an operation of unknown outcome wrote.
    /// Each once, in order.
    pub(crate) fn supported(&self, history: &History, mut nodes: Vec<usize>) -> Vec<usize> {
        let mut is_in = vec![false; self.nodes.len()];
        nodes.retain(|&node| !std::mem::replace(&mut is_in[node], true));
        let mut next = 0;
        while let Some(&node) = nodes.get(next) {
            next += 1;
            let source = self.nodes[node].reads.and_then(|source| match source {
                Source::Node(source) => Some(source),
                Source::Initial | Source::ThinAir => None,
            });
            let witnesses = if history.entries[self.nodes[node].entry].is_ok() {
                Vec::new()
            } else {
                self.witnesses(history, node)
            };
            for other in source.into_iter().chain(witnesses) {
                if !std::mem::replace(&mut is_in[other], true) {
                    nodes.push(other);
                }
            }
        }
        nodes.sort_unstable();
        nodes
    }

    /// Who shows that an operation of unknown outcome took effect: an operation that did and saw its value, by way of others
    /// of unknown outcome perhaps.
    fn witnesses(&self, history: &History, node: usize) -> Vec<usize> {
        let mut came: Vec<(usize, usize)> = vec![(node, node)];
        let mut next = 0;
        while let Some(&(reader, from)) = came.get(next) {
            if history.entries[self.nodes[reader].entry].is_ok() {
                let mut way = vec![reader];
                let mut from = from;
                while from != node {
                    way.push(from);
                    from = came.iter().find(|(other, _)| *other == from).expect("it was come from").1;
                }
                return way;
            }
            next += 1;
            let saw = |other: &usize| self.nodes[*other].reads == Some(Source::Node(reader));
            for other in (0..self.nodes.len()).filter(saw) {
                if came.iter().all(|(known, _)| *known != other) {
                    came.push((other, reader));
                }
            }
        }
        Vec::new()
    }

    /// The operation of a node, for people.
    pub(crate) fn say(&self, history: &History, node: usize) -> String {
        crate::anomaly::describe(&history.entries[self.nodes[node].entry])
    }
}

/// Whether a register may hold this before it is written: stores show a key that is not there as nil, or as an empty text. One
/// register is shown in one of the two ways only.
pub(crate) fn is_initial(value: &Value) -> bool {
    value.is_nil() || value.as_text() == Some("")
}

/// Names the first value that was read and has more than one origin.
fn ambiguous(
    writers: &FixedMap<(&Value, &Value), Vec<EntryId>>,
    readers: &FixedMap<(&Value, &Value), EntryId>,
) -> Verdict {
    let first = readers.keys().filter_map(|what| {
        let ids = writers.get(what)?;
        (ids.len() > 1 || is_initial(what.1)).then_some((ids[0], what.1))
    });
    let (id, value) = first.min().unwrap_or((0, &Value::Nil));
    Verdict::precondition(format!(
        "the value {value} that operation {id} writes has more than one origin: who read from whom is known only when written values are unique"
    ))
}
