//! The checker `counter-bounds`: a counter shows no less than what had certainly been added and no more than what may have been.
//!
//! `add(n) -> nil`, `read() -> n`; 0 at first. A read shows at least what was added by additions that had returned before it was
//! invoked, less what may have been taken away by its return; and at most the opposite. This is much weaker than a
//! linearizable counter, and holds of every counter that is not stale.

use super::{Invariant, SHOWN_MAX, Scene};
use crate::{
    anomaly,
    checker::CheckerEntry,
    history::{EntryId, History},
    value::Value,
    verdict::{Anomaly, Verdict},
};

pub(crate) const ENTRY: CheckerEntry = CheckerEntry {
    name: "counter-bounds",
    summary: "A counter shows no less than was certainly added and no more than may have been.",
    needs_model: false,
    build: |_| Some(Box::new(Invariant { name: ENTRY.name, real_time: true, judge })),
};

fn judge(history: &History) -> Verdict {
    let mut anomalies = Vec::new();
    let mut judged = 0;
    for (key, ids) in history.partition().iter() {
        let scene = Scene { history, key };
        let mut reads: Vec<(EntryId, i64)> = Vec::new();
        let mut additions: Vec<Addition> = Vec::new();
        for &id in ids {
            let entry = &history.entries[id];
            let wrong = |what: &str| Verdict::precondition(format!("operation {id}, `{}`, {what}", entry.operation));
            match (entry.operation.f.as_str(), entry.reply()) {
                _ if !entry.is_ok() && !entry.is_unknown() => {}
                ("add", _) => match entry.operation.args {
                    Value::Int(n) => {
                        additions.push(Addition { id, n, call: entry.invoked.position, ret: entry.returned() });
                    }
                    _ => return wrong("adds no integer"),
                },
                ("read", Some(Value::Int(n))) => reads.push((id, *n)),
                ("read", None) => {}
                ("read", Some(_)) => return wrong("did not reply an integer"),
                _ => return wrong("is none of add and read"),
            }
        }
        judged += reads.len();
        anomalies.extend(outside(scene, &reads, &additions));
    }
    if judged == 0 {
        return Verdict::vacuous("no counter was read");
    }
    Verdict::of(anomalies)
}

#[derive(Clone, Copy)]
struct Addition {
    id: EntryId,
    n: i64,
    call: u32,
    ret: u32,
}

/// How much the additions sum up to by a position.
struct Sums(Vec<(u32, i128)>);

impl Sums {
    fn new(additions: impl Iterator<Item = (u32, i64)>) -> Self {
        let mut sums: Vec<(u32, i128)> = additions.map(|(at, n)| (at, i128::from(n))).collect();
        sums.sort_unstable_by_key(|(at, _)| *at);
        let mut sum = 0;
        for (_, n) in &mut sums {
            sum += *n;
            *n = sum;
        }
        Sums(sums)
    }

    fn before(&self, position: u32) -> i128 {
        let before = self.0.partition_point(|(at, _)| *at < position);
        before.checked_sub(1).map_or(0, |last| self.0[last].1)
    }
}

/// The first read that lies outside of its bounds.
fn outside(scene: Scene<'_>, reads: &[(EntryId, i64)], additions: &[Addition]) -> Option<Anomaly> {
    let up = || additions.iter().filter(|a| a.n > 0);
    let down = || additions.iter().filter(|a| a.n < 0);
    let (up_begun, up_done) = (Sums::new(up().map(|a| (a.call, a.n))), Sums::new(up().map(|a| (a.ret, a.n))));
    let (down_begun, down_done) = (Sums::new(down().map(|a| (a.call, a.n))), Sums::new(down().map(|a| (a.ret, a.n))));
    reads.iter().find_map(|&(id, seen)| {
        let entry = &scene.history.entries[id];
        let (call, ret) = (entry.invoked.position, entry.returned());
        let (added, perhaps_taken) = (up_done.before(call), down_begun.before(ret));
        let (perhaps_added, taken) = (up_begun.before(ret), down_done.before(call));
        let seen = i128::from(seen);
        let said = scene.say(id);
        let (sentence, proof) = if seen < added + perhaps_taken {
            let sentence =
                format!("{said} is too little: at least {} had been added when it was invoked.", added + perhaps_taken);
            (sentence, enough(up().filter(|a| a.ret < call), seen - perhaps_taken))
        } else if seen > perhaps_added + taken {
            let sentence =
                format!("{said} is too much: no more than {} had been added when it returned.", perhaps_added + taken);
            (sentence, enough(down().filter(|a| a.ret < call), perhaps_added - seen))
        } else {
            return None;
        };
        Some(scene.anomaly(anomaly::COUNTER_OUT_OF_BOUNDS, proof.into_iter().take(SHOWN_MAX).chain([id]), sentence))
    })
}

/// The largest additions, until they change the counter by more than `than`.
fn enough<'a>(additions: impl Iterator<Item = &'a Addition>, than: i128) -> Vec<EntryId> {
    let mut additions: Vec<&Addition> = additions.collect();
    additions.sort_by_key(|a| (std::cmp::Reverse(a.n.unsigned_abs()), a.id));
    let mut sum = 0;
    let needed = additions.iter().take_while(|a| {
        let goes_on = sum <= than;
        sum += i128::from(a.n.unsigned_abs());
        goes_on
    });
    needed.map(|a| a.id).collect()
}
