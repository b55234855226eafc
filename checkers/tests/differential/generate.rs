//! Random small histories of every object: linearizable by construction, most of them disturbed then.

use rand_xoshiro::{
    Xoshiro256PlusPlus,
    rand_core::{Rng, SeedableRng},
};
use squall_checkers::history::{Entry, History, Moment, Outcome, ProcessId};

use super::object::{Ask, Object, Reply, State};

/// Most operations of a history.
const OPERATIONS_MAX: u64 = 12;
/// Most operations that are in flight at a time.
const LINES_MAX: u64 = 6;

/// One operation.
#[derive(Clone, Debug)]
pub(crate) struct Op {
    pub(crate) process: u32,
    pub(crate) key: usize,
    pub(crate) ask: Ask,
    pub(crate) call: u32,
    pub(crate) ret: u32,
    /// Nothing where the outcome is unknown.
    pub(crate) reply: Option<Reply>,
}

/// The operations of one history that took effect or may have, by call, and of which object they are.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) object: Object,
    pub(crate) ops: Vec<Op>,
    /// Operations that certainly took no effect.
    failed: Vec<Op>,
}

struct Random(Xoshiro256PlusPlus);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        (self.0.next_u64() % n as u64) as usize
    }

    fn per_mille(&mut self, share: usize) -> bool {
        self.below(1000) < share
    }
}

enum Line {
    Idle,
    Called(Op),
    Applied(Op, Reply),
}

impl Sample {
    /// The history of this number.
    pub(crate) fn new(seed: u64, number: u64) -> Sample {
        let mut random = Random(Xoshiro256PlusPlus::seed_from_u64(seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        let object = Object::ALL[random.below(Object::ALL.len())];
        let mut sample = Sample::legal(object, &mut random);
        for _ in 0..[0, 1, 1, 1, 2, 4][random.below(6)] {
            // Who waits for a lock says nothing by its reply.
            if object == Object::Mutex && random.per_mille(600) {
                sample.succeed(&mut random);
            } else if object == Object::Mutex || random.per_mille(250) {
                for _ in 0..=random.below(6) {
                    sample.tighten(&mut random);
                }
            } else {
                sample.misreport(&mut random);
            }
        }
        sample
    }

    fn legal(object: Object, random: &mut Random) -> Sample {
        let count = 3 + random.below(OPERATIONS_MAX as usize - 2);
        let lines = 2 + random.below(LINES_MAX as usize - 1);
        let keys = 1 + usize::from(random.per_mille(250));
        // Written values come from 1 to this; 0: each is written once.
        // Of single elements nothing can be wrong where each is asked for once.
        let values = if object == Object::Members { 2 } else { [0, 0, 2, 3][random.below(4)] };
        let unknown = [0, 0, 100, 300][random.below(4)];
        let mut states = [State::new(), State::new()];
        let mut processes: Vec<u32> = (0..lines as u32).collect();
        let mut at: Vec<Line> = (0..lines).map(|_| Line::Idle).collect();
        let (mut ops, mut failed) = (Vec::new(), Vec::new());
        let (mut asked, mut now) = (0, 0);
        // A lock may never be free for those who wait for it.
        for _ in 0..20 * OPERATIONS_MAX {
            let index = random.below(lines);
            at[index] = match std::mem::replace(&mut at[index], Line::Idle) {
                Line::Idle if asked == count => Line::Idle,
                Line::Idle => {
                    asked += 1;
                    let mut value = || if values == 0 { asked as i64 } else { random.below(values) as i64 + 1 };
                    let (value, expected) = (value(), if values == 0 { asked as i64 - 1 } else { value() });
                    let ask = object.ask(random.below(6) as u64, value, expected);
                    now += 1;
                    let op =
                        Op { process: processes[index], key: random.below(keys), ask, call: now, ret: 0, reply: None };
                    if random.per_mille(30) {
                        now += 1;
                        failed.push(Op { ret: now, ..op });
                        Line::Idle
                    } else {
                        Line::Called(op)
                    }
                }
                Line::Called(op) => match object.step(&mut states[op.key], op.ask) {
                    Some(reply) => Line::Applied(op, reply),
                    None => Line::Called(op),
                },
                Line::Applied(op, reply) => {
                    now += 1;
                    let known = !random.per_mille(unknown);
                    if !known {
                        processes[index] = processes.iter().max().expect("there are lines") + 1;
                    }
                    ops.push(Op { ret: now, reply: Some(reply).filter(|_| known), ..op });
                    Line::Idle
                }
            };
        }
        for line in at {
            if let Line::Called(op) | Line::Applied(op, _) = line {
                now += 1;
                ops.push(Op { ret: now, reply: None, ..op });
            }
        }
        ops.sort_unstable_by_key(|op| op.call);
        Sample { object, ops, failed }
    }

    /// Lets an operation return before another one is called with which it just overlapped.
    fn tighten(&mut self, random: &mut Random) {
        let pairs = self.ops.iter().enumerate().flat_map(|(i, a)| {
            self.ops.iter().enumerate().filter(move |(_, b)| b.ret == a.call + 1).map(move |(j, _)| (i, j))
        });
        let mut pairs: Vec<(usize, usize)> = pairs.collect();
        pairs.retain(|(i, j)| self.ops[*i].process != self.ops[*j].process);
        if pairs.is_empty() {
            return;
        }
        let (called, returned) = pairs[random.below(pairs.len())];
        // Nobody's call is twice the same, so the order of calls only changes with its neighbour's return.
        let (call, ret) = (self.ops[called].call, self.ops[returned].ret);
        (self.ops[called].call, self.ops[returned].ret) = (ret, call);
        self.ops.sort_unstable_by_key(|op| op.call);
    }

    /// Lets an operation of unknown outcome have succeeded.
    fn succeed(&mut self, random: &mut Random) {
        let open = self.ops.iter().filter(|op| op.reply.is_none()).count();
        if open > 0 {
            let chosen = random.below(open);
            if let Some(op) = self.ops.iter_mut().filter(|op| op.reply.is_none()).nth(chosen) {
                op.reply = Some(Reply::Nil);
            }
        }
    }

    /// Lets an operation reply something else.
    fn misreport(&mut self, random: &mut Random) {
        let says = |op: &&Op| match op.reply {
            None => false,
            Some(Reply::Nil) => matches!(op.ask, Ask::Read | Ask::Take),
            Some(_) => true,
        };
        let telling: Vec<Reply> = self.ops.iter().filter(says).filter_map(|op| op.reply.clone()).collect();
        let values: Vec<i64> = self
            .ops
            .iter()
            .filter_map(|op| match op.ask {
                Ask::Write(v) | Ask::Add(v) | Ask::Cas(_, v) => Some(v),
                _ => None,
            })
            .collect();
        if telling.is_empty() {
            return;
        }
        let chosen = random.below(telling.len());
        let other = telling[random.below(telling.len())].clone();
        let value = if values.is_empty() { 1 } else { values[random.below(values.len())] };
        let choice = random.below(4);
        let at = random.below(3);
        let Some(op) = self.ops.iter_mut().filter(|op| says(&&**op)).nth(chosen) else { return };
        op.reply = op.reply.take().map(|reply| match (reply, choice) {
            (Reply::Bool(matched), _) => Reply::Bool(!matched),
            (Reply::All(mut all), 0) => {
                all.insert(at.min(all.len()), value);
                Reply::All(all)
            }
            (Reply::All(mut all), 1) if !all.is_empty() => {
                all.remove(at.min(all.len() - 1));
                Reply::All(all)
            }
            (Reply::All(_), _) => other,
            (Reply::Nil | Reply::Int(_), 0 | 1) => Reply::Int(value),
            (reply, _) => {
                if matches!(other, Reply::Bool(_)) {
                    reply
                } else {
                    other
                }
            }
        });
        // A set has no order and nothing twice.
        if let (Object::Set, Some(Reply::All(all))) = (self.object, &mut op.reply) {
            all.sort_unstable();
            all.dedup();
        }
    }

    /// Most operations in flight at a time. One of unknown outcome counts until its client gave up.
    pub(crate) fn in_flight(&self) -> usize {
        self.ops
            .iter()
            .map(|op| self.ops.iter().filter(|o| o.call <= op.call && op.call < o.ret).count())
            .max()
            .unwrap_or(0)
    }

    /// The history as the checkers under test take it.
    pub(crate) fn history(&self) -> History {
        let moment = |position: u32| Moment::new(position, u64::from(position));
        let entry = |op: &Op, outcome: Outcome| Entry {
            process: ProcessId(op.process),
            operation: self.object.operation(op.key, op.ask),
            invoked: moment(op.call),
            completed: Some(moment(op.ret)),
            outcome,
        };
        let mut entries: Vec<Entry> = Vec::with_capacity(self.ops.len() + self.failed.len());
        for op in &self.ops {
            let outcome = match &op.reply {
                Some(reply) => Outcome::Ok(self.object.reply(reply)),
                None => Outcome::Unknown("".into()),
            };
            entries.push(entry(op, outcome));
        }
        entries.extend(self.failed.iter().map(|op| entry(op, Outcome::Failed("".into()))));
        entries.sort_unstable_by_key(|entry| entry.invoked);
        History { entries, ..History::default() }
    }
}
