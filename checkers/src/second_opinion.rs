//! Linearizability as porcupine-rs sees it: an engine that shares no code with ours (feature `second-opinion`).
//!
//! Its limit is one of real time, so whether it gives up depends on the machine. It copies a bit set of all operations at each
//! step: use it on small histories.

use std::{
    fmt,
    marker::PhantomData,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use porcupine_rs::CheckResult;

use crate::{
    anomaly,
    history::{EntryId, History},
    linearizability,
    model::{Done, Model},
    operation::Operation,
    partition::FixedMap,
    value::Value,
    verdict::{Anomaly, Reason, Verdict},
};

/// The verdict of porcupine-rs on the question that [`linearizability::check`] answers, with `limit` of real time for each key.
/// Valid comes without a linearization, invalid names all operations of a key.
pub fn check<M: Model>(model: &M, history: &History, limit: Duration) -> Verdict {
    if let Err(verdict) = linearizability::precondition(model, history) {
        return verdict;
    }
    let all: Vec<EntryId> = (0..history.entries.len()).collect();
    if history.entries.iter().all(|e| model.is_keyed(&e.operation)) {
        let partition = history.partition();
        let verdicts = partition.iter().map(|(key, entries)| check_object(model, history, key, entries, limit));
        verdicts.fold(Verdict::VALID, Verdict::worst)
    } else {
        check_object(model, history, &Value::Nil, &all, limit)
    }
}

fn check_object<M: Model>(model: &M, history: &History, key: &Value, entries: &[EntryId], limit: Duration) -> Verdict {
    let illegal = || {
        let sentence = format!("porcupine-rs finds no order that explains the {} operations.", entries.len());
        Verdict::of(vec![Anomaly::new(anomaly::NON_LINEARIZABLE, key.clone(), entries.to_vec(), sentence)])
    };
    let Ok(beginnings) = model.beginnings(&mut entries.iter().filter_map(|&id| Done::of(&history.entries[id]))) else {
        return illegal();
    };
    for initial in beginnings {
        let Some(result) = check_from(model, initial, history, entries, limit) else {
            return Verdict::precondition("porcupine-rs knows deterministic models only");
        };
        match result {
            CheckResult::Ok => return Verdict::VALID,
            CheckResult::Illegal => {}
            CheckResult::Unknown => {
                let detail = format!("porcupine-rs found no answer in {} ms for key {key}", limit.as_millis());
                return Verdict::Unknown { reason: Reason::Steps, detail };
            }
        }
    }
    illegal()
}

/// What porcupine-rs answers where the object begins in this state; `None` where the model is not deterministic.
fn check_from<M: Model>(
    model: &M,
    initial: M::State,
    history: &History,
    entries: &[EntryId],
    limit: Duration,
) -> Option<CheckResult> {
    let states = Mutex::new(States { known: vec![initial], ids: FixedMap::default(), is_deterministic: true });
    let alive = entries.iter().map(|&id| &history.entries[id]).filter(|e| e.is_ok() || e.is_unknown());
    let operations: Vec<porcupine_rs::Operation<Asked<'_, M>>> = alive
        .map(|entry| porcupine_rs::Operation {
            client_id: Some(entry.process.0),
            call_time: i64::from(entry.invoked.position),
            return_time: if entry.is_ok() { i64::from(entry.returned()) } else { i64::MAX },
            op: Step { model, states: &states, operation: &entry.operation, reply: entry.reply() },
            metadata: None,
        })
        .collect();
    let result = porcupine_rs::check_operations_timeout(&operations, limit);
    drop(operations);
    let is_deterministic = states.into_inner().unwrap_or_else(PoisonError::into_inner).is_deterministic;
    is_deterministic.then_some(result)
}

/// The states met so far: porcupine-rs moves their numbers, as its models have no value to ask.
struct States<M: Model> {
    known: Vec<M::State>,
    ids: FixedMap<M::State, u32>,
    is_deterministic: bool,
}

/// One operation, able to take a step by itself.
struct Step<'m, M: Model> {
    model: &'m M,
    states: &'m Mutex<States<M>>,
    operation: &'m Operation,
    reply: Option<&'m Value>,
}

impl<M: Model> Step<'_, M> {
    fn take(&self, from: u32) -> Option<u32> {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        let mut successors = self.model.step(&states.known[from as usize], self.operation, self.reply).into_iter();
        let next = successors.next();
        states.is_deterministic &= successors.next().is_none();
        let Some(next) = next else {
            // One of unknown outcome may not have happened.
            return self.reply.is_none().then_some(from);
        };
        if next == states.known[0] {
            return Some(0);
        }
        if let Some(&id) = states.ids.get(&next) {
            return Some(id);
        }
        let id = states.known.len() as u32;
        states.known.push(next.clone());
        states.ids.insert(next, id);
        Some(id)
    }
}

impl<M: Model> Clone for Step<'_, M> {
    fn clone(&self) -> Self {
        Step { model: self.model, states: self.states, operation: self.operation, reply: self.reply }
    }
}

impl<M: Model> fmt::Debug for Step<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {:?}", self.operation, self.reply)
    }
}

/// The model as porcupine-rs wants it: a type.
struct Asked<'m, M>(PhantomData<&'m M>);

impl<M> Clone for Asked<'_, M> {
    fn clone(&self) -> Self {
        Asked(PhantomData)
    }
}

impl<'m, M: Model> porcupine_rs::Model for Asked<'m, M> {
    type State = u32;
    type Op = Step<'m, M>;
    type Metadata = ();

    fn init() -> u32 {
        0
    }

    fn step(state: &u32, op: &Step<'m, M>) -> (bool, u32) {
        op.take(*state).map_or((false, *state), |next| (true, next))
    }
}
