//! Ends of streams: closed, half closed, reset, given up.

use std::time::Duration;

use squall::plan::{FaultKind, Shape};

use crate::{
    run::{near, outcome},
    stage::{LATENCY, PORT, Scene, ms, scene, secs},
    streams::{answer, call, read_on},
};

#[test]
fn a_closed_side_is_read_to_its_end_and_the_other_side_stays_open() {
    scene!(2).check(
        |m| async move {
            if m.number() == 0 {
                let mut stream = call(&m).await?;
                stream.write_all(b"question").await?;
                stream.shutdown()?;
                stream.shutdown()?;
                m.saw(outcome(stream.write_all(b"more").await));
                read_on(&m, &mut stream).await;
                return Ok(());
            }
            let mut stream = answer(&m).await?;
            m.until(ms(300)).await;
            read_on(&m, &mut stream).await;
            read_on(&m, &mut stream).await;
            stream.write_all(b"answer").await?;
            Ok(())
        },
        |run| {
            assert_eq!(run.of(0), ["BrokenPipe", "answer", "end"]);
            assert_eq!(run.of(1), ["question", "end", "end"], "the end stays the end");
        },
    );
}

#[test]
fn what_was_written_arrives_though_the_stream_was_closed_at_once() {
    scene!(2)
        .latency(ms(5), ms(50))
        .lasting(secs(5))
        .fault(&[0], ms(300), secs(4), FaultKind::Drop { permille: 200 })
        .check(
            |m| async move {
                if m.number() == 0 {
                    let mut stream = call(&m).await?;
                    m.until(ms(400)).await;
                    for _ in 0..60 {
                        stream.write_all(&[b'x'; 1_000]).await?;
                    }
                    return Ok(());
                }
                let mut stream = answer(&m).await?;
                let (mut buffer, mut came) = ([0; 4_096], 0);
                loop {
                    match stream.read(&mut buffer).await? {
                        0 => break,
                        n => came += n,
                    }
                }
                m.saw(format!("end after {came}"));
                Ok(())
            },
            |run| assert_eq!(run.of(1), ["end after 60000"]),
        );
}

#[test]
fn closing_over_unread_bytes_resets_the_peer() {
    scene!(2).check(
        |m| async move {
            if m.number() == 0 {
                let mut stream = call(&m).await?;
                stream.write_all(b"unread").await?;
                read_on(&m, &mut stream).await;
                m.saw(outcome(stream.write_all(b"more").await));
                return Ok(());
            }
            let stream = answer(&m).await?;
            m.until(ms(300)).await;
            drop(stream);
            Ok(())
        },
        |run| {
            near(run.times(0, "ConnectionReset")[0], ms(300) + LATENCY);
            assert_eq!(run.of(0).len(), 2);
            assert_ne!(run.of(0)[1], "ok");
        },
    );
}

/// n0 connects, n1 accepts; `closer` closes its end at 200 ms, the other goes on writing.
fn writing_to_who_has_closed(scene: Scene, closer: u32) {
    let writer = 1 - closer;
    scene.check(
        move |m| async move {
            let mut stream = if m.number() == 0 { call(&m).await? } else { answer(&m).await? };
            m.until(ms(200)).await;
            if m.number() == closer {
                drop(stream);
                return Ok(());
            }
            loop {
                m.sleep(ms(100)).await;
                if let Err(error) = stream.write_all(b"x").await {
                    m.saw("failed");
                    m.saw(format!("{:?}", error.kind()));
                    return Ok(());
                }
            }
        },
        move |run| {
            near(run.time(writer, "failed"), ms(400));
            let kind = run.of(writer)[1];
            assert!(kind == "ConnectionReset" || kind == "BrokenPipe", "{kind}");
        },
    );
}

#[test]
fn writing_to_an_accepted_end_that_was_closed_fails_after_a_round_trip() {
    writing_to_who_has_closed(scene!(2), 1);
}

#[test]
fn writing_to_a_connected_end_that_was_closed_fails_after_a_round_trip() {
    writing_to_who_has_closed(scene!(2), 0);
}

#[test]
fn after_a_reset_a_stream_yields_nothing_more() {
    // Latencies vary, so that a reset overtakes bytes that were sent before it, for some of the streams at least.
    scene!(2).latency(ms(1), ms(60)).lasting(secs(12)).check(
        |m| async move {
            if m.number() == 1 {
                let listener = m.listen(PORT)?;
                loop {
                    let (mut stream, _) = listener.accept().await?;
                    stream.write_all(b"a").await?;
                    stream.write_all(b"b").await?;
                    // Its question has come by now.
                    m.sleep(ms(200)).await;
                    stream.write_all(b"c").await?;
                    // Closed over an unread byte.
                }
            }
            for _ in 0..25 {
                let mut stream = call(&m).await?;
                stream.write_all(b"?").await?;
                let mut buffer = [0; 8];
                let why = loop {
                    match stream.read(&mut buffer).await {
                        Ok(0) => break "end".to_owned(),
                        Ok(_) => {}
                        Err(error) => break format!("{:?}", error.kind()),
                    }
                };
                m.saw(why);
                m.sleep(ms(70)).await;
                m.saw(outcome(stream.read(&mut buffer).await));
            }
            Ok(())
        },
        |run| {
            assert_eq!(run.of(0).len(), 50);
            assert!(run.of(0).iter().all(|what| *what == "ConnectionReset"), "{:?}", run.of(0));
        },
    );
}

/// n0 gives its connection up after so long; the latency is 100 ms.
fn giving_up_a_connection(scene: Scene, after: Duration) {
    scene.latency(ms(100), ms(100)).check(
        move |m| async move {
            if m.number() == 0 {
                m.saw(m.timeout(after, call(&m)).await.is_err());
                return Ok(());
            }
            let listener = m.listen(PORT)?;
            loop {
                // It may come up here; then it is over soon.
                let (mut stream, _) = listener.accept().await?;
                m.saw("accepted");
                read_on(&m, &mut stream).await;
                m.saw("over");
            }
        },
        |run| {
            assert_eq!(run.of(0), ["true"]);
            assert_eq!(run.times(1, "accepted").len(), run.times(1, "over").len(), "{:?}", run.of(1));
        },
    );
}

#[test]
fn a_connection_given_up_on_its_way_there_leaves_no_half_open_stream() {
    giving_up_a_connection(scene!(2), ms(50));
}

#[test]
fn a_connection_given_up_on_its_way_back_leaves_no_half_open_stream() {
    giving_up_a_connection(scene!(2), ms(150));
}

#[test]
fn a_question_whose_asker_has_left_is_still_accepted_and_read_to_its_end() {
    scene!(2).check(
        |m| async move {
            if m.number() == 0 {
                call(&m).await?.write_all(b"question").await?;
                return Ok(());
            }
            let listener = m.listen(PORT)?;
            m.until(ms(500)).await;
            let (mut stream, _) = listener.accept().await?;
            read_on(&m, &mut stream).await;
            Ok(())
        },
        |run| assert_eq!(run.of(1), ["question", "end"]),
    );
}

#[test]
fn closing_after_all_was_read_resets_nobody_though_answers_are_lost_on_the_way() {
    // What n1 has read is sent again, for n0 does not hear that it came; by then n1 has closed its end.
    let cut = FaultKind::Partition { shape: Shape::Outbound, flap_ns: None, clients: false };
    scene!(2).lasting(secs(4)).fault(&[1], ms(200), secs(1), cut).check(
        |m| async move {
            if m.number() == 1 {
                let mut stream = answer(&m).await?;
                stream.read_exact(&mut [0; 5]).await?;
                return Ok(());
            }
            let mut stream = call(&m).await?;
            m.until(ms(300)).await;
            stream.write_all(b"hello").await?;
            read_on(&m, &mut stream).await;
            Ok(())
        },
        |run| assert_eq!(run.of(0), ["end"]),
    );
}
