//! The same question put to porcupine-rs and to stateright's testers. Neither takes objects apart by key, and each has its own
//! search.

use std::time::Duration;

use porcupine_rs::CheckResult;
use stateright::semantics::{ConsistencyTester, LinearizabilityTester, SequentialConsistencyTester, SequentialSpec};

use super::{
    generate::{Op, Sample},
    object::{Ask, Object, Reply, State},
};

/// Real time after which porcupine-rs is taken to have no answer.
const LIMIT: Duration = Duration::from_secs(20);

#[derive(Clone, Debug)]
struct Porcupine;

#[derive(Clone, Debug)]
struct Asked {
    object: Object,
    key: usize,
    ask: Ask,
    reply: Option<Reply>,
}

impl porcupine_rs::Model for Porcupine {
    type State = [State; 2];
    type Op = Asked;
    type Metadata = ();

    fn init() -> [State; 2] {
        [State::new(), State::new()]
    }

    /// One of unknown outcome may have had no effect, so it may always come last.
    fn step(states: &[State; 2], asked: &Asked) -> (bool, [State; 2]) {
        let mut next = states.clone();
        let said = asked.object.step(&mut next[asked.key], asked.ask);
        (asked.reply.as_ref().is_none_or(|reply| said.as_ref() == Some(reply)), next)
    }
}

/// Whether the history is linearizable, says porcupine-rs; nothing when it has no answer in time.
pub(crate) fn porcupine(sample: &Sample) -> Option<bool> {
    let operation = |op: &Op| porcupine_rs::Operation::<Porcupine> {
        client_id: Some(op.process),
        call_time: i64::from(op.call),
        return_time: if op.reply.is_some() { i64::from(op.ret) } else { i64::MAX },
        op: Asked { object: sample.object, key: op.key, ask: op.ask, reply: op.reply.clone() },
        metadata: None,
    };
    let operations: Vec<_> = sample.ops.iter().map(operation).collect();
    match porcupine_rs::check_operations_timeout(&operations, LIMIT) {
        CheckResult::Ok => Some(true),
        CheckResult::Illegal => Some(false),
        CheckResult::Unknown => None,
    }
}

/// Two objects as stateright wants them.
#[derive(Clone, Debug)]
struct Spec {
    object: Object,
    states: [State; 2],
}

impl SequentialSpec for Spec {
    type Op = (usize, Ask);
    /// Nothing when it would have to wait.
    type Ret = Option<Reply>;

    fn invoke(&mut self, (key, ask): &(usize, Ask)) -> Option<Reply> {
        self.object.step(&mut self.states[*key], *ask)
    }
}

/// Whether the history is linearizable, and whether it is sequentially consistent, says stateright.
pub(crate) fn stateright(sample: &Sample) -> (bool, bool) {
    let spec = Spec { object: sample.object, states: [State::new(), State::new()] };
    let linearizable = fed(LinearizabilityTester::new(spec.clone()), sample);
    (linearizable, fed(SequentialConsistencyTester::new(spec), sample))
}

fn fed(mut tester: impl ConsistencyTester<u32, Spec>, sample: &Sample) -> bool {
    let mut events: Vec<(u32, &Op, bool)> = Vec::with_capacity(2 * sample.ops.len());
    for op in &sample.ops {
        events.push((op.call, op, false));
        if op.reply.is_some() {
            events.push((op.ret, op, true));
        }
    }
    events.sort_unstable_by_key(|(position, ..)| *position);
    for (_, op, returns) in events {
        let taken = if returns {
            tester.on_return(op.process, op.reply.clone()).map(drop)
        } else {
            tester.on_invoke(op.process, (op.key, op.ask)).map(drop)
        };
        taken.expect("a process does one thing at a time");
    }
    tester.is_consistent()
}
