//! The state of one key: a type of the crate `crdts`, and what operations do to it.

use std::collections::{BTreeMap, BTreeSet};

use crdts::{CmRDT, CvRDT, GCounter, GSet, LWWReg, Orswot, PNCounter, VClock};
use serde::{Deserialize, Serialize, Serializer};
use squall_checkers::{operation::Operation, value::Value};

/// A replica, as its peers know it.
type Actor = u32;

/// When a register was written: a number greater than all that the writer had seen, and the writer.
type Marker = (u64, Actor);

/// What is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    GCounter,
    PnCounter,
    GSet,
    OrSet,
    Register,
}

/// One replicated object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum State {
    GCounter(GCounter<Actor>),
    PnCounter(PNCounter<Actor>),
    GSet(GSet<Value>),
    OrSet(#[serde(serialize_with = "in_order")] Orswot<Value, Actor>),
    Register(LWWReg<Value, Marker>),
}

impl State {
    /// The object before any update.
    pub(super) fn new(kind: Kind) -> Self {
        match kind {
            Kind::GCounter => State::GCounter(GCounter::new()),
            Kind::PnCounter => State::PnCounter(PNCounter::new()),
            Kind::GSet => State::GSet(GSet::new()),
            Kind::OrSet => State::OrSet(Orswot::new()),
            Kind::Register => State::Register(LWWReg::default()),
        }
    }

    /// What a read replies.
    pub(super) fn read(&self) -> Value {
        // What does not fit saturates.
        match self {
            State::GCounter(counter) => Value::Int(counter.read().try_into().unwrap_or(i64::MAX)),
            State::PnCounter(counter) => Value::Int(counter.read().try_into().unwrap_or(i64::MAX)),
            State::GSet(_) | State::OrSet(_) => Value::List(self.elements().into_iter().collect()),
            State::Register(register) => register.val.clone(),
        }
    }

    /// Does an operation as this actor and returns its reply, or why nothing was done. `marks`: registers say who wrote.
    pub(super) fn update(&mut self, me: Actor, marks: bool, operation: &Operation) -> Result<Value, String> {
        let argument = &operation.args;
        match (self, operation.f.as_str(), argument.as_int()) {
            (State::GCounter(counter), "add", Some(n @ 0..)) => counter.apply(counter.inc_many(me, n.unsigned_abs())),
            (State::PnCounter(counter), "add", Some(n)) => {
                let steps = n.unsigned_abs();
                counter.apply(if n < 0 { counter.dec_many(me, steps) } else { counter.inc_many(me, steps) });
            }
            (State::GSet(set), "add", _) => set.insert(argument.clone()),
            (State::OrSet(set), "add", _) => add(set, me, argument.clone()),
            (State::OrSet(set), "remove", _) => {
                let found = set.contains(argument);
                let was_there = found.val;
                set.apply(set.rm(argument.clone(), found.derive_rm_ctx()));
                return Ok(was_there.into());
            }
            (State::Register(register), "write", _) => {
                let writer = if marks { me } else { 0 };
                register.update(argument.clone(), (register.marker.0 + 1, writer));
            }
            _ => return Err(format!("this object does not know `{operation}`")),
        }
        Ok(Value::Nil)
    }

    /// Takes over what the other state knows. Both are of one kind.
    pub(super) fn merge(&mut self, other: State) {
        match (self, other) {
            (State::GCounter(counter), State::GCounter(other)) => counter.merge(other),
            (State::PnCounter(counter), State::PnCounter(other)) => counter.merge(other),
            (State::GSet(set), State::GSet(other)) => set.merge(other),
            (State::OrSet(set), State::OrSet(other)) => set.merge(other),
            (State::Register(register), State::Register(other)) => register.merge(other),
            (mine, other) => unreachable!("replicas of one run keep one kind, not {mine:?} and {other:?}"),
        }
    }

    /// The elements that are here and not there.
    pub(super) fn elements_beside(&self, other: &State) -> BTreeSet<Value> {
        &self.elements() - &other.elements()
    }

    /// Adds an element to an OR-Set once more, whatever is known of it.
    pub(super) fn revive(&mut self, me: Actor, element: Value) {
        if let State::OrSet(set) = self {
            add(set, me, element);
        }
    }

    fn elements(&self) -> BTreeSet<Value> {
        match self {
            State::GSet(set) => set.read(),
            State::OrSet(set) => set.iter().map(|element| element.val.clone()).collect(),
            _ => BTreeSet::new(),
        }
    }
}

fn add(set: &mut Orswot<Value, Actor>, me: Actor, element: Value) {
    let context = set.read_ctx().derive_add_ctx(me);
    set.apply(set.add(element, context));
}

/// The fields of an [`Orswot`], in an order that does not hang on the thread.
#[derive(Serialize)]
struct Ordered<'s> {
    clock: VClock<Actor>,
    entries: BTreeMap<&'s Value, VClock<Actor>>,
    /// Removals of what has not arrived yet: none, since whole states travel.
    deferred: BTreeMap<Actor, Actor>,
}

fn in_order<S: Serializer>(set: &Orswot<Value, Actor>, serializer: S) -> Result<S::Ok, S::Error> {
    let entries = set.iter().map(|element| (element.val, element.rm_clock)).collect();
    Ordered { clock: set.clock(), entries, deferred: BTreeMap::new() }.serialize(serializer)
}

#[cfg(test)]
mod tests {
    use squall::plan::{mix, scale};

    use super::*;

    const KINDS: [Kind; 5] = [Kind::GCounter, Kind::PnCounter, Kind::GSet, Kind::OrSet, Kind::Register];

    fn update(kind: Kind, draw: u64) -> Operation {
        let n = scale(draw, 5) as i64;
        match kind {
            Kind::GCounter | Kind::GSet => Operation::new("add", 1, n),
            Kind::PnCounter => Operation::new("add", 1, n - 2),
            Kind::OrSet => Operation::new(if mix(draw, 1).is_multiple_of(3) { "remove" } else { "add" }, 1, n),
            Kind::Register => Operation::write(1, draw as i64),
        }
    }

    #[test]
    fn replicas_that_heard_of_everything_agree_whatever_the_order() {
        for kind in KINDS {
            for seed in 0..200 {
                let mut replicas = vec![State::new(kind); 3];
                for step in 0..30 {
                    let draw = mix(seed, step);
                    let (to, from) = (scale(mix(draw, 2), 3) as usize, scale(mix(draw, 3), 3) as usize);
                    if mix(draw, 4).is_multiple_of(2) {
                        replicas[to].update(to as Actor, true, &update(kind, draw)).expect("it knows that");
                    } else {
                        let other = replicas[from].clone();
                        replicas[to].merge(other);
                    }
                }
                for (to, from) in [(0, 1), (0, 2), (2, 0), (1, 2)] {
                    let other = replicas[from].clone();
                    replicas[to].merge(other);
                }
                assert!(replicas.iter().all(|r| *r == replicas[0]), "{kind:?}, seed {seed}: {replicas:?}");
            }
        }
    }

    #[test]
    fn a_state_is_what_its_bytes_say_and_bytes_are_the_same_every_time() {
        for kind in KINDS {
            let mut state = State::new(kind);
            for step in 0..40 {
                state.update((step % 3) as Actor, true, &update(kind, mix(7, step))).expect("it knows that");
            }
            let bytes = postcard::to_stdvec(&state).expect("it encodes");
            let back: State = postcard::from_bytes(&bytes).expect("it decodes");
            assert_eq!(back, state, "{kind:?}");
            assert_eq!(postcard::to_stdvec(&back).expect("it encodes"), bytes, "{kind:?}");
        }
    }

    #[test]
    fn what_is_removed_stays_away_and_what_is_added_meanwhile_stays() {
        let [mut here, mut there] = [State::new(Kind::OrSet), State::new(Kind::OrSet)];
        let say = |state: &mut State, me, f| state.update(me, true, &Operation::new(f, 1, 7)).expect("it knows that");
        say(&mut here, 0, "add");
        there.merge(here.clone());
        assert_eq!(say(&mut there, 1, "remove"), Value::Bool(true));
        there.merge(here.clone());
        assert_eq!(there.read(), Value::List(Vec::new()), "an older state brings nothing back");
        say(&mut here, 0, "add");
        there.merge(here.clone());
        assert_eq!(there.read(), Value::List(vec![7.into()]), "an addition that the removal had not seen wins");
        assert_eq!(say(&mut here, 0, "remove"), Value::Bool(true));
        assert_eq!(say(&mut here, 0, "remove"), Value::Bool(false));
    }

    #[test]
    fn what_a_type_does_not_know_is_refused() {
        let refused = |kind, operation: Operation| State::new(kind).update(0, true, &operation).is_err();
        assert!(refused(Kind::GCounter, Operation::new("add", 1, -1)));
        assert!(refused(Kind::GSet, Operation::new("remove", 1, 1)));
        assert!(refused(Kind::Register, Operation::cas(1, 1, 2)));
    }
}
