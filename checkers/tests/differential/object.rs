//! Sequential objects, written down once more: what is asked of them, what they reply, and one step. Nothing here is shared with
//! the models under test.

use squall_checkers::{operation::Operation, value::Value};

/// A kind of object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Object {
    Register,
    CasRegister,
    Kv,
    Set,
    /// A set of which single elements are asked for, never all.
    Members,
    Counter,
    Log,
    Mutex,
    Queue,
    Stack,
    PriorityQueue,
}

/// What an operation asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Ask {
    Read,
    /// Replaces a register or a text of one letter.
    Write(i64),
    Cas(i64, i64),
    /// Adds an element, a number or a letter.
    Add(i64),
    Take,
    Acquire,
    Release,
    Remove(i64),
    Contains(i64),
}

/// What it replies. A register that was never written and a container that was empty reply `Nil`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Reply {
    Nil,
    Int(i64),
    Bool(bool),
    All(Vec<i64>),
}

/// What any object holds: values in a row, none at first.
pub(crate) type State = Vec<i64>;

impl Object {
    pub(crate) const ALL: [Object; 11] = [
        Object::Register,
        Object::CasRegister,
        Object::Kv,
        Object::Set,
        Object::Members,
        Object::Counter,
        Object::Log,
        Object::Mutex,
        Object::Queue,
        Object::Stack,
        Object::PriorityQueue,
    ];

    /// The name of the model under test.
    pub(crate) fn model(self) -> &'static str {
        match self {
            Object::Register => "register",
            Object::CasRegister => "cas-register",
            Object::Kv => "kv",
            Object::Set | Object::Members => "set",
            Object::Counter => "counter",
            Object::Log => "log",
            Object::Mutex => "mutex",
            Object::Queue => "queue",
            Object::Stack => "stack",
            Object::PriorityQueue => "priority-queue",
        }
    }

    /// What may be asked, `value` being what is written if anything is.
    pub(crate) fn ask(self, choice: u64, value: i64, expected: i64) -> Ask {
        match (self, choice % 6) {
            (
                Object::Register | Object::CasRegister | Object::Kv | Object::Set | Object::Counter | Object::Log,
                0..3,
            ) => Ask::Read,
            (Object::CasRegister, 3 | 4) => Ask::Cas(expected, value),
            (Object::Register | Object::CasRegister, _) | (Object::Kv, 3) => Ask::Write(value),
            (Object::Members, 0..3) => Ask::Contains(value),
            (Object::Members, 3) | (Object::Set, 5) => Ask::Remove(value),
            (Object::Counter, 5) => Ask::Add(-value),
            (Object::Mutex, choice) => {
                if choice < 3 {
                    Ask::Acquire
                } else {
                    Ask::Release
                }
            }
            (Object::Queue | Object::Stack | Object::PriorityQueue, 3..) => Ask::Take,
            _ => Ask::Add(value),
        }
    }

    /// Takes one step; `None`, and no change, where the object would have to wait.
    pub(crate) fn step(self, state: &mut State, ask: Ask) -> Option<Reply> {
        match (self, ask) {
            (Object::Register | Object::CasRegister, Ask::Read) => {
                return Some(state.first().map_or(Reply::Nil, |value| Reply::Int(*value)));
            }
            (Object::Counter, Ask::Read) => return Some(Reply::Int(state.first().copied().unwrap_or(0))),
            (_, Ask::Read) => return Some(Reply::All(state.clone())),
            (_, Ask::Write(value)) => *state = vec![value],
            (_, Ask::Cas(expected, value)) => {
                let matches = state.first() == Some(&expected);
                if matches {
                    *state = vec![value];
                }
                return Some(Reply::Bool(matches));
            }
            (Object::Counter, Ask::Add(n)) => *state = vec![state.first().copied().unwrap_or(0) + n],
            (_, Ask::Contains(element)) => return Some(Reply::Bool(state.contains(&element))),
            (_, Ask::Remove(element)) => state.retain(|held| *held != element),
            (Object::Members, Ask::Add(element)) => {
                let is_new = !state.contains(&element);
                if is_new {
                    state.push(element);
                }
                return Some(Reply::Bool(is_new));
            }
            (Object::Set | Object::PriorityQueue, Ask::Add(element)) => {
                let (Ok(at) | Err(at)) = state.binary_search(&element);
                if self == Object::PriorityQueue || state.get(at) != Some(&element) {
                    state.insert(at, element);
                }
            }
            (_, Ask::Add(element)) => state.push(element),
            (Object::Stack, Ask::Take) => return Some(state.pop().map_or(Reply::Nil, Reply::Int)),
            (_, Ask::Take) if state.is_empty() => {}
            (_, Ask::Take) => return Some(Reply::Int(state.remove(0))),
            (_, Ask::Acquire) if state.is_empty() => state.push(1),
            (_, Ask::Release) if !state.is_empty() => state.clear(),
            (_, Ask::Acquire | Ask::Release) => return None,
        }
        Some(Reply::Nil)
    }

    /// What is asked, as the models under test name it.
    pub(crate) fn operation(self, key: usize, ask: Ask) -> Operation {
        let (f, args) = match (self, ask) {
            (Object::Kv, Ask::Read) => ("get", Value::Nil),
            (Object::Kv, Ask::Write(value)) => ("put", letters(&[value])),
            (Object::Kv, Ask::Add(value)) => ("append", letters(&[value])),
            (_, Ask::Read) => ("read", Value::Nil),
            (_, Ask::Write(value)) => ("write", Value::Int(value)),
            (_, Ask::Cas(expected, value)) => ("cas", Value::List(vec![Value::Int(expected), Value::Int(value)])),
            (Object::Log, Ask::Add(value)) => ("append", Value::Int(value)),
            (Object::Queue, Ask::Add(value)) => ("enqueue", Value::Int(value)),
            (Object::Stack, Ask::Add(value)) => ("push", Value::Int(value)),
            (Object::PriorityQueue, Ask::Add(value)) => ("insert", Value::Int(value)),
            (_, Ask::Add(value)) => ("add", Value::Int(value)),
            (Object::Stack, Ask::Take) => ("pop", Value::Nil),
            (Object::PriorityQueue, Ask::Take) => ("extract-min", Value::Nil),
            (_, Ask::Take) => ("dequeue", Value::Nil),
            (_, Ask::Remove(value)) => ("remove", Value::Int(value)),
            (_, Ask::Contains(value)) => ("contains", Value::Int(value)),
            (_, Ask::Acquire) => ("acquire", Value::Nil),
            (_, Ask::Release) => ("release", Value::Nil),
        };
        Operation::new(f, ["x", "y"][key], args)
    }

    /// A reply, as the models under test name it.
    pub(crate) fn reply(self, reply: &Reply) -> Value {
        match reply {
            Reply::Nil => Value::Nil,
            Reply::Int(value) => Value::Int(*value),
            Reply::Bool(value) => Value::Bool(*value),
            Reply::All(all) if self == Object::Kv => letters(all),
            Reply::All(all) => Value::List(all.iter().copied().map(Value::Int).collect()),
        }
    }
}

/// A text of one letter for each value.
fn letters(values: &[i64]) -> Value {
    values.iter().map(|value| char::from(b'a' + (value % 26) as u8)).collect::<String>().into()
}
