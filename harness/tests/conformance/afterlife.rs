//! What is left of a dead process: destructors, and handles that something kept.

use std::{future::Future, pin::pin};

use squall::{
    environment::{Address, File, Listener, Sleep, Socket, Stream},
    plan::{FaultKind, Loss, NodeId},
};

use crate::{
    crash::with_crash,
    disk::submit,
    run::{outcome, receive},
    stage::{Machine, PORT, ms, scene, secs},
    streams::call,
};

/// Says on the board that it was dropped, after it tried everything a destructor might.
struct Destructor(Machine, &'static str);

impl Drop for Destructor {
    fn drop(&mut self) {
        let m = &self.0;
        let _ = (m.monotonic(), m.wall(), m.random(), m.node_count(), m.peers().count());
        m.observe("dying", "yes");
        if let Ok(socket) = m.bind(0) {
            let _ = socket.send_to(m.at(1), self.1.as_bytes());
        }
        let _ = m.listen(0);
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        let _ = pin!(m.connect(NodeId(1), PORT)).poll(&mut cx);
        let _ = pin!(m.disk().file("f").append(b"last words")).poll(&mut cx);
        let _ = pin!(m.sleep(ms(1))).poll(&mut cx);
        let m2 = m.clone();
        m.spawn(async move { m2.board("a zombie walks") }).abort();
        let m2 = m.clone();
        m.spawn(async move { m2.board("a zombie walks") });
        m.board(format!("{} is dropped", self.1));
    }
}

#[test]
fn at_a_crash_destructors_run_and_may_call_anything_to_no_effect() {
    with_crash(scene!(2)).lasting(secs(2)).check(
        |m| async move {
            if m.number() == 1 || m.life > 0 {
                if m.number() == 0 {
                    m.saw(format!("{:?}", m.disk().list().await?));
                }
                return m.hear().await;
            }
            let _serve = Destructor(m.clone(), "serve");
            for name in ["one task", "another task"] {
                let guard = Destructor(m.clone(), name);
                m.spawn(async move {
                    let _guard = guard;
                    std::future::pending::<()>().await;
                });
            }
            m.until(secs(2)).await;
            Ok(())
        },
        |run| {
            let mut board: Vec<&str> = run.board.iter().map(String::as_str).collect();
            board.sort_unstable();
            assert_eq!(board, ["another task is dropped", "one task is dropped", "serve is dropped"]);
            assert!(run.of(1).is_empty(), "the dead do not send");
            assert_eq!(run.of(0), ["[]"], "nor do they write");
        },
    );
}

#[test]
fn at_the_end_of_a_run_destructors_run_too() {
    scene!(1).check(
        |m| async move {
            let _serve = Destructor(m.clone(), "serve");
            let guard = Destructor(m.clone(), "task");
            m.spawn(async move {
                let _guard = guard;
                std::future::pending::<()>().await;
            });
            std::future::pending().await
        },
        |run| {
            let mut dropped: Vec<_> = run.board.iter().filter(|b| b.ends_with("dropped")).collect();
            dropped.sort_unstable();
            assert_eq!(dropped, ["serve is dropped", "task is dropped"]);
        },
    );
}

/// A future that stays pending for a while.
async fn stays_pending<T>(m: &Machine, future: impl Future<Output = T>) -> bool {
    m.timeout(ms(300), future).await.is_err()
}

#[test]
fn handles_of_a_dead_life_do_nothing_in_the_next() {
    let scene = with_crash(scene!(2)).lasting(secs(4));
    scene.check(
        |m| async move {
            if m.number() == 1 {
                let (listener, m2) = (m.listen(PORT)?, m.clone());
                m.spawn(async move {
                    let mut held = Vec::new();
                    while let Ok((stream, _)) = listener.accept().await {
                        m2.saw("accepted");
                        held.push(stream);
                    }
                });
                return m.hear().await;
            }
            if m.life == 0 {
                m.keep(m.bind(PORT)?);
                m.keep(m.listen(PORT)?);
                m.keep(call(&m).await?);
                m.keep(m.sleep(ms(100)));
                m.keep(m.disk().file("f"));
                m.keep(m.clone());
                m.saw("kept");
                std::future::pending::<()>().await;
            }
            let socket: Socket = m.kept();
            m.saw(format!("send: {}", outcome(socket.send_to(m.at(1), b"from the dead"))));
            let received = m.timeout(ms(300), receive(&socket)).await;
            m.saw(format!("receive: {}", received.is_err() || received.is_ok_and(|r| r.is_err())));
            let mut stream: Stream = m.kept();
            let written = m.timeout(ms(300), stream.write_all(b"from the dead")).await;
            m.saw(format!("write: {}", written.is_err() || written.is_ok_and(|w| w.is_err())));
            let sleep: Sleep = m.kept();
            m.saw(format!("sleep: {}", stays_pending(&m, sleep).await));
            let file: File = m.kept();
            m.saw(format!("append: {}", outcome(file.append(b"from the dead").await)));
            let old: Machine = m.kept();
            m.saw(format!("bind: {}", outcome(old.bind(0))));
            m.saw(format!("listen: {}", outcome(old.listen(0))));
            m.saw(format!("connect: {}", outcome(old.connect(NodeId(1), PORT).await)));
            m.saw(format!("a new sleep: {}", stays_pending(&m, old.sleep(ms(1))).await));
            let m2 = m.clone();
            old.spawn(async move { m2.saw("a zombie walks") });
            m.sleep(ms(1)).await;

            // What the dead leave does not take the living's ports with it.
            let (fresh, listener): (Socket, Listener) = (m.bind(PORT)?, m.listen(PORT)?);
            drop((socket, stream, m.kept::<Listener>()));
            m.bind(0)?.send_to(m.at(0), b"alive")?;
            m.saw(receive(&fresh).await?);
            drop(listener);
            Ok(())
        },
        |run| {
            let expected = [
                "kept",
                "send: BrokenPipe",
                "receive: true",
                "write: true",
                "sleep: true",
                "append: BrokenPipe",
                "bind: BrokenPipe",
                "listen: BrokenPipe",
                "connect: BrokenPipe",
                "a new sleep: true",
                "alive",
            ];
            assert_eq!(run.of(0), expected);
            assert_eq!(run.of(1), ["accepted"], "nothing came from the dead");
        },
    );
}

#[test]
fn a_machine_that_crashes_in_the_middle_of_everything_leaves_nothing_behind() {
    // A storm of crashes over a machine that is always in the middle of something.
    let mut scene = scene!(2).lasting(secs(6)).latency(ms(1), ms(30));
    for i in 0..20 {
        scene = scene.fault(&[0], ms(103 + 171 * i), ms(57), FaultKind::Crash { loss: Loss::Torn });
    }
    scene.check(
        |m| async move {
            if m.number() == 1 {
                let (listener, m2) = (m.listen(PORT)?, m.clone());
                let socket = m.bind(PORT)?;
                m.spawn(async move {
                    loop {
                        let mut buffer = [0; 64];
                        let (n, from) = socket.recv_from(&mut buffer).await.expect("bound");
                        socket.send_to(from, &buffer[..n]).expect("there is such a machine");
                    }
                });
                loop {
                    let (mut stream, _) = listener.accept().await?;
                    let m3 = m2.clone();
                    m.spawn(async move {
                        let mut buffer = [0; 64];
                        while let Ok(n @ 1..) = stream.read(&mut buffer).await {
                            if stream.write_all(&buffer[..n]).await.is_err() {
                                break;
                            }
                        }
                        drop(m3);
                    });
                }
            }
            let (socket, listener) = (m.bind(PORT)?, m.listen(PORT)?);
            let file = m.disk().file("f");
            let mut round = 0_u64;
            loop {
                round += 1;
                submit(file.append(&round.to_le_bytes()));
                file.sync().await?;
                let mut stream = call(&m).await?;
                let word = format!("{}/{round}", m.life);
                stream.write_all(word.as_bytes()).await?;
                let mut buffer = vec![0; word.len()];
                stream.read_exact(&mut buffer).await?;
                m.saw(format!("own words: {}", buffer == word.as_bytes()));
                socket.send_to(Address { node: NodeId(1), port: PORT }, word.as_bytes())?;
                // Echoes of an earlier life may come too: a port is a port.
                if let Ok(echo) = m.timeout(ms(80), receive(&socket)).await {
                    let of: usize = echo?.split('/').next().and_then(|l| l.parse().ok()).unwrap_or(usize::MAX);
                    m.saw(format!("echo of the past or present: {}", of <= m.life));
                }
                let _ = &listener;
            }
        },
        |run| {
            assert!(run.of(0).iter().all(|what| what.ends_with("true")), "{:?}", run.of(0));
            assert!(run.of(0).len() > 30);
        },
    );
}
