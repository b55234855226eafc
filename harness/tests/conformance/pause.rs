//! Pauses and slowness: nothing of the machine runs, nothing is delivered to it, its timers and its disk wait.

use std::time::Duration;

use squall::plan::{FaultKind, Loss};

use crate::{
    disk::content,
    run::near,
    stage::{GRAIN, LATENCY, Machine, PORT, Scene, ms, ns, scene, secs},
    streams::{answer, call, read_on},
};

/// n0 stands still from 500 ms to a second.
fn with_pause(scene: Scene) -> Scene {
    scene.fault(&[0], ms(500), ms(500), FaultKind::Pause)
}

/// Nothing that n0 saw lies in its pause.
fn stood_still(from: u64, to: u64, times: impl IntoIterator<Item = Duration>) {
    for at in times {
        assert!(at <= ms(from) + GRAIN || at >= ms(to), "it ran at {at:?}");
    }
}

#[test]
fn nothing_of_a_paused_machine_runs_and_the_others_go_on() {
    with_pause(scene!(2)).check(
        |m| async move {
            let m2 = m.clone();
            m.spawn(async move {
                loop {
                    m2.sleep(ms(10)).await;
                    m2.saw("task");
                }
            });
            loop {
                m.sleep(ms(10)).await;
                m.saw("serve");
            }
        },
        |run| {
            for name in ["task", "serve"] {
                stood_still(500, 1000, run.times(0, name));
                assert!(run.times(0, name).len() > 100);
                assert!(run.times(1, name).iter().filter(|at| (ms(500)..secs(1)).contains(at)).count() > 30);
            }
        },
    );
}

#[test]
fn a_timer_due_in_a_pause_goes_off_after_it_and_a_later_one_in_time() {
    with_pause(scene!(1)).check(
        |m| async move {
            for at in [400, 600, 900, 1300] {
                let m2 = m.clone();
                m.spawn(async move {
                    m2.until(ms(at)).await;
                    m2.saw(at);
                });
            }
            Ok(())
        },
        |run| {
            for (what, at) in [("400", 400), ("600", 1000), ("900", 1000), ("1300", 1300)] {
                run.saw_at(0, what, ms(at));
            }
            assert_eq!(run.of(0), ["400", "600", "900", "1300"]);
        },
    );
}

#[test]
fn the_clocks_of_a_paused_machine_go_on() {
    with_pause(scene!(1)).check(
        |m| async move {
            m.until(ms(490)).await;
            let before = (m.monotonic(), m.wall());
            m.sleep(ms(20)).await;
            let gone = (m.monotonic() - before.0, m.wall() - before.1);
            m.saw(gone.0 >= ms(510) && gone.0 < ms(520) && gone.0 == gone.1);
            Ok(())
        },
        |run| assert_eq!(run.of(0), ["true"]),
    );
}

#[test]
fn datagrams_to_a_paused_machine_wait_and_arrive_in_their_order_when_it_goes_on() {
    with_pause(scene!(2)).check(
        |m| async move {
            if m.number() == 0 {
                return m.hear().await;
            }
            let socket = m.bind(PORT)?;
            for i in 0..15 {
                m.until(ms(100 * i)).await;
                socket.send_to(m.at(0), i.to_string().as_bytes())?;
            }
            Ok(())
        },
        |run| {
            assert_eq!(run.numbers(0, ""), (0..15).collect::<Vec<_>>());
            (0..5).for_each(|i| run.saw_at(0, &i.to_string(), ms(100 * i) + LATENCY));
            (5..10).for_each(|i| run.saw_at(0, &i.to_string(), secs(1)));
            (10..15).for_each(|i| run.saw_at(0, &i.to_string(), ms(100 * i) + LATENCY));
        },
    );
}

#[test]
fn what_a_machine_sent_before_its_pause_arrives_in_it() {
    with_pause(scene!(2)).check(
        |m| async move {
            if m.number() == 1 {
                return m.hear().await;
            }
            let socket = m.bind(PORT)?;
            m.until(ms(490)).await;
            socket.send_to(m.at(1), b"before")?;
            m.until(ms(600)).await;
            socket.send_to(m.at(1), b"after")?;
            Ok(())
        },
        |run| {
            run.saw_at(1, "before", ms(490) + LATENCY);
            run.saw_at(1, "after", secs(1) + LATENCY);
        },
    );
}

#[test]
fn a_disk_request_of_a_paused_machine_ends_after_the_pause() {
    let scene = scene!(1).fault(&[0], ms(200), secs(1), FaultKind::DiskSlow { ns: ns(ms(100)) });
    with_pause(scene).check(
        |m| async move {
            m.until(ms(450)).await;
            m.disk().file("f").append(b"x").await?;
            m.saw("written");
            m.saw(content(&m, "f").await);
            Ok(())
        },
        |run| {
            run.saw_at(0, "written", secs(1));
            run.saw_at(0, "x", ms(1100));
        },
    );
}

#[test]
fn a_stream_to_a_paused_machine_waits_and_loses_nothing() {
    with_pause(scene!(2)).lasting(secs(3)).check(
        |m| async move {
            if m.number() == 1 {
                let mut stream = answer(&m).await?;
                for i in 0..15_u8 {
                    m.until(ms(100 * u64::from(i) + 50)).await;
                    stream.write_all(&[b'a' + i]).await?;
                }
                return Ok(());
            }
            let mut stream = call(&m).await?;
            let mut buffer = [0; 64];
            loop {
                let n = stream.read(&mut buffer).await?;
                if n == 0 {
                    return Ok(());
                }
                String::from_utf8_lossy(&buffer[..n]).chars().for_each(|c| m.saw(c));
            }
        },
        |run| {
            assert_eq!(run.of(0).concat(), "abcdefghijklmno");
            stood_still(500, 1000, "fghij".chars().map(|c| run.time(0, &c.to_string())));
        },
    );
}

#[test]
fn a_machine_paused_twice_goes_on_when_the_last_pause_ends() {
    with_pause(scene!(1)).fault(&[0], ms(700), ms(700), FaultKind::Pause).check(
        |m| async move {
            loop {
                m.sleep(ms(10)).await;
                m.saw("tick");
            }
        },
        |run| {
            stood_still(500, 1400, run.times(0, "tick"));
            assert!(run.times(0, "tick").last() > Some(&ms(1900)));
        },
    );
}

#[test]
fn a_machine_that_dies_in_its_pause_starts_when_both_are_over_and_has_lost_what_waited() {
    let tell = |m: Machine| async move {
        if m.number() == 1 {
            let socket = m.bind(PORT)?;
            for at in [600, 1600] {
                m.until(ms(at)).await;
                socket.send_to(m.at(0), at.to_string().as_bytes())?;
            }
            return Ok(());
        }
        m.saw(format!("life {}", m.life));
        m.hear().await
    };
    // The crash ends first.
    with_pause(scene!(2)).fault(&[0], ms(700), ms(200), FaultKind::Crash { loss: Loss::Kept }).check(tell, |run| {
        run.saw_at(0, "life 1", secs(1));
        assert_eq!(run.of(0), ["life 0", "life 1", "1600"]);
    });
    // The pause ends first.
    with_pause(scene!(2)).fault(&[0], ms(700), ms(600), FaultKind::Crash { loss: Loss::Kept }).check(tell, |run| {
        run.saw_at(0, "life 1", ms(1300));
        assert_eq!(run.of(0), ["life 0", "life 1", "1600"]);
    });
}

#[test]
fn a_slow_machine_takes_its_time_for_each_message_one_after_the_other() {
    scene!(2).fault(&[0], ms(500), secs(1), FaultKind::Slow { service_ns: ns(ms(40)) }).lasting(secs(3)).check(
        |m| async move {
            if m.number() == 0 {
                return m.hear().await;
            }
            let socket = m.bind(PORT)?;
            m.until(ms(600)).await;
            for i in 0..10 {
                socket.send_to(m.at(0), i.to_string().as_bytes())?;
            }
            m.until(ms(1600)).await;
            for i in 10..13 {
                socket.send_to(m.at(0), i.to_string().as_bytes())?;
            }
            Ok(())
        },
        |run| {
            assert_eq!(run.numbers(0, ""), (0..13).collect::<Vec<_>>());
            let at = |i: u32| run.time(0, &i.to_string());
            (1..10).for_each(|i| near(at(i) - at(i - 1) + GRAIN, ms(40)));
            assert!(at(0) <= ms(600) + LATENCY + ms(45));
            (10..13).for_each(|i| near(at(i), ms(1600) + LATENCY));
        },
    );
}

#[test]
fn a_slow_machine_loses_no_time_over_timers_that_were_cancelled() {
    scene!(2).fault(&[0], ms(500), secs(1), FaultKind::Slow { service_ns: ns(ms(40)) }).check(
        |m| async move {
            if m.number() == 1 {
                m.until(ms(650)).await;
                return Ok(m.bind(PORT)?.send_to(m.at(0), b"hello")?);
            }
            let socket = m.bind(PORT)?;
            for _ in 0..20 {
                // Each is done before its time.
                m.timeout(ms(600), m.sleep(ms(1))).await?;
            }
            m.hear_on(&socket).await
        },
        |run| run.saw_at(0, "hello", ms(650) + LATENCY),
    );
}

#[test]
fn a_full_inbox_loses_the_datagrams_that_find_no_room() {
    let full = FaultKind::Inbox { service_ns: ns(ms(300)), room: 3 };
    scene!(2).fault(&[0], ms(500), ms(3_500), full).lasting(secs(6)).check(
        |m| async move {
            if m.number() == 0 {
                return m.hear().await;
            }
            let socket = m.bind(PORT)?;
            for (from, at) in [(0, 600), (10, 2_200), (20, 4_500)] {
                m.until(ms(at)).await;
                for i in from..from + 6 {
                    socket.send_to(m.at(0), i.to_string().as_bytes())?;
                    m.sleep(ms(30)).await;
                }
            }
            Ok(())
        },
        |run| {
            let got: Vec<i128> = (0..4).chain(10..14).chain(20..26).collect();
            assert_eq!(run.numbers(0, ""), got, "one is served and three wait, until there is room for all again");
            let at = |i: u32| run.time(0, &i.to_string());
            (1..4).for_each(|i| assert!((ms(290)..ms(330)).contains(&(at(i) - at(i - 1))), "{i} after {:?}", at(i)));
        },
    );
}

#[test]
fn a_full_inbox_loses_no_timer() {
    scene!(1).fault(&[0], ms(500), secs(1), FaultKind::Inbox { service_ns: ns(ms(40)), room: 0 }).check(
        |m| async move {
            m.until(ms(600)).await;
            for i in 0..5 {
                let alarm = m.clone();
                m.spawn(async move {
                    alarm.sleep(ms(10 + 2 * i)).await;
                    alarm.saw(i);
                });
            }
            m.sleep(ms(300)).await;
            Ok(())
        },
        |run| assert_eq!(run.numbers(0, ""), [0, 1, 2, 3, 4]),
    );
}

#[test]
fn what_a_full_inbox_loses_of_a_stream_is_sent_again() {
    let full = FaultKind::Inbox { service_ns: ns(ms(40)), room: 0 };
    scene!(2).fault(&[1], ms(500), secs(2), full).lasting(secs(5)).check(
        |m| async move {
            if m.number() == 1 {
                read_on(&m, &mut answer(&m).await?).await;
                return Ok(());
            }
            m.until(ms(100)).await;
            let mut stream = call(&m).await?;
            m.until(ms(600)).await;
            for word in ["a", "b", "c", "d"] {
                stream.write_all(word.as_bytes()).await?;
                m.sleep(ms(5)).await;
            }
            m.until(secs(4)).await;
            Ok(())
        },
        |run| {
            let heard = run.of(1).join("");
            assert_eq!(heard.trim_end_matches("end"), "abcd");
        },
    );
}

#[test]
fn what_waits_for_a_slow_machine_is_served_at_once_when_it_is_quick_again() {
    scene!(2).fault(&[0], ms(500), ms(300), FaultKind::Slow { service_ns: ns(ms(100)) }).check(
        |m| async move {
            if m.number() == 0 {
                return m.hear().await;
            }
            let socket = m.bind(PORT)?;
            m.until(ms(600)).await;
            for i in 0..10 {
                socket.send_to(m.at(0), i.to_string().as_bytes())?;
            }
            Ok(())
        },
        |run| {
            assert_eq!(run.numbers(0, ""), (0..10).collect::<Vec<_>>());
            (3..10).for_each(|i| run.saw_at(0, &i.to_string(), ms(800)));
        },
    );
}

#[test]
fn a_stream_that_a_pause_held_up_ends_as_it_would_have() {
    with_pause(scene!(2)).check(
        |m| async move {
            if m.number() == 1 {
                let mut stream = answer(&m).await?;
                m.until(ms(600)).await;
                stream.write_all(b"last").await?;
                return Ok(());
            }
            let mut stream = call(&m).await?;
            read_on(&m, &mut stream).await;
            Ok(())
        },
        |run| {
            assert_eq!(run.of(0).concat(), "lastend");
            run.saw_at(0, "end", secs(1));
        },
    );
}
