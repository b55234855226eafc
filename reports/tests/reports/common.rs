//! Findings to draw: small ones as the minimiser leaves them, and ones of an awkward size.

use squall_checkers::{
    history::{Moment, Outcome, Phase, ProcessId},
    operation::Operation,
    value::Value,
    verdict::{Anomaly, Reason, Verdict},
};
use squall_reports::records::{
    CheckerVerdict, Counts, Failure, FailureKind, FaultCount, FaultRecord, Finding, Minimised, Observation,
    OperationCounts, OperationRecord, PhaseRecord, SeedCounts, Signature, SignatureCount, Totals, TraceEvent,
};

pub(crate) const MS: u64 = 1_000_000;

/// An operation of `process`; `invoked` and `completed` are milliseconds, and double as positions.
pub(crate) fn operation(
    process: u32,
    what: Operation,
    invoked: u32,
    completed: Option<u32>,
    outcome: Outcome,
) -> OperationRecord {
    let moment = |ms: u32| Moment::new(ms, u64::from(ms) * MS);
    OperationRecord {
        process: ProcessId(process),
        client: Some(process),
        node: Some(process % 3),
        operation: what,
        invoked: moment(invoked),
        completed: completed.map(moment),
        outcome,
    }
}

pub(crate) fn ok(value: impl Into<Value>) -> Outcome {
    Outcome::Ok(value.into())
}

fn partition() -> FaultRecord {
    FaultRecord {
        id: 3,
        kind: "partition".into(),
        target: "leader".into(),
        description: "{n0} | {n1 n2}".into(),
        nodes: vec![0],
        begins_ns: 1_040 * MS,
        ends_ns: Some(3_500 * MS),
        effects: 214,
        made_possible: true,
        ..FaultRecord::default()
    }
}

/// A stale read at a deposed leader, minimised to three operations and one fault.
pub(crate) fn stale_read() -> Finding {
    let system = "raft-rs-kv:leader-local-read".to_owned();
    Finding {
        workload: "register".into(),
        seed: 8_814_413,
        simulator: "native".into(),
        nodes: 3,
        clients: 2,
        promise: "linearizable under partition, packets, crash, pause, clock of up to 1 of 3 nodes".into(),
        inside_promise: true,
        signature: Signature {
            system: system.clone(),
            checker: "linearizability".into(),
            anomaly: "stale-read".into(),
        },
        system,
        verdicts: vec![
            CheckerVerdict {
                checker: "linearizability".into(),
                model: "register".into(),
                verdict: Verdict::Invalid {
                    anomalies: vec![Anomaly {
                        kind: "stale-read".into(),
                        key: "k1".into(),
                        operations: vec![0, 1, 2],
                        sentence: "process 0 read 1 from \"k1\" although process 1's write of 2 had completed 560 ms \
                                   before that read began."
                            .into(),
                    }],
                },
            },
            CheckerVerdict {
                checker: "durability".into(),
                model: String::new(),
                verdict: Verdict::Valid { linearization: None },
            },
            CheckerVerdict {
                checker: "convergence".into(),
                model: String::new(),
                verdict: Verdict::Unknown {
                    reason: Reason::Precondition,
                    detail: "the minimised run has no final reads".into(),
                },
            },
        ],
        faults: vec![
            partition(),
            FaultRecord {
                id: 7,
                kind: "clock-jump".into(),
                target: "random(1)".into(),
                description: "n2, by +250 ms".into(),
                nodes: vec![2],
                begins_ns: 1_900 * MS,
                ends_ns: Some(2_000 * MS),
                inert: true,
                ..FaultRecord::default()
            },
        ],
        phases: vec![
            PhaseRecord { phase: Phase::Chaos, begins_ns: 0 },
            PhaseRecord { phase: Phase::Settle, begins_ns: 3_500 * MS },
        ],
        ended_ns: 4_000 * MS,
        operations: vec![
            operation(0, Operation::write("k1", 1), 320, Some(331), ok(Value::Nil)),
            operation(1, Operation::write("k1", 2), 1_400, Some(2_310), ok(Value::Nil)),
            operation(0, Operation::read("k1"), 2_870, Some(2_871), ok(1)),
        ],
        observations: vec![
            Observation { at_ns: 180 * MS, node: 0, key: "role".into(), value: "leader".into() },
            Observation { at_ns: 2_260 * MS, node: 1, key: "role".into(), value: "leader".into() },
        ],
        trace: vec![TraceEvent {
            at_ns: 1_041 * MS,
            kind: "drop".into(),
            from: Some(0),
            to: Some(1),
            text: "AppendEntries { term: 2, index: 5 }".into(),
            fault: Some(3),
        }],
        replay: "squall replay squall-out/raft-rs-kv/case-8814413.json".into(),
        minimised: Some(Minimised {
            before: Counts { faults: 11, operations: 412, clients: 5, nodes: 5 },
            after: Counts { faults: 2, operations: 3, clients: 2, nodes: 3 },
            runs: 231,
            unfinished: false,
            case_file: Some("case-8814413.json".into()),
        }),
        case: Some("{\n  \"version\": 1,\n  \"system\": \"raft-rs-kv:leader-local-read\"\n}\n".into()),
        ..Finding::default()
    }
}

/// A value lost by a crash before fsync; one write of unknown outcome, a failed cas, and concurrency to draw.
pub(crate) fn lost_write() -> Finding {
    let system = "quorum-register:no-write-back".to_owned();
    let mut finding = Finding {
        signature: Signature {
            system: system.clone(),
            checker: "linearizability".into(),
            anomaly: "new-old-inversion".into(),
        },
        system,
        clients: 4,
        inside_promise: false,
        operations: vec![
            operation(0, Operation::write("k7", 40), 210, Some(1_210), Outcome::Unknown("timed out".into())),
            operation(1, Operation::read("k7"), 260, Some(290), ok(40)),
            operation(
                2,
                Operation::cas("k7", 12, 13),
                270,
                Some(310),
                Outcome::Failed("not the expected value".into()),
            ),
            operation(3, Operation::read("k7"), 305, Some(330), ok(Value::Nil)),
        ],
        minimised: None,
        ..stale_read()
    };
    finding.verdicts.truncate(1);
    finding.verdicts[0].verdict = Verdict::Invalid {
        anomalies: vec![Anomaly {
            kind: "new-old-inversion".into(),
            key: "k7".into(),
            operations: vec![0, 1, 3],
            sentence:
                "process 1 read 40 from \"k7\", and process 3, which asked after that reply, read nil: the write \
                       went away again."
                    .into(),
        }],
    };
    finding.faults = vec![FaultRecord {
        id: 0,
        kind: "crash".into(),
        target: "n4".into(),
        nodes: vec![],
        begins_ns: 200 * MS,
        unresolved: true,
        ..FaultRecord::default()
    }];
    finding
}

/// A node that panicked before any operation completed.
pub(crate) fn panicked() -> Finding {
    let system = "my-store".to_owned();
    Finding {
        signature: Signature::of_failure(&system, FailureKind::Panic),
        system,
        failure: Some(Failure {
            kind: FailureKind::Panic,
            node: Some(2),
            at_ns: Some(1_234_567_890),
            message: "index out of bounds: the len is 3 but the index is 3\n  at src/log.rs:88:17\n\u{1b}[31mred\u{7}"
                .into(),
        }),
        verdicts: vec![],
        ended_ns: 1_234_567_890,
        operations: vec![],
        observations: vec![],
        trace: vec![],
        minimised: None,
        case: None,
        ..stale_read()
    }
}

/// `count` operations by `processes` processes on five keys, with the anomaly among them, and faults on `nodes` nodes.
pub(crate) fn crowded(count: u32, processes: u32, nodes: u32) -> Finding {
    let mut finding = stale_read();
    finding.nodes = nodes;
    finding.clients = processes;
    finding.ended_ns = 60_000 * MS;
    finding.phases[1].begins_ns = 56_000 * MS;
    finding.minimised = None;
    let step = if count > 100 { 55_000 / count } else { 20 };
    finding.operations = (0..count)
        .map(|i| {
            let begins = 100 + i * step;
            let lasts = |ms: u32| Some(begins + ms.min(step * processes - 5));
            let key = format!("k{}", i / 2 % 5);
            let what = match i % 3 {
                0 => Operation::read(key),
                1 => Operation::write(key, i64::from(i)),
                _ => Operation::cas(key, i64::from(i) - 2, i64::from(i)),
            };
            let (completed, outcome) = match i % 41 {
                40 => (None, Outcome::Unknown("no reply".into())),
                39 => (lasts(30), Outcome::Failed("not leader".into())),
                _ if i % 3 == 0 => (lasts(17 + i % 90), ok(i64::from(i) - 5)),
                _ => (lasts(25 + i % 120), ok(Value::Nil)),
            };
            operation(i % processes, what, begins, completed, outcome)
        })
        .collect();
    let mut moments: Vec<_> =
        finding.operations.iter_mut().flat_map(|o| std::iter::once(&mut o.invoked).chain(&mut o.completed)).collect();
    moments.sort_by_key(|m| m.time());
    for (position, moment) in moments.into_iter().enumerate() {
        moment.position = position as u32;
    }
    for op in &mut finding.operations {
        op.client = Some(op.process.0);
        op.node = Some(op.process.0 % nodes);
    }
    let middle = count as usize / 4 * 2;
    let anomaly = vec![middle, middle + 1, middle + 10];
    if let Verdict::Invalid { anomalies } = &mut finding.verdicts[0].verdict {
        anomalies[0].operations.clone_from(&anomaly);
        anomalies[0].key = format!("k{}", middle / 2 % 5).as_str().into();
    }
    finding.faults = (0..24)
        .map(|i| FaultRecord {
            id: i,
            kind: ["partition", "crash", "packets-delay", "pause", "disk-slow"][i as usize % 5].into(),
            target: "random(2)".into(),
            description: String::new(),
            nodes: (0..2).map(|j| (i * 7 + j * 13) % nodes).collect(),
            begins_ns: u64::from(500 + i * 2_100) * MS,
            ends_ns: Some(u64::from(2_500 + i * 2_150) * MS),
            effects: u64::from(i % 4) * 31,
            inert: i % 4 == 0,
            unresolved: false,
            made_possible: false,
        })
        .collect();
    finding
}

pub(crate) fn totals() -> Totals {
    let signature = |f: &Finding, count, inside_promise| SignatureCount {
        signature: f.signature.clone(),
        count,
        first_seed: f.seed,
        inside_promise,
    };
    Totals {
        system: "raft-rs-kv:leader-local-read".into(),
        workload: "register".into(),
        simulator: "native".into(),
        nemeses: vec!["partition".into(), "crash".into(), "clock".into()],
        ended: "all seeds ran".into(),
        seeds: SeedCounts {
            run: 400,
            valid: 391,
            invalid: 6,
            unknown: 1,
            vacuous: 1,
            panic: 1,
            ..SeedCounts::default()
        },
        operations: OperationCounts { ok: 371_204, failed: 8_412, unknown: 2_633 },
        messages: 18_442_310,
        simulated_ns: 24_000_000 * MS,
        wall_ms: 38_200,
        cpu_ms: 74_900,
        checking_cpu_ms: 9_812,
        signatures: vec![
            signature(&stale_read(), 5, true),
            signature(&lost_write(), 1, false),
            signature(&panicked(), 1, true),
        ],
        faults: vec![
            FaultCount { kind: "crash".into(), scheduled: 1_204, inert: 0, unresolved: 12 },
            FaultCount { kind: "partition".into(), scheduled: 2_210, inert: 31, unresolved: 0 },
        ],
        ..Totals::default()
    }
}
