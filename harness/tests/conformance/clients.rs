//! Clients: who asks when, what an outcome means, and what becomes of a process that never learned of one.

use std::time::Duration;

use squall::{
    Failed,
    plan::{FaultKind, Loss, Shape},
};
use squall_checkers::{
    history::{Entry, MarkKind, Outcome, Phase},
    operation::Operation,
    value::Value,
};

use crate::{
    run::{Run, near, receive},
    stage::{LATENCY, Machine, PORT, ms, scene, secs},
};

/// What came of the operation of this number.
fn entry(run: &Run, number: i64) -> &Entry {
    let entries = &run.execution.history.entries;
    entries.iter().find(|e| e.operation.key == Value::Int(number)).unwrap_or_else(|| panic!("{number} was not asked"))
}

/// Asks the client's home over datagrams.
async fn ask(m: Machine, operation: Operation) -> squall::Result<Value> {
    let socket = m.bind(0)?;
    socket.send_to(m.at(m.home().0), format!("{:?}", operation.key).as_bytes())?;
    Ok(receive(&socket).await?.into())
}

/// Answers every datagram by its own name.
async fn reply(m: Machine) -> squall::Result<()> {
    let socket = m.bind(PORT)?;
    loop {
        let (_, from) = socket.recv_from(&mut [0; 64]).await?;
        m.saw(from.node);
        socket.send_to(from, m.me().to_string().as_bytes())?;
    }
}

#[test]
fn an_operation_is_asked_at_its_time_of_its_home_and_its_reply_is_recorded_with_its_time() {
    let script = [(0, 0, ms(100)), (1, 1, ms(200)), (2, 2, ms(300)), (0, 0, ms(400))];
    scene!(2).clients(3, &script, ask).check(reply, |run| {
        for (number, at, by) in [(0, 100, "n0"), (1, 200, "n1"), (2, 300, "n0"), (3, 400, "n0")] {
            let entry = entry(run, number);
            assert_eq!(entry.outcome, Outcome::Ok(by.into()), "operation {number}");
            near(Duration::from_nanos(entry.invoked.time()), ms(at));
            let replied = entry.completed.expect("it has a reply").time();
            near(Duration::from_nanos(replied), ms(at) + 2 * LATENCY);
        }
        assert_eq!(run.of(0), ["n2", "n4", "n2"], "clients are machines after the replicas");
        assert_eq!(run.of(1), ["n3"]);
    });
}

#[test]
fn an_operation_without_a_reply_in_time_is_unknown_and_its_process_and_client_are_no_more() {
    struct Session(Machine);
    impl Drop for Session {
        fn drop(&mut self) {
            self.0.board("given up");
        }
    }
    let script = [(0, 0, ms(100)), (0, 0, ms(1500))];
    let asked = |m: Machine, operation: Operation| async move {
        let _session = Session(m.clone());
        let (m2, guard) = (m.clone(), Session(m.clone()));
        m.spawn(async move {
            let _guard = guard;
            m2.sleep(secs(10)).await;
            m2.board("a task of a process that is no more");
        });
        ask(m, operation).await
    };
    scene!(1)
        .lasting(secs(14))
        .fault(&[0], ms(50), secs(1), FaultKind::Crash { loss: Loss::Kept })
        .clients(1, &script, asked)
        .check(reply, |run| {
            let lost = entry(run, 0);
            assert_eq!(lost.outcome, Outcome::Unknown("timed out".into()));
            near(Duration::from_nanos(lost.completed.expect("it was given up").time()), ms(1100));
            // The script's process is played by a new one, which knows nothing of the old one's fate.
            let next = entry(run, 1);
            assert_eq!(next.outcome, Outcome::Ok("n0".into()));
            assert_ne!(next.process, lost.process);
            let gone = run.board.iter().filter(|b| *b == "given up").count();
            assert!(gone >= 3, "{:?}", run.board);
            assert_eq!(run.board.iter().filter(|b| b.contains("no more")).count(), 1, "the second process lives on");
        });
}

#[test]
fn what_certainly_did_not_happen_failed_and_every_other_error_is_unknown() {
    let script = [(0, 0, ms(100)), (0, 1, ms(200)), (0, 2, ms(300)), (0, 0, ms(400))];
    let asked = |m: Machine, operation: Operation| async move {
        match operation.key {
            Value::Int(0) => Err(Failed::No("not today".to_owned())),
            Value::Int(1) => Ok(Value::Int(i64::from(m.connect(m.home(), PORT).await.is_ok()))),
            Value::Int(2) => {
                m.connect(m.home(), PORT).await?;
                Ok(Value::Nil)
            }
            _ => Ok(Value::Int(7)),
        }
    };
    scene!(1).clients(1, &script, asked).check(
        |_| async { Ok(()) },
        |run| {
            assert_eq!(entry(run, 0).outcome, Outcome::Failed("not today".into()));
            assert_eq!(entry(run, 1).outcome, Outcome::Ok(Value::Int(0)));
            assert!(matches!(&entry(run, 2).outcome, Outcome::Unknown(why) if why.contains("refused")));
            assert_eq!(entry(run, 3).outcome, Outcome::Ok(Value::Int(7)));
            assert_eq!(entry(run, 3).process, entry(run, 0).process, "a process whose operation failed goes on");
        },
    );
}

#[test]
fn processes_of_one_client_machine_ask_at_one_time_and_each_gets_its_own_reply() {
    let script: Vec<_> = (0..20).map(|process| (0, process, ms(100))).collect();
    let asked = |m: Machine, operation: Operation| async move {
        let socket = m.bind(0)?;
        socket.send_to(m.at(0), format!("{:?}", operation.key).as_bytes())?;
        Ok(receive(&socket).await?.into())
    };
    scene!(1).latency(ms(1), ms(50)).clients(1, &script, asked).check(
        |m| async move {
            let socket = m.bind(PORT)?;
            loop {
                let mut buffer = [0; 64];
                let (length, from) = socket.recv_from(&mut buffer).await?;
                socket.send_to(from, &buffer[..length])?;
            }
        },
        |run| {
            for number in 0..20 {
                let expected = format!("{:?}", Value::Int(number));
                assert_eq!(entry(run, number).outcome, Outcome::Ok(expected.into()));
            }
        },
    );
}

#[test]
fn a_partition_of_replicas_leaves_clients_alone_unless_it_says_otherwise() {
    for clients in [false, true] {
        let script = [(0, 0, ms(100)), (0, 1, ms(1500))];
        let kind = FaultKind::Partition { shape: Shape::Split, flap_ns: None, clients };
        let scene = scene!(2).lasting(secs(3)).fault(&[0], ms(50), ms(1200), kind).some_fault_is_inert();
        scene.clients(1, &script, ask).check(reply, |run| {
            assert_eq!(entry(run, 0).is_ok(), !clients);
            assert!(entry(run, 1).is_ok());
        });
    }
}

#[test]
fn faults_and_phases_stand_in_the_history_at_their_times() {
    scene!(1).fault(&[0], ms(300), ms(400), FaultKind::Pause).some_fault_is_inert().check(
        |_| async { Ok(()) },
        |run| {
            let marks = &run.execution.history.marks;
            let at = |wanted: &dyn Fn(&MarkKind) -> bool| {
                let mark = marks.iter().find(|m| wanted(&m.kind)).expect("it is marked");
                Duration::from_nanos(mark.at.time())
            };
            near(at(&|kind| *kind == MarkKind::Phase(Phase::Chaos)), ms(0));
            near(at(&|kind| matches!(kind, MarkKind::FaultBegins(0, _))), ms(300));
            near(at(&|kind| *kind == MarkKind::FaultEnds(0)), ms(700));
            near(at(&|kind| *kind == MarkKind::Phase(Phase::Settle)), secs(2));
        },
    );
}
