//! `txn([[read x nil] [write y 2] …]) -> the same with what was read`, and single reads, writes and cas on keys.

use std::collections::BTreeMap;

use crate::{
    model::{Done, Effect, Model},
    operation::Operation,
    value::Value,
};

/// Registers that one `txn` reads and writes together.
///
/// A register begins as `nil` or as 0, and histories do not say as which: Jepsen's of this kind start their registers at 0.
/// It begins as one of them only, so that reads of it agree as long as nobody wrote it. Checkers that judge by no model know
/// registers that begin as `nil` only; given this one they say that it is unknown where it may have begun as 0.
#[derive(Clone, Copy, Debug)]
pub struct MultiRegister;

impl Model for MultiRegister {
    type State = BTreeMap<Value, Value>;
    type Successors = Option<BTreeMap<Value, Value>>;

    fn name(&self) -> &'static str {
        "multi-register"
    }

    fn initial(&self) -> Self::State {
        BTreeMap::new()
    }

    /// Registers whose first value what was seen does not settle may begin as either: there are two states for each of them.
    fn beginnings<'m>(
        &'m self,
        done: &mut dyn Iterator<Item = Done<'_>>,
    ) -> Result<Box<dyn Iterator<Item = Self::State> + 'm>, [usize; 2]> {
        let mut zeros = Self::State::new();
        let mut open: Vec<Value> = Vec::new();
        for (key, [nil, zero]) in Signs::new(done).0 {
            match (nil.forced(), zero.forced()) {
                (Some(one), Some(other)) => return Err([one, other]),
                (Some(_), None) => {}
                (None, None) if nil.is_of_use && zero.is_of_use => open.push(key.clone()),
                (None, None) if !zero.is_of_use => {}
                (None, _) => _ = zeros.insert(key.clone(), Value::Int(0)),
            }
        }
        let count = 1_u64.checked_shl(open.len() as u32).unwrap_or(u64::MAX);
        Ok(Box::new((0..count).map(move |chosen| {
            let is_zero = |place: usize| place < 64 && chosen >> place & 1 == 1;
            let more = open.iter().enumerate().filter(|(place, _)| is_zero(*place));
            zeros.clone().into_iter().chain(more.map(|(_, key)| (key.clone(), Value::Int(0)))).collect()
        })))
    }

    fn step(&self, state: &Self::State, operation: &Operation, reply: Option<&Value>) -> Self::Successors {
        let mut state = state.clone();
        if operation.f != "txn" {
            apply(&mut state, operation.f.as_str(), &operation.key, &operation.args, reply).then_some(())?;
            return Some(state);
        }
        let asked = operation.args.as_list()?;
        let replied = reply.and_then(Value::as_list);
        for (i, micro) in asked.iter().enumerate() {
            let (f, key, argument) = micro_operation(micro)?;
            let seen = match replied {
                Some(replies) => Some(micro_operation(replies.get(i)?)?.2),
                None => None,
            };
            apply(&mut state, f, key, argument, seen).then_some(())?;
        }
        Some(state)
    }

    fn admits(&self, operation: &Operation, reply: Option<&Value>) -> Result<(), String> {
        if operation.f != "txn" {
            return super::register::admits_register("multi-register", operation, reply);
        }
        let shape = |v: &Value| -> Option<Vec<(String, Value)>> {
            v.as_list()?
                .iter()
                .map(|micro| {
                    let (f, key, _) = micro_operation(micro)?;
                    Some((f.to_owned(), key.clone()))
                })
                .collect()
        };
        let asked = shape(&operation.args).ok_or_else(|| {
            format!("`{operation}` is no txn: it takes a list of [read key nil] and [write key value]")
        })?;
        match reply {
            Some(reply) if shape(reply).as_ref() != Some(&asked) => {
                Err(format!("`{operation}` replied {reply}, which is not the same list with what was read"))
            }
            _ => Ok(()),
        }
    }

    fn is_keyed(&self, operation: &Operation) -> bool {
        operation.f != "txn"
    }

    fn effect<'a>(&'a self, operation: &'a Operation, _: Option<&'a Value>) -> Effect<'a> {
        let only_reads = match &operation.args {
            Value::List(micros) if operation.f == "txn" => {
                micros.iter().all(|m| micro_operation(m).is_some_and(|(f, _, _)| f == "read"))
            }
            _ => operation.f == "read",
        };
        if only_reads { Effect::Observes } else { Effect::Opaque }
    }

    fn heap_bytes(&self, state: &Self::State) -> usize {
        state.len() * 2 * size_of::<Value>()
    }
}

/// What tells whether a register began as one of its two first values.
#[derive(Clone, Copy, Default)]
struct Sign {
    /// The first operation that certainly saw it.
    seen: Option<usize>,
    /// Whether some operation is possible that would not be if the register began as the other.
    is_of_use: bool,
    is_written: bool,
}

impl Sign {
    /// The operation that shows that the register began so.
    fn forced(&self) -> Option<usize> {
        self.seen.filter(|_| !self.is_written)
    }
}

/// By register: what tells of nil, and what of 0.
#[derive(Default)]
struct Signs<'h>(BTreeMap<&'h Value, [Sign; 2]>);

impl<'h> Signs<'h> {
    fn new(done: &mut dyn Iterator<Item = Done<'h>>) -> Self {
        let mut signs = Signs::default();
        for (place, Done { operation, reply, is_certain }) in done.enumerate() {
            let seen = is_certain.then_some(place);
            match (operation.f.as_str(), &operation.args) {
                ("txn", Value::List(asked)) => {
                    let replied = reply.and_then(Value::as_list);
                    for (i, micro) in asked.iter().enumerate() {
                        let shown = replied.and_then(|replied| micro_operation(replied.get(i)?));
                        match (micro_operation(micro), shown) {
                            (Some(("write", key, value)), _) => signs.write(key, value),
                            (Some((_, key, _)), Some((_, _, value))) => signs.see(key, value, seen),
                            _ => {}
                        }
                    }
                }
                ("read", _) => reply.into_iter().for_each(|value| signs.see(&operation.key, value, seen)),
                ("cas", Value::List(args)) => match (&args[..], reply) {
                    ([expected, _], Some(Value::Bool(false))) => signs.differ(&operation.key, expected),
                    ([expected, new], _) => {
                        signs.see(&operation.key, expected, seen);
                        signs.write(&operation.key, new);
                    }
                    _ => {}
                },
                (_, value) => signs.write(&operation.key, value),
            }
        }
        signs
    }

    fn see(&mut self, key: &'h Value, value: &Value, by: Option<usize>) {
        let Some(first) = FIRST.iter().position(|first| first == value) else { return };
        let sign = &mut self.0.entry(key).or_default()[first];
        sign.is_of_use = true;
        sign.seen = sign.seen.or(by);
    }

    /// Something found another value than this: the other first value will do.
    fn differ(&mut self, key: &'h Value, value: &Value) {
        let Some(first) = FIRST.iter().position(|first| first == value) else { return };
        self.0.entry(key).or_default()[1 - first].is_of_use = true;
    }

    fn write(&mut self, key: &'h Value, value: &Value) {
        let Some(first) = FIRST.iter().position(|first| first == value) else { return };
        self.0.entry(key).or_default()[first].is_written = true;
    }
}

/// What a register may begin as.
const FIRST: [Value; 2] = [Value::Nil, Value::Int(0)];

/// One operation on one register; false when the reply is impossible.
fn apply(state: &mut BTreeMap<Value, Value>, f: &str, key: &Value, argument: &Value, reply: Option<&Value>) -> bool {
    let holds = |value: &Value| state.get(key).unwrap_or(&Value::Nil) == value;
    let written = match (f, argument, reply) {
        ("read", _, None) => return true,
        ("read", _, Some(value)) => return holds(value),
        ("cas", Value::List(args), Some(Value::Bool(false))) => return !holds(&args[0]),
        // Of unknown outcome: where the comparison fails it does nothing, which is the same as leaving it out.
        ("cas", Value::List(args), _) if !holds(&args[0]) => return false,
        ("cas", Value::List(args), _) => &args[1],
        _ => argument,
    };
    state.insert(key.clone(), written.clone());
    true
}

/// The parts of `[f key value]`.
fn micro_operation(micro: &Value) -> Option<(&str, &Value, &Value)> {
    match micro.as_list()? {
        [Value::Text(f), key, value] if f == "read" || f == "write" => Some((f, key, value)),
        _ => None,
    }
}
