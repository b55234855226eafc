//! Bounds of staleness against their definitions, on all small histories.

use crate::{
    orders::{every_history, explained, in_real_time, ok, register_spec, unknown},
    support::show,
};
use squall_checkers::{
    budget::Budget,
    certificate::Certificate,
    history::{Entry, History, Moment},
    operation::Operation,
    staleness::{self, Bound, Staleness},
    value::Value,
    verdict::{Anomaly, Verdict},
    verify::{self, Verification},
};

/// A register whose reads may lag. The state is how far, and then all versions.
fn lagging_spec(state: &Value, operation: &Operation, reply: Option<&Value>) -> Option<Value> {
    let (lag, versions) = state.as_list()?.split_first()?;
    let &Value::Int(lag) = lag else { return None };
    let newest = versions.last()?;
    if operation.f == "read" {
        let shown = versions.iter().rev().take(lag as usize + 1);
        return reply.is_none_or(|value| shown.clone().any(|v| v == value)).then(|| state.clone());
    }
    let after = register_spec(newest, operation, reply)?;
    let update = operation.f == "write" || reply == Some(&Value::Bool(true));
    let all = state.as_list()?.iter().cloned().chain(update.then_some(after));
    Some(Value::List(all.collect()))
}

fn by_versions(history: &History, lag: i64) -> bool {
    let entries: Vec<&Entry> = history.entries.iter().collect();
    explained(in_real_time, lagging_spec, &Value::List(vec![Value::Int(lag), Value::Nil]), &entries)
}

/// Positions are times here. A read that is moved comes before what happens just then.
fn by_time(history: &History, by_ns: u32) -> bool {
    let mut entries = history.entries.clone();
    for entry in &mut entries {
        let moved = entry.operation.f == "read" && by_ns > 0;
        let at = entry.invoked.position;
        entry.invoked.position = if moved { 2 * at.saturating_sub(by_ns) } else { 2 * at + 1 };
        if let Some(completed) = &mut entry.completed {
            completed.position = 2 * completed.position + 1;
        }
    }
    let entries: Vec<&Entry> = entries.iter().collect();
    explained(in_real_time, register_spec, &Value::Nil, &entries)
}

fn by_versions_of(staleness: &mut Staleness) -> &mut Bound {
    &mut staleness.versions
}

fn by_time_of(staleness: &mut Staleness) -> &mut Bound {
    staleness.time_ns.as_mut().expect("times differ")
}

/// Whether the verifier vouches for it; what it says if not.
fn verified(history: &History, certificate: &Certificate) -> Result<(), Verification> {
    match verify::verify(history, certificate, &Budget::default()) {
        Verification::Verified => Ok(()),
        other => Err(other),
    }
}

/// The bounds that were measured are verified, others are not.
fn forge(history: &History, measured: &Staleness) {
    let certificate = staleness::certify(history, &Budget::default());
    assert_eq!(certificate.staleness.as_ref(), Some(measured));
    assert_eq!(verified(history, &certificate), Ok(()), "{}", show(history));
    let with = |change: &dyn Fn(&mut Staleness)| {
        let mut forged = certificate.clone();
        forged.staleness.iter_mut().for_each(change);
        forged
    };
    let bounds = |staleness: &mut Staleness, change: &dyn Fn(&mut Bound)| {
        change(&mut staleness.versions);
        staleness.time_ns.iter_mut().for_each(change);
    };
    let mut forged = vec![
        Certificate { verdict: Verdict::of(vec![]), staleness: None, ..certificate.clone() },
        with(&|staleness| staleness.time_ns = None),
        with(&|staleness| bounds(staleness, &|bound| bound.order = None)),
        with(&|staleness| {
            bounds(staleness, &|bound| bound.order.iter_mut().for_each(|order| order.truncate(order.len() - 1)));
        }),
        with(&|staleness| bounds(staleness, &|bound| bound.order.iter_mut().for_each(|order| order.push(99)))),
    ];
    let evidence = |bound: &Bound| bound.evidence.clone();
    let everything: Vec<usize> = (0..history.entries.len()).collect();
    for of in [by_versions_of, by_time_of] {
        let tightest = of(&mut measured.clone()).least;
        if tightest > 0 {
            let smaller = tightest - 1;
            forged.push(with(&|s| of(s).most = Some(smaller)));
            forged.push(with(&|s| (of(s).least, of(s).most) = (smaller, Some(smaller))));
            forged.push(with(&|s| of(s).evidence = None));
            forged.push(with(&|s| of(s).evidence = evidence(of(s)).map(|e| Anomaly { operations: vec![], ..e })));
            let anomalies = evidence(of(&mut measured.clone())).into_iter().collect();
            forged.push(Certificate { verdict: Verdict::of(anomalies), staleness: None, ..certificate.clone() });
        }
        let anomaly = Anomaly::new("stale-read".into(), Value::Nil, everything.clone(), String::new());
        forged.push(with(&|s| (of(s).least, of(s).evidence) = (tightest + 1, Some(anomaly.clone()))));
    }
    for forged in forged {
        assert!(verified(history, &forged).is_err(), "{forged:?} {}", show(history));
    }
}

#[test]
fn bounds_are_the_tightest_that_hold() {
    let write = |value: i64| Operation::write(Value::Nil, value);
    let read = || Operation::read(Value::Nil);
    let alphabet = [
        ok(write(1), Value::Nil),
        ok(write(2), Value::Nil),
        unknown(write(1)),
        ok(read(), Value::Nil),
        ok(read(), 1),
        ok(read(), 2),
        ok(Operation::cas(Value::Nil, 1, 2), true),
    ];
    let mut seen = [0; 3];
    for n in 1..=4 {
        every_history(n, &alphabet, |history| {
            let measured = staleness::measure(history, &Budget::default());
            let versions = (0_u32..=4).find(|&lag| by_versions(history, i64::from(lag)));
            let time = (0..=9).find(|&by| by_time(history, by));
            assert_eq!(versions.is_some(), time.is_some(), "{}", show(history));
            match measured {
                Ok(measured) => {
                    let time_ns = measured.time_ns.as_ref().expect("times differ");
                    assert_eq!(measured.versions.tightest(), versions.map(u64::from), "{}", show(history));
                    assert_eq!(time_ns.tightest(), time.map(u64::from), "{}", show(history));
                    if seen[0] % 64 == 0 || history.entries.len() < 3 {
                        forge(history, &measured);
                    }
                    seen[versions.unwrap_or(0).min(2) as usize] += 1;
                    for Bound { least, evidence, .. } in [time_ns, &measured.versions] {
                        assert_eq!(*least > 0, evidence.is_some(), "{}", show(history));
                    }
                }
                Err(verdict) if verdict.is_invalid() => {
                    assert_eq!(versions, None, "{verdict:?} {}", show(history));
                    assert_eq!(verified(history, &staleness::certify(history, &Budget::default())), Ok(()));
                }
                Err(_) => assert!(!history.entries.iter().any(Entry::is_ok), "{}", show(history)),
            }
        });
    }
    assert!(seen.iter().all(|n| *n > 100), "{seen:?}");
}

#[test]
fn every_process_is_named_by_the_evidence() {
    let history = "0: write[x] 1 @0..1; 0: write[x] 2 @2..3; 0: write[x] 3 @4..5; 1: read[x] -> 1 @50..60";
    let history = squall_checkers::formats::text::read(history).expect("in the notation");
    let staleness = staleness::measure(&history, &Budget::default()).expect("a bound holds");
    let sentences = [staleness.time_ns.expect("times differ"), staleness.versions].map(|bound| {
        let evidence = bound.evidence.clone().expect("it is stale");
        format!("{:?} {:?}: {}", bound.tightest(), evidence.operations, evidence.sentence)
    });
    insta::assert_snapshot!(sentences.join("\n"));
}

/// Positions order a history, so that it is linearizable or not. How old a read is only times can say.
#[test]
fn times_that_run_backwards_show_no_age() {
    let read = |value: u32| {
        let text = format!("0: write[x] 1 @0/90..1/95; 0: write[x] 2 @2/40..3/50; 1: read[x] -> {value} @4/60..5/70");
        squall_checkers::formats::text::read(&text).expect("in the notation")
    };
    let fresh = staleness::measure(&read(2), &Budget::default()).expect("it is linearizable");
    assert_eq!(fresh.time_ns.and_then(|bound| bound.tightest()), Some(0));
    let Err(Verdict::Unknown { detail, .. }) = staleness::measure(&read(1), &Budget::default()) else {
        panic!("it was judged by times that run backwards");
    };
    assert_eq!(
        detail,
        "times run backwards: operation 1 is invoked at 40 ns, after operation 0 was completed at 95 ns; how old a read is cannot be told"
    );
    assert!(matches!(staleness::measure(&read(3), &Budget::default()), Err(verdict) if verdict.is_invalid()));
    // Nobody believes a bound that rests on them.
    let mut forward = read(1);
    for entry in &mut forward.entries {
        for moment in [Some(&mut entry.invoked), entry.completed.as_mut()].into_iter().flatten() {
            *moment = Moment::new(moment.position, u64::from(moment.position));
        }
    }
    let certificate = staleness::certify(&forward, &Budget::default());
    assert_eq!(verified(&forward, &certificate), Ok(()));
    assert!(matches!(verified(&read(1), &certificate), Err(Verification::Refuted(_))));
}
