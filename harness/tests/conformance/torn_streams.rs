//! Streams under partitions and crashes: stalled, timed out or reset, never half alive.

use squall::{
    Result,
    plan::{FaultKind, Loss, NodeId, Shape},
};

use crate::{
    run::outcome,
    stage::{LATENCY, Machine, PORT, Scene, ms, ns, scene, secs},
    streams::{answer, call, read_on},
};

/// A cut between n0 and the rest.
fn cut(shape: Shape) -> FaultKind {
    FaultKind::Partition { shape, flap_ns: None, clients: false }
}

const POWER: FaultKind = FaultKind::Crash { loss: Loss::Lost };

/// n0 connects to n1 at 100 ms and tells how it went.
fn connecting(scene: Scene, expected: &'static str) {
    scene.check(
        |m| async move {
            if m.number() == 0 {
                m.until(ms(100)).await;
                m.saw(outcome(call(&m).await));
                return Ok(());
            }
            let listener = m.listen(PORT)?;
            loop {
                drop(listener.accept().await?);
            }
        },
        |run| assert_eq!(run.of(0), [expected]),
    );
}

#[test]
fn connecting_to_a_dead_machine_times_out() {
    connecting(scene!(2).lasting(secs(20)).fault(&[1], ms(50), secs(19), POWER), "TimedOut");
}

#[test]
fn connecting_across_a_long_partition_times_out() {
    connecting(scene!(2).lasting(secs(20)).fault(&[0], ms(50), secs(19), cut(Shape::Split)), "TimedOut");
}

#[test]
fn connecting_times_out_when_only_the_way_there_is_cut() {
    connecting(scene!(2).lasting(secs(20)).fault(&[0], ms(50), secs(19), cut(Shape::Outbound)), "TimedOut");
}

#[test]
fn connecting_times_out_when_only_the_way_back_is_cut() {
    connecting(scene!(2).lasting(secs(20)).fault(&[0], ms(50), secs(19), cut(Shape::Inbound)), "TimedOut");
}

#[test]
fn connecting_across_a_short_partition_succeeds_once_it_is_healed() {
    connecting(scene!(2).lasting(secs(10)).fault(&[0], ms(50), ms(1500), cut(Shape::Split)), "ok");
}

#[test]
fn connecting_to_a_machine_that_comes_back_soon_succeeds() {
    connecting(scene!(2).lasting(secs(10)).fault(&[1], ms(50), ms(500), POWER), "ok");
}

#[test]
fn a_connection_begun_before_a_machine_died_is_made_when_it_is_back() {
    // The first word finds nobody, the second a new listener.
    connecting(scene!(2).lasting(secs(10)).fault(&[1], ms(110), ms(500), POWER), "ok");
}

/// n0 writes a numbered line to n1 every 100 ms; n1 tells of all it reads.
async fn lines(m: Machine) -> Result<()> {
    if m.number() == 1 {
        let mut stream = answer(&m).await?;
        let mut buffer = [0; 1024];
        loop {
            match stream.read(&mut buffer).await {
                Ok(0) => {
                    m.saw("end");
                    return Ok(());
                }
                Ok(n) => String::from_utf8_lossy(&buffer[..n]).lines().for_each(|line| m.saw(line)),
                Err(error) => {
                    m.saw(format!("{:?}", error.kind()));
                    return Ok(());
                }
            }
        }
    }
    let mut stream = call(&m).await?;
    for i in 0.. {
        if let Err(error) = stream.write_all(format!("{i}\n").as_bytes()).await {
            m.saw("failed");
            m.saw(format!("{:?}", error.kind()));
            return Ok(());
        }
        m.sleep(ms(100)).await;
    }
    Ok(())
}

/// A cut of a second stalls the stream; afterwards all arrives in order.
fn stalls_and_resumes(scene: Scene, shape: Shape) {
    scene.lasting(secs(6)).fault(&[0], ms(1050), secs(1), cut(shape)).check(lines, |run| {
        let lines = run.numbers(1, "");
        assert!(lines.len() > 45, "{} lines came", lines.len());
        assert_eq!(lines, (0..lines.len() as i128).collect::<Vec<_>>());
        let silence = |from: u64, to: u64| {
            let times = (0..lines.len()).map(|i| run.time(1, &i.to_string()));
            times.filter(|at| (ms(from)..ms(to)).contains(at)).count() == 0
        };
        if shape != Shape::Inbound {
            assert!(silence(1100, 2050), "bytes came through a cut");
        }
        assert!(!silence(200, 1000) && !silence(3000, 5900));
    });
}

#[test]
fn a_partition_stalls_a_stream_and_after_it_all_bytes_arrive_in_order() {
    stalls_and_resumes(scene!(2), Shape::Split);
}

#[test]
fn a_cut_of_the_writers_way_stalls_a_stream_and_after_it_all_bytes_arrive_in_order() {
    stalls_and_resumes(scene!(2), Shape::Outbound);
}

#[test]
fn a_cut_of_the_readers_way_loses_no_byte_and_doubles_none() {
    stalls_and_resumes(scene!(2), Shape::Inbound);
}

#[test]
fn a_flapping_link_keeps_a_stream_in_order() {
    let flaps = FaultKind::Partition { shape: Shape::Split, flap_ns: Some(ns(ms(150))), clients: false };
    scene!(2).lasting(secs(8)).fault(&[0], ms(500), secs(4), flaps).check(lines, |run| {
        let lines = run.numbers(1, "");
        assert!(lines.len() > 60, "{} lines came", lines.len());
        assert_eq!(lines, (0..lines.len() as i128).collect::<Vec<_>>());
    });
}

#[test]
fn a_long_partition_times_a_writer_out_and_its_stream_stays_broken() {
    scene!(2).lasting(secs(80)).fault(&[0], secs(1), secs(70), cut(Shape::Split)).check(
        |m| async move {
            if m.number() == 1 {
                return lines(m).await;
            }
            let mut stream = call(&m).await?;
            m.until(ms(1100)).await;
            let why = loop {
                if let Err(error) = stream.write_all(b"0\n").await {
                    break error.kind();
                }
                m.sleep(ms(100)).await;
            };
            m.saw(format!("{why:?}"));
            m.saw(outcome(stream.read(&mut [0; 8]).await));
            m.until(secs(75)).await;
            m.saw(outcome(stream.write_all(b"1\n").await));
            m.saw(outcome(stream.read(&mut [0; 8]).await));
            Ok(())
        },
        |run| {
            assert_eq!(run.of(0)[..2], ["TimedOut", "TimedOut"]);
            assert!(run.of(0)[2..].iter().all(|what| *what != "ok"), "{:?}", run.of(0));
            assert!(run.of(1).iter().all(|what| *what != "1"), "{:?}", run.of(1));
            let gave_up = run.times(0, "TimedOut")[0];
            assert!((secs(5)..secs(60)).contains(&gave_up), "after {gave_up:?}");
        },
    );
}

#[test]
fn who_writes_after_the_heal_to_a_peer_that_timed_out_learns_that_the_stream_is_gone() {
    scene!(2).lasting(secs(80)).fault(&[0], secs(1), secs(70), cut(Shape::Split)).check(
        |m| async move {
            let mut stream = if m.number() == 0 { call(&m).await? } else { answer(&m).await? };
            if m.number() == 0 {
                m.until(secs(2)).await;
                stream.write_all(b"lost").await?;
                m.saw(outcome(stream.read(&mut [0; 8]).await));
            } else {
                // Idle through the cut: it notices nothing.
                m.until(secs(75)).await;
                m.saw(outcome(stream.write_all(b"anybody?").await));
                m.saw(outcome(stream.read(&mut [0; 8]).await));
            }
            m.until(secs(79)).await;
            Ok(())
        },
        |run| {
            assert_eq!(run.of(0), ["TimedOut"]);
            assert_eq!(run.of(1), ["ok", "ConnectionReset"]);
        },
    );
}

#[test]
fn a_stream_to_a_machine_that_died_and_came_back_is_reset_by_the_next_write() {
    scene!(2).lasting(secs(8)).fault(&[1], secs(1), ms(500), POWER).check(
        |m| async move {
            if m.number() == 1 {
                // Both lives listen: the old stream must not become one of the new life.
                let listener = m.listen(PORT)?;
                loop {
                    let (mut stream, _) = listener.accept().await?;
                    m.saw("accepted");
                    read_on(&m, &mut stream).await;
                }
            }
            let mut stream = call(&m).await?;
            stream.write_all(b"before").await?;
            m.until(secs(2)).await;
            let _ = stream.write_all(b"after").await;
            m.saw(outcome(stream.read(&mut [0; 8]).await));
            m.saw(outcome(stream.write_all(b"again").await));
            m.saw(outcome(call(&m).await));
            Ok(())
        },
        |run| {
            assert_eq!(run.of(0)[0], "ConnectionReset");
            assert_ne!(run.of(0)[1], "ok");
            assert_eq!(run.of(0)[2], "ok", "a new stream");
            assert_eq!(run.of(1), ["accepted", "before", "accepted", "end"]);
        },
    );
}

#[test]
fn who_waits_for_a_machine_that_stays_dead_times_out() {
    scene!(2).lasting(secs(70)).fault(&[1], secs(1), secs(69), POWER).check(
        |m| async move {
            if m.number() == 1 {
                let mut stream = answer(&m).await?;
                read_on(&m, &mut stream).await;
                return Ok(());
            }
            let mut stream = call(&m).await?;
            m.until(secs(2)).await;
            m.saw(outcome(stream.write_all(b"anybody?").await));
            m.saw(outcome(stream.read(&mut [0; 8]).await));
            Ok(())
        },
        |run| assert_eq!(run.of(0), ["ok", "TimedOut"]),
    );
}

#[test]
fn a_process_that_ends_by_itself_resets_its_streams_at_once() {
    scene!(2).halting(1).lasting(ms(900)).check(
        |m| async move {
            if m.number() == 1 {
                let stream = answer(&m).await?;
                m.keep(stream);
                m.until(ms(300)).await;
                return Ok(());
            }
            let mut stream = call(&m).await?;
            read_on(&m, &mut stream).await;
            std::future::pending().await
        },
        |run| run.saw_at(0, "ConnectionReset", ms(300) + LATENCY),
    );
}

#[test]
fn a_dead_machine_sends_nothing_again() {
    // All it wrote was lost in a cut, and it is dead when the cut heals.
    let scene = scene!(2).lasting(secs(6)).fault(&[0], ms(450), secs(1), cut(Shape::Split));
    scene.fault(&[0], ms(600), secs(3), POWER).check(
        |m| async move {
            if m.life > 0 {
                return Ok(());
            }
            if m.number() == 1 {
                let mut stream = answer(&m).await?;
                read_on(&m, &mut stream).await;
                return Ok(());
            }
            let mut stream = call(&m).await?;
            m.until(ms(500)).await;
            stream.write_all(b"into the cut").await?;
            m.until(secs(6)).await;
            Ok(())
        },
        |run| assert!(run.of(1).iter().all(|what| *what != "into the cut"), "{:?}", run.of(1)),
    );
}

#[test]
fn bytes_on_their_way_arrive_though_their_sender_died() {
    scene!(2).latency(ms(100), ms(100)).lasting(secs(2)).fault(&[0], ms(550), secs(1), POWER).check(
        |m| async move {
            if m.number() == 1 {
                let mut stream = answer(&m).await?;
                read_on(&m, &mut stream).await;
                return Ok(());
            }
            if m.life == 0 {
                let mut stream = call(&m).await?;
                m.until(ms(500)).await;
                stream.write_all(b"last words").await?;
                m.until(secs(2)).await;
            }
            Ok(())
        },
        |run| run.saw_at(1, "last words", ms(600)),
    );
}

#[test]
fn a_listener_that_came_back_accepts_again() {
    scene!(3).lasting(secs(3)).fault(&[1], ms(500), ms(500), POWER).check(
        |m| async move {
            if m.number() == 1 {
                let listener = m.listen(PORT)?;
                loop {
                    let (mut stream, _) = listener.accept().await?;
                    read_on(&m, &mut stream).await;
                }
            }
            m.until(ms(1200 * u64::from(m.number() / 2))).await;
            let mut stream = m.connect(NodeId(1), PORT).await?;
            stream.write_all(format!("{}", m.me()).as_bytes()).await?;
            Ok(())
        },
        |run| assert_eq!(run.of(1), ["n0", "end", "n2", "end"]),
    );
}
