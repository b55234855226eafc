//! One partition of a history, made small: operations in order of their calls, equal ones sharing a class, values as numbers.

use std::rc::Rc;

use crate::{
    history::{Entry, EntryId, History},
    model::{Done, Effect, Model},
    operation::Operation,
    partition::FixedMap,
    value::Value,
};

/// Stands for the return of an operation that never returned.
pub(crate) const NEVER: u32 = u32::MAX;

/// A value of the partition, as a number.
pub(crate) type ValueId = u32;

/// An operation that took effect or may have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Op {
    entry: u32,
    pub(crate) call: u32,
    /// [`NEVER`] when the outcome is unknown.
    pub(crate) ret: u32,
    pub(crate) class: u32,
}

impl Op {
    fn new(id: EntryId, entry: &Entry, class: u32) -> Self {
        Op { entry: id as u32, call: entry.invoked.position, ret: entry.returned(), class }
    }

    pub(crate) fn entry(&self) -> EntryId {
        self.entry as EntryId
    }

    pub(crate) fn certain(&self) -> bool {
        self.ret != NEVER
    }
}

/// [`Effect`] with numbers for the values of a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Opaque,
    Observes,
    Reads(ValueId),
    Differs(ValueId),
    Writes(ValueId),
    Swaps(ValueId, ValueId),
}

impl Kind {
    /// Whether it never changes the state.
    pub(crate) fn pure(self) -> bool {
        matches!(self, Kind::Observes | Kind::Reads(_) | Kind::Differs(_))
    }

    /// The value that a register must hold before it.
    pub(crate) fn requires(self) -> Option<ValueId> {
        if let Kind::Reads(v) | Kind::Swaps(v, _) = self { Some(v) } else { None }
    }

    /// The value that a register holds after it.
    pub(crate) fn establishes(self) -> Option<ValueId> {
        if let Kind::Writes(v) | Kind::Swaps(_, v) = self { Some(v) } else { None }
    }
}

/// What operations that cannot be told apart have in common.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Class<'h> {
    pub(crate) operation: &'h Operation,
    pub(crate) reply: Option<&'h Value>,
    pub(crate) kind: Kind,
    /// The first class that does the same, whatever it replied.
    pub(crate) group: u32,
    /// The element that it puts into a container or takes out of it.
    pub(crate) element: Option<ValueId>,
}

/// One object and what was done to it.
#[derive(Clone, Debug)]
pub(crate) struct Problem<'h> {
    /// By call.
    pub(crate) ops: Vec<Op>,
    pub(crate) classes: Rc<[Class<'h>]>,
    /// Whether every operation is one of a register.
    pub(crate) register: bool,
    /// How many values there are. [`Self::INITIAL`] is what the register holds at first.
    pub(crate) values: usize,
}

impl<'h> Problem<'h> {
    pub(crate) const INITIAL: ValueId = 0;

    /// The operations of `entries` that took effect or may have. Failed ones, and observations of unknown outcome, say
    /// nothing and are left out. O(n).
    pub(crate) fn new<M: Model>(model: &M, history: &'h History, entries: &[EntryId]) -> Self {
        Self::of_register(model, history, entries).unwrap_or_else(|| Self::classified(model, history, entries))
    }

    /// A register. Operations are told apart by what they do to it; where its values are written once each, each is a class of
    /// its own, as nothing is gained by looking for others like it. `None`, and early, where this is something else.
    fn of_register<M: Model>(model: &M, history: &'h History, entries: &[EntryId]) -> Option<Self> {
        let mut numbers = Numbers::new(model.initial_value(), entries.len());
        let mut made = vec![true];
        let mut is_unique = true;
        let mut classes: Vec<Class<'h>> = Vec::new();
        let mut of_kind: FixedMap<Kind, u32> = FixedMap::default();
        let mut ops = Vec::new();
        for &id in entries {
            let entry = &history.entries[id];
            let (operation, reply) = (&entry.operation, entry.reply());
            if !entry.is_ok() && !entry.is_unknown() {
                continue;
            }
            let kind = match model.effect(operation, reply) {
                Effect::Reads(v) => Kind::Reads(numbers.of(v)),
                Effect::Differs(v) => Kind::Differs(numbers.of(v)),
                Effect::Writes(v) => Kind::Writes(numbers.of(v)),
                Effect::Swaps(u, v) => Kind::Swaps(numbers.of(u), numbers.of(v)),
                Effect::Observes if entry.is_unknown() => continue,
                _ => return None,
            };
            if entry.is_unknown() && kind.pure() {
                continue;
            }
            let next = classes.len() as u32;
            let class = Class { operation, reply, kind, group: next, element: None };
            if is_unique {
                made.resize(numbers.count as usize, false);
                is_unique = !matches!(kind, Kind::Differs(_))
                    && !kind.establishes().is_some_and(|v| std::mem::replace(&mut made[v as usize], true));
                if !is_unique {
                    // From here on they are looked for, and so are those before.
                    for (i, class) in (0..).zip(&mut classes) {
                        class.group = *of_kind.entry(class.kind).or_insert(i);
                    }
                    for op in &mut ops {
                        let op: &mut Op = op;
                        op.class = classes[op.class as usize].group;
                    }
                }
            }
            let known = if is_unique { next } else { *of_kind.entry(kind).or_insert(next) };
            if known == next {
                classes.push(class);
            }
            ops.push(Op::new(id, entry, known));
        }
        Some(Problem { ops, classes: classes.into(), register: true, values: numbers.count as usize })
    }

    /// Anything else.
    fn classified<M: Model>(model: &M, history: &'h History, entries: &[EntryId]) -> Self {
        let mut values: FixedMap<&Value, ValueId> = FixedMap::default();
        let initial = model.initial_value();
        values.insert(&initial, Self::INITIAL);
        let mut classes: Vec<Class<'h>> = Vec::new();
        let mut class_ids: FixedMap<(&str, &Value, &Value, Option<&Value>), u32> = FixedMap::default();
        let mut groups: FixedMap<Kind, u32> = FixedMap::default();
        let mut ops = Vec::with_capacity(entries.len());
        for &id in entries {
            let entry = &history.entries[id];
            let (operation, reply) = (&entry.operation, entry.reply());
            if !entry.is_ok() && !entry.is_unknown() {
                continue;
            }
            let identity = (operation.f.as_str(), &operation.key, &operation.args, reply);
            let class = *class_ids.entry(identity).or_insert_with(|| {
                let next = values.len() as ValueId;
                let mut number = |value| *values.entry(value).or_insert(next);
                let mut element = None;
                let kind = match model.effect(operation, reply) {
                    Effect::Puts(v) | Effect::Takes(v) => {
                        element = Some(number(v));
                        Kind::Opaque
                    }
                    Effect::Observes
                    | Effect::ReadsAll(_)
                    | Effect::ReadsInOrder(_)
                    | Effect::Counts(_)
                    | Effect::FindsEmpty => Kind::Observes,
                    Effect::Reads(v) => Kind::Reads(number(v)),
                    Effect::Differs(v) => Kind::Differs(number(v)),
                    Effect::Writes(v) => Kind::Writes(number(v)),
                    Effect::Swaps(u, v) => {
                        let from = number(u);
                        let next = values.len() as ValueId;
                        Kind::Swaps(from, *values.entry(v).or_insert(next))
                    }
                    Effect::Opaque
                    | Effect::Appends(_)
                    | Effect::Adds(_)
                    | Effect::Extends(_)
                    | Effect::Increments(_)
                    | Effect::TakesAny => Kind::Opaque,
                };
                let class = classes.len() as u32;
                let group = match kind {
                    Kind::Opaque | Kind::Observes => class,
                    _ => *groups.entry(kind).or_insert(class),
                };
                classes.push(Class { operation, reply, kind, group, element });
                class
            });
            if entry.is_unknown() && classes[class as usize].kind.pure() {
                continue;
            }
            ops.push(Op::new(id, entry, class));
        }
        Problem { ops, classes: classes.into(), register: false, values: values.len() }
    }

    /// A register, as which each operation of a class is seen that `kind` names.
    pub(crate) fn seen_as(
        &self,
        ops: impl Iterator<Item = usize>,
        kind: impl Fn(usize) -> Option<Kind>,
        values: usize,
    ) -> Self {
        let mut classes: Vec<Class<'h>> = Vec::new();
        let mut of_kind: FixedMap<Kind, u32> = FixedMap::default();
        let seen = |i: usize| {
            let op = self.ops[i];
            let kind = kind(i)?;
            let Class { operation, reply, element, .. } = self.classes[op.class as usize];
            let class = *of_kind.entry(kind).or_insert_with(|| {
                let group = classes.len() as u32;
                classes.push(Class { operation, reply, kind, group, element });
                group
            });
            Some(Op { class, ..op })
        };
        let ops = ops.filter_map(seen).collect();
        Problem { ops, classes: classes.into(), register: true, values }
    }

    /// A register that held this before what is called from `begin` on.
    pub(crate) fn after(&self, held: ValueId, begin: u32) -> Self {
        let (Some(class), Some(ret @ 1..)) = (self.classes.first(), begin.checked_sub(1)) else { return self.clone() };
        let group = self.classes.len() as u32;
        let write = Class { kind: Kind::Writes(held), group, ..*class };
        let classes = self.classes.iter().copied().chain([write]).collect();
        let write = Op { entry: u32::MAX, call: 0, ret, class: group };
        let ops = [write].into_iter().chain(self.ops.iter().copied()).collect();
        Problem { ops, classes, register: true, values: self.values.max(held as usize + 1) }
    }

    /// What was done, in the order of the calls.
    pub(crate) fn done(&self) -> impl Iterator<Item = Done<'h>> {
        self.ops.iter().map(|op| {
            let Class { operation, reply, .. } = self.classes[op.class as usize];
            Done { operation, reply, is_certain: op.certain() }
        })
    }

    pub(crate) fn kind(&self, op: &Op) -> Kind {
        self.classes[op.class as usize].kind
    }

    /// Whether some operation proves only what the register did *not* hold.
    pub(crate) fn has_differs(&self) -> bool {
        self.ops.iter().any(|op| matches!(self.kind(op), Kind::Differs(_)))
    }

    /// Whether two operations that certainly happened establish the same value.
    pub(crate) fn makes_twice(&self) -> bool {
        let mut made = vec![false; self.values];
        let certain = self.ops.iter().filter(|op| op.certain());
        certain.filter_map(|op| self.kind(op).establishes()).any(|v| std::mem::replace(&mut made[v as usize], true))
    }

    /// The same without the operations that `keep` refuses.
    pub(crate) fn filtered(&self, mut keep: impl FnMut(&Op) -> bool) -> Problem<'h> {
        let ops = self.ops.iter().copied().filter(|op| keep(op)).collect();
        Problem { ops, classes: Rc::clone(&self.classes), register: self.register, values: self.values }
    }

    /// A register without the operations of unknown outcome whose value nothing else builds on, or that need a value which
    /// nothing establishes. What is legal without them is legal; the converse holds where no operation
    /// [proves a difference](Self::has_differs).
    pub(crate) fn without_unseen(&self) -> Problem<'h> {
        let mut needs = vec![0_u32; self.values];
        let mut makes = vec![0_u32; self.values];
        makes[Self::INITIAL as usize] = 1;
        for kind in self.ops.iter().map(|op| self.kind(op)) {
            if let Some(v) = kind.requires() {
                needs[v as usize] += 1;
            }
            if let Some(v) = kind.establishes() {
                makes[v as usize] += 1;
            }
        }
        let mut unknown: Vec<usize> = (0..self.ops.len()).rev().filter(|&i| !self.ops[i].certain()).collect();
        let mut dropped = vec![false; self.ops.len()];
        loop {
            let before = unknown.len();
            unknown.retain(|&i| {
                let kind = self.kind(&self.ops[i]);
                let Some(made) = kind.establishes() else { return true };
                let by_itself = u32::from(kind.requires() == Some(made));
                let is_needed = needs[made as usize] > by_itself;
                let can_be = kind.requires().is_none_or(|v| makes[v as usize] > by_itself);
                if is_needed && can_be {
                    return true;
                }
                if let Some(v) = kind.requires() {
                    needs[v as usize] -= 1;
                }
                makes[made as usize] -= 1;
                dropped[i] = true;
                false
            });
            if unknown.len() == before {
                break;
            }
        }
        let mut i = 0;
        self.filtered(|_| {
            i += 1;
            !dropped[i - 1]
        })
    }
}

/// Values as numbers. Small integers, which most values are, are looked up without hashing.
struct Numbers<'v> {
    initial: Value,
    small: Vec<ValueId>,
    small_max: usize,
    others: FixedMap<&'v Value, ValueId>,
    count: ValueId,
}

impl<'v> Numbers<'v> {
    const NONE: ValueId = ValueId::MAX;

    /// The initial value is [`Problem::INITIAL`]. Room for integers is made up to a few times the number of operations.
    fn new(initial: Value, operations: usize) -> Self {
        Numbers { initial, small: Vec::new(), small_max: 4 * operations, others: FixedMap::default(), count: 1 }
    }

    fn of(&mut self, value: &'v Value) -> ValueId {
        if *value == self.initial {
            return Problem::INITIAL;
        }
        let small = value.as_int().and_then(|i| usize::try_from(i).ok()).filter(|i| *i < self.small_max);
        let place = match small {
            Some(i) => {
                if self.small.len() <= i {
                    self.small.resize(i + 1, Self::NONE);
                }
                &mut self.small[i]
            }
            None => self.others.entry(value).or_insert(Self::NONE),
        };
        if *place == Self::NONE {
            *place = self.count;
            self.count += 1;
        }
        *place
    }
}
