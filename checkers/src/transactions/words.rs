//! Cycles of dependencies in plain words, and drawn in one line.

use super::{
    graph::{Edge, Kind},
    inference::Inference,
    ingest::{Action, Transactions},
};
use crate::{anomaly, history::EntryId, operation::Name, value::Value, verdict::Anomaly};

/// Elements of a list that are shown; of longer ones the last.
const ELEMENTS_MAX: usize = 8;

/// The anomaly that this cycle is; `shape` is its name in words.
pub(crate) fn cycle(known: &Inference<'_, '_>, kind: Name, shape: &str, cycle: &[Edge]) -> Anomaly {
    let steps: Vec<String> = cycle.iter().map(|edge| step(known, edge)).collect();
    let sentence = format!("{}: {shape}. {}", steps.join("; "), drawing(known, cycle));
    let members = cycle.iter().map(|e| e.from).chain(witnesses(known, cycle));
    let operations = members.map(|vertex| known.txn(vertex).entry).collect();
    let keys: Vec<u32> = cycle.iter().filter(|e| is_data(e.kind)).map(|e| e.key).collect();
    let key = match keys.first() {
        Some(first) if keys.iter().all(|k| k == first) => known.all.keys[*first as usize].clone(),
        _ => Value::Nil,
    };
    Anomaly::new(kind, key, operations, sentence)
}

/// The name of a transaction: `T` and the number of its operation.
pub(crate) fn name(known: &Inference<'_, '_>, vertex: u32) -> String {
    let entry: EntryId = known.txn(vertex).entry;
    format!("T{entry}")
}

/// The transaction as a sentence names it: by its number, or what it did where that is short.
pub(super) fn say(all: &Transactions<'_>, txn: usize) -> String {
    let entry = all.entry(txn);
    if entry.operation.f == "txn" { format!("T{}", all.txns[txn].entry) } else { anomaly::describe(entry) }
}

/// Who shows that the writes of a list came in this order. Where somebody did not see a write it is enough to name both, as lists
/// only grow.
pub(super) fn witnesses(known: &Inference<'_, '_>, cycle: &[Edge]) -> impl Iterator<Item = u32> {
    let overwritten = cycle.iter().filter(|edge| edge.kind == Kind::WW);
    overwritten.filter_map(|edge| known.keys[edge.key as usize].longest)
}

fn is_data(kind: Kind) -> bool {
    Kind::WW.and(Kind::WR).and(Kind::RW).has(kind)
}

/// `T0 -wr x-> T1 -rw y-> T0`.
fn drawing(known: &Inference<'_, '_>, cycle: &[Edge]) -> String {
    let mut out = name(known, cycle[0].from);
    for edge in cycle {
        let label = match edge.kind {
            Kind::WW => "ww",
            Kind::WR => "wr",
            Kind::RW => "rw",
            Kind::SESSION => "process",
            _ => "time",
        };
        let key = if is_data(edge.kind) { format!(" {}", known.all.keys[edge.key as usize]) } else { String::new() };
        out.push_str(&format!(" -{label}{key}-> {}", name(known, edge.to)));
    }
    out
}

/// Why the one comes before the other.
fn step(known: &Inference<'_, '_>, edge: &Edge) -> String {
    let [from, to] = [edge.from, edge.to].map(|v| name(known, v));
    let process = || known.all.entry(known.txns[edge.from as usize] as usize).process.0;
    match edge.kind {
        Kind::SESSION => return format!("process {} ran {from} before {to}", process()),
        Kind::TIME => return format!("{from} had completed when {to} began"),
        _ => {}
    }
    let key = known.all.keys[edge.key as usize];
    match edge.kind {
        Kind::WR => format!("{to} read {key} = {}, of {from}", shown(read(known, edge.to, edge, true))),
        Kind::RW => {
            format!("{from} read {key} = {} and not what {to} wrote", shown(read(known, edge.from, edge, false)))
        }
        _ => match known.keys[edge.key as usize].longest {
            Some(reader) => format!("{to} changed {key} after {from}, as {} saw", name(known, reader)),
            None => format!("{to} changed {key} after {from}"),
        },
    }
}

/// What the reader first read from the key that shows, or does not show, the write of the other end.
fn read<'h>(known: &Inference<'_, 'h>, reader: u32, edge: &Edge, shows: bool) -> Option<&'h Value> {
    let ops = |vertex: u32| known.all.ops(known.txns[vertex as usize] as usize);
    let writer = if reader == edge.to { edge.from } else { edge.to };
    let wrote = |value: &Value| {
        ops(writer).iter().any(|op| match op.action {
            _ if op.key != edge.key => false,
            Action::Write(written) => written == value,
            Action::Append(element) => value.as_list().is_some_and(|list| list.contains(element)),
            Action::Read(_) => false,
        })
    };
    let values = ops(reader).iter().filter_map(|op| match op.action {
        Action::Read(value) if op.key == edge.key => value,
        _ => None,
    });
    values.clone().find(|value| wrote(value) == shows).or_else(|| values.clone().next())
}

fn shown(value: Option<&Value>) -> String {
    match value {
        Some(Value::List(list)) if list.len() > ELEMENTS_MAX => {
            let last: Vec<String> = list[list.len() - ELEMENTS_MAX..].iter().map(Value::to_string).collect();
            format!("[… {}]", last.join(" "))
        }
        Some(value) => value.to_string(),
        None => "?".to_owned(),
    }
}
