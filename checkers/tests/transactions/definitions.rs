//! What the levels say, word for word: every order of a few transactions is tried.

pub(crate) const KEYS: usize = 2;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Micro {
    Write(usize, i64),
    Read(usize, Option<i64>),
    Append(usize, i64),
    List(usize, Vec<i64>),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Status {
    Ok,
    Unknown,
    Failed,
}

#[derive(Clone, Debug)]
pub(crate) struct Txn {
    pub(crate) session: usize,
    pub(crate) status: Status,
    pub(crate) ops: Vec<Micro>,
    pub(crate) call: u32,
    pub(crate) ret: u32,
}

#[derive(Clone, Copy, PartialEq)]
enum Beside {
    Nothing,
    Sessions,
    Time,
}

fn precedes(beside: Beside, a: &Txn, b: &Txn) -> bool {
    match beside {
        Beside::Nothing => false,
        Beside::Sessions => a.session == b.session && a.call < b.call,
        Beside::Time => a.status == Status::Ok && a.ret < b.call,
    }
}

/// Whether the transaction may run on this state; leaves the state after it.
pub(crate) fn run(txn: &Txn, state: &mut [Vec<i64>; KEYS]) -> bool {
    for op in &txn.ops {
        let fits = match op {
            Micro::Write(k, v) | Micro::Append(k, v) => {
                state[*k].push(*v);
                true
            }
            Micro::Read(k, v) => state[*k].last() == v.as_ref(),
            Micro::List(k, v) => state[*k] == *v,
        };
        if !fits && txn.status == Status::Ok {
            return false;
        }
    }
    true
}

/// One after the other, in some order that keeps what `beside` asks for.
fn serializable(txns: &[&Txn], beside: Beside) -> bool {
    fn go(left: &mut Vec<&Txn>, state: &[Vec<i64>; KEYS], beside: Beside) -> bool {
        if left.is_empty() {
            return true;
        }
        for i in 0..left.len() {
            if left.iter().any(|other| precedes(beside, other, left[i])) {
                continue;
            }
            let txn = left.remove(i);
            let mut after = state.clone();
            let possible = run(txn, &mut after) && go(left, &after, beside);
            left.insert(i, txn);
            if possible {
                return true;
            }
        }
        false
    }
    go(&mut txns.to_vec(), &Default::default(), beside)
}

fn written(txn: &Txn) -> [Vec<i64>; KEYS] {
    let mut all: [Vec<i64>; KEYS] = Default::default();
    for op in &txn.ops {
        if let Micro::Write(k, v) | Micro::Append(k, v) = op {
            all[*k].push(*v);
        }
    }
    all
}

/// Each transaction begins and commits at points of one line; it reads what was committed when it began.
fn snapshot(txns: &[&Txn], beside: Beside) -> bool {
    #[derive(Clone)]
    struct World {
        state: [Vec<i64>; KEYS],
        /// What each transaction that has begun wrote over: how many writes its keys had.
        begun: Vec<Option<[usize; KEYS]>>,
        done: Vec<bool>,
    }
    fn go(txns: &[&Txn], world: &World, beside: Beside) -> bool {
        if world.done.iter().all(|d| *d) {
            return true;
        }
        (0..txns.len()).filter(|&i| !world.done[i]).any(|i| {
            let mut next = world.clone();
            if let Some(base) = world.begun[i] {
                // First committer wins.
                let own = written(txns[i]);
                if (0..KEYS).any(|k| !own[k].is_empty() && world.state[k].len() != base[k]) {
                    return false;
                }
                (0..KEYS).for_each(|k| next.state[k].extend(&own[k]));
                next.done[i] = true;
            } else {
                let early = (0..txns.len()).any(|j| !world.done[j] && j != i && precedes(beside, txns[j], txns[i]));
                let mut view = world.state.clone();
                if early || !run(txns[i], &mut view) {
                    return false;
                }
                next.begun[i] = Some([0, 1].map(|k: usize| world.state[k].len()));
            }
            go(txns, &next, beside)
        })
    }
    let n = txns.len();
    go(txns, &World { state: Default::default(), begun: vec![None; n], done: vec![false; n] }, beside)
}

#[derive(Clone, Copy, PartialEq)]
enum Axiom {
    Committed,
    Atomic,
    Causal,
}

/// One read of others' writes, as the axioms see it: its place, key, source and all whose writes it shows.
struct Seen {
    key: usize,
    source: Option<usize>,
    shown: Vec<usize>,
}

fn permutations(n: usize) -> Vec<Vec<usize>> {
    if n == 0 {
        return vec![vec![]];
    }
    let shorter = permutations(n - 1);
    shorter
        .iter()
        .flat_map(|p| {
            (0..n).map(move |at| {
                let mut longer = p.clone();
                longer.insert(at, n - 1);
                longer
            })
        })
        .collect()
}

/// What the transaction saw of others if the transactions commit in this order; `None` if it cannot have seen it.
fn reads(txns: &[&Txn], order: &[usize], reader: usize) -> Option<Vec<Seen>> {
    let wrote = |t: usize, k: usize| written(txns[t])[k].clone();
    let owner = |k: usize, v: i64| (0..txns.len()).find(|&t| wrote(t, k).contains(&v));
    let mut own: [Vec<i64>; KEYS] = Default::default();
    let mut seen = Vec::new();
    if txns[reader].status != Status::Ok {
        return Some(seen);
    }
    for op in &txns[reader].ops {
        match op {
            Micro::Write(k, v) | Micro::Append(k, v) => own[*k].push(*v),
            Micro::Read(k, v) => {
                if let Some(last) = own[*k].last() {
                    if Some(*last) != *v {
                        return None;
                    }
                    continue;
                }
                let source = match v {
                    None => None,
                    Some(v) => Some(owner(*k, *v).filter(|&t| t != reader && wrote(t, *k).last() == Some(v))?),
                };
                seen.push(Seen { key: *k, source, shown: source.into_iter().collect() });
            }
            Micro::List(k, list) => {
                let whole: Vec<i64> = order.iter().flat_map(|&t| wrote(t, *k)).collect();
                if !whole.starts_with(list) || !list.ends_with(&own[*k]) {
                    return None;
                }
                let others = &list[..list.len() - own[*k].len()];
                let source = match others.last() {
                    None => None,
                    Some(v) => Some(owner(*k, *v).filter(|&t| t != reader && wrote(t, *k).last() == Some(v))?),
                };
                let shown = others.iter().filter_map(|v| owner(*k, *v)).collect();
                seen.push(Seen { key: *k, source, shown });
            }
        }
    }
    Some(seen)
}

/// Biswas & Enea 2019: some order of all transactions extends sessions and reads, and satisfies the axiom.
fn axiomatic(txns: &[&Txn], axiom: Axiom) -> bool {
    let n = txns.len();
    permutations(n).iter().any(|order| {
        let place = |t: usize| order.iter().position(|o| *o == t).unwrap();
        let Some(seen) = (0..n).map(|t| reads(txns, order, t)).collect::<Option<Vec<_>>>() else { return false };
        let mut before = vec![vec![false; n]; n];
        for (b, reads) in seen.iter().enumerate() {
            for a in 0..n {
                before[a][b] |= precedes(Beside::Sessions, txns[a], txns[b]);
            }
            reads.iter().flat_map(|r| &r.shown).for_each(|&a| before[a][b] = true);
        }
        let direct = before.clone();
        for k in 0..n {
            for i in 0..n {
                for j in 0..n {
                    before[i][j] |= before[i][k] && before[k][j];
                }
            }
        }
        if (0..n).any(|a| (0..n).any(|b| direct[a][b] && place(a) >= place(b))) {
            return false;
        }
        (0..n).all(|reader| {
            (0..seen[reader].len()).all(|i| {
                let read = &seen[reader][i];
                (0..n).filter(|&t| t != reader && !written(txns[t])[read.key].is_empty()).all(|other| {
                    let visible = match axiom {
                        Axiom::Committed => seen[reader][..i].iter().any(|r| r.shown.contains(&other)),
                        Axiom::Atomic => direct[other][reader],
                        Axiom::Causal => before[other][reader],
                    };
                    !visible || read.source.is_some_and(|source| source == other || place(other) < place(source))
                })
            })
        })
    })
}

/// The elements of others in a list that its reader was shown, once those at its end are taken away that it has appended itself
/// so far; nothing where some of these are missing.
fn of_others(shown: &[i64], own: &[i64]) -> Option<usize> {
    let mut rest = shown.iter();
    let sees_own = own.iter().all(|own| rest.any(|v| v == own));
    sees_own.then(|| shown.iter().rposition(|v| !own.contains(v)).map_or(0, |last| last + 1))
}

/// Adya's PL-1, or where only what is committed is read PL-2: in some order of those that took effect, what was read was
/// installed. What somebody saw of a transaction of unknown outcome it did.
fn installs(all: &[Txn], effective: &[usize], committed: bool) -> bool {
    let wrote = |t: usize, k: usize| written(&all[t])[k].clone();
    let writer = |k: usize, v: i64| (0..all.len()).find(|&t| wrote(t, k).contains(&v));
    let in_effect = |t: usize| effective.contains(&t);
    let readers = || (0..all.len()).filter(|&t| all[t].status == Status::Ok);
    let shown = |t: usize| {
        all[t].ops.iter().filter_map(|op| match op {
            Micro::List(k, list) => Some((*k, list.clone())),
            _ => None,
        })
    };
    let mut longest: [Vec<i64>; KEYS] = Default::default();
    for (k, list) in readers().flat_map(shown) {
        if list.len() > longest[k].len() {
            longest[k] = list;
        }
    }
    // What lists showed, whoever committed.
    for (k, list) in readers().flat_map(shown) {
        let each = |i: usize| {
            let writer = writer(k, list[i]).filter(|&t| in_effect(t) || all[t].status == Status::Failed);
            let in_order = |t: usize| {
                let of_it: Vec<i64> = list.iter().copied().filter(|v| wrote(t, k).contains(v)).collect();
                wrote(t, k).starts_with(&of_it)
            };
            !list[..i].contains(&list[i]) && writer.is_some_and(in_order)
        };
        if !longest[k].starts_with(&list) || !(0..list.len()).all(each) {
            return false;
        }
        if committed && list.iter().any(|v| writer(k, *v).is_none_or(|t| !in_effect(t))) {
            return false;
        }
    }
    permutations(effective.len()).iter().any(|order| {
        let order: Vec<usize> = order.iter().map(|&i| effective[i]).collect();
        let place = |t: usize| order.iter().position(|o| *o == t);
        let lists = (0..KEYS).all(|k| {
            let whole: Vec<i64> = order.iter().flat_map(|&t| wrote(t, k)).collect();
            let seen: Vec<i64> = longest[k].iter().copied().filter(|v| writer(k, *v).is_some_and(in_effect)).collect();
            whole.starts_with(&seen)
        });
        lists
            && readers().all(|reader| {
                let mut own: [Vec<i64>; KEYS] = Default::default();
                all[reader].ops.iter().all(|op| {
                    let (k, seen) = match op {
                        Micro::Write(k, v) | Micro::Append(k, v) => {
                            own[*k].push(*v);
                            return true;
                        }
                        Micro::Read(k, v) if own[*k].is_empty() => (*k, *v),
                        Micro::List(k, list) if committed => {
                            let Some(others) = of_others(list, &own[*k]) else { return true };
                            (*k, list[..others].last().copied())
                        }
                        Micro::Read(..) | Micro::List(..) => return true,
                    };
                    let Some(seen) = seen else { return true };
                    let Some(source) = writer(k, seen) else { return false };
                    let before = place(source).zip(place(reader)).is_some_and(|(s, r)| s < r);
                    let last = wrote(source, k).last() == Some(&seen);
                    let aborted = all[source].status == Status::Failed;
                    let replaces = !wrote(reader, k).is_empty();
                    if committed {
                        before && last
                    } else {
                        aborted || source == reader || (in_effect(source) && (before || !replaces))
                    }
                })
            })
    })
}

/// Whether the level allows the history: some of the transactions of unknown outcome took effect.
pub(crate) fn allowed(txns: &[Txn], level: &str) -> bool {
    let unknown: Vec<usize> = (0..txns.len()).filter(|&i| txns[i].status == Status::Unknown).collect();
    (0..1 << unknown.len()).any(|chosen: usize| {
        let in_effect = |i: usize| match txns[i].status {
            Status::Ok => true,
            Status::Failed => false,
            Status::Unknown => chosen >> unknown.iter().position(|u| *u == i).unwrap() & 1 == 1,
        };
        let effective: Vec<&Txn> = (0..txns.len()).filter(|&i| in_effect(i)).map(|i| &txns[i]).collect();
        let indexes = || (0..txns.len()).filter(|&i| in_effect(i)).collect::<Vec<usize>>();
        match level {
            "read-uncommitted" => installs(txns, &indexes(), false),
            "pl-2" => installs(txns, &indexes(), true),
            "read-committed" => axiomatic(&effective, Axiom::Committed),
            "read-atomic" => axiomatic(&effective, Axiom::Atomic),
            "causal" => axiomatic(&effective, Axiom::Causal),
            "repeatable-read" | "serializable" => serializable(&effective, Beside::Nothing),
            "strong-session-serializable" => serializable(&effective, Beside::Sessions),
            "strict-serializable" => serializable(&effective, Beside::Time),
            "snapshot-isolation" => snapshot(&effective, Beside::Nothing),
            "strong-session-snapshot-isolation" => snapshot(&effective, Beside::Sessions),
            "strong-snapshot-isolation" => snapshot(&effective, Beside::Time),
            _ => panic!("{level}"),
        }
    })
}
