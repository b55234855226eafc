//! Timers and clocks: sleeps, monotonic and wall time, under drift, offsets, strobes and jumps.

use std::{cell::Cell, rc::Rc, time::Duration};

use squall::plan::FaultKind;

use crate::{
    run::{Run, near},
    stage::{GRAIN, LATENCY, PORT, Scene, ms, ns, scene, secs},
};

/// 2024-01-01T00:00:00Z, when every run begins.
const EPOCH: Duration = secs(1_704_067_200);

/// Twice as fast.
const FAST: FaultKind = FaultKind::ClockDrift { ppb: 1_000_000_000 };
/// Half as fast.
const SLOW: FaultKind = FaultKind::ClockDrift { ppb: -500_000_000 };

#[test]
fn a_sleep_ends_when_it_is_due_and_not_before() {
    scene!(1).check(
        |m| async move {
            for span in [0, 1, 2, 10, 500, 7] {
                let before = m.monotonic();
                m.sleep(ms(span)).await;
                let slept = m.monotonic() - before;
                m.saw(slept >= ms(span) && slept <= ms(span) + GRAIN);
            }
            Ok(())
        },
        |run| assert_eq!(run.of(0), ["true"; 6]),
    );
}

#[test]
fn sleeps_end_in_the_order_of_their_deadlines_whenever_they_began() {
    scene!(1).check(
        |m| async move {
            for span in [900, 100, 500, 300, 700] {
                let m2 = m.clone();
                m.spawn(async move {
                    m2.sleep(ms(span)).await;
                    m2.saw(span);
                });
            }
            Ok(())
        },
        |run| {
            assert_eq!(run.of(0), ["100", "300", "500", "700", "900"]);
            run.saw_at(0, "500", ms(500));
        },
    );
}

#[test]
fn the_longest_sleep_neither_ends_nor_overflows() {
    scene!(1).check(
        |m| async move {
            let endless = m.timeout(secs(1), m.sleep(Duration::MAX)).await;
            m.saw(endless.is_err());
            m.timeout(Duration::MAX, m.sleep(ms(100))).await?;
            m.saw("done");
            Ok(())
        },
        |run| assert_eq!(run.of(0), ["true", "done"]),
    );
}

#[test]
fn a_sleep_that_is_done_stays_done_and_may_move_to_another_task() {
    scene!(1).check(
        |m| async move {
            let mut sleep = m.sleep(ms(300));
            // Polled here first, it has to wake who polled it last.
            m.saw(m.timeout(ms(100), &mut sleep).await.is_err());
            let m2 = m.clone();
            m.spawn(async move {
                (&mut sleep).await;
                (&mut sleep).await;
                m2.saw("woke");
            });
            Ok(())
        },
        |run| run.saw_at(0, "woke", ms(300)),
    );
}

#[test]
fn a_timeout_ends_at_its_time_and_drops_what_it_waited_for_and_prefers_what_is_done() {
    struct Drops(Rc<Cell<bool>>);
    impl Drop for Drops {
        fn drop(&mut self) {
            self.0.set(true);
        }
    }
    scene!(1).check(
        |m| async move {
            let dropped = Rc::new(Cell::new(false));
            let drops = Drops(dropped.clone());
            let endless = async move {
                let _drops = drops;
                std::future::pending::<()>().await;
            };
            m.saw(m.timeout(ms(200), endless).await.is_err() && dropped.get());
            m.saw(m.timeout(Duration::ZERO, async { 7 }).await == Ok(7));
            Ok(())
        },
        |run| {
            assert_eq!(run.of(0), ["true", "true"]);
            near(run.times(0, "true")[0], ms(200));
        },
    );
}

#[test]
fn an_interval_ticks_at_a_steady_rate_and_catches_up() {
    scene!(1).check(
        |m| async move {
            let mut interval = m.interval(ms(100));
            for i in 0..8 {
                interval.tick().await;
                m.saw(i);
                if i == 1 {
                    m.sleep(ms(350)).await;
                }
            }
            Ok(())
        },
        |run| {
            for (i, at) in [100, 200, 550, 550, 550, 600, 700, 800].into_iter().enumerate() {
                run.saw_at(0, &i.to_string(), ms(at));
            }
        },
    );
}

#[test]
fn computing_takes_its_time() {
    scene!(1).check(
        |m| async move {
            m.compute(ms(250)).await;
            m.saw("computed");
            Ok(())
        },
        |run| run.saw_at(0, "computed", ms(250)),
    );
}

/// n0 sleeps four seconds from the start and two from then on; `expected` are the true times of the ends in milliseconds.
fn sleeping_under(scene: Scene, expected: [u64; 2]) {
    scene.lasting(secs(15)).check(
        |m| async move {
            for (i, span) in [4, 2].into_iter().enumerate() {
                m.sleep(secs(span)).await;
                m.saw(i);
            }
            Ok(())
        },
        |run| {
            run.saw_at(0, "0", ms(expected[0]));
            run.saw_at(0, "1", ms(expected[1]));
            run.saw_at(1, "0", secs(4));
            run.saw_at(1, "1", secs(6));
        },
    );
}

#[test]
fn a_fast_clock_ends_sleeps_early_those_too_that_began_before_it() {
    sleeping_under(scene!(2).fault(&[0], secs(2), secs(10), FAST), [3_000, 4_000]);
}

#[test]
fn a_slow_clock_ends_sleeps_late_those_too_that_began_before_it() {
    sleeping_under(scene!(2).fault(&[0], secs(2), secs(10), SLOW), [6_000, 10_000]);
}

#[test]
fn a_sleep_that_outlasts_a_drift_feels_the_part_it_slept_under_it() {
    sleeping_under(scene!(2).fault(&[0], secs(1), secs(1), FAST), [3_000, 5_000]);
}

#[test]
fn drifts_at_one_time_add_up() {
    let scene = scene!(2).fault(&[0], ms(1), secs(10), FaultKind::ClockDrift { ppb: 500_000_000 });
    scene.fault(&[0], ms(1), secs(10), FaultKind::ClockDrift { ppb: 500_000_000 }).lasting(secs(15)).check(
        |m| async move {
            m.sleep(secs(6)).await;
            m.saw("woke");
            Ok(())
        },
        |run| {
            run.saw_at(0, "woke", secs(3));
            run.saw_at(1, "woke", secs(6));
        },
    );
}

/// Both machines tell every 50 ms of true time, which n1 keeps, how far n0's clocks are from its own: (monotonic, wall), in ms.
fn compare_clocks(scene: Scene, judge: impl Fn(&Run, &[i128], &[i128]) + Sync) {
    scene.lasting(secs(10)).check(
        |m| async move {
            let socket = m.bind(PORT)?;
            if m.number() == 1 {
                for i in 1..190 {
                    m.until(ms(50 * i)).await;
                    socket.send_to(m.at(0), &[])?;
                }
                return Ok(());
            }
            for i in 1.. {
                socket.recv_from(&mut []).await?;
                let right = ms(50 * i) + LATENCY;
                let off = |clock: Duration, right: Duration| clock.as_millis() as i128 - right.as_millis() as i128;
                m.saw(format!("monotonic {}", off(m.monotonic(), right)));
                m.saw(format!("wall {}", off(m.wall(), EPOCH + right)));
            }
            Ok(())
        },
        |run| judge(run, &run.numbers(0, "monotonic"), &run.numbers(0, "wall")),
    );
}

/// The offsets lie in the range, up to a grain.
#[track_caller]
fn within(offsets: &[i128], least: i128, most: i128) {
    let grain = GRAIN.as_millis() as i128;
    assert!(offsets.iter().all(|o| (least..=most + grain).contains(o)), "{least} to {most}: {offsets:?}");
}

#[test]
fn without_faults_every_clock_is_right() {
    compare_clocks(scene!(2), |_, monotonic, wall| {
        assert!(monotonic.len() > 180);
        within(monotonic, 0, 0);
        within(wall, 0, 0);
    });
}

#[test]
fn an_offset_moves_the_wall_clock_alone_and_for_its_time() {
    for off in [3_000_i64, -3_000] {
        let kind = FaultKind::ClockOffset { ns: off * 1_000_000 };
        compare_clocks(scene!(2).fault(&[0], secs(2), secs(3), kind), |_, monotonic, wall| {
            let off = i128::from(off);
            within(monotonic, 0, 0);
            within(&wall[..38], 0, 0);
            within(&wall[41..98], off, off);
            within(&wall[101..], 0, 0);
        });
    }
}

#[test]
fn a_strobe_flips_the_wall_clock_and_leaves_the_monotonic_one_alone() {
    let kind = FaultKind::ClockStrobe { ns: -ns(secs(2)).cast_signed(), period_ns: ns(ms(250)) };
    compare_clocks(scene!(2).fault(&[0], secs(2), secs(3), kind), |_, monotonic, wall| {
        within(monotonic, 0, 0);
        let off = wall.iter().filter(|o| **o < -1_000).count();
        assert!((25..=35).contains(&off), "{off} of 60 readings in the fault were off");
        let flips = wall.windows(2).filter(|w| (w[0] < -1_000) != (w[1] < -1_000)).count();
        assert!((11..=13).contains(&flips), "{flips} flips in three seconds");
        within(&wall[101..], 0, 0);
    });
}

#[test]
fn under_a_drift_both_clocks_go_wrong_together_and_the_gap_stays_when_it_ends() {
    compare_clocks(scene!(2).fault(&[0], secs(2), secs(3), FAST), |_, monotonic, wall| {
        within(&monotonic[..38], 0, 0);
        assert!(monotonic.is_sorted() && (2_900..3_005).contains(&monotonic[98]), "{monotonic:?}");
        within(&monotonic[101..], 3_000, 3_000);
        assert!(monotonic.iter().zip(wall).all(|(m, w)| m == w));
    });
}

#[test]
fn jumps_move_the_wall_clock_both_ways_and_the_monotonic_one_forward() {
    let kind = FaultKind::ClockJumps { ns: ns(secs(2)), period_ns: ns(ms(250)) };
    compare_clocks(scene!(2).fault(&[0], secs(2), secs(4), kind), |_, monotonic, wall| {
        within(&monotonic[..38], 0, 0);
        assert!(monotonic.is_sorted(), "a jump went back: {monotonic:?}");
        assert!(monotonic.last() > Some(&1_000), "no jump went forward: {monotonic:?}");
        assert!(wall.windows(2).any(|w| w[1] < w[0] - 100), "no jump went back: {wall:?}");
        assert!(wall.windows(2).any(|w| w[1] > w[0] + 100), "no jump went forward: {wall:?}");
    });
}

#[test]
fn a_jump_forward_ends_the_sleeps_it_jumps_over() {
    let kind = FaultKind::ClockJumps { ns: ns(secs(4)), period_ns: ns(ms(500)) };
    scene!(2).fault(&[0], secs(1), secs(4), kind).lasting(secs(25)).check(
        |m| async move {
            m.sleep(secs(20)).await;
            m.saw(format!("woke, due: {}", m.monotonic() >= secs(20)));
            Ok(())
        },
        |run| {
            let woke = run.time(0, "woke, due: true");
            assert!(woke < secs(18), "{woke:?}");
            run.saw_at(1, "woke, due: true", secs(20));
        },
    );
}

#[test]
fn sleeps_that_one_jump_ends_end_in_the_order_of_their_deadlines() {
    let kind = FaultKind::ClockJumps { ns: ns(secs(20)), period_ns: ns(ms(500)) };
    scene!(1).fault(&[0], secs(1), secs(4), kind).lasting(secs(6)).check(
        |m| async move {
            // Armed in another order.
            for i in [7, 2, 9, 4, 0, 5, 1, 8, 3, 6] {
                let m2 = m.clone();
                m.spawn(async move {
                    m2.sleep(secs(6) + ms(i)).await;
                    m2.saw(i);
                });
            }
            Ok(())
        },
        |run| assert_eq!(run.of(0), ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]),
    );
}

#[test]
fn the_monotonic_clock_never_goes_back_whatever_befalls_it() {
    let jumps = FaultKind::ClockJumps { ns: ns(ms(300)), period_ns: ns(ms(70)) };
    let strobe = FaultKind::ClockStrobe { ns: ns(secs(1)).cast_signed(), period_ns: ns(ms(90)) };
    scene!(1)
        .lasting(secs(6))
        .fault(&[0], ms(500), secs(2), FAST)
        .fault(&[0], ms(1500), secs(2), SLOW)
        .fault(&[0], ms(1000), secs(3), jumps)
        .fault(&[0], ms(2000), secs(3), strobe)
        .fault(&[0], ms(2500), secs(2), FaultKind::ClockOffset { ns: -5_000_000_000 })
        .fault(&[0], ms(3000), ms(100), FaultKind::Pause)
        .fault(&[0], ms(3500), ms(100), FaultKind::Crash { loss: squall::plan::Loss::Kept })
        .check(
            |m| async move {
                if m.life == 1 {
                    m.saw(m.monotonic() >= m.kept::<Duration>());
                }
                let mut last = m.monotonic();
                loop {
                    m.sleep(ms(1)).await;
                    let now = m.monotonic();
                    if now < last + ms(1) {
                        m.saw(format!("{now:?} after {last:?}"));
                    }
                    last = now;
                    m.keep(now);
                }
            },
            |run| assert_eq!(run.of(0), ["true"], "the second life's clock goes on from the first one's"),
        );
}
