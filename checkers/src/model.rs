//! What an object does when one operation happens at a time: the sequential specification that a history is judged by.

use std::hash::Hash;

use crate::{history::Entry, operation::Operation, value::Value};

/// A sequential specification. Implement this to check an object of your own.
///
/// ```
/// use squall_checkers::{model::Model, operation::Operation, value::Value};
///
/// /// `increment() -> the new count`
/// struct Counter;
///
/// impl Model for Counter {
///     type State = i64;
///     type Successors = Option<i64>;
///     fn name(&self) -> &str {
///         "counter"
///     }
///     fn initial(&self) -> i64 {
///         0
///     }
///     fn step(&self, state: &i64, _: &Operation, reply: Option<&Value>) -> Option<i64> {
///         let count = state + 1;
///         reply.is_none_or(|r| *r == Value::Int(count)).then_some(count)
///     }
/// }
/// ```
pub trait Model: Send + Sync {
    /// The state of one object.
    type State: Clone + Eq + Hash + Send;
    /// The states that one step may lead to: `Option` for a deterministic object, `Vec` for a nondeterministic one.
    type Successors: IntoIterator<Item = Self::State>;

    /// Its name, in kebab-case.
    fn name(&self) -> &str;

    /// The state before anything happened.
    fn initial(&self) -> Self::State;

    /// The states that an object may have been in before all this was done to it, one of which explains it if any does. Or
    /// two of the operations, by their places, that no state explains together; they may be the same. Operations that change nothing
    /// may be left out of what is done, and more states may explain it then.
    ///
    /// Objects that are looked at together are all given what was done to any of them, and all begin in the same state.
    ///
    /// # Errors
    /// These two operations.
    fn beginnings<'m>(
        &'m self,
        done: &mut dyn Iterator<Item = Done<'_>>,
    ) -> Result<Box<dyn Iterator<Item = Self::State> + 'm>, [usize; 2]> {
        let _ = done;
        Ok(Box::new(std::iter::once(self.initial())))
    }

    /// The states after `operation` happened in `state` and replied `reply`; none when that is impossible. Without a reply
    /// (the client never learned it) any reply will do.
    fn step(&self, state: &Self::State, operation: &Operation, reply: Option<&Value>) -> Self::Successors;

    /// Whether this model can judge the operation and its reply.
    ///
    /// # Errors
    /// What it expected instead. The verdict is then unknown.
    fn admits(&self, operation: &Operation, reply: Option<&Value>) -> Result<(), String> {
        let _ = (operation, reply);
        Ok(())
    }

    /// Whether the operation concerns its key alone. When all do, each key is checked apart.
    fn is_keyed(&self, operation: &Operation) -> bool {
        let _ = operation;
        true
    }

    /// The part of its object that the operation concerns alone, such as an element of a set. When all operations of a key
    /// concern a part, each part is checked apart; where others read all of them ([`Effect::ReadsAll`]), each is looked at by
    /// itself first.
    fn part<'a>(&self, operation: &'a Operation) -> Option<&'a Value> {
        let _ = operation;
        None
    }

    /// What is known of the operation apart from [`step`](Self::step). It must agree with `step`; it is what fast paths
    /// and prunings rest on, and `Opaque` is always right.
    fn effect<'a>(&'a self, operation: &'a Operation, reply: Option<&'a Value>) -> Effect<'a> {
        let _ = (operation, reply);
        Effect::Opaque
    }

    /// Which element comes out next, where operations put elements into a container and take them out of it.
    fn discipline(&self) -> Option<Discipline> {
        None
    }

    /// What the register holds before anything happened; only asked for when every operation has one of the effects of a
    /// register.
    fn initial_value(&self) -> Value {
        Value::Nil
    }

    /// Memory that a state takes beyond its own size, in bytes.
    fn heap_bytes(&self, state: &Self::State) -> usize {
        let _ = state;
        0
    }
}

/// An operation that took effect or may have.
#[derive(Clone, Copy, Debug)]
pub struct Done<'h> {
    /// What was asked.
    pub operation: &'h Operation,
    /// What was replied if it took effect; `None` where that is not known.
    pub reply: Option<&'h Value>,
    /// Whether it certainly took effect.
    pub is_certain: bool,
}

impl<'h> Done<'h> {
    /// An entry as far as it happened; `None` if it did not.
    pub(crate) fn of(entry: &'h Entry) -> Option<Self> {
        let done = Done { operation: &entry.operation, reply: entry.reply(), is_certain: entry.is_ok() };
        (entry.is_ok() || entry.is_unknown()).then_some(done)
    }
}

/// What an operation with a given reply does, whatever the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect<'a> {
    /// Nothing is known.
    Opaque,
    /// It never changes the state.
    Observes,
    /// A register held this value, and still does.
    Reads(&'a Value),
    /// A register held another value than this, and still does.
    Differs(&'a Value),
    /// A register holds this value from then on.
    Writes(&'a Value),
    /// A register held the first value and holds the second from then on.
    Swaps(&'a Value, &'a Value),
    /// This text is added at the end of what a register holds.
    Appends(&'a Value),
    /// This element is added to a set, if it is not in it.
    Adds(&'a Value),
    /// A set held exactly the elements of this list, and still does.
    ReadsAll(&'a Value),
    /// This element is added at the end of a list.
    Extends(&'a Value),
    /// A list held exactly the elements of this one, in this order, and still does.
    ReadsInOrder(&'a Value),
    /// This integer is added to a counter, which is 0 at first.
    Increments(&'a Value),
    /// A counter held this integer, and still does.
    Counts(&'a Value),
    /// This element is put into a container; see [`Model::discipline`].
    Puts(&'a Value),
    /// This element, the next one by the container's discipline, is taken out of it.
    Takes(&'a Value),
    /// The next element, whichever it is, is taken out of a container, if there is one.
    TakesAny,
    /// A container was empty, and still is.
    FindsEmpty,
}

/// Which element of a container comes out next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discipline {
    /// The one that was put in first: a queue.
    FirstIn,
    /// The one that was put in last: a stack.
    LastIn,
    /// The smallest one: a priority queue.
    Smallest,
}
