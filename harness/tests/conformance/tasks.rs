//! Tasks and wakers: spawned, aborted, woken late, twice, from elsewhere and never.

use std::{
    future::poll_fn,
    sync::atomic::{AtomicU32, Ordering},
    task::{Poll, Waker},
};

use squall::plan::{FaultKind, Loss};

use crate::stage::{Machine, Scene, ms, scene, secs};

/// Says on the board that it was dropped.
struct Dropped(Machine, &'static str);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.board(format!("{} is dropped", self.1));
    }
}

#[test]
fn a_task_runs_on_when_its_handle_is_dropped_and_ends_when_it_is_aborted() {
    scene!(1).check(
        |m| async move {
            for (name, abort) in [("kept", false), ("aborted", true)] {
                let (m2, guard) = (m.clone(), Dropped(m.clone(), name));
                let handle = m.spawn(async move {
                    let _guard = guard;
                    m2.sleep(ms(500)).await;
                    m2.saw(name);
                });
                m.sleep(ms(100)).await;
                if abort {
                    handle.abort();
                    m.saw("after the abort");
                }
            }
            Ok(())
        },
        |run| {
            assert_eq!(run.of(0), ["after the abort", "kept"]);
            assert_eq!(run.board, ["aborted is dropped", "kept is dropped"], "at the abort, and at the end");
        },
    );
}

#[test]
fn aborting_a_task_that_is_over_or_oneself_does_no_harm() {
    scene!(1).check(
        |m| async move {
            let m2 = m.clone();
            let over = m.spawn(async move { m2.saw("over") });
            m.sleep(ms(100)).await;
            // Its place may be another's by now.
            let m2 = m.clone();
            m.spawn(async move {
                m2.sleep(ms(100)).await;
                m2.saw("another");
            });
            over.abort();

            let own = std::rc::Rc::new(std::cell::RefCell::new(None::<squall::environment::JoinHandle>));
            let (m2, own2, guard) = (m.clone(), own.clone(), Dropped(m.clone(), "the task"));
            let handle = m.spawn(async move {
                let _guard = guard;
                m2.sleep(ms(200)).await;
                if let Some(own) = own2.borrow_mut().take() {
                    own.abort();
                }
                m2.saw("still in the poll");
                m2.sleep(ms(1)).await;
                m2.saw("never");
            });
            *own.borrow_mut() = Some(handle);
            Ok(())
        },
        |run| {
            assert_eq!(run.of(0), ["over", "another", "still in the poll"]);
            assert_eq!(run.board, ["the task is dropped"]);
        },
    );
}

#[test]
fn tasks_that_spawn_tasks_all_run() {
    fn grow(m: &Machine, depth: u32) {
        let m2 = m.clone();
        m.spawn(async move {
            m2.sleep(ms(1)).await;
            if depth == 0 {
                m2.saw("leaf");
                return;
            }
            grow(&m2, depth - 1);
            grow(&m2, depth - 1);
        });
    }
    scene!(1).check(
        |m| async move {
            grow(&m, 6);
            Ok(())
        },
        |run| assert!(run.of(0).len() <= 64 && run.times(0, "leaf").len() == run.of(0).len() && !run.of(0).is_empty()),
    );
}

#[test]
fn a_task_that_wakes_itself_goes_on_and_lets_others_run() {
    scene!(1).check(
        |m| async move {
            for name in ["a", "b"] {
                let m2 = m.clone();
                m.spawn(async move {
                    for _ in 0..3 {
                        m2.saw(name);
                        let mut yielded = false;
                        poll_fn(|cx| {
                            if std::mem::replace(&mut yielded, true) {
                                return Poll::Ready(());
                            }
                            cx.waker().wake_by_ref();
                            Poll::Pending
                        })
                        .await;
                    }
                });
            }
            Ok(())
        },
        |run| assert_eq!(run.of(0), ["a", "b", "a", "b", "a", "b"]),
    );
}

#[test]
fn a_wakeup_between_tasks_is_never_lost() {
    scene!(1).check(
        |m| async move {
            // Two tasks throw a waker to each other; whoever drops it stops both.
            let court = std::rc::Rc::new(std::cell::RefCell::new((0_u32, None::<Waker>)));
            for player in 0..2 {
                let (court, m2) = (court.clone(), m.clone());
                m.spawn(async move {
                    for _ in 0..1_000 {
                        poll_fn(|cx| {
                            let mut court = court.borrow_mut();
                            if court.0 % 2 == player {
                                court.0 += 1;
                                if let Some(other) = court.1.take() {
                                    other.wake();
                                }
                                return Poll::Ready(());
                            }
                            court.1 = Some(cx.waker().clone());
                            Poll::Pending
                        })
                        .await;
                    }
                    m2.saw("done");
                });
            }
            Ok(())
        },
        |run| assert_eq!(run.of(0), ["done", "done"]),
    );
}

#[test]
fn wakers_outlive_their_tasks_and_their_machines_lives_without_harm() {
    scene!(1).lasting(secs(2)).fault(&[0], ms(500), ms(500), FaultKind::Crash { loss: Loss::Lost }).check(
        |m| async move {
            if m.life == 0 {
                // Of a task that is over, of one that was aborted, and of one that dies in the crash.
                for kind in 0..3 {
                    let m2 = m.clone();
                    let handle = m.spawn(async move {
                        poll_fn(|cx| {
                            m2.keep(cx.waker().clone());
                            if kind == 0 { Poll::Ready(()) } else { Poll::Pending }
                        })
                        .await;
                    });
                    m.sleep(ms(1)).await;
                    if kind == 1 {
                        handle.abort();
                    }
                }
            }
            // New tasks take the old ones' places; each is polled once, and never wakes.
            for _ in 0..3 {
                let m2 = m.clone();
                m.spawn(async move {
                    m2.saw("polled");
                    std::future::pending::<()>().await;
                });
            }
            m.sleep(ms(10)).await;
            if m.life > 0 {
                for _ in 0..3 {
                    let waker: Waker = m.kept();
                    let again = waker.clone();
                    again.wake();
                    waker.wake_by_ref();
                    // One more for after the run.
                    m.keep(waker);
                }
                m.sleep(ms(10)).await;
                m.saw("alive");
            }
            Ok(())
        },
        |run| {
            assert_eq!(run.times(0, "polled").len(), 6);
            assert_eq!(run.of(0).last(), Some(&"alive"));
        },
    );
}

#[test]
fn a_wake_from_another_thread_is_counted_and_decides_nothing() {
    scene!(1).check(
        |m| async move {
            let polls = AtomicU32::new(0);
            let woken = m.timeout(
                ms(300),
                poll_fn(|cx| {
                    if polls.fetch_add(1, Ordering::Relaxed) == 0 {
                        let waker = cx.waker().clone();
                        std::thread::spawn(move || waker.wake()).join().expect("waking does not panic");
                        return Poll::Pending;
                    }
                    Poll::<()>::Pending
                }),
            );
            m.saw(woken.await.is_err());
            Ok(())
        },
        |run| {
            run.saw_at(0, "true", ms(300));
            assert_eq!(run.execution.statistics.foreign_wakes, 1);
        },
    );
}

#[test]
fn a_run_leaves_its_thread_clean_for_the_next() {
    // Whatever is left of a run that ended in a panic, its thread can run another one.
    Scene::one_after_the_other(
        &[scene!(2).word("panics"), scene!(2).word("runs")],
        |m| async move {
            let m2 = m.clone();
            m.spawn(async move {
                let _guard = Dropped(m2.clone(), "a task");
                std::future::pending::<()>().await;
            });
            m.sleep(ms(100)).await;
            assert!(m.word != "panics", "as planned");
            m.saw("runs");
            Ok(())
        },
        |runs| {
            assert!(matches!(runs[0].execution.end, squall::simulators::End::Panicked { .. }));
            assert_eq!(runs[0].board.len(), 2, "destructors run after a panic");
            assert_eq!((runs[1].of(0), runs[1].of(1)), (vec!["runs"], vec!["runs"]));
        },
    );
}
