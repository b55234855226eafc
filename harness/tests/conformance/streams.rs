//! Streams between live machines: ordered, reliable, with an end on each side.

use std::{rc::Rc, time::Duration};

use squall::{
    Result,
    environment::Stream,
    plan::{FaultKind, NodeId},
};

use crate::{
    run::{near, outcome},
    stage::{LATENCY, Machine, PORT, ms, ns, scene, secs},
};

/// Connects to the usual port of n1.
pub(crate) async fn call(m: &Machine) -> std::io::Result<Stream> {
    m.connect(NodeId(1), PORT).await
}

/// Accepts one stream at the usual port.
pub(crate) async fn answer(m: &Machine) -> std::io::Result<Stream> {
    Ok(m.listen(PORT)?.accept().await?.0)
}

/// Tells of every read, to the stream's end.
pub(crate) async fn read_on(m: &Machine, stream: &mut Stream) {
    let mut buffer = [0; 1024];
    loop {
        match stream.read(&mut buffer).await {
            Ok(0) => return m.saw("end"),
            Ok(n) => m.saw(String::from_utf8_lossy(&buffer[..n])),
            Err(error) => return m.saw(format!("{:?}", error.kind())),
        }
    }
}

/// What the nth byte of a long text is.
fn nth(i: usize) -> u8 {
    (i % 251) as u8
}

/// n0 sends n1 a long text, which n1 sends back as it comes; both tell whether it came as it was.
async fn long_text(m: Machine, length: usize) -> Result<()> {
    let mut stream = if m.number() == 0 { call(&m).await? } else { answer(&m).await? };
    let mut buffer = [0; 5_000];
    let mut came = 0;
    if m.number() == 0 {
        let mut sent = 0;
        while came < length {
            if sent < length {
                let piece: Vec<u8> = (sent..length.min(sent + 30_000)).map(nth).collect();
                stream.write_all(&piece).await?;
                sent += piece.len();
            }
            while came < sent {
                let n = stream.read(&mut buffer).await?;
                assert!(n > 0 && (came..).zip(&buffer[..n]).all(|(i, byte)| *byte == nth(i)), "at {came}");
                came += n;
            }
        }
        m.saw("all came back");
        return Ok(());
    }
    loop {
        let n = stream.read(&mut buffer).await?;
        if n == 0 {
            m.saw(format!("end after {came}"));
            return Ok(());
        }
        assert!((came..).zip(&buffer[..n]).all(|(i, byte)| *byte == nth(i)), "at {came}");
        came += n;
        stream.write_all(&buffer[..n]).await?;
    }
}

#[test]
fn a_stream_carries_bytes_both_ways_and_knows_both_ends() {
    scene!(2).check(
        |m| async move {
            let mut buffer = [0; 5];
            if m.number() == 0 {
                m.until(ms(100)).await;
                let mut stream = call(&m).await?;
                m.saw("connected");
                m.saw(format!("to {}:{}", stream.peer().node, stream.peer().port));
                stream.write_all(b"hello").await?;
                stream.read_exact(&mut buffer).await?;
            } else {
                let (mut stream, from) = m.listen(PORT)?.accept().await?;
                m.saw(format!("from {}, as the stream says: {}", from.node, stream.peer() == from));
                stream.read_exact(&mut buffer).await?;
                stream.write_all(b"world").await?;
            }
            m.saw(String::from_utf8_lossy(&buffer));
            Ok(())
        },
        |run| {
            run.saw_at(0, "connected", ms(100) + 2 * LATENCY);
            assert_eq!(run.of(0)[1..], ["to n1:7", "world"]);
            assert_eq!(run.of(1), ["from n0, as the stream says: true", "hello"]);
        },
    );
}

#[test]
fn a_machine_that_takes_few_connections_refuses_one_more_and_keeps_those_that_stand() {
    scene!(2).fault(&[1], ms(500), ms(1_000), FaultKind::Connections { limit: 1 }).lasting(secs(3)).check(
        |m| async move {
            if m.number() == 1 {
                let listener = m.listen(PORT)?;
                loop {
                    let (mut stream, _) = listener.accept().await?;
                    let reader = m.clone();
                    m.spawn(async move { read_on(&reader, &mut stream).await });
                }
            }
            m.until(ms(100)).await;
            let mut first = call(&m).await?;
            m.until(ms(600)).await;
            m.saw(outcome(call(&m).await));
            first.write_all(b"stands").await?;
            m.until(ms(800)).await;
            drop(first);
            m.until(ms(1_000)).await;
            let _second = call(&m).await?;
            m.saw("connected");
            m.saw(outcome(call(&m).await));
            m.until(ms(1_600)).await;
            m.saw(outcome(call(&m).await));
            Ok(())
        },
        |run| {
            assert_eq!(run.of(0), ["ConnectionRefused", "connected", "ConnectionRefused", "ok"]);
            assert_eq!(run.of(1)[..2], ["stands", "end"]);
        },
    );
}

#[test]
fn many_bytes_arrive_in_order_over_links_of_many_latencies() {
    scene!(2).latency(ms(1), ms(40)).lasting(secs(20)).check(
        |m| long_text(m, 200_000),
        |run| {
            assert_eq!(run.of(0), ["all came back"]);
            assert_eq!(run.of(1), ["end after 200000"]);
        },
    );
}

#[test]
fn bytes_arrive_in_order_and_as_they_were_over_links_that_lose_double_reorder_and_damage() {
    let from = ms(200);
    scene!(2)
        .lasting(secs(60))
        .fault(&[0], from, secs(50), FaultKind::Drop { permille: 100 })
        .fault(&[0], from, secs(50), FaultKind::Duplicate { permille: 300 })
        .fault(&[1], from, secs(50), FaultKind::Reorder { permille: 300, max_ns: ns(ms(100)) })
        .fault(&[1], from, secs(50), FaultKind::Corrupt { permille: 50 })
        .some_fault_is_inert()
        .check(
            |m| long_text(m, 60_000),
            |run| {
                assert_eq!(run.of(0), ["all came back"]);
                assert_eq!(run.of(1), ["end after 60000"]);
            },
        );
}

#[test]
fn frames_come_one_by_one_as_they_were_written() {
    scene!(2).check(
        |m| async move {
            if m.number() == 0 {
                let mut stream = call(&m).await?;
                for frame in [&b"one"[..], b"", &[b'x'; 3_000]] {
                    stream.write_frame(frame).await?;
                }
                return Ok(());
            }
            let mut stream = answer(&m).await?;
            while let Some(frame) = stream.read_frame().await? {
                m.saw(format!("{} bytes", frame.len()));
            }
            m.saw("end");
            Ok(())
        },
        |run| assert_eq!(run.of(1), ["3 bytes", "0 bytes", "3000 bytes", "end"]),
    );
}

#[test]
fn connecting_to_a_live_machine_without_a_listener_is_refused_after_a_round_trip() {
    scene!(2).check(
        |m| async move {
            if m.number() == 0 {
                m.until(ms(100)).await;
                m.saw(outcome(call(&m).await));
            }
            Ok(())
        },
        |run| run.saw_at(0, "ConnectionRefused", ms(100) + 2 * LATENCY),
    );
}

#[test]
fn after_a_listener_is_closed_connecting_is_refused_and_what_nobody_accepted_is_reset() {
    scene!(2).check(
        |m| async move {
            if m.number() == 1 {
                let listener = m.listen(PORT)?;
                m.until(ms(300)).await;
                drop(listener);
                return Ok(());
            }
            let mut early = call(&m).await?;
            m.saw("connected");
            early.write_all(b"is anybody there?").await?;
            read_on(&m, &mut early).await;
            m.saw(outcome(call(&m).await));
            Ok(())
        },
        |run| {
            run.saw_at(0, "connected", 2 * LATENCY);
            run.saw_at(0, "ConnectionReset", ms(300) + LATENCY);
            assert_eq!(run.of(0).last(), Some(&"ConnectionRefused"));
        },
    );
}

#[test]
fn accepted_streams_outlive_their_listener() {
    scene!(2).check(
        |m| async move {
            if m.number() == 1 {
                let mut stream = answer(&m).await?;
                m.until(ms(500)).await;
                read_on(&m, &mut stream).await;
                return Ok(());
            }
            call(&m).await?.write_all(b"still there").await?;
            Ok(())
        },
        |run| assert_eq!(run.of(1), ["still there", "end"]),
    );
}

#[test]
fn streams_are_accepted_in_the_order_of_their_arrival() {
    scene!(3).check(
        |m| async move {
            if m.number() == 1 {
                let listener = m.listen(PORT)?;
                m.until(ms(500)).await;
                loop {
                    let (_, from) = listener.accept().await?;
                    m.saw(from.node);
                }
            }
            for i in 0..3 {
                m.until(ms(100 * i + 30 * u64::from(m.number()))).await;
                drop(call(&m).await?);
            }
            Ok(())
        },
        |run| assert_eq!(run.of(1), ["n0", "n2", "n0", "n2", "n0", "n2"]),
    );
}

#[test]
fn a_writer_waits_while_nobody_reads_and_goes_on_when_somebody_does() {
    scene!(2).lasting(secs(10)).check(
        |m| async move {
            if m.number() == 0 {
                let mut stream = call(&m).await?;
                stream.write_all(&vec![b'x'; 1 << 20]).await?;
                m.saw("written");
                return Ok(());
            }
            let mut stream = answer(&m).await?;
            m.until(secs(2)).await;
            let (mut buffer, mut came) = (vec![0; 1 << 16], 0);
            while came < 1 << 20 {
                came += stream.read(&mut buffer).await?;
            }
            m.saw("read");
            Ok(())
        },
        |run| {
            assert!(run.time(0, "written") > secs(2));
            assert!(run.time(1, "read") >= run.time(0, "written"));
        },
    );
}

#[test]
fn giving_up_a_read_loses_no_byte() {
    scene!(2).check(
        |m| async move {
            if m.number() == 0 {
                let mut stream = call(&m).await?;
                for i in 0..100_u8 {
                    m.sleep(ms(7)).await;
                    stream.write_all(&[i]).await?;
                }
                return Ok(());
            }
            let mut stream = answer(&m).await?;
            let mut buffer = [0; 16];
            loop {
                match m.timeout(ms(1), stream.read(&mut buffer)).await {
                    Ok(Ok(0)) => return Ok(()),
                    Ok(n) => buffer[..n?].iter().for_each(|byte| m.saw(byte)),
                    Err(_) => {}
                }
            }
        },
        |run| assert_eq!(run.numbers(1, ""), (0..100).collect::<Vec<_>>()),
    );
}

#[test]
fn giving_up_an_accept_loses_no_stream() {
    scene!(2).check(
        |m| async move {
            if m.number() == 0 {
                for _ in 0..20 {
                    m.sleep(ms(13)).await;
                    drop(call(&m).await?);
                }
                return Ok(());
            }
            let listener = m.listen(PORT)?;
            loop {
                if m.timeout(ms(1), listener.accept()).await.is_ok() {
                    m.saw("accepted");
                }
            }
        },
        |run| assert_eq!(run.of(1).len(), 20),
    );
}

#[test]
fn tasks_that_accept_at_one_listener_get_a_stream_each() {
    scene!(2).check(
        |m| async move {
            if m.number() == 0 {
                for _ in 0..3 {
                    m.sleep(ms(50)).await;
                    drop(call(&m).await?);
                }
                return Ok(());
            }
            let listener = Rc::new(m.listen(PORT)?);
            for _ in 0..3 {
                let (listener, m2) = (listener.clone(), m.clone());
                m.spawn(async move {
                    listener.accept().await.expect("the listener is there");
                    m2.saw("accepted");
                });
            }
            m.until(secs(1)).await;
            Ok(())
        },
        |run| assert_eq!(run.of(1).len(), 3),
    );
}

#[test]
fn a_machine_can_connect_to_itself() {
    scene!(2).check(
        |m| async move {
            if m.number() == 0 {
                return Ok(());
            }
            let (listener, m2) = (m.listen(PORT)?, m.clone());
            m.spawn(async move {
                let (mut stream, _) = listener.accept().await.expect("the listener is there");
                read_on(&m2, &mut stream).await;
            });
            call(&m).await?.write_all(b"me").await?;
            Ok(())
        },
        |run| {
            near(run.time(1, "me"), Duration::ZERO);
            assert_eq!(run.of(1), ["me", "end"]);
        },
    );
}

#[test]
fn nothing_to_read_into_and_nothing_to_write_is_done_at_once() {
    scene!(2).check(
        |m| async move {
            if m.number() == 0 {
                let mut stream = call(&m).await?;
                m.saw(format!("{:?}", stream.read(&mut []).await?));
                stream.write_all(&[]).await?;
                m.saw("done");
                m.until(ms(500)).await;
                return Ok(());
            }
            let mut stream = answer(&m).await?;
            read_on(&m, &mut stream).await;
            Ok(())
        },
        |run| {
            run.saw_at(0, "done", 2 * LATENCY);
            assert_eq!(run.of(0), ["0", "done"]);
            run.saw_at(1, "end", ms(500) + LATENCY);
            assert_eq!(run.of(1), ["end"], "an empty write is no end");
        },
    );
}
