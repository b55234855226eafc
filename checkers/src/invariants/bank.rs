//! The checkers `bank` and `bank-with-overdraft`: whatever is transferred, the sum of all balances stays.
//!
//! `read() -> {account balance, …}`, `transfer({amount n, from account, to account})`. What the sum is nobody says: it is the one
//! that most reads show.

use std::collections::BTreeMap;

use super::{Invariant, Scene, and_more};
use crate::{
    anomaly,
    checker::CheckerEntry,
    history::{EntryId, History},
    value::Value,
    verdict::{Anomaly, Verdict},
};

pub(crate) const ENTRY: CheckerEntry = CheckerEntry {
    name: "bank",
    summary: "Transfers leave the sum of all balances as it is, and no balance is negative.",
    needs_model: false,
    build: |_| Some(Box::new(Invariant { name: ENTRY.name, real_time: false, judge: |h| judge(h, false) })),
};

pub(crate) const WITH_OVERDRAFT: CheckerEntry = CheckerEntry {
    name: "bank-with-overdraft",
    summary: "Transfers leave the sum of all balances as it is; a balance may be negative.",
    needs_model: false,
    build: |_| Some(Box::new(Invariant { name: WITH_OVERDRAFT.name, real_time: false, judge: |h| judge(h, true) })),
};

fn judge(history: &History, overdraft: bool) -> Verdict {
    let mut anomalies = Vec::new();
    let mut judged = 0;
    for (key, ids) in history.partition().iter() {
        let scene = Scene { history, key };
        let mut reads: Vec<(EntryId, Balances)> = Vec::new();
        for &id in ids {
            let entry = &history.entries[id];
            let Some(reply) = entry.reply().filter(|_| entry.operation.f == "read") else { continue };
            let Value::Map(accounts) = reply else {
                return Verdict::precondition(format!(
                    "operation {id}, a read, replied {reply}, which is no map of balances"
                ));
            };
            reads.push((id, Balances::of(accounts)));
        }
        judged += reads.len();
        anomalies.extend(no_balance(scene, &reads));
        anomalies.extend(wrong_total(scene, &reads));
        anomalies.extend(negative(scene, &reads).filter(|_| !overdraft));
    }
    if judged == 0 {
        return Verdict::vacuous("no read of balances succeeded");
    }
    Verdict::of(anomalies)
}

/// What one read shows.
struct Balances {
    total: i128,
    /// An account whose balance is no number.
    missing: Option<Value>,
    /// An account below zero.
    negative: Option<(Value, i64)>,
}

impl Balances {
    fn of(accounts: &BTreeMap<Value, Value>) -> Self {
        let mut balances = Balances { total: 0, missing: None, negative: None };
        for (account, balance) in accounts {
            match balance.as_int() {
                Some(n) => {
                    balances.total += i128::from(n);
                    if n < 0 && balances.negative.is_none() {
                        balances.negative = Some((account.clone(), n));
                    }
                }
                None => balances.missing = Some(account.clone()),
            }
        }
        balances
    }
}

fn no_balance(scene: Scene<'_>, reads: &[(EntryId, Balances)]) -> Option<Anomaly> {
    let (id, account) = reads.iter().find_map(|(id, b)| Some((*id, b.missing.as_ref()?)))?;
    let sentence = format!("{} shows no number for account {account}.", scene.say(id));
    Some(scene.anomaly(anomaly::WRONG_TOTAL, [id], sentence))
}

fn wrong_total(scene: Scene<'_>, reads: &[(EntryId, Balances)]) -> Option<Anomaly> {
    let whole = || reads.iter().filter(|(_, b)| b.missing.is_none()).map(|(id, b)| (*id, b.total));
    let mut seen: BTreeMap<i128, (usize, EntryId)> = BTreeMap::new();
    for (id, total) in whole() {
        seen.entry(total).or_insert((0, id)).0 += 1;
    }
    let (expected, (_, example)) =
        seen.into_iter().max_by_key(|(_, (often, first))| (*often, std::cmp::Reverse(*first)))?;
    let wrong: Vec<(EntryId, i128)> = whole().filter(|(_, total)| *total != expected).collect();
    let &(id, total) = wrong.first()?;
    let sentence = format!(
        "{} adds up to {total}, though transfers leave the sum as it is and {} adds up to {expected}.{}",
        scene.say(id),
        scene.say(example),
        and_more(wrong.len())
    );
    Some(scene.anomaly(anomaly::WRONG_TOTAL, [id, example], sentence))
}

fn negative(scene: Scene<'_>, reads: &[(EntryId, Balances)]) -> Option<Anomaly> {
    let several = reads.iter().filter(|(_, b)| b.negative.is_some()).count();
    let (id, (account, balance)) = reads.iter().find_map(|(id, b)| Some((*id, b.negative.as_ref()?)))?;
    let sentence = format!("{} shows {balance} for account {account}.{}", scene.say(id), and_more(several));
    Some(scene.anomaly(anomaly::NEGATIVE_BALANCE, [id], sentence))
}
