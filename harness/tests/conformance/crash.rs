//! Crashes and restarts: what dies with a process, what its handles do afterwards, when the next life begins.

use std::{task::Poll, time::Duration};

use squall::{
    Failed,
    plan::{FaultKind, Loss, NodeId},
};

use crate::{
    run::near,
    stage::{GRAIN, LATENCY, Machine, PORT, Scene, ms, scene, secs},
    streams::answer,
};

/// n0 loses power from 500 ms to a second.
pub(crate) fn with_crash(scene: Scene) -> Scene {
    scene.fault(&[0], ms(500), ms(500), FaultKind::Crash { loss: Loss::Lost })
}

/// Tells of a tick every 100 ms, for ever.
async fn tick(m: Machine, name: &'static str) {
    loop {
        m.sleep(ms(100)).await;
        m.saw(format!("{name} of life {}", m.life));
    }
}

#[test]
fn a_crashed_machine_does_nothing_and_starts_again_when_the_fault_ends() {
    with_crash(scene!(2)).check(
        |m| async move {
            m.saw(format!("life {}", m.life));
            m.spawn(tick(m.clone(), "task"));
            tick(m, "serve").await;
            Ok(())
        },
        |run| {
            run.saw_at(0, "life 0", Duration::ZERO);
            run.saw_at(0, "life 1", secs(1));
            for name in ["task", "serve"] {
                let first = run.times(0, &format!("{name} of life 0"));
                assert!((3..=5).contains(&first.len()) && first.iter().all(|at| *at < ms(500) + GRAIN), "{first:?}");
                let second = run.times(0, &format!("{name} of life 1"));
                assert!((8..=10).contains(&second.len()), "{second:?}");
                near(second[0], ms(1100));
            }
            assert!(run.of(1).iter().all(|what| !what.contains("life 1")), "nobody else crashed");
        },
    );
}

#[test]
fn every_replica_may_be_dead_at_one_time() {
    scene!(3).fault(&[0, 1, 2], ms(500), ms(500), FaultKind::Crash { loss: Loss::Kept }).check(
        |m| async move {
            m.saw(format!("life {}", m.life));
            Ok(())
        },
        |run| (0..3).for_each(|n| run.saw_at(n, "life 1", secs(1))),
    );
}

#[test]
fn a_machine_that_two_crashes_hold_down_starts_when_the_last_ends() {
    with_crash(scene!(1)).fault(&[0], ms(700), ms(700), FaultKind::Crash { loss: Loss::Kept }).check(
        |m| async move {
            m.saw(format!("life {}", m.life));
            Ok(())
        },
        |run| {
            run.saw_at(0, "life 1", ms(1400));
            assert_eq!(run.of(0).len(), 2);
        },
    );
}

#[test]
fn a_process_that_ends_by_itself_is_started_again_after_a_second_whether_it_returned_or_failed() {
    scene!(2).halting(4).lasting(ms(2500)).check(
        |m| async move {
            m.saw(format!("life {}", m.life));
            m.sleep(ms(200)).await;
            if m.number() == 0 {
                return Err(Failed::Unknown("it broke".to_owned()));
            }
            // Nothing of it runs on meanwhile.
            m.spawn(tick(m.clone(), "task"));
            Ok(())
        },
        |run| {
            for n in [0, 1] {
                run.saw_at(n, "life 0", ms(0));
                run.saw_at(n, "life 1", ms(1200));
                run.saw_at(n, "life 2", ms(2400));
                assert_eq!(run.of(n).len(), 3);
            }
        },
    );
}

#[test]
fn a_crash_while_a_process_waits_to_be_started_again_decides_when_it_is() {
    scene!(1).halting(1).fault(&[0], ms(500), secs(1), FaultKind::Crash { loss: Loss::Kept }).check(
        |m| async move {
            m.saw(format!("life {}", m.life));
            if m.life == 0 {
                m.sleep(ms(200)).await;
                return Ok(());
            }
            std::future::pending().await
        },
        |run| {
            run.saw_at(0, "life 1", ms(1500));
            assert_eq!(run.of(0).len(), 2);
        },
    );
}

#[test]
fn a_panic_ends_the_run_and_says_whose_it_was() {
    Scene::compare(
        &[scene!(3)],
        |m| async move {
            m.until(ms(100 * u64::from(m.number()) + 100)).await;
            assert!(m.number() != 1, "as planned");
            Ok(())
        },
        &[squall::simulators::Options { trace: false }],
        |runs| match &runs[0].execution.end {
            squall::simulators::End::Panicked { node, message, at_ns } => {
                assert_eq!((*node, message.as_str()), (Some(NodeId(1)), "as planned"));
                near(Duration::from_nanos(*at_ns), ms(200));
            }
            end => panic!("{end:?}"),
        },
    );
}

#[test]
fn a_process_that_spins_at_one_instant_is_stopped() {
    let spin = |m: Machine| async move {
        m.until(ms(100)).await;
        if m.number() == 1 {
            loop {
                let mut again = true;
                std::future::poll_fn(|cx| {
                    cx.waker().wake_by_ref();
                    if std::mem::take(&mut again) { Poll::Pending } else { Poll::Ready(()) }
                })
                .await;
            }
        }
        Ok(())
    };
    Scene::compare(&[scene!(2)], spin, &[squall::simulators::Options { trace: false }], |runs| {
        match &runs[0].execution.end {
            squall::simulators::End::Spun { node, at_ns, .. } => {
                assert_eq!(*node, Some(NodeId(1)));
                near(Duration::from_nanos(*at_ns), ms(100));
            }
            end => panic!("{end:?}"),
        }
    });
}

#[test]
fn a_datagram_that_arrives_while_its_receiver_is_dead_is_lost() {
    with_crash(scene!(2)).check(
        |m| async move {
            if m.number() == 0 {
                return m.hear().await;
            }
            let socket = m.bind(PORT)?;
            for at in [300, 490, 600, 970, 990, 1200] {
                m.until(ms(at)).await;
                socket.send_to(m.at(0), at.to_string().as_bytes())?;
            }
            Ok(())
        },
        |run| assert_eq!(run.of(0), ["300", "990", "1200"]),
    );
}

#[test]
fn a_datagram_on_its_way_through_a_whole_crash_reaches_the_next_life() {
    with_crash(scene!(2)).latency(ms(800), ms(800)).check(
        |m| async move {
            if m.number() == 0 {
                return m.hear().await;
            }
            m.until(ms(400)).await;
            Ok(m.bind(PORT)?.send_to(m.at(0), b"late")?)
        },
        |run| run.saw_at(0, "late", ms(1200)),
    );
}

#[test]
fn a_datagram_that_had_arrived_unread_dies_with_its_receiver() {
    with_crash(scene!(2)).check(
        |m| async move {
            if m.number() == 0 {
                let socket = m.bind(PORT)?;
                m.until(ms(600)).await;
                return m.hear_on(&socket).await;
            }
            m.until(ms(300)).await;
            Ok(m.bind(PORT)?.send_to(m.at(0), b"unread")?)
        },
        |run| assert!(run.of(0).is_empty()),
    );
}

#[test]
fn a_timer_of_a_dead_life_wakes_nobody_in_the_next() {
    with_crash(scene!(1)).check(
        |m| async move {
            let m2 = m.clone();
            m.spawn(async move {
                m2.sleep(ms(1200)).await;
                m2.saw(format!("life {}", m2.life));
            });
            Ok(())
        },
        |run| assert!(run.of(0).is_empty(), "due at 1200 in a dead life, at 2200 in the next"),
    );
}

#[test]
fn two_lives_draw_different_random_numbers() {
    with_crash(scene!(1)).check(
        |m| async move {
            (0..10).for_each(|_| m.saw(m.random()));
            Ok(())
        },
        |run| {
            let mut draws = run.of(0);
            draws.sort_unstable();
            draws.dedup();
            assert_eq!(draws.len(), 20);
        },
    );
}

#[test]
fn what_a_machine_observed_of_itself_is_forgotten_with_it() {
    // The leader is whom the fault strikes; who is dead leads nobody.
    let strike = |begins: u64, id: u32| squall::plan::Fault {
        id,
        begins_ns: begins * 1_000_000,
        lasts_ns: 300_000_000,
        target: squall::plan::Target::Leader,
        kind: FaultKind::Crash { loss: Loss::Kept },
    };
    scene!(2).also(strike(500, 0)).also(strike(1000, 1)).some_fault_is_inert().check(
        |m| async move {
            if m.number() == 1 && m.life == 0 {
                m.observe("role", "leader");
            }
            Ok(())
        },
        |run| {
            let faults = &run.execution.faults;
            assert_eq!((&faults[0].nodes[..], faults[0].unresolved), (&[NodeId(1)][..], false));
            assert_eq!((&faults[1].nodes[..], faults[1].unresolved), (&[][..], true));
        },
    );
}

#[test]
fn a_first_life_that_accepted_leaves_its_listener_to_the_second() {
    with_crash(scene!(2)).lasting(secs(3)).check(
        |m| async move {
            if m.number() == 1 {
                for at in [100, 1200] {
                    m.until(ms(at)).await;
                    drop(m.connect(NodeId(0), PORT).await?);
                }
                return Ok(());
            }
            drop(answer(&m).await?);
            m.saw(format!("life {}", m.life));
            Ok(())
        },
        |run| {
            run.saw_at(0, "life 0", ms(100) + LATENCY);
            run.saw_at(0, "life 1", ms(1200) + LATENCY);
        },
    );
}
