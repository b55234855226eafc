//! Counters: what a read shows at least and at most, from what was certainly and what was perhaps added since the beginning, and
//! since the last read that had returned by then.
//!
//! Whether some of the additions under way make up what a read shows is a question of sums of subsets, which is hard (Karp 1972).
//! So this allows nothing, but finds most of what is wrong before a search has to. O(n log n).

use super::problem::{NEVER, Op, Problem};
use crate::{
    anomaly::{self, describe},
    history::History,
    model::{Effect, Model},
    value::Value,
    verdict::Anomaly,
};

/// Additions that are named; of more the largest.
const SHOWN_MAX: usize = 8;

/// A read, or an addition, and its number.
#[derive(Clone, Copy)]
struct Counted {
    /// Nothing for the beginning, when the counter shows 0.
    op: Option<usize>,
    n: i128,
    call: i64,
    ret: i64,
}

const BEGINNING: Counted = Counted { op: None, n: 0, call: -1, ret: -1 };

impl Counted {
    fn new(index: usize, op: &Op, n: i64) -> Self {
        let ret = if op.ret == NEVER { i64::MAX } else { op.ret.into() };
        Counted { op: Some(index), n: n.into(), call: op.call.into(), ret }
    }
}

/// The first read that shows what it cannot, if this is a counter.
pub(super) fn out_of_bounds<M: Model>(
    model: &M,
    history: &History,
    key: &Value,
    problem: &Problem<'_>,
) -> Option<Anomaly> {
    let (mut reads, mut additions) = (Vec::new(), Vec::new());
    for (index, op) in problem.ops.iter().enumerate() {
        let class = &problem.classes[op.class as usize];
        match model.effect(class.operation, class.reply) {
            Effect::Counts(shown) => reads.push(Counted::new(index, op, shown.as_int()?)),
            Effect::Increments(n) => additions.push(Counted::new(index, op, n.as_int()?)),
            _ => return None,
        }
    }
    // One that may wrap around has no bounds.
    if additions.iter().map(|a| a.n.abs()).sum::<i128>() > i64::MAX.into() {
        return None;
    }
    let (up, down): (Vec<Counted>, Vec<Counted>) = additions.iter().partition(|a| a.n > 0);
    let (mut up, mut down) = (Sums::new(up), Sums::new(down));
    let mut returned = reads.clone();
    returned.sort_unstable_by_key(|read| read.ret);
    let mut returned = returned.into_iter().peekable();
    let mut last = BEGINNING;
    for read in reads {
        while let Some(earlier) = returned.next_if(|earlier| earlier.ret < read.call) {
            last = earlier;
        }
        up.go_to(read.call);
        down.go_to(read.call);
        for since in [BEGINNING, last] {
            let least = up.certain(since) + down.possible(since, read);
            let most = up.possible(since, read) + down.certain(since);
            let grown = read.n - since.n;
            if grown < least || most < grown {
                let bound = if grown < least { Bound::Least(least) } else { Bound::Most(most) };
                let certain = |a: &&Counted| a.call > since.ret && a.ret < read.call;
                let certain = additions.iter().filter(certain).filter(|a| (a.n > 0) == (grown < least));
                return Some(bound.anomaly(history, key, problem, since, read, certain));
            }
        }
    }
    None
}

/// Sums of additions of one sign.
struct Sums {
    /// By call, each with the sum up to it; and the same by return.
    called: Vec<(i64, i128)>,
    returned: Vec<(i64, i128)>,
    /// Those that return later than where one has come to, the last first: return, place by call, number.
    open: Vec<(i64, usize, i128)>,
    /// The others in a binary indexed tree by the place of their call (Fenwick 1994).
    tree: Vec<i128>,
}

impl Sums {
    fn new(mut additions: Vec<Counted>) -> Self {
        additions.sort_unstable_by_key(|a| a.call);
        let called: Vec<(i64, i128)> = additions.iter().map(|a| (a.call, a.n)).collect();
        let mut open: Vec<_> = additions.iter().enumerate().map(|(place, a)| (a.ret, place, a.n)).collect();
        open.sort_unstable_by(|a, b| b.cmp(a));
        let returned = open.iter().rev().map(|&(ret, _, n)| (ret, n)).collect();
        let tree = vec![0; called.len() + 1];
        Sums { called: summed(called), returned: summed(returned), open, tree }
    }

    /// From here on, what has returned before this moment is certain.
    fn go_to(&mut self, moment: i64) {
        while let Some((_, place, n)) = self.open.pop_if(|(ret, ..)| *ret < moment) {
            let mut at = place + 1;
            while at < self.tree.len() {
                self.tree[at] += n;
                at += at & at.wrapping_neg();
            }
        }
    }

    /// What was called after `since` had returned, and is certain by now.
    fn certain(&self, since: Counted) -> i128 {
        let up_to = |mut at: usize| {
            let mut sum = 0;
            while at > 0 {
                sum += self.tree[at];
                at &= at - 1;
            }
            sum
        };
        let before = self.called.partition_point(|(call, _)| *call <= since.ret);
        up_to(self.called.len()) - up_to(before)
    }

    /// What may come after `since` and before `read`.
    fn possible(&self, since: Counted, read: Counted) -> i128 {
        let sum = |sums: &[(i64, i128)], count: usize| count.checked_sub(1).map_or(0, |last| sums[last].1);
        let begun = self.called.partition_point(|(call, _)| *call <= read.ret);
        let gone = self.returned.partition_point(|(ret, _)| *ret < since.call);
        sum(&self.called, begun) - sum(&self.returned, gone)
    }
}

/// Each with the sum of all up to it.
fn summed(mut numbers: Vec<(i64, i128)>) -> Vec<(i64, i128)> {
    let mut sum = 0;
    for (_, n) in &mut numbers {
        sum += *n;
        *n = sum;
    }
    numbers
}

/// What a counter had grown by.
enum Bound {
    Least(i128),
    Most(i128),
}

impl Bound {
    fn anomaly<'a>(
        self,
        history: &History,
        key: &Value,
        problem: &Problem<'_>,
        since: Counted,
        read: Counted,
        certain: impl Iterator<Item = &'a Counted>,
    ) -> Anomaly {
        let entry = |counted: Counted| counted.op.map(|op| problem.ops[op].entry());
        let said = |counted: Counted| entry(counted).map(|id| describe(&history.entries[id]));
        let bound = match self {
            Bound::Least(n) => format!("at least {n}"),
            Bound::Most(n) => format!("at most {n}"),
        };
        let read_said = said(read).unwrap_or_default();
        let sentence = match said(since) {
            None => format!("{read_said} cannot be: {bound} had been added by then."),
            Some(since) => format!("{read_said} cannot be: {bound} had been added after {since}."),
        };
        let mut certain: Vec<Counted> = certain.copied().collect();
        certain.sort_unstable_by_key(|a| (-a.n.abs(), a.op));
        certain.truncate(SHOWN_MAX);
        let named = certain.into_iter().chain([since, read]).filter_map(entry).collect();
        Anomaly::new(anomaly::COUNTER_OUT_OF_BOUNDS, key.clone(), named, sentence)
    }
}

#[cfg(test)]
mod tests {
    use rand_xoshiro::{
        Xoshiro256PlusPlus,
        rand_core::{Rng, SeedableRng},
    };

    use super::*;
    use crate::{
        budget::{Budget, Meter},
        certificate::Certificate,
        history::{Outcome, ProcessId},
        linearizability::{run_search, search::Found},
        models,
        operation::Operation,
        recorder::HistoryBuilder,
        verdict::Verdict,
        verify::{self, Verification},
    };

    /// Additions, of negative numbers too, and reads that show about what they might.
    fn random(random: &mut Xoshiro256PlusPlus) -> History {
        let mut below = |n: i64| (random.next_u64() % n as u64) as i64;
        let mut builder = HistoryBuilder::new();
        let mut open = Vec::new();
        let mut sum = 0;
        let operations = 3 + below(6) as usize;
        while builder.len() < operations || !open.is_empty() {
            if builder.len() < operations && (open.is_empty() || below(2) == 0) {
                let n = [1, 1, 2, 5, -1, -3][below(6) as usize];
                let adds = below(2) == 0;
                let (f, args) = if adds { ("add", Value::Int(n)) } else { ("read", Value::Nil) };
                sum += if adds { n } else { 0 };
                let process = ProcessId(builder.len() as u32);
                open.push((builder.invoke(process, Operation::new(f, Value::Nil, args), 0), adds));
            } else {
                let (entry, adds) = open.swap_remove(below(open.len() as i64) as usize);
                let shown = if adds { Value::Nil } else { Value::Int(sum + [0, 0, 0, -1, 1, 2][below(6) as usize]) };
                let outcome = if below(6) == 0 { Outcome::Unknown("".into()) } else { Outcome::Ok(shown) };
                builder.complete(entry, outcome, 0);
            }
        }
        builder.finish()
    }

    #[test]
    fn no_order_explains_what_is_out_of_bounds() {
        let mut dice = Xoshiro256PlusPlus::seed_from_u64(1);
        let (mut legal, mut illegal, mut found) = (0, 0, 0);
        for _ in 0..20_000 {
            let history = random(&mut dice);
            let everything: Vec<usize> = (0..history.entries.len()).collect();
            let problem = Problem::new(&models::Counter, &history, &everything);
            let searched = run_search(&models::Counter, &problem, &mut Meter::new(Budget::default()));
            let is_legal = matches!(searched, Found::Legal(_));
            *(if is_legal { &mut legal } else { &mut illegal }) += 1;
            let Some(anomaly) = out_of_bounds(&models::Counter, &history, &Value::Nil, &problem) else { continue };
            assert!(!is_legal, "{anomaly:?} {history:?}");
            found += 1;
            let verdict = Verdict::of(vec![anomaly]);
            let certificate = Certificate::new("linearizable", Some("counter"), everything.len(), verdict);
            // Without a step for a search.
            let verification = verify::verify(&history, &certificate, &Budget { steps: 0, bytes: 0 });
            assert_eq!(verification, Verification::Verified, "{certificate:?} {history:?}");
        }
        assert!(legal > 2_000 && illegal > 2_000, "{legal} are legal, {illegal} are not");
        assert!(4 * found > 3 * illegal, "{found} of {illegal} are found");
    }
}
