//! Histories from bytes: each pair of bytes is an event of one of a few processes, and the first byte says of which object.

use squall_checkers::{
    history::{History, MarkKind, Outcome, Phase, ProcessId},
    operation::Operation,
    recorder::HistoryBuilder,
    value::Value,
};

const PROCESSES: usize = 4;
/// Names of operations, by object; the first of each names a transaction or what has arguments of its own.
const OBJECTS: [&[&str]; 9] = [
    &["read", "write", "cas"],
    &["get", "put", "append"],
    &["read", "add", "remove", "contains"],
    &["acquire", "release"],
    &["enqueue", "dequeue", "drain"],
    &["push", "pop", "insert", "extract-min"],
    &["read", "append"],
    &["send", "poll", "assign", "generate", "transfer", "read"],
    &["txn"],
];

/// The history that these bytes stand for.
pub fn history(bytes: &[u8]) -> History {
    let mut builder = HistoryBuilder::new();
    let Some((&object, events)) = bytes.split_first() else { return builder.finish() };
    let names = OBJECTS[usize::from(object) % OBJECTS.len()];
    let lists = object / 16 % 2 == 1;
    let mut open = [None; PROCESSES];
    let mut processes: [u32; PROCESSES] = [0, 1, 2, 3];
    for (time, event) in (0..).zip(events.chunks_exact(2)) {
        let (line, what, how) = (usize::from(event[0] % 4), usize::from(event[0] / 4), event[1]);
        if what == 63 {
            let phases = [Phase::Settle, Phase::FinalReads];
            builder.mark(MarkKind::Phase(phases[usize::from(how) % 2]), time);
            builder.mark(MarkKind::FinalReads(ProcessId(processes[line]), u32::from(how) / 2 % 4), time);
            continue;
        }
        match open[line].take() {
            None => {
                let operation = asked(names[what % names.len()], what / names.len(), how, lists);
                open[line] = Some(builder.invoke(ProcessId(processes[line]), operation, time));
            }
            Some(entry) => {
                let asked = &builder.entry(entry).expect("it was invoked").operation;
                let outcome = match what % 8 {
                    0 => Outcome::Failed("full".into()),
                    1 => Outcome::Unknown("timeout".into()),
                    _ => Outcome::Ok(replied(asked, what / 8, how, lists)),
                };
                if what % 8 == 1 {
                    processes[line] += PROCESSES as u32;
                }
                builder.complete(entry, outcome, time);
            }
        }
    }
    builder.finish()
}

fn int(n: u8) -> Value {
    Value::Int(i64::from(n))
}

fn text(n: u8) -> Value {
    ["", "a", "b", "ab"][usize::from(n % 4)].into()
}

fn list(n: u8) -> Value {
    Value::List((0..4).map(|i| int(n >> (2 * i) & 3)).filter(|v| *v != int(0)).collect())
}

fn asked(f: &'static str, key: usize, how: u8, lists: bool) -> Operation {
    let key = Value::Int((key % 2) as i64);
    let pair = |a: u8, b: u8| Value::List(vec![int(a), int(b)]);
    match f {
        "txn" => {
            let micro = |n: u8| {
                let f = if n & 1 == 0 {
                    "r"
                } else if lists {
                    "append"
                } else {
                    "w"
                };
                let value = if n & 1 == 0 { Value::Nil } else { int(n / 4) };
                Value::List(vec![f.into(), int(n / 2 & 1), value])
            };
            Operation::new("txn", Value::Nil, Value::List(vec![micro(how & 15), micro(how >> 4)]))
        }
        "cas" => Operation::new("cas", key, pair(how & 3, how >> 2 & 3)),
        "put" | "append" if !lists => Operation::new(f, key, text(how)),
        "read" | "get" | "acquire" | "release" | "dequeue" | "pop" | "extract-min" | "poll" | "drain" | "generate" => {
            Operation::new(f, key, Value::Nil)
        }
        _ if how >= 0xf0 => Operation::new(f, key, text(how)),
        _ => Operation::new(f, key, int(how % 8)),
    }
}

fn replied(asked: &Operation, kind: usize, how: u8, lists: bool) -> Value {
    match (asked.f.as_str(), &asked.args, kind % 8) {
        ("txn", Value::List(micros), _) => {
            let micro = |(i, micro): (usize, &Value)| match micro.as_list() {
                Some([f, key, Value::Nil]) => {
                    let shown = how >> (4 * i) & 15;
                    let value = if lists {
                        list(shown)
                    } else if shown == 0 {
                        Value::Nil
                    } else {
                        int(shown & 7)
                    };
                    Value::List(vec![f.clone(), key.clone(), value])
                }
                _ => micro.clone(),
            };
            Value::List(micros.iter().enumerate().map(micro).collect())
        }
        ("cas" | "contains", ..) => Value::Bool(how & 1 == 0),
        ("poll", ..) => Value::List(vec![Value::List(vec![int(how & 3), int(how >> 2 & 3)])]),
        ("get", _, 0..6) => text(how),
        (_, _, 0) => Value::Nil,
        (_, _, 1) => Value::Bool(how & 1 == 0),
        (_, _, 2) => list(how),
        (_, _, 4) => text(how),
        _ => int(how % 8),
    }
}
